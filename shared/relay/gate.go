package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"webhook-relay/shared/breaker"
)

// How the gate keeps in touch with the other instances.
const (
	// stateTTL is how long an endpoint's state is taken to be as it was read, and so how long the others go on after one was asked for a pause.
	// It costs an instance a read every so often, of each endpoint in use that is in trouble.
	stateTTL = 5 * time.Second
	// troubledTTL is how often an instance in use reads which endpoints are in trouble: the list may be a second late.
	troubledTTL  = stateTTL - time.Second
	tellInterval = time.Second      // failures are counted here and told together: a write a second for an instance at most
	probeReserve = 15 * time.Second // what a probe may take beside the endpoint's timeout before another takes its place
	stateTries   = 4                // of a write that meets others'
)

// gate says which deliveries may be attempted now: it knows the endpoints in trouble, the limits of the others, and shares both with all
// other instances. It is safe for concurrent use.
type gate struct {
	states EndpointStates
	quotas Quotas
	slots  Slots
	now    func() time.Time
	random func() float64
	origin string // see DelivererConfig

	troubled renewed[map[string]bool] // the endpoints in trouble

	mu    sync.Mutex
	doors map[string]*door
}

// door is what this instance knows of one endpoint.
type door struct {
	turn     chan struct{} // of one: whoever has put something in may go on; a mutex would outlast a context
	state    breaker.State
	revision int64
	known    bool      // it was read, or written, once
	next     time.Time // when to read it again

	untold   int       // failures since they were last told
	told     time.Time // when
	window   time.Time // when the counts below began
	attempts int
	failed   int

	places places // at its own rate
	ramp   places // at the one at which it recovers
	room   room
}

// pass is the gate's answer for one delivery.
type pass struct {
	probe    bool
	held     time.Time // not now: come back then; zero: go ahead
	place    bool      // then a place is kept for it
	disabled string    // why the endpoint gets nothing; "": it is enabled
	unproved bool      // not before the endpoint has proved itself: see claimProof
	slot     *slot     // to be released after the attempt; nil: the endpoint's concurrency is not limited
}

func newGate(cfg DelivererConfig) *gate {
	g := &gate{
		states: cfg.States, quotas: cfg.Quotas, slots: cfg.Slots, random: cfg.Random, origin: cfg.Origin, doors: map[string]*door{},
		now: func() time.Time { return wholeMillis(cfg.Now()) }, // states are compared with what was read
	}
	g.troubled.load, g.troubled.ttl, g.troubled.retry, g.troubled.now = g.readTroubled, troubledTTL, staleRetry, g.now
	g.troubled.read = time.Unix(0, 0) // until it can be read no endpoint is known to be in trouble
	return g
}

func (g *gate) door(endpoint string) *door {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.doors[endpoint]
	if d == nil {
		d = &door{turn: make(chan struct{}, 1)}
		g.doors[endpoint] = d
	}
	return d
}

// enter waits until nobody else is at the door.
func (d *door) enter(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *door) leave() { <-d.turn }

// admit asks whether a delivery to ep may be attempted, for which a place was kept at its turn; zero: none was. A pass that says so is to be
// released after the attempt.
func (g *gate) admit(ctx context.Context, ep Endpoint, turn time.Time) (pass, error) {
	d := g.door(ep.Name)
	limited := ep.Concurrency > 0
	if limited && d.room.closed(g.now()) {
		return pass{held: g.spread(d.room.turnAway(g.now()))}, nil
	}
	p, err := g.ask(ctx, ep, turn, d)
	if err != nil || !limited || p.disabled != "" || p.unproved || !p.held.IsZero() {
		return p, err
	}
	if p.slot, err = g.takeSlot(ctx, ep, &d.room); err == nil && p.slot == nil {
		return pass{held: g.spread(d.room.turnAway(g.now()))}, nil // if it was the probe, there is another when this one's time is over
	}
	return p, err
}

