package relay

import (
	"context"
	"sync"
)

// copies prevents an instance from handling two copies of a delivery's message at the same time.
// Copies often come in one batch, and neither would find the other's attempt in the record. The
// zero value is ready to use. It is safe for concurrent use.
type copies struct {
	mu     sync.Mutex
	inHand map[string]chan struct{} // in flight, by delivery; closed at the end
}

// take waits until no other copy is in flight. After a wait, the record shows what the other copy
// did. Call done at the end.
func (c *copies) take(ctx context.Context, delivery string) (waited bool, done func(), err error) {
	for {
		c.mu.Lock()
		other := c.inHand[delivery]
		if other == nil {
			break
		}
		c.mu.Unlock()
		waited = true
		select {
		case <-other:
		case <-ctx.Done():
			return waited, nil, ctx.Err()
		}
	}
	defer c.mu.Unlock()
	if c.inHand == nil {
		c.inHand = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	c.inHand[delivery] = mine
	return waited, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.inHand, delivery)
		close(mine)
	}, nil
}
