package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"zombiezen.com/go/sqlite"
)

// lockWait is how long Host waits for the lock. Another process may hold it for a moment: see
// recoverIfDead.
const lockWait = 500 * time.Millisecond

// Host makes this process the one that consumes messages, until Close. It takes the lock file, and
// writes to SQLite what the journal of an earlier host has and SQLite lacks. If that host died,
// Host adds one to the receive count of each message that was in flight then. It also starts the
// removal of expired records.
//
// Errors: ErrInUse if another process is the host, ErrDamaged.
func (s *Store) Host() error {
	s.hosting.Lock()
	defer s.hosting.Unlock()
	if s.hosted {
		return nil
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	if err := s.startJournal(); err != nil {
		return errors.Join(err, s.lock.Unlock())
	}
	s.hosted = true
	s.idle.Go(s.housekeep)
	return nil
}

func (s *Store) takeLock() error {
	path := filepath.Join(s.dir, lockName)
	s.lock = flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	locked, err := s.lock.TryLockContext(ctx, lockWait/20)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("sqlite: lock %s: %w", path, err)
	}
	if !locked {
		return fmt.Errorf(
			"%w: another relay runs on %s; stop it, or choose another directory (its lock is %s)",
			ErrInUse, s.dir, path,
		)
	}
	return nil
}

// recoverIfDead writes to SQLite what a host that died has left in its journal. It does nothing
// while a host lives.
func (s *Store) recoverIfDead() error {
	if !slices.ContainsFunc(journalNames[:], func(name string) bool {
		_, err := os.Stat(filepath.Join(s.dir, name))
		return err == nil
	}) {
		return nil
	}
	lock := flock.New(filepath.Join(s.dir, lockName), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil || !locked {
		return err
	}
	_, err = s.recover()
	return errors.Join(err, lock.Unlock())
}

// startJournal recovers what an earlier host has left, and begins a new journal.
func (s *Store) startJournal() error {
	last, err := s.recover()
	if err != nil {
		return err
	}
	probe, err := connect(filepath.Join(s.dir, fileName))
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	j, err := newJournal(s, last)
	if err != nil {
		return errors.Join(err, probe.Close())
	}
	s.committed.Store(last)
	st := &s.state
	return s.do(context.Background(), committed, func(*sqlite.Conn) error {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.journal, st.probe, st.inFile = j, probe, last
		st.due = time.AfterFunc(time.Hour, func() { signal(s.apply) })
		s.writer.applied = last
		go j.run()
		return nil
	})
}

// recover writes to SQLite what the journal has and SQLite lacks, and makes it durable. It returns
// the number of the journal's last record. The caller holds the lock.
func (s *Store) recover() (last uint64, err error) {
	chains := make([]chain, len(journalNames))
	for i, name := range journalNames {
		if chains[i], err = readChain(filepath.Join(s.dir, name)); err != nil {
			return 0, err
		}
	}
	if chains[1].first < chains[0].first {
		slices.Reverse(chains)
	}
	var refused error
	err = s.do(context.Background(), onDisk, func(conn *sqlite.Conn) error {
		last, refused, err = replay(conn, chains)
		return err
	})
	return last, errors.Join(err, refused)
}

// replay puts the records of both files into SQLite, in the writer's transaction. An error of the
// journal is returned as refused, before anything is written.
func replay(conn *sqlite.Conn, chains []chain) (last uint64, refused, err error) {
	var applied, settled int64
	err = exec(conn, "SELECT applied, settled FROM journal", func(stmt *sqlite.Stmt) error {
		applied, settled = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	last = uint64(max(applied, settled)) //nolint:gosec // counts
	if refused := checkChains(chains, last); refused != nil {
		return 0, refused, nil
	}
	end := chains[1].last
	if end <= uint64(settled) { //nolint:gosec // a count
		return last, nil, nil
	}
	o, leases := newOverlay(), map[int64]struct{}{}
	for _, c := range chains {
		refused := c.replay(o, leases, uint64(applied)) //nolint:gosec // a count
		if refused != nil {
			return 0, refused, nil
		}
	}
	if err := writeReplayed(conn, o, leases); err != nil {
		return 0, nil, err
	}
	last = max(last, end)
	return last, nil, exec(
		conn, "UPDATE journal SET applied = ?1, settled = ?1", nil, int64(last), //nolint:gosec // a count
	)
}

// checkChains tells whether everything that the journal accepted can be read. SQLite has the
// records up to applied.
func checkChains(chains []chain, applied uint64) error {
	older, newer := chains[0], chains[1]
	end := max(newer.last, applied)
	for _, c := range chains {
		if c.newest > end+1 {
			return damaged(c, end, c.newest)
		}
	}
	switch begin := newer.first; {
	case begin == 0: // both are empty
		return nil
	case older.first > 0 && older.last+1 == begin:
		begin = older.first
		fallthrough
	default:
		if begin > applied+1 {
			return damaged(newer, applied, begin)
		}
	}
	return nil
}

func damaged(c chain, last, next uint64) error {
	return fmt.Errorf(
		"%w: %s: its record %d is there, but those from %d on cannot be read; restore the data "+
			"directory from a copy, or move the files relay.journal-* away to go on without them",
		ErrDamaged, c.name, next, last+1,
	)
}

// replay puts the records after applied into the overlay, and follows which messages are in flight.
func (c *chain) replay(o *overlay, leases map[int64]struct{}, applied uint64) error {
	number := c.first
	for _, records := range c.frames {
		r := recordReader{rest: records}
		for ; len(r.rest) > 0; number++ {
			to := o
			if number <= applied {
				to = nil
			}
			if err := r.replay(to, leases); err != nil {
				return fmt.Errorf("%w: %s: record %d: %w", ErrDamaged, c.name, number, err)
			}
		}
	}
	return nil
}

// writeReplayed writes replayed changes, and adds one to the receive count of each message that was
// in flight.
func writeReplayed(conn *sqlite.Conn, o *overlay, leases map[int64]struct{}) error {
	var names []string
	err := exec(conn, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?",
		func(stmt *sqlite.Stmt) error {
			names = append(names, stmt.ColumnText(0)[len(tablePrefix):])
			return nil
		}, tablePrefix+"*")
	if err != nil {
		return err
	}
	if _, err := o.apply(conn); err != nil {
		return err
	}
	for _, name := range names {
		for _, id := range slices.Sorted(maps.Keys(leases)) {
			if err := exec(
				conn, "UPDATE "+tableOf(name)+" SET receives = receives + 1 WHERE id = ?", nil, id,
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopJournal ends the journal after the writer. If SQLite has everything, nobody needs the files.
func (s *Store) stopJournal() {
	j := s.state.journal
	if j == nil {
		return
	}
	close(j.quit)
	<-j.stopped
	j.close()
	s.state.mu.Lock()
	needed := len(s.state.leases) > 0 || s.committed.Load() != j.last || !s.working()
	s.state.mu.Unlock()
	if needed || dataSync(s.log) != nil {
		return // the next host reads them
	}
	for _, name := range journalNames {
		_ = os.Remove(filepath.Join(s.dir, name)) // it has nothing that SQLite lacks
	}
}
