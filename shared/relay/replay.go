package relay

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Replay sends a delivery again that has ended, dead or delivered: it begins a new cycle of attempts with the event as it is on record.
// One that waits and whose next attempt is late by a quarter of an hour, so that its message must be lost, goes on where it stood.
// Two calls make one cycle (though its first attempt may be POSTed twice if both messages are handled at the same time). ErrNotFound:
// no such event, or no delivery of it to the endpoint is on record. ErrConflict: it is still waiting for its next attempt.
func Replay(ctx context.Context, ledger Ledger, retry Queue, eventID, endpoint string) error {
	record, deliveries, err := ledger.Event(ctx, eventID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(deliveries, func(d Delivery) bool { return d.Endpoint == endpoint })
	if i < 0 {
		return fmt.Errorf("delivery of %s to %s: %w", eventID, endpoint, ErrNotFound)
	}
	d := deliveries[i]
	if d.Status == Waiting && time.Now().Before(d.NextAt.Add(overdueAfter)) {
		return fmt.Errorf("delivery of %s to %s waits for its attempt %d at %s: %w",
			eventID, endpoint, d.Attempts+1, d.NextAt.Format(time.RFC3339), ErrConflict)
	}
	return sendOne(ctx, retry, nextOf(d, record.Event))
}

// nextOf is the message of a delivery's next attempt: where its cycle stands if it waits, else the first of a new one.
func nextOf(d Delivery, e Event) Outgoing {
	next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: d.Step}
	return Outgoing{Body: next.encode(EncodeEvent(e)), Group: d.Endpoint, Resent: true}
}
