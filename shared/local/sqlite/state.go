package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	// applyEvery is how long a change stays in memory and in the journal before SQLite gets it.
	applyEvery = 500 * time.Millisecond
	// maxUnapplied is the number of bytes in the overlays from which durable messages are accepted
	// only after SQLite has caught up.
	maxUnapplied = 64 << 20
)

// state is what is in memory: the changes that SQLite does not have yet, and the messages in
// flight. It is used under mu, by every goroutine that changes or looks up something.
type state struct {
	mu     sync.Mutex
	room   *sync.Cond // told when an overlay was applied, and when the store stops
	active *overlay
	frozen []*overlay // being written to SQLite, oldest first
	due    *time.Timer
	leases map[int64]struct{} // messages in flight
	lastID int64              // the last message id that this process gave
	inFile uint64             // SQLite has all records of the journal up to this one, durably

	// the journal's file is full, and the other one has records that may not be in SQLite durably
	journalFull bool

	journal *journal     // nil: this process is not the host
	probe   *sqlite.Conn // looks up what is in no overlay
	probing bool         // probe is in a transaction

	// SQLite's log has writes on which later records of the journal may rest, and which are not
	// durable yet.
	walAhead atomic.Bool
}

// leased returns the ids of the messages in flight.
func (st *state) leased() []int64 { return slices.Collect(maps.Keys(st.leases)) }

// unapplied returns the size of all overlays in bytes.
func (st *state) unapplied() int {
	n := st.active.bytes
	for _, o := range st.frozen {
		n += o.bytes
	}
	return n
}

// view is the state as a change sees it. It is valid within change only.
type view struct {
	*state
	conn *sqlite.Conn // the writer's, within its transaction; nil: the probe
	err  error        // of SQLite
}

// change runs f on the state. In the host the change is in the journal then, and SQLite gets it
// later. If durable is set, change returns when it is on disk. In another process the change is
// made in SQLite at once. What f returns is only passed on. An error of SQLite breaks the store.
func (s *Store) change(ctx context.Context, durable bool, f func(*view)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st := &s.state
	st.mu.Lock()
	if st.journal == nil {
		st.mu.Unlock()
		return s.changeFile(ctx, durable, f)
	}
	for durable && st.unapplied() > maxUnapplied && s.working() {
		signal(s.apply)
		st.room.Wait()
	}
	if !s.working() {
		st.mu.Unlock()
		return s.Err()
	}
	v := view{state: st}
	f(&v)
	var g *frame
	if durable && v.err == nil {
		g = st.journal.frameOf(st.journal.last)
	}
	j := st.journal
	st.mu.Unlock()
	switch {
	case v.err != nil:
		s.fail(fmt.Errorf("%w: %w", ErrBroken, v.err))
		return s.Err()
	case durable:
		return j.await(g)
	}
	return nil
}

// changeFile makes a change in SQLite, in one of the writer's transactions.
func (s *Store) changeFile(ctx context.Context, durable bool, f func(*view)) error {
	at := executed
	if durable {
		at = onDisk
	}
	return s.do(ctx, at, func(conn *sqlite.Conn) error {
		s.state.mu.Lock()
		v := view{state: &s.state, conn: conn}
		f(&v)
		s.state.mu.Unlock()
		if v.err != nil {
			return v.err
		}
		return s.applyOverlay(conn)
	})
}

func (s *Store) working() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// applyOverlay writes the changes made so far to SQLite, in the writer's transaction.
func (s *Store) applyOverlay(conn *sqlite.Conn) error {
	st := &s.state
	st.mu.Lock()
	o := st.active
	if o.empty() {
		st.mu.Unlock()
		return nil
	}
	if st.journal != nil {
		o.last = st.journal.last
	}
	st.active, st.frozen = newOverlay(), append(st.frozen, o)
	st.mu.Unlock()
	written, err := o.apply(conn)
	s.writer.written += written
	if err != nil || st.journal == nil {
		return err
	}
	s.writer.applied = o.last
	return exec(conn, "UPDATE journal SET applied = ?", nil, int64(o.last)) //nolint:gosec // a count
}

// applied forgets the overlays that are committed. It tells whether the journal waits for a
// checkpoint.
func (s *Store) applied() (full bool) {
	st := &s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	clear(st.frozen)
	st.frozen = st.frozen[:0]
	st.endProbe()
	st.room.Broadcast()
	return st.journalFull
}

// endProbe ends the probe's transaction, so that it sees later commits, and so that SQLite's log
// can begin anew.
func (st *state) endProbe() {
	if st.probing {
		st.probing = false
		_ = exec(st.probe, "ROLLBACK", nil) // it has written nothing
	}
}

// file returns the connection that looks up what is in no overlay.
func (v *view) file() *sqlite.Conn {
	if v.conn != nil {
		return v.conn
	}
	if !v.probing {
		v.probing = true
		v.try(exec(v.probe, "BEGIN", nil))
	}
	return v.probe
}

func (v *view) try(err error) {
	if v.err == nil {
		v.err = err
	}
}

// overlays calls f for each overlay, the newest first, until f returns true.
func (v *view) overlays(f func(*overlay) bool) {
	if f(v.active) {
		return
	}
	for _, o := range slices.Backward(v.frozen) {
		if f(o) {
			return
		}
	}
}

