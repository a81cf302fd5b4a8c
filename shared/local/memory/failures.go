package memory

import (
	"context"
	"sync"
)

// maxCounts bounds what is remembered: when more messages have failed, all counts begin anew.
const maxCounts = 100_000

// Failures counts how often the handling of messages has failed. A host that is a single process needs no other: counts begin
// anew with the process, and a message that kills it is known by how often it was received.
type Failures struct {
	mu     sync.Mutex
	counts map[string]int
}

// CountFailure adds one to a message's count and returns it.
func (f *Failures) CountFailure(_ context.Context, messageID string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil || len(f.counts) >= maxCounts {
		f.counts = map[string]int{}
	}
	f.counts[messageID]++
	return f.counts[messageID], nil
}

// ForgetFailures has a message's count begin anew.
func (f *Failures) ForgetFailures(_ context.Context, messageID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.counts, messageID)
	return nil
}
