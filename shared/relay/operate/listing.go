package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// EndpointsOf returns the names of endpoints in catalogs.
func EndpointsOf(catalogs catalog.Tenants) EndpointNames {
	return func(ctx context.Context, tenant, after string) ([]string, error) {
		return namesOf(ctx, catalogs.For(tenant), catalog.KindEndpoint, after)
	}
}

// namesOf returns some names of resources, those after a name; none: the end.
func namesOf(
	ctx context.Context, store catalog.TenantStore, kind catalog.Kind, after string,
) ([]string, error) {
	const most = 250
	found, _, err := store.Resources(ctx, kind, after, most)
	names := make([]string, len(found))
	for i, r := range found {
		names[i] = r.Name
	}
	return names, err
}

// EventsBySource lists the events of a ledger source by source, hour by hour. It implements
// EventLister for ledgers that list no other way: the hours are newest first, and so are the events
// of a page, but not those of an hour. It lists the events of the tenant's own sources; the
// operator's have the relay's own events among them.
type EventsBySource struct {
	Ledger   Ledger
	Catalogs catalog.Tenants
}

// EventsIn implements EventLister. A page may have fewer events than Limit, or none, and still not
// be the last one. Error: ErrPosition.
func (l EventsBySource) EventsIn(
	ctx context.Context, q EventQuery,
) ([]EventKey, relay.Page, error) {
	to := q.To
	if to.IsZero() {
		to = time.Now()
	}
	hour, source, page := to.UTC().Add(-1).Truncate(time.Hour), "", relay.Page("")
	from := latest(q.From, time.Now().Add(-maxEventAge)).UTC().Truncate(time.Hour)
	if q.Page != "" {
		at, rest, _ := strings.Cut(string(q.Page), " ")
		name, more, ok := strings.Cut(rest, " ")
		unix, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok {
			return nil, "", fmt.Errorf("%w: %.60q", ErrPosition, q.Page)
		}
		hour, source, page = time.Unix(unix, 0).UTC(), name, relay.Page(more)
	}
	sources, err := l.sources(ctx, q.Tenant)
	if err != nil {
		return nil, "", err
	}
	for calls := 0; !hour.Before(from) && calls < maxEmptyPages; calls++ {
		if page == "" { // the next source of the hour
			i := slices.IndexFunc(sources, func(name string) bool { return name > source })
			if i < 0 {
				hour, source = hour.Add(-time.Hour), ""
				continue
			}
			source = sources[i]
		}
		found, next, err := l.Ledger.EventsBySource(
			ctx, qualified(q.Tenant, source), hour, page,
		)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return nil, "", err
		}
		page = next
		if keys := keysIn(found, q.From, q.To); len(keys) > 0 {
			return keys, eventsPage(hour, source, page), nil
		}
	}
	if hour.Before(from) {
		return nil, "", nil
	}
	return nil, eventsPage(hour, source, page), nil
}

const (
	// maxEventAge is the longest time for which events are looked for.
	maxEventAge = 400 * 24 * time.Hour
	// maxEmptyPages is how many pages without events are read at once.
	maxEmptyPages = 200
)

func eventsPage(hour time.Time, source string, page relay.Page) relay.Page {
	return relay.Page(fmt.Sprintf("%d %s %s", hour.Unix(), source, page))
}

// keysIn returns the keys of events in a time range, newest first.
func keysIn(found []relay.EventRecord, from, to time.Time) []EventKey {
	var keys []EventKey
	for _, r := range found {
		if !r.ReceivedAt.Before(from) && (to.IsZero() || r.ReceivedAt.Before(to)) {
			keys = append(keys, EventKey{
				ID: r.ID, Source: r.Source, Type: r.Type, ReceivedAt: r.ReceivedAt,
			})
		}
	}
	slices.SortFunc(keys, func(a, b EventKey) int { return b.ReceivedAt.Compare(a.ReceivedAt) })
	return keys
}

// sources returns the names of a tenant's sources, sorted.
func (l EventsBySource) sources(ctx context.Context, tenant string) ([]string, error) {
	var all []string
	if tenant == "" {
		all = append(all, catalog.OwnSource)
	}
	for after, more := "", true; more; {
		names, err := namesOf(ctx, l.Catalogs.For(tenant), catalog.KindSource, after)
		if err != nil {
			return nil, err
		}
		if more = len(names) > 0; more {
			after = names[len(names)-1]
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return all, nil
}
