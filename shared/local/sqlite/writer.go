package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// maxGroup limits the operations of one transaction, and also how many may wait for the next
	// transaction.
	maxGroup = 1024
	// maxOpen limits how long a transaction stays open for more operations while nobody waits for
	// its commit.
	maxOpen = 5 * time.Millisecond
	// checkpointBytes is the estimated number of bytes written between checkpoints. The log stays
	// at about this size.
	checkpointBytes = 16 << 20
	// rowOverhead is the estimated number of bytes that a small write adds to the log: parts of the
	// pages of its table and indexes.
	rowOverhead = 2 << 10
)

// stage says when an operation is answered.
type stage int

const (
	executed  stage = iota // later operations see it, and can survive only together with it
	committed              // readers see it
	onDisk                 // it survives
)

// op is an operation for the writer. Operations run in the order in which they were given.
type op struct {
	// an error breaks the store, so a refusal must not be returned here
	run   func(*sqlite.Conn) error
	stage stage
	then  func()        // called when the stage is reached; may be nil
	done  chan struct{} // closed then; nil if nobody waits
}

func (o *op) answer() {
	if o.then != nil {
		o.then()
	}
	if o.done != nil {
		close(o.done)
	}
}

// writer is the state of the writing goroutine. No other goroutine uses it.
type writer struct {
	dataVersion int64              // changes when another connection has written
	lastID      int64              // no message id so far is greater; the next one is
	leases      map[int64]struct{} // messages in flight
	leasesStale bool               // the leases in the file are older than these
	written     int                // bytes since the last checkpoint, by estimate
	// there are commits that were not yet given to the syncing goroutine
	unsynced bool
	durable  []*op // operations of these commits that wait until they are on disk
}

// do gives f to the writer and waits until f has reached the stage. The error is ctx's if ctx ended
// before f was accepted, or else the store's.
func (s *Store) do(ctx context.Context, at stage, f func(*sqlite.Conn) error) error {
	return s.wait(ctx, &op{run: f, stage: at, done: make(chan struct{})})
}

// wait gives o to the writer and waits for its answer. Once the writer has accepted o, wait ignores
// ctx: the answer takes only milliseconds.
func (s *Store) wait(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.give(o); err != nil {
		return err
	}
	select {
	case <-o.done:
		return nil
	case <-s.stopped:
	}
	select {
	case <-o.done: // answered with the last
		return nil
	default:
		return s.stopError()
	}
}

// give hands o to the writer without waiting for it.
func (s *Store) give(o *op) error {
	select {
	case <-s.done:
		return s.Err()
	default:
	}
	s.uncommitted.Add(1)
	select {
	case s.ops <- o:
		return nil
	case <-s.stopped:
		return s.stopError()
	}
}

func (s *Store) stopError() error {
	if err := s.Err(); err != nil {
		return err
	}
	return ErrClosed // between the last write and the end of Close
}

// flush returns when everything executed so far can be read through any connection.
func (s *Store) flush(ctx context.Context) error {
	if s.uncommitted.Load() == 0 {
		return ctx.Err()
	}
	return s.do(ctx, committed, func(*sqlite.Conn) error { return nil })
}

// write runs all operations until the store is closed or broken.
func (s *Store) write() {
	defer close(s.commits)
	defer close(s.full)
	s.writer.leases = map[int64]struct{}{}
	timer := time.NewTimer(maxOpen)
	for {
		var first *op
		select {
		case first = <-s.ops:
		case <-s.moved:
			if err := passiveCheckpoint(s.conn); err != nil {
				s.fail(fmt.Errorf("%w: checkpoint: %w", ErrBroken, err))
				return
			}
			continue
		case <-s.unsynced():
			s.handOver()
			continue
		case <-s.done: // a commit could not be made durable
			return
		case <-s.quit:
			if first = s.waiting(); first == nil {
				<-s.free
				s.handOver()
				return
			}
		}
		timer.Reset(maxOpen)
		if err := s.transaction(first, timer.C); err != nil {
			s.fail(fmt.Errorf("%w: %w", ErrBroken, err))
			_ = exec(s.conn, "ROLLBACK", nil) // there may be nothing to roll back
			return
		}
	}
}

// transaction executes first and the operations that follow it, and commits.
func (s *Store) transaction(first *op, timeout <-chan time.Time) error {
	if err := s.begin(); err != nil {
		return err
	}
	var later [onDisk + 1][]*op // to be answered after the commit
	n := 0
	for o := first; o != nil; o = s.next(
		n, len(later[committed]) > 0, len(later[onDisk]) > 0, timeout,
	) {
		n++
		if err := o.run(s.conn); err != nil {
			return err
		}
		if o.stage == executed {
			o.answer()
		} else {
			later[o.stage] = append(later[o.stage], o)
		}
	}
	if err := s.saveLeases(); err != nil {
		return err
	}
	if err := exec(s.conn, "COMMIT", nil); err != nil {
		return err
	}
	s.uncommitted.Add(-int64(n))
	for _, o := range later[committed] {
		o.answer()
	}
	s.writer.unsynced, s.writer.durable = true, append(s.writer.durable, later[onDisk]...)
	select {
	case <-s.free:
		s.handOver()
	default: // when the disk is free again
	}
	s.writer.written += n * rowOverhead
	if s.writer.written > checkpointBytes {
		s.writer.written = 0
		signal(s.full)
	}
	return nil
}

