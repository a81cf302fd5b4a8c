package gate

import (
	"context"
	"errors"
	"sync"
	"time"
	"webhook-relay/shared/relay/catalog"

	"webhook-relay/shared/relay/gate/breaker"
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
	// overloadPause is how long an endpoint is left alone by all deliveries after it, or the proxy before it, said that there is too much to do
	// and not for how long.
	OverloadPause = 5 * time.Second
)

// Gate decides which deliveries may be attempted now: it knows the endpoints in trouble, the limits of the others, and shares
// both with all other instances. It is safe for concurrent use.
type Gate struct {
	states EndpointStates
	quotas Quotas
	slots  Slots
	now    func() time.Time
	random func() float64

	troubled *catalog.Renewed[map[string]bool] // the endpoints in trouble

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what this instance knows of one endpoint.
type entry struct {
	lock     chan struct{} // of one: whoever has put something in may go on; a mutex would outlast a context
	state    breaker.State
	revision int64
	known    bool      // it was read, or written, once
	next     time.Time // when to read it again

	untold   int       // failures since they were last told
	told     time.Time // when
	window   time.Time // when the counts below began
	attempts int
	failed   int

	limiter   limiter
	semaphore semaphore
}

// Admission is the gate's answer for one delivery.
type Admission struct {
	Probe    bool
	Held     time.Time // not now: come back then; zero: go ahead
	Reserved bool      // it comes back by a reservation
	Disabled string    // why the endpoint gets nothing; "": it is enabled
	Unproved bool      // not before the endpoint has proved itself: see claimProof
	slot     *slot     // to be released after the attempt; nil: the endpoint's concurrency is not limited
}

// granted tells whether the delivery may be attempted.
func (a Admission) granted() bool { return a.Held.IsZero() && a.Disabled == "" && !a.Unproved }

// Config is what a gate works with. All of it is needed.
type Config struct {
	States EndpointStates
	Quotas Quotas
	Slots  Slots
	Now    func() time.Time
	Random func() float64 // in [0, 1)
}

// New returns a gate. It calls nothing yet.
func New(cfg Config) *Gate {
	g := &Gate{
		states: cfg.States, quotas: cfg.Quotas, slots: cfg.Slots, random: cfg.Random, entries: map[string]*entry{},
		now: func() time.Time { return cfg.Now().UTC().Truncate(time.Millisecond) }, // states are compared with what was read
	}
	g.troubled = catalog.NewRenewed(g.readTroubled, troubledTTL, 0, g.now)
	g.troubled.Assume(nil)
	return g
}

func (g *Gate) entry(endpoint string) *entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.entries[endpoint]
	if e == nil {
		e = &entry{lock: make(chan struct{}, 1)}
		g.entries[endpoint] = e
	}
	return e
}

