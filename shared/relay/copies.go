package relay

import (
	"context"
	"sync"
)

// copies keeps an instance from working on two copies of a delivery's message at the same time: they often come in one batch, and neither would find
// the other's attempt on record. The zero value is ready to use, by many at once.
type copies struct {
	mu     sync.Mutex
	inHand map[string]chan struct{} // by delivery; closed when it is done with
}

// take waits until no other copy is in hand. Whoever had to wait finds on record what the other did. done is to be called at the end.
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
