package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// childDir is an environment variable. If it is set, this binary runs as the child process that is
// killed, in that directory.
const childDir = "RELAY_SQLITE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println("error", runChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// stages are the queues and handlers of a small relay: ingest → record and send → save.
type stages struct {
	store            *sqlite.Store
	ingest, delivery *sqlite.Queue
	delivered        func(m relay.Message, again bool) // called before a delivery is acknowledged
	routed           func(m relay.Message, existing *relay.EventRecord)
}

func openStages(dir string) (*stages, error) {
	s, err := sqlite.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := s.Host(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ingest, err1 := s.Queue("ingest", sqlite.QueueOptions{Durable: true})
	delivery, err2 := s.Queue("delivery", sqlite.QueueOptions{})
	return &stages{store: s, ingest: ingest, delivery: delivery}, errors.Join(err1, err2)
}

// run consumes both queues until ctx ends.
func (s *stages) run(ctx context.Context) error {
	ledger := s.store.Ledger()
	expires := time.Now().Add(time.Hour)
	var running sync.WaitGroup
	var errs [2]error
	running.Go(func() {
		errs[0] = s.ingest.Consume(ctx, sqlite.ConsumerOptions{}, each(func(
			ctx context.Context, m relay.Message,
		) error {
			event := relay.Event{ID: string(m.Body), Source: "a", ReceivedAt: time.Now()}
			r := relay.EventRecord{Event: event, MessageID: m.ID, ExpiresAt: expires}
			existing, err := relay.RecordEvent(ctx, ledger, r)
			if err != nil {
				return err
			}
			s.routed(m, existing)
			return firstError(s.delivery.Send(ctx, []relay.Outgoing{{Body: m.Body, Group: "g"}}))
		}))
	})
	running.Go(func() {
		errs[1] = s.delivery.Consume(ctx, sqlite.ConsumerOptions{}, each(func(
			ctx context.Context, m relay.Message,
		) error {
			d := relay.Delivery{
				EventID: string(m.Body), Endpoint: m.ID, Attempts: 1, ExpiresAt: expires,
			}
			err := ledger.SaveDelivery(ctx, d, 0)
			if err != nil && !errors.Is(err, catalog.ErrConflict) {
				return err
			}
			s.delivered(m, err != nil)
			return nil
		}))
	})
	running.Wait()
	return errors.Join(errs[:]...)
}

// runChild sends and consumes until it is killed. It prints a line for each thing that it has done.
func runChild(dir string) error {
	s, err := openStages(dir)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(what, id string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, id)
	}
	s.routed = func(relay.Message, *relay.EventRecord) {}
	s.delivered = func(m relay.Message, _ bool) { say("delivered", m.ID) }
	for range 8 {
		go func() {
			for {
				id := relay.EventID("", "a", "")
				if firstError(s.ingest.Send(
					context.Background(), []relay.Outgoing{{Body: []byte(id)}},
				)) == nil {
					say("sent", id)
				}
			}
		}()
	}
	return s.run(context.Background())
}

// killed runs a child and kills it after some sends. It returns the events that the child reported
// as sent, and the delivery messages that were done well before the end.
func killed(t *testing.T, dir string, sends int) (sent, done []string) {
	t.Helper()
	child := exec.Command(os.Args[0]) //nolint:gosec // this test's own binary
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	watchdog := time.AfterFunc(patience, func() { _ = child.Process.Kill() })
	defer watchdog.Stop()
	const slack = 100 // sends after which a delivery has long been acknowledged
	doneBy := map[int]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		what, id, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "sent":
			sent = append(sent, id)
			doneBy[len(sent)] = len(done)
			if len(sent) == sends/2 {
				if s, err := openStages(dir); !errors.Is(err, sqlite.ErrInUse) {
					t.Fatalf("a second process got %v, %v, want ErrInUse", s, err)
				}
			}
			if len(sent) == sends {
				_ = child.Process.Kill() // and read what it had still said
			}
		case "delivered":
			done = append(done, id)
		default:
			t.Fatalf("the child: %s", lines.Text())
		}
	}
	if len(sent) < sends {
		t.Fatalf("the child sent %d, want %d", len(sent), sends)
	}
	return sent, done[:doneBy[len(sent)-slack]]
}

// Kill -9 under load, three times. Accepted messages are still there. Acknowledged messages do not
// come back. For each effect that survived, the receive of its message is counted.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sent []string
	done := map[string]bool{}
	for i := range 3 {
		s, d := killed(t, dir, 400+100*i)
		sent = append(sent, s...)
		for _, id := range d {
			done[id] = true
		}
	}
	s, err := openStages(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.store.Close() }()
	s.routed = func(m relay.Message, existing *relay.EventRecord) {
		if existing != nil && (existing.MessageID != m.ID || m.Receives == 1) {
			t.Errorf("event %s is on record by message %s and came with message %s, receives %d",
				m.Body, existing.MessageID, m.ID, m.Receives)
		}
	}
	s.delivered = func(m relay.Message, again bool) {
		if again && m.Receives == 1 {
			t.Errorf("message %s was recorded before and comes as if for the first time", m.ID)
		}
		if done[m.ID] {
			t.Errorf("message %s was done and comes again", m.ID)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	eventually(t, "all handled", func() bool {
		return length(t, s.ingest) == 0 && length(t, s.delivery) == 0
	})
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, id := range sent {
		_, deliveries, err := s.store.Ledger().Event(t.Context(), id)
		if err != nil || len(deliveries) == 0 {
			t.Fatalf("event %s was accepted and has %d deliveries: %v", id, len(deliveries), err)
		}
	}
	if len(done) == 0 {
		t.Error("the children delivered nothing before they were killed")
	}
}
