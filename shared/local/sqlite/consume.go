package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay"
)

// The defaults of ConsumerOptions.
const (
	DefaultBatchSize   = 10
	DefaultConcurrency = 16
)

// ConsumerOptions says how a queue is consumed. Zero fields mean their defaults.
type ConsumerOptions struct {
	BatchSize   int // maximum of messages in a batch; DefaultBatchSize
	Concurrency int // maximum of handlers that run at once; DefaultConcurrency
	PerGroup    int // maximum of messages of one group in flight; 0: no limit
}

// Handler handles a batch. It works like a Lambda function that reports partial batch failures: it
// returns the ids of the failed messages, or an error if all messages failed. If it returns an id
// that is not in the batch, the whole batch has failed. ctx ends after the queue's Visibility. The
// handler must return then, and must report the messages that it did not finish as failed. A panic
// is not caught.
type Handler func(ctx context.Context, msgs []relay.Message) (failed []string, err error)

// Consume passes the queue's messages to h until ctx ends or the store breaks. It returns when the
// running handlers have returned; their own contexts outlive ctx. It behaves as Lambda's event
// source mapping. It does not wait until a batch is full. A failed message is handed out again
// after the queue's Visibility, or at the time that Hold sets. A message that has been received
// MaxReceives times goes to the dead-letter queue. Groups are served in turn. This process must be
// the host, and a queue has one consumer at a time. The error is nil after ctx ends.
func (q *Queue) Consume(ctx context.Context, o ConsumerOptions, h Handler) error {
	o.BatchSize = orDefault(o.BatchSize, DefaultBatchSize)
	o.Concurrency = orDefault(o.Concurrency, DefaultConcurrency)
	b, err := q.start(o.PerGroup)
	if err != nil {
		return err
	}
	c := consumer{Queue: q, backlog: b, handler: h}
	var handlers sync.WaitGroup
	for range o.Concurrency {
		handlers.Go(func() { c.work(ctx, o.BatchSize) })
	}
	handlers.Wait()
	return q.stop()
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

// start creates the backlog and loads it from the file. From then on the writer keeps it up to
// date.
func (q *Queue) start(perGroup int) (*backlog, error) {
	q.store.hosting.Lock()
	hosted := q.store.hosted
	q.store.hosting.Unlock()
	if !hosted {
		return nil, errors.New("sqlite: Consume without Host")
	}
	b := newBacklog(perGroup)
	if q.options.Ordered {
		b.perGroup, b.ordered = 1, true
	}
	var busy error
	err := q.store.do(context.Background(), executed, func(conn *sqlite.Conn) error {
		if q.backlog != nil {
			busy = fmt.Errorf("sqlite: %s is already being consumed", q.sql.table)
			return nil
		}
		q.backlog = b
		return q.load(conn, 0)
	})
	return b, errors.Join(err, busy)
}

// stop removes the backlog. Its error is that of a broken store.
func (q *Queue) stop() error {
	return q.store.do(context.Background(), executed, func(*sqlite.Conn) error {
		q.backlog = nil
		return nil
	})
}

// consumer is one run of Consume.
type consumer struct {
	*Queue
	backlog *backlog
	handler Handler
}

// work hands out batches, one at a time.
func (c *consumer) work(ctx context.Context, batchSize int) {
	for ctx.Err() == nil && c.store.Err() == nil {
		if batch := c.backlog.take(batchSize); len(batch) > 0 {
			c.handle(ctx, batch)
			continue
		}
		select {
		case <-c.backlog.wake:
		case <-ctx.Done():
		case <-c.store.done:
		}
	}
}

// handle receives a batch, calls the handler and records the result.
func (c *consumer) handle(ctx context.Context, batch []lease) {
	if batch = c.putAside(batch); len(batch) == 0 {
		return
	}
	visible := time.Now().Add(c.options.Visibility) // again
	msgs, err := c.receive(batch)
	if err != nil {
		return // the store is broken
	}
	var failed []string
	if len(msgs) > 0 {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.options.Visibility)
		failed, err = c.handler(bounded, msgs)
		cancel()
	}
	known := func(id string) bool {
		return slices.ContainsFunc(msgs, func(m relay.Message) bool { return m.ID == id })
	}
	allFailed := err != nil || !every(failed, known)
	c.settle(batch, visible, func(l lease) bool {
		return allFailed || slices.Contains(failed, messageID(l.id))
	})
}

