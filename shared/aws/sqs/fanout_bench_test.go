package sqs_test

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what SQS answers with
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const (
	fanoutMiB     = 256 // of the function fanout
	fanoutTimeout = 30  // seconds
)

// BenchmarkWideFanout sends the deliveries of events of 12 KiB to many endpoints, through SQS's
// client, on a transport that accepts everything. The processor time includes the transport's,
// which reads each message once more, and no TLS. s/256MiB is how long a function with 256 MiB of
// memory takes.
func BenchmarkWideFanout(b *testing.B) {
	for name, tt := range map[string]struct{ events, endpoints int }{
		"events=10/endpoints=5000": {10, 5000},
		"events=1/endpoints=10000": {1, 10_000},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			sink := &taking{}
			f, msgs := wideFanout(b, sink, tt.events, tt.endpoints)
			began := processorTime(b)
			for b.Loop() {
				for i, a := range f.Process(b.Context(), msgs()) {
					if a.Retry {
						b.Fatalf("event %d: %v", i, a.Err)
					}
				}
			}
			if got, want := sink.messages.Load(), int64(b.N*tt.events*tt.endpoints); got != want {
				b.Fatalf("%d messages, want %d", got, want)
			}
			seconds := (processorTime(b) - began).Seconds() / float64(b.N)
			b.ReportMetric(seconds, "cpu-s/op")
			b.ReportMetric(seconds*cost.FullProcessorMiB/fanoutMiB, "s/256MiB")
			b.ReportMetric(
				seconds*cost.FullProcessorMiB/fanoutMiB/(fanoutTimeout-10), "invocations",
			)
			b.ReportMetric(float64(sink.heap.Load())/(1<<20), "MiB-heap")
		})
	}
}

// wideFanout returns a fan-out, and a function that makes a batch of new messages.
func wideFanout(
	b *testing.B, sink *taking, events, endpoints int,
) (*relay.Fanout, func() []relay.Message) {
	b.Helper()
	c := catalog.Catalog{Sources: []catalog.Source{{Name: "app"}}}
	for i := range endpoints {
		c.Subscriptions = append(
			c.Subscriptions,
			catalog.Subscription{Source: "app", Endpoint: fmt.Sprintf("endpoint-%05d", i)},
		)
	}
	catalogs := &memory.Catalog{}
	if err := catalogs.ReplaceCatalog(b.Context(), c, 0); err != nil {
		b.Fatal(err)
	}
	client := sqs.Client(aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://taking"), HTTPClient: sink,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	f := lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: catalogs, Events: &memory.Ledger{}, Delivery: sqs.New(
			client, "http://taking/delivery",
		), Reporter: silent{},
		Bodies: &memory.Bodies{}, Failures: &memory.Failures{}, Poison: &memory.Queue{},
	}))
	n := 0
	return f, func() []relay.Message {
		msgs := make([]relay.Message, events)
		for i := range msgs {
			n++
			e := relay.Event{ID: relay.EventID("", "app", fmt.Sprint(n)), Receipt: fmt.Sprint(n),
				Source: "app", ReceivedAt: time.Now(),
				Body: bytes.Repeat([]byte("x"), 12<<10)}
			msgs[i] = relay.Message{ID: fmt.Sprint(n), Body: relay.EncodeEvent(e), Receives: 1}
		}
		return msgs
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// taking is an SQS that accepts every message and forgets it.
type taking struct{ messages, calls, heap atomic.Int64 }

// Do implements the client's transport.
func (s *taking) Do(r *http.Request) (*http.Response, error) {
	var in struct {
		Entries []struct{ ID, MessageBody string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString(`{"Successful":[`)
	for i, e := range in.Entries {
		if i > 0 {
			out.WriteByte(',')
		}
		sum := md5.Sum([]byte(e.MessageBody)) //nolint:gosec // what SQS answers with
		fmt.Fprintf(
			&out, `{"Id":%q,"MessageId":"m","MD5OfMessageBody":%q}`, e.ID,
			hex.EncodeToString(sum[:]),
		)
	}
	out.WriteString(`]}`)
	s.messages.Add(int64(len(in.Entries)))
	if s.calls.Add(1)%100 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.heap.Store(max(s.heap.Load(), int64(m.HeapInuse))) //nolint:gosec // far below 2^63
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(out.String())),
	}, nil
}

type silent struct{}

func (silent) Received(context.Context, relay.ReceiveReport)  {}
func (silent) Routed(context.Context, relay.RouteReport)      {}
func (silent) Attempted(context.Context, relay.AttemptReport) {}
