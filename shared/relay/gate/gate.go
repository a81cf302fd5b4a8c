package gate

import (
	"context"
	"errors"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// How an instance learns of the other instances' changes.
const (
	// stateTTL is how long an endpoint's state is used after it was read. After one instance was
	// asked for a pause, the others go on for up to this long. It costs each instance one read in
	// this time for each troubled endpoint in use.
	stateTTL = 5 * time.Second
	// troubledTTL is how often an instance in use reads the list of troubled endpoints. That list
	// may be one second late.
	troubledTTL = stateTTL - time.Second
	// failures are counted here and told together: at most one write a second for an instance
	tellInterval = time.Second
	// the time for a probe, beside the endpoint's timeout, before another replaces it
	probeReserve = 15 * time.Second
	stateTries   = 4 // tries of a write that conflicts with others
	// OverloadPause is the pause after 429, 502 or 504 without Retry-After. The answer may come
	// from the endpoint or from a proxy before it.
	OverloadPause = 5 * time.Second
)

// Gate decides which deliveries may be attempted now. It knows the troubled endpoints and the
// limits of the others, and shares both with all other instances. It is safe for concurrent use.
type Gate struct {
	states EndpointStates
	quotas Quotas
	slots  Slots
	now    func() time.Time
	random func() float64

	troubled *catalog.Renewed[map[string]bool] // the names of the troubled endpoints

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what this instance knows of one endpoint.
type entry struct {
	// a lock of capacity 1: unlike a mutex, waiting for it ends with a context
	lock     chan struct{}
	state    breaker.State
	revision int64
	known    bool      // it was read or written at least once
	next     time.Time // when to read it again

	untold   int       // failures that the shared state does not have yet
	told     time.Time // when it was last told
	window   time.Time // start of the counts below
	attempts int
	failed   int

	limiter   limiter
	semaphore semaphore
}

// Admission is the gate's answer for one delivery.
type Admission struct {
	Probe    bool
	Held     time.Time // not now: come back at this time; zero: go ahead
	By       Hold      // why, if Held is set
	Reserved bool      // Held is a reservation
	Disabled string    // why the endpoint is disabled; "": it is enabled
	Unproven bool      // the endpoint must give its proof first: see ClaimProof
	slot     *slot     // to release after the attempt; nil: no concurrency limit
}

// granted tells whether the delivery may be attempted.
func (a Admission) granted() bool { return a.Held.IsZero() && a.Disabled == "" && !a.Unproven }

// Config configures a Gate. Every field is required.
type Config struct {
	States EndpointStates
	Quotas Quotas
	Slots  Slots
	Now    func() time.Time
	Random func() float64 // in [0, 1)
}

// New returns a Gate. It calls nothing yet.
func New(cfg Config) *Gate {
	g := &Gate{
		states: cfg.States, quotas: cfg.Quotas, slots: cfg.Slots, random: cfg.Random,
		entries: map[string]*entry{},
		// rounded, because states are compared with what was read
		now: func() time.Time { return cfg.Now().UTC().Truncate(time.Millisecond) },
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

// acquire waits for the entry's lock.
func (e *entry) acquire(ctx context.Context) error {
	select {
	case e.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry) release() { <-e.lock }

// Admit asks whether a delivery to ep may be attempted now. reserved tells that it has had a
// reservation of its own, however late it comes, so it is not sent behind those that wait. After an
// admitted attempt, call Release.
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

// check asks the endpoint's state. A delivery without a reservation gets one if others wait.
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
		return Admission{Held: held, By: Hold(e.state.Phase(now))}, nil
	case g.unproven(ep, e.state):
		return Admission{Unproven: true}, nil
	case reserved || e.state.NeedsProbe(now):
		return Admission{}, nil
	}
	if r, recovering := e.rate(ep, now); r.attempts > 0 && !recovering {
		a, err := g.reserve(ctx, ep.Name, e, r, HeldRate, now.Add(-r.fresh()), now)
		if err != nil || !a.granted() {
			return a, err
		}
	}
	return g.reserveShared(ctx, ep, now)
}

// spend takes an attempt from the tenant's budget. It makes the delivery the probe if one is
// needed, and otherwise takes an attempt from the endpoint's budget too. The attempts may begin
// after a wait.
func (g *Gate) spend(
	ctx context.Context, ep Limits, e *entry, reserved bool,
) (a Admission, wait time.Duration, err error) {
	if err := e.acquire(ctx); err != nil {
		return a, 0, err
	}
	defer e.release()
	now := g.now()
	if held := g.heldUntil(e.state, now); !held.IsZero() { // it changed a moment ago
		return Admission{Held: held, By: Hold(e.state.Phase(now))}, 0, nil
	}
	probe, own := e.state.NeedsProbe(now), taken{}
	if !probe {
		own, a, err = g.takeOwn(ctx, ep, e, reserved, now)
		if err != nil || !a.granted() {
			return a, 0, err
		}
	}
	shared, a, err := g.takeShared(ctx, ep, reserved, now)
	if err != nil || !a.granted() {
		own.giveBack()
		return a, 0, err
	}
	if probe {
		a, err = g.claimProbe(ctx, ep, e, now)
	}
	return a, max(own.wait(now), shared.wait(now)), err
}

// mattersNow tells whether the stored state may hold a delivery. If this instance knows the
// endpoint as well, and it is not in the list of troubled endpoints, the state is not read.
func (g *Gate) mattersNow(ctx context.Context, ep Limits, e *entry) bool {
	if !e.state.Well() || g.unproven(ep, e.state) {
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

// refresh reads the state again if it is old and may have changed. If the read fails, the known
// state stays in use: deliveries go on through an outage of the ledger, as they would without the
// gate. The state of a disabled endpoint is read each time, because its deliveries die: they must
// not die of a state that is some seconds old.
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

// keep stores the state as it was read or written.
func (e *entry) keep(s breaker.State, revision int64, now time.Time) {
	if !s.OpenUntil.Equal(e.state.OpenUntil) || !s.ClosedAt.Equal(e.state.ClosedAt) {
		e.window = time.Time{} // earlier failures say nothing about the present
	}
	e.state, e.revision, e.known, e.next = s, revision, true, now.Add(stateTTL)
}

// claimProbe lets exactly one instance make the probe: the one whose write of the probe's state
// succeeds.
func (g *Gate) claimProbe(
	ctx context.Context, ep Limits, e *entry, now time.Time,
) (Admission, error) {
	next := e.state.Probe(now, ep.Timeout+probeReserve)
	err := g.states.SaveEndpointState(ctx, ep.Name, next, e.revision)
	if errors.Is(err, catalog.ErrConflict) {
		e.next = time.Time{}
		return Admission{Held: g.spread(now, breaker.FirstWait), By: HeldOpen}, nil
	}
	if err != nil {
		return Admission{}, err
	}
	e.keep(next, e.revision+1, now)
	return Admission{Probe: true}, nil
}

// heldUntil returns when a delivery that the state holds comes back; zero: the state holds none.
func (g *Gate) heldUntil(s breaker.State, now time.Time) time.Time {
	held := s.HeldUntil(now)
	if held.IsZero() {
		return held
	}
	return g.spread(held, s.Spread(now))
}

// spread returns a random time between from and from + over.
func (g *Gate) spread(from time.Time, over time.Duration) time.Time {
	return from.Add(time.Duration(g.random() * float64(over)))
}

// Verdict is the result of an attempt, as far as the gate needs it.
type Verdict struct {
	Failed   bool
	Why      string // the status code, or the outcome
	Probe    bool
	Pause    time.Time     // no attempt at the endpoint before then
	Overload bool          // pause for OverloadPause, unless failures are rare
	Disable  string        // why the endpoint wants no more deliveries; "": it did not say so
	Took     time.Duration // duration of the attempt, if the concurrency is limited; else zero

	Proof    breaker.Proof // what a probe proved, if it was made for that
	Unproven string        // why such a probe failed
}

// Tell notes the result of an attempt. It returns the change of state to tell the operator, or nil.
// After an error the other instances do not know of the attempt; the attempt itself still counts.
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
		e.untold = 0 // a success ends the run of failures
	}
	if !g.worthTelling(e, v, half, now) {
		return nil, nil //nolint:nilnil // nothing changed
	}
	f := breaker.Failure{Attempts: e.untold, Probe: v.Probe, Half: half, Why: v.Why}
	change, err := g.update(ctx, endpoint, e, func(s breaker.State) breaker.State {
		return v.apply(s, now, f)
	})
	if err == nil {
		e.untold, e.told = 0, now
	}
	return change, err
}

// count counts an attempt in this instance's window. It tells whether there were enough attempts
// and half of them failed.
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

// ails tells whether at least a tenth of the attempts in this instance's window failed, and more
// than one. A proxy's error now and then, as while one of many servers is replaced, is no reason
// for a pause.
func (e *entry) ails() bool { return e.failed > 1 && 10*e.failed >= e.attempts }

// worthTelling tells whether to write the verdict to the shared state. A success is written if
// there was trouble. Failures are written from time to time, and at once if they open the breaker.
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
	return now.Sub(e.told) >= tellInterval || closed && (half ||
		e.state.Failures+e.untold >= breaker.OpenAfter)
}

// heals tells whether the attempt shows that the endpoint is well. If the breaker is open, only the
// probe shows that: other attempts were in flight when it opened.
func (v Verdict) heals(s breaker.State) bool {
	return !v.Failed && (v.Probe || s.OpenUntil.IsZero())
}

func (v Verdict) apply(s breaker.State, now time.Time, f breaker.Failure) breaker.State {
	switch {
	case v.Unproven != "":
		s = s.NotProven(now, f, v.Unproven)
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

// update applies change to the stored state, and tries again if others write at the same time.
func (g *Gate) update(
	ctx context.Context, endpoint string, e *entry, change func(breaker.State) breaker.State,
) (*Change, error) {
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
