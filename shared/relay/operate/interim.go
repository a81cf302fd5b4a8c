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
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, d.Status))
}

// EventKey is an entry of the events' index.
type EventKey struct {
	ID         string
	Source     string // qualified
	Type       string
	ReceivedAt time.Time
}

// EventQuery selects events.
type EventQuery struct {
	Tenant   string
	From, To time.Time
	Limit    int
	Page     relay.Page
}

// EventLister lists events.
type EventLister interface {
	// EventsIn lists the events of a tenant in a time range, newest first.
	EventsIn(ctx context.Context, q EventQuery) ([]EventKey, relay.Page, error)
}
