package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

const (
	// MaxBodyBytes is the largest body of a message. SQS has the same limit.
	MaxBodyBytes = 1 << 20
	// DefaultVisibility is the visibility timeout of a queue that sets none. A handler has this
	// long for a batch.
	DefaultVisibility = 30 * time.Second

	tablePrefix = "queue_"
	pageSize    = 100 // of every listing
)

// ErrMessage: the queue does not accept the message, for example because of its size or its delay.
var ErrMessage = errors.New("sqlite: invalid message")

// QueueOptions configures a queue. The options are not stored: every process passes its own.
type QueueOptions struct {
	// receives the messages that have been received MaxReceives times; nil: no dead-letter queue
	DeadLetter  *Queue
	MaxReceives int // how often a message is received at most; required with DeadLetter
	// the visibility timeout: how long a handler has for a batch, and after which failed messages
	// come back; zero: DefaultVisibility
	Visibility time.Duration
	// Send waits until the messages are on disk; they are handed out only after that
	Durable bool
	Ordered bool // it is a relay.OrderedQueue
}

// Queue is a relay.Queue. With QueueOptions.Ordered it is a relay.OrderedQueue. It is safe for
// concurrent use.
type Queue struct {
	name    string
	store   *Store
	options QueueOptions
	// of the consumer; nil without a consumer in this process; under the store's state.mu
	backlog *backlog
	sql     queueSQL
}

// queueSQL holds the statements on one queue's table.
type queueSQL struct{ table, insert, named, read, remove, again, load, adopt, moveID string }

var queueName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Queue returns the queue of this name ([a-z0-9][a-z0-9-]{0,62}), and creates it if it does not
// exist. A second call with the same name returns the same queue, with the options of the first
// call.
func (s *Store) Queue(name string, o QueueOptions) (*Queue, error) {
	if !queueName.MatchString(name) || (o.DeadLetter != nil) != (o.MaxReceives > 0) {
		return nil, fmt.Errorf("sqlite: queue %q: a name is [a-z0-9][a-z0-9-]{0,62}; DeadLetter and MaxReceives (%d) go together",
			name, o.MaxReceives)
	}
	if o.Visibility == 0 {
		o.Visibility = DefaultVisibility
	}
	q := &Queue{name: name, store: s, options: o, sql: statements(tableOf(name))}
	err := s.do(context.Background(), committed, func(conn *sqlite.Conn) error {
		s.mu.Lock()
		known := s.queues[name]
		if known == nil {
			s.queues[name] = q
		}
		s.mu.Unlock()
		if known != nil {
			q = known
			return nil
		}
		return q.create(conn)
	})
	return q, err
}

// tableOf returns the name of a queue's table, quoted.
func tableOf(queue string) string { return `"` + tablePrefix + queue + `"` }

// statements returns the SQL for a table. A message's id is its rowid, so rows are added at the end
// of the table and mostly removed at its start.
func statements(table string) queueSQL {
	return queueSQL{
		table: table,
		insert: "INSERT INTO " + table +
			" (id, grp, due, receives, resent, name, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
		named:  "SELECT id FROM " + table + " WHERE name = ?",
		read:   "SELECT body, resent FROM " + table + " WHERE id = ?",
		remove: "DELETE FROM " + table + " WHERE id = ?",
		again:  "UPDATE " + table + " SET receives = ?, due = ? WHERE id = ?",
		load:   "SELECT id, grp, due, receives FROM " + table + " ORDER BY id",
		adopt: "SELECT id, grp, due, receives FROM " + table +
			" WHERE id > ? AND id & 1 ORDER BY id",
		moveID: "INSERT INTO " + table +
			" (id, grp, due, receives, resent, name, body) SELECT ?, grp, 0, 0, resent, NULL, body FROM ",
	}
}

