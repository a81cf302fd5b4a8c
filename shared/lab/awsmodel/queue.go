package awsmodel

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"webhook-relay/shared/relay"
)

// QueueOptions configures a queue. Zero fields mean their defaults.
type QueueOptions struct {
	Visibility  time.Duration // visibility timeout; 30 s
	Lateness    time.Duration // messages become visible up to so much late, at random; none
	DeadLetter  *Queue        // receives a message after MaxReceives receives; nil: none
	MaxReceives int           // of a message, needed with DeadLetter
	// without fair queues: the oldest message comes first, whatever its group
	Unfair  bool
	Latency time.Duration // mean time of a call; none
	Seed    uint64        // of lateness and latency
}

// Queue is an SQS standard queue and a relay.Queue. It is safe for concurrent use.
type Queue struct {
	options QueueOptions

	mu       sync.Mutex
	sent     int
	visible  int
	inFlight int
	fairness fairness
	waiting  []chan struct{} // receivers in a long poll, the longest waiting first
}

// message is a message in a queue.
type message struct {
	relay.Message
	group       *group
	availableAt time.Time   // when it last became visible
	timer       *time.Timer // makes it visible; nil while it is visible
}

// Counts is the number of messages in a queue.
type Counts struct {
	Visible  int // can be received now
	InFlight int // received, and neither deleted nor visible again
}

// NewQueue returns an empty queue.
func NewQueue(o QueueOptions) *Queue {
	if o.Visibility == 0 {
		o.Visibility = 30 * time.Second
	}
	return &Queue{options: o, fairness: fairness{groups: map[string]*group{}}}
}

// Send accepts all messages. It never fails.
func (q *Queue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	q.call()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, out := range msgs {
		q.sent++
		m := &message{Message: relay.Message{
			ID: strconv.Itoa(q.sent), Body: bytes.Clone(out.Body), Resent: out.Resent,
		}}
		m.group = q.fairness.join(out.Group, m.ID, time.Now())
		late := time.Duration(q.random(q.sent, "late") * float64(q.options.Lateness))
		if wait := out.Delay + late; wait > 0 {
			q.showAfter(m, wait)
			continue
		}
		q.show(m)
	}
	return make([]error, len(msgs))
}

// call waits as long as a call to SQS takes.
func (q *Queue) call() {
	if q.options.Latency == 0 {
		return
	}
	q.mu.Lock()
	q.sent++
	n := q.sent
	q.mu.Unlock()
	time.Sleep(time.Duration((0.5 + q.random(n, "call")) * float64(q.options.Latency)))
}

// show makes a message visible. The caller holds the lock.
func (q *Queue) show(m *message) {
	m.timer, m.availableAt = nil, time.Now()
	m.group.visible = append(m.group.visible, m)
	if len(m.group.visible) == 1 {
		q.fairness.ready = append(q.fairness.ready, m.group)
	}
	q.visible++
	q.wake()
}

func (q *Queue) wake() {
	if len(q.waiting) > 0 {
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
	}
}

func (q *Queue) showAfter(m *message, wait time.Duration) {
	m.timer = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if m.timer != nil {
			q.show(m)
		}
	})
}

// Received is a received message.
type Received struct {
	relay.Message
	of *message
}

// Receive returns up to limit messages, and waits up to wait for the first. No other receiver gets
// them before the visibility timeout ends.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) []Received {
	q.call()
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		got, more := q.take(limit)
		if len(got) > 0 {
			return got
		}
		select {
		case <-more:
		case <-timeout.C:
			q.leave(more)
			return nil
		case <-ctx.Done():
			q.leave(more)
			return nil
		}
	}
}

// take receives messages, or returns a channel that is closed when there may be some.
func (q *Queue) take(limit int) ([]Received, chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.fairness.detect(now, q.inFlight)
	var got []Received
	for len(got) < limit && q.visible > 0 {
		m := q.fairness.next(q.options.Unfair)
		q.visible--
		m.Receives++
		if d := q.options.DeadLetter; d != nil && m.Receives > q.options.MaxReceives {
			q.fairness.leave(m.group)
			d.Send(context.Background(), []relay.Outgoing{{Body: m.Body, Group: m.group.name}})
			continue
		}
		q.begin(m, now)
		got = append(got, Received{Message: m.Message, of: m})
	}
	if q.visible > 0 {
		q.wake() // another receiver may have been woken without a message for it
	}
	if len(got) > 0 {
		return got, nil
	}
	more := make(chan struct{})
	q.waiting = append(q.waiting, more)
	return nil, more
}

func (q *Queue) leave(more chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, more); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	} else if q.visible > 0 {
		q.wake()
	}
}

// begin puts a message in flight.
func (q *Queue) begin(m *message, now time.Time) {
	q.inFlight++
	m.group.account(now)
	m.group.inFlight++
	receives := m.Receives
	m.timer = time.AfterFunc(q.options.Visibility, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if m.timer != nil && m.Receives == receives {
			q.end(m)
			q.show(m)
		}
	})
}

func (q *Queue) end(m *message) {
	q.inFlight--
	m.group.account(time.Now())
	m.group.inFlight--
}

// current tells whether the message is still in flight from this receive. The caller holds the
// lock.
func (r Received) current() bool { return r.of.timer != nil && r.of.Receives == r.Receives }

// Delete deletes messages. It has no effect on a message that is visible again or was received
// again.
func (q *Queue) Delete(msgs []Received) {
	if len(msgs) == 0 {
		return
	}
	q.call()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range msgs {
		if !r.current() {
			continue
		}
		r.of.timer.Stop()
		r.of.timer = nil
		q.end(r.of)
		q.fairness.leave(r.of.group)
	}
}

// ChangeVisibility makes a message in flight visible after a time.
func (q *Queue) ChangeVisibility(r Received, after time.Duration) {
	q.call()
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.current() {
		r.of.timer.Reset(after)
	}
}

// Counts counts the messages.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Counts{Visible: q.visible, InFlight: q.inFlight}
}

// Noisy lists the groups that count as noisy now, sorted.
func (q *Queue) Noisy() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fairness.detect(time.Now(), q.inFlight)
	var names []string
	for _, g := range q.fairness.groups {
		if g.noisy {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return names
}

func (q *Queue) random(n int, of string) float64 { return Random(q.options.Seed, of, n) }
