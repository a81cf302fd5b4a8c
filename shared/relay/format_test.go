package relay_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/lab/golden"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/verify"
)

var update = flag.Bool(
	"update", false,
	"write golden files that do not exist yet; those of a released version never change",
)

var (
	at     = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	sample = relay.Event{
		ID: "evt_rma5j74f2gdwq3atz3vwdyvb2kl6mxje", Receipt: "receipt", Source: "github",
		Type: "push", ReceivedAt: at,
		Header: relay.Header{"content-type": "application/json", "x-github-event": "push"},
		Trace:  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Body: []byte(
			"{\"a\": \"\x00\xff<&>\"}",
		),
	}
	sampleRecord = relay.EventRecord{
		Event: sample, MessageID: "m-1", Endpoints: []string{"shipping", "billing"},
		RoutedAt:  at.Add(time.Second),
		ExpiresAt: at.Add(720 * time.Hour).Truncate(time.Second),
	}
	sampleDelivery = relay.Delivery{
		EventID: sample.ID, Endpoint: "shipping", ReceivedAt: sample.ReceivedAt, Source: "github",
		Type:   "push",
		Status: relay.Waiting, Attempts: 2, MessageID: "m-2",
		NextAt: at.Add(time.Hour), UpdatedAt: at.Add(time.Minute),
		ExpiresAt: at.Add(720 * time.Hour).Truncate(time.Second),
		History: []relay.Attempt{
			{
				Number: 1, At: at, Duration: 12 * time.Millisecond, Outcome: relay.FailedAnswer,
				Timing: relay.Timing{
					DNS: time.Millisecond, Connect: 2 * time.Millisecond,
					TLS: 3 * time.Millisecond, FirstByte: 4 * time.Millisecond,
				},
				StatusCode: 503, Response: []byte{0, 255},
			},
			{
				Number: 2, At: at.Add(time.Minute), Duration: 15 * time.Second,
				Outcome: relay.TimedOut, Error: "no answer in 15s",
			},
		},
	}
)

// TestWholeFormatsAreThoseOfTheGoldenFiles has every field of each format set.
func TestWholeFormatsAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	golden.Formats(t, ".", relay.StoredFormats(), *update)
}

func TestFormatsAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	byReference := sample
	byReference.Body, byReference.BodyRef = nil,
		&relay.BodyRef{Key: "2026/01/02/github/hash", Size: 70000}
	trusted := sample
	trusted.Trust = verify.Verified
	check(t, "event-trust.v1.json", trusted, relay.EncodeEvent, relay.DecodeEvent)
	named := sample
	named.DeliveryID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
	check(t, "event-delivery-id.v1.json", named, relay.EncodeEvent, relay.DecodeEvent)
	check(t, "event.v1.json", sample, relay.EncodeEvent, relay.DecodeEvent)
	check(t, "event-by-reference.v1.json", byReference, relay.EncodeEvent, relay.DecodeEvent)
	check(t, "record.v1.json", sampleRecord, relay.EncodeEventRecord, relay.DecodeEventRecord)
	check(t, "delivery.v1.json", sampleDelivery, relay.EncodeDelivery, relay.DecodeDelivery)
	stepped := sampleDelivery
	stepped.Step = 2
	check(t, "delivery-step.v1.json", stepped, relay.EncodeDelivery, relay.DecodeDelivery)
	held := sampleDelivery
	held.Held, held.Reserved = gate.HeldRate, true
	check(t, "delivery-held.v1.json", held, relay.EncodeDelivery, relay.DecodeDelivery)
	state := breaker.State{
		Failures: 12, FailingSince: at, OpenUntil: at.Add(time.Minute), Openings: 2,
		ClosedAt: at.Add(-time.Hour), PausedUntil: at.Add(time.Second),
		WarnedAt: at.Add(24 * time.Hour), DisabledAt: at.Add(120 * time.Hour),
		Reason: "it answered 410 Gone",
	}
	check(t, "endpoint-state.v1.json", state, breaker.Encode, breaker.Decode)
	failed := breaker.State{Failures: 1, FailingSince: at, FailedAt: at.Add(time.Minute)}
	check(t, "endpoint-state-failed.v1.json", failed, breaker.Encode, breaker.Decode)
	proved := breaker.State{
		Proof: breaker.Proof{Of: "hash", At: at, Rate: 120}, Unproven: "it answered 404",
	}
	check(t, "endpoint-state-proof.v1.json", proved, breaker.Encode, breaker.Decode)
	stopped := breaker.State{StoppedAt: at}
	check(t, "endpoint-state-stopped.v1.json", stopped, breaker.Encode, breaker.Decode)
	slow := breaker.State{SlowUntil: at, SlowAt: at.Add(time.Minute), SlowSeen: 2}
	check(t, "endpoint-state-slow.v1.json", slow, breaker.Encode, breaker.Decode)
}

