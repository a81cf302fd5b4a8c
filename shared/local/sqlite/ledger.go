package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Ledger implements relay.Events, relay.Deliveries and relay.Ledger. A page of a listing has at
// most 100 records. It is safe for concurrent use.
type Ledger struct{ store *Store }

// Ledger returns the store's ledger.
func (s *Store) Ledger() *Ledger { return &Ledger{s} }

// RecordEvents implements relay.Events. Its records are written at the same time, and so in one
// transaction, mostly.
func (l *Ledger) RecordEvents(
	ctx context.Context, records []relay.EventRecord,
) []relay.Recorded {
	results := make([]relay.Recorded, len(records))
	record := func(i int) { results[i].Existing, results[i].Err = l.recordEvent(ctx, records[i]) }
	if len(records) == 1 {
		record(0)
		return results
	}
	var all sync.WaitGroup
	for i := range records {
		all.Go(func() { record(i) })
	}
	all.Wait()
	return results
}

func (l *Ledger) recordEvent(ctx context.Context, r relay.EventRecord) (*relay.EventRecord, error) {
	body := r.Body
	r.Body = nil
	row := eventRow{
		id: r.ID, tenant: r.Tenant, source: r.Source, received: r.ReceivedAt.UnixMilli(),
		expires: r.ExpiresAt.Unix(), record: relay.EncodeEventRecord(r), body: body,
	}
	var stored *eventRow
	err := l.store.change(ctx, false, func(v *view) {
		if stored = v.event(r.ID); stored != nil && stored.expires > time.Now().Unix() {
			return
		}
		row.alone = stored == nil && !v.hasDeliveries(r.ID)
		stored = nil
		v.putEvent(row)
	})
	if err != nil || stored == nil {
		return nil, err
	}
	existing, err := decodeEvent(stored.record, stored.body)
	return &existing, err
}

// KeepEvent implements relay.EventKeeper.
func (l *Ledger) KeepEvent(ctx context.Context, eventID string, until time.Time) error {
	return l.changeEvent(ctx, eventID, func(r *relay.EventRecord) bool {
		later := until.After(r.ExpiresAt)
		if later {
			r.ExpiresAt = until.UTC()
		}
		return later
	})
}

// row is an event or a delivery as it is stored.
type row struct{ record, body []byte }

// read reads the columns record and, if there is one, body.
func (r *row) read(stmt *sqlite.Stmt) error {
	r.record = blob(stmt, 0)
	if stmt.ColumnCount() > 1 {
		r.body = blob(stmt, 1)
	}
	return nil
}

func (r *row) event() (relay.EventRecord, error) { return decodeEvent(r.record, r.body) }

// decodeEvent returns an event from its columns.
func decodeEvent(record, body []byte) (relay.EventRecord, error) {
	e, err := relay.DecodeEventRecord(record)
	if len(body) > 0 {
		e.Body = body
	}
	return e, err
}

// Delivery implements relay.Deliveries.
func (l *Ledger) Delivery(ctx context.Context, k relay.DeliveryKey) (relay.Delivery, error) {
	var stored *deliveryRow
	err := l.store.change(ctx, false, func(v *view) {
		stored = unexpiredRow(v.delivery(deliveryKey{event: k.EventID, endpoint: k.Endpoint}))
	})
	if err != nil {
		return relay.Delivery{}, err
	}
	if stored == nil {
		return relay.Delivery{},
			fmt.Errorf(
				"sqlite: delivery of %s to %s: %w", k.EventID, k.Endpoint, catalog.ErrNotFound,
			)
	}
	return relay.DecodeDelivery(stored.record)
}

// unexpiredRow returns d, or nil if it has expired.
func unexpiredRow(d *deliveryRow) *deliveryRow {
	if d == nil || d.expires <= time.Now().Unix() {
		return nil
	}
	return d
}

// SaveDelivery implements relay.Deliveries.
func (l *Ledger) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	row := deliveryRow{
		deliveryKey: deliveryKey{event: d.EventID, endpoint: d.Endpoint}, status: string(d.Status),
		attempts: d.Attempts, expires: d.ExpiresAt.Unix(), record: relay.EncodeDelivery(d),
		received: d.ReceivedAt.UnixMilli(), due: due(d),
		changed: d.UpdatedAt.UnixMilli(),
	}
	conflict := false
	err := l.store.change(ctx, false, func(v *view) {
		attempts := 0
		if stored := unexpiredRow(v.delivery(row.deliveryKey)); stored != nil {
			attempts = stored.attempts
		}
		if conflict = attempts != prior; !conflict {
			v.putDelivery(row)
		}
	})
	if err == nil && conflict {
		err = fmt.Errorf(
			"sqlite: delivery of %s to %s over %d attempts: %w", d.EventID, d.Endpoint, prior,
			catalog.ErrConflict,
		)
	}
	return err
}