// create creates the table. Its columns are in the order in which they are needed. The body is
// last, because it may lie on pages of its own.
func (q *Queue) create(conn *sqlite.Conn) error {
	for _, query := range []string{
		"CREATE TABLE IF NOT EXISTS " + q.sql.table +
			` (id INTEGER PRIMARY KEY, grp TEXT NOT NULL, due INTEGER NOT NULL,
			receives INTEGER NOT NULL, resent INTEGER NOT NULL, name TEXT, body BLOB NOT NULL)`,
		"CREATE UNIQUE INDEX IF NOT EXISTS " + q.sql.table[:len(q.sql.table)-1] + `.name" ON ` +
			q.sql.table +
			" (name) WHERE name IS NOT NULL",
	} {
		if err := exec(conn, query, nil); err != nil {
			return err
		}
	}
	return q.passIDs(conn)
}

// passIDs makes sure that the next id is greater than any in the table.
func (q *Queue) passIDs(conn *sqlite.Conn) error {
	var last int64
	err := exec(conn, "SELECT max(id) FROM "+q.sql.table, into(&last))
	st := &q.store.state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lastID = max(st.lastID, last)
	return err
}

// Send sends messages as relay.Queue describes. A message that is too large, or whose delay is out
// of range, fails with ErrMessage; the others are sent. The caller must not change the bodies
// afterwards. If the store breaks, every message gets the store's error.
func (q *Queue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	errs := make([]error, len(msgs))
	var good []relay.Outgoing
	behind := map[string]error{}
	for i, m := range msgs {
		if errs[i] = q.check(m, behind); errs[i] == nil {
			good = append(good, m)
		} else if q.options.Ordered {
			behind[m.Group] = errs[i]
		}
	}
	if len(good) == 0 {
		return errs
	}
	if err := q.insert(ctx, good); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	return errs
}

// check returns why a message is refused, or nil. behind has the groups of an ordered queue in
// which an earlier message was refused.
func (q *Queue) check(m relay.Outgoing, behind map[string]error) error {
	if q.options.Ordered && (m.Group == "" || m.Once == "" || m.Delay != 0) {
		return fmt.Errorf(
			"%w: an ordered queue needs a group (%q), a deduplication id (%q) and no delay (%v)",
			ErrMessage,
			m.Group, m.Once, m.Delay,
		)
	}
	if err := behind[m.Group]; err != nil {
		return fmt.Errorf("not sent, because an earlier message of its group failed: %w", err)
	}
	return check(m)
}

func check(m relay.Outgoing) error {
	if len(m.Body) > MaxBodyBytes {
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrMessage, len(m.Body), MaxBodyBytes)
	}
	if m.Delay < 0 || m.Delay > relay.MaxDelay {
		return fmt.Errorf("%w: delay of %v, at most %v", ErrMessage, m.Delay, relay.MaxDelay)
	}
	if err := format.CheckText(m.Body); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return nil
}

func (q *Queue) insert(ctx context.Context, msgs []relay.Outgoing) error {
	return q.store.change(ctx, q.options.Durable, func(v *view) {
		for _, m := range msgs {
			var due time.Time
			if m.Delay > 0 {
				due = time.Now().Add(m.Delay)
			}
			q.put(v, m, q.options.Ordered, m.Once, due)
		}
	})
}

// put sends a message. It sends nothing if named is set and the queue already has a message of that
// name. The message is handed out at once, or in a durable queue when it is on disk.
func (q *Queue) put(v *view, out relay.Outgoing, named bool, name string, due time.Time) {
	if named && v.named(q, name) {
		return
	}
	m := message{
		id: v.nextID(), group: out.Group, resent: out.Resent, named: named, name: name,
		body: out.Body,
	}
	if !due.IsZero() {
		m.due = dueAt(due)
	}
	v.send(q.name, m)
	q.arrive(v, m, out.Value)
}

