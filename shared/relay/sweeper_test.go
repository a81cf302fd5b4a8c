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

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

func (r *rig) sweeper(retry relay.Queue) *operate.Sweeper {
	cfg := r.sweeperConfig()
	cfg.Retry = retry
	return lab.Must(operate.NewSweeper(cfg))
}

func (r *rig) sweeperConfig() operate.SweeperConfig {
	return operate.SweeperConfig{
		Names: &r.catalog, Subscriptions: &r.catalog, Ledger: &r.ledger, Deliveries: &r.ledger,
		Cursors:  &r.ledger,
		Delivery: &r.delivery, Retry: &r.retry,
	}
}

func (r *rig) sweep() operate.SweepReport {
	r.t.Helper()
	report, err := r.sweeper(&r.retry).Run(r.t.Context())
	if err != nil {
		r.t.Error(err)
	}
	return report
}

func (r *rig) expect(want operate.SweepReport) {
	r.t.Helper()
	if diff := cmp.Diff(
		want, r.sweep(), cmpopts.IgnoreFields(operate.SweepReport{}, "Duration"),
	); diff != "" {
		r.t.Errorf("sweep (-want +got):\n%s", diff)
	}
}

// lose deletes everything in a queue.
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
			t.Errorf(
				"%s after %d attempts, want dead at the end of its cycle of 4", d.Status,
				d.Attempts,
			)
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
		r.expect(operate.SweepReport{})
		time.Sleep(2 * time.Minute)
		r.expect(operate.SweepReport{
			Events: 1, Deliveries: 2, Delivered: 1, Missing: 1, PutBack: 1,
		})
		r.pump()
		for _, name := range []string{"a", "b"} {
			if d := r.deliveryOf(event, name); d.Status != relay.Delivered || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		r.expect(operate.SweepReport{}) // an event is looked at once
	})
}

// A message in a backlog or a dead-letter queue is not lost, but the sweeper cannot know. The
// delivery gets one copy, which is dropped.
func TestACopyOfWhatLiesInAQueueIsDropped(t *testing.T) {
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
				event := r.mustPost("1", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				r.delivery.Move(where(r))
				time.Sleep(3 * time.Hour)
				r.expect(operate.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
				time.Sleep(time.Hour)
				r.expect(operate.SweepReport{})
				where(r).Move(&r.delivery)
				r.pump()
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered ||
					len(r.poster.posts) != 1 {
					t.Errorf("%d POSTs, record %+v", len(r.poster.posts), d)
				}
			})
		})
	}
}

// On a busy relay a message is visible in a queue whenever the sweeper looks. Any of them might be
// the one that it misses.
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

// A delivery in a message group behind one that fails has no record as long as that takes. It gets
// one copy, at the end of the group.
func TestSweeperKeepsALineInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{8 * time.Hour}, "a")
		r.edit(func(c *catalog.Catalog) { c.Endpoints[0].Order.On = true })
		r.poster.failTimes("a", 1)
		var want []string
		for i := range 4 {
			want = append(want, r.mustPost(fmt.Sprint(i), "", "{}"))
		}
		for range want {
			r.consume(&r.ordered.ingest, nil, r.fanout.Process)
			r.consume(&r.ordered.delivery, nil, r.deliverer.Process)
		}
		putBack := 0
		for range 7 {
			time.Sleep(time.Hour)
			putBack += r.sweep().PutBack
			r.consume(&r.delivery, nil, r.deliverer.Process)
		}
		r.pump()
		var got []string
		for _, p := range r.poster.posts[1:] { // the first failed
			got = append(got, p.Header["webhook-id"])
		}
		if diff := cmp.Diff(want, got); diff != "" || putBack != 3 {
			t.Errorf("%d copies were sent; POSTs (-want +got):\n%s", putBack, diff)
		}
	})
}