// acquire waits until nobody else works on the entry.
func (e *entry) acquire(ctx context.Context) error {
	select {
	case e.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry) release() { <-e.lock }

// Admit asks whether a delivery to ep may be attempted. reserved: it has waited for a reservation of its own, early or late, and
// is not sent behind those that wait. What is admitted is to be released after the attempt.
func (g *Gate) Admit(ctx context.Context, ep Limits, reserved bool) (Admission, error) {
	e := g.entry(ep.Name)
	a, err := g.check(ctx, ep, e, reserved)
	if err != nil || !a.granted() {
		return a, err
	}
	var claimed *slot
	if ep.Concurrency > 0 {
		if claimed, err = g.claim(ctx, ep, e, reserved); err != nil {
			return Admission{}, err
		}
		if claimed == nil {
			return g.reserveSlot(ctx, ep, e)
		}
	}
	a, wait, err := g.spend(ctx, ep, e, reserved)
	a.slot = claimed
	if err == nil && wait > 0 {
		err = sleep(ctx, wait)
	}
	if err != nil || !a.granted() {
		g.Release(ctx, ep.Name, a)
		a.slot = nil
	}
	return a, err
}

// check asks the endpoint's state, and has a delivery without a reservation wait behind those that have one.
func (g *Gate) check(ctx context.Context, ep Limits, e *entry, reserved bool) (Admission, error) {
	if err := e.acquire(ctx); err != nil {
		return Admission{}, err
	}
	defer e.release()
	if err := g.refresh(ctx, ep, e); err != nil {
		return Admission{}, err
	}
	now := g.now()
	switch held := g.heldUntil(e.state, now); {
	case e.state.Phase(now) == breaker.Disabled:
		return Admission{Disabled: e.state.Reason}, nil
	case !held.IsZero():
		return Admission{Held: held}, nil
	case g.unproved(ep, e.state):
		return Admission{Unproved: true}, nil
	case reserved || e.state.NeedsProbe(now):
		return Admission{}, nil
	}
	r, recovering := e.rate(ep, now)
	if r.attempts == 0 || recovering {
		return Admission{}, nil
	}
	return g.reserve(ctx, ep.Name, e, r, now.Add(-r.fresh()), now)
}

// spend makes the delivery the probe, where one is needed, or takes an attempt from the endpoint's budget: it may begin after a
// wait.
func (g *Gate) spend(ctx context.Context, ep Limits, e *entry, reserved bool) (a Admission, wait time.Duration, err error) {
	if err := e.acquire(ctx); err != nil {
		return a, 0, err
	}
	defer e.release()
	now := g.now()
	if held := g.heldUntil(e.state, now); !held.IsZero() { // since a moment
		return Admission{Held: held}, 0, nil
	}
	if e.state.NeedsProbe(now) {
		a, err = g.claimProbe(ctx, ep, e, now)
		return a, 0, err
	}
	return g.take(ctx, ep, e, reserved, now)
}

// mattersNow tells whether the state on record may keep a delivery back. That of an endpoint that is known to be well, and that nobody lists as
// in trouble, is not read.
func (g *Gate) mattersNow(ctx context.Context, ep Limits, e *entry) bool {
	if !e.state.Well() || g.unproved(ep, e.state) {
		return true
	}
	troubled, err := g.troubled.Get(ctx)
	return err == nil && troubled[ep.Name]
}

func (g *Gate) readTroubled(ctx context.Context) (map[string]bool, error) {
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

// refresh reads the state again when it is old and may be another by now. While it cannot be read, the one that is known stands:
// deliveries go on through an outage of the ledger, as they do without the gate. A disabled endpoint is read each time, since
// deliveries die of it: they must not die of what was true some seconds ago.
func (g *Gate) refresh(ctx context.Context, ep Limits, e *entry) error {
	now := g.now()
	disabled := e.state.Phase(now) == breaker.Disabled
	if !disabled && (now.Before(e.next) || !g.mattersNow(ctx, ep, e)) {
		return nil
	}
	err := g.reread(ctx, ep.Name, e)
	if err == nil || disabled {
		return err
	}
	e.next = now.Add(stateTTL)
	return nil
}

func (g *Gate) reread(ctx context.Context, endpoint string, e *entry) error {
	state, revision, err := g.states.EndpointState(ctx, endpoint)
	if err != nil {
		return err
	}
	e.keep(state, revision, g.now())
	return nil
}

// keep notes the state as it is on record.
func (e *entry) keep(s breaker.State, revision int64, now time.Time) {
	if !s.OpenUntil.Equal(e.state.OpenUntil) || !s.ClosedAt.Equal(e.state.ClosedAt) {
		e.window = time.Time{} // what failed before tells nothing of how it is now
	}
	e.state, e.revision, e.known, e.next = s, revision, true, now.Add(stateTTL)
}

// claimProbe lets exactly one instance go ahead: the one whose write of the probe's state succeeds.
func (g *Gate) claimProbe(ctx context.Context, ep Limits, e *entry, now time.Time) (Admission, error) {
	next := e.state.Probe(now, ep.Timeout+probeReserve)
	err := g.states.SaveEndpointState(ctx, ep.Name, next, e.revision)
	if errors.Is(err, catalog.ErrConflict) {
		e.next = time.Time{}
		return Admission{Held: g.spread(now, breaker.FirstWait)}, nil
	}
	if err != nil {
		return Admission{}, err
	}
	e.keep(next, e.revision+1, now)
	return Admission{Probe: true}, nil
}

// heldUntil is when a delivery that the state holds is to come back; zero: it holds none.
func (g *Gate) heldUntil(s breaker.State, now time.Time) time.Time {
	held := s.HeldUntil(now)
	if held.IsZero() {
		return held
	}
	return g.spread(held, s.Spread(now))
}

// spread returns a time at random between from and so much later.
func (g *Gate) spread(from time.Time, over time.Duration) time.Time {
	return from.Add(time.Duration(g.random() * float64(over)))
}

// Verdict is how an attempt went, as the gate wants to know it.
type Verdict struct {
	Failed   bool
	Why      string // in a word, or its status
	Probe    bool
	Pause    time.Time     // the whole endpoint is to be left alone until then
	Overload bool          // it is to be left alone for overloadPause, unless this was the only failure
	Disable  string        // the endpoint says that it wants no more, and why
	Took     time.Duration // by the attempt, where the endpoint's concurrency is limited; zero: nobody needs to know

	Proof    breaker.Proof // what a probe has proved, if that was what it was for
	Unproved string        // why it has not
}

// Tell takes note of an attempt. It returns what changed, for the operator; nil for nothing. An error means that the other instances do
// not know of it; the attempt itself is none the worse.
func (g *Gate) Tell(ctx context.Context, endpoint string, v Verdict) (*Change, error) {
	e := g.entry(endpoint)
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	defer e.release()
	now := g.now()
	half := e.count(now, v.Failed)
	if v.Took > 0 {
		v.Took = e.semaphore.measured(v.Took, now)
	}
	if v.Overload && e.ails() && v.Pause.IsZero() {
		v.Pause = now.Add(OverloadPause)
	}
	e.untold++
	if !v.Failed {
		e.untold = 0 // they are not in a row with what follows
	}
	if !g.worthTelling(e, v, half, now) {
		return nil, nil //nolint:nilnil // nothing changed
	}
	f := breaker.Failure{Attempts: e.untold, Probe: v.Probe, Half: half, Why: v.Why}
	change, err := g.update(ctx, endpoint, e, func(s breaker.State) breaker.State { return v.apply(s, now, f) })
	if err == nil {
		e.untold, e.told = 0, now
	}
	return change, err
}

// count notes an attempt in this instance's window and tells whether half of enough attempts failed.
func (e *entry) count(now time.Time, failed bool) bool {
	if now.Sub(e.window) >= breaker.RateWindow {
		e.window, e.attempts, e.failed = now, 0, 0
	}
	e.attempts++
	if failed {
		e.failed++
	}
	return e.attempts >= breaker.MinAttempts && 2*e.failed >= e.attempts
}

// ails tells whether one in ten of the attempts in this instance's window failed, and more than one: a proxy's answer now and then, as while
// one of many servers is replaced, is no reason to stop.
func (e *entry) ails() bool { return e.failed > 1 && 10*e.failed >= e.attempts }

// worthTelling: a success is, where there was trouble; failures are from time to time, and at once where they move the breaker.
func (g *Gate) worthTelling(e *entry, v Verdict, half bool, now time.Time) bool {
	switch {
	case v.Probe || v.Disable != "" || v.Pause.After(e.state.PausedUntil):
		return true
	case v.Took > 0 && outdated(e.state, v.Took, now):
		return true
	case !v.Failed:
		return v.heals(e.state) && e.state != e.state.Succeeded(now)
	}
	closed := e.state.OpenUntil.IsZero()
	return now.Sub(e.told) >= tellInterval || closed && (half || e.state.Failures+e.untold >= breaker.OpenAfter)
}

// heals tells whether the attempt shows that all is well: of an open breaker only the probe does. Others were under way when it opened.
func (v Verdict) heals(s breaker.State) bool { return !v.Failed && (v.Probe || s.OpenUntil.IsZero()) }

func (v Verdict) apply(s breaker.State, now time.Time, f breaker.Failure) breaker.State {
	switch {
	case v.Unproved != "":
		s = s.NotProved(now, f, v.Unproved)
	case v.Proof.Of != "":
		s = s.Proved(now, v.Proof)
	case v.Failed && f.Attempts > 0:
		s = s.Failed(now, f)
	case v.heals(s):
		s = s.Succeeded(now)
	}
	if v.Pause.After(now) {
		s = s.Pause(now, v.Pause)
	}
	if v.Disable != "" {
		s = s.Disable(now, v.Disable)
	}
	if v.Took > 0 && outdated(s, v.Took, now) {
		s.Took, s.TookAt = v.Took.Truncate(time.Millisecond), now
	}
	if s.NeedsWarning(now) {
		s = s.Warned(now)
	}
	return s
}

// update applies change to the state as it is on record, also when others write it at the same time.
func (g *Gate) update(ctx context.Context, endpoint string, e *entry, change func(breaker.State) breaker.State) (*Change, error) {
	if !e.known {
		if err := g.reread(ctx, endpoint, e); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		before := e.state
		next := change(before)
		if next == before && e.known {
			return nil, nil //nolint:nilnil // nothing changed
		}
		err := g.states.SaveEndpointState(ctx, endpoint, next, e.revision)
		if err == nil {
			e.keep(next, e.revision+1, g.now())
			return changeOf(endpoint, before, next, e.revision, g.now()), nil
		}
		if !errors.Is(err, catalog.ErrConflict) || try == stateTries {
			return nil, err
		}
		if err := g.reread(ctx, endpoint, e); err != nil {
			return nil, err
		}
	}
}
