package catalog

import (
	"context"
	"time"
)

// Listening is a mark beside the operator's catalog. It tells whether anybody may be listening to
// events. It is a part of State, so that a relay to which nobody listens reads nothing more.
type Listening struct {
	Since    time.Time `json:"since"` // from when on, without a break
	Until    time.Time `json:"until"` // zero: nobody listens
	Revision int64     `json:"revision"`
}

// ListeningMarks keeps the mark.
type ListeningMarks interface {
	Generations
	// MarkListening writes the mark, unless the stored one has the same revision or a later one.
	// From then on State returns it for the operator.
	MarkListening(ctx context.Context, m Listening) error
}

// ListeningUntil returns until when somebody may be listening, as the cached state of the
// operator's catalog says; zero: nobody is.
func (c *Cache[V]) ListeningUntil(ctx context.Context) (time.Time, error) {
	s, _, err := c.cfg.States.get(ctx, "")
	return s.Listening.Until, err
}
