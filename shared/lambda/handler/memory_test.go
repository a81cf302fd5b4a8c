//go:build !race

package handler_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// sink accepts bodies and messages, and keeps nothing.
type sink struct{ bytes atomic.Int64 }

func (s *sink) Put(_ context.Context, _ string, body []byte) error {
	s.bytes.Add(int64(len(body)))
	return nil
}

func (s *sink) Get(context.Context, string) ([]byte, error) { return nil, catalog.ErrNotFound }

func (s *sink) Send(_ context.Context, msgs []relay.Outgoing) []error {
	return make([]error, len(msgs))
}

// TestTheLargestBodyTakesLessThan64MiB receives bodies of 4 MiB as Lambda hands them over, under
// the memory limit of a function with 64 MiB, and watches the memory of this process. It must not
// run beside other tests. The race detector would take more.
func TestTheLargestBodyTakesLessThan64MiB(t *testing.T) {
	const limit = 64 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit * 9 / 10)) // as the template sets it
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{
		{Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{"token"}},
	}}, 0); err != nil {
		t.Fatal(err)
	}
	stored := &sink{}
	receive := lambda.NewHandler(handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: stored, Bodies: stored, Reporter: silent{},
	}))))
	noise := make([]byte, relay.DefaultMaxBodyBytes)
	_, _ = rand.Read(noise) // never fails
	bodies := map[string]string{
		"text":  strings.Repeat(`{"name":"Hello-World"},`, len(noise)/23),
		"noise": base64.StdEncoding.EncodeToString(noise),
	}
	for name, body := range bodies {
		payload, err := json.Marshal(events.APIGatewayV2HTTPRequest{
			PathParameters: map[string]string{handler.SourceParameter: "app"},
			Headers:        map[string]string{"authorization": "Bearer token"},
			RequestContext: events.APIGatewayV2HTTPRequestContext{
				HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST"},
			},
			Body: body, IsBase64Encoded: name == "noise",
		})
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = string(payload)
	}
	debug.FreeOSMemory()
	peak := watchMemory(t)
	for range 5 {
		for name, payload := range bodies {
			answer, err := receive.Invoke(t.Context(), []byte(payload))
			if err != nil || !strings.Contains(string(answer), `"statusCode":200`) {
				t.Fatalf("%s: %s, %v", name, answer, err)
			}
		}
	}
	// the texts of the requests are the test's own: what a function gets is the copy of one
	used := peak() - uint64(len(bodies["text"])+len(bodies["noise"]))
	t.Logf("at most %.1f MiB", float64(used)/(1<<20))
	if used > limit {
		t.Errorf("%d bytes, at most %d", used, limit)
	}
	if stored.bytes.Load() < 5*relay.DefaultMaxBodyBytes {
		t.Errorf("%d bytes were stored", stored.bytes.Load())
	}
}

// watchMemory returns the largest memory of this process so far, as its runtime counts it.
func watchMemory(t *testing.T) (peak func() uint64) {
	t.Helper()
	var most atomic.Uint64
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			metrics.Read(samples)
			used := samples[0].Value.Uint64() - samples[1].Value.Uint64()
			most.Store(max(most.Load(), used))
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	return most.Load
}
