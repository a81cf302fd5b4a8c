package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/memory"
	"webhook-relay/shared/relay"
)

func (r *rig) sweeper(retry relay.Queue) *relay.Sweeper {
	cfg := r.sweeperConfig()
	cfg.Retry = retry
	return relay.NewSweeper(cfg)
}

func (r *rig) sweeperConfig() relay.SweeperConfig {
	return relay.SweeperConfig{
		Names: &r.catalog, Subscriptions: &r.catalog, Ledger: &r.ledger, Delivery: &r.delivery, Retry: &r.retry,
		OverdueMayLieIn: []relay.Backlog{&r.retry, &r.inLine.delivery, &r.poison},
		UnstartedMayLieIn: []relay.Backlog{
			&r.ingest, &r.inLine.ingest, &r.delivery, &r.inLine.delivery, &r.retry, &r.ingestDL, &r.poison,
		},
	}
}

func (r *rig) sweep() relay.SweepReport {
	r.t.Helper()
	report, err := r.sweeper(&r.retry).Run(r.t.Context())
	if err != nil {
		r.t.Error(err)
	}
	return report
}

func (r *rig) expect(want relay.SweepReport) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.sweep(), cmpopts.IgnoreFields(relay.SweepReport{}, "Duration")); diff != "" {
		r.t.Errorf("sweep (-want +got):\n%s", diff)
	}
}

// lose takes everything out of a queue.
func lose(q *memory.Queue) { q.Move(&memory.Queue{}) }

func TestSweeperSendsAnOverdueDeliveryOnWhereItStood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second, 3 * time.Hour, time.Hour}, "a")
		r.poster.failTimes("a", 4)
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		time.Sleep(2 * time.Second)
		r.consume(&r.retry, nil, r.deliverer.Process)
		lose(&r.retry)
		time.Sleep(time.Until(r.deliveryOf(event, "a").NextAt) + 119*time.Minute)
		if report := r.sweep(); report.Overdue != 0 {
			t.Errorf("not late enough, and yet %+v", report)
		}
		time.Sleep(2 * time.Minute)
		if report := r.sweep(); report.Overdue != 1 || report.PutBack != 1 {
			t.Errorf("two hours late: %+v", report)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Dead || d.Attempts != 4 {
			t.Errorf("%s after %d attempts, want dead at the end of its cycle of 4", d.Status, d.Attempts)
		}
	})
}

func TestSweeperSendsFirstAttemptsThatAreMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // at midnight
		r := newRig(t, nil, "a", "b")
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		lost, _ := r.delivery.Receive(t.Context(), 1)
		_ = r.delivery.Ack(t.Context(), lost[0])
		r.pump()
		time.Sleep(3*time.Hour - time.Minute)
		r.expect(relay.SweepReport{})
		time.Sleep(2 * time.Minute)
		r.expect(relay.SweepReport{Events: 1, Deliveries: 2, Delivered: 1, Missing: 1, PutBack: 1})
		r.pump()
		for _, name := range []string{"a", "b"} {
			if d := r.deliveryOf(event, name); d.Status != relay.Delivered || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		r.expect(relay.SweepReport{Events: 1, Deliveries: 2, Delivered: 2})
		time.Sleep(3 * time.Hour)
		r.expect(relay.SweepReport{})
	})
}

func TestSweeperWithholdsWhatMayLieInAQueue(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(*rig) *memory.Queue{
		"a backlog":               func(r *rig) *memory.Queue { return &r.delivery },
		"the fan-out's put aside": func(r *rig) *memory.Queue { return &r.ingestDL },
		"deliveries put aside":    func(r *rig) *memory.Queue { return &r.poison },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a")
				r.mustPost("1", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				r.delivery.Move(&r.dead) // which is none of those that are counted
				r.dead.Move(where(r))
				time.Sleep(3 * time.Hour)
				r.expect(relay.SweepReport{Events: 1, Deliveries: 1, Missing: 1, Withheld: 1})
				lose(where(r))
				r.expect(relay.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
			})
		})
	}
}

// On a busy relay a message is visible in a queue whenever the sweeper looks, and any might be the one it misses.
func TestWhatIsLostOnABusyRelayIsPutBackInTheEnd(t *testing.T) {
	t.Parallel()
	for name, losing := range map[string]func(*rig){
		"a first attempt": func(r *rig) { lose(&r.delivery) },
		"a retry": func(r *rig) {
			r.poster.failTimes("a", 1)
			r.consume(&r.delivery, nil, r.deliverer.Process)
			lose(&r.retry)
		},
		"a retry, while no sweeper ran": func(r *rig) {
			r.poster.failTimes("a", 1)
			r.consume(&r.delivery, nil, r.deliverer.Process)
			lose(&r.retry)
			time.Sleep(8 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Second}, "a")
				event := r.mustPost("lost", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				losing(r)
				time.Sleep(30 * time.Minute)
				for i := range 24 {
					r.retry.Send(t.Context(), []relay.Outgoing{{Body: readable(t)}})
					r.mustPost(fmt.Sprint("other", i), "", "{}")
					r.sweep()
					r.pump()
					time.Sleep(time.Hour)
				}
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered {
					t.Errorf("%s after %d attempts", d.Status, d.Attempts)
				}
			})
		})
	}
}