// due returns when a waiting delivery is due, in Unix milliseconds, and 0 for any other.
func due(d relay.Delivery) int64 {
	if d.Status != relay.Waiting {
		return 0
	}
	return d.NextAt.UnixMilli()
}

// Event implements relay.Ledger.
func (l *Ledger) Event(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	var stored row
	var rows []row
	err := l.store.read(ctx, func(conn *sqlite.Conn) error {
		err := exec(
			conn, "SELECT record, body FROM events WHERE id = ? AND expires > ?", stored.read, id,
			time.Now().Unix(),
		)
		if err != nil {
			return err
		}
		return exec(conn,
			"SELECT record FROM deliveries WHERE event = ? AND expires > ? ORDER BY endpoint",
			collect(&rows), id, time.Now().Unix())
	})
	if err != nil {
		return relay.EventRecord{}, nil, err
	}
	if stored.record == nil {
		return relay.EventRecord{}, nil, fmt.Errorf("sqlite: event %s: %w", id, catalog.ErrNotFound)
	}
	event, err := stored.event()
	if err != nil {
		return relay.EventRecord{}, nil, err
	}
	deliveries, err := decodeDeliveries(rows)
	return event, deliveries, err
}

func collect(rows *[]row) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		*rows = append(*rows, row{record: blob(stmt, 0)})
		return nil
	}
}

func decodeDeliveries(rows []row) ([]relay.Delivery, error) {
	deliveries := make([]relay.Delivery, len(rows))
	for i, r := range rows {
		var err error
		if deliveries[i], err = relay.DecodeDelivery(r.record); err != nil {
			return nil, err
		}
	}
	return deliveries, nil
}

// EventsIn implements operate.EventLister. Its pages are full, except the last. Events of the same
// millisecond are in the order in which they were recorded, the last one first.
func (l *Ledger) EventsIn(
	ctx context.Context, q operate.EventQuery,
) ([]operate.EventKey, relay.Page, error) {
	to := int64(math.MaxInt64)
	if !q.To.IsZero() {
		to = ceilMilli(q.To)
	}
	before := []int64{math.MaxInt64, math.MaxInt64}
	if q.Page != "" {
		var err error
		if before, err = parsePage(q.Page, 2); err != nil {
			return nil, "", fmt.Errorf("%w: %w", operate.ErrPosition, err)
		}
		to = min(to, before[0]+1) // the index is read from there
	}
	whose, owner := "tenant = ?", q.Tenant
	if q.Tenant == "" { // the sources whose names are not qualified
		whose, owner = "instr(source, ?) = 0", "/"
	}
	var rows []row
	next, err := l.list(ctx, `SELECT record, received, seq FROM events
		WHERE received >= ? AND received < ? AND (received, seq) < (?, ?) AND `+whose+`
		AND expires > ? ORDER BY received DESC, seq DESC LIMIT ?`, &rows, min(q.Limit, pageSize),
		ceilMilli(q.From), to, before[0], before[1], owner)
	if err != nil {
		return nil, "", err
	}
	keys := make([]operate.EventKey, len(rows))
	for i, r := range rows {
		e, err := r.event()
		if err != nil {
			return nil, "", err
		}
		keys[i] = operate.EventKey{
			ID: e.ID, Tenant: e.Tenant, Source: e.Source, Type: e.Type, ReceivedAt: e.ReceivedAt,
		}
	}
	return keys, next, nil
}

// errEnough ends a query early.
var errEnough = errors.New("enough")

