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
	// stateTTL is how long an endpoint's state is taken to be as it was read: for one that was well, as long as its catalog entry.
	// In trouble it is looked at more often.
	stateTTL        = DefaultCacheTTL
	troubledTTL     = 5 * time.Second
	tellInterval    = time.Second      // failures are counted here and told together: a write a second for an instance at most
	probeReserve    = 15 * time.Second // what a probe may take beside the endpoint's timeout before another takes its place
	stateTries      = 4                // of a write that meets others'
	quotaWindow     = time.Second
	quotaPart       = 10 // an instance takes a tenth of a second's quota at a time: that much is unused at most
	maxQuotaBackoff = 64 // windows that a delivery waits at most when many others do
)

// gate says which deliveries may be attempted now: it knows the endpoints in trouble, the limits of the others, and shares both with all
// other instances. It is safe for concurrent use.
type gate struct {
	states EndpointStates
	quotas Quotas
	now    func() time.Time
	random func() float64

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

	quota     time.Time // the window of the tokens
	tokens    int
	dry       bool // nothing is left of the window
	dryStreak int  // windows in a row that were dry
}

// pass is the gate's answer for one delivery.
type pass struct {
	probe    bool
	held     time.Time // not now: come back then; zero: go ahead
	disabled string    // why the endpoint gets nothing; "": it is enabled
}

