package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
)

func journalPath(dir string, file int) string {
	return filepath.Join(dir, fmt.Sprint("relay.journal-", file))
}

// died returns a copy of a host's directory, as it is when the host is killed at this moment.
func died(t *testing.T, dir string) string {
	t.Helper()
	dead := t.TempDir()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dead, f.Name()), content)
	}
	return dead
}

// bodies returns the bodies of all messages of a queue.
func bodies(t *testing.T, s *sqlite.Store, name string) (all []string) {
	t.Helper()
	msgs, _, err := queue(t, s, name, sqlite.QueueOptions{}).List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		all = append(all, string(m.Body))
	}
	return all
}

// sending returns a host that has accepted n messages, which SQLite does not have yet: another
// process holds its lock for writing.
func sending(t *testing.T, n int) (dir string, want []string) {
	t.Helper()
	dir = t.TempDir()
	q := queue(t, host(t, dir), "test", sqlite.QueueOptions{Durable: true})
	block(t, dir)
	for _, m := range numbered(n, "") {
		send(t, q, m)
		want = append(want, string(m.Body))
	}
	return dir, want
}

// block keeps SQLite from being written until the test ends.
func block(t *testing.T, dir string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(filepath.Join(dir, "relay.db"), zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	conn.SetBusyTimeout(patience)
	stmt, _, err := conn.PrepareTransient("BEGIN IMMEDIATE")
	if err == nil {
		_, err = stmt.Step()
	}
	if err := errors.Join(err, stmt.Finalize()); err != nil {
		t.Fatal(err)
	}
}

// The process may die before SQLite has anything of the journal, and so may the one that recovers.
func TestTheJournalIsRecovered(t *testing.T) {
	t.Parallel()
	dir, want := sending(t, 5)
	dir = died(t, dir)
	for name, opened := range map[string]func(testing.TB, string) *sqlite.Store{
		"by a host": host, "by another command": open,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := died(t, dir)
			for range 3 {
				s := opened(t, dir)
				equal(t, "messages", want, bodies(t, s, "test"))
				dir = died(t, dir)
			}
		})
	}
}

// Each byte of the last frame may be missing: only the messages of that frame, which nobody was
// told of, may be.
func TestATornEndIsDropped(t *testing.T) {
	t.Parallel()
	dir, want := sending(t, 3)
	dir = died(t, dir)
	content, err := os.ReadFile(journalPath(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(content, []byte("JRNL")) // the magic number
	if last <= 0 {
		t.Fatal("the journal has no frames")
	}
	for cut := last + 1; cut < last+60; cut += 7 {
		torn := died(t, dir)
		write(t, journalPath(torn, 0), append(
			bytes.Clone(content[:cut]), make([]byte, len(content)-cut)...,
		))
		equal(t, fmt.Sprint("messages after byte ", cut-last), want[:2],
			bodies(t, open(t, torn), "test"))
	}
}

// A damaged frame with others behind it had been accepted. The store must not go on without it.
func TestADamagedJournalIsRefused(t *testing.T) {
	t.Parallel()
	dir, _ := sending(t, 4)
	dir = died(t, dir)
	content, err := os.ReadFile(journalPath(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content)-1024; at += 100 {
		if content[at] == 0 {
			continue // between the frames
		}
		damaged := died(t, dir)
		spoilt := bytes.Clone(content)
		spoilt[at] ^= 0x10
		write(t, journalPath(damaged, 0), spoilt)
		s, err := sqlite.Open(damaged)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, sqlite.ErrDamaged) || !strings.Contains(err.Error(), "relay.journal-0") {
			t.Fatalf("with byte %d changed: %v, want ErrDamaged and the file", at, err)
		}
	}
}

// A database that was restored from an older copy does not go with the journal.
func TestAJournalOfALaterDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	old, _ := sending(t, 3)
	old = died(t, old)
	dir := died(t, old)
	if err := os.Remove(journalPath(old, 0)); err != nil {
		t.Fatal(err)
	}
	send(t, queue(t, host(t, dir), "test", sqlite.QueueOptions{Durable: true}), numbered(1, "")...)
	content, err := os.ReadFile(journalPath(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	write(t, journalPath(old, 0), content)
	if s, err := sqlite.Open(old); !errors.Is(err, sqlite.ErrDamaged) {
		if err == nil {
			t.Errorf("opened, with %d messages", len(bodies(t, s, "test")))
			_ = s.Close()
		}
		t.Errorf("Open: %v, want ErrDamaged", err)
	}
}

// SQLite cannot be written, for example because the disk is full. The store breaks, and loses
// nothing that it has accepted.
func TestSQLiteMayFailAfterTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := host(t, dir)
	q := queue(t, s, "test", sqlite.QueueOptions{Durable: true})
	look(t, dir, `CREATE TRIGGER full BEFORE INSERT ON queue_test BEGIN SELECT RAISE(FAIL, 'disk is full'); END`,
		func(*zombiezen.Stmt) {})
	send(t, q, numbered(3, "")...)
	next(t, s.Done())
	if err := s.Err(); !errors.Is(err, sqlite.ErrBroken) ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%v, want ErrBroken and its reason", err)
	}
	if err := s.Close(); !errors.Is(err, sqlite.ErrBroken) {
		t.Errorf("Close: %v, want ErrBroken", err)
	}
	look(t, dir, "DROP TRIGGER full", func(*zombiezen.Stmt) {})
	equal(t, "messages", []string{"0", "1", "2"}, bodies(t, host(t, dir), "test"))
}

// Another process sees what the host has accepted, within a second.
func TestAnotherProcessSeesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := host(t, dir), open(t, dir)
	send(t, queue(t, s, "test", sqlite.QueueOptions{Durable: true}), numbered(1, "")...)
	e := relay.EventRecord{Event: relay.Event{ID: "evt_a", Source: "a", ReceivedAt: time.Now()},
		ExpiresAt: time.Now().Add(time.Hour)}
	if _, err := relay.RecordEvent(t.Context(), s.Ledger(), e); err != nil {
		t.Fatal(err)
	}
	d := relay.Delivery{EventID: e.ID, Endpoint: "b", Attempts: 1, ExpiresAt: e.ExpiresAt}
	if err := s.Ledger().SaveDelivery(t.Context(), d, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other process sees it", func() bool {
		_, deliveries, err := other.Ledger().Event(t.Context(), e.ID)
		return err == nil && len(deliveries) == 1 && len(bodies(t, other, "test")) == 1
	})
}

