package relay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
)

// begun returns a rig with a delivery to "a" whose first attempt failed, and the message that made
// the attempt. From then on "a" answers 200.
func begun(t *testing.T, schedule ...time.Duration) (*rig, relay.Message) {
	t.Helper()
	r := newRig(t, schedule, "a")
	r.poster.failTimes("a", 1)
	r.mustPost("1", "", "{}")
	r.consume(&r.ingest, nil, r.fanout.Process)
	msgs, _ := r.delivery.Receive(t.Context(), 1)
	if a := r.deliverer.Process(t.Context(), msgs)[0]; a.Retry {
		t.Fatal(a)
	}
	_ = r.delivery.Ack(t.Context(), msgs[0])
	return r, msgs[0]
}

// again passes a message to the deliverer once more, in another instance.
func (r *rig) again(m relay.Message) {
	r.t.Helper()
	m.Receives++
	r.build(func(p ports) ports { return p })
	if a := r.deliverer.Process(r.t.Context(), []relay.Message{m})[0]; a.Retry {
		r.t.Error(a)
	}
}

// TestNextMessageAndItsCopyComeApart: a function died after it had sent the next attempt's message
// and before its own was acknowledged. Its own message is received again and sends a copy of the
// next one. The copy must not be in flight together with the first, since both would make the
// attempt.
func TestNextMessageAndItsCopyComeApart(t *testing.T) {
	t.Parallel()
	// when the next attempt is due
	for name, tt := range map[string]struct{ wait, before time.Duration }{
		"soon after":                 {10 * time.Minute, 9 * time.Minute},
		"at the moment":              {10 * time.Minute, 0},
		"and has come":               {10 * time.Minute, -30 * time.Second},
		"late, by the scheduler":     {2 * time.Hour, time.Hour},
		"soon, by the scheduler":     {2 * time.Hour, 10 * time.Minute},
		"very soon by the scheduler": {2 * time.Hour, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, m := begun(t, tt.wait)
				time.Sleep(
					time.Until(
						r.deliveryOf(strings.Fields(deliveryOf(m))[0], "a").NextAt,
					) - tt.before,
				)
				r.again(m)
				if n := r.retry.Len(); tt.before > relay.MaxDelay && n != 1 {
					t.Errorf("the scheduler sends %d", n)
				}
				due, _ := r.retry.Due()
				time.Sleep(time.Until(due))
				first, _ := r.retry.Receive(t.Context(), 10)
				time.Sleep(catalog.MaxEndpointTimeout)
				copies, _ := r.retry.Receive(t.Context(), 10)
				if len(first) != 1 || len(copies) > 0 && copies[0].ID != first[0].ID {
					t.Fatalf(
						"%d messages at the same time, and %d while they may be in flight",
						len(first), len(copies),
					)
				}
				r.pump()
				if n := len(r.poster.posts); n != 2 {
					t.Errorf("%d POSTs", n)
				}
			})
		})
	}
}

// TestMessageOfAnEarlierAttemptSendsNoOther: however late the next attempt is, the first attempt's
// message does not send it, because it does not know the place in the schedule.
func TestMessageOfAnEarlierAttemptSendsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, m := begun(t, time.Second, time.Minute)
		r.poster.failTimes("a", 1)
		time.Sleep(2 * time.Second)
		r.consume(&r.retry, nil, r.deliverer.Process)
		lose(&r.retry)
		time.Sleep(time.Hour)
		m.ID, m.Resent = "redriven", true
		if r.again(m); r.retry.Len() != 0 {
			t.Errorf("it sent %d", r.retry.Len())
		}
	})
}

// statesFunc is a function that reads the states of endpoints.
type statesFunc struct {
	gate.EndpointStates
	read func(ctx context.Context, endpoint string) (breaker.State, int64, error)
}

func (f statesFunc) TroubledEndpoints(context.Context) ([]string, error) {
	return []string{"a"}, nil
}

func (f statesFunc) EndpointState(
	ctx context.Context, endpoint string,
) (breaker.State, int64, error) {
	return f.read(ctx, endpoint)
}

