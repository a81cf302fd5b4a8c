package sqlite

import (
	"context"
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
	dataVersion int64  // changes when another connection has written
	visitor     int64  // the last message id of another process that is known here
	applied     uint64 // SQLite has the journal's records up to this one
	written     int    // bytes since the last checkpoint, by estimate
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
	s.state.mu.Lock()
	clean := s.state.unapplied() == 0
	s.state.mu.Unlock()
	if clean && s.uncommitted.Load() == 0 {
		return ctx.Err()
	}
	return s.do(ctx, committed, func(*sqlite.Conn) error { return nil })
}

// write runs all operations until the store is closed or broken.
func (s *Store) write() {
	defer close(s.commits)
	defer close(s.full)
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
		case <-s.apply:
		case <-s.done: // a commit could not be made durable
			return
		case <-s.quit:
			if first = s.waiting(); first == nil {
				s.finish(timer.C)
				return
			}
		}
		timer.Reset(maxOpen)
		if !s.tryTransaction(first, timer.C) {
			return
		}
	}
}

// tryTransaction runs a transaction. If it fails, the store is broken.
func (s *Store) tryTransaction(first *op, timeout <-chan time.Time) bool {
	err := s.transaction(first, timeout)
	if err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrBroken, err))
		_ = exec(s.conn, "ROLLBACK", nil) // there may be nothing to roll back
	}
	return err == nil
}

// finish writes what is left at the end, and makes it durable.
func (s *Store) finish(timeout <-chan time.Time) {
	s.state.mu.Lock()
	clean := s.state.unapplied() == 0
	s.state.mu.Unlock()
	if clean || s.tryTransaction(nil, timeout) {
		<-s.free
		s.handOver()
	}
}

// transaction writes the overlay to SQLite, executes first, if not nil, and the operations that
// follow it, and commits. Each operation finds all earlier changes in SQLite.
func (s *Store) transaction(first *op, timeout <-chan time.Time) error {
	if err := s.begin(); err != nil {
		return err
	}
	var later [onDisk + 1][]*op // to be answered after the commit
	if err := s.applyOverlay(s.conn); err != nil {
		return err
	}
	n := 0
	for o := first; o != nil; o = s.next(
		n, len(later[committed]) > 0, len(later[onDisk]) > 0, timeout,
	) {
		n++
		if err := s.applyOverlay(s.conn); err != nil {
			return err
		}
		if err := o.run(s.conn); err != nil {
			return err
		}
		if o.stage == executed {
			o.answer()
		} else {
			later[o.stage] = append(later[o.stage], o)
		}
	}
	if err := s.commit(); err != nil {
		return err
	}
	s.uncommitted.Add(-int64(n))
	if len(later[committed])+len(later[onDisk]) > 0 {
		s.state.walAhead.Store(true)
	}
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

// commit commits. SQLite gets no record of the journal before that is durable.
func (s *Store) commit() error {
	if err := s.saveVisitor(); err != nil {
		return err
	}
	if j := s.state.journal; j != nil {
		if err := j.waitFor(s.writer.applied); err != nil {
			return err
		}
	}
	if err := exec(s.conn, "COMMIT", nil); err != nil {
		return err
	}
	s.committed.Store(s.writer.applied)
	if s.applied() {
		s.writer.written += checkpointBytes
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
	if err != nil || version == s.writer.dataVersion {
		return err
	}
	s.writer.dataVersion = version
	return s.adopt()
}

// saveVisitor stores the last message id that this process gave, if it is not the host.
func (s *Store) saveVisitor() error {
	st := &s.state
	st.mu.Lock()
	id, visits := st.lastID, st.journal == nil && st.lastID > s.writer.visitor
	st.mu.Unlock()
	if !visits {
		return nil
	}
	s.writer.visitor = id
	return exec(s.conn, "UPDATE visitors SET message = ?", nil, id)
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
		if err := s.makeReusable(); err != nil {
			s.fail(fmt.Errorf("%w: sync: %w", ErrBroken, err))
			return
		}
		if err := passiveCheckpoint(s.mover); err != nil {
			s.fail(fmt.Errorf("%w: checkpoint: %w", ErrBroken, err))
			return
		}
		signal(s.moved)
	}
}

// makeReusable makes SQLite's log durable, so that the journal's records that it has are no longer
// needed.
func (s *Store) makeReusable() error {
	applied := s.committed.Load()
	if err := dataSync(s.log); err != nil {
		return err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.inFile = applied
	return nil
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
