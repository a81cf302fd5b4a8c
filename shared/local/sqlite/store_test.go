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
	"sync"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := host(t, dir)
	q := queue(t, first, "test", sqlite.QueueOptions{Visibility: 100 * time.Millisecond})
	event := relay.EventRecord{Event: relay.Event{
		ID: relay.EventID("", "github", "1"), Source: "github", ReceivedAt: time.Now(),
	},
		RoutedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if _, err := relay.RecordEvent(t.Context(), first.Ledger(), event); err != nil {
		t.Fatal(err)
	}
	send(t, q, numbered(20, "a")...)
	sending := time.Now()
	send(t, q, relay.Outgoing{Body: []byte("late"), Resent: true, Delay: time.Second})
	failed := make(chan string, 30)
	stop := consume(t, q, sqlite.ConsumerOptions{BatchSize: 20, Concurrency: 1},
		func(_ context.Context, msgs []relay.Message) ([]string, error) {
			if msgs[0].Receives > 1 {
				return nil, errors.New("until the restart")
			}
			failed <- msgs[7].ID
			return []string{msgs[7].ID}, nil
		})
	id := next(t, failed)
	stop()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := host(t, dir)
	if _, _, err := second.Ledger().Event(t.Context(), event.ID); err != nil {
		t.Errorf("the event: %v", err)
	}
	q = queue(t, second, "test", sqlite.QueueOptions{})
	got := make(chan relay.Message, 10)
	consume(t, q, sqlite.ConsumerOptions{}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		for _, m := range msgs {
			got <- m
		}
		return nil, nil
	})
	m := next(t, got)
	equal(
		t, "the message that failed", []any{id, "7", true},
		[]any{m.ID, string(m.Body), m.Receives > 1},
	)
	m = next(t, got)
	equal(
		t, "the message that was not due", []any{"late", 1, true},
		[]any{string(m.Body), m.Receives, m.Resent},
	)
	if early := time.Second - time.Since(sending); early > time.Millisecond {
		t.Errorf("it came %v before its time", early)
	}
}

func TestOpenTogether(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	stores, errs := make([]*sqlite.Store, 8), make([]error, 8)
	var running sync.WaitGroup
	for i := range stores {
		running.Go(func() { stores[i], errs[i] = sqlite.Open(dir) })
	}
	running.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("Open of a new directory by several at once: %v", err)
			continue
		}
		if err := stores[i].Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestOneHostOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := host(t, dir)
	second := open(t, dir)
	err := second.Host()
	if !errors.Is(err, sqlite.ErrInUse) ||
		!strings.Contains(err.Error(), filepath.Join(dir, "relay.lock")) {
		t.Errorf("Host: %v, want ErrInUse with the path of the lock", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Host(); err != nil {
		t.Errorf("Host after the first has ended: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string) string{
		"a directory that is a file": func(t *testing.T, dir string) string {
			dir = filepath.Join(dir, "file")
			write(t, dir, []byte("x"))
			return dir
		},
		"a file that is a directory": func(t *testing.T, dir string) string {
			if err := os.Mkdir(filepath.Join(dir, "relay.db"), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"a file that is no database": func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "relay.db"), bytes.Repeat([]byte("no database "), 1000))
			return dir
		},
		"a damaged database": func(t *testing.T, dir string) string {
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "relay.db")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, append(content[:100], bytes.Repeat([]byte{0xff}, len(content)-100)...))
			return dir
		},
		"a newer schema": func(t *testing.T, dir string) string {
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			look(t, dir, "PRAGMA user_version = 99", func(*zombiezen.Stmt) {})
			return dir
		},
		"another program's database": func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "relay.db"), nil)
			look(t, dir, "PRAGMA application_id = 7", func(*zombiezen.Stmt) {})
			look(t, dir, "CREATE TABLE other (a)", func(*zombiezen.Stmt) {})
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := spoil(t, t.TempDir())
			s, err := sqlite.Open(dir)
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not name %s: %v", dir, err)
			}
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreTheUsersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	host(t, dir)
	sealer(t, dir)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	// database, log, index of the log, lock, two of the journal, key
	equal(t, "files", 7, len(files))
}

