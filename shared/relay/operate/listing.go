package operate

import (
	"context"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// EventKey is an event's entry in the index of events.
type EventKey struct {
	ID         string
	Tenant     string // whose event it is; "": the operator's
	Source     string // qualified
	Type       string
	ReceivedAt time.Time // UTC, whole milliseconds
}

// EventQuery selects events.
//
// A tenant's events are those that belong to it: those of its own sources, those that a source of
// the operator published for it, and the relay's own events about it. The operator ("") sees the
// events of the operator's sources, whomever they belong to, and all of the relay's own. It sees
// the events of a tenant's own sources as that tenant: with its id as Tenant.
type EventQuery struct {
	Tenant string
	// accepted not before From, and before To; zero: no limit
	From, To time.Time
	Limit    int        // of a page; at least 1
	Page     relay.Page // the next page, as the listing returned it; "": the newest
}

// Takes tells whether the query selects an event.
func (q EventQuery) Takes(k EventKey) bool {
	if k.ReceivedAt.Before(q.From) || !q.To.IsZero() && !k.ReceivedAt.Before(q.To) {
		return false
	}
	if q.Tenant == "" {
		return !strings.Contains(k.Source, "/") // a qualified name has one
	}
	return k.Tenant == q.Tenant
}

// EventLister lists events.
type EventLister interface {
	// EventsIn lists the recorded events that q selects, newest first: in the order in which their
	// webhooks were accepted, exactly. An event that was recorded about a second before the first
	// page was asked for is listed once. One that is recorded later may be listed. A page may have
	// fewer events than Limit, or none, and still not be the last one. Error: ErrPosition.
	EventsIn(ctx context.Context, q EventQuery) ([]EventKey, relay.Page, error)
}

// Arrivals tells which events came lately.
type Arrivals interface {
	// Arrivals calls each for the events of all tenants that were accepted not before a time, the
	// newest hour first, until each returns false. It reads what the index has of them and nothing
	// more. So a webhook that came twice may be listed twice. It is about a second behind.
	Arrivals(ctx context.Context, from time.Time, each func(EventKey) bool) error
}

// EndpointsOf returns the names of endpoints in catalogs.
func EndpointsOf(catalogs catalog.Tenants) EndpointNames {
	return func(ctx context.Context, tenant, after string) ([]string, error) {
		const most = 250
		found, _, err := catalogs.For(tenant).Resources(ctx, catalog.KindEndpoint, after, most)
		names := make([]string, len(found))
		for i, r := range found {
			names[i] = r.Name
		}
		return names, err
	}
}
