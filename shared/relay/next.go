package relay

import (
	"context"
	"slices"
)

// NextAttempt is the message of a delivery's next attempt: where its cycle stands if it waits, else the first of a new one.
func NextAttempt(d Delivery, e Event) Outgoing {
	next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: d.Step}
	return Outgoing{Body: next.encode(EncodeEvent(e)), Group: d.Endpoint, Resent: true}
}

// FirstAttempts are the messages of an event's first attempts, copies of which may have been sent before.
func FirstAttempts(e Event, endpoints []string) []Outgoing {
	out := make([]Outgoing, len(endpoints))
	raw := EncodeEvent(e)
	for i, name := range endpoints {
		out[i] = Outgoing{Body: task{Endpoint: name, Attempt: 1}.encode(raw), Group: name, Resent: true}
	}
	return out
}

// SendFirstAttempts sends messages without having more of them in memory than DefaultChunk.
func SendFirstAttempts(ctx context.Context, q Queue, e Event, endpoints []string) []error {
	var errs []error
	for chunk := range slices.Chunk(endpoints, DefaultChunk) {
		errs = append(errs, q.Send(ctx, FirstAttempts(e, chunk))...)
	}
	return errs
}
