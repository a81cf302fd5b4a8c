package memory

import (
	"context"
	"sync"
	"time"
)

// Slots keeps the holder of each slot. That is enough for a host with a single process, because no
// attempt is in flight after it has died.
type Slots struct {
	mu      sync.Mutex
	holders map[slotKey]holder
}

type slotKey struct {
	endpoint string
	number   int
}

type holder struct {
	name  string
	until time.Time
}

// ClaimSlot gives a slot to a holder, unless another holder has it.
func (s *Slots) ClaimSlot(
	_ context.Context, endpoint string, number int, name string, until time.Time,
) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := slotKey{endpoint: endpoint, number: number}
	if h := s.holders[key]; h.name != name && h.until.After(time.Now()) {
		return false, nil
	}
	if s.holders == nil {
		s.holders = map[slotKey]holder{}
	}
	s.holders[key] = holder{name: name, until: until}
	return true, nil
}

// ReleaseSlot takes a slot from its holder.
func (s *Slots) ReleaseSlot(_ context.Context, endpoint string, number int, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := (slotKey{endpoint: endpoint, number: number}); s.holders[key].name == name {
		delete(s.holders, key)
	}
	return nil
}