// Arrivals implements operate.Arrivals.
func (l *Ledger) Arrivals(
	ctx context.Context, from time.Time, each func(operate.EventKey) bool,
) error {
	err := l.store.read(ctx, func(conn *sqlite.Conn) error {
		return exec(
			conn, `SELECT record FROM events WHERE received >= ? AND expires > ?
				ORDER BY received DESC`, func(stmt *sqlite.Stmt) error {
				e, err := relay.DecodeEventRecord(blob(stmt, 0))
				if err == nil && !each(operate.EventKey{
					ID: e.ID, Tenant: e.Tenant, Source: e.Source, Type: e.Type,
					ReceivedAt: e.ReceivedAt,
				}) {
					err = errEnough
				}
				return err
			}, ceilMilli(from), time.Now().Unix(),
		)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// AddEndpoints implements operate.Ledger.
func (l *Ledger) AddEndpoints(ctx context.Context, eventID string, endpoints []string) error {
	return l.changeEvent(ctx, eventID, func(r *relay.EventRecord) bool {
		before := len(r.Endpoints)
		for _, name := range endpoints {
			if !slices.Contains(r.Endpoints, name) {
				r.Endpoints = append(r.Endpoints, name)
			}
		}
		return len(r.Endpoints) > before
	})
}

// changeEvent changes the record of an event that has not expired. change returns false if there is
// nothing to write.
func (l *Ledger) changeEvent(
	ctx context.Context, eventID string, change func(*relay.EventRecord) bool,
) error {
	return l.store.do(ctx, committed, func(conn *sqlite.Conn) error {
		var stored row
		err := exec(
			conn, "SELECT record FROM events WHERE id = ? AND expires > ?", stored.read, eventID,
			time.Now().Unix(),
		)
		if err != nil || stored.record == nil {
			return err
		}
		r, err := relay.DecodeEventRecord(stored.record)
		if err != nil || !change(&r) {
			return err
		}
		doc := relay.EncodeEventRecord(r)
		l.store.writer.written += len(doc)
		return exec(
			conn, "UPDATE events SET expires = ?, record = ? WHERE id = ?", nil,
			r.ExpiresAt.Unix(), doc, eventID,
		)
	})
}

// ListDeliveries implements operate.Ledger. Its pages are full, except the last. If a delivery
// changes during the listing, the listing may omit it.
func (l *Ledger) ListDeliveries(ctx context.Context, q operate.Query, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	// as many parameters as there are statuses; a repeated status changes nothing
	statuses := []string{
		string(relay.Waiting), string(relay.Delivered), string(relay.Unneeded), string(relay.Dead),
	}
	if len(q.Statuses) > 0 {
		for i := range statuses {
			statuses[i] = string(q.Statuses[min(i, len(q.Statuses)-1)])
		}
	}
	until := int64(math.MaxInt64)
	if !q.Until.IsZero() {
		until = ceilMilli(q.Until)
	}
	before := []int64{math.MaxInt64, math.MaxInt64}
	if from != "" {
		var err error
		if before, err = parsePage(from, 2); err != nil {
			return nil, "", err
		}
	}
	return l.listDeliveries(ctx,
		`SELECT record, received, seq FROM deliveries WHERE endpoint = ? AND status IN (?, ?, ?, ?)
		AND received >= ? AND received < ? AND (received, seq) < (?, ?) AND expires > ?
		ORDER BY received DESC, seq DESC LIMIT ?`,
		q.Endpoint, statuses[0], statuses[1], statuses[2], statuses[3], ceilMilli(q.From),
		until, before[0], before[1])
}

// ceilMilli returns t in Unix milliseconds, rounded up.
func ceilMilli(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.Add(time.Millisecond - 1).UnixMilli()
}

// Overdue implements operate.Ledger.
func (l *Ledger) Overdue(ctx context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	after, err := parsePage(from, 2)
	if err != nil {
		return nil, "", err
	}
	return l.listDeliveries(ctx,
		`SELECT record, due, seq FROM deliveries WHERE endpoint = ? AND due < ? AND (due, seq) > (?, ?)
		AND expires > ? ORDER BY due, seq LIMIT ?`, endpoint, before.UnixMilli(), after[0],
		after[1])
}

// listDeliveries is list for deliveries.
func (l *Ledger) listDeliveries(
	ctx context.Context, query string, args ...any,
) ([]relay.Delivery, relay.Page, error) {
	var rows []row
	next, err := l.list(ctx, query, &rows, pageSize, args...)
	if err != nil {
		return nil, "", err
	}
	deliveries, err := decodeDeliveries(rows)
	return deliveries, next, err
}

// list runs a query and returns the next page. The query's columns are the record and two numbers,
// which are its position in the listing. list adds two parameters: the current time and the page's
// size.
func (l *Ledger) list(
	ctx context.Context, query string, rows *[]row, size int, args ...any,
) (relay.Page, error) {
	var last relay.Page
	err := l.store.read(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, query, func(stmt *sqlite.Stmt) error {
			*rows = append(*rows, row{record: blob(stmt, 0)})
			last = relay.Page(fmt.Sprintf("%d.%d", stmt.ColumnInt64(1), stmt.ColumnInt64(2)))
			return nil
		}, append(args, time.Now().Unix(), size)...)
	})
	if len(*rows) < size {
		last = ""
	}
	return last, err
}

// parsePage parses a page of n numbers. For the first page it returns the smallest numbers.
func parsePage(p relay.Page, n int) ([]int64, error) {
	numbers := slices.Repeat([]int64{math.MinInt64}, n)
	if p == "" {
		return numbers, nil
	}
	parts := strings.Split(string(p), ".")
	if len(parts) != n {
		return nil, fmt.Errorf("sqlite: %q is not a page of a listing", p)
	}
	for i, part := range parts {
		var err error
		if numbers[i], err = strconv.ParseInt(part, 10, 64); err != nil {
			return nil, fmt.Errorf("sqlite: %q is not a page of a listing", p)
		}
	}
	return numbers, nil
}
