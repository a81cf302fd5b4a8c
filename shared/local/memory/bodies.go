package memory

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"webhook-relay/shared/relay/catalog"
)

// Bodies keeps bodies.
type Bodies struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

// Put keeps body.
func (b *Bodies) Put(_ context.Context, key string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bodies == nil {
		b.bodies = map[string][]byte{}
	}
	b.bodies[key] = bytes.Clone(body)
	return nil
}

// Get returns what Put kept.
func (b *Bodies) Get(_ context.Context, key string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.bodies[key]
	if !ok {
		return nil, fmt.Errorf("body %s: %w", key, catalog.ErrNotFound)
	}
	return bytes.Clone(body), nil
}
