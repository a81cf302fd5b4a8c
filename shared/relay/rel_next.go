package relay

import (
	"context"
	"slices"
)

// nextOf is the message of a delivery's next attempt: where its cycle stands if it waits, else the first of a new one.
func nextOf(d Delivery, e Event) Outgoing {
	next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: d.Step}
	return Outgoing{Body: next.encode(EncodeEvent(e)), Group: d.Endpoint, Resent: true}
}

// firstOf are the messages of an event's first attempts, copies of which may have been sent before.
func firstOf(e Event, endpoints []string) []Outgoing {
	out := make([]Outgoing, len(endpoints))
	raw := EncodeEvent(e)
	for i, name := range endpoints {
		out[i] = Outgoing{Body: task{Endpoint: name, Attempt: 1}.encode(raw), Group: name, Resent: true}
	}
	return out
}

// sendSome sends messages without having more of them in memory than DefaultChunk.
func sendSome(ctx context.Context, q Queue, e Event, endpoints []string) []error {
	var errs []error
	for chunk := range slices.Chunk(endpoints, DefaultChunk) {
		errs = append(errs, q.Send(ctx, firstOf(e, chunk))...)
	}
	return errs
}
