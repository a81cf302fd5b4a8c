package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The errors on which callers decide.
var (
	// ErrInUse: another process hosts the queues of this directory.
	ErrInUse = errors.New("sqlite: directory in use")
	// ErrBroken: a write failed. The store writes nothing more. Remove the cause, then restart the
	// process.
	ErrBroken = errors.New("sqlite: store broken")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("sqlite: store closed")
)

const (
	fileName = "relay.db"
	lockName = "relay.lock"

	// busyTimeout is how long a write waits for a write of another process.
	busyTimeout = 30 * time.Second
	// readers is how many read queries run at once.
	readers = 4
)

// schema is the schema of the file. Each queue adds its own table (see Queue).
var schema = sqlitemigration.Schema{
	AppID: 0x52454c59, // "RELY"
	Migrations: []string{`
		CREATE TABLE events (
			seq INTEGER PRIMARY KEY, id TEXT NOT NULL, tenant TEXT NOT NULL, source TEXT NOT NULL,
			received INTEGER NOT NULL, expires INTEGER NOT NULL, record BLOB NOT NULL, body BLOB NOT NULL);
		CREATE UNIQUE INDEX events_id ON events (id);
		CREATE INDEX events_received ON events (received, tenant, source);
		CREATE INDEX events_expires ON events (expires);
		CREATE TABLE deliveries (
			seq INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, status TEXT NOT NULL,
			attempts INTEGER NOT NULL, received INTEGER NOT NULL, changed INTEGER NOT NULL,
			due INTEGER, expires INTEGER NOT NULL, record BLOB NOT NULL);
		CREATE UNIQUE INDEX deliveries_event ON deliveries (event, endpoint);
		CREATE INDEX deliveries_listed ON deliveries (endpoint, received, status);
		CREATE INDEX deliveries_due ON deliveries (endpoint, due) WHERE due IS NOT NULL;
		CREATE INDEX deliveries_expires ON deliveries (expires);
		CREATE TABLE bodies (key TEXT PRIMARY KEY, expires INTEGER, body BLOB NOT NULL) WITHOUT ROWID;
		CREATE INDEX bodies_expires ON bodies (expires) WHERE expires IS NOT NULL;
		CREATE TABLE documents (
			seq INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL,
			version INTEGER NOT NULL, expires INTEGER, body BLOB NOT NULL);
		CREATE UNIQUE INDEX documents_key ON documents (collection, key);
		CREATE INDEX documents_expires ON documents (expires) WHERE expires IS NOT NULL;

		CREATE TABLE catalogs (
			tenant TEXT PRIMARY KEY, generation INTEGER NOT NULL, revision INTEGER NOT NULL,
			changes TEXT NOT NULL) WITHOUT ROWID;
		CREATE TABLE resources (
			tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, managed TEXT NOT NULL,
			revision INTEGER NOT NULL, changed INTEGER NOT NULL, order_key TEXT, sealed BLOB NOT NULL,
			PRIMARY KEY (tenant, kind, name)) WITHOUT ROWID;
		CREATE INDEX resources_ordered ON resources (tenant) WHERE order_key IS NOT NULL;
		CREATE TABLE subscriptions (
			tenant TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL,
			endpoint TEXT NOT NULL, types TEXT NOT NULL, filter TEXT NOT NULL, managed TEXT NOT NULL,
			revision INTEGER NOT NULL, changed INTEGER NOT NULL,
			PRIMARY KEY (tenant, name)) WITHOUT ROWID;
		CREATE INDEX subscriptions_source ON subscriptions (tenant, source, position);
		CREATE INDEX subscriptions_endpoint ON subscriptions (tenant, endpoint);
		CREATE TABLE learning_windows (source TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
		CREATE TABLE endpoint_states (
			endpoint TEXT PRIMARY KEY, revision INTEGER NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;

		CREATE TABLE journal (
			id INTEGER PRIMARY KEY CHECK (id = 1),
			applied INTEGER NOT NULL, settled INTEGER NOT NULL);
		INSERT INTO journal VALUES (1, 0, 0);
		CREATE TABLE visitors (id INTEGER PRIMARY KEY CHECK (id = 1), message INTEGER NOT NULL);
		INSERT INTO visitors VALUES (1, 0);
		CREATE TABLE sweep_cursor (id INTEGER PRIMARY KEY CHECK (id = 1), cursor BLOB NOT NULL);`,
	},
}

