package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// localRelay is the open store of a local relay, its catalog and its queues.
type localRelay struct {
	store   *sqlite.Store
	catalog *sqlite.Catalog
	queues  map[string]*sqlite.Queue
	jobs    *jobRunner
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
	l := &localRelay{store: store, catalog: store.Catalog(sealer), queues: queues}
	l.jobs, err = l.newJobs()
	return l, err
}

// bodies returns where large bodies are kept.
func (l *localRelay) bodies() relay.Bodies {
	return l.store.Bodies(relay.DefaultRetention + relay.BodiesOutlive)
}

// events returns the events of all sources.
func (l *localRelay) events() operate.EventsBySource {
	return operate.EventsBySource{Ledger: l.store.Ledger(), Catalogs: l.catalog}
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
			Events: l.events(), Deliveries: ledger, Records: ledger, Bodies: bodies,
			Endpoints: operate.EndpointsOf(l.catalog),
		},
		Statistics: operate.Statistics{Documents: documents, Events: l.events()},
		Catalogs:   l.catalog, CatalogDocuments: documents, LedgerDocuments: documents,
		States: ledger, Local: true, Notifier: operate.NewNotifier(
			relay.NewRouter(l.catalog, nil, ttl, time.Now), l.queues[ingestQueue],
		),
		Pinger:   operate.Pinger{Events: ledger, Delivery: l.queues[deliveryQueue]},
		Replayer: l.replayer(ttl), Learned: l.catalog,
	})
}

// jobRunner are the jobs of a local relay, on which this process works itself.
type jobRunner struct {
	*operate.Jobs

	stopped context.Context // a job stops with the process
	stop    context.CancelFunc
	working sync.WaitGroup
}

// newJobs returns the jobs. They must be closed.
func (l *localRelay) newJobs() (*jobRunner, error) {
	r := &jobRunner{}
	r.stopped, r.stop = context.WithCancel(context.Background())
	ledger := l.store.Ledger()
	var err error
	r.Jobs, err = operate.NewJobs(operate.JobsConfig{
		Documents: l.store.Documents(), Deliveries: ledger, Records: ledger, Bodies: l.bodies(),
		Events: l.events(), Endpoints: operate.EndpointsOf(l.catalog), Starter: r,
		Replayer: l.replayer(0),
	})
	return r, err
}

// jobStep is longer than a step of a job.
const jobStep = time.Minute

// StartJob implements operate.JobStarter: it works on a job in the background. If the process ends,
// the job goes on when another resumes it.
func (r *jobRunner) StartJob(_ context.Context, tenant, id string) error {
	if r.stopped.Err() != nil {
		return nil
	}
	r.working.Go(func() {
		ctx, cancel := context.WithTimeout(r.stopped, jobStep)
		defer cancel()
		_ = r.Work(ctx, tenant, id) // what goes wrong is in the job
	})
	return nil
}

// close stops the work on jobs. It waits until their progress is saved.
func (r *jobRunner) close() {
	r.stop()
	r.working.Wait()
}

// resumeJobs starts the work on jobs on which nobody works.
func (l *localRelay) resumeJobs(ctx context.Context) error {
	_, err := operate.ResumeJobs(ctx, l.store.Documents(), l.jobs, time.Now())
	return err
}

// close closes the relay.
func (l *localRelay) close() error {
	l.jobs.close()
	return l.store.Close()
}
