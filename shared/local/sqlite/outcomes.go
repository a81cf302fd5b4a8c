package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// SaveSent implements relay.Events.
func (l *Ledger) SaveSent(ctx context.Context, eventID string, sent int) error {
	return l.changeEvent(ctx, eventID, func(r *relay.EventRecord) bool {
		more := r.Sent < sent
		r.Sent = max(r.Sent, sent)
		return more
	})
}

// EventRecord implements relay.Ledger.
func (l *Ledger) EventRecord(ctx context.Context, id string) (relay.EventRecord, error) {
	var stored row
	err := l.store.read(ctx, func(conn *sqlite.Conn) error {
		return exec(
			conn, "SELECT record, body FROM events WHERE id = ? AND expires > ?", stored.read, id,
			time.Now().Unix(),
		)
	})
	if err != nil {
		return relay.EventRecord{}, err
	}
	if stored.record == nil {
		return relay.EventRecord{}, fmt.Errorf("sqlite: event %s: %w", id, catalog.ErrNotFound)
	}
	return stored.event()
}

// Outcomes implements relay.Ledger.
func (l *Ledger) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (relay.Page, error) {
	after, err := parsePage(from, 2)
	if err != nil {
		return "", err
	}
	hour := t.UTC().Truncate(time.Hour)
	begin := max(hour.UnixMilli(), after[0]) // the index is read from there
	var rows []row
	next, err := l.list(ctx, `SELECT record, received, seq FROM events
		WHERE received >= ? AND received < ? AND (received, seq) > (?, ?) AND expires > ?
		ORDER BY received, seq LIMIT ?`, &rows, pageSize,
		begin, hour.Add(time.Hour).UnixMilli(), after[0], after[1])
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		e, err := r.event()
		if err != nil {
			return "", err
		}
		o := operate.EventOutcome{
			EventID: e.ID, Tenant: e.Tenant, Source: e.Source, Type: e.Type,
			ReceivedAt: e.ReceivedAt, Endpoints: e.Endpoints, Schema: e.Schema.Decided(),
		}
		err = l.store.read(ctx, func(conn *sqlite.Conn) error {
			return exec(conn,
				`SELECT endpoint, status, due, attempts, changed FROM deliveries
					WHERE event = ? AND expires > ?`,
				func(stmt *sqlite.Stmt) error {
					o.Deliveries = append(o.Deliveries, operate.DeliveryStatus{
						Endpoint: stmt.ColumnText(0), Status: relay.Status(stmt.ColumnText(1)),
						NextAt: dueOf(stmt), Attempts: stmt.ColumnInt(3),
						UpdatedAt: time.UnixMilli(stmt.ColumnInt64(4)).UTC(),
					})
					return nil
				}, e.ID, time.Now().Unix())
		})
		if err != nil {
			return "", err
		}
		each(o)
	}
	return next, nil
}

// dueOf returns when a waiting delivery is due. It reads the status and the column after it. It
// returns the zero time for other deliveries.
func dueOf(stmt *sqlite.Stmt) time.Time {
	if relay.Status(stmt.ColumnText(1)) != relay.Waiting {
		return time.Time{}
	}
	return time.UnixMilli(stmt.ColumnInt64(2)).UTC()
}

// SweepCursor implements relay.SweepCursors.
func (l *Ledger) SweepCursor(ctx context.Context) (operate.SweepCursor, error) {
	var stored row
	err := l.store.read(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT cursor FROM sweep_cursor", stored.read)
	})
	if err != nil || stored.record == nil {
		return operate.SweepCursor{}, err
	}
	return operate.DecodeSweepCursor(stored.record)
}

// SaveSweepCursor implements relay.SweepCursors.
func (l *Ledger) SaveSweepCursor(ctx context.Context, c operate.SweepCursor) error {
	return l.store.do(ctx, committed, func(conn *sqlite.Conn) error {
		return exec(
			conn, "INSERT OR REPLACE INTO sweep_cursor (id, cursor) VALUES (1, ?)", nil,
			operate.EncodeSweepCursor(c),
		)
	})
}
