package gate

import (
	"context"

	"webhook-relay/shared/relay/gate/breaker"
)

// Slow tells whether an endpoint is slow. It is false while the endpoint's state holds deliveries.
func (g *Gate) Slow(ctx context.Context, ep Limits) (bool, error) {
	e := g.entry(ep.Name)
	if err := e.acquire(ctx); err != nil {
		return false, err
	}
	defer e.release()
	if err := g.refresh(ctx, ep, e); err != nil {
		return false, err
	}
	now := g.now()
	return e.state.Slow(now) && g.heldUntil(e.state, now).IsZero(), nil
}

// TookLong counts a slow attempt. If the count cannot be written, it is dropped; a slow endpoint
// has more such attempts.
func (g *Gate) TookLong(ctx context.Context, endpoint string) {
	e := g.entry(endpoint)
	if err := e.acquire(ctx); err != nil {
		return
	}
	defer e.release()
	now := g.now()
	_, _ = g.update(ctx, endpoint, e, func(s breaker.State) breaker.State {
		return s.TookLong(now)
	})
}
