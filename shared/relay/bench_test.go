package relay_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/verify"
)

// benchRig is a relay with one source and n endpoints on in-memory ports. It counts the calls as
// AWS would bill them.
type benchRig struct {
	calls     *calls
	ingest    *memory.Queue
	delivery  *memory.Queue
	receiver  *relay.Receiver
	fanout    *relay.Fanout
	deliverer *relay.Deliverer
}

// calls counts the requests that the AWS adapters would make: one for each record that is read or
// written, and one for each ten messages of a Send.
type calls struct{ n atomic.Int64 }

func newBenchRig(b *testing.B, endpoints int) *benchRig {
	b.Helper()
	var catalogs memory.Catalog
	next := catalog.Catalog{
		Sources: []catalog.Source{
			{
				Name: "app", Verify: verify.Config{Provider: "bearer"},
				Secrets: []string{bearerToken},
			},
		},
	}
	for i := range endpoints {
		name := fmt.Sprint("e", i)
		next.Endpoints = append(
			next.Endpoints,
			catalog.Endpoint{
				Name: name, URL: "https://" + name + ".example.com/",
				Secrets: []string{endpointSecret},
			},
		)
		next.Subscriptions = append(
			next.Subscriptions, catalog.Subscription{Source: "app", Endpoint: name},
		)
	}
	if err := catalogs.ReplaceCatalog(b.Context(), next, 0); err != nil {
		b.Fatal(err)
	}
	r := &benchRig{calls: &calls{}, ingest: &memory.Queue{}, delivery: &memory.Queue{}}
	ledger := &memory.Ledger{}
	r.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: countedQueue{r.calls, r.ingest}, Bodies: &memory.Bodies{},
		Reporter: discard{},
	}))
	r.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: &catalogs, Events: countedEvents{r.calls, ledger},
		Delivery: countedQueue{r.calls, r.delivery}, Reporter: discard{},
		Failures: &memory.Failures{},
		Bodies:   &memory.Bodies{}, Poison: &memory.Queue{},
	}))
	r.deliverer = lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: &catalogs, Deliveries: countedDeliveries{r.calls, ledger},
		Bodies: &memory.Bodies{}, Poster: accepting{}, Reporter: discard{},
		States: countedStates{
			r.calls, &memory.States{},
		}, Quotas: &memory.Quotas{}, Failures: &memory.Failures{}, Keeper: ledger,
		Retry: &memory.Queue{}, Dead: &memory.Queue{}, Poison: &memory.Queue{},
		Scheduler: &memory.Scheduler{Queue: &memory.Queue{}}, Slots: &memory.Slots{},
	}))
	return r
}

var benchBody = []byte(strings.Repeat("x", 1024))

func (r *benchRig) receive(b *testing.B, id int) {
	b.Helper()
	_, err := r.receiver.Receive(b.Context(), relay.Inbound{
		Source: "app", Method: "POST", Body: benchBody, ReceivedAt: time.Now(),
		Header: relay.Header{
			"authorization": "Bearer " + bearerToken, "webhook-id": fmt.Sprint(id),
			"content-type": "text/plain",
		},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// consume passes one batch of ten to a stage.
func consume(
	b *testing.B, q *memory.Queue, process func(context.Context, []relay.Message) []relay.Action,
) {
	b.Helper()
	msgs, _ := q.Receive(b.Context(), 10)
	for i, a := range process(b.Context(), msgs) {
		if a.Retry {
			b.Fatal(a.Err)
		}
		_ = q.Ack(b.Context(), msgs[i])
	}
}

func BenchmarkReceive(b *testing.B) {
	r := newBenchRig(b, 1)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.receive(b, i)
		i++
	}
}

// BenchmarkFanout routes batches of ten events.
func BenchmarkFanout(b *testing.B) {
	for _, endpoints := range []int{1, 10} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			b.ReportAllocs()
			r := newBenchRig(b, endpoints)
			id := 0
			for b.Loop() {
				b.StopTimer()
				for range 10 {
					r.receive(b, id)
					id++
				}
				*r.delivery = memory.Queue{}
				b.StartTimer()
				consume(b, r.ingest, r.fanout.Process)
			}
		})
	}
}

// BenchmarkDeliver makes batches of ten deliveries to endpoints that accept at once.
func BenchmarkDeliver(b *testing.B) {
	b.ReportAllocs()
	r := newBenchRig(b, 1)
	id := 0
	for b.Loop() {
		b.StopTimer()
		for range 10 {
			r.receive(b, id)
			id++
		}
		consume(b, r.ingest, r.fanout.Process)
		b.StartTimer()
		consume(b, r.delivery, r.deliverer.Process)
	}
}

// BenchmarkCalls counts the AWS calls of an event from its acceptance to its last delivery, in
// batches of ten. The budget at fan-out 1 is 3.3.
func BenchmarkCalls(b *testing.B) {
	for _, endpoints := range []int{1, 10} {
		b.Run(fmt.Sprintf("fanout=%d", endpoints), func(b *testing.B) {
			r := newBenchRig(b, endpoints)
			r.receive(b, -1) // fills the caches
			consume(b, r.ingest, r.fanout.Process)
			for r.delivery.Len() > 0 {
				consume(b, r.delivery, r.deliverer.Process)
			}
			r.calls.n.Store(0)
			events := 0
			for b.Loop() {
				for range 10 {
					r.receive(b, events)
					events++
				}
				consume(b, r.ingest, r.fanout.Process)
				for r.delivery.Len() > 0 {
					consume(b, r.delivery, r.deliverer.Process)
				}
			}
			b.ReportMetric(float64(r.calls.n.Load())/float64(events), "calls/event")
		})
	}
}

type countedQueue struct {
	*calls
	relay.Queue
}

func (q countedQueue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	q.n.Add(int64(len(msgs)+9) / 10)
	return q.Queue.Send(ctx, msgs)
}

type countedEvents struct {
	*calls
	*memory.Ledger
}

func (e countedEvents) RecordEvents(
	ctx context.Context, records []relay.EventRecord,
) []relay.Recorded {
	e.n.Add(int64(len(records)))
	return e.Ledger.RecordEvents(ctx, records)
}

type countedStates struct {
	*calls
	gate.EndpointStates
}

func (s countedStates) EndpointState(
	ctx context.Context, endpoint string,
) (breaker.State, int64, error) {
	s.n.Add(1)
	return s.EndpointStates.EndpointState(ctx, endpoint)
}

type countedDeliveries struct {
	*calls
	*memory.Ledger
}

func (d countedDeliveries) Delivery(
	ctx context.Context, k relay.DeliveryKey,
) (relay.Delivery, error) {
	d.n.Add(1)
	return d.Ledger.Delivery(ctx, k)
}

func (d countedDeliveries) SaveDelivery(ctx context.Context, v relay.Delivery, prior int) error {
	d.n.Add(1)
	return d.Ledger.SaveDelivery(ctx, v, prior)
}

type accepting struct{}

func (accepting) Post(context.Context, relay.Post) (relay.Reply, error) {
	return relay.Reply{StatusCode: 200}, nil
}

type discard struct{}

func (discard) Received(context.Context, relay.ReceiveReport)  {}
func (discard) Routed(context.Context, relay.RouteReport)      {}
func (discard) Attempted(context.Context, relay.AttemptReport) {}