// TestWhoComesSecondFinishes: SQS hands out a message twice at the same time. One instance records
// the attempt and dies. The other finds that record when it is about to write, and does what is
// left to do.
func TestWhoComesSecondFinishes(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(p ports, first func()) ports{
		"after its own attempt": func(p ports, first func()) ports {
			answers := p.poster
			p.poster = posterFunc(func(ctx context.Context, post relay.Post) (relay.Reply, error) {
				first()
				return answers.Post(ctx, post)
			})
			return p
		},
		"being held": func(p ports, first func()) ports {
			p.states = statesFunc{p.states, func(
				context.Context, string,
			) (breaker.State, int64, error) {
				first()
				return breaker.State{PausedUntil: time.Now().Add(time.Minute)}, 1, nil
			}}
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Minute}, "a")
				r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					return relay.Reply{StatusCode: 503}, nil
				}
				r.mustPost("1", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				msgs, _ := r.delivery.Receive(t.Context(), 1)
				r.build(func(p ports) ports { p.retry = brokenQueue{}; return p })
				dying := r.deliverer
				r.build(func(p ports) ports {
					return meanwhile(p, func() { dying.Process(t.Context(), msgs) })
				})
				if a := r.deliverer.Process(t.Context(), msgs)[0]; a.Retry || r.retry.Len() != 1 {
					t.Errorf("%d messages for the next attempt, %v", r.retry.Len(), a)
				}
			})
		})
	}
}

// deafScheduler does what it is asked, and its answer is lost.
type deafScheduler struct{ relay.Scheduler }

func (s deafScheduler) Schedule(
	ctx context.Context, name string, at time.Time, m relay.Outgoing,
) error {
	return errors.Join(errInjected, s.Scheduler.Schedule(ctx, name, at, m))
}

func TestWaitThatTheSchedulerCarriesTooComesAfterIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{2 * time.Hour}, "a")
		r.build(func(p ports) ports { p.scheduler = deafScheduler{p.scheduler}; return p })
		r.poster.failTimes("a", 1)
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		due := r.deliveryOf(event, "a").NextAt
		for time.Now().Before(due.Add(-time.Second)) {
			time.Sleep(time.Second)
			r.consume(&r.retry, nil, r.deliverer.Process) // hops
		}
		// The scheduler may be a minute late, and then the attempt takes its longest time.
		time.Sleep(time.Until(due) + time.Minute + catalog.MaxEndpointTimeout)
		if msgs, _ := r.retry.Receive(t.Context(), 10); len(msgs) != 1 {
			t.Errorf("%d messages at the same time", len(msgs))
		}
	})
}

// namedOnce is a scheduler that never forgets a name.
type namedOnce struct {
	relay.Scheduler
	known map[string]bool
}

func (s namedOnce) Schedule(
	ctx context.Context, name string, at time.Time, m relay.Outgoing,
) error {
	if s.known[name] {
		return nil
	}
	s.known[name] = true
	return s.Scheduler.Schedule(ctx, name, at, m)
}

// TestDeliveryIsHeldTimeAndAgain: each hold is a wait of its own, although all are for the same
// attempt.
func TestDeliveryIsHeldTimeAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		began := time.Now()
		known := map[string]bool{}
		r.build(func(p ports) ports {
			p.scheduler = namedOnce{p.scheduler, known}
			p.states = statesFunc{p.states, func(
				context.Context, string,
			) (breaker.State, int64, error) {
				if time.Since(began) > 3*time.Hour {
					return breaker.State{}, 0, nil
				}
				return breaker.State{PausedUntil: time.Now().Add(time.Hour)}, 1, nil
			}}
			return p
		})
		event := r.mustPost("1", "", "{}")
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || len(known) < 2 {
			t.Errorf("%s, by %d schedules", d.Status, len(known))
		}
	})
}

// TestHopKeepsItsMark: a first attempt whose hold is recorded reads the record before it is made,
// whether the scheduler or hops bring it.
func TestHopKeepsItsMark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		paused := func(p ports) ports {
			p.states = statesFunc{p.states, func(
				context.Context, string,
			) (breaker.State, int64, error) {
				return breaker.State{PausedUntil: time.Now().Add(time.Hour)}, 1, nil
			}}
			return p
		}
		r.build(func(p ports) ports { p.scheduler = brokenScheduler{}; return paused(p) })
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		time.Sleep(relay.MaxDelay)
		r.build(paused)
		r.consume(&r.retry, nil, r.deliverer.Process)
		if msgs := r.retry.List(); len(msgs) != 1 || !msgs[0].Resent {
			t.Errorf("by the scheduler: %d, marked %t", len(msgs), len(msgs) == 1 && msgs[0].Resent)
		}
	})
}
