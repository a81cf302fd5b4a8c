package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// Queue is a queue that delivers messages in the order in which they become visible. With Ordered
// set it is a relay.OrderedQueue: it delivers the messages of a group in the order in which they
// were sent, and none of a group while an earlier one of it is in flight.
type Queue struct {
	// prefix of its messages' ids, for several queues whose ids must differ
	Name       string
	Visibility time.Duration // visibility timeout; zero: 30 s
	Ordered    bool
	// how much later than due a message is delivered; called by one goroutine at a time; nil: never
	// late
	Late func() time.Duration

	mu       sync.Mutex
	messages []*stored
	last     int
	// deduplication ids of an ordered queue, and when each was accepted
	names map[string]time.Time
}

type stored struct {
	relay.Message
	group   string
	visible time.Time
}

const (
	// MaxMessageBytes is the largest body that is accepted, as in SQS.
	MaxMessageBytes = 1 << 20
	// onceFor is how long an ordered queue remembers a deduplication id, as in SQS.
	onceFor = 5 * time.Minute
)

// Send accepts each message that is not too large and has only characters that SQS accepts. In an
// ordered queue a message must also have a group and a deduplication id, and no delay.
func (q *Queue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(msgs))
	behind := map[string]error{}
	for i, m := range msgs {
		if errs[i] = q.check(m, behind[m.Group]); errs[i] != nil {
			if q.Ordered {
				behind[m.Group] = errs[i]
			}
			continue
		}
		if q.Ordered && time.Since(q.names[m.Once]) < onceFor {
			continue
		}
		q.last++
		kept := &stored{
			Message: relay.Message{
				ID: q.Name + strconv.Itoa(q.last), Body: bytes.Clone(m.Body), Resent: m.Resent,
			}, group: m.Group, visible: time.Now().Add(m.Delay + q.late()),
		}
		if q.Ordered {
			kept.Group = m.Group
			if q.names == nil {
				q.names = map[string]time.Time{}
			}
			q.names[m.Once] = time.Now()
		}
		q.messages = append(q.messages, kept)
	}
	return errs
}

func (q *Queue) check(m relay.Outgoing, behind error) error {
	switch {
	case len(m.Body) > MaxMessageBytes:
		return fmt.Errorf("memory: message of %d bytes, at most %d", len(m.Body), MaxMessageBytes)
	case q.Ordered && (m.Group == "" || m.Once == "" || m.Delay != 0):
		return fmt.Errorf(
			"memory: message for an ordered queue of group %q, name %q and delay %v", m.Group,
			m.Once, m.Delay,
		)
	case format.CheckText(m.Body) != nil:
		return fmt.Errorf("memory: %w", format.CheckText(m.Body))
	case behind != nil:
		return fmt.Errorf(
			"memory: not sent, because an earlier message of its group failed: %w", behind,
		)
	}
	return nil
}

// Receive returns up to limit visible messages, and hides them for the visibility timeout.
func (q *Queue) Receive(_ context.Context, limit int) ([]relay.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if !q.Ordered {
		slices.SortStableFunc(q.messages, func(a, b *stored) int {
			return a.visible.Compare(b.visible)
		})
	}
	free := q.groupsDue()
	var out []relay.Message
	for _, m := range q.messages {
		if len(out) == limit {
			break
		}
		if m.visible.After(now) || q.Ordered && free[m.group].After(now) {
			continue
		}
		m.Receives++
		m.visible = now.Add(cmp.Or(q.Visibility, 30*time.Second))
		out = append(out, m.Message)
	}
	return out, nil
}

// groupsDue returns for each group when its next message may be delivered. In an ordered queue none
// of the group's messages is in flight then.
func (q *Queue) groupsDue() map[string]time.Time {
	due := map[string]time.Time{}
	for _, m := range q.messages {
		at, known := due[m.group]
		if later := m.visible.After(at); !known || later == q.Ordered {
			due[m.group] = m.visible
		}
	}
	return due
}

// inFlight returns the message that was delivered as m, if it is still in flight, otherwise nil.
func (q *Queue) inFlight(m relay.Message) *stored {
	for _, s := range q.messages {
		if s.ID == m.ID && s.Receives == m.Receives && s.visible.After(time.Now()) {
			return s
		}
	}
	return nil
}

// Hold hides messages in flight, each for its time from now on.
func (q *Queue) Hold(_ context.Context, held []relay.Held) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(held))
	for i, h := range held {
		s := q.inFlight(h.Message)
		if s == nil || h.For < 0 || h.For > relay.MaxHold {
			errs[i] = fmt.Errorf(
				"memory: message %s is not in flight, or cannot be held for %v", h.ID, h.For,
			)
			continue
		}
		s.visible = time.Now().Add(h.For + q.late())
	}
	return errs
}

func (q *Queue) late() time.Duration {
	if q.Late == nil {
		return 0
	}
	return q.Late()
}

// Ack removes a message. From an ordered queue it does so only while the message is in flight.
func (q *Queue) Ack(_ context.Context, m relay.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Ordered && q.inFlight(m) == nil {
		return fmt.Errorf("memory: message %s is not in flight", m.ID)
	}
	q.messages = slices.DeleteFunc(q.messages, func(s *stored) bool { return s.ID == m.ID })
	return nil
}

// Len returns the number of messages in the queue, visible or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// List returns all messages, visible or not, without receiving them.
func (q *Queue) List() []relay.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	msgs := make([]relay.Message, len(q.messages))
	for i, m := range q.messages {
		msgs[i] = m.Message
	}
	return msgs
}

// Due returns when the next message may be delivered, or false if there is none.
func (q *Queue) Due() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(slices.Collect(maps.Values(q.groupsDue())), time.Time.Compare), true
}

// Move sends every message of q to another queue as a new message. SQS redrives dead-letter queues
// in the same way.
func (q *Queue) Move(to *Queue) {
	q.mu.Lock()
	moved := q.messages
	q.messages = nil
	q.mu.Unlock()
	for _, m := range moved {
		to.Send(
			context.Background(),
			[]relay.Outgoing{{Body: m.Body, Group: m.group, Resent: m.Resent}},
		)
	}
}
