package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Ledger is a ledger. Its listings have pages of pageSize.
type Ledger struct {
	mu         sync.Mutex
	events     map[string]relay.EventRecord
	deliveries map[relay.DeliveryKey]relay.Delivery
	cursor     operate.SweepCursor
}

// RecordEvents records each event unless there is an unexpired record with its id.
func (l *Ledger) RecordEvents(_ context.Context, records []relay.EventRecord) []relay.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	results := make([]relay.Recorded, len(records))
	for i, r := range records {
		if existing, ok := l.events[r.ID]; ok && existing.ExpiresAt.After(time.Now()) {
			results[i].Existing = &existing
			continue
		}
		if l.events == nil {
			l.events = map[string]relay.EventRecord{}
		}
		l.events[r.ID] = r
	}
	return results
}

// KeepEvent extends an event's record until a time. It never shortens it.
func (l *Ledger) KeepEvent(_ context.Context, id string, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.events[id]; ok && e.ExpiresAt.After(time.Now()) && until.After(e.ExpiresAt) {
		e.ExpiresAt = until
		l.events[id] = e
	}
	return nil
}

// Delivery returns a delivery.
func (l *Ledger) Delivery(_ context.Context, k relay.DeliveryKey) (relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.delivery(k)
	if !ok {
		return relay.Delivery{},
			fmt.Errorf("delivery of %s to %s: %w", k.EventID, k.Endpoint, catalog.ErrNotFound)
	}
	d.History = slices.Clone(d.History)
	return d, nil
}

// SaveDelivery writes d if the stored one has prior attempts.
func (l *Ledger) SaveDelivery(_ context.Context, d relay.Delivery, prior int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, _ := l.delivery(d.Key()); have.Attempts != prior {
		return fmt.Errorf(
			"delivery of %s to %s has %d attempts, not %d: %w", d.EventID, d.Endpoint,
			have.Attempts, prior, catalog.ErrConflict,
		)
	}
	if l.deliveries == nil {
		l.deliveries = map[relay.DeliveryKey]relay.Delivery{}
	}
	d.History = slices.Clone(d.History)
	l.deliveries[d.Key()] = d
	return nil
}

// delivery returns an unexpired delivery, or the zero value, which has no attempts. The caller must
// hold the lock.
func (l *Ledger) delivery(k relay.DeliveryKey) (relay.Delivery, bool) {
	d, ok := l.deliveries[k]
	if !ok || !d.ExpiresAt.After(time.Now()) {
		return relay.Delivery{}, false
	}
	return d, true
}

// Event returns an event and its deliveries.
func (l *Ledger) Event(_ context.Context, id string) (relay.EventRecord, []relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.events[id]
	if !ok || !r.ExpiresAt.After(time.Now()) {
		return relay.EventRecord{}, nil, fmt.Errorf("event %s: %w", id, catalog.ErrNotFound)
	}
	ds := l.matching(func(d relay.Delivery) bool {
		return d.EventID == id && d.ReceivedAt.Equal(r.ReceivedAt) &&
			slices.Contains(r.Endpoints, d.Endpoint)
	})
	slices.SortFunc(ds, func(a, b relay.Delivery) int {
		return cmp.Compare(a.Endpoint, b.Endpoint)
	})
	return r, ds, nil
}

// pageSize is so small that every test of a listing needs a second page.
const pageSize = 2

// paged returns the page that follows from, in the order of keys, which must be unique.
func paged[V any](all []V, key func(V) string, from relay.Page) ([]V, relay.Page) {
	return pagesOf(all, key, from, pageSize)
}

// pagesOf is paged with pages of another size.
func pagesOf[V any](
	all []V, key func(V) string, from relay.Page, size int,
) ([]V, relay.Page) {
	all = slices.DeleteFunc(all, func(v V) bool { return from != "" && key(v) <= string(from) })
	slices.SortFunc(all, func(a, b V) int { return cmp.Compare(key(a), key(b)) })
	if len(all) <= size {
		return all, ""
	}
	return all[:size], relay.Page(key(all[size-1]))
}

