package operate

import (
	"context"
	"time"

	"webhook-relay/shared/relay"
)

// Ledger reads the ledger.
type Ledger interface {
	// Event returns an event's record and its recorded deliveries, sorted by endpoint. Error:
	// ErrNotFound.
	Event(ctx context.Context, id string) (relay.EventRecord, []relay.Delivery, error)
	// EventsBySource lists the events that a source sent in the hour of t, in no particular order,
	// without bodies and headers.
	EventsBySource(
		ctx context.Context, source string, t time.Time, from relay.Page,
	) ([]relay.EventRecord, relay.Page, error)
	// OpenDeliveries lists an endpoint's deliveries with a status: Waiting (next due first) or Dead
	// (oldest death first).
	OpenDeliveries(
		ctx context.Context, endpoint string, status relay.Status, from relay.Page,
	) ([]relay.Delivery, relay.Page, error)
	// Overdue lists an endpoint's waiting deliveries whose NextAt is before a time, next due first.
	Overdue(
		ctx context.Context, endpoint string, before time.Time, from relay.Page,
	) ([]relay.Delivery, relay.Page, error)
	// DeliveriesOf returns an event's recorded deliveries, sorted by endpoint. It does not read the
	// event. It is no error if there are none.
	DeliveriesOf(ctx context.Context, eventID string) ([]relay.Delivery, error)
	// EventRecord returns an event's record. It does not read the deliveries. Error: ErrNotFound.
	EventRecord(ctx context.Context, id string) (relay.EventRecord, error)
	relay.EventKeeper
	Outcomes
}
