package operate

import (
	"context"
	"fmt"
	"time"

	"webhook-relay/shared/relay"
)

// Pinger sends an event of its own to one endpoint, to see how the endpoint is now. It is safe for
// concurrent use.
type Pinger struct {
	Events    relay.Events
	Delivery  relay.Queue
	Retention time.Duration // how long the event is kept; 0: relay.DefaultRetention
}

// Ping sends an event of the type relay.PingType to an endpoint and returns its id. Its delivery is
// recorded as any other is, and has one attempt. The endpoint must exist.
func (p Pinger) Ping(ctx context.Context, endpoint string, now time.Time) (string, error) {
	keep := p.Retention
	if keep == 0 {
		keep = relay.DefaultRetention
	}
	e := relay.PingEvent(endpoint, now)
	if _, err := relay.RecordEvent(ctx, p.Events, relay.EventRecord{
		Event: e, MessageID: e.Receipt, Endpoints: []string{endpoint}, RoutedAt: e.ReceivedAt,
		ExpiresAt: e.ReceivedAt.Add(keep).Truncate(time.Second),
	}); err != nil {
		return "", err
	}
	// If this fails, the sweep finds the event without its delivery and sends it.
	err := relay.SendFirstAttempts(ctx, p.Delivery, e, []string{endpoint})[0]
	if err != nil {
		return "", fmt.Errorf("ping of %s: %w", endpoint, err)
	}
	return e.ID, nil
}
