package relay

import (
	"context"
	"time"
	"webhook-relay/shared/relay/gate"
)

// slowLane names the queue that a message lies in, in its body.
const slowLane = "slow"

// The slow lane. An invocation lasts as long as its slowest message, and an event source mapping starts
// only so many at once. So an endpoint that takes long to answer would use up the invocations that other
// endpoints need, also if it answers 2xx and the circuit breaker stays closed. Attempts that take long
// are counted in the endpoint's state. As long as it says that the endpoint is slow, its deliveries are
// sent on to a queue of their own, which has a maximum concurrency of its own.

const (
	// slowAfter is how long an attempt is under way when it counts as one that takes long.
	slowAfter = 2 * time.Second
	// stillSlowAfter is the same in the slow lane, so that an endpoint near slowAfter does not change
	// lanes all the time.
	stillSlowAfter = time.Second
	// slowOrdered is how many attempts an ordered endpoint that is slow has under way at once. It
	// cannot leave its queue.
	slowOrdered = 10
)

// bypass sends the delivery to the slow lane if it belongs there. It limits the attempts of an ordered
// endpoint that is slow instead.
func (s *step) bypass(ctx context.Context, ep *gate.Limits) (sent bool, err error) {
	if s.cfg.Slow == nil || s.lane == slowLane {
		return false, nil
	}
	slow, err := s.gate.Slow(ctx, *ep)
	if err != nil || !slow {
		return false, err
	}
	return s.queue.slow(ctx, s, ep)
}

// watch counts an attempt that takes long, while it is under way: others would use up what is left of
// the invocations before it has ended. stop is to be called when the attempt has ended.
func (s *step) watch(ctx context.Context) (stop func()) {
	if s.cfg.Slow == nil {
		return func() {}
	}
	after := slowAfter
	if s.lane == slowLane {
		after = stillSlowAfter
	}
	noted := make(chan struct{})
	timer := time.AfterFunc(after, func() {
		defer close(noted)
		s.gate.TookLong(ctx, s.task.Endpoint)
	})
	return func() {
		if !timer.Stop() {
			<-noted
		}
	}
}