func TestQueueRefusals(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	q := queue(t, s, "test", sqlite.QueueOptions{})
	if again := queue(t, s, "test", sqlite.QueueOptions{Durable: true}); again != q {
		t.Error("a name has two queues")
	}
	for name, o := range map[string]sqlite.QueueOptions{
		"": {}, "UPPER": {}, `quo"te`: {}, "no-count": {DeadLetter: q},
		"no-queue": {MaxReceives: 3},
	} {
		if _, err := s.Queue(name, o); err == nil {
			t.Errorf("queue %q with %+v was made", name, o)
		}
	}
	for name, m := range map[string]relay.Outgoing{
		"too large": {
			Body: make([]byte, sqlite.MaxBodyBytes+1),
		}, "negative delay": {Delay: -1}, "long delay": {Delay: relay.MaxDelay + 1},
	} {
		errs := q.Send(t.Context(), []relay.Outgoing{m, {Body: []byte("1")}})
		if !errors.Is(errs[0], sqlite.ErrMessage) || errs[1] != nil {
			t.Errorf("%s: %v, want ErrMessage alone", name, errs)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := q.Send(ended, numbered(2, "")); !errors.Is(errs[0], context.Canceled) ||
		!errors.Is(errs[1], context.Canceled) {
		t.Errorf("Send after the end of its context: %v", errs)
	}
	equal(t, "sent", 3, length(t, q))
	for name, f := range map[string]func() error{
		"List": func() error { _, _, err := q.List(t.Context(), "x"); return err },
		"Events": func() error {
			_, _, err := s.Ledger().EventsIn(t.Context(), operate.EventQuery{Limit: 1, Page: "1"})
			return err
		},
		"Outcomes": func() error {
			_, err := s.Ledger().Outcomes(t.Context(), time.Now(), "1", nil)
			return err
		},
		"Open": func() error {
			_, _, err := s.Ledger().ListDeliveries(t.Context(), operate.Query{Endpoint: "a"}, "1.x")
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s took a page that it never gave", name)
		}
	}
}

// A journal on a full disk: everything fails from the first write on, and what was accepted before
// is still there.
func TestAFailedWriteBreaksTheStore(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full; Linux runs the test")
	}
	dir := t.TempDir()
	first := host(t, dir)
	send(t, queue(t, first, "test", sqlite.QueueOptions{Durable: true}), relay.Outgoing{
		Body: []byte("before"),
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := os.Symlink("/dev/full", journalPath(dir, i)); err != nil {
			t.Fatal(err)
		}
	}
	s := host(t, dir)
	q := queue(t, s, "test", sqlite.QueueOptions{Durable: true})
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(context.Background(), sqlite.ConsumerOptions{}, func(
			context.Context, []relay.Message,
		) ([]string, error) {
			return nil, errors.New("not today")
		})
	}()
	errs := q.Send(t.Context(), numbered(2, ""))
	for _, err := range errs {
		if !errors.Is(err, sqlite.ErrBroken) || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("Send: %v, want ErrBroken and its reason", err)
		}
	}
	next(t, s.Done())
	ledger := s.Ledger()
	for name, f := range map[string]func() error{
		"Send": func() error { return firstError(q.Send(t.Context(), numbered(1, ""))) },
		"Record": func() error {
			_, err := relay.RecordEvent(t.Context(), ledger, relay.EventRecord{})
			return err
		},
		"Save": func() error { return ledger.SaveDelivery(t.Context(), relay.Delivery{}, 0) },
		"Read": func() error {
			_, err := ledger.Delivery(t.Context(), relay.DeliveryKey{})
			return err
		},
		"Put": func() error { return s.Bodies(0).Put(t.Context(), "a", nil) },
		"Replace": func() error {
			return s.Catalog(sealer(t, dir)).ReplaceCatalog(t.Context(), catalog.Catalog{}, 0)
		},
		"Queue":   func() error { _, err := s.Queue("other", sqlite.QueueOptions{}); return err },
		"Consume": func() error { return next(t, ended) },
		"Err":     s.Err,
		"Close":   s.Close,
	} {
		if err := f(); !errors.Is(err, sqlite.ErrBroken) {
			t.Errorf("%s: %v, want ErrBroken", name, err)
		}
	}
	for i := range 2 {
		if err := os.Remove(journalPath(dir, i)); err != nil {
			t.Fatal(err)
		}
	}
	q = queue(t, host(t, dir), "test", sqlite.QueueOptions{})
	msgs, _, err := q.List(t.Context(), "")
	if err != nil || len(msgs) != 1 || string(msgs[0].Body) != "before" {
		t.Errorf("after a restart: %+v, %v, want the message that was accepted", msgs, err)
	}
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	q := queue(t, s, "test", sqlite.QueueOptions{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	next(t, s.Done())
	if err := firstError(q.Send(t.Context(), numbered(1, ""))); !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("Send: %v, want ErrClosed", err)
	}
	if _, _, err := s.Ledger().Event(t.Context(), "a"); err == nil {
		t.Error("a closed store was read")
	}
}

func TestExpiredRecordsAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := host(t, dir)
	ledger := s.Ledger()
	for i := range 250 {
		expires := time.Now().Add(-time.Second)
		if i%50 == 0 {
			expires = time.Now().Add(time.Hour)
		}
		id := relay.EventID("", "github", fmt.Sprint(i))
		if _, err := relay.RecordEvent(
			t.Context(), ledger, relay.EventRecord{Event: relay.Event{ID: id}, ExpiresAt: expires},
		); err != nil {
			t.Fatal(err)
		}
		if err := ledger.SaveDelivery(
			t.Context(), relay.Delivery{EventID: id, Endpoint: "a", ExpiresAt: expires}, 0,
		); err != nil {
			t.Fatal(err)
		}
	}
	for key, keep := range map[string]time.Duration{
		"expires": time.Nanosecond, "stays": time.Hour, "for ever": 0,
	} {
		if err := s.Bodies(keep).Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	var counts [3]int64
	eventually(t, "removed", func() bool {
		look(t, dir, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM bodies)",
			func(stmt *zombiezen.Stmt) {
				counts = [3]int64{stmt.ColumnInt64(0), stmt.ColumnInt64(1), stmt.ColumnInt64(2)}
			})
		return counts == [3]int64{5, 5, 2}
	})
}

