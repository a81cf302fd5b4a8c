package memory

import (
	"context"
	"sync"
	"time"

	"webhook-relay/shared/relay"
)

// Scheduler sends messages to Queue at a later time.
type Scheduler struct {
	Queue *Queue

	mu    sync.Mutex
	names map[string]time.Time
}

// Schedule sends msg to the queue. The message is visible from the given time on.
func (s *Scheduler) Schedule(
	ctx context.Context, name string, at time.Time, msg relay.Outgoing,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pending, ok := s.names[name]; ok && pending.After(time.Now()) {
		return nil
	}
	if s.names == nil {
		s.names = map[string]time.Time{}
	}
	s.names[name] = at
	msg.Delay = time.Until(at)
	return s.Queue.Send(ctx, []relay.Outgoing{msg})[0]
}
