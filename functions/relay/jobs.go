package main

import (
	"context"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// newJobs returns the jobs of the local host, which works on them itself.
func (h *host) newJobs(
	catalogs catalog.Tenants, ledger ledgerOfJobs, documents operate.Documents,
	bodies relay.Bodies,
) (*operate.Jobs, error) {
	return operate.NewJobs(operate.JobsConfig{
		Documents: documents, Deliveries: ledger, Records: ledger, Bodies: bodies,
		Events: ledger, Endpoints: operate.EndpointsOf(catalogs), Starter: h,
		Replayer: operate.Replayer{
			Ledger: ledger, Deliveries: ledger, Retry: h.queues[retryQueue],
		},
	})
}

// ledgerOfJobs is a ledger that jobs read and write.
type ledgerOfJobs interface {
	operate.Ledger
	relay.Deliveries
}

const (
	// jobStep is longer than a step of a job.
	jobStep = time.Minute
	// resumeJobsEvery is how often the host looks for jobs that stand still. It finds those of a
	// host before it that was killed.
	resumeJobsEvery = time.Minute
)

// jobWork is the work on jobs in the background.
type jobWork struct {
	mu      sync.Mutex
	stopped bool
	ctx     context.Context // until the host stops
	stop    context.CancelFunc
	running sync.WaitGroup
}

// StartJob implements operate.JobStarter: it works on a job in the background. A host that stops
// does nothing: the next one goes on with the job.
func (h *host) StartJob(_ context.Context, tenant, id string) error {
	w := &h.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.running.Go(func() {
			ctx, cancel := context.WithTimeout(w.ctx, jobStep)
			defer cancel()
			_ = h.jobs.Work(ctx, tenant, id) // what goes wrong is in the job
		})
	}
	return nil
}

// resumeJobs starts the work on jobs that stand still, at once and then every minute, until ctx
// ends.
func (h *host) resumeJobs(ctx context.Context) {
	for {
		// after an error it looks again in a minute
		_, _ = operate.ResumeJobs(ctx, h.store.Documents(), h, time.Now())
		if pause(ctx, resumeJobsEvery) != nil {
			return
		}
	}
}

// stopJobs ends the work on jobs, and waits until its progress is saved.
func (h *host) stopJobs() {
	w := &h.work
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.stop()
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainTime):
	}
}
