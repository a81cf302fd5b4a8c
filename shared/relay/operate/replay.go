package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// Replayer sends deliveries again, for the relay's operator. It is safe for concurrent use.
type Replayer struct {
	Ledger     Ledger
	Deliveries relay.Deliveries
	Retry      relay.Queue
	Router     *relay.Router // routes events again; nil: Route is not called
}

// Replay sends a delivery again that has ended, dead or delivered: it begins a new cycle of attempts with the event as it is on record.
// One that waits and whose next attempt is late by a quarter of an hour, so that its message must be lost, goes on where it stood.
// It is on record as waiting before its message is sent, so that a second call finds it under way; only two calls at the same moment may both
// send it. ErrNotFound: no such event, or no delivery of it to the endpoint is on record. ErrConflict: it waits for its next attempt.
func (r Replayer) Replay(ctx context.Context, eventID, endpoint string) error {
	return r.replay(ctx, eventID, endpoint, func(d relay.Delivery) bool {
		return d.Status != relay.Waiting || !time.Now().Before(d.NextAt.Add(relay.MaxDelay))
	})
}

// ReplayDead is Replay of a delivery that was listed as dead after so many attempts. ErrConflict: it is not so any more; somebody else has sent
// it again since, whatever has become of it by now. So of two runs over the same list the second sends nothing that the first has sent.
func (r Replayer) ReplayDead(ctx context.Context, eventID, endpoint string, attempts int) error {
	return r.replay(ctx, eventID, endpoint, func(d relay.Delivery) bool { return d.Status == relay.Dead && d.Attempts == attempts })
}

// replay sends a delivery again if it may be.
func (r Replayer) replay(ctx context.Context, eventID, endpoint string, may func(relay.Delivery) bool) error {
	record, err := r.Ledger.EventRecord(ctx, eventID)
	if err != nil {
		return err
	}
	d, err := r.Deliveries.Delivery(ctx, eventID, endpoint)
	if err != nil {
		return err
	}
	if !may(d) {
		return fmt.Errorf("delivery of %s to %s is %s after %d attempts: %w", eventID, endpoint, standing(d), d.Attempts, catalog.ErrConflict)
	}
	ctx = context.WithoutCancel(ctx) // what is on record as waiting must have its message
	if err := makeDue(ctx, r.Ledger, r.Deliveries, record, d, time.Now()); err != nil {
		return err
	}
	if err := relay.Send(ctx, r.Retry, relay.NextAttempt(d, record.Event)); err != nil {
		_ = r.Deliveries.SaveDelivery(ctx, d, d.Attempts) // so that it can be replayed at once; else in a quarter of an hour
		return err
	}
	return nil
}

// makeDue records that a delivery waits for an attempt which is due now, with no place in the endpoint's rate kept for it. It is kept on record, and
// its event is, until its message can no longer lie in a queue. ErrConflict: it has changed meanwhile.
func makeDue(ctx context.Context, keeper relay.EventKeeper, deliveries relay.Deliveries, event relay.EventRecord, d relay.Delivery, now time.Time) error {
	now = now.UTC().Truncate(time.Millisecond)
	if until := relay.Expiry(now, relay.MaxQueueTime); until.After(d.ExpiresAt) {
		d.ExpiresAt = until
	}
	if d.ExpiresAt.After(event.ExpiresAt) {
		if err := keeper.KeepEvent(ctx, event.ID, d.ExpiresAt); err != nil {
			return err
		}
	}
	d.Status, d.Reason, d.Held, d.Reserved, d.NextAt, d.UpdatedAt = relay.Waiting, "", false, false, now, now
	return deliveries.SaveDelivery(ctx, d, d.Attempts)
}

// standing is a delivery's status, and until when it waits.
func standing(d relay.Delivery) string {
	if d.Status == relay.Waiting {
		return "waiting until " + d.NextAt.Format(time.RFC3339)
	}
	return string(d.Status)
}

// Route matches an event on record against the subscriptions of today, sends it to those endpoints that it has not been routed to yet, and
// returns their names: what came before somebody subscribed to it need not be lost. Until their first attempt they are not on record: a
// second call before it sends them again, and the deliverer drops the double, unless both are handled at the same time. ErrNotFound: no such event.
// ErrUndecided, beside the names: filters of further endpoints could not be told of.
func (r Replayer) Route(ctx context.Context, eventID string) ([]string, error) {
	record, deliveries, err := r.Ledger.Event(ctx, eventID)
	if err != nil {
		return nil, err
	}
	endpoints, undecided, err := r.Router.Wanting(ctx, record.Event)
	if err != nil {
		return nil, err
	}
	routed := make(map[string]bool, len(record.Endpoints)+len(deliveries))
	for _, name := range record.Endpoints {
		routed[name] = true
	}
	for _, d := range deliveries {
		routed[d.Endpoint] = true
	}
	endpoints = slices.DeleteFunc(endpoints, func(name string) bool { return routed[name] })
	for i, err := range relay.SendFirstAttempts(ctx, r.Retry, record.Event, endpoints) {
		if err != nil {
			return nil, fmt.Errorf("to %s: %w", endpoints[i], err)
		}
	}
	if len(undecided) > 0 {
		return endpoints, fmt.Errorf("%w: event %s and %s", relay.ErrUndecided, eventID, strings.Join(undecided, ", "))
	}
	return endpoints, nil
}
