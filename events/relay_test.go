package events_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"webhook-relay/events"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// demoOnce makes the demonstration's keys once.
var demoOnce = sync.OnceValues(events.Demo)

// demo is the demonstration's catalog.
func demo(t *testing.T) catalog.Catalog {
	t.Helper()
	cat, err := demoOnce()
	if err != nil {
		t.Fatal(err)
	}
	// tests change them
	cat.Sources, cat.Endpoints = slices.Clone(cat.Sources), slices.Clone(cat.Endpoints)
	cat.Subscriptions = slices.Clone(cat.Subscriptions)
	return cat
}

// retention is so long that the samples, which all have the same fixed date, never expire.
const retention = math.MaxInt64 / 3 * time.Nanosecond

// stages is a relay on ports in memory. It is also the reporter.
type stages struct {
	catalog  memory.Catalog
	ledger   memory.Ledger
	bodies   memory.Bodies
	states   memory.States
	failures memory.Failures
	quotas   memory.Quotas

	ingest, ingestDLQ, delivery, deliveryDLQ, retry, dead memory.Queue

	receiver  *relay.Receiver
	fanout    *relay.Fanout
	deliverer *relay.Deliverer

	mu       sync.Mutex
	results  map[relay.RouteResult]int
	outcomes map[relay.Outcome]int
	posted   []relay.Post
	answer   int // of every endpoint
}

func newStages(t *testing.T, cat catalog.Catalog) *stages {
	t.Helper()
	s := &stages{
		results: map[relay.RouteResult]int{}, outcomes: map[relay.Outcome]int{}, answer: 200,
	}
	if err := s.catalog.ReplaceCatalog(t.Context(), cat, 0); err != nil {
		t.Fatal(err)
	}
	s.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &s.catalog, Ingest: &s.ingest, Bodies: &s.bodies, Reporter: s,
	}))
	s.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: &s.catalog, Events: &s.ledger, Delivery: &s.delivery, Poison: &s.ingestDLQ,
		Reporter: s, Retention: retention,
		Failures: &s.failures,
		Bodies:   &memory.Bodies{},
	}))
	s.deliverer = lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: &s.catalog, Deliveries: &s.ledger, Bodies: &s.bodies, Poster: s, Retry: &s.retry,
		Dead: &s.dead, Poison: &s.deliveryDLQ,
		Scheduler: &memory.Scheduler{Queue: &s.retry}, States: &s.states, Quotas: &s.quotas,
		Failures: &s.failures, Keeper: &s.ledger, Reporter: s, Retention: retention,
		Slots: &memory.Slots{},
	}))
	return s
}

func (s *stages) Received(context.Context, relay.ReceiveReport) {}

func (s *stages) Routed(_ context.Context, r relay.RouteReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[r.Result]++
}

func (s *stages) Attempted(_ context.Context, r relay.AttemptReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Err == nil {
		s.outcomes[r.Attempt.Outcome]++
	}
}

func (s *stages) Post(_ context.Context, p relay.Post) (relay.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Body = bytes.Clone(p.Body)
	s.posted = append(s.posted, p)
	return relay.Reply{StatusCode: s.answer}, nil
}

// taken removes and returns the one message in a queue, whenever it is due.
func taken(t *testing.T, q *memory.Queue) relay.Message {
	t.Helper()
	if due, ok := q.Due(); ok {
		time.Sleep(time.Until(due)) // in a bubble
	}
	msgs, err := q.Receive(t.Context(), 2)
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%d messages in the queue, %v", len(msgs), err)
	}
	if err := q.Ack(t.Context(), msgs[0]); err != nil {
		t.Fatal(err)
	}
	return msgs[0]
}