// EventsIn lists events, newest first.
func (l *Ledger) EventsIn(
	_ context.Context, q operate.EventQuery,
) ([]operate.EventKey, relay.Page, error) {
	if q.Page != "" && !isEventPage(q.Page) {
		return nil, "", fmt.Errorf("%w: %.60q", operate.ErrPosition, q.Page)
	}
	var keys []operate.EventKey
	for _, r := range l.recorded() {
		k := operate.EventKey{
			ID: r.ID, Tenant: r.Tenant, Source: r.Source, Type: r.Type, ReceivedAt: r.ReceivedAt,
		}
		if q.Takes(k) {
			keys = append(keys, k)
		}
	}
	keys, next := pagesOf(keys, func(k operate.EventKey) string {
		return newestFirst(k.ReceivedAt, k.ID)
	}, q.Page, min(q.Limit, pageSize))
	return keys, next, nil
}

// Arrivals lists the events that were accepted lately.
func (l *Ledger) Arrivals(
	_ context.Context, from time.Time, each func(operate.EventKey) bool,
) error {
	events := l.recorded()
	slices.SortFunc(events, func(a, b relay.EventRecord) int {
		return b.ReceivedAt.Compare(a.ReceivedAt)
	})
	for _, r := range events {
		if r.ReceivedAt.Before(from) || !each(operate.EventKey{
			ID: r.ID, Tenant: r.Tenant, Source: r.Source, Type: r.Type, ReceivedAt: r.ReceivedAt,
		}) {
			break
		}
	}
	return nil
}

// recorded returns the events that have not expired.
func (l *Ledger) recorded() []relay.EventRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []relay.EventRecord
	for r := range maps.Values(l.events) {
		if r.ExpiresAt.After(time.Now()) {
			all = append(all, r)
		}
	}
	return all
}

// newestFirst returns a key that sorts what happened at a time, the newest first.
func newestFirst(at time.Time, id string) string {
	return fmt.Sprintf("%019d %s", math.MaxInt64-at.UnixMilli(), id)
}

func isEventPage(p relay.Page) bool {
	age, _, ok := strings.Cut(string(p), " ")
	_, err := strconv.ParseInt(age, 10, 64)
	return ok && err == nil
}

// AddEndpoints adds endpoints to those that a recorded event was routed to.
func (l *Ledger) AddEndpoints(_ context.Context, id string, endpoints []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.events[id]
	if !ok || !r.ExpiresAt.After(time.Now()) {
		return nil
	}
	r.Endpoints = slices.Clone(r.Endpoints)
	for _, name := range endpoints {
		if !slices.Contains(r.Endpoints, name) {
			r.Endpoints = append(r.Endpoints, name)
		}
	}
	l.events[id] = r
	return nil
}

// ListDeliveries lists an endpoint's deliveries, newest first.
func (l *Ledger) ListDeliveries(
	_ context.Context, q operate.Query, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.list(q.Takes, from)
}

// Overdue lists an endpoint's deliveries that were due before a time.
func (l *Ledger) Overdue(
	_ context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.list(func(d relay.Delivery) bool {
		return d.Endpoint == endpoint && d.Status == relay.Waiting && d.NextAt.Before(before)
	}, from)
}

// list returns a page of the deliveries that are wanted, newest first.
func (l *Ledger) list(
	want func(relay.Delivery) bool, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deliveries, next := paged(l.matching(want), func(d relay.Delivery) string {
		return newestFirst(d.ReceivedAt, d.EventID)
	}, from)
	return deliveries, next, nil
}

func (l *Ledger) matching(want func(relay.Delivery) bool) []relay.Delivery {
	var out []relay.Delivery
	for d := range maps.Values(l.deliveries) {
		if want(d) && d.ExpiresAt.After(time.Now()) {
			out = append(out, d)
		}
	}
	return out
}
