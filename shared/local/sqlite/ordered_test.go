package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
)

// ordered makes n messages of one group. Their bodies are their numbers.
func ordered(n int) []relay.Outgoing {
	msgs := numbered(n, "line")
	for i := range msgs {
		msgs[i].Once = "once-" + string(msgs[i].Body)
	}
	return msgs
}

// A held message still blocks its group after a restart, and the order stays the same.
func TestOrderOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := host(t, dir)
	q := queue(t, s, "line", sqlite.QueueOptions{Ordered: true, Durable: true})
	send(t, q, ordered(3)...)
	held := make(chan time.Time, 1)
	stop := consume(t, q, sqlite.ConsumerOptions{}, func(
		ctx context.Context, msgs []relay.Message,
	) ([]string, error) {
		if len(msgs) != 1 {
			t.Errorf("%d of one group at once", len(msgs))
		}
		holding := time.Now().Truncate(time.Millisecond) // as the store does
		if err := q.Hold(
			ctx, []relay.Held{{Message: msgs[0], For: 500 * time.Millisecond}},
		)[0]; err != nil {
			t.Error(err)
		}
		held <- holding
		return []string{msgs[0].ID}, nil
	})
	at := next(t, held)
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	q = queue(t, host(t, dir), "line", sqlite.QueueOptions{Ordered: true, Durable: true})
	got := make(chan relay.Message)
	consume(t, q, sqlite.ConsumerOptions{Concurrency: 4}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		got <- msgs[0]
		return nil, nil
	})
	for i, want := range []string{"0", "1", "2"} {
		m := next(t, got)
		if string(m.Body) != want || m.Receives != map[bool]int{true: 2, false: 1}[i == 0] {
			t.Errorf("message %s for the %d. time, want %s", m.Body, m.Receives, want)
		}
		if waited := time.Since(at); waited < 500*time.Millisecond {
			t.Errorf("message %s came after %v", m.Body, waited)
		}
	}
}

// A message that always fails goes to the dead-letter queue. Then the messages behind it follow.
func TestDeadLettersOfAnOrderedQueueMakeRoom(t *testing.T) {
	t.Parallel()
	s := host(t, t.TempDir())
	dead := queue(t, s, "dead", sqlite.QueueOptions{})
	q := queue(
		t, s, "line",
		sqlite.QueueOptions{
			Ordered: true, DeadLetter: dead, MaxReceives: 3, Visibility: 50 * time.Millisecond,
		},
	)
	send(t, q, ordered(3)...)
	got := make(chan string, 10)
	consume(t, q, sqlite.ConsumerOptions{}, func(
		_ context.Context, msgs []relay.Message,
	) ([]string, error) {
		got <- string(msgs[0].Body)
		if string(msgs[0].Body) == "0" {
			return nil, errors.New("no")
		}
		return nil, nil
	})
	for _, want := range []string{"0", "0", "0", "1", "2"} {
		if body := next(t, got); body != want {
			t.Errorf("message %s, want %s", body, want)
		}
	}
	if n, err := dead.Len(t.Context()); err != nil || n != 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
}

func TestAnOrderedQueueRefusesWhatHasNoPlaceInIt(t *testing.T) {
	t.Parallel()
	q := queue(t, open(t, t.TempDir()), "line", sqlite.QueueOptions{Ordered: true})
	for name, m := range map[string]relay.Outgoing{
		"without a group": {Once: "1"}, "without a name": {Group: "g"}, "with a delay": {
			Group: "g", Once: "1", Delay: time.Second,
		},
	} {
		if err := q.Send(t.Context(), []relay.Outgoing{m})[0]; !errors.Is(err, sqlite.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, d := range map[string]time.Duration{"backwards": -1, "too long": relay.MaxHold + 1} {
		if err := q.Hold(
			t.Context(), []relay.Held{{Message: relay.Message{ID: "1"}, For: d}},
		)[0]; !errors.Is(err, sqlite.ErrMessage) {
			t.Errorf("hold %s: %v", name, err)
		}
	}
}
