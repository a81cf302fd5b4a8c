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
	c := &consumer{Queue: q, backlog: b, handler: h, limits: o}
	c.grow(ctx)
	c.workers.Wait()
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
	st := &q.store.state
	err := q.store.do(context.Background(), executed, func(conn *sqlite.Conn) error {
		st.mu.Lock()
		defer st.mu.Unlock()
		if q.backlog != nil {
			busy = fmt.Errorf("sqlite: %s is already being consumed", q.sql.table)
			return nil
		}
		q.backlog = b
		if err := q.load(conn, q.sql.load); err != nil {
			return err
		}
		q.loadNew(&view{state: st})
		return nil
	})
	return b, errors.Join(err, busy)
}

// stop removes the backlog. Its error is that of a broken store.
func (q *Queue) stop() error {
	return q.store.change(context.Background(), false, func(*view) { q.backlog = nil })
}

// maxSpare limits how many handlers of a consumer wait for work. A goroutine that has run a handler
// has a large stack, which each garbage collection reads.
const maxSpare = 32

// consumer is one run of Consume.
type consumer struct {
	*Queue
	backlog *backlog
	handler Handler
	limits  ConsumerOptions

	workers sync.WaitGroup
	mu      sync.Mutex
	running int // workers, at most limits.Concurrency
	spare   int // those of them that wait for work
}

// grow starts a worker if none waits for work.
func (c *consumer) grow(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare == 0 && c.running < c.limits.Concurrency {
		c.running++
		c.spare++
		c.workers.Go(func() { c.work(ctx) })
	}
}

// busy notes that a worker, which has waited, has work or ends.
func (c *consumer) busy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spare--
}

// idle notes that a worker has no work. It returns false if the worker is not needed.
func (c *consumer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare >= maxSpare {
		c.running--
		return false
	}
	c.spare++
	return true
}

// work hands out batches, one at a time, while there is work.
func (c *consumer) work(ctx context.Context) {
	for waiting := true; ; {
		working := ctx.Err() == nil && c.store.working()
		var batch []lease
		if working {
			batch = c.backlog.take(c.limits.BatchSize)
		}
		if waiting && (len(batch) > 0 || !working) {
			waiting = false
			c.busy()
		}
		switch {
		case !working:
			return
		case len(batch) > 0:
			c.grow(ctx)
			c.handle(ctx, batch)
			continue
		case !waiting:
			if waiting = c.idle(); !waiting {
				return
			}
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
	st := &c.store.state
	_ = c.store.give(&op{stage: committed, run: func(conn *sqlite.Conn) error {
		for _, l := range dead {
			if err := c.move(conn, c.options.DeadLetter, l.id, l.id); err != nil {
				return err
			}
			st.mu.Lock()
			c.options.DeadLetter.backlog.add([]entry{{id: l.id, group: l.group.name}})
			st.mu.Unlock()
		}
		return nil
	}}) // an error is the store's, which ends the consumer
	c.backlog.settle(dead, func(lease) (int64, bool) { return 0, false })
	return good
}

// receive adds one to each message's receive count and returns the messages. It omits messages that
// no longer exist.
func (c *consumer) receive(batch []lease) ([]relay.Message, error) {
	var missing []int
	for i := range batch {
		batch[i].receives++
		if batch[i].content == nil {
			missing = append(missing, i)
		}
	}
	err := c.store.change(context.Background(), false, func(v *view) {
		ids := make([]int64, len(batch))
		for i, l := range batch {
			ids[i] = l.id
		}
		v.receive(ids)
		for _, i := range missing {
			batch[i].content = v.content(c.Queue, batch[i].id)
		}
	})
	if err != nil {
		return nil, err
	}
	msgs := make([]relay.Message, 0, len(batch))
	for _, l := range batch {
		if l.content != nil {
			m := relay.Message{
				ID: messageID(l.id), Body: l.content.body, Receives: l.receives,
				Resent: l.content.resent, Value: l.content.value,
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
// else when its visibility timeout ends.
func (c *consumer) settle(batch []lease, visible time.Time, failed func(lease) bool) {
	held, otherwise := c.backlog.held(batch), dueAt(visible)
	due := func(l lease) int64 { return cmp.Or(held[l.id], otherwise) }
	_ = c.store.change(context.Background(), false, func(v *view) {
		for _, l := range batch {
			if failed(l) {
				v.again(c.name, l.id, l.receives, due(l))
			} else {
				v.remove(c.name, l.id)
			}
		}
	}) // an error is the store's, which ends the consumer
	c.backlog.settle(batch, func(l lease) (int64, bool) { return due(l), failed(l) })
}
