package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// slowRig returns a rig whose endpoint "e" takes a time for each answer and counts as slow.
func slowRig(
	t *testing.T, takes time.Duration, change func(*catalog.Endpoint),
) (*rig, *postsAtOnce) {
	t.Helper()
	r := newRig(t, []time.Duration{time.Minute}, "e")
	c, revision, err := r.catalog.LoadCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	change(&c.Endpoints[0])
	if err := r.catalog.ReplaceCatalog(t.Context(), c, revision); err != nil {
		t.Fatal(err)
	}
	posts := &postsAtOnce{endpoints: r.poster, takes: takes}
	r.build(func(p ports) ports { p.poster = posts; return p })
	r.slowUntil(t, time.Now().Add(time.Hour))
	return r, posts
}

func (r *rig) slowUntil(t *testing.T, until time.Time) {
	t.Helper()
	_, revision, err := r.states.EndpointState(t.Context(), "e")
	if err == nil {
		err = r.states.SaveEndpointState(
			t.Context(), "e", breaker.State{SlowUntil: until}, revision,
		)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// postsAtOnce counts the POSTs in flight.
type postsAtOnce struct {
	*endpoints
	takes time.Duration
	mu    sync.Mutex
	now   int
	most  int
}

func (p *postsAtOnce) Post(ctx context.Context, post relay.Post) (relay.Reply, error) {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.mu.Unlock()
	time.Sleep(p.takes)
	p.mu.Lock()
	p.now--
	p.mu.Unlock()
	return p.endpoints.Post(ctx, post)
}

func asItIs(*catalog.Endpoint) {}

// TestTheSlowLaneKeepsADeliverysPlace sends first attempts and retries through the slow queue.
func TestTheSlowLaneKeepsADeliverysPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, posts := slowRig(t, 5*time.Second, asItIs)
		r.poster.failTimes("e", 1)
		event := r.mustPost("1", "push", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		if posts.most != 0 || r.slow.Len() != 1 || r.delivery.Len() != 0 {
			t.Fatalf("%d POSTs, %d messages in the slow lane", posts.most, r.slow.Len())
		}
		r.pump()
		d := r.deliveryOf(event, "e")
		if d.Status != relay.Delivered || d.Attempts != 2 ||
			d.History[0].Outcome != relay.FailedAnswer {
			t.Errorf("ended as %+v", d)
		}
		for attempt, n := range r.poster.attempts() {
			if n != 1 {
				t.Errorf("%d POSTs of %s", n, attempt)
			}
		}
	})
}

// TestRateLimitsHoldInTheSlowLane: ten deliveries keep their reservations on their way through the
// slow queue.
func TestRateLimitsHoldInTheSlowLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowRig(t, 0, func(e *catalog.Endpoint) { e.RateLimit = 1 })
		for i := range 10 {
			r.mustPost(fmt.Sprint(i), "push", "{}")
		}
		began := time.Now()
		r.pump()
		if took := time.Since(began); took < 8*time.Second || took > 30*time.Second {
			t.Errorf("ten deliveries at one a second took %v", took)
		}
		if n := len(r.poster.attempts()); n != 10 {
			t.Errorf("%d attempts", n)
		}
	})
}

// TestACopyInTheSlowLaneIsNotDeliveredTwice loses the queue's answer after it accepted the message.
// So the message is received again and sent on a second time, while the attempt of the first copy
// is in flight.
func TestACopyInTheSlowLaneIsNotDeliveredTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowRig(t, catalog.MaxEndpointTimeout, func(e *catalog.Endpoint) {
			e.Timeout = catalog.MaxEndpointTimeout
		})
		r.delivery.Visibility, r.slow.Visibility = time.Second, visibilityFactor*deliverTimeout
		lost := &answersLost{to: &r.slow}
		build := func(slow relay.Queue) {
			r.build(func(p ports) ports {
				p.slow, p.poster = slow,
					&postsAtOnce{endpoints: r.poster, takes: catalog.MaxEndpointTimeout}
				return p
			})
		}
		build(lost)
		r.mustPost("1", "push", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		if lost.sent != 1 || r.delivery.Len() != 1 {
			t.Fatalf("%d sent, %d left", lost.sent, r.delivery.Len())
		}
		build(&r.slow)
		first := r.deliverer
		var working sync.WaitGroup
		working.Go(func() { r.consume(&r.slow, nil, first.Process) })
		build(&r.slow) // another instance
		time.Sleep(2 * time.Second)
		r.pump()
		working.Wait()
		r.pump()
		for attempt, n := range r.poster.attempts() {
			if n != 1 {
				t.Errorf("%d POSTs of %s", n, attempt)
			}
		}
	})
}

// answersLost accepts messages and returns an error.
type answersLost struct {
	to   relay.Queue
	sent int
}

func (q *answersLost) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	errs := q.to.Send(ctx, msgs)
	for i := range errs {
		q.sent++
		errs[i] = errInjected
	}
	return errs
}

// TestHeldDeliveriesAreNotSentOn: a delivery that may not be attempted now stays in its queue.
func TestHeldDeliveriesAreNotSentOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowRig(t, 0, asItIs)
		now := time.Now()
		state := breaker.State{SlowUntil: now.Add(time.Hour), PausedUntil: now.Add(time.Minute)}
		if err := r.states.SaveEndpointState(t.Context(), "e", state, 1); err != nil {
			t.Fatal(err)
		}
		r.mustPost("1", "push", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		if r.slow.Len() != 0 || r.retry.Len() != 1 {
			t.Errorf("%d messages in the slow lane, %d held", r.slow.Len(), r.retry.Len())
		}
	})
}

// TestASlowOrderedEndpointHasFewAttemptsAtOnce: its messages cannot leave their queue, whose
// invocations other endpoints need.
func TestASlowOrderedEndpointHasFewAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, posts := slowRig(t, 5*time.Second, func(e *catalog.Endpoint) {
			e.Order = catalog.Order{On: true, Key: "data.k"}
		})
		const webhooks = 40
		for i := range webhooks {
			r.mustPost(fmt.Sprint(i), "push", fmt.Sprintf(`{"data":{"k":"%d"}}`, i))
		}
		for range webhooks {
			r.consume(&r.inLine.ingest, nil, r.fanout.Process)
		}
		var working sync.WaitGroup
		for range webhooks {
			working.Go(func() { r.consume(&r.inLine.delivery, nil, r.deliverer.Process) })
		}
		working.Wait()
		if posts.most != 10 {
			t.Errorf("%d attempts at once, want 10", posts.most)
		}
		r.pump()
		if n := len(r.poster.attempts()); n != webhooks || r.slow.Len() != 0 {
			t.Errorf("%d of %d delivered", n, webhooks)
		}
	})
}
