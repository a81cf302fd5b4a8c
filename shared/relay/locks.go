package relay

import (
	"context"
	"sync"
)

// deliveryLocks has a lock for each delivery, so that an instance does not handle two duplicates of
// a message at the same time. Duplicates often come in one batch, and neither would find the
// other's attempt in the record. The zero value is ready to use. It is safe for concurrent use.
type deliveryLocks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // by delivery; closed when it is unlocked
}

// lock waits until the delivery is unlocked, and locks it. After a wait, the record shows what the
// other message did. Call unlock at the end.
func (l *deliveryLocks) lock(
	ctx context.Context, delivery string,
) (waited bool, unlock func(), err error) {
	for {
		l.mu.Lock()
		other := l.held[delivery]
		if other == nil {
			break
		}
		l.mu.Unlock()
		waited = true
		select {
		case <-other:
		case <-ctx.Done():
			return waited, nil, ctx.Err()
		}
	}
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	l.held[delivery] = mine
	return waited, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, delivery)
		close(mine)
	}, nil
}