// Messages that were in flight when the host died are counted once, however often the recovery is
// repeated, and whichever file of the journal knows of them.
func TestReceivesAreCountedAfterADeath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := host(t, dir)
	q := queue(t, s, "test", sqlite.QueueOptions{Durable: true})
	send(t, q, relay.Outgoing{Body: []byte("in flight")})
	other := queue(t, s, "other", sqlite.QueueOptions{Durable: true})
	inFlight, release := make(chan string), make(chan struct{})
	consume(t, q, sqlite.ConsumerOptions{}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		inFlight <- msgs[0].ID
		<-release
		return nil, nil
	})
	defer close(release)
	id := next(t, inFlight)
	send(t, other, numbered(1, "")...) // so that the receive is on disk
	early := died(t, dir)
	large := relay.Outgoing{Body: bytes.Repeat([]byte("x"), sqlite.MaxBodyBytes)}
	for range 2 {
		send(t, other, slices.Repeat([]relay.Outgoing{large}, 17)...)
		length(t, other)
	}
	for name, dir := range map[string]string{"at once": early, "much later": died(t, dir)} {
		for range 2 {
			s := host(t, dir)
			msgs, _, err := queue(t, s, "test", sqlite.QueueOptions{}).List(t.Context(), "")
			if err != nil || len(msgs) != 1 || msgs[0].ID != id || msgs[0].Receives != 1 {
				t.Errorf("died %s: %+v, %v, want one message with one receive", name, msgs, err)
			}
			dir = died(t, dir)
		}
	}
}

// Changes that are undone before SQLite gets them do not make the journal grow without end.
func TestTheJournalIsUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ledger := host(t, dir).Ledger()
	expired := relay.EventRecord{
		Event:     relay.Event{ID: "evt_a", Body: bytes.Repeat([]byte("x"), 64<<10)},
		ExpiresAt: time.Now().Add(-time.Hour), // so that each one replaces the one before
	}
	beginning := func() []byte { // the numbers of the first file's first records
		content, err := os.ReadFile(journalPath(dir, 0))
		if err != nil {
			t.Fatal(err)
		}
		return content[:min(len(content), 64)]
	}
	var before []byte
	eventually(t, "the first file is used again", func() bool {
		for range 16 {
			if _, err := relay.RecordEvent(t.Context(), ledger, expired); err != nil {
				t.Fatal(err)
			}
		}
		if len(before) == 0 {
			before = beginning()
		}
		return !bytes.Equal(before, beginning())
	})
}

// FuzzRecords holds that no content of a frame makes the reader of records fail but by an error.
func FuzzRecords(f *testing.F) {
	if n, err := sqlite.ReadRecords(sqlite.SomeRecords()); n != 7 || err != nil {
		f.Fatalf("%d records, %v, want 7", n, err)
	}
	f.Add(sqlite.SomeRecords())
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, records []byte) {
		if n, err := sqlite.ReadRecords(records); err == nil && n > len(records) {
			t.Errorf("%d records in %d bytes", n, len(records))
		}
	})
}
