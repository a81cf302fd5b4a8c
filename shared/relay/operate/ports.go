package operate

import (
	"context"
	"time"
	"webhook-relay/shared/relay"
)

// Ledger answers what became of a webhook.
type Ledger interface {
	// Event returns an event's record and the deliveries recorded so far, sorted by endpoint; ErrNotFound.
	Event(ctx context.Context, id string) (relay.EventRecord, []relay.Delivery, error)
	// EventsBySource lists the events a source sent in the hour that t lies in, in no particular order, without bodies and
	// headers.
	EventsBySource(ctx context.Context, source string, t time.Time, from relay.Page) ([]relay.EventRecord, relay.Page, error)
	// OpenDeliveries lists an endpoint's deliveries in a status, Waiting (next due first) or Dead (oldest death first).
	OpenDeliveries(ctx context.Context, endpoint string, status relay.Status, from relay.Page) ([]relay.Delivery, relay.Page, error)
	// Overdue lists an endpoint's waiting deliveries whose NextAt is before a time, next due first.
	Overdue(ctx context.Context, endpoint string, before time.Time, from relay.Page) ([]relay.Delivery, relay.Page, error)
	// DeliveriesOf returns an event's deliveries recorded so far, sorted by endpoint, and reads nothing of the event itself; none is not
	// an error.
	DeliveriesOf(ctx context.Context, eventID string) ([]relay.Delivery, error)
	// EventRecord returns an event's record, and reads nothing of its deliveries; ErrNotFound.
	EventRecord(ctx context.Context, id string) (relay.EventRecord, error)
	relay.EventKeeper
	Outcomes
}
