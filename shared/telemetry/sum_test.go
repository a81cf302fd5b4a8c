package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// intake is the part of the relay that the first sum of the metrics covers, with the log of a
// deployed relay.
type intake struct {
	t        *testing.T
	log      bytes.Buffer
	ledger   memory.Ledger
	ingest   faulty
	delivery faulty
	poison   memory.Queue
	receiver *relay.Receiver
	fanout   *relay.Fanout
}

// faulty is a queue that returns an error instead of accepting messages, or after accepting them.
type faulty struct {
	memory.Queue
	before, after error
}

func (f *faulty) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if f.before != nil {
		return repeat(f.before, len(msgs))
	}
	errs := f.Queue.Send(ctx, msgs)
	if f.after != nil {
		return repeat(f.after, len(msgs))
	}
	return errs
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func newIntake(t *testing.T) *intake {
	t.Helper()
	in := &intake{t: t}
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{"token"}},
		},
		Endpoints: []catalog.Endpoint{{Name: "a"}, {Name: "b"}},
		Subscriptions: []catalog.Subscription{
			{Source: "app", Endpoint: "a", Types: []string{"wanted"}},
			{Source: "app", Endpoint: "b", Types: []string{"wanted"}},
		},
	}, 0); err != nil {
		t.Fatal(err)
	}
	log := deployed(&in.log)
	in.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &in.ingest, Bodies: &memory.Bodies{}, Reporter: log,
	}))
	in.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: &catalogs, Events: &in.ledger, Bodies: &memory.Bodies{},
		Delivery: &in.delivery, Poison: &in.poison, Reporter: log,
		Failures: &memory.Failures{},
	}))
	return in
}

func (in *intake) post(id, eventType string) {
	in.t.Helper()
	_, err := in.receiver.Receive(in.t.Context(), relay.Inbound{
		Source: "app", Method: "POST", Body: []byte("{}"), ReceivedAt: time.Now(),
		Header: relay.Header{
			"authorization": "Bearer token", "webhook-id": id, "webhook-type": eventType,
		},
	})
	if fails := in.ingest.before != nil || in.ingest.after != nil; errors.Is(
		err, relay.ErrUncertain,
	) != fails || errors.Is(err, relay.ErrUnavailable) != fails {
		in.t.Errorf("post %s: %v", id, err)
	}
}

// fanOut delivers all messages of the ingest queue to the fan-out, so many times.
func (in *intake) fanOut(times int) {
	msgs := in.ingest.List()
	for range times {
		in.fanout.Process(in.t.Context(), msgs)
	}
}

// counts returns the sums of the metrics in the log.
func (in *intake) counts() map[string]int {
	in.t.Helper()
	counts := map[string]int{}
	for line := range bytes.Lines(in.log.Bytes()) {
		for name, value := range extract(in.t, line) {
			counts[name[:len(name)-len("["+relayName+"]")]] += int(value)
		}
	}
	return counts
}

// The sum in package metric holds, whatever happens to a message.
func TestWhatIsAcceptedIsAccountedFor(t *testing.T) {
	t.Parallel()
	errDown := errors.New("queue down")
	for name, tt := range map[string]struct {
		happens func(*intake)
		want    map[string]int
	}{
		"each kind": {func(in *intake) {
			in.post("1", "wanted")
			in.post("1", "wanted")
			in.post("2", "unwanted")
			in.fanOut(1)
		}, map[string]int{
			"Accepted": 3, "Routed": 1, "Duplicate": 1, "Unrouted": 1, "Deliveries": 2,
		}},
		"still on its way": {func(in *intake) {
			in.post("1", "wanted")
		}, map[string]int{"Accepted": 1}},
		"handed out twice": {func(in *intake) {
			in.post("1", "wanted")
			in.post("2", "unwanted")
			in.fanOut(2)
		}, map[string]int{"Accepted": 2, "Routed": 1, "Unrouted": 1, "Deliveries": 2}},
		"on record, and sent with the second try": {func(in *intake) {
			in.post("1", "wanted")
			in.delivery.before = errDown
			in.fanOut(1)
			in.delivery.before = nil
			in.fanOut(1)
		}, map[string]int{"Accepted": 1, "Routed": 1, "Deliveries": 2}},
		"the answer is lost, and the partner sends again": {func(in *intake) {
			in.ingest.after = errDown
			in.post("1", "wanted")
			in.ingest.after = nil
			in.post("1", "wanted")
			in.fanOut(1)
		}, map[string]int{
			"Unavailable": 1, "Uncertain": 1, "Accepted": 1, "Routed": 1, "Duplicate": 1,
			"Deliveries": 2,
		}},
		"refused, and the partner sends again": {func(in *intake) {
			in.ingest.before = errDown
			in.post("1", "wanted")
			in.ingest.before = nil
			in.post("1", "wanted")
			in.fanOut(1)
		}, map[string]int{
			"Unavailable": 1, "Uncertain": 1, "Accepted": 1, "Routed": 1, "Deliveries": 2,
		}},
		"unreadable": {func(in *intake) {
			in.post("1", "wanted")
			msgs := in.ingest.List()
			msgs[0].Body = []byte("from a version to come")
			in.fanout.Process(in.t.Context(), msgs)
		}, map[string]int{"Accepted": 1, "Unreadable": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newIntake(t)
			tt.happens(in)
			got := in.counts()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			ended := got["Routed"] + got["Unrouted"] + got["Duplicate"] + got["Unreadable"]
			if atLeast := got["Accepted"] - ended; ended > 0 && (atLeast > 0 ||
				atLeast+got["Uncertain"] < 0) {
				t.Errorf(
					"%d accepted and %d uncertain, but %d ended", got["Accepted"], got["Uncertain"],
					ended,
				)
			}
		})
	}
}