// ask is admit but for the endpoint's concurrency.
func (g *gate) ask(ctx context.Context, ep Endpoint, turn time.Time, d *door) (pass, error) {
	if err := d.enter(ctx); err != nil {
		return pass{}, err
	}
	defer d.leave()
	if d.state.Phase(g.now()) == breaker.Disabled {
		d.next = time.Time{} // the delivery would die of it, and the endpoint may have been enabled since
	}
	g.refresh(ctx, ep, d)
	now := g.now()
	if d.state.Phase(now) == breaker.Disabled {
		return pass{disabled: d.state.Reason}, nil
	}
	if held := g.heldUntil(d.state, now); !held.IsZero() {
		return pass{held: held}, nil
	}
	if g.unproved(ep, d.state) {
		return pass{unproved: true}, nil
	}
	if d.state.NeedsProbe(now) {
		return g.claimProbe(ctx, ep, d, now)
	}
	return g.takePlace(ctx, ep.slowed(d.state.Proof.Rate), turn, d, now)
}

// refresh reads the state again when it is old and may be another by now. While it cannot be read, the one that is known stands: deliveries go
// on through an outage of the ledger, as they do without the gate.
func (g *gate) refresh(ctx context.Context, ep Endpoint, d *door) {
	now := g.now()
	if now.Before(d.next) || !g.mattersNow(ctx, ep, d) {
		return
	}
	if err := g.reread(ctx, ep.Name, d); err != nil {
		d.next = now.Add(stateTTL)
	}
}

// mattersNow tells whether the state on record may keep a delivery back. That of an endpoint that is known to be well, and that nobody lists as
// in trouble, is not read.
func (g *gate) mattersNow(ctx context.Context, ep Endpoint, d *door) bool {
	if !d.state.Well() || g.unproved(ep, d.state) {
		return true
	}
	troubled, err := g.troubled.get(ctx)
	return err == nil && troubled[ep.Name]
}

func (g *gate) readTroubled(ctx context.Context) (map[string]bool, error) {
	names, err := g.states.TroubledEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	troubled := make(map[string]bool, len(names))
	for _, name := range names {
		troubled[name] = true
	}
	return troubled, nil
}

func (g *gate) reread(ctx context.Context, endpoint string, d *door) error {
	state, revision, err := g.states.EndpointState(ctx, endpoint)
	if err != nil {
		return err
	}
	d.keep(state, revision, g.now())
	return nil
}

// keep notes the state as it is on record.
func (d *door) keep(s breaker.State, revision int64, now time.Time) {
	if !s.OpenUntil.Equal(d.state.OpenUntil) || !s.ClosedAt.Equal(d.state.ClosedAt) {
		d.window = time.Time{} // what failed before tells nothing of how it is now
	}
	d.state, d.revision, d.known, d.next = s, revision, true, now.Add(stateTTL)
}

// claimProbe lets exactly one instance go ahead: the one whose write of the probe's state succeeds.
func (g *gate) claimProbe(ctx context.Context, ep Endpoint, d *door, now time.Time) (pass, error) {
	next := d.state.Probe(now, ep.Timeout+probeReserve)
	err := g.states.SaveEndpointState(ctx, ep.Name, next, d.revision)
	if errors.Is(err, ErrConflict) {
		d.next = time.Time{}
		return pass{held: g.spread(now, breaker.FirstWait)}, nil
	}
	if err != nil {
		return pass{}, err
	}
	d.keep(next, d.revision+1, now)
	return pass{probe: true}, nil
}

// heldUntil is when a delivery that the state holds is to come back; zero: it holds none.
func (g *gate) heldUntil(s breaker.State, now time.Time) time.Time {
	held := s.HeldUntil(now)
	if held.IsZero() {
		return held
	}
	return g.spread(held, s.Spread(now))
}

// spread returns a time at random between from and so much later.
func (g *gate) spread(from time.Time, over time.Duration) time.Time {
	return from.Add(time.Duration(g.random() * float64(over)))
}

// verdict is how an attempt went, as the gate wants to know it.
type verdict struct {
	failed   bool
	why      string // in a word, or its status
	probe    bool
	pause    time.Time // the whole endpoint is to be left alone until then
	overload bool      // it is to be left alone for overloadPause, unless this was the only failure
	disable  string    // the endpoint says that it wants no more, and why

	proof    breaker.Proof // what a probe has proved, if that was what it was for
	unproved string        // why it has not
}

