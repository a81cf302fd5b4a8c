package main

import (
	"context"
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

// jobStep is longer than a step of a job.
const jobStep = time.Minute

// StartJob implements operate.JobStarter: it works on a job in the background. If the host ends,
// the job goes on when a host sweeps again.
func (h *host) StartJob(_ context.Context, tenant, id string) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), jobStep)
		defer cancel()
		_ = h.jobs.Work(ctx, tenant, id) // what goes wrong is in the job
	}()
	return nil
}
