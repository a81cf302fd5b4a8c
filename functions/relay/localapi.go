package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"webhook-relay/shared/admin"
	webconsole "webhook-relay/shared/admin/console"
	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/transform/jq"
	"webhook-relay/shared/transform/jq/program"
)

// localRelay is the open store of a local relay, its catalog and its queues.
type localRelay struct {
	store   *sqlite.Store
	catalog *sqlite.Catalog
	queues  map[string]*sqlite.Queue
	jobs    *jobRunner
	jq      *jq.Runner // no process until it is needed

	listeners *listen.Listeners
	kept      *listen.Kept // the events of listeners
}

// openStore opens the relay in a directory. The relay's host may be running at the same time. The
// store must be closed.
func openStore(dir string) (*localRelay, error) {
	store, err := sqlite.Open(dir)
	if err != nil {
		return nil, err
	}
	l, err := newLocalRelay(dir, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return l, nil
}

// newLocalRelay returns the relay whose store is open.
func newLocalRelay(dir string, store *sqlite.Store) (*localRelay, error) {
	sealer, err := keyfile.New(dir)
	if err != nil {
		return nil, err
	}
	queues, err := openQueues(store)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable() // this command is the jq process too, see main
	if err != nil {
		return nil, err
	}
	l := &localRelay{
		store: store, catalog: store.Catalog(sealer), queues: queues,
		jq: jq.New(program.Marked, self),
	}
	if l.jobs, err = l.newJobs(); err != nil {
		return l, err
	}
	l.kept = listen.NewKept(store.Documents(), time.Now)
	l.listeners, err = listen.New(listen.Config{
		Documents: store.Documents(), Marks: l.catalog, Queues: l.kept, CacheTTL: catalogTTL,
	})
	return l, err
}

// bodies returns where large bodies are kept.
func (l *localRelay) bodies() relay.Bodies {
	return l.store.Bodies(relay.DefaultRetention + relay.BodiesOutlive)
}

// replayer returns what sends deliveries again.
func (l *localRelay) replayer(ttl time.Duration) operate.Replayer {
	ledger := l.store.Ledger()
	return operate.Replayer{
		Ledger: ledger, Deliveries: ledger, Retry: l.queues[retryQueue],
		Router: relay.NewRouter(l.catalog, l.bodies(), ttl, time.Now),
	}
}

// api returns the handler of /v1. The host and the commands serve the same. ttl is how long it
// keeps what it has read of the catalog.
func (l *localRelay) api(ttl time.Duration) (http.Handler, error) {
	ledger, documents, bodies := l.store.Ledger(), l.store.Documents(), l.bodies()
	return admin.New(admin.Config{
		Jobs: l.jobs.Jobs, Events: ledger, Bodies: bodies, Searcher: operate.Searcher{
			Events: ledger, Deliveries: ledger, Records: ledger, Bodies: bodies,
			Endpoints: operate.EndpointsOf(l.catalog),
		},
		Statistics: operate.Statistics{Documents: documents, Events: ledger},
		Catalogs:   l.catalog, CatalogDocuments: documents, LedgerDocuments: documents,
		States: ledger, Local: true, Notifier: operate.NewNotifier(
			relay.NewRouter(l.catalog, nil, ttl, time.Now), l.queues[ingestQueue],
		),
		Pinger:   operate.Pinger{Events: ledger, Delivery: l.queues[deliveryQueue]},
		Replayer: l.replayer(ttl), Learned: l.catalog, JQ: l.jq, Queues: l.counters(),
		Listening: admin.Listening{Listeners: l.listeners, Sender: l.kept, Kept: l.kept},
	})
}

// jobRunner are the jobs of a local relay, on which this process works itself.
type jobRunner struct {
	*operate.Jobs

	mu      sync.Mutex
	stopped bool
	ctx     context.Context // until the process stops
	stop    context.CancelFunc
	running sync.WaitGroup
}

// newJobs returns the jobs. They must be closed.
func (l *localRelay) newJobs() (*jobRunner, error) {
	r := &jobRunner{}
	r.ctx, r.stop = context.WithCancel(context.Background())
	ledger := l.store.Ledger()
	var err error
	r.Jobs, err = operate.NewJobs(operate.JobsConfig{
		Documents: l.store.Documents(), Deliveries: ledger, Records: ledger, Bodies: l.bodies(),
		Events: ledger, Endpoints: operate.EndpointsOf(l.catalog), Starter: r,
		Replayer: l.replayer(0),
	})
	return r, err
}

const (
	// jobStep is longer than a step of a job.
	jobStep = time.Minute
	// resumeJobsEvery is how often the host looks for jobs that stand still. It finds those of a
	// process before it that was killed.
	resumeJobsEvery = time.Minute
)

// StartJob implements operate.JobStarter: it works on a job in the background. A process that stops
// does nothing: another one goes on with the job.
func (r *jobRunner) StartJob(_ context.Context, tenant, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.running.Go(func() {
			ctx, cancel := context.WithTimeout(r.ctx, jobStep)
			defer cancel()
			_ = r.Work(ctx, tenant, id) // what goes wrong is in the job
		})
	}
	return nil
}

// close ends the work on jobs, and waits until its progress is saved.
func (r *jobRunner) close() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.stop()
	ended := make(chan struct{})
	go func() {
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainTime):
	}
}

// resumeJobs starts the work on jobs on which nobody works.
func (l *localRelay) resumeJobs(ctx context.Context) error {
	_, err := operate.ResumeJobs(ctx, l.store.Documents(), l.jobs, time.Now())
	return err
}

// keepJobsGoing resumes jobs, at once and then every minute, until ctx ends.
func (h *host) keepJobsGoing(ctx context.Context) {
	for {
		_ = h.resumeJobs(ctx) // after an error it looks again in a minute
		if pause(ctx, resumeJobsEvery) != nil {
			return
		}
	}
}

// The document with the address of the host, for commands that use the same directory.
const (
	hostCollection = "host"
	addressKey     = "address"
)

// noteAddress notes where the host listens.
func (l *localRelay) noteAddress(ctx context.Context, url string) error {
	_, err := l.store.Documents().PutDocument(ctx, hostCollection, operate.Document{
		Key: addressKey, Body: []byte(url),
	}, operate.AnyVersion)
	return err
}

// address returns where the host listens, or has listened last.
func (l *localRelay) address(ctx context.Context) string {
	d, err := l.store.Documents().Document(ctx, hostCollection, addressKey)
	if err != nil {
		return localConsole
	}
	return string(d.Body)
}

// linkOpens is how long a link that relay open makes can be used.
const linkOpens = 10 * time.Minute

// signIn returns the path of a link that opens a page of the console, signed in, once.
func (l *localRelay) signIn(
	ctx context.Context, api http.Handler, name, page string,
) (string, error) {
	pages, err := webconsole.New(webconsole.Config{
		API: api, Documents: l.store.Documents(), Local: true,
	})
	if err != nil {
		return "", err
	}
	return pages.Link(ctx, name, page, linkOpens)
}

// counters returns what counts the messages of each queue.
func (l *localRelay) counters() map[string]admin.QueueCounter {
	counters := map[string]admin.QueueCounter{}
	for name, queue := range l.queues {
		counters[name] = queue.Len
	}
	return counters
}

// close closes the relay.
func (l *localRelay) close() error {
	l.jobs.close()
	l.jq.Close()
	return l.store.Close()
}
