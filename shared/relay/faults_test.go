package relay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
)

// fault strikes the k-th call to any port, in one of several ways.
type fault struct {
	mu   sync.Mutex
	k, n int
	mode mode
	dead bool // the process is gone until the rig starts another
}

type mode string

const (
	none       mode = "no fault"
	before     mode = "fails before it takes effect"
	after      mode = "takes effect, the answer is lost"
	killBefore mode = "process killed before"
	killAfter  mode = "process killed after"
)

var errKilled = errors.New("killed")

// strike makes a call, unless it is the one.
func (f *fault) strike(call func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errKilled
	}
	f.n++
	if f.n != f.k {
		return call()
	}
	if f.mode == after || f.mode == killAfter {
		_ = call()
	}
	f.dead = f.mode == killBefore || f.mode == killAfter
	return errInjected
}

func (f *fault) wrap(p ports) ports {
	return ports{
		faultySources{f, p.sources}, faultySubscriptions{f, p.subs}, faultyEndpoints{f, p.endpoints}, faultyEvents{f, p.events},
		faultyDeliveries{f, p.deliveries}, faultyBodies{f, p.bodies}, faultyPoster{f, p.poster}, faultyScheduler{f, p.scheduler},
		faultyQueue{f, p.ingest}, faultyQueue{f, p.delivery}, faultyQueue{f, p.retry}, faultyQueue{f, p.dead},
		faultyQueue{f, p.ingestDL}, faultyQueue{f, p.poison},
	}
}

// TestFaultAtEveryCall runs a small script of webhooks once for each call to a port and each way in which that call can go wrong, and checks
// after every run that the promises held.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 10} {
		calls := runScript(t, batch, &fault{mode: none})
		if calls < 30 {
			t.Fatalf("the script makes only %d calls", calls)
		}
		for _, m := range []mode{before, after, killBefore, killAfter} {
			t.Run(fmt.Sprintf("batches of %d, %s", batch, m), func(t *testing.T) {
				t.Parallel()
				for k := 1; k <= calls; k++ {
					runScript(t, batch, &fault{k: k, mode: m})
					if t.Failed() {
						t.Fatalf("at call %d of %d", k, calls)
					}
				}
			})
		}
	}
}

// runScript sends a few webhooks through a relay that f strikes, lets all queues run empty, and checks the promises. It returns the number
// of calls that were made to ports.
func runScript(t *testing.T, batch int, f *fault) int {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second, time.Second, time.Hour}, "good", "flaky", "bad")
		r.poster.answers["bad"] = func(relay.Post) (relay.Reply, error) { return relay.Reply{StatusCode: 500}, nil }
		tries := map[string]int{}
		r.poster.answers["flaky"] = func(p relay.Post) (relay.Reply, error) {
			if tries[p.Header["webhook-id"]]++; tries[p.Header["webhook-id"]] < 3 {
				return relay.Reply{StatusCode: 503}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		r.build(f.wrap)
		accepted := map[string]bool{}
		large := strings.Repeat("x", relay.DefaultInlineBodyBytes+1)
		for _, w := range [][2]string{{"1", "{}"}, {"2", large}, {"1", "{}"}} { // the provider sends the first one once more
			for range 5 { // until it gets a 2xx
				event, err := r.post(w[0], "t", w[1])
				r.revive(f)
				if err == nil {
					accepted[event] = true
					break
				}
			}
		}
		r.pumpThrough(f, batch)
		r.checkPromises(t, f, accepted)
	})
	return f.n
}

// revive starts new function instances in the place of those that were killed.
func (r *rig) revive(f *fault) bool {
	if !f.dead {
		return false
	}
	f.dead = false
	r.build(f.wrap)
	return true
}

// pumpThrough is pump for a relay that f strikes: an invocation that is killed acknowledges nothing.
func (r *rig) pumpThrough(f *fault, batch int) {
	r.t.Helper()
	ctx := context.Background()
	for range 1000 {
		for range 1000 {
			busy := false
			for _, c := range []struct {
				from interface {
					Receive(context.Context, int) ([]relay.Message, error)
					Ack(context.Context, relay.Message) error
				}
				process func(context.Context, []relay.Message) []error
			}{{&r.ingest, r.fanout.Process}, {&r.delivery, r.deliverer.Process}, {&r.retry, r.deliverer.Process}} {
				msgs, _ := c.from.Receive(ctx, batch)
				if len(msgs) == 0 {
					continue
				}
				busy = true
				errs := c.process(ctx, msgs)
				if r.revive(f) {
					break // the stages in the loop are gone
				}
				for i, err := range errs {
					if err == nil {
						_ = c.from.Ack(ctx, msgs[i])
					}
				}
			}
			if !busy {
				break
			}
		}
		if r.ingest.Len()+r.delivery.Len()+r.retry.Len() == 0 {
			return
		}
		time.Sleep(30 * time.Second)
	}
	r.t.Errorf("the queues never ran empty: %d, %d, %d", r.ingest.Len(), r.delivery.Len(), r.retry.Len())
}

