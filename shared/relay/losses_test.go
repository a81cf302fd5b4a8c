package relay_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// TestLostMessagesArePutBack runs scripts in which the queues lose messages. The relay has other
// webhooks to deliver while the sweeper runs. What the sweeper sends again must keep the promises.
func TestLostMessagesArePutBack(t *testing.T) {
	t.Parallel()
	lost := 0
	for seed := range uint64(randomScripts / 8) {
		if *seedFlag != 0 && seed != *seedFlag {
			continue
		}
		runScriptOf(t, newLosses(seed), func(t *testing.T, s script) *world {
			w := newWorld(t, s)
			t.Cleanup(func() { lost += w.lost })
			return w
		})
		if t.Failed() {
			return
		}
	}
	if lost == 0 {
		t.Error("nothing was ever lost")
	}
}

// newLosses makes a script with losses.
func newLosses(seed uint64) script {
	s := newScript(seed, false)
	s.again, s.changeAt = "", 0
	// The sweeper does not look at events that were routed late.
	s.jams = slices.DeleteFunc(s.jams, func(j jam) bool { return j.feed == 0 || j.feed == 3 })
	r := rand.New(rand.NewPCG(seed, 2))
	for range 1 + r.IntN(2) {
		s.losses = append(s.losses, 1+r.IntN(6))
	}
	for i := range r.IntN(8) {
		s.webhooks = append(s.webhooks, webhook{
			id: "later" + string(rune('a'+i)), eventType: "push", body: "{}", at: time.Duration(
				r.Int64N(int64(6 * time.Hour)),
			).Truncate(time.Millisecond),
		})
	}
	if r.IntN(2) == 0 {
		s.sweepFault.k, s.sweepFault.mode = 1+r.IntN(100), pick(r, singleFaults)
	}
	return s
}

// loses tells whether a queue loses the batch that is taken from it now. An ingest message is lost
// only if its event is recorded. Before that the message is the only copy, and the relay relies on
// SQS.
func (w *world) loses(f *feed, b *batch) bool {
	ingest := f == w.feeds[0] || f == w.feeds[3]
	if w.redrove || ingest && slices.ContainsFunc(b.msgs, func(m relay.Message) bool {
		return !w.onRecord(m)
	}) {
		return false
	}
	if w.taken++; !slices.Contains(w.script.losses, w.taken) {
		return false
	}
	w.lost++
	if ingest {
		w.lostIngest += len(b.msgs)
	}
	w.note("message %s of %s is lost", b.msgs[0].ID, f.name)
	b.done(make([]relay.Action, len(b.msgs)))
	return true
}

// onRecord tells whether an ingest message, or a copy of it, has recorded its event.
func (w *world) onRecord(m relay.Message) bool {
	e, err := relay.DecodeEvent(m.Body)
	if err != nil {
		return false
	}
	record, _, err := w.records.Event(w.t.Context(), e.ID)
	return err == nil && record.Receipt == e.Receipt
}

// sweep is the result of a run of the sweeper.
type sweep struct {
	*instance
	report operate.SweepReport
	err    error
}

const (
	sweeperName  = "sweep"
	sweepTimeout = 5 * time.Minute
	sweepAgain   = time.Minute // after a run that failed
)

// nextSweep sets the next sweep to a time in the following hour, so that each hour has one.
func (w *world) nextSweep(after time.Time) {
	next := after.Truncate(time.Hour).Add(time.Hour)
	w.sweepFrom = next.Add(time.Duration(w.rng.Int64N(int64(30 * time.Minute))))
	w.sweepBy = w.sweepFrom.Add(time.Duration(w.rng.Int64N(int64(20 * time.Minute))))
}

// beginSweep begins a sweep if it is time. At random it begins while other things happen, so that
// it meets messages in the queues.
func (w *world) beginSweep() bool {
	now := time.Now()
	if !w.sweeps || w.sweeping || now.Before(w.sweepFrom) || now.Before(w.sweepBy) &&
		w.rng.IntN(4) > 0 {
		return false
	}
	w.sweeping = true
	w.nextSweep(now)
	in := &instance{world: w, name: sweeperName}
	p := withFaults(in, w.in)
	sweeper := lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: faultyNames{in, &w.catalog}, Subscriptions: p.subs,
		Ledger: faultyLedger{in, &w.ledger}, Deliveries: p.deliveries,
		Cursors: faultyCursors{in, &w.ledger}, Delivery: p.delivery, Retry: p.retry,
	}))
	w.quiet = w.atRest()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), sweepTimeout)
		defer cancel()
		report, err := sweeper.Run(ctx)
		w.swept <- sweep{in, report, err}
		w.notify()
	}()
	return true
}

// atRest tells whether no message is anywhere.
func (w *world) atRest() bool {
	for _, f := range w.feeds {
		if len(f.idle) < f.instances || len(f.from.List()) > 0 {
			return false
		}
	}
	return len(w.setAside()) == 0
}

// endSweep compares what a run found with what the queues have lost.
func (w *world) endSweep(s sweep) {
	w.t.Helper()
	w.sweeping, w.lastSweep = false, s
	if s.err != nil || s.dead {
		w.sweepFrom = time.Now().Add(sweepAgain)
		w.sweepBy = w.sweepFrom
	}
	r := s.report
	if s.err != nil && s.trouble == 0 {
		w.t.Errorf("sweep: %v", s.err)
	}
	if r.LateOrMissing() > 0 || s.err != nil {
		w.note("the sweeper finds %+v, %v", r, s.err)
	}
	// a message redriven to an ordered queue may wait behind others
	if r.PutBack > 0 && w.lost == 0 && w.quiet && len(w.setAside()) == 0 && !w.redrove {
		w.t.Errorf("the sweeper put back %d, and nothing was lost or lay in a queue", r.PutBack)
	}
	if r.Unaccounted() != 0 && s.err == nil {
		w.t.Errorf("the sums do not agree: %+v", r)
	}
}

// sweepOut runs the sweeper until every event has been looked at and nothing waits. A lost message
// of a long wait is found late.
func (w *world) sweepOut() {
	w.t.Helper()
	for hours := 0; hours < 7 && !w.t.Failed(); hours++ {
		time.Sleep(time.Until(w.sweepBy))
		w.beginSweep()
		w.run()
		if len(w.setAside()) > 0 {
			w.redrive()
			w.run()
		}
		if r := w.lastSweep.report; w.lost == 0 && r.Overdue+r.Missing+r.Waiting > 0 {
			w.t.Errorf("at rest the sweeper finds %+v", r)
		}
		waiting := false
		w.eachDelivery(func(d relay.Delivery) { waiting = waiting || d.Status == relay.Waiting })
		switch {
		case w.lastSweep.err != nil:
			hours-- // it is made again
		case waiting && time.Since(w.began) < 30*24*time.Hour:
			hours = 0
		}
	}
}

// checkStarted checks that each event has a recorded delivery for each of its endpoints.
func (w *world) checkStarted() {
	w.t.Helper()
	for _, event := range sorted(w.accepted) {
		record, deliveries := w.event(event)
		for _, name := range record.Endpoints {
			if !w.mayForget(event) && !slices.ContainsFunc(deliveries, func(d relay.Delivery) bool {
				return d.Endpoint == name
			}) {
				w.t.Errorf("the delivery of %s to %s was never begun", event, name)
			}
		}
	}
}
