package operate

import (
	"context"
	"slices"
	"time"

	"webhook-relay/shared/relay"
)

// Query selects deliveries of an endpoint.
type Query struct {
	Endpoint string
	Statuses []relay.Status // none: all
	// the time at which the webhook was accepted: not before From, and before Until. Zero: no limit
	From, Until time.Time
}

// Takes tells whether the query selects a delivery.
func (q Query) Takes(d relay.Delivery) bool {
	return d.Endpoint == q.Endpoint &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, d.Status)) &&
		!d.ReceivedAt.Before(q.From) && (q.Until.IsZero() || d.ReceivedAt.Before(q.Until))
}

// Ledger reads the ledger.
type Ledger interface {
	// Event returns an event's record and its recorded deliveries to the endpoints of the record,
	// sorted by endpoint. Error: ErrNotFound.
	Event(ctx context.Context, id string) (relay.EventRecord, []relay.Delivery, error)
	// ListDeliveries lists an endpoint's recorded deliveries, newest first: in the order in which
	// their webhooks were accepted. A page may have few deliveries, or none, and still not be the
	// last one.
	ListDeliveries(
		ctx context.Context, q Query, from relay.Page,
	) ([]relay.Delivery, relay.Page, error)
	// Overdue lists an endpoint's waiting deliveries whose NextAt is before a time, in no
	// particular order. Its pages are like those of ListDeliveries.
	Overdue(
		ctx context.Context, endpoint string, before time.Time, from relay.Page,
	) ([]relay.Delivery, relay.Page, error)
	// AddEndpoints adds endpoints to those that a recorded event was routed to, so that Event
	// returns its deliveries to them. If the event is not recorded, or no longer, nothing happens
	// and there is no error.
	AddEndpoints(ctx context.Context, eventID string, endpoints []string) error
	// EventRecord returns an event's record. It does not read the deliveries. Error: ErrNotFound.
	EventRecord(ctx context.Context, id string) (relay.EventRecord, error)
	relay.EventKeeper
	EventLister
	Arrivals
	Outcomes
}
