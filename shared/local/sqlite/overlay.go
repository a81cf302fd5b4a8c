package sqlite

import (
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
)

// overlay holds changes that are not in SQLite yet. A queue's message that is sent and acknowledged
// within one overlay leaves nothing to write.
type overlay struct {
	last       uint64 // the number of the journal's last record in it
	bytes      int
	events     map[string]*eventRow
	deliveries map[deliveryKey]*deliveryRow
	queues     map[string]*queueOverlay
	delivered  map[string]struct{} // the events of deliveries
	// the same rows in the order of their first write, in which SQLite gets them
	eventOrder    []*eventRow
	deliveryOrder []*deliveryRow
}

type deliveryKey struct{ event, endpoint string }

// eventRow is a row of the table events.
type eventRow struct {
	id, tenant, source string
	received, expires  int64 // Unix milliseconds, seconds
	record, body       []byte
	// SQLite had no delivery of the event when this row was made, and gets none before it
	alone bool
}

// deliveryRow is a row of the table deliveries.
type deliveryRow struct {
	deliveryKey
	status   string
	attempts int
	received int64 // of its event, Unix milliseconds
	due      int64 // Unix milliseconds; 0: it does not wait
	changed  int64 // Unix milliseconds
	expires  int64 // Unix seconds
	record   []byte
}

// message is a row of a queue's table.
type message struct {
	id       int64
	group    string
	due      int64 // Unix milliseconds; 0: at once
	receives int
	resent   bool
	named    bool
	name     string // unique in the queue, if named
	body     []byte
}

// queueOverlay holds the changes of one queue.
type queueOverlay struct {
	added   map[int64]*message
	names   map[string]int64   // of added
	removed map[int64]struct{} // messages in SQLite or in an earlier overlay
	changed map[int64]message  // theirs: only due and receives
}

func newOverlay() *overlay {
	return &overlay{
		events: map[string]*eventRow{}, deliveries: map[deliveryKey]*deliveryRow{},
		queues: map[string]*queueOverlay{}, delivered: map[string]struct{}{},
	}
}

func (o *overlay) empty() bool { return o.bytes == 0 }

// noChanges are the changes of a queue that has none. Nothing is put into it.
var noChanges queueOverlay

// of returns the changes of a queue, for reading. An overlay that is being applied must not change.
func (o *overlay) of(queue string) *queueOverlay {
	if q := o.queues[queue]; q != nil {
		return q
	}
	return &noChanges
}

// queue returns the changes of a queue, for writing.
func (o *overlay) queue(name string) *queueOverlay {
	q := o.queues[name]
	if q == nil {
		q = &queueOverlay{
			added: map[int64]*message{}, names: map[string]int64{},
			removed: map[int64]struct{}{}, changed: map[int64]message{},
		}
		o.queues[name] = q
	}
	return q
}

// rowBytes is about the memory of a change beside its texts.
const rowBytes = 200

func (o *overlay) send(queue string, m message) {
	q := o.queue(queue)
	q.added[m.id] = &m
	if m.named {
		q.names[m.name] = m.id
	}
	o.bytes += len(m.body) + rowBytes
}

// remove removes a message that was handled.
func (o *overlay) remove(queue string, id int64) {
	q := o.queue(queue)
	o.bytes += rowBytes
	if m := q.added[id]; m != nil {
		if m.named {
			delete(q.names, m.name)
		}
		delete(q.added, id)
		return
	}
	delete(q.changed, id)
	q.removed[id] = struct{}{}
}

// again notes when a message comes again.
func (o *overlay) again(queue string, id int64, receives int, due int64) {
	q := o.queue(queue)
	o.bytes += rowBytes
	if m := q.added[id]; m != nil {
		m.receives, m.due = receives, due
		return
	}
	q.changed[id] = message{receives: receives, due: due}
}

func (o *overlay) event(e eventRow) {
	o.bytes += len(e.record) + len(e.body) + rowBytes
	if row := o.events[e.id]; row != nil {
		*row = e
		return
	}
	o.events[e.id] = &e
	o.eventOrder = append(o.eventOrder, &e)
}

