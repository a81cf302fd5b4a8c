package operate

import "time"

// Bounds of one request of a search.
const (
	MaxSearchReads = 2000            // records
	MaxSearchTime  = 3 * time.Second // about
)

// budget is what one request of a search may still do.
type budget struct {
	reads int
	ends  time.Time
}

func newBudget() *budget {
	return &budget{reads: MaxSearchReads, ends: time.Now().Add(MaxSearchTime)}
}

// take takes some reads and tells whether anything is left.
func (b *budget) take(reads int) bool {
	b.reads -= reads
	return b.reads > 0 && time.Now().Before(b.ends)
}
