package relay_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
)

// TestRandomScriptsOnTheEmbeddedAdapter runs scripts as TestRandomScripts does, with the queues and
// tables of the local host instead of those in memory. The adapter has goroutines of its own that
// the seed does not control. So a seed repeats the script, but not each step.
func TestRandomScriptsOnTheEmbeddedAdapter(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		runSeed(t, *seedFlag, true, newEmbeddedWorld)
		return
	}
	for seed := range uint64(embeddedScripts) {
		runSeed(t, 1+seed, true, newEmbeddedWorld)
		if t.Failed() {
			return
		}
	}
}

// newEmbeddedWorld returns a world on package sqlite.
func newEmbeddedWorld(t *testing.T, s script) *world {
	t.Helper()
	w := newWorld(t, s)
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlite.Open(dir)
	must(err)
	must(store.Host())
	sealer, err := keyfile.New(dir)
	must(err)
	open := func(name string, o sqlite.QueueOptions) *sqlite.Queue {
		q, err := store.Queue(name, o)
		must(err)
		return q
	}
	dead, poison := open("dead", sqlite.QueueOptions{}), open("delivery-dlq", sqlite.QueueOptions{})
	ingestDL := open("ingest-dlq", sqlite.QueueOptions{})
	ingest := open("ingest", sqlite.QueueOptions{
		DeadLetter: ingestDL, MaxReceives: maxReceives,
		Visibility: visibilityFactor * fanoutTimeout, Durable: true,
	})
	delivery := open("delivery", sqlite.QueueOptions{Visibility: visibilityFactor * deliverTimeout})
	retry := open("retry", sqlite.QueueOptions{Visibility: visibilityFactor * deliverTimeout})
	slow := open("slow", sqlite.QueueOptions{Visibility: visibilityFactor * deliverTimeout})
	orderedIngest := open("ingest-ordered", sqlite.QueueOptions{
		DeadLetter: ingestDL, MaxReceives: maxReceives,
		Visibility: visibilityFactor * fanoutTimeout, Durable: true, Ordered: true,
	})
	orderedDelivery := open(
		"delivery-ordered",
		sqlite.QueueOptions{Visibility: visibilityFactor * deliverTimeout, Ordered: true},
	)
	catalog, ledger := store.Catalog(sealer), store.Ledger()
	must(catalog.ReplaceCatalog(t.Context(), s.catalog(), 0))
	w.store, w.records, w.revision = catalog, ledger, 1
	w.sweeps = false // its hours are longer than the script
	w.in = ports{
		catalog, catalog, catalog, ledger, ledger, store.Bodies(
			relay.DefaultRetention,
		), nil, store.Scheduler(retry), ledger, &w.quotas, &w.slots, &w.failures, ledger,
		counted{ingest, &w.received}, delivery, retry, slow, counted{
			orderedIngest, &w.received,
		}, orderedDelivery, dead, ingestDL, poison,
	}
	w.putAside = [2]lister{listed{ingestDL}, listed{poison}}
	redrive := func(from, to *sqlite.Queue) {
		if _, err := from.Redrive(context.Background(), to); err != nil {
			t.Error(err)
		}
	}
	w.redrive = func() { redrive(ingestDL, ingest); redrive(poison, delivery) }
	w.redriveDead = func() { redrive(dead, retry) }

	ctx, stop := context.WithCancel(context.Background())
	var consumers sync.WaitGroup
	for i, q := range []*sqlite.Queue{
		ingest, delivery, retry, orderedIngest, orderedDelivery, slow,
	} {
		f := w.feeds[i]
		from := &pushed{listed: listed{q}, notify: w.notify}
		f.from = from
		o := sqlite.ConsumerOptions{BatchSize: f.limit, Concurrency: f.instances}
		consumers.Go(func() {
			if err := q.Consume(ctx, o, from.handle); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		consumers.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// listed lists all messages of a queue.
type listed struct{ *sqlite.Queue }

func (l listed) List() (all []relay.Message) {
	for page := relay.Page(""); ; {
		msgs, next, err := l.Queue.List(context.Background(), page)
		if err != nil {
			panic(err)
		}
		if all, page = append(all, msgs...), next; page == "" {
			return all
		}
	}
}

// pushed is a queue that hands out its batches by itself. They wait until the world takes them.
type pushed struct {
	listed
	notify func()

	mu      sync.Mutex
	batches []*batch
}

// handle is the queue's handler.
func (p *pushed) handle(ctx context.Context, msgs []relay.Message) (failed []string, err error) {
	settled := make(chan []relay.Action, 1)
	b := &batch{msgs: msgs, hold: func(held []relay.Held) []error {
		return p.Hold(context.Background(), held)
	}, done: func(actions []relay.Action) { settled <- actions }}
	p.mu.Lock()
	p.batches = append(p.batches, b)
	p.mu.Unlock()
	p.notify()
	select {
	case actions := <-settled:
		for i, a := range actions {
			if a.Retry {
				failed = append(failed, msgs[i].ID)
			}
		}
		return failed, nil
	case <-ctx.Done():
		p.mu.Lock()
		p.batches = slices.DeleteFunc(p.batches, func(other *batch) bool { return other == b })
		p.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (p *pushed) Take(int) *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.batches) == 0 {
		return nil
	}
	b := p.batches[0]
	p.batches = p.batches[1:]
	return b
}

// Due is an hour from now: every batch is pushed long before.
func (p *pushed) Due() (time.Time, bool) {
	return time.Now().Add(time.Hour), len(p.List()) > 0
}
