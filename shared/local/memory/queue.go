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
	"webhook-relay/shared/relay/format"

	"webhook-relay/shared/relay"
)

// Queue is a queue that hands messages out in the order in which they become visible. With Ordered set it is a relay.OrderedQueue: it hands out those
// of a group in the order in which they were sent, and none while one of them is in hand that was handed out before.
type Queue struct {
	Name       string        // begins the ids of its messages, where several queues must not have the same
	Visibility time.Duration // how long a message is out of sight once received; zero: 30 s
	Ordered    bool
	Late       func() time.Duration // how much later than due a message is handed out; called by one goroutine at a time; nil: not at all

	mu       sync.Mutex
	messages []*stored
	last     int
	names    map[string]time.Time // of an ordered queue's messages, and when they were accepted
}

type stored struct {
	relay.Message
	group   string
	visible time.Time
}

const (
	// MaxMessageBytes is the largest body that is accepted, as in SQS.
	MaxMessageBytes = 1 << 20
	// onceFor is how long an ordered queue knows a name, as in SQS.
	onceFor = 5 * time.Minute
)

// Send accepts each message that is not too large and a text such as SQS takes, and in an ordered queue has a group, a name and no delay.
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
			relay.Message{ID: q.Name + strconv.Itoa(q.last), Body: bytes.Clone(m.Body), Resent: m.Resent}, m.Group, time.Now().Add(m.Delay + q.late()),
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
		return fmt.Errorf("memory: message for an ordered queue of group %q, name %q and delay %v", m.Group, m.Once, m.Delay)
	case format.CheckText(m.Body) != nil:
		return fmt.Errorf("memory: %w", format.CheckText(m.Body))
	case behind != nil:
		return fmt.Errorf("memory: one before it in its group: %w", behind)
	}
	return nil
}

// Receive hands out up to limit visible messages, and hides them for the visibility timeout.
func (q *Queue) Receive(_ context.Context, limit int) ([]relay.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if !q.Ordered {
		slices.SortStableFunc(q.messages, func(a, b *stored) int { return a.visible.Compare(b.visible) })
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

// groupsDue is from when on the next message of each group may be handed out: in an ordered queue none of its messages is in hand then.
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

// inHand returns a message that was handed out as m, and has not become visible again; nil if there is none.
func (q *Queue) inHand(m relay.Message) *stored {
	for _, s := range q.messages {
		if s.ID == m.ID && s.Receives == m.Receives && s.visible.After(time.Now()) {
			return s
		}
	}
	return nil
}

// Hold hides messages that are in hand, each for its time from now on.
func (q *Queue) Hold(_ context.Context, held []relay.Held) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(held))
	for i, h := range held {
		s := q.inHand(h.Message)
		if s == nil || h.For < 0 || h.For > relay.MaxHold {
			errs[i] = fmt.Errorf("memory: message %s is not in hand, or cannot be held for %v", h.ID, h.For)
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

// Ack removes a message; from an ordered queue only while it is in hand.
func (q *Queue) Ack(_ context.Context, m relay.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Ordered && q.inHand(m) == nil {
		return fmt.Errorf("memory: message %s is not in hand", m.ID)
	}
	q.messages = slices.DeleteFunc(q.messages, func(s *stored) bool { return s.ID == m.ID })
	return nil
}

// Len is how many messages are in the queue, visible or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// List returns all messages, visible or not, and hands out none of them.
func (q *Queue) List() []relay.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	msgs := make([]relay.Message, len(q.messages))
	for i, m := range q.messages {
		msgs[i] = m.Message
	}
	return msgs
}

// Due is when the next message may be handed out; false if there is none.
func (q *Queue) Due() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(slices.Collect(maps.Values(q.groupsDue())), time.Time.Compare), true
}

// Move sends every message of q to another queue as a new one, which is how SQS redrives dead letters.
func (q *Queue) Move(to *Queue) {
	q.mu.Lock()
	moved := q.messages
	q.messages = nil
	q.mu.Unlock()
	for _, m := range moved {
		to.Send(context.Background(), []relay.Outgoing{{Body: m.Body, Group: m.group, Resent: m.Resent}})
	}
}
