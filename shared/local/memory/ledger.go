package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
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
	deliveries map[[2]string]relay.Delivery
	cursor     operate.SweepCursor
}

// RecordEvent records r unless there is an unexpired record with its id.
func (l *Ledger) RecordEvent(_ context.Context, r relay.EventRecord) (*relay.EventRecord, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if existing, ok := l.events[r.ID]; ok && existing.ExpiresAt.After(time.Now()) {
		return &existing, nil
	}
	if l.events == nil {
		l.events = map[string]relay.EventRecord{}
	}
	l.events[r.ID] = r
	return nil, nil //nolint:nilnil // nil is how the port says that there was no such record
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
func (l *Ledger) Delivery(_ context.Context, eventID, endpoint string) (relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.delivery(eventID, endpoint)
	if !ok {
		return relay.Delivery{},
			fmt.Errorf("delivery of %s to %s: %w", eventID, endpoint, catalog.ErrNotFound)
	}
	d.History = slices.Clone(d.History)
	return d, nil
}

// SaveDelivery writes d if the stored one has prior attempts.
func (l *Ledger) SaveDelivery(_ context.Context, d relay.Delivery, prior int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, _ := l.delivery(d.EventID, d.Endpoint); have.Attempts != prior {
		return fmt.Errorf(
			"delivery of %s to %s has %d attempts, not %d: %w", d.EventID, d.Endpoint,
			have.Attempts, prior, catalog.ErrConflict,
		)
	}
	if l.deliveries == nil {
		l.deliveries = map[[2]string]relay.Delivery{}
	}
	d.History = slices.Clone(d.History)
	l.deliveries[[2]string{d.EventID, d.Endpoint}] = d
	return nil
}

// delivery returns an unexpired delivery, or the zero value, which has no attempts. The caller must
// hold the lock.
func (l *Ledger) delivery(eventID, endpoint string) (relay.Delivery, bool) {
	d, ok := l.deliveries[[2]string{eventID, endpoint}]
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
	return r, l.deliveriesOf(id), nil
}

// pageSize is so small that every test of a listing needs a second page.
const pageSize = 2

// paged returns the page that follows from, in the order of keys, which must be unique.
func paged[V any](all []V, key func(V) string, from relay.Page) ([]V, relay.Page) {
	all = slices.DeleteFunc(all, func(v V) bool { return from != "" && key(v) <= string(from) })
	slices.SortFunc(all, func(a, b V) int { return cmp.Compare(key(a), key(b)) })
	if len(all) <= pageSize {
		return all, ""
	}
	return all[:pageSize], relay.Page(key(all[pageSize-1]))
}

// EventsBySource lists a source's events of an hour.
func (l *Ledger) EventsBySource(
	_ context.Context, source string, t time.Time, from relay.Page,
) ([]relay.EventRecord, relay.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []relay.EventRecord
	for r := range maps.Values(l.events) {
		if r.Source == source && r.ReceivedAt.Truncate(time.Hour).Equal(t.Truncate(time.Hour)) &&
			r.ExpiresAt.After(time.Now()) {
			r.Body, r.Header = nil, nil
			out = append(out, r)
		}
	}
	events, next := paged(out, func(r relay.EventRecord) string { return r.ID }, from)
	return events, next, nil
}

// OpenDeliveries lists an endpoint's waiting or dead deliveries.
func (l *Ledger) OpenDeliveries(
	_ context.Context, endpoint string, status relay.Status, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.open(from, func(d relay.Delivery) bool {
		return d.Endpoint == endpoint && d.Status == status
	})
}

// Overdue lists an endpoint's deliveries that were due before a time.
func (l *Ledger) Overdue(
	_ context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.open(from, func(d relay.Delivery) bool {
		return d.Endpoint == endpoint && d.Status == relay.Waiting && d.NextAt.Before(before)
	})
}

// open lists deliveries of one status.
func (l *Ledger) open(
	from relay.Page, want func(relay.Delivery) bool,
) ([]relay.Delivery, relay.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deliveries, next := paged(l.matching(want), func(d relay.Delivery) string {
		at := d.UpdatedAt
		if d.Status == relay.Waiting {
			at = d.NextAt
		}
		return at.UTC().Format("2006-01-02T15:04:05.000000000 ") + d.EventID
	}, from)
	return deliveries, next, nil
}

// DeliveriesOf returns an event's deliveries.
func (l *Ledger) DeliveriesOf(_ context.Context, id string) ([]relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deliveriesOf(id), nil
}

func (l *Ledger) deliveriesOf(id string) []relay.Delivery {
	ds := l.matching(func(d relay.Delivery) bool { return d.EventID == id })
	slices.SortFunc(ds, func(a, b relay.Delivery) int {
		return cmp.Compare(a.Endpoint, b.Endpoint)
	})
	return ds
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