// checkPromises holds the end of a run against the promises of the package.
func (r *rig) checkPromises(t *testing.T, f *fault, accepted map[string]bool) {
	t.Helper()
	if len(accepted) != 2 {
		t.Errorf("%d webhooks were accepted", len(accepted))
	}
	dead := 0
	for event := range accepted {
		_, deliveries, err := r.ledger.Event(t.Context(), event)
		if err != nil || len(deliveries) != 3 {
			t.Errorf("event %s: %d deliveries, %v", event, len(deliveries), err)
		}
		for _, d := range deliveries {
			want := relay.Delivered
			if d.Endpoint == "bad" {
				want = relay.Dead
				dead++
			}
			if d.Status != want {
				t.Errorf("delivery of %s to %s is %s after %d attempts", d.EventID, d.Endpoint, d.Status, d.Attempts)
			}
		}
	}
	listed, _, _ := r.ledger.OpenDeliveries(t.Context(), "bad", relay.Dead, "")
	if len(listed) != dead || r.dead.Len() < dead {
		t.Errorf("%d dead, %d listed, %d in the dead queue", dead, len(listed), r.dead.Len())
	}
	if n := r.ingestDL.Len() + r.poison.Len(); n != 0 {
		t.Errorf("%d messages were put aside", n)
	}
	if results := r.reports.results(); results[relay.Unrouted] != 0 || results[relay.Poisoned] != 0 {
		t.Errorf("routed: %v", results)
	}
	for attempt, n := range r.poster.attempts() {
		if n > 1 && f.mode != killBefore && f.mode != killAfter {
			t.Errorf("attempt %s was POSTed %d times, and nobody was killed", attempt, n)
		}
		if n > 2 {
			t.Errorf("attempt %s was POSTed %d times", attempt, n)
		}
	}
}

// The ports, each with a fault before it.

type faultyQueue struct {
	f *fault
	relay.Queue
}

func (q faultyQueue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	var errs []error
	err := q.f.strike(func() error { errs = q.Queue.Send(ctx, msgs); return nil })
	if err != nil {
		errs = make([]error, len(msgs))
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

type faultySources struct {
	f *fault
	relay.Sources
}

func (s faultySources) Source(ctx context.Context, name string) (out relay.Source, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Sources.Source(ctx, name); return err })
	return out, err
}

type faultySubscriptions struct {
	f     *fault
	inner relay.Subscriptions
}

func (s faultySubscriptions) Subscriptions(ctx context.Context, source string) (out []relay.Subscription, err error) {
	err = s.f.strike(func() (err error) { out, err = s.inner.Subscriptions(ctx, source); return err })
	return out, err
}

type faultyEndpoints struct {
	f *fault
	relay.Endpoints
}

func (s faultyEndpoints) Endpoint(ctx context.Context, name string) (out relay.Endpoint, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Endpoints.Endpoint(ctx, name); return err })
	return out, err
}

type faultyEvents struct {
	f *fault
	relay.Events
}

func (s faultyEvents) RecordEvent(ctx context.Context, r relay.EventRecord) (out *relay.EventRecord, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Events.RecordEvent(ctx, r); return err })
	return out, err
}

type faultyDeliveries struct {
	f *fault
	relay.Deliveries
}

func (s faultyDeliveries) Delivery(ctx context.Context, event, endpoint string) (out relay.Delivery, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Deliveries.Delivery(ctx, event, endpoint); return err })
	return out, err
}

func (s faultyDeliveries) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	return s.f.strike(func() error { return s.Deliveries.SaveDelivery(ctx, d, prior) })
}

type faultyBodies struct {
	f *fault
	relay.Bodies
}

func (s faultyBodies) Put(ctx context.Context, key string, body []byte) error {
	return s.f.strike(func() error { return s.Bodies.Put(ctx, key, body) })
}

func (s faultyBodies) Get(ctx context.Context, key string) (out []byte, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Bodies.Get(ctx, key); return err })
	return out, err
}

type faultyScheduler struct {
	f *fault
	relay.Scheduler
}

func (s faultyScheduler) Schedule(ctx context.Context, name string, at time.Time, m relay.Outgoing) error {
	return s.f.strike(func() error { return s.Scheduler.Schedule(ctx, name, at, m) })
}

type faultyPoster struct {
	f *fault
	relay.Poster
}

// Post turns a fault into a broken connection, which is how a POST fails; the killed process gets no answer at all.
func (s faultyPoster) Post(ctx context.Context, p relay.Post) (out relay.Reply, err error) {
	err = s.f.strike(func() (err error) { out, err = s.Poster.Post(ctx, p); return err })
	if errors.Is(err, errInjected) {
		err = &relay.PostError{Outcome: relay.Broken, Err: err}
	}
	return out, err
}

// Ports that are down for good.

type brokenQueue struct{}

func (brokenQueue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	errs := make([]error, len(msgs))
	for i := range errs {
		errs[i] = errInjected
	}
	return errs
}

type brokenBodies struct{}

func (brokenBodies) Put(context.Context, string, []byte) error   { return errInjected }
func (brokenBodies) Get(context.Context, string) ([]byte, error) { return nil, errInjected }

type brokenSources struct{}

func (brokenSources) Source(context.Context, string) (relay.Source, error) {
	return relay.Source{}, errInjected
}

type brokenEndpoints struct{}

func (brokenEndpoints) Endpoint(context.Context, string) (relay.Endpoint, error) {
	return relay.Endpoint{}, errInjected
}

type brokenScheduler struct{}

func (brokenScheduler) Schedule(context.Context, string, time.Time, relay.Outgoing) error {
	return errInjected
}

type panicking struct{}

func (panicking) Post(context.Context, relay.Post) (relay.Reply, error) { panic("a bug") }

type cancelled struct{}

func (cancelled) Post(context.Context, relay.Post) (relay.Reply, error) {
	return relay.Reply{}, context.Canceled
}
