package gate

import (
	"cmp"
	"context"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// ClaimProof makes it this instance's turn to have the endpoint prove itself: the time is zero then, else when to come back.
func (g *Gate) ClaimProof(ctx context.Context, ep Limits) (held time.Time, err error) {
	e := g.entry(ep.Name)
	if err := e.acquire(ctx); err != nil {
		return time.Time{}, err
	}
	defer e.release()
	now := g.now()
	if held := g.heldUntil(e.state, now); !held.IsZero() {
		return held, nil
	}
	if !g.unproved(ep, e.state) {
		return now, nil
	}
	a, err := g.claimProbe(ctx, ep, e, now)
	return a.Held, err
}

// unproved tells whether the endpoint is yet to prove itself.
func (g *Gate) unproved(ep Limits, s breaker.State) bool {
	return ep.Proof != "" && s.Proof.Of != ep.Proof
}

// Back is when a delivery may come back to the endpoint: now, if nothing holds it.
func (g *Gate) Back(ctx context.Context, endpoint string) (time.Time, error) {
	e := g.entry(endpoint)
	if err := e.acquire(ctx); err != nil {
		return time.Time{}, err
	}
	defer e.release()
	now := g.now()
	return cmp.Or(g.heldUntil(e.state, now), now), nil
}