func every(ids []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !ok(id) })
}

// putAside moves messages that have at least MaxReceives receives to the dead-letter queue, and
// returns the other messages.
func (c *consumer) putAside(batch []lease) []lease {
	if c.options.DeadLetter == nil {
		return batch
	}
	var good, dead []lease
	for _, l := range batch {
		if l.receives < c.options.MaxReceives {
			good = append(good, l)
		} else {
			dead = append(dead, l)
		}
	}
	if len(dead) == 0 {
		return batch
	}
	_ = c.store.give(&op{run: func(conn *sqlite.Conn) error {
		for _, l := range dead {
			if err := c.move(conn, c.options.DeadLetter, l.id, l.id); err != nil {
				return err
			}
			c.options.DeadLetter.backlog.add([]entry{{id: l.id, group: l.group.name}})
		}
		return nil
	}}) // an error is the store's, which ends the consumer
	c.backlog.settle(dead, func(lease) (int64, bool) { return 0, false })
	return good
}

// receive adds one to each message's receive count and returns the messages. It waits for the
// writer only if a body must be read from the file. It omits messages that no longer exist.
func (c *consumer) receive(batch []lease) ([]relay.Message, error) {
	var missing []int
	for i := range batch {
		batch[i].receives++
		if batch[i].content == nil {
			missing = append(missing, i)
		}
	}
	w := &c.store.writer
	o := &op{run: func(conn *sqlite.Conn) error {
		for _, l := range batch {
			w.lease(l.id)
		}
		for _, i := range missing {
			if err := exec(conn, c.sql.read, func(stmt *sqlite.Stmt) error {
				batch[i].content = &content{body: blob(stmt, 0), resent: stmt.ColumnBool(1)}
				return nil
			}, batch[i].id); err != nil {
				return err
			}
		}
		return nil
	}}
	give := c.store.give
	if len(missing) > 0 {
		o.done = make(chan struct{})
		give = func(o *op) error { return c.store.wait(context.Background(), o) }
	}
	if err := give(o); err != nil {
		return nil, err
	}
	msgs := make([]relay.Message, 0, len(batch))
	for _, l := range batch {
		if l.content != nil {
			m := relay.Message{
				ID: messageID(l.id), Body: l.content.body, Receives: l.receives,
				Resent: l.content.resent,
			}
			if c.options.Ordered {
				m.Group = l.group.name
			}
			msgs = append(msgs, m)
		}
	}
	return msgs, nil
}

// settle removes the messages that were handled. A failed message comes back when its hold ends, or
// else when its visibility timeout ends. settle does not wait for the writer: the handler's own
// writes were given to the writer before.
func (c *consumer) settle(batch []lease, visible time.Time, failed func(lease) bool) {
	held, otherwise := c.backlog.held(batch), dueAt(visible)
	due := func(l lease) int64 { return cmp.Or(held[l.id], otherwise) }
	w := &c.store.writer
	_ = c.store.give(&op{run: func(conn *sqlite.Conn) error {
		for _, l := range batch {
			w.release(l.id)
			query, args := c.sql.remove, []any{l.id}
			if failed(l) {
				query, args = c.sql.again, []any{l.receives, due(l), l.id}
			}
			if err := exec(conn, query, nil, args...); err != nil {
				return err
			}
		}
		return nil
	}}) // an error is the store's, which ends the consumer
	c.backlog.settle(batch, func(l lease) (int64, bool) { return due(l), failed(l) })
}
