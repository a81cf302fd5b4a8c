package main

import (
	"context"
	"time"
	"webhook-relay/shared/relay/operate"
)

// newSweeper returns the sweeper of a local relay, by its own clock or, with nil, the machine's. By a clock of its own it keeps no
// cursor: the relay's sweeper is to look at the same events in its time.
func newSweeper(l *localRelay, now func() time.Time) (*operate.Sweeper, error) {
	ledger := l.store.Ledger()
	cfg := operate.SweeperConfig{
		Names: l.catalog, Subscriptions: l.catalog, States: ledger, Ledger: ledger, Deliveries: ledger,
		Delivery: l.queues[deliveryQueue], Retry: l.queues[retryQueue], Now: now,
	}
	if now == nil {
		cfg.Cursors = ledger
	}
	return operate.NewSweeper(cfg)
}

// sweep runs the sweeper each time that the interval has passed, until ctx ends. Never at once: what fell due while no host ran is being
// worked on then.
func (h *host) sweep(ctx context.Context, every time.Duration, swept func(operate.SweepReport, error)) {
	for pause(ctx, every) == nil {
		report, err := h.sweeper.Run(ctx)
		if ctx.Err() == nil {
			swept(report, err)
		}
	}
}
