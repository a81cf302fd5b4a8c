package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
)

// patience limits every wait for an event that must happen.
const patience = 30 * time.Second

func send(tb testing.TB, q *sqlite.Queue, msgs ...relay.Outgoing) {
	tb.Helper()
	if err := firstError(q.Send(context.Background(), msgs)); err != nil {
		tb.Fatal(err)
	}
}

// numbered makes n messages whose bodies are their numbers.
func numbered(n int, group string) []relay.Outgoing {
	msgs := make([]relay.Outgoing, n)
	for i := range msgs {
		msgs[i] = relay.Outgoing{Body: fmt.Append(nil, i), Group: group}
	}
	return msgs
}

// next returns the next value of a channel.
func next[T any](tb testing.TB, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		tb.Fatal("nothing came")
	}
	var none T
	return none
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func length(tb testing.TB, q *sqlite.Queue) int {
	tb.Helper()
	n, err := q.Len(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func equal(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestConsumeFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  func(ids []string) ([]string, error) // to the first batch of five
		retried []int
	}{
		"no failure": {func([]string) ([]string, error) { return nil, nil }, nil},
		"one fails alone": {func(ids []string) ([]string, error) {
			return ids[3:4], nil
		}, []int{3}},
		"an error is all": {func([]string) ([]string, error) {
			return nil, errors.New("broken")
		}, []int{0, 1, 2, 3, 4}},
		"an unknown is all": {func(ids []string) ([]string, error) {
			return []string{ids[0], "other"}, nil
		}, []int{0, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const visibility = 50 * time.Millisecond
			q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{Visibility: visibility})
			type receipt struct {
				n, receives int
				at          time.Time
			}
			receipts := make(chan receipt, 100)
			send(t, q, numbered(5, "")...)
			begun := time.Now()
			options := sqlite.ConsumerOptions{Concurrency: 1}
			consume(t, q, options, func(_ context.Context, msgs []relay.Message) ([]string, error) {
				var ids []string
				for _, m := range msgs {
					ids = append(ids, m.ID)
					receipts <- receipt{int(m.Body[0] - '0'), m.Receives, time.Now()}
				}
				if msgs[0].Receives == 1 {
					return test.answer(ids)
				}
				return nil, nil
			})
			for i := range 5 {
				r := next(t, receipts)
				equal(t, "first receipt", []int{i, 1}, []int{r.n, r.receives})
			}
			var again []int
			for range test.retried {
				r := next(t, receipts)
				equal(t, "receives", 2, r.receives)
				if waited := r.at.Sub(begun); waited < visibility {
					t.Errorf(
						"handed out again after %v, the visibility timeout is %v", waited,
						visibility,
					)
				}
				again = append(again, r.n)
			}
			slices.Sort(again)
			equal(t, "handed out again", test.retried, again)
			eventually(t, "all handled", func() bool { return length(t, q) == 0 })
		})
	}
}

func TestConsumeGivesAHandlerTheVisibilityTimeout(t *testing.T) {
	t.Parallel()
	const visibility = 100 * time.Millisecond
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{Visibility: visibility})
	deadlines := make(chan time.Time, 10)
	options := sqlite.ConsumerOptions{}
	consume(t, q, options, func(ctx context.Context, msgs []relay.Message) ([]string, error) {
		deadline, _ := ctx.Deadline()
		if d := time.Until(deadline); d > visibility {
			t.Errorf("a handler has %v, want up to %v", d, visibility)
		}
		deadlines <- deadline
		if msgs[0].Receives == 1 {
			<-ctx.Done()
		}
		return nil, ctx.Err()
	})
	before := time.Now()
	send(t, q, numbered(1, "")...)
	for range 2 {
		deadline := next(t, deadlines)
		if d := deadline.Sub(before); d < visibility {
			t.Errorf(
				"a handler has %v from before its message could be received, want %v", d,
				visibility,
			)
		}
		before = deadline // the first handler waits for its own
	}
	eventually(t, "handled", func() bool { return length(t, q) == 0 })
}

func TestConsumeDrains(t *testing.T) {
	t.Parallel()
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{})
	begun, release := make(chan struct{}, 100), make(chan struct{})
	var handled atomic.Int64
	send(t, q, numbered(10, "")...)
	options := sqlite.ConsumerOptions{BatchSize: 1, Concurrency: 2}
	stop := consume(t, q, options, func(ctx context.Context, _ []relay.Message) ([]string, error) {
		begun <- struct{}{}
		<-release
		handled.Add(1)
		return nil, ctx.Err() // the handler's context outlives the consumer's
	})
	next(t, begun)
	next(t, begun)
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	stop()
	equal(t, "handled", int64(2), handled.Load())
	equal(t, "left", 8, length(t, q))
}

func TestConsumeRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	idle := func(context.Context, []relay.Message) ([]string, error) { return nil, nil }
	s := open(t, dir)
	q := queue(t, s, "test", sqlite.QueueOptions{})
	if err := q.Consume(t.Context(), sqlite.ConsumerOptions{}, idle); err == nil {
		t.Error("a process that is not the host consumed")
	}
	if err := s.Host(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{}, 1)
	stop := consume(t, q, sqlite.ConsumerOptions{}, func(
		context.Context, []relay.Message,
	) ([]string, error) {
		ready <- struct{}{}
		return nil, nil
	})
	send(t, q, numbered(1, "")...)
	next(t, ready)
	if err := q.Consume(t.Context(), sqlite.ConsumerOptions{}, idle); err == nil {
		t.Error("a second consumer was let in")
	}
	if _, err := q.Redrive(t.Context(), q); err == nil {
		t.Error("a queue was redriven while it was consumed")
	}
	stop()
	consume(t, q, sqlite.ConsumerOptions{}, func(
		context.Context, []relay.Message,
	) ([]string, error) {
		ready <- struct{}{}
		return nil, nil
	})
	send(t, q, numbered(1, "")...)
	next(t, ready) // after the first has ended another may begin
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := host(t, t.TempDir())
	dead := queue(t, s, "dead", sqlite.QueueOptions{})
	q := queue(
		t, s, "test",
		sqlite.QueueOptions{DeadLetter: dead, MaxReceives: 3, Visibility: 100 * time.Millisecond},
	)
	var mu sync.Mutex
	receives := map[string][]int{}
	ids := map[string]map[string]bool{}
	poison := true
	options := sqlite.ConsumerOptions{}
	consume(t, q, options, func(
		_ context.Context, msgs []relay.Message,
	) (failed []string, _ error) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range msgs {
			body := string(m.Body)
			receives[body] = append(receives[body], m.Receives)
			if ids[body] == nil {
				ids[body] = map[string]bool{}
			}
			ids[body][m.ID] = true
			if poison && body != "0" {
				failed = append(failed, m.ID)
			}
		}
		return failed, nil
	})
	send(t, q, append(numbered(150, "a")[:2], numbered(150, "b")[2:]...)...)
	eventually(t, "149 dead letters", func() bool { return length(t, dead) == 149 })
	equal(t, "left", 0, length(t, q))
	mu.Lock()
	equal(t, "receives of the good one", []int{1}, receives["0"])
	equal(t, "receives of a bad one", []int{1, 2, 3}, receives["149"])
	poison = false
	mu.Unlock()

	var listed []string
	for page, first := relay.Page(""), true; first || page != ""; first = false {
		msgs, next, err := dead.List(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			listed = append(listed, string(m.Body))
		}
		page = next
	}
	equal(t, "listed", 149, len(listed))
	equal(t, "oldest first", []string{"1", "2", "3"}, listed[:3])

	n, err := dead.Redrive(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "redriven", 149, n)
	eventually(t, "all handled", func() bool { return length(t, q) == 0 })
	equal(t, "dead letters", 0, length(t, dead))
	mu.Lock()
	defer mu.Unlock()
	equal(t, "receives of a redriven one", []int{1, 2, 3, 1}, receives["149"])
	equal(t, "ids of a redriven one", 2, len(ids["149"]))
}

// An endpoint that hangs and has a long backlog uses only its share of the handlers.
func TestFairnessWhileAnEndpointHangs(t *testing.T) {
	t.Parallel()
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{})
	const perGroup = 4
	release, other := make(chan struct{}), make(chan string, 10)
	var hanging, most atomic.Int64
	send(t, q, numbered(10_000, "hangs")...)
	consume(t, q, sqlite.ConsumerOptions{Concurrency: 8, BatchSize: 3, PerGroup: perGroup},
		func(_ context.Context, msgs []relay.Message) ([]string, error) {
			if len(msgs[0].Body) > 0 && msgs[0].Body[0] == 'o' {
				for _, m := range msgs {
					other <- string(m.Body)
				}
				return nil, nil
			}
			if n := hanging.Add(int64(len(msgs))); n > most.Load() {
				most.Store(n)
			}
			<-release
			hanging.Add(-int64(len(msgs)))
			return nil, nil
		})
	t.Cleanup(func() { close(release) }) // before the consumer's end, which waits for the handlers
	eventually(t, "the hanging endpoint has its share", func() bool {
		return hanging.Load() == perGroup
	})
	for i := range 20 {
		body := fmt.Sprint("other ", i)
		send(t, q, relay.Outgoing{Body: []byte(body), Group: fmt.Sprint("endpoint-", i%3)})
		equal(t, "handled", body, next(t, other))
	}
	equal(t, "most in flight", int64(perGroup), most.Load())
}

// With a single handler, groups take turns.
func TestFairnessInTurns(t *testing.T) {
	t.Parallel()
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{})
	handled, over := make(chan string), make(chan struct{})
	send(t, q, numbered(10_000, "busy")...)
	options := sqlite.ConsumerOptions{Concurrency: 1, BatchSize: 1}
	consume(t, q, options, func(_ context.Context, msgs []relay.Message) ([]string, error) {
		select {
		case handled <- string(msgs[0].Body):
			return nil, nil
		case <-over:
			return nil, errors.New("the test is over")
		}
	})
	t.Cleanup(func() { close(over) }) // before the consumer's end, which waits for the handler
	next(t, handled)
	send(t, q, relay.Outgoing{Body: []byte("other"), Group: "idle"})
	var order []string
	for range 3 { // the one in flight, perhaps the one after, then its turn
		order = append(order, next(t, handled))
	}
	if !slices.Contains(order, "other") {
		t.Errorf("the other group waits behind the backlog: %q", order)
	}
}