// check compares what is written with the golden file, and what is read from it with v.
func check[T any](
	t *testing.T, name string, v T, encode func(T) []byte, decode func([]byte) (T, error),
) {
	t.Helper()
	path := filepath.Join("testdata", name)
	golden, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		golden = encode(v)
		err = os.WriteFile(path, golden, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(v); !bytes.Equal(got, golden) {
		t.Errorf("%s:\ngot  %s\nwant %s", name, got, golden)
	}
	back, err := decode(golden)
	if diff := cmp.Diff(v, back); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
}

// Only this package reads the delivery queues' message. So its golden file is checked by processing
// it.
func TestDeliveryMessageOfEachVersionIsUnderstood(t *testing.T) {
	t.Parallel()
	wantPosts := map[string]int{
		"task.v1.json": 1, "task-origin.v1.json": 1, "task-slow.v1.json": 1, "task-made.v1.json": 0,
	}
	for name, want := range wantPosts {
		message, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, nil, "shipping")
		a := r.deliverer.Process(
			t.Context(), []relay.Message{{ID: "m", Body: message, Receives: 1}},
		)[0]
		if a.Retry || r.poison.Len() != 0 || len(r.reports.attempted) != 1 ||
			r.reports.attempted[0].Status != relay.Delivered {
			t.Errorf(
				"%s: %v, %d put aside, reported %+v", name, a, r.poison.Len(), r.reports.attempted,
			)
		}
		if posts := len(r.poster.posts); posts != want {
			t.Errorf("%s: %d POSTs", name, posts)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(relay.EncodeEvent(sample))
	f.Add(relay.EncodeEventRecord(sampleRecord))
	f.Add(relay.EncodeDelivery(sampleDelivery))
	f.Add([]byte(
		`{"v":1,"id":"x","source":"y","receivedAt":"2026-01-02T03:04:05Z","header":{},"body":""}`,
	))
	f.Add([]byte(`{"v":1,"id":"x","source":"y","receivedAt":"2026-01-02T03:04:05Z","body":"!"}`))
	// an empty body is no body
	equal := func(a, b any) bool { return cmp.Equal(a, b, cmpopts.EquateEmpty()) }
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := relay.DecodeEvent(b); err == nil {
			if again, err := relay.DecodeEvent(relay.EncodeEvent(e)); err != nil ||
				!equal(e, again) {
				t.Errorf("does not survive: %v\n%+v\n%+v", err, e, again)
			}
		} else if !errors.Is(err, format.ErrFormat) {
			t.Errorf("not ErrFormat: %v", err)
		}
		if d, err := relay.DecodeDelivery(b); err == nil {
			if again, err := relay.DecodeDelivery(relay.EncodeDelivery(d)); err != nil ||
				!equal(d, again) {
				t.Errorf("does not survive: %v\n%+v\n%+v", err, d, again)
			}
		}
		if _, err := relay.DecodeEventRecord(b); err != nil && !errors.Is(err, format.ErrFormat) {
			t.Errorf("not ErrFormat: %v", err)
		}
	})
}
