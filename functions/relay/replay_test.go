package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// A mass replay keeps its rate. If it is interrupted, running it again sends the rest, and nothing
// twice.
func TestReplayOfManyKeepsItsPaceAndCanBeGoneOnWith(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ledger memory.Ledger
		var retry memory.Queue
		const deliveries, perSecond = 200, 50
		var dead []deadDelivery
		accepted := time.Now()
		for i := range deliveries {
			e := relay.Event{ID: fmt.Sprintf("evt_%03d", i), Source: "app", ReceivedAt: accepted}
			expires := time.Now().Add(relay.DefaultRetention)
			// never fails
			_, _ = relay.RecordEvent(
				t.Context(), &ledger,
				relay.EventRecord{Event: e, Endpoints: []string{"a"}, ExpiresAt: expires},
			)
			_ = ledger.SaveDelivery(t.Context(), relay.Delivery{
				EventID: e.ID, Endpoint: "a", ReceivedAt: e.ReceivedAt, Source: "app",
				Status: relay.Dead,
				Reason: relay.Exhausted, Attempts: 1, ExpiresAt: expires,
			}, 0)
			dead = append(dead, deadDelivery{e.ID, 1})
		}
		replayer := operate.Replayer{Ledger: &ledger, Deliveries: &ledger, Retry: &retry}
		c := replayCommand{Endpoint: "a", Rate: perSecond}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		first, err := c.send(ctx, replayer, dead)
		if !errors.Is(err, context.DeadlineExceeded) || first != perSecond || retry.Len() != first {
			t.Errorf("%d sent within a second, %d on their way, %v", first, retry.Len(), err)
		}
		// one has been delivered since, and one has failed again
		for i, status := range []relay.Status{relay.Delivered, relay.Dead} {
			_ = ledger.SaveDelivery(t.Context(), relay.Delivery{
				EventID: dead[i].event, Endpoint: "a", ReceivedAt: accepted, Source: "app",
				Status: status, Attempts: 2,
				ExpiresAt: time.Now().Add(relay.DefaultRetention),
			}, 1)
		}
		began := time.Now()
		second, err := c.send(t.Context(), replayer, append(dead, deadDelivery{"evt_expired", 1}))
		if err != nil || first+second != deliveries || retry.Len() != deliveries {
			t.Errorf("then %d, %d on their way, %v", second, retry.Len(), err)
		}
		if took := time.Since(began); took < deliveries/perSecond*time.Second {
			t.Errorf("%d looked at within %s", deliveries, took)
		}
	})
}