// tell takes note of an attempt. It returns what changed, for the operator; nil for nothing. An error means that the other instances do
// not know of it; the attempt itself is none the worse.
func (g *gate) tell(ctx context.Context, endpoint string, v verdict) (*EndpointChange, error) {
	d := g.door(endpoint)
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.leave()
	now := g.now()
	half := d.count(now, v.failed)
	if v.overload && d.ails() && v.pause.IsZero() {
		v.pause = now.Add(overloadPause)
	}
	d.untold++
	if !v.failed {
		d.untold = 0 // they are not in a row with what follows
	}
	if !g.worthTelling(d, v, half, now) {
		return nil, nil //nolint:nilnil // nothing changed
	}
	f := breaker.Failure{Attempts: d.untold, Probe: v.probe, Half: half, Why: v.why}
	change, err := g.update(ctx, endpoint, d, func(s breaker.State) breaker.State { return v.apply(s, now, f) })
	if err == nil {
		d.untold, d.told = 0, now
	}
	return change, err
}

// count notes an attempt in this instance's window and tells whether half of enough attempts failed.
func (d *door) count(now time.Time, failed bool) bool {
	if now.Sub(d.window) >= breaker.RateWindow {
		d.window, d.attempts, d.failed = now, 0, 0
	}
	d.attempts++
	if failed {
		d.failed++
	}
	return d.attempts >= breaker.MinAttempts && 2*d.failed >= d.attempts
}

// ails tells whether one in ten of the attempts in this instance's window failed, and more than one: a proxy's answer now and then, as while
// one of many servers is replaced, is no reason to stop.
func (d *door) ails() bool { return d.failed > 1 && 10*d.failed >= d.attempts }

// worthTelling: a success is, where there was trouble; failures are from time to time, and at once where they move the breaker.
func (g *gate) worthTelling(d *door, v verdict, half bool, now time.Time) bool {
	switch {
	case v.probe || v.disable != "" || v.pause.After(d.state.PausedUntil):
		return true
	case !v.failed:
		return v.heals(d.state) && d.state != d.state.Succeeded(now)
	}
	closed := d.state.OpenUntil.IsZero()
	return now.Sub(d.told) >= tellInterval || closed && (half || d.state.Failures+d.untold >= breaker.OpenAfter)
}

// heals tells whether the attempt shows that all is well: of an open breaker only the probe does. Others were under way when it opened.
func (v verdict) heals(s breaker.State) bool { return !v.failed && (v.probe || s.OpenUntil.IsZero()) }

func (v verdict) apply(s breaker.State, now time.Time, f breaker.Failure) breaker.State {
	switch {
	case v.unproved != "":
		s = s.NotProved(now, f, v.unproved)
	case v.proof.Of != "":
		s = s.Proved(now, v.proof)
	case v.failed && f.Attempts > 0:
		s = s.Failed(now, f)
	case v.heals(s):
		s = s.Succeeded(now)
	}
	if v.pause.After(now) {
		s = s.Pause(now, v.pause)
	}
	if v.disable != "" {
		s = s.Disable(now, v.disable)
	}
	if s.NeedsWarning(now) {
		s = s.Warned(now)
	}
	return s
}

// update applies change to the state as it is on record, also when others write it at the same time.
func (g *gate) update(ctx context.Context, endpoint string, d *door, change func(breaker.State) breaker.State) (*EndpointChange, error) {
	if !d.known {
		if err := g.reread(ctx, endpoint, d); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		before := d.state
		next := change(before)
		if next == before && d.known {
			return nil, nil //nolint:nilnil // nothing changed
		}
		err := g.states.SaveEndpointState(ctx, endpoint, next, d.revision)
		if err == nil {
			d.keep(next, d.revision+1, g.now())
			return changeOf(endpoint, before, next, d.revision, g.now()), nil
		}
		if !errors.Is(err, ErrConflict) || try == stateTries {
			return nil, err
		}
		if err := g.reread(ctx, endpoint, d); err != nil {
			return nil, err
		}
	}
}