// Store is one relay's file. It is safe for concurrent use.
type Store struct {
	dir     string
	conn    *sqlite.Conn // only the writer uses it
	mover   *sqlite.Conn // only the checkpointer uses it
	readers *sqlitex.Pool
	log     *os.File // the write-ahead log, to make it durable
	lock    *flock.Flock

	ops         chan *op
	commits     chan []*op    // committed, to be made durable
	free        chan struct{} // a token: nothing is being made durable
	full        chan struct{} // the log has grown: time for a checkpoint
	moved       chan struct{} // the checkpointer has copied most of the log
	apply       chan struct{} // a token: time to write the overlay to SQLite
	done        chan struct{} // closed when the store is broken or closing
	stopped     chan struct{} // closed when the last operation has been answered
	quit        chan struct{} // closed by Close
	committed   atomic.Uint64 // SQLite has the journal's records up to this one, committed
	uncommitted atomic.Int64  // operations that were given and are not committed yet
	writer      writer
	state       state

	hosting sync.Mutex // held by Host; not mu, because the writer needs mu
	hosted  bool

	mu     sync.Mutex
	err    error
	queues map[string]*Queue
	close  sync.Once
	idle   sync.WaitGroup // housekeeping and checkpoints
}

// Exists tells whether dir has a store. It does not create one.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return err == nil
}

// Open opens the store in dir. If they do not exist, it creates the directory and the file, for the
// current user only. The store must be closed. Several processes may open one directory. The
// process that consumes messages calls Host.
func Open(dir string) (*Store, error) {
	keepBlocks()
	s := &Store{
		dir: dir, ops: make(chan *op, maxGroup), commits: make(chan []*op, 1),
		free: make(chan struct{}, 1), full: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		done: make(chan struct{}), stopped: make(chan struct{}), quit: make(chan struct{}),
		apply: make(chan struct{}, 1), queues: map[string]*Queue{},
		state: state{active: newOverlay(), leases: map[int64]struct{}{}},
	}
	s.state.room = sync.NewCond(&s.state.mu)
	s.free <- struct{}{}
	if err := s.open(); err != nil {
		s.release()
		return nil, fmt.Errorf("sqlite: open %s: %w", filepath.Join(dir, fileName), err)
	}
	go s.write()
	go s.sync()
	s.idle.Go(s.checkpoint)
	if err := s.recoverIfDead(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(s.dir, fileName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return err // a better error than SQLite's
	}
	if err := file.Close(); err != nil {
		return err
	}
	if s.conn, err = connect(path); err != nil {
		return err
	}
	if err := migrate(s.conn); err != nil {
		return err
	}
	if s.mover, err = connect(path); err != nil {
		return err
	}
	s.readers, err = sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadWrite, PoolSize: readers, PrepareConn: func(conn *sqlite.Conn) error {
			return exec(conn, "PRAGMA query_only = ON", nil)
		}})
	if err != nil {
		return err
	}
	s.log, err = os.OpenFile(path+"-wal", os.O_RDWR, 0) //nolint:gosec // the operator's own path
	if err != nil {
		return err
	}
	if s.writer.dataVersion, err = dataVersion(s.conn); err != nil {
		return err
	}
	err = exec(s.conn, lastVisitor, into(&s.writer.visitor))
	s.state.lastID = s.writer.visitor
	return err
}