func (o *overlay) delivery(d deliveryRow) {
	o.bytes += len(d.record) + rowBytes
	if row := o.deliveries[d.deliveryKey]; row != nil {
		*row = d
		return
	}
	o.deliveries[d.deliveryKey], o.delivered[d.event] = &d, struct{}{}
	o.deliveryOrder = append(o.deliveryOrder, &d)
}

// apply writes all changes to SQLite, within the caller's transaction. It returns about how many
// bytes that adds to the log.
func (o *overlay) apply(conn *sqlite.Conn) (written int, err error) {
	for _, name := range slices.Sorted(maps.Keys(o.queues)) {
		n, err := o.queues[name].apply(conn, statements(tableOf(name)))
		if written += n; err != nil {
			return written, err
		}
	}
	for _, e := range o.eventOrder {
		written += len(e.record) + len(e.body) + rowOverhead
		if err := e.write(conn); err != nil {
			return written, err
		}
	}
	for _, d := range o.deliveryOrder {
		written += len(d.record) + rowOverhead
		if err := d.write(conn); err != nil {
			return written, err
		}
	}
	return written, nil
}

func (q *queueOverlay) apply(conn *sqlite.Conn, sql queueSQL) (written int, err error) {
	written = (len(q.removed) + len(q.changed) + len(q.added)) * rowOverhead
	for _, id := range slices.Sorted(maps.Keys(q.removed)) {
		stmt := conn.Prep(sql.remove)
		stmt.BindInt64(1, id)
		if err := run(stmt); err != nil {
			return written, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(q.changed)) {
		stmt := conn.Prep(sql.again)
		stmt.BindInt64(1, int64(q.changed[id].receives))
		stmt.BindInt64(2, q.changed[id].due)
		stmt.BindInt64(3, id)
		if err := run(stmt); err != nil {
			return written, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(q.added)) {
		written += len(q.added[id].body)
		if err := q.added[id].write(conn, sql.insert); err != nil {
			return written, err
		}
	}
	return written, nil
}

func (m *message) write(conn *sqlite.Conn, insert string) error {
	stmt := conn.Prep(insert)
	stmt.BindInt64(1, m.id)
	stmt.BindText(2, m.group)
	stmt.BindInt64(3, m.due)
	stmt.BindInt64(4, int64(m.receives))
	stmt.BindBool(5, m.resent)
	stmt.BindNull(6)
	if m.named {
		stmt.BindText(6, m.name)
	}
	stmt.BindBytes(7, m.body)
	return run(stmt)
}

func (e *eventRow) write(conn *sqlite.Conn) error {
	stmt := conn.Prep(`INSERT INTO events (id, tenant, source, received, expires, record, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET
		tenant = ?2, source = ?3, received = ?4, expires = ?5, record = ?6, body = ?7`)
	stmt.BindText(1, e.id)
	stmt.BindText(2, e.tenant)
	stmt.BindText(3, e.source)
	stmt.BindInt64(4, e.received)
	stmt.BindInt64(5, e.expires)
	stmt.BindBytes(6, e.record)
	stmt.BindBytes(7, e.body)
	return run(stmt)
}

func (d *deliveryRow) write(conn *sqlite.Conn) error {
	stmt := conn.Prep(`INSERT INTO deliveries
		(event, endpoint, status, attempts, due, expires, record, received, changed)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (event, endpoint) DO UPDATE SET
		status = ?3, attempts = ?4, due = ?5, expires = ?6, record = ?7, received = ?8,
		changed = ?9`)
	stmt.BindText(1, d.event)
	stmt.BindText(2, d.endpoint)
	stmt.BindText(3, d.status)
	stmt.BindInt64(4, int64(d.attempts))
	stmt.BindNull(5)
	if d.due != 0 {
		stmt.BindInt64(5, d.due)
	}
	stmt.BindInt64(6, d.expires)
	stmt.BindBytes(7, d.record)
	stmt.BindInt64(8, d.received)
	stmt.BindInt64(9, d.changed)
	return run(stmt)
}

// run executes a statement that returns no rows.
func run(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	return err
}