// Deliveries to a slow endpoint may wait in the slow queue's backlog, even some hours after the
// endpoint was slow.
func TestSweeperTakesLateDeliveriesToASlowEndpointForLostAfterADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Hour}, "a", "slow")
		for _, name := range []string{"a", "slow"} {
			r.poster.failTimes(name, 1)
		}
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		state, revision, err := r.states.EndpointState(t.Context(), "slow")
		if err != nil {
			t.Fatal(err)
		}
		for range breaker.SlowAttempts {
			state = state.TookLong(time.Now())
		}
		if err := r.states.SaveEndpointState(t.Context(), "slow", state, revision); err != nil {
			t.Fatal(err)
		}
		lose(&r.retry)
		cfg := r.sweeperConfig()
		cfg.States = &r.states
		for _, step := range []struct {
			wait    time.Duration
			overdue int
		}{{4 * time.Hour, 1}, {time.Hour, 0}, {21 * time.Hour, 1}} {
			time.Sleep(step.wait)
			report, err := lab.Must(operate.NewSweeper(cfg)).Run(t.Context())
			if err != nil || report.Overdue != step.overdue {
				t.Errorf(
					"after another %v: %+v, error %v, want %d overdue", step.wait, report, err,
					step.overdue,
				)
			}
			r.consume(&r.retry, nil, r.deliverer.Process)
		}
	})
}

// A copy that the sweeper sends may overtake the message that it found missing. That message was
// never received before, and is not marked as a copy.
func TestWhatTheSweeperPutsBackIsPOSTedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		time.Sleep(4*time.Hour + time.Minute)
		r.expect(operate.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
		msgs, _ := r.delivery.Receive(t.Context(), 2)
		for _, m := range slices.Backward(msgs) {
			if a := r.deliverer.Process(t.Context(), []relay.Message{m})[0]; a.Retry {
				t.Error(a)
			}
		}
		if n := len(r.poster.posts); len(msgs) != 2 || n != 1 {
			t.Errorf("%d messages, %d POSTs", len(msgs), n)
		}
	})
}

// The relay's own events have a source that is in no catalog.
func TestSweeperLooksAtTheRelaysOwnEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		own := relay.Event{
			ID: relay.EventID("", catalog.OwnSource, "1"), Source: catalog.OwnSource,
			ReceivedAt: time.Now(),
		}
		if _, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
			Event: own, Endpoints: []string{"a"}, ExpiresAt: time.Now().Add(relay.DefaultRetention),
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Hour)
		r.expect(operate.SweepReport{Events: 1, Deliveries: 1, Missing: 1, PutBack: 1})
	})
}

// Every delivery that a run finds is delivered, dead, waiting for an attempt that comes, or sent
// again by the run. A delivery that it does not find is sent again, or assumed to be in a queue.
// Everything else is counted.
func TestSweeperTellsWhenTheSumIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		becomes func(*rig, string) // of the first attempt, which fails
		broken  func(*operate.SweeperConfig)
		want    int
	}{
		"waiting, and put back": {want: 0, becomes: func(r *rig, _ string) {
			r.pumpFirst()
			lose(&r.retry)
		}},
		"missing, and put back": {want: 0, becomes: func(r *rig, _ string) { lose(&r.delivery) }},
		"missing, and not put back": {want: 1, becomes: func(r *rig, _ string) {
			lose(&r.delivery)
		},
			broken: func(c *operate.SweeperConfig) { c.Delivery = brokenQueue{} }},
		"waiting, late, and not listed": {want: 1, becomes: func(r *rig, _ string) {
			r.pumpFirst()
			lose(&r.retry)
		}, broken: func(c *operate.SweeperConfig) { c.Ledger = noneOverdue{c.Ledger} }},
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
				// what fails is counted
				report, _ := lab.Must(operate.NewSweeper(cfg)).Run(t.Context())
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

// noneOverdue is a ledger whose index has lost the overdue deliveries.
type noneOverdue struct{ operate.Ledger }

func (noneOverdue) Overdue(
	context.Context, string, time.Time, relay.Page,
) ([]relay.Delivery, relay.Page, error) {
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
	})
}

