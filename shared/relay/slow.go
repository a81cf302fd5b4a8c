package relay

import (
	"context"
	"time"

	"webhook-relay/shared/relay/gate"
)

// The slow queue. An invocation lasts as long as its slowest message, and an event source mapping
// runs only so many invocations at once. So an endpoint that answers slowly would use up the
// invocations that other endpoints need. That also happens if it answers 2xx and its circuit
// breaker stays closed. Therefore slow attempts are counted in the endpoint's state. While the
// state says that the endpoint is slow, its deliveries are sent to a queue of their own, which has
// its own maximum concurrency.

const (
	// slowAfter is the duration after which an attempt counts as slow.
	slowAfter = 2 * time.Second
	// stillSlowAfter is the same in the slow queue. It is shorter, so that an endpoint near
	// slowAfter does not change queues all the time.
	stillSlowAfter = time.Second
	// slowOrdered is how many attempts a slow ordered endpoint may have in flight at once. Its
	// messages cannot leave their queue.
	slowOrdered = 10
)

// bypass sends the delivery to the slow queue if it belongs there. For a slow ordered endpoint it
// limits the concurrency instead.
func (s *step) bypass(ctx context.Context, ep *gate.Limits) (sent bool, err error) {
	if s.cfg.Slow == nil || s.fromSlow {
		return false, nil
	}
	slow, err := s.deliverer.gate.Slow(ctx, *ep)
	if err != nil || !slow {
		return false, err
	}
	return s.queue.slow(ctx, s, ep)
}

// watch counts an attempt as slow while it is still in flight. If it counted only at the end, other
// attempts could use up the remaining invocations before. Call stop when the attempt has ended.
func (s *step) watch(ctx context.Context) (stop func()) {
	if s.cfg.Slow == nil {
		return func() {}
	}
	after := slowAfter
	if s.fromSlow {
		after = stillSlowAfter
	}
	noted := make(chan struct{})
	timer := time.AfterFunc(after, func() {
		defer close(noted)
		s.deliverer.gate.TookLong(ctx, s.task.Endpoint)
	})
	return func() {
		if !timer.Stop() {
			<-noted
		}
	}
}