// arrive hands a message to the consumer, if there is one.
func (q *Queue) arrive(v *view, m message, value any) {
	if q.backlog == nil {
		return
	}
	e := entry{id: m.id, group: m.group, due: m.due}
	if m.due == 0 {
		e.content = &content{body: m.body, resent: m.resent, value: value}
	}
	if v.journal != nil && q.options.Durable {
		v.journal.open.arrivals = append(v.journal.open.arrivals, arrival{to: q.backlog, entry: e})
		return
	}
	q.backlog.add([]entry{e})
}

// dueAt converts a time to Unix milliseconds, as the tables store it. It rounds up, so that a
// message is never early.
func dueAt(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// Hold implements relay.Holder. Only the handler that is handling the messages may call it. The
// handler must report them as failed.
func (q *Queue) Hold(ctx context.Context, held []relay.Held) []error {
	errs := make([]error, len(held))
	for i, h := range held {
		errs[i] = q.hold(ctx, h)
	}
	return errs
}

func (q *Queue) hold(ctx context.Context, h relay.Held) error {
	id, err := strconv.ParseInt(h.ID, 10, 64)
	if err != nil || h.For < 0 || h.For > relay.MaxHold {
		return fmt.Errorf(
			"%w: %q is to be held for %v; at most %v is possible", ErrMessage, h.ID, h.For,
			relay.MaxHold,
		)
	}
	due := dueAt(time.Now().Add(h.For))
	return q.store.change(ctx, false, func(*view) {
		if q.backlog != nil {
			q.backlog.hold(id, h.Receives, due)
		}
	})
}

// Len returns the number of messages in the queue, including those in flight and those that are
// delayed. It counts them one by one.
func (q *Queue) Len(ctx context.Context) (int, error) {
	var n int64
	err := q.store.read(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT count(*) FROM "+q.sql.table, into(&n))
	})
	return int(n), err
}

// List returns messages of the queue, oldest first, and the start of the next page. It does not
// receive them: their receive counts do not change.
func (q *Queue) List(ctx context.Context, from relay.Page) ([]relay.Message, relay.Page, error) {
	after, err := parsePage(from, 1)
	if err != nil {
		return nil, "", err
	}
	var msgs []relay.Message
	err = q.store.read(ctx, func(conn *sqlite.Conn) error {
		query := "SELECT id, receives, resent, body FROM " + q.sql.table +
			" WHERE id > ? ORDER BY id LIMIT ?"
		return exec(conn, query, func(stmt *sqlite.Stmt) error {
			msgs = append(msgs, relay.Message{ID: messageID(stmt.ColumnInt64(0)),
				Receives: stmt.ColumnInt(1),
				Resent:   stmt.ColumnBool(2), Body: blob(stmt, 3)})
			return nil
		}, after[0], pageSize)
	})
	if err != nil || len(msgs) < pageSize {
		return msgs, "", err
	}
	return msgs, relay.Page(msgs[len(msgs)-1].ID), nil
}

// Redrive sends all messages of a dead-letter queue to another queue, as SQS's redrive does. The
// messages get new ids, and their receive counts start again at 0. It returns how many messages it
// sent. Messages that arrive while it runs stay. A queue that has a consumer cannot be redriven.
func (q *Queue) Redrive(ctx context.Context, to *Queue) (int, error) {
	var sent, step int
	var last int64
	for first := true; first || step == pageSize; first = false {
		var entries []entry
		var consumer *backlog
		var refused error
		err := q.store.wait(ctx, &op{stage: onDisk, done: make(chan struct{}), then: func() {
			consumer.add(entries)
		},
			run: func(conn *sqlite.Conn) (err error) {
				st := &q.store.state
				st.mu.Lock()
				defer st.mu.Unlock()
				if q.backlog != nil {
					refused = errors.New("sqlite: redrive of a queue that is being consumed")
					return nil
				}
				if first {
					last = st.lastID
				}
				entries, err = q.moveAll(conn, to, last)
				step, consumer = len(entries), to.backlog
				return err
			}})
		if err := errors.Join(err, refused); err != nil {
			return sent, err
		}
		sent += step
	}
	return sent, nil
}

