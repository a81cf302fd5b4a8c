package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"time"
	"webhook-relay/shared/relay/catalog"

	"webhook-relay/shared/document"
)

// maxLineAge is how long after it was sent a message of an ordered queue is still attempted: SQS forgets a message after 14 days, however long it
// has stood behind others. What is older dies, which is on record; a day is enough to see to all of a long line.
const maxLineAge = 13 * 24 * time.Hour

// errBehind: a message of an ordered queue comes again since one before it in its group does.
var errBehind = errors.New("relay: one before it in its group is not done with")

// group names those that are in line with each other: of an endpoint or a source, and of the key that a document has. An event without one is
// in line with the others of that kind.
func group(o catalog.Order, of string, doc document.Document) string {
	if o.Key == "" {
		return of
	}
	key := document.Value(doc.Text, document.SplitPath(o.Key)...)
	if key == "" {
		return of
	}
	return of + "#" + shortHash(key)
}

// shortHash stands for a text in names: 26 characters, which no two texts have in common but by intent or an incredible accident.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return idEncoding.EncodeToString(sum[:16])
}

// inLine is the message of a task for an ordered queue. A delivery gets in line once for each cycle of attempts.
func (t task) inLine(event Event, raw []byte, group string, resent bool) Outgoing {
	return Outgoing{
		Body: t.encode(raw), Group: group, Resent: resent,
		Once: event.ID + "-" + shortHash(t.Endpoint) + "-" + strconv.Itoa(t.Attempt),
	}
}

// lineUp sends a delivery that came by a queue without order to the end of its line.
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
	out.Once += "-" + shortHash(s.msg.ID) // it may have been in line minutes ago, and been put aside
	return Send(ctx, s.cfg.Ordered, out)
}

// resume makes the task the one that the record leads to: a message of an ordered queue stays the same for a whole cycle.
func (s *step) resume() {
	d := s.record
	switch {
	case d.Attempts < s.task.Attempt: // the cycle begins with it
	case d.Status == Waiting:
		s.task.Attempt, s.task.Step = d.Attempts+1, d.Step
	default:
		s.task.Attempt = d.Attempts
	}
}

// tooOld tells whether the delivery may not be attempted at a time any more.
func (s *step) tooOld(ep *target, at time.Time) bool {
	return ep.MaxAge > 0 && at.Sub(s.event.ReceivedAt) > ep.MaxAge || !s.msg.SentAt.IsZero() && at.Sub(s.msg.SentAt) > maxLineAge
}
