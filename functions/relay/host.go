package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	webconsole "webhook-relay/shared/admin/console"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/local/standin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// The limits of the local host. Those that the template has too have the same values there.
const (
	// The maximum receive count of the ingest queues. It is high because the stages themselves set
	// aside messages that they cannot process.
	maxReceives    = 1000
	fanoutTimeout  = 30 * time.Second
	deliverTimeout = 60 * time.Second

	// A handler here is a goroutine and not a function instance, so there can be many. perEndpoint
	// limits how many of them one endpoint may use.
	ingestHandlers   = 8
	deliveryHandlers = 256
	retryHandlers    = 128
	slowHandlers     = 128
	perEndpoint      = 32

	// A change of the catalog by "relay apply" comes into force within this time.
	catalogTTL = time.Second
)

// hostOptions are the options of openHost.
type hostOptions struct {
	Guard    bool // refuse endpoints on private and loopback addresses
	Reporter relay.Reporter
}

// host is the whole relay in this process. The three stages run behind the same handlers as the
// functions do, and use the embedded adapters.
type host struct {
	*localRelay

	receive gateway.Lambda
	v1      http.Handler // the API
	pages   *webconsole.Console

	fanout  stage
	deliver stage
	sweeper *operate.Sweeper
}

type stage = func(context.Context, []relay.Message) []relay.Action

// The names of the queues, which are those of the template.
const (
	ingestQueue     = "ingest"
	deliveryQueue   = "delivery"
	retryQueue      = "retry"
	slowQueue       = "slow"
	orderedIngest   = "ordered-ingest"
	orderedDelivery = "ordered-delivery"
	deadQueue       = "dead"
	ingestDLQ       = "ingest-dlq"
	deliveryDLQ     = "delivery-dlq"
)

// openHost opens the relay kept in dir. Only one process may host it at a time. The caller must
// close the host.
func openHost(dir string, o hostOptions) (*host, error) {
	store, err := sqlite.Open(dir)
	if err != nil {
		return nil, err
	}
	l, err := newLocalRelay(dir, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	h := &host{localRelay: l}
	if err := h.build(dir, o); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *host) build(dir string, o hostOptions) error {
	if err := h.store.Host(); err != nil {
		return err
	}
	catalogs, ledger, bodies := h.catalog, h.store.Ledger(), h.bodies()
	quotas := &memory.Quotas{}
	receiver, err := relay.NewReceiver(relay.ReceiverConfig{
		Sources: catalogs, Subscriptions: catalogs, Ingest: h.queues[ingestQueue],
		Ordered: h.queues[orderedIngest],
		Bodies:  bodies, Reporter: o.Reporter, CacheTTL: catalogTTL,
		Learned: catalogs, Operator: operate.NewNotifier(
			nil, h.queues[ingestQueue],
		),
		Refusals: operate.NewRefused(h.store.Documents(), time.Now), Quotas: quotas,
		Fetcher: verify.Cached(egress.NewKeyFetcher(egress.Options{})),
	})
	if err != nil {
		return err
	}
	copier, err := listen.NewCopier(listen.CopierConfig{
		Documents: h.store.Documents(), Sender: h.kept, Bodies: bodies, CacheTTL: catalogTTL,
	})
	if err != nil {
		return err
	}
	failures := &memory.Failures{}
	fanout, err := relay.NewFanout(relay.FanoutConfig{
		Subscriptions: catalogs, Types: catalogs, Events: ledger, Bodies: bodies,
		Delivery: h.queues[deliveryQueue],
		Ordered:  h.queues[orderedDelivery],
		Poison:   h.queues[ingestDLQ], Failures: failures, Reporter: o.Reporter,
		CacheTTL: catalogTTL, Listeners: copier,
	})
	if err != nil {
		return err
	}
	deliverer, err := relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: catalogs, Deliveries: ledger, States: ledger, Quotas: quotas,
		Slots: &memory.Slots{}, Bodies: bodies, Poster: standin.New(
			dir, egress.New(egress.Options{Unguarded: !o.Guard}),
		),
		Retry: h.queues[retryQueue], Slow: h.queues[slowQueue], Ordered: h.queues[orderedDelivery],
		Dead: h.queues[deadQueue], Poison: h.queues[deliveryDLQ],
		Scheduler: h.store.Scheduler(h.queues[retryQueue]), Reporter: o.Reporter,
		CacheTTL: catalogTTL, Failures: failures, Keeper: ledger,
		Operator: operate.NewNotifier(
			relay.NewRouter(catalogs, nil, catalogTTL, time.Now), h.queues[ingestQueue],
		),
		JQ: h.jq, Claims: standin.NewClaims(dir),
	})
	if err != nil {
		return err
	}
	h.receive = handler.Receive(receiver)
	if h.v1, err = h.api(catalogTTL); err != nil {
		return err
	}
	if h.pages, err = webconsole.New(webconsole.Config{
		API: h.v1, Documents: h.store.Documents(), Local: true, Sent: sentTo(dir),
	}); err != nil {
		return err
	}
	if h.sweeper, err = newSweeper(h.localRelay); err != nil {
		return err
	}
	h.fanout, h.deliver = fanout.Process, deliverer.Process
	return nil
}

