package main

import (
	"context"
	"time"

	"webhook-relay/shared/relay"
)

// newSweeper returns the sweeper of a local relay, by its own clock or, with nil, the machine's.
func newSweeper(l *localRelay, now func() time.Time) *relay.Sweeper {
	backlogs := func(names ...string) (queues []relay.Backlog) {
		for _, name := range names {
			queues = append(queues, l.queues[name])
		}
		return queues
	}
	return relay.NewSweeper(relay.SweeperConfig{
		Names: l.catalog, Subscriptions: l.catalog, Ledger: l.store.Ledger(), Delivery: l.queues[deliveryQueue], Retry: l.queues[retryQueue], Now: now,
		OverdueMayLieIn:   backlogs(retryQueue, slowQueue, orderedDelivery, deliveryDLQ),
		UnstartedMayLieIn: backlogs(ingestQueue, orderedIngest, deliveryQueue, orderedDelivery, retryQueue, slowQueue, ingestDLQ, deliveryDLQ),
	})
}

// sweep runs the sweeper each time that the interval has passed, until ctx ends. Never at once: what fell due while no host ran is being
// worked on then.
func (h *host) sweep(ctx context.Context, every time.Duration, swept func(relay.SweepReport, error)) {
	for pause(ctx, every) == nil {
		report, err := h.sweeper.Run(ctx)
		if ctx.Err() == nil {
			swept(report, err)
		}
	}
}