// A run without enough time for all events is continued by the next. Each event is looked at once,
// and no part of an hour is left out. What a killed run did not save is looked at again.
func TestASweepGoesOnWhereTheLastStopped(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pageTakes time.Duration
		killed    bool
		looked    int // at events, of 40
	}{
		"in time":       {pageTakes: time.Second, looked: 40},
		"over time":     {pageTakes: 30 * time.Second, looked: 40},
		"far over time": {pageTakes: 4 * time.Minute, looked: 40},
		// before it saved its progress
		"killed": {pageTakes: time.Second, looked: 80, killed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a")
				for i := range 40 {
					r.mustPost(fmt.Sprint(i), "", "{}")
				}
				for r.consume(&r.ingest, nil, r.fanout.Process) {
				}
				lose(&r.delivery)
				time.Sleep(3 * time.Hour)
				var sum operate.SweepReport
				for runs := 0; ; runs++ {
					cfg := r.sweeperConfig()
					slow := &slowLedger{Ledger: &r.ledger, takes: tt.pageTakes}
					cfg.Ledger = slow
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					if tt.killed && runs == 0 {
						cfg.Cursors = killedCursors{&r.ledger}
					}
					report, err := lab.Must(operate.NewSweeper(cfg)).Run(ctx)
					cancel()
					if err != nil && !tt.killed || report.Partial != (report.Behind > 0) {
						t.Fatalf("%+v, %v", report, err)
					}
					sum.Events, sum.PutBack = sum.Events+report.Events, sum.PutBack+report.PutBack
					if err == nil && !report.Partial {
						break
					}
					if runs == 100 {
						t.Fatal("it never gets through")
					}
				}
				r.pump()
				if sum.PutBack != 40 || sum.Events != tt.looked || len(r.poster.posts) != 40 {
					t.Errorf("%d POSTs, %+v", len(r.poster.posts), sum)
				}
			})
		})
	}
}

// A run without enough time for all endpoints is continued by the next, at the first endpoint that
// was left out. So an endpoint late in the alphabet gets its turn.
func TestASweepGoesOnWithTheEndpointsThatWereLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("e%02d", i))
		}
		r := newRig(t, []time.Duration{5 * time.Hour}, names...)
		for _, name := range names {
			r.poster.failTimes(name, 1)
		}
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		for r.consume(&r.delivery, nil, r.deliverer.Process) {
		}
		lose(&r.retry)
		time.Sleep(3*time.Hour + time.Minute)
		r.sweep() // looks at the event, of which no delivery is late
		time.Sleep(5 * time.Hour)
		for run, want := range []int{24, 16} { // eight at once take a minute, and there are 135 s
			cfg := r.sweeperConfig()
			cfg.Ledger = slowOverdue{Ledger: &r.ledger, takes: time.Minute}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			report, err := lab.Must(operate.NewSweeper(cfg)).Run(ctx)
			cancel()
			if err != nil || report.PutBack != want || !report.Partial {
				t.Errorf("run %d: %+v, %v", run, report, err)
			}
		}
		r.expect(operate.SweepReport{})
	})
}

// slowOverdue takes time for each list of overdue deliveries.
type slowOverdue struct {
	operate.Ledger
	takes time.Duration
}

func (l slowOverdue) Overdue(
	ctx context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	time.Sleep(l.takes)
	return l.Ledger.Overdue(ctx, endpoint, before, from)
}

// slowLedger takes time for each page of events that is not empty.
type slowLedger struct {
	operate.Ledger
	takes time.Duration
}

func (l *slowLedger) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (relay.Page, error) {
	found := false
	next, err := l.Ledger.Outcomes(ctx, t, from, func(o operate.EventOutcome) {
		found = true
		each(o)
	})
	if found {
		time.Sleep(l.takes)
	}
	return next, err
}

// killedCursors belong to a process that is killed before it saves its cursor.
type killedCursors struct{ operate.SweepCursors }

func (killedCursors) SaveSweepCursor(context.Context, operate.SweepCursor) error {
	return errKilled
}