func TestBatchesKeepBusyGroupsApart(t *testing.T) {
	t.Parallel()
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{})
	batches, release := make(chan []string, 10), make(chan struct{})
	consume(t, q, sqlite.ConsumerOptions{Concurrency: 5}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		var bodies []string
		for _, m := range msgs {
			bodies = append(bodies, string(m.Body))
		}
		batches <- bodies
		<-release
		return nil, nil
	})
	t.Cleanup(func() { close(release) })
	send(t, q, relay.Outgoing{Body: []byte("a1"), Group: "a"})
	equal(t, "first batch", []string{"a1"}, next(t, batches))
	send(t, q, relay.Outgoing{Body: []byte("b1"), Group: "b"}, relay.Outgoing{
		Body: []byte("a2"), Group: "a",
	},
		relay.Outgoing{Body: []byte("c1"), Group: "c"}, relay.Outgoing{
			Body: []byte("b2"), Group: "b",
		})
	got := [][]string{next(t, batches), next(t, batches)}
	slices.SortFunc(got, func(a, b []string) int { return len(a) - len(b) })
	equal(t, "next batches", [][]string{{"a2"}, {"b1", "c1", "b2"}}, got)
}

// Messages that are sent while Consume starts are neither forgotten nor handed out twice.
func TestSendWhileConsumeStarts(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{false, true} {
		s := host(t, t.TempDir())
		for round := range 5 {
			q := queue(t, s, fmt.Sprint("test-", round), sqlite.QueueOptions{Durable: durable})
			const messages = 20
			var sender sync.WaitGroup
			sender.Go(func() {
				for i := range messages {
					send(t, q, relay.Outgoing{Body: fmt.Appendf(nil, "%0300000d", i)})
				}
			})
			got := make(chan string, 2*messages)
			eventually(t, "some messages", func() bool { return length(t, q) > 0 })
			stop := consume(t, q, sqlite.ConsumerOptions{}, func(
				_ context.Context, msgs []relay.Message,
			) ([]string, error) {
				for _, m := range msgs {
					got <- string(m.Body)
				}
				return nil, nil
			})
			seen := map[string]bool{}
			for range messages {
				seen[next(t, got)] = true
			}
			sender.Wait()
			stop()
			equal(t, "different messages", messages, len(seen))
			equal(t, "messages that came twice", 0, len(got))
		}
	}
}

func TestBodiesBeyondTheCache(t *testing.T) {
	t.Parallel()
	q := queue(t, host(t, t.TempDir()), "test", sqlite.QueueOptions{})
	release := make(chan struct{})
	var mu sync.Mutex
	seen := map[byte]bool{}
	consume(t, q, sqlite.ConsumerOptions{}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		for _, m := range msgs {
			if len(m.Body) == sqlite.MaxBodyBytes &&
				bytes.Count(m.Body, m.Body[:1]) == len(m.Body) {
				seen[m.Body[0]] = true
			}
		}
		return nil, nil
	})
	for i := range byte(40) {
		send(
			t, q,
			relay.Outgoing{Body: bytes.Repeat([]byte{'A' + i}, sqlite.MaxBodyBytes), Group: "a"},
		)
	}
	close(release)
	eventually(t, "all handled", func() bool { return length(t, q) == 0 })
	equal(t, "whole bodies", 40, len(seen))
}

func TestSchedulerSends(t *testing.T) {
	t.Parallel()
	s := host(t, t.TempDir())
	q := queue(t, s, "test", sqlite.QueueOptions{})
	type receipt struct {
		body string
		at   time.Time
	}
	receipts, doubled := make(chan receipt, 10), make(chan struct{})
	consume(t, q, sqlite.ConsumerOptions{}, func(
		ctx context.Context, msgs []relay.Message,
	) ([]string, error) {
		for _, m := range msgs {
			receipts <- receipt{string(m.Body), time.Now()}
		}
		select {
		case <-doubled: // until then the name is taken
		case <-ctx.Done():
		}
		return nil, nil
	})
	schedule := func(at time.Time, body string) {
		t.Helper()
		if err := s.Scheduler(q).Schedule(
			t.Context(), "name", at, relay.Outgoing{Body: []byte(body)},
		); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Add(200 * time.Millisecond)
	schedule(at, "first")
	schedule(at, "its double")
	close(doubled)
	r := next(t, receipts)
	equal(t, "body", "first", r.body)
	if early := at.Truncate(time.Millisecond).Sub(r.at); early > 0 {
		t.Errorf("sent %v early", early)
	}
	eventually(t, "handled", func() bool { return length(t, q) == 0 })
	schedule(time.Now(), "its successor")
	equal(t, "body", "its successor", next(t, receipts).body)
}