// connect opens a connection for writing. The sizes of its cache and of the log were chosen by
// measurement.
func connect(path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	if err := exec(conn, "PRAGMA page_size = 8192", nil); err != nil { // of a new file
		return nil, errors.Join(err, conn.Close())
	}
	if err := writeAhead(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	for _, pragma := range []string{
		"synchronous = NORMAL", "wal_autocheckpoint = 0", "cache_size = -16384",
	} {
		if err := exec(conn, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// writeAhead switches the file to a write-ahead log. SQLite's busy timeout has no effect here: if
// two connections switch a new file at the same time and both have begun to read, one of them fails
// at once. So writeAhead tries again itself.
func writeAhead(conn *sqlite.Conn) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := exec(conn, "PRAGMA journal_mode = WAL", nil)
		if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultBusy || time.Since(began) > busyTimeout {
			return err
		}
	}
}

func migrate(conn *sqlite.Conn) error {
	if err := sqlitemigration.Migrate(context.Background(), conn, schema); err != nil {
		return err
	}
	version, known := int64(0), int64(len(schema.Migrations))
	if err := exec(conn, "PRAGMA user_version", into(&version)); err != nil {
		return err
	}
	if version > known {
		return fmt.Errorf(
			"the file has schema %d, but this build reads only up to %d; use a newer build",
			version, known,
		)
	}
	return nil
}

// housekeep removes expired records. It begins a transaction each second, and thereby also finds
// the messages that other processes sent.
func (s *Store) housekeep() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
		for more := true; more; {
			if err := s.do(context.Background(), executed, func(conn *sqlite.Conn) (err error) {
				more, err = purge(conn, time.Now())
				return err
			}); err != nil {
				return
			}
		}
	}
}

// purge removes some expired records and reports whether there may be more.
func purge(conn *sqlite.Conn, now time.Time) (more bool, err error) {
	const limit = 100 // some milliseconds, too short to delay other work
	for _, query := range []string{
		"DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE expires <= ? LIMIT ?)",
		"DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries WHERE expires <= ? LIMIT ?)",
		"DELETE FROM bodies WHERE key IN (SELECT key FROM bodies WHERE expires <= ? LIMIT ?)",
		"DELETE FROM documents WHERE seq IN (SELECT seq FROM documents WHERE expires <= ? LIMIT ?)",
	} {
		if err := exec(conn, query, nil, now.Unix(), limit); err != nil {
			return false, err
		}
		more = more || conn.Changes() == limit
	}
	return more, nil
}

// read runs f in one transaction on a connection of its own. f must not write. It sees everything
// that was executed or changed before.
func (s *Store) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	return s.look(ctx, f)
}

// look is like read, but may miss operations that are executed and not yet committed. It is for
// data whose writers wait for the commit.
func (s *Store) look(ctx context.Context, f func(*sqlite.Conn) error) (err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer s.readers.Put(conn)
	defer sqlitex.Transaction(conn)(&err)
	return f(conn)
}

// Done is closed when the store is broken or closed.
func (s *Store) Done() <-chan struct{} { return s.done }

// Err returns why Done is closed: an error that is ErrBroken or ErrClosed. It returns nil while the
// store works.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail stops the store. Only the first error is kept.
func (s *Store) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
		close(s.done)
	}
	s.mu.Unlock()
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.room.Broadcast()
}

// Close writes the waiting operations, makes them durable, and releases the file. If the store was
// broken, Close returns its error. Stop the consumers first: end the context of Consume and wait
// until it returns.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.quit)
		<-s.stopped
		s.stopJournal()
		s.fail(ErrClosed)
		s.idle.Wait()
		s.release()
	})
	if err := s.Err(); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// release closes everything that is open. The writer's connection is the last one, so that it
// removes the log.
func (s *Store) release() {
	if s.readers != nil {
		_ = s.readers.Close()
	}
	for _, conn := range []*sqlite.Conn{s.state.probe, s.mover, s.conn} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	if s.lock != nil {
		_ = s.lock.Unlock()
	}
}
