package operate

import (
	"context"
	"time"

	"webhook-relay/shared/relay"
)

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