// What stands in line behind a delivery that fails has no record, for as long as that takes.
func TestSweeperLeavesALineAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{8 * time.Hour}, "a")
		r.edit(func(c *relay.Catalog) { c.Endpoints[0].Order.On = true; c.SetOrder() })
		r.poster.failTimes("a", 1)
		r.mustPost("1", "", "{}")
		r.mustPost("2", "", "{}")
		for range 2 {
			r.consume(&r.inLine.ingest, nil, r.fanout.Process)
			r.consume(&r.inLine.delivery, nil, r.deliverer.Process)
		}
		for range 7 {
			time.Sleep(time.Hour)
			if report := r.sweep(); report.PutBack > 0 {
				t.Errorf("%+v", report)
			}
		}
	})
}

// A copy that the sweeper has put back may overtake the message that it found missing, which was never handed out before and is no copy itself.
func TestWhatTheSweeperPutsBackIsPOSTedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		time.Sleep(4*time.Hour + time.Minute)
		r.expect(relay.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
		msgs, _ := r.delivery.Receive(t.Context(), 2)
		for _, m := range slices.Backward(msgs) {
			if err := r.deliverer.Process(t.Context(), []relay.Message{m})[0]; err != nil {
				t.Error(err)
			}
		}
		if n := len(r.poster.posts); len(msgs) != 2 || n != 1 {
			t.Errorf("%d messages, %d POSTs", len(msgs), n)
		}
	})
}

// The relay's own events have a source that no catalog has.
func TestSweeperLooksAtTheRelaysOwnEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		own := relay.Event{ID: relay.EventID(relay.OperatorSource, "1"), Source: relay.OperatorSource, ReceivedAt: time.Now()}
		if _, err := r.ledger.RecordEvent(t.Context(), relay.EventRecord{
			Event: own, Endpoints: []string{"a"}, ExpiresAt: time.Now().Add(relay.DefaultRetention),
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Hour)
		r.expect(relay.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
	})
}

// What a run finds of an event is delivered, dead, or waiting for an attempt that comes or that it puts back itself; and what it does not find it sends,
// or takes to lie in a queue. Anything else is counted.
func TestSweeperTellsWhenTheSumIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		becomes func(*rig, string) // of the first attempt, which fails
		broken  func(*relay.SweeperConfig)
		want    int
	}{
		"waiting, and put back": {want: 0, becomes: func(r *rig, _ string) {
			r.pumpFirst()
			lose(&r.retry)
		}},
		"missing, and put back": {want: 0, becomes: func(r *rig, _ string) { lose(&r.delivery) }},
		"missing, and in a queue, as far as can be told": {want: 0, becomes: func(r *rig, _ string) {
			lose(&r.delivery)
			r.poison.Send(r.t.Context(), []relay.Outgoing{{Body: []byte("{}")}})
		}},
		"missing, and not put back": {want: 1, becomes: func(r *rig, _ string) { lose(&r.delivery) },
			broken: func(c *relay.SweeperConfig) { c.Delivery = brokenQueue{} }},
		"waiting, late, and not listed": {want: 1, becomes: func(r *rig, _ string) {
			r.pumpFirst()
			lose(&r.retry)
		}, broken: func(c *relay.SweeperConfig) { c.Ledger = noneOverdue{c.Ledger} }},
		"in a state of another version": {want: 1, becomes: func(r *rig, event string) {
			r.pumpFirst()
			d := r.deliveryOf(event, "a")
			d.Status = "parked"
			if err := r.ledger.SaveDelivery(r.t.Context(), d, 1); err != nil {
				r.t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Minute}, "a")
				r.poster.failTimes("a", 1)
				event := r.mustPost("1", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				tt.becomes(r, event)
				time.Sleep(3*time.Hour + time.Minute)
				cfg := r.sweeperConfig()
				if tt.broken != nil {
					tt.broken(&cfg)
				}
				report, _ := relay.NewSweeper(cfg).Run(t.Context()) // what fails is counted
				if got := report.Unaccounted(); got != tt.want || report.Events != 1 {
					t.Errorf("%d deliveries unaccounted for, want %d: %+v", got, tt.want, report)
				}
			})
		})
	}
}

// pumpFirst makes the first attempts.
func (r *rig) pumpFirst() {
	r.t.Helper()
	r.consume(&r.delivery, nil, r.deliverer.Process)
}

// noneOverdue is a ledger whose index has lost what is overdue.
type noneOverdue struct{ relay.Ledger }

func (noneOverdue) Overdue(context.Context, string, time.Time, relay.Page) ([]relay.Delivery, relay.Page, error) {
	return nil, "", nil
}

func TestSweeperTellsWhatItCouldNotDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Hour}, "a")
		r.poster.failTimes("a", 1)
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		lose(&r.retry)
		time.Sleep(4 * time.Hour)
		report, err := r.sweeper(brokenQueue{}).Run(t.Context())
		if !errors.Is(err, errInjected) || report.Overdue != 1 || report.PutBack != 0 {
			t.Errorf("the queue is down: %+v, %v", report, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		report, err = relay.NewSweeper(relay.SweeperConfig{
			Names: &r.catalog, Subscriptions: &r.catalog, Ledger: slowLedger{&r.ledger}, Delivery: &r.delivery, Retry: &r.retry,
		}).Run(ctx)
		if err != nil || !report.Partial {
			t.Errorf("no time: %+v, %v", report, err)
		}
	})
}

// slowLedger answers when ctx ends, with its error.
type slowLedger struct{ relay.Ledger }

func (slowLedger) Overdue(ctx context.Context, _ string, _ time.Time, _ relay.Page) ([]relay.Delivery, relay.Page, error) {
	<-ctx.Done()
	return nil, "", ctx.Err()
}

func (slowLedger) EventsBySource(ctx context.Context, _ string, _ time.Time, _ relay.Page) ([]relay.EventRecord, relay.Page, error) {
	<-ctx.Done()
	return nil, "", ctx.Err()
}
