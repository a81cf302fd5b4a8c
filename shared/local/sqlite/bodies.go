package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay/catalog"
)

// Bodies is a relay.Bodies. It is safe for concurrent use.
type Bodies struct {
	store *Store
	keep  time.Duration
}

// Bodies returns the store's bodies. A body is kept for the given time after its last Put; 0 means
// for ever. Choose a time that is longer than events are kept and than messages may wait.
func (s *Store) Bodies(keep time.Duration) *Bodies { return &Bodies{store: s, keep: keep} }

// Put implements relay.Bodies. If a durable queue accepts a message after Put, the body is on disk
// when that message is.
func (b *Bodies) Put(ctx context.Context, key string, body []byte) error {
	var expires any
	if b.keep > 0 {
		expires = time.Now().Add(b.keep).Unix()
	}
	return b.store.do(ctx, committed, func(conn *sqlite.Conn) error {
		b.store.writer.written += len(body)
		return exec(
			conn, "INSERT OR REPLACE INTO bodies (key, expires, body) VALUES (?, ?, ?)", nil, key,
			expires, body,
		)
	})
}

// Get implements relay.Bodies.
func (b *Bodies) Get(ctx context.Context, key string) ([]byte, error) {
	var body []byte
	err := b.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT body FROM bodies WHERE key = ?", func(stmt *sqlite.Stmt) error {
			body = blob(stmt, 0)
			return nil
		}, key)
	})
	if err == nil && body == nil {
		err = fmt.Errorf("sqlite: body %s: %w", key, catalog.ErrNotFound)
	}
	return body, err
}
