package main

import (
	"context"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// newSweeper returns the sweeper of a local relay. The host resumes jobs more often: see
// keepJobsGoing.
func newSweeper(l *localRelay) (*operate.Sweeper, error) {
	ledger := l.store.Ledger()
	return operate.NewSweeper(operate.SweeperConfig{
		Names: l.catalog, Subscriptions: l.catalog, States: ledger, Ledger: ledger,
		Deliveries: ledger, Cursors: ledger,
		Delivery: l.queues[deliveryQueue], Retry: l.queues[retryQueue],
		Documents: l.store.Documents(), Listeners: l.listeners,
		Catalogs: l.catalog, Notifier: operate.NewNotifier(
			relay.NewRouter(l.catalog, nil, catalogTTL, time.Now), l.queues[ingestQueue],
		),
	})
}

// sweep runs the sweeper after each interval until ctx ends. It never runs at the start: then the
// host is still working on deliveries that fell due while no host ran.
func (h *host) sweep(
	ctx context.Context, every time.Duration, swept func(operate.SweepReport, error),
) {
	for pause(ctx, every) == nil {
		report, err := h.sweeper.Run(ctx)
		if ctx.Err() == nil {
			swept(report, err)
		}
	}
}

// pause waits for d. If ctx ends first, it returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