// moveAll moves the oldest messages whose id is at most last, up to pageSize of them.
func (q *Queue) moveAll(conn *sqlite.Conn, to *Queue, last int64) ([]entry, error) {
	var old, moved []entry
	err := exec(conn, "SELECT id, grp FROM "+q.sql.table+
		" WHERE id <= ? ORDER BY id LIMIT ?", func(stmt *sqlite.Stmt) error {
		old = append(old, entry{id: stmt.ColumnInt64(0), group: stmt.ColumnText(1)})
		return nil
	}, last, pageSize)
	if err != nil {
		return nil, err
	}
	v := view{state: &q.store.state, conn: conn}
	for _, e := range old {
		next := entry{id: v.nextID(), group: e.group}
		if err := q.move(conn, to, e.id, next.id); err != nil {
			return nil, err
		}
		moved = append(moved, next)
	}
	return moved, nil
}

// move moves one message. Its receive count starts again at 0.
func (q *Queue) move(conn *sqlite.Conn, to *Queue, id, newID int64) error {
	if err := exec(conn, to.sql.moveID+q.sql.table+" WHERE id = ?", nil, newID, id); err != nil {
		return err
	}
	return exec(conn, q.sql.remove, nil, id)
}

// load adds the messages that a query returns to the backlog.
func (q *Queue) load(conn *sqlite.Conn, query string, args ...any) error {
	var entries []entry
	err := exec(conn, query, func(stmt *sqlite.Stmt) error {
		e := entry{
			id: stmt.ColumnInt64(0), group: stmt.ColumnText(1), due: stmt.ColumnInt64(2),
			receives: stmt.ColumnInt(3),
		}
		entries = append(entries, e)
		// A long backlog is added in parts, because the backlog's own entries are smaller.
		if len(entries) == 10*pageSize {
			q.backlog.add(entries)
			entries = entries[:0]
		}
		return nil
	}, args...)
	q.backlog.add(entries)
	return err
}

// lastVisitor is the query for the last message id that a process gave which is not the host.
const lastVisitor = "SELECT message FROM visitors"

// loadNew adds the messages that were sent since the overlay was last applied.
func (q *Queue) loadNew(v *view) {
	added := v.active.of(q.name).added
	for _, id := range slices.Sorted(maps.Keys(added)) {
		q.arrive(v, *added[id], nil)
	}
	v.receive(nil) // a record, so that those of a durable queue arrive when they are on disk
}

// adopt adds the messages that other processes have sent since the last transaction.
func (s *Store) adopt() error {
	above := s.writer.visitor
	if err := exec(s.conn, lastVisitor, into(&s.writer.visitor)); err != nil ||
		above == s.writer.visitor {
		return err
	}
	s.mu.Lock()
	queues := slices.Collect(maps.Values(s.queues))
	s.mu.Unlock()
	st := &s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lastID = max(st.lastID, s.writer.visitor)
	st.endProbe() // it may not see these messages: a handler would find them without content
	for _, q := range queues {
		if q.backlog != nil {
			if err := q.load(s.conn, q.sql.adopt, above); err != nil {
				return err
			}
		}
	}
	return nil
}

func messageID(id int64) string { return strconv.FormatInt(id, 10) }

// Scheduler is a relay.Scheduler. It puts messages into a queue that hands them out when they are
// due. It is safe for concurrent use.
type Scheduler struct{ queue *Queue }

// Scheduler returns the scheduler of a queue.
func (s *Store) Scheduler(q *Queue) *Scheduler { return &Scheduler{q} }

// Schedule keeps msg until the time at, to the millisecond and never early. Its name stays taken
// until the message has been handled or moved to the dead-letter queue.
func (s *Scheduler) Schedule(
	ctx context.Context, name string, at time.Time, msg relay.Outgoing,
) error {
	msg.Delay = 0
	if err := check(msg); err != nil {
		return err
	}
	return s.queue.store.change(ctx, s.queue.options.Durable, func(v *view) {
		s.queue.put(v, msg, true, name, at)
	})
}
