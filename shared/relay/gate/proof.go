package gate

import (
	"cmp"
	"context"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// ClaimProof asks for the right to ask the endpoint for its proof. If this instance may do so, held
// is zero; otherwise held is when to come back.
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
	if !g.unproven(ep, e.state) {
		return now, nil
	}
	a, err := g.claimProbe(ctx, ep, e, now)
	return a.Held, err
}

// unproven tells whether the endpoint still has to give its proof.
func (g *Gate) unproven(ep Limits, s breaker.State) bool {
	return ep.Proof != "" && s.Proof.Of != ep.Proof
}

// Back returns when a held delivery may come back: now, if the endpoint's state holds nothing.
func (g *Gate) Back(ctx context.Context, endpoint string) (time.Time, error) {
	e := g.entry(endpoint)
	if err := e.acquire(ctx); err != nil {
		return time.Time{}, err
	}
	defer e.release()
	now := g.now()
	return cmp.Or(g.heldUntil(e.state, now), now), nil
}
