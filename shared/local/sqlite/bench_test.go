package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
)

// BenchmarkCycle measures the storage work of an event with a body of 1 KiB, without the stages
// around it: a durable Send, an event record, a message for each endpoint, a record of each
// delivery, and the acknowledgements. It has 32 senders.
func BenchmarkCycle(b *testing.B) {
	for _, fanOut := range []int{1, 10} {
		b.Run(fmt.Sprint("fan-out=", fanOut), func(b *testing.B) {
			b.ReportAllocs()
			c := newCycle(b, fanOut)
			var senders sync.WaitGroup
			var begun atomic.Int64
			b.ResetTimer()
			for range 32 {
				senders.Go(func() {
					for begun.Add(1) <= int64(b.N) {
						c.send(b)
					}
				})
			}
			senders.Wait()
			c.await(int64(b.N * fanOut))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N*fanOut)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkSendIdle measures one durable Send on an otherwise idle store.
func BenchmarkSendIdle(b *testing.B) {
	b.ReportAllocs()
	q := queue(b, open(b, b.TempDir()), "ingest", sqlite.QueueOptions{Durable: true})
	msgs := []relay.Outgoing{{Body: []byte(strings.Repeat("x", 1024))}}
	for b.Loop() {
		if err := q.Send(b.Context(), msgs)[0]; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLatency measures the time from Send to the last stage at 100 events a second.
func BenchmarkLatency(b *testing.B) {
	c := newCycle(b, 1)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var n int64
	for b.Loop() {
		<-tick.C
		c.send(b)
		n++
	}
	c.await(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.ways)
	b.ReportMetric(float64(c.ways[len(c.ways)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(c.ways[len(c.ways)*99/100].Microseconds())/1000, "p99-ms")
}

// cycle is a relay that only stores.
type cycle struct {
	ingest    *sqlite.Queue
	delivered atomic.Int64
	mu        sync.Mutex
	ways      []time.Duration // from Send to the delivery's handler
	all       chan struct{}
	want      atomic.Int64
}

func newCycle(b *testing.B, fanOut int) *cycle {
	s := host(b, b.TempDir())
	dead := queue(b, s, "dlq", sqlite.QueueOptions{})
	c := &cycle{all: make(chan struct{}, 1)}
	c.ingest = queue(
		b, s, "ingest", sqlite.QueueOptions{DeadLetter: dead, MaxReceives: 5, Durable: true},
	)
	delivery := queue(b, s, "delivery", sqlite.QueueOptions{DeadLetter: dead, MaxReceives: 5})
	ledger := s.Ledger()
	consume(b, c.ingest, sqlite.ConsumerOptions{}, each(func(
		ctx context.Context, m relay.Message,
	) error {
		r := relay.EventRecord{Event: event(m), MessageID: m.ID, Endpoints: []string{"a"},
			RoutedAt:  time.Now(),
			ExpiresAt: time.Now().Add(time.Hour)}
		if _, err := relay.RecordEvent(ctx, ledger, r); err != nil {
			return err
		}
		out := make([]relay.Outgoing, fanOut)
		for i := range out {
			out[i] = relay.Outgoing{Body: m.Body, Group: fmt.Sprint("endpoint-", i)}
		}
		return firstError(delivery.Send(ctx, out))
	}))
	consume(b, delivery, sqlite.ConsumerOptions{}, each(func(
		ctx context.Context, m relay.Message,
	) error {
		e := event(m)
		sent, _ := strconv.ParseInt(string(m.Body[36:60]), 10, 64)
		c.mu.Lock()
		c.ways = append(c.ways, time.Since(time.Unix(0, sent)))
		c.mu.Unlock()
		d := relay.Delivery{EventID: e.ID, Endpoint: m.ID, Source: e.Source, Type: e.Type,
			Status: relay.Delivered, Attempts: 1,
			MessageID: m.ID, UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
			History: []relay.Attempt{
				{
					Number: 1, At: time.Now(), Outcome: relay.Succeeded, StatusCode: 200,
					Response: []byte("ok"),
				},
			}}
		if err := ledger.SaveDelivery(ctx, d, 0); err != nil {
			return err
		}
		if c.delivered.Add(1) == c.want.Load() {
			c.all <- struct{}{}
		}
		return nil
	}))
	return c
}

func (c *cycle) send(b *testing.B) {
	body := fmt.Sprintf("%s%024d%s", relay.EventID("", "github", ""), time.Now().UnixNano(), padding)
	if err := firstError(c.ingest.Send(
		context.Background(), []relay.Outgoing{{Body: []byte(body)}},
	)); err != nil {
		b.Error(err)
	}
}

// padding makes messages as long as those of events with a body of 1 KiB, which is encoded in
// base64.
var padding = strings.Repeat("x", 1700)

func event(m relay.Message) relay.Event {
	return relay.Event{ID: string(m.Body[:36]), Receipt: "r", Source: "github", Type: "push",
		ReceivedAt: time.Now().UTC(),
		Header:     relay.Header{"content-type": "application/json"}, Body: m.Body[:1024]}
}

func (c *cycle) await(n int64) {
	if c.want.Store(n); c.delivered.Load() < n {
		<-c.all
	}
}

// each makes a batch handler from a function for one message. It handles all messages of a batch at
// once, as the relay's stages do.
func each(f func(context.Context, relay.Message) error) sqlite.Handler {
	return func(ctx context.Context, msgs []relay.Message) ([]string, error) {
		errs := make([]error, len(msgs))
		var running sync.WaitGroup
		for i, m := range msgs {
			running.Go(func() { errs[i] = f(ctx, m) })
		}
		running.Wait()
		var failed []string
		for i, err := range errs {
			if err != nil {
				failed = append(failed, msgs[i].ID)
			}
		}
		return failed, nil
	}
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
