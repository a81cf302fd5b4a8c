package relay_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// With -seed one failing run is repeated, and its steps are printed.
var seedFlag = flag.Uint64("seed", 0, "seed of the one random script to run; 0: all")

// TestRandomScripts runs scripts made from seeds: webhooks, endpoints that fail and recover,
// concurrent functions, faults, a changed configuration, dead deliveries that are sent again. It
// checks the promises of the package at each quiet moment and at each end.
func TestRandomScripts(t *testing.T) {
	t.Parallel()
	const parts = 4
	for part := range parts {
		t.Run(fmt.Sprintf("part %d", part+1), func(t *testing.T) {
			t.Parallel()
			if *seedFlag != 0 {
				if part == 0 {
					runSeed(t, *seedFlag, false, newWorld)
				}
				return
			}
			for i := range randomScripts / parts {
				runSeed(t, uint64(1+part+i*parts), false, newWorld)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// runSeed runs the script of one seed.
func runSeed(t *testing.T, seed uint64, short bool, build func(*testing.T, script) *world) {
	t.Helper()
	runScriptOf(t, newScript(seed, short), build)
}

func runScriptOf(t *testing.T, s script, build func(*testing.T, script) *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := build(t, s)
		w.play()
		if t.Failed() || *seedFlag != 0 {
			t.Logf("seed %d; repeat it with -run %s -seed %d\nwebhooks %s\nfaults %v, outages %+v, losses %v, sweeper %v\nlate by up to %v, c removed at %v for %v, jams %v, records kept for %v\nsteps\n%s",
				s.seed, strings.Split(t.Name(), "/")[0], s.seed, s.describe(), s.faults, s.outages,
				s.losses, s.sweepFault, s.late, s.changeAt, s.backFor, s.jams, s.retain,
				strings.Join(w.steps, "\n"))
		}
	})
}

// play runs the script to its end: everything is sent, dead-letter queues of ours are redriven, and
// dead deliveries are sent again if the script says so.
func (w *world) play() {
	w.start()
	w.senders = len(w.script.webhooks)
	if w.script.changeAt > 0 {
		w.senders++
		go w.change()
	}
	for i, h := range w.script.webhooks {
		go w.send(i, h)
	}
	w.run()
	for range 20 {
		if len(w.setAside()) == 0 {
			break
		}
		w.note("the operator redrives %d messages that were put aside", len(w.setAside()))
		w.redriven, w.redrove = true, true
		w.nextSweep(time.Now())
		w.redrive()
		w.run()
	}
	if w.sweeps {
		w.sweepOut()
	}
	w.checkEnd()
	if w.script.again != "" && !w.t.Failed() {
		w.sendDeadAgain()
	}
}

// change removes the endpoint c, and may restore it.
func (w *world) change() {
	time.Sleep(w.script.changeAt)
	if err := w.store.ReplaceCatalog(w.t.Context(), w.script.catalog("c"), w.revision); err != nil {
		w.t.Error(err)
	}
	if w.script.backFor > 0 {
		time.Sleep(w.script.backFor)
		if err := w.store.ReplaceCatalog(
			w.t.Context(), w.script.catalog(), w.revision+1,
		); err != nil {
			w.t.Error(err)
		}
	}
	w.mu.Lock()
	w.senders--
	w.mu.Unlock()
	w.notify()
}

// sendDeadAgain makes all endpoints well and sends the dead deliveries again. They are delivered
// then, unless another fault happens.
func (w *world) sendDeadAgain() {
	w.note("the operator sends dead deliveries again: %s", w.script.again)
	w.sentAgain = true
	struck := w.struck
	w.turns.over = true
	replay := operate.Replayer{Ledger: w.records, Deliveries: w.in.deliveries, Retry: w.in.retry}
	for _, name := range sorted(w.script.endpoints) {
		w.script.endpoints[name].mended = true
		w.enable(name)
		dead := openOf(w.t, w.records, name, relay.Dead)
		if w.script.again != "replay" {
			continue
		}
		for _, d := range byEvent(dead) {
			if err := replay.Replay(w.t.Context(), d.EventID, name); err != nil {
				w.t.Error(err)
			}
		}
	}
	if w.script.again == "redrive" {
		w.redriven = true // both copies of a message that was sent twice come back
		w.redriveDead()
	}
	w.run()
	for range 20 {
		if len(w.setAside()) == 0 {
			break
		}
		w.redrive()
		w.run()
	}
	w.checkEnd()
	if w.struck > struck {
		return
	}
	w.eachDelivery(func(d relay.Delivery) {
		if d.Status != relay.Delivered && !saysRemoved(d.History[len(d.History)-1]) &&
			d.Reason != relay.Expired {
			w.t.Errorf(
				"%s to %s was sent again, its endpoint is well, and it is %s", d.EventID,
				d.Endpoint, d.Status,
			)
		}
	})
}

// enable enables an endpoint that was disabled because every attempt had failed for days.
func (w *world) enable(endpoint string) {
	state, revision, err := w.in.states.EndpointState(w.t.Context(), endpoint)
	if err == nil && !state.DisabledAt.IsZero() {
		err = w.in.states.SaveEndpointState(
			w.t.Context(), endpoint, state.Enable(time.Now()), revision,
		)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// eachDelivery calls f for each delivery of an accepted webhook.
func (w *world) eachDelivery(f func(relay.Delivery)) {
	for _, event := range sorted(w.accepted) {
		_, deliveries := w.event(event)
		for _, d := range deliveries {
			f(d)
		}
	}
}

// event reads an event. It must be recorded until its retention has passed, and longer while a
// delivery of it is open.
func (w *world) event(id string) (relay.EventRecord, []relay.Delivery) {
	w.t.Helper()
	record, deliveries, err := w.records.Event(w.t.Context(), id)
	if err != nil && (!w.mayForget(id) || !errors.Is(err, catalog.ErrNotFound)) {
		w.t.Errorf("event %s got a 2xx, is in no queue and not on record: %v", id, err)
	}
	return record, deliveries
}

// mayForget tells whether the retention of an event and of its finished deliveries has passed.
func (w *world) mayForget(event string) bool {
	return w.script.retain > 0 && time.Since(w.accepted[event]) > w.script.retain
}

// checkKept checks that the event of each open delivery is recorded.
func (w *world) checkKept() {
	w.t.Helper()
	if w.script.retain == 0 {
		return
	}
	for _, endpoint := range sorted(w.script.endpoints) {
		for _, status := range []relay.Status{relay.Waiting, relay.Dead} {
			for _, d := range openOf(w.t, w.records, endpoint, status) {
				if _, _, err := w.records.Event(w.t.Context(), d.EventID); err != nil {
					w.t.Errorf("%s to %s is %s, its event: %v", d.EventID, endpoint, status, err)
				}
			}
		}
	}
}

// messageDoc holds the fields of a message that a check needs.
type messageDoc struct {
	ID       string `json:"id"` // of the ingest queue's
	Endpoint string `json:"endpoint"`
	Event    struct {
		ID string `json:"id"`
	} `json:"event"`
}

// deliveryOf returns the delivery of a message. An ingest message stands for all deliveries of its
// event.
func deliveryOf(m relay.Message) string {
	var doc messageDoc
	if err := json.Unmarshal(m.Body, &doc); err != nil {
		panic(err)
	}
	return doc.ID + doc.Event.ID + " " + doc.Endpoint
}

// checkNothingStranded checks the sums at a quiet moment. Each message at the fan-out has one
// result or is still to be handled. Each delivery that is neither delivered nor dead has a message
// that continues it.
func (w *world) checkNothingStranded() {
	w.t.Helper()
	w.checkKept()
	final := 0
	for result, n := range w.reports.results() {
		if result == relay.Unreadable {
			w.t.Errorf("%d messages were unreadable", n)
		}
		final += n
	}
	ingest := slices.Concat(w.feeds[0].from.List(), w.feeds[3].from.List(), w.putAside[0].List())
	// of a batch in flight, one message may be finished
	routing := len(w.feeds[0].idle) < w.feeds[0].instances ||
		len(w.feeds[3].idle) < w.feeds[3].instances
	if final+len(ingest) != w.received && !routing {
		w.t.Errorf(
			"%d messages received; %d have a result and %d wait: %v", w.received, final,
			len(ingest), w.reports.results(),
		)
	}
	coming := map[string]bool{}
	for _, m := range slices.Concat(ingest, w.feeds[1].from.List(), w.feeds[2].from.List(),
		w.feeds[4].from.List(), w.feeds[5].from.List(),
		w.putAside[1].List()) {
		coming[deliveryOf(m)] = true
	}
	for _, event := range sorted(w.accepted) {
		if coming[event+" "] {
			continue // still to be fanned out
		}
		record, deliveries := w.event(event)
		ended := map[string]bool{}
		for _, d := range deliveries {
			ended[d.Endpoint] = d.Status == relay.Delivered || d.Status == relay.Dead
		}
		for _, name := range record.Endpoints {
			if _, begun := ended[name]; !begun && w.mayForget(event) {
				continue // delivered, long ago
			}
			if !ended[name] && !coming[event+" "+name] {
				w.t.Errorf(
					"the delivery of %s to %s waits, and no message of it is left", event, name,
				)
			}
		}
	}
}

// checkEnd checks the promises at the end of a run.
func (w *world) checkEnd() {
	w.t.Helper()
	for _, f := range w.feeds {
		if n := len(f.from.List()); n > 0 {
			w.t.Errorf("%d messages are left for %s", n, f.name)
		}
	}
	if n := len(w.setAside()); n > 0 {
		w.t.Errorf("%d messages are put aside time and again", n)
	}
	if got, want := len(w.accepted), len(w.script.ids()); got != want {
		w.t.Errorf("%d different webhooks were accepted of %d", got, want)
	}
	results := w.reports.results()
	if events := results[relay.Routed] + results[relay.Unrouted] +
		w.lostIngest - w.copiesAside; events != len(w.accepted) ||
		w.received != events+results[relay.Duplicate]+w.copiesAside {
		w.t.Errorf("%d messages for %d webhooks: %v", w.received, len(w.accepted), results)
	}
	dead := map[string]bool{}
	for _, name := range sorted(w.script.endpoints) {
		listed := openOf(w.t, w.records, name, relay.Dead)
		for _, d := range listed {
			dead[d.EventID+" "+name] = true
		}
	}
	w.checkStarted()
	w.eachDelivery(func(d relay.Delivery) {
		if d.Status == relay.Waiting {
			w.t.Errorf("%s to %s waits for ever", d.EventID, d.Endpoint)
		}
		if dead[d.EventID+" "+d.Endpoint] != (d.Status == relay.Dead) {
			w.t.Errorf(
				"%s to %s is %s, listed as dead: %t", d.EventID, d.Endpoint, d.Status,
				d.Status != relay.Dead,
			)
		}
		w.checkHistory(d)
	})
	for _, attempt := range sorted(w.posts) {
		if extra := w.posts[attempt] - 1; extra > w.excuses[attempt] {
			w.t.Errorf(
				"attempt %s was POSTed %d times, with %d excuses", attempt, extra+1,
				w.excuses[attempt],
			)
		}
	}
}

// checkHistory compares a delivery's attempts with its endpoint's schedule.
func (w *world) checkHistory(d relay.Delivery) {
	w.t.Helper()
	e := w.script.endpoints[d.Endpoint]
	cycle := len(e.schedule) + 1
	last, step := d.History[len(d.History)-1], 0
	if len(d.History) != d.Attempts {
		w.t.Errorf(
			"%s to %s: %d attempts, %d on record", d.EventID, d.Endpoint, d.Attempts,
			len(d.History),
		)
	}
	for i, a := range d.History {
		if a.Number != i+1 || (a.Outcome == relay.Succeeded) != (d.Status == relay.Delivered &&
			i == len(d.History)-1) {
			w.t.Errorf(
				"%s to %s is %s with attempt %d of %d: %+v", d.EventID, d.Endpoint, d.Status, i+1,
				len(d.History), a,
			)
		}
		w.checkAllowed(d, e, i)
		step++
		before := d.History[max(i, 1)-1]
		began := step == cycle || before.Outcome == relay.Skipped
		if i == 0 || began || w.sentAgain && e.endsEarly(before) || a.Outcome == relay.Skipped {
			step = 0 // the first of a cycle, or none
			continue
		}
		w.checkWait(d, e.schedule[step-1], before, a)
	}
	skipped := last.Outcome == relay.Skipped ||
		w.script.changeAt > 0 && d.Endpoint == "c"
	if d.Status == relay.Dead && !skipped && step != cycle-1 && !w.mayEnd(d, e, step) {
		w.t.Errorf(
			"%s to %s died of %q after %d attempts, in the middle of a cycle of %d", d.EventID,
			d.Endpoint, d.Reason, d.Attempts, cycle,
		)
	}
}

// checkAllowed checks that an attempt was made, and not skipped, only if the delivery was young
// enough and the answer before was not final.
func (w *world) checkAllowed(d relay.Delivery, e *scriptedEndpoint, i int) {
	w.t.Helper()
	a := d.History[i]
	w.checkRemoved(d, a)
	if a.Outcome == relay.Skipped {
		return
	}
	event, _ := w.event(d.EventID)
	if age := a.At.Sub(event.ReceivedAt); e.maxAge > 0 && age > e.maxAge+time.Minute {
		w.t.Errorf(
			"%s to %s: attempt %d was made after %s, allowed are %s", d.EventID, d.Endpoint,
			a.Number, age, e.maxAge,
		)
	}
	if i > 0 && e.ends() && d.History[i-1].StatusCode == e.ill.status && !w.sentAgain &&
		!w.redriven {
		w.t.Errorf(
			"%s to %s: attempt %d was made though the answer before was %+v", d.EventID, d.Endpoint,
			a.Number, e.ill,
		)
	}
}

// checkRemoved checks that an endpoint counted as removed only while it was, whatever the instances
// have in their caches.
func (w *world) checkRemoved(d relay.Delivery, a relay.Attempt) {
	w.t.Helper()
	from, until := w.began.Add(w.script.changeAt), time.Now()
	if w.script.backFor > 0 {
		// the call that an invocation began before may hang
		until = from.Add(w.script.backFor + deliverTimeout)
	}
	if removed := w.script.changeAt > 0 && d.Endpoint == "c"; saysRemoved(a) &&
		(!removed || a.At.Before(from) || a.At.After(until)) {
		w.t.Errorf(
			"%s to %s: attempt %d says at %s that the endpoint was removed", d.EventID, d.Endpoint,
			a.Number, a.At.Sub(w.began),
		)
	}
}

// checkWait compares the time between two attempts with the schedule and with what the endpoint
// asked for.
func (w *world) checkWait(d relay.Delivery, scheduled time.Duration, before, a relay.Attempt) {
	w.t.Helper()
	wait := scheduled
	if e := w.script.endpoints[d.Endpoint]; before.StatusCode == e.ill.status {
		wait = max(wait, e.ill.retryAfter())
	}
	took := a.At.Sub(before.At.Add(before.Duration))
	if took < wait-earlySlack {
		w.t.Errorf(
			"%s to %s: attempt %d came %s after the one before, due after %s", d.EventID,
			d.Endpoint, a.Number, took, wait,
		)
	}
	if longest := wait + wait/10 + w.delay() + w.heldFor[d.EventID+" "+
		d.Endpoint]; took > longest && !w.redriven {
		w.t.Errorf(
			"%s to %s: attempt %d came %s after the one before, at most %s was due", d.EventID,
			d.Endpoint, a.Number, took, longest,
		)
	}
}

// saysRemoved tells whether an attempt was skipped because the catalog did not have its endpoint.
func saysRemoved(a relay.Attempt) bool {
	return a.Outcome == relay.Skipped && strings.Contains(a.Error, "no longer in the catalog")
}

// endsEarly tells whether an attempt may have been the last of its cycle, wherever it was in the
// schedule.
func (e *scriptedEndpoint) endsEarly(a relay.Attempt) bool {
	return e.maxAge > 0 || e.ends() && a.StatusCode == e.ill.status
}

// mayEnd tells whether a delivery may have died before the end of the schedule: because of the
// endpoint's answer, or because the next attempt would have been beyond its age limit.
func (w *world) mayEnd(d relay.Delivery, e *scriptedEndpoint, step int) bool {
	switch d.Reason {
	case relay.Declined:
		return e.ends()
	case relay.Expired:
		wait := max(e.schedule[step], e.ill.retryAfter())
		return e.maxAge > 0 && d.UpdatedAt.Add(wait+wait/10).Sub(w.began) > e.maxAge
	default:
		return false
	}
}

// earlySlack is how much too early a message of a long wait may come.
const earlySlack = 5 * time.Second

// delay returns how much later than due an attempt may come in this run: the time of the outages,
// and for each fault the time until a message is received again or missed.
func (w *world) delay() time.Duration {
	d := 10 * time.Minute // other deliveries in flight
	for _, o := range w.outages {
		d += o.lasts
	}
	for _, j := range w.script.jams {
		d += j.lasts + visibilityFactor*deliverTimeout
	}
	return d + time.Duration(w.struck)*(longestRetryAfter+relay.MaxDelay+
		visibilityFactor*deliverTimeout)
}

func (s *script) describe() string {
	var b strings.Builder
	for _, h := range s.webhooks {
		fmt.Fprintf(
			&b, "[%s %s %d bytes with key %q at %s] ", h.id, h.eventType, len(h.body), h.key, h.at,
		)
	}
	for _, name := range sorted(s.endpoints) {
		e := s.endpoints[name]
		fmt.Fprintf(&b, "\n%s: schedule %v, types %v, order %+v, ill %d times and until %s: %+v, well %+v, %d in %s, %d at once, max age %s, final %v",
			name, e.schedule, e.types, e.order, e.ills, e.illUntil, e.ill, e.well, e.rateLimit,
			e.ratePer, e.concurrency, e.maxAge, e.final)
	}
	return b.String()
}