// next returns the next operation for the open transaction, or nil when it is time to commit. It is
// time when an operation waits for the commit and no other operation is waiting to be executed.
// While the disk is busy with earlier commits, an early commit does not help a durable operation.
// So operations that arrive meanwhile join its transaction.
func (s *Store) next(n int, readable, durable bool, timeout <-chan time.Time) *op {
	if n >= maxGroup {
		return nil
	}
	if o := s.waiting(); o != nil || readable {
		return o
	}
	var free chan struct{}
	if durable {
		free = s.free
	}
	select {
	case o := <-s.ops:
		return o
	case <-free:
		s.free <- struct{}{} // for the commit
		return s.waiting()
	case <-timeout:
		return nil
	case <-s.quit:
		return nil
	}
}

// unsynced returns a channel that tells when the commits made so far can go to the disk. It returns
// nil if there are none.
func (s *Store) unsynced() <-chan struct{} {
	if s.writer.unsynced {
		return s.free
	}
	return nil
}

// handOver gives the commits made so far to the syncing goroutine. The caller has taken that
// goroutine's token.
func (s *Store) handOver() {
	s.commits <- s.writer.durable
	s.writer.unsynced, s.writer.durable = false, nil
}

// waiting returns an operation that was already given, or nil.
func (s *Store) waiting() *op {
	select {
	case o := <-s.ops:
		return o
	default:
		return nil
	}
}

// begin opens a transaction. If another process wrote since the last transaction, begin adds that
// process's messages to the backlogs.
func (s *Store) begin() error {
	if err := exec(s.conn, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	version, err := dataVersion(s.conn)
	if err != nil {
		return err
	}
	if version != s.writer.dataVersion {
		s.writer.dataVersion = version
		if err := s.adopt(); err != nil {
			return err
		}
	}
	s.writer.lastID = max(s.writer.lastID, time.Now().UnixMicro())
	return nil
}

// nextID returns a new message id. Ids grow with the clock, so no two processes give the same id,
// nor does one process after a restart.
func (w *writer) nextID() int64 {
	w.lastID++
	return w.lastID
}

func (w *writer) lease(id int64) {
	w.leases[id] = struct{}{}
	w.leasesStale = true
}

func (w *writer) release(id int64) {
	delete(w.leases, id)
	w.leasesStale = true
}

// saveLeases stores which messages are in flight. It does so once for each transaction, however
// many messages there are. The same transaction has the effects of these messages. So if the
// effects of a message survive, its receive is known too.
func (s *Store) saveLeases() error {
	if !s.writer.leasesStale {
		return nil
	}
	s.writer.leasesStale = false
	list := make([]byte, 0, 8*len(s.writer.leases))
	for id := range s.writer.leases {
		list = binary.BigEndian.AppendUint64(list, uint64(id)) //nolint:gosec // ids are positive
	}
	return exec(s.conn, "INSERT OR REPLACE INTO leases VALUES (1, ?)", nil, list)
}

func decodeLeases(list []byte) []int64 {
	ids := make([]int64, len(list)/8)
	for i := range ids {
		ids[i] = int64(binary.BigEndian.Uint64(list[8*i:])) //nolint:gosec // ids are positive
	}
	return ids
}

// sync makes commits durable and answers the operations that wait for that. Each call to the disk
// covers all commits since the last one. The token of sync is in s.free while sync is idle.
func (s *Store) sync() {
	defer close(s.stopped)
	for group := range s.commits {
		s.makeDurable(group)
		s.free <- struct{}{}
	}
}

func (s *Store) makeDurable(group []*op) {
	if err := dataSync(s.log); err != nil {
		s.fail(fmt.Errorf("%w: sync: %w", ErrBroken, err))
	}
	if s.Err() != nil {
		return // nobody is answered: they get the store's error once it has stopped
	}
	for _, o := range group {
		o.answer()
	}
}

// checkpoint copies the log into the file whenever the log has grown, while the writer works. The
// writer then copies what it has written meanwhile, which is little. After that it can start the
// log from the beginning.
func (s *Store) checkpoint() {
	for range s.full {
		if err := passiveCheckpoint(s.mover); err != nil {
			s.fail(fmt.Errorf("%w: checkpoint: %w", ErrBroken, err))
			return
		}
		signal(s.moved)
	}
}

func passiveCheckpoint(conn *sqlite.Conn) error {
	return exec(conn, "PRAGMA wal_checkpoint(PASSIVE)", nil)
}

// signal leaves a token in a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func dataVersion(conn *sqlite.Conn) (version int64, err error) {
	err = exec(conn, "PRAGMA data_version", into(&version))
	return version, err
}

// exec runs one statement with its parameters and calls row, if not nil, for each row of the
// result.
func exec(conn *sqlite.Conn, query string, row func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}

// into is a row function that stores the only column.
func into(n *int64) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		*n = stmt.ColumnInt64(0)
		return nil
	}
}

// blob returns a copy of a column.
func blob(stmt *sqlite.Stmt, col int) []byte {
	b := make([]byte, stmt.ColumnLen(col))
	stmt.ColumnBytes(col, b)
	return b
}
