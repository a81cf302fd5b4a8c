package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

func TestQueue(t *testing.T) {
	t.Run("durable", func(t *testing.T) { conformance.Queue(t, queueUnderTest(true)) })
	t.Run("not durable", func(t *testing.T) { conformance.Queue(t, queueUnderTest(false)) })
}

func TestOrderedQueue(t *testing.T) {
	t.Run("durable", func(t *testing.T) {
		conformance.OrderedQueue(t, orderedQueueUnderTest(true))
	})
	t.Run("not durable", func(t *testing.T) {
		conformance.OrderedQueue(t, orderedQueueUnderTest(false))
	})
}

func TestScheduler(t *testing.T) {
	conformance.Scheduler(t, func(t *testing.T) conformance.SchedulerUnderTest {
		dir := t.TempDir()
		s := open(t, dir)
		return conformance.SchedulerUnderTest{
			Scheduler: s.Scheduler(queue(t, s, "retry", sqlite.QueueOptions{Durable: true})),
			Pending: func(t *testing.T) []conformance.Scheduled {
				return scheduled(t, dir, "retry")
			},
		}
	})
}

func TestEvents(t *testing.T) {
	conformance.Events(t, func(t *testing.T) relay.Events { return open(t, t.TempDir()).Ledger() })
}

func TestDeliveries(t *testing.T) {
	conformance.Deliveries(t, func(t *testing.T) relay.Deliveries {
		return open(t, t.TempDir()).Ledger()
	})
}

func TestLedger(t *testing.T) {
	conformance.Ledger(t, func(t *testing.T) conformance.LedgerUnderTest {
		return open(t, t.TempDir()).Ledger()
	})
}

func TestSweepCursors(t *testing.T) {
	conformance.SweepCursors(t, open(t, t.TempDir()).Ledger())
}

func TestCatalog(t *testing.T) {
	conformance.Catalog(t, func(t *testing.T) conformance.CatalogUnderTest {
		dir := t.TempDir()
		return open(t, dir).Catalog(sealer(t, dir))
	})
}

func TestBodies(t *testing.T) {
	conformance.Bodies(t, func(t *testing.T) relay.Bodies {
		return open(t, t.TempDir()).Bodies(time.Hour)
	})
}

func TestSealer(t *testing.T) {
	conformance.Sealer(t, func(t *testing.T) catalog.Sealer { return sealer(t, t.TempDir()) })
}

// open opens a store until the test ends.
func open(tb testing.TB, dir string) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// host opens a store and hosts its queues.
func host(tb testing.TB, dir string) *sqlite.Store {
	tb.Helper()
	s := open(tb, dir)
	if err := s.Host(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func queue(tb testing.TB, s *sqlite.Store, name string, o sqlite.QueueOptions) *sqlite.Queue {
	tb.Helper()
	q, err := s.Queue(name, o)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func sealer(tb testing.TB, dir string) *keyfile.Sealer {
	tb.Helper()
	s, err := keyfile.New(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// consume runs a consumer until stop is called, or the test ends.
func consume(
	tb testing.TB, q *sqlite.Queue, o sqlite.ConsumerOptions, h sqlite.Handler,
) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, o, h) }()
	stopped := false
	stop = func() {
		tb.Helper()
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			tb.Errorf("Consume: %v", err)
		}
	}
	tb.Cleanup(stop)
	return stop
}

// handed is a message in flight. Its handler waits until the test says that the message is done or
// has failed.
type handed struct {
	relay.Message
	done chan bool
}

// queueUnderTest runs a handler for each message. The handler gives the message to the test, and
// waits until the test acknowledges it or its visibility timeout ends.
func queueUnderTest(durable bool) func(t *testing.T) conformance.QueueUnderTest {
	return func(t *testing.T) conformance.QueueUnderTest {
		return anyQueueUnderTest(t, sqlite.QueueOptions{Durable: durable}).QueueUnderTest
	}
}

func orderedQueueUnderTest(durable bool) func(t *testing.T) conformance.OrderedQueueUnderTest {
	return func(t *testing.T) conformance.OrderedQueueUnderTest {
		return anyQueueUnderTest(t, sqlite.QueueOptions{Durable: durable, Ordered: true})
	}
}

func anyQueueUnderTest(t *testing.T, o sqlite.QueueOptions) conformance.OrderedQueueUnderTest {
	t.Helper()
	o.Visibility = time.Second
	q := queue(t, host(t, t.TempDir()), "test", o)
	handing := make(chan handed)
	inFlight := map[string]chan bool{}
	consume(t, q, sqlite.ConsumerOptions{BatchSize: 1, Concurrency: 50},
		func(ctx context.Context, msgs []relay.Message) ([]string, error) {
			h := handed{msgs[0], make(chan bool)}
			select {
			case handing <- h:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			select {
			case ok := <-h.done:
				if !ok {
					return []string{h.ID}, nil
				}
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	end := func(ctx context.Context, m relay.Message, ok bool) error {
		select {
		case inFlight[m.ID] <- ok:
			return nil
		case <-ctx.Done():
			return errors.New("not in flight any more")
		}
	}
	return conformance.OrderedQueueUnderTest{QueueUnderTest: conformance.QueueUnderTest{
		Queue: q, Visibility: o.Visibility,
		Receive: func(ctx context.Context, _ int) ([]relay.Message, error) {
			select {
			case h := <-handing:
				inFlight[h.ID] = h.done
				return []relay.Message{h.Message}, nil
			case <-ctx.Done():
				return nil, nil
			}
		},
		Ack: func(ctx context.Context, m relay.Message) error { return end(ctx, m, true) },
		Hold: func(ctx context.Context, held []relay.Held) []error {
			errs := q.Hold(ctx, held)
			for i, h := range held {
				if errs[i] == nil {
					errs[i] = end(ctx, h.Message, false)
				}
			}
			return errs
		},
	}}
}

// look runs a query on the file, on a connection outside the store.
func look(t *testing.T, dir, query string, row func(*zombiezen.Stmt)) {
	t.Helper()
	conn, err := zombiezen.OpenConn(filepath.Join(dir, "relay.db"), zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = sqlitex.Execute(conn, query,
		&sqlitex.ExecOptions{ResultFunc: func(stmt *zombiezen.Stmt) error {
			row(stmt)
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
}

func scheduled(t *testing.T, dir, queue string) []conformance.Scheduled {
	t.Helper()
	var found []conformance.Scheduled
	look(t, dir, `SELECT name, due, grp, resent, CAST(body AS TEXT) FROM "queue_`+queue+
		`"`, func(stmt *zombiezen.Stmt) {
		found = append(found, conformance.Scheduled{
			Name: stmt.ColumnText(0), At: time.UnixMilli(stmt.ColumnInt64(1)).UTC(),
			Group:  stmt.ColumnText(2),
			Resent: stmt.ColumnBool(3), Body: []byte(stmt.ColumnText(4)),
		})
	})
	return found
}

func TestEventKeeper(t *testing.T) {
	t.Parallel()
	conformance.EventKeeper(t, func(t *testing.T) *sqlite.Ledger {
		return open(t, t.TempDir()).Ledger()
	})
}

func TestEndpointStates(t *testing.T) {
	t.Parallel()
	conformance.EndpointStates(t, func(t *testing.T) gate.EndpointStates {
		return open(t, t.TempDir()).Ledger()
	})
}