// An operator's process changes the catalog and sends messages while the host works.
func TestASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := host(t, dir), open(t, dir)
	q := queue(t, s, "test", sqlite.QueueOptions{Durable: true})
	foreign := make(chan string, 100)
	consume(t, q, sqlite.ConsumerOptions{}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		for _, m := range msgs {
			if m.Body[0] == 'f' {
				foreign <- string(m.Body)
			}
		}
		return nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				_ = q.Send(ctx, numbered(3, "a"))
			}
		})
	}
	theirs := queue(t, other, "test", sqlite.QueueOptions{Durable: true})
	catalogs := other.Catalog(sealer(t, dir))
	var want, got []string
	for i := range 5 {
		want = append(want, fmt.Sprint("foreign ", i))
		send(t, theirs, relay.Outgoing{Body: []byte(want[i]), Group: "f"})
		if err := catalogs.ReplaceCatalog(
			t.Context(), catalog.Catalog{Sources: []catalog.Source{{Name: "a"}}}, int64(i),
		); err != nil {
			t.Fatal(err)
		}
		got = append(got, next(t, foreign))
	}
	cancel()
	load.Wait()
	// the host finds the message although it writes nothing itself
	send(t, theirs, relay.Outgoing{Body: []byte("foreign at rest")})
	want, got = append(want, "foreign at rest"), append(got, next(t, foreign))
	slices.Sort(got)
	equal(t, "foreign messages", want, got)
	if _, err := s.Catalog(sealer(t, dir)).Source(t.Context(), "", "a"); err != nil {
		t.Errorf("the host does not see the new catalog: %v", err)
	}
}

// Commits are made durable through an open handle of the log's file. So another process must not
// replace that file.
func TestTheLogStaysTheSameFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := queue(t, open(t, dir), "test", sqlite.QueueOptions{Durable: true})
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, "relay.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := stat()
	other := open(t, dir)
	send(t, queue(t, other, "test", sqlite.QueueOptions{}), numbered(3, "")...)
	look(t, dir, "PRAGMA wal_checkpoint(TRUNCATE)", func(*zombiezen.Stmt) {})
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	send(t, q, numbered(3, "")...)
	if !os.SameFile(before, stat()) {
		t.Error("the log is another file now")
	}
	equal(t, "messages", 6, length(t, q))
}

func TestTheFileTellsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	err := s.Catalog(sealer(t, dir)).ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources: []catalog.Source{{Name: "a", Secrets: []string{"tell-nobody-1"}}},
		Endpoints: []catalog.Endpoint{{Name: "b", URL: "https://example.com/tell-nobody-2",
			Header: map[string]string{"authorization": "tell-nobody-3"}}},
	}, 0)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "relay.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("tell-nobody")) {
		t.Error("a secret can be read in the file")
	}
}