// openQueues opens the queues. Only the deliverer puts messages into the dead queue, as in the
// template.
func openQueues(store *sqlite.Store) (map[string]*sqlite.Queue, error) {
	queues := map[string]*sqlite.Queue{}
	var errs []error
	open := func(name string, o sqlite.QueueOptions) {
		q, err := store.Queue(name, o)
		queues[name], errs = q, append(errs, err)
	}
	for _, name := range []string{ingestDLQ, deliveryDLQ, deadQueue} {
		open(name, sqlite.QueueOptions{})
	}
	ingest := sqlite.QueueOptions{
		DeadLetter: queues[ingestDLQ], MaxReceives: maxReceives, Visibility: fanoutTimeout,
		// A partner gets its 2xx once its message is here. Every other message is on disk only
		// after the one that caused it, which stays in its queue until then.
		Durable: true,
	}
	open(ingestQueue, ingest)
	ingest.Ordered = true
	open(orderedIngest, ingest)
	// The deliverer itself sets aside messages that it cannot process, here too.
	open(deliveryQueue, sqlite.QueueOptions{Visibility: deliverTimeout})
	open(retryQueue, sqlite.QueueOptions{Visibility: deliverTimeout})
	open(slowQueue, sqlite.QueueOptions{Visibility: deliverTimeout})
	open(orderedDelivery, sqlite.QueueOptions{Visibility: deliverTimeout, Ordered: true})
	return queues, errors.Join(errs...)
}

// consume runs the functions on their queues until ctx ends or the store breaks.
func (h *host) consume(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	// A batch of one message needs no goroutine of its own, and no message waits for a slower one.
	start := func(queue string, process stage, o sqlite.ConsumerOptions) {
		o.BatchSize = 1
		g.Go(func() error {
			return h.queues[queue].Consume(ctx, o, handler.Messages(process, h.queues[queue]))
		})
	}
	start(ingestQueue, h.fanout, sqlite.ConsumerOptions{Concurrency: ingestHandlers})
	start(orderedIngest, h.fanout, sqlite.ConsumerOptions{Concurrency: ingestHandlers})
	start(
		deliveryQueue, h.deliver,
		sqlite.ConsumerOptions{Concurrency: deliveryHandlers, PerGroup: perEndpoint},
	)
	start(
		retryQueue, h.deliver,
		sqlite.ConsumerOptions{Concurrency: retryHandlers, PerGroup: perEndpoint},
	)
	start(
		slowQueue, h.deliver,
		sqlite.ConsumerOptions{Concurrency: slowHandlers, PerGroup: perEndpoint},
	)
	start(orderedDelivery, h.deliver, sqlite.ConsumerOptions{Concurrency: deliveryHandlers})
	select {
	case <-ctx.Done():
	case <-h.store.Done():
		cancel()
	}
	return errors.Join(g.Wait(), h.store.Err())
}

// waiting returns how many messages are still to be processed. A queue that cannot be counted adds
// 0.
func (h *host) waiting(ctx context.Context) int {
	n := 0
	for _, name := range []string{
		ingestQueue, orderedIngest, deliveryQueue, orderedDelivery, retryQueue, slowQueue,
	} {
		if k, err := h.queues[name].Len(ctx); err == nil {
			n += k
		}
	}
	return n
}

func (h *host) close() error {
	if err := h.localRelay.close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