// record adds a record to the journal. The function appends it.
func (v *view) record(add func([]byte) []byte) {
	if j := v.journal; j != nil {
		j.open.bytes = add(j.open.bytes)
		j.added()
	}
	if v.active.empty() && v.due != nil {
		v.due.Reset(applyEvery)
	}
}

// nextID returns a new message id. Ids grow with the clock, and are unique over restarts. Those of
// the host are even, and those of other processes odd.
func (v *view) nextID() int64 {
	odd := int64(1)
	if v.journal != nil {
		odd = 0
	}
	v.lastID = max(v.lastID+2, time.Now().UnixMicro()<<1)&^1 | odd
	return v.lastID
}

// send adds a message.
func (v *view) send(queue string, m message) {
	v.record(func(b []byte) []byte { return appendSend(b, queue, m) })
	v.active.send(queue, m)
}

// receive notes that messages are in flight.
func (v *view) receive(ids []int64) {
	for _, id := range ids {
		v.leases[id] = struct{}{}
	}
	v.record(func(b []byte) []byte { return appendIDs(b, recordReceive, ids) })
	v.active.bytes++ // so that the record is applied
}

// remove removes a message that was handled.
func (v *view) remove(queue string, id int64) {
	delete(v.leases, id)
	v.record(func(b []byte) []byte { return appendRemove(b, queue, id) })
	v.active.remove(queue, id)
}

// again notes when a message comes again.
func (v *view) again(queue string, id int64, receives int, due int64) {
	delete(v.leases, id)
	v.record(func(b []byte) []byte { return appendAgain(b, queue, id, receives, due) })
	v.active.again(queue, id, receives, due)
}

func (v *view) putEvent(e eventRow) {
	v.record(func(b []byte) []byte { return appendEvent(b, e) })
	v.active.event(e)
}

func (v *view) putDelivery(d deliveryRow) {
	v.record(func(b []byte) []byte { return appendDelivery(b, d) })
	v.active.delivery(d)
}

// event returns an event, expired or not, or nil.
func (v *view) event(id string) (found *eventRow) {
	v.overlays(func(o *overlay) bool {
		found = o.events[id]
		return found != nil
	})
	if found != nil {
		return found
	}
	stmt := v.file().Prep("SELECT expires, record, body FROM events WHERE id = ?")
	v.row(stmt, func() {
		found = &eventRow{
			id: id, expires: stmt.ColumnInt64(0), record: blob(stmt, 1), body: blob(stmt, 2),
		}
	}, id)
	return found
}

// hasDeliveries tells whether there is a delivery of an event.
func (v *view) hasDeliveries(event string) (found bool) {
	v.overlays(func(o *overlay) bool {
		_, found = o.delivered[event]
		return found
	})
	if found {
		return true
	}
	stmt := v.file().Prep("SELECT 1 FROM deliveries WHERE event = ? LIMIT 1")
	v.row(stmt, func() { found = true }, event)
	return found
}

// delivery returns a delivery, expired or not, or nil.
func (v *view) delivery(key deliveryKey) (found *deliveryRow) {
	alone := false
	v.overlays(func(o *overlay) bool {
		if found = o.deliveries[key]; found != nil {
			return true
		}
		if e := o.events[key.event]; e != nil {
			alone = alone || e.alone
		}
		return false
	})
	if found != nil || alone {
		return found
	}
	stmt := v.file().Prep(
		"SELECT attempts, expires, record FROM deliveries WHERE event = ? AND endpoint = ?",
	)
	v.row(stmt, func() {
		found = &deliveryRow{
			deliveryKey: key, attempts: stmt.ColumnInt(0), expires: stmt.ColumnInt64(1),
			record: blob(stmt, 2),
		}
	}, key.event, key.endpoint)
	return found
}

// named tells whether a queue has a message of a name.
func (v *view) named(q *Queue, name string) bool {
	var id int64
	v.overlays(func(o *overlay) bool {
		id = o.of(q.name).names[name]
		return id != 0
	})
	if id == 0 {
		stmt := v.file().Prep(q.sql.named)
		v.row(stmt, func() { id = stmt.ColumnInt64(0) }, name)
	}
	removed := false
	v.overlays(func(o *overlay) bool {
		_, removed = o.of(q.name).removed[id]
		return removed
	})
	return id != 0 && !removed
}

// content returns the content of a message, or nil if there is no such message.
func (v *view) content(q *Queue, id int64) (found *content) {
	v.overlays(func(o *overlay) bool {
		if m := o.of(q.name).added[id]; m != nil {
			found = &content{body: m.body, resent: m.resent}
		}
		return found != nil
	})
	if found != nil {
		return found
	}
	stmt := v.file().Prep(q.sql.read)
	stmt.BindInt64(1, id)
	v.row(stmt, func() { found = &content{body: blob(stmt, 0), resent: stmt.ColumnBool(1)} })
	return found
}

// row binds texts to a statement's parameters, and calls f if it has a row.
func (v *view) row(stmt *sqlite.Stmt, f func(), texts ...string) {
	for i, text := range texts {
		stmt.BindText(i+1, text)
	}
	more, err := stmt.Step()
	if err == nil && more {
		f()
	}
	v.try(err)
	v.try(stmt.Reset())
}
