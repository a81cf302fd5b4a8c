package relay

import (
	"context"
	"slices"
)

// NextAttempt returns the message of a delivery's next attempt. A waiting delivery goes on with its
// cycle. Any other begins a new cycle.
func NextAttempt(d Delivery, e Event) Outgoing {
	next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: d.Step}
	return Outgoing{Body: next.encode(EncodeEvent(e)), Group: d.Endpoint, Resent: true}
}

// FirstAttempts returns the messages of an event's first attempts, of which copies may have been
// sent before.
func FirstAttempts(e Event, endpoints []string) []Outgoing {
	out := make([]Outgoing, len(endpoints))
	raw := EncodeEvent(e)
	for i, name := range endpoints {
		out[i] = Outgoing{
			Body: task{Endpoint: name, Attempt: 1}.encode(raw), Group: name, Resent: true,
		}
	}
	return out
}

// SendFirstAttempts sends the messages of FirstAttempts. It has at most DefaultChunk of them in
// memory at once. It returns one error for each endpoint.
func SendFirstAttempts(ctx context.Context, q Queue, e Event, endpoints []string) []error {
	var errs []error
	for chunk := range slices.Chunk(endpoints, DefaultChunk) {
		errs = append(errs, q.Send(ctx, FirstAttempts(e, chunk))...)
	}
	return errs
}
