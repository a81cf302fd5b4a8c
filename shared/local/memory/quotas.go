package memory

import (
	"context"
	"sync"
	"time"
)

// Quotas keeps lines of reservations. That is enough for a host with a single process. After a
// restart it has forgotten all reservations, so a rate may be exceeded for as long as reservations
// had been made ahead.
type Quotas struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

// Reserve reserves the next piece of a line.
func (q *Quotas) Reserve(
	_ context.Context, line string, d time.Duration, earliest, latest time.Time,
) (time.Time, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := q.ends[line]
	if from.Before(earliest) {
		from = earliest.UTC().Truncate(time.Microsecond)
	}
	if from.After(latest) {
		return from, false, nil
	}
	if q.ends == nil {
		q.ends = map[string]time.Time{}
	}
	q.ends[line] = from.Add(d.Truncate(time.Microsecond))
	return from, true, nil
}
