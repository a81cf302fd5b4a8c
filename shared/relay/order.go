package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
)

// maxLineAge is how long after it was sent a message of an ordered queue is still attempted. SQS
// deletes a message after 14 days, also if it has waited behind others all the time. So an older
// delivery dies, which is recorded. One day is enough to handle every message of a long group.
const maxLineAge = 13 * 24 * time.Hour

// errBehind means that a message of an ordered queue is received again because one before it in its
// group is.
var errBehind = errors.New("relay: one before it in its group is not done with")

// maxGroup is the longest name of a message group.
const maxGroup = 128

// group returns the message group of a delivery or an event: the endpoint's or source's qualified
// name, and a hash of the value that the order's key has in the document. Events without a key
// share one group. A name that is too long is also hashed.
func group(o catalog.Order, of string, doc document.Document) string {
	if o.Key == "" {
		return of
	}
	key := document.Value(doc.Text, document.SplitPath(o.Key)...)
	if key == "" {
		return of
	}
	if name := of + "#" + shortHash(key); len(name) <= maxGroup {
		return name
	}
	return shortHash(of) + "#" + shortHash(key)
}

// shortHash returns 26 characters that stand for a text in names: 128 bits of its SHA-256, so that
// different texts do not collide in practice.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return idEncoding.EncodeToString(sum[:16])
}

// inLine returns the message of a task for an ordered queue. A delivery is sent to its queue once
// for each cycle of attempts.
func (t task) inLine(event Event, raw []byte, group string, resent bool) Outgoing {
	return Outgoing{
		Body: t.encode(raw), Group: group, Resent: resent,
		Once: event.ID + "-" + shortHash(t.Endpoint) + "-" + strconv.Itoa(t.Attempt),
	}
}

// lineUp sends a delivery that came by an unordered queue to the end of its group in the ordered
// queue.
func (s *step) lineUp(ctx context.Context, o catalog.Order) error {
	var doc document.Document
	if o.Key != "" {
		body, err := s.body(ctx)
		if err != nil {
			return err
		}
		doc = s.event.document(body)
	}
	t := s.task
	t.NotBefore, t.Origin, t.Cycle = time.Time{}, "", false
	out := t.inLine(s.event, s.raw(), group(o, t.Endpoint, doc), true)
	// it may have been in that queue minutes ago and been set aside
	out.Once += "-" + shortHash(s.msg.ID)
	return Send(ctx, s.cfg.Ordered, out)
}

// resume sets the task to the attempt that the record names. A message of an ordered queue stays
// the same for a whole cycle.
func (s *step) resume() {
	d := s.record
	switch {
	case d.Attempts < s.task.Attempt: // its cycle begins with this message
	case d.Status == Waiting:
		s.task.Attempt, s.task.Step = d.Attempts+1, d.Step
	default:
		s.task.Attempt = d.Attempts
	}
}

// tooOld tells whether the delivery may no longer be attempted at the given time.
func (s *step) tooOld(ep *target, at time.Time) bool {
	return ep.MaxAge > 0 && at.Sub(s.event.ReceivedAt) > ep.MaxAge || !s.msg.SentAt.IsZero() &&
		at.Sub(s.msg.SentAt) > maxLineAge
}
