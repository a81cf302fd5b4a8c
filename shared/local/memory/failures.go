package memory

import (
	"context"
	"sync"
)

// maxCounts is the largest number of counts. When more messages have failed, all counts are reset.
const maxCounts = 100_000

// Failures counts how often the handling of a message has failed. That is enough for a host with a
// single process. The counts begin again with the process. A message that kills the process is
// recognised by its receive count.
type Failures struct {
	mu     sync.Mutex
	counts map[string]int
}

// CountFailure adds one to a message's count and returns the count.
func (f *Failures) CountFailure(_ context.Context, messageID string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil || len(f.counts) >= maxCounts {
		f.counts = map[string]int{}
	}
	f.counts[messageID]++
	return f.counts[messageID], nil
}

// ForgetFailures resets a message's count.
func (f *Failures) ForgetFailures(_ context.Context, messageID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.counts, messageID)
	return nil
}