func newGate(states EndpointStates, quotas Quotas, now func() time.Time, random func() float64) *gate {
	return &gate{
		states: states, quotas: quotas, random: random, doors: map[string]*door{},
		now: func() time.Time { return wholeMillis(now()) }, // states are compared with what was read
	}
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

// admit asks whether a delivery to ep may be attempted.
func (g *gate) admit(ctx context.Context, ep Endpoint) (pass, error) {
	d := g.door(ep.Name)
	if err := d.enter(ctx); err != nil {
		return pass{}, err
	}
	defer d.leave()
	g.refresh(ctx, ep.Name, d)
	now := g.now()
	if d.state.Phase(now) == breaker.Disabled {
		return pass{disabled: d.state.Reason}, nil
	}
	if held := d.state.HeldUntil(now); !held.IsZero() {
		return pass{held: g.spread(held, d.state.Spread(now))}, nil
	}
	if d.state.NeedsProbe(now) {
		return g.claimProbe(ctx, ep, d, now)
	}
	return g.takeToken(ctx, ep, d, now)
}

// refresh reads the state again when it is old. While it cannot be read, the one that is known stands: deliveries go on through an outage of
// the ledger, as they do without the gate.
func (g *gate) refresh(ctx context.Context, endpoint string, d *door) {
	now := g.now()
	if now.Before(d.next) {
		return
	}
	if err := g.reread(ctx, endpoint, d); err != nil {
		d.next = now.Add(troubledTTL)
	}
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
	ttl := stateTTL
	if s != (breaker.State{}) {
		ttl = troubledTTL
	}
	d.state, d.revision, d.known, d.next = s, revision, true, now.Add(ttl)
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

// spread returns a time at random between from and so much later.
func (g *gate) spread(from time.Time, over time.Duration) time.Time {
	return from.Add(time.Duration(g.random() * float64(over)))
}

// takeToken holds the endpoint's rate, its own or the one at which it recovers, over all instances together.
func (g *gate) takeToken(ctx context.Context, ep Endpoint, d *door, now time.Time) (pass, error) {
	limit := ep.RateLimit
	if r := d.state.Rate(now); r > 0 && (limit == 0 || r < limit) {
		limit = r
	}
	if limit == 0 {
		return pass{}, nil
	}
	window := now.Truncate(quotaWindow)
	if !window.Equal(d.quota) {
		if !d.dry {
			d.dryStreak = 0
		}
		d.quota, d.tokens, d.dry = window, 0, false
	}
	if d.tokens == 0 && !d.dry {
		part := max(1, limit/quotaPart)
		got, err := g.quotas.Take(ctx, "rate#"+ep.Name, window, part, limit)
		if err != nil {
			return pass{}, err
		}
		if got {
			d.tokens = part
		} else {
			d.dry = true
			d.dryStreak++
		}
	}
	if d.tokens == 0 {
		// The longer there has been too much, the further apart those that wait come back: each return costs a message.
		back := min(1<<min(d.dryStreak, 10), maxQuotaBackoff)
		return pass{held: g.spread(window.Add(quotaWindow), time.Duration(back)*quotaWindow)}, nil
	}
	d.tokens--
	return pass{}, nil
}

// verdict is how an attempt went, as the gate wants to know it.
type verdict struct {
	failed  bool
	probe   bool
	pause   time.Time // the whole endpoint is to be left alone until then
	disable string    // the endpoint says that it wants no more, and why
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
	if v.failed {
		d.untold++
	}
	if !g.worthTelling(d, v, half, now) {
		return nil, nil //nolint:nilnil // nothing changed
	}
	f := breaker.Failure{Attempts: d.untold, Probe: v.probe, Half: half}
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

// worthTelling: a success is, where there was trouble; failures are from time to time, and at once where they move the breaker.
func (g *gate) worthTelling(d *door, v verdict, half bool, now time.Time) bool {
	switch {
	case v.probe || v.disable != "" || v.pause.After(d.state.PausedUntil):
		return true
	case !v.failed:
		return d.state != d.state.Succeeded(now)
	}
	closed := d.state.OpenUntil.IsZero()
	return now.Sub(d.told) >= tellInterval || closed && (half || d.state.Failures+d.untold >= breaker.OpenAfter)
}

func (v verdict) apply(s breaker.State, now time.Time, f breaker.Failure) breaker.State {
	switch {
	case v.failed && f.Attempts > 0:
		s = s.Failed(now, f)
	case !v.failed:
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
	for try := 1; ; try++ {
		before := d.state
		next := change(before)
		if next == before && d.known {
			return nil, nil //nolint:nilnil // nothing changed
		}
		err := g.states.SaveEndpointState(ctx, endpoint, next, d.revision)
		if err == nil {
			d.keep(next, d.revision+1, g.now())
			return changeOf(endpoint, before, next, g.now()), nil
		}
		if !errors.Is(err, ErrConflict) || try == stateTries {
			return nil, err
		}
		if err := g.reread(ctx, endpoint, d); err != nil {
			return nil, err
		}
	}
}

// EndpointChange is a change of an endpoint's state that its operator wants to know of.
type EndpointChange struct {
	Endpoint string
	Type     string // one of the EndpointX types
	Reason   string
	State    breaker.State
}

// Types of the relay's own events about endpoints.
const (
	EndpointOpened    = "endpoint.opened"    // its breaker opened: deliveries are held
	EndpointRecovered = "endpoint.recovered" // its breaker closed again
	EndpointFailing   = "endpoint.failing"   // a day of nothing but failures: it will be disabled
	EndpointDisabled  = "endpoint.disabled"
)

// changeOf returns what of a change of state is worth telling; nil for nothing.
func changeOf(endpoint string, before, after breaker.State, now time.Time) *EndpointChange {
	c := &EndpointChange{Endpoint: endpoint, State: after}
	switch was, is := before.Phase(now), after.Phase(now); {
	case is == breaker.Disabled && was != breaker.Disabled:
		c.Type, c.Reason = EndpointDisabled, after.Reason
	case before.WarnedAt.IsZero() && !after.WarnedAt.IsZero():
		c.Type, c.Reason = EndpointFailing, "nothing but failures since "+after.FailingSince.Format(time.RFC3339)
	case before.Openings == 0 && after.Openings > 0:
		c.Type, c.Reason = EndpointOpened, "too many attempts failed"
	case before.Openings > 0 && after.Openings == 0 && is != breaker.Disabled:
		c.Type = EndpointRecovered
	default:
		return nil
	}
	return c
}
