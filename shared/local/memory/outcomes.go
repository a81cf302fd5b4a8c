package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// SaveSent records to how many endpoints the deliveries of an event have been sent.
func (l *Ledger) SaveSent(_ context.Context, eventID string, sent int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.events[eventID]; ok && r.ExpiresAt.After(time.Now()) && r.Sent < sent {
		r.Sent = sent
		l.events[eventID] = r
	}
	return nil
}

// EventRecord returns an event.
func (l *Ledger) EventRecord(_ context.Context, id string) (relay.EventRecord, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.events[id]
	if !ok || !r.ExpiresAt.After(time.Now()) {
		return relay.EventRecord{}, fmt.Errorf("event %s: %w", id, catalog.ErrNotFound)
	}
	return r, nil
}

// Outcomes returns what became of the events of an hour.
func (l *Ledger) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (relay.Page, error) {
	events := slices.DeleteFunc(l.recorded(), func(r relay.EventRecord) bool {
		return !r.ReceivedAt.Truncate(time.Hour).Equal(t.Truncate(time.Hour))
	})
	events, next := paged(events, func(r relay.EventRecord) string { return r.ID }, from)
	for _, e := range events {
		_, deliveries, err := l.Event(ctx, e.ID)
		if err != nil {
			return "", err
		}
		o := operate.EventOutcome{
			EventID: e.ID, Tenant: e.Tenant, Source: e.Source, Type: e.Type,
			ReceivedAt: e.ReceivedAt, Endpoints: e.Endpoints, Schema: e.Schema.Decided(),
		}
		for _, d := range deliveries {
			o.Deliveries = append(
				o.Deliveries,
				operate.DeliveryStatus{
					Endpoint: d.Endpoint, Status: d.Status, NextAt: d.NextAt,
					Attempts: d.Attempts, UpdatedAt: d.UpdatedAt,
				},
			)
		}
		each(o)
	}
	return next, nil
}

// SweepCursor returns the sweeper's cursor.
func (l *Ledger) SweepCursor(context.Context) (operate.SweepCursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursor, nil
}

// SaveSweepCursor replaces the sweeper's cursor.
func (l *Ledger) SaveSweepCursor(_ context.Context, c operate.SweepCursor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cursor = c
	return nil
}
