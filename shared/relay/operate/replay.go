package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// Replayer sends deliveries again for the operator. It is safe for concurrent use.
type Replayer struct {
	Ledger     Ledger
	Deliveries relay.Deliveries
	Retry      relay.Queue
	Router     *relay.Router // needed for Route only
}

// Replay sends a dead or delivered delivery again. It begins a new cycle of attempts, with the
// recorded event. A waiting delivery is sent again too if its next attempt is a quarter of an hour
// late, so that its message must be lost; it goes on with its cycle. The delivery is recorded as
// waiting before its message is sent. So a second call gets ErrConflict; only two calls at the same
// moment may both send it. Errors: ErrNotFound if the event, or its delivery to the endpoint, is
// not recorded; ErrConflict if it waits for its next attempt.
func (r Replayer) Replay(ctx context.Context, eventID, endpoint string) error {
	return r.replay(ctx, eventID, endpoint, func(d relay.Delivery) bool {
		return d.Status != relay.Waiting || !time.Now().Before(d.NextAt.Add(relay.MaxDelay))
	})
}

// ReplayDead is Replay for a delivery that was listed as dead after a number of attempts. Error:
// ErrConflict if that is no longer so, because somebody has sent it again since. So if two runs use
// the same list, the second sends nothing that the first has sent.
func (r Replayer) ReplayDead(ctx context.Context, eventID, endpoint string, attempts int) error {
	return r.replay(ctx, eventID, endpoint, func(d relay.Delivery) bool {
		return d.Status == relay.Dead && d.Attempts == attempts
	})
}

// replay sends a delivery again if may allows it.
func (r Replayer) replay(
	ctx context.Context, eventID, endpoint string, may func(relay.Delivery) bool,
) error {
	record, err := r.Ledger.EventRecord(ctx, eventID)
	if err != nil {
		return err
	}
	d, err := r.Deliveries.Delivery(ctx, record.DeliveryTo(endpoint))
	if err != nil {
		return err
	}
	if !may(d) {
		return fmt.Errorf(
			"delivery of %s to %s is %s after %d attempts: %w", eventID, endpoint, standing(d),
			d.Attempts, catalog.ErrConflict,
		)
	}
	ctx = context.WithoutCancel(ctx) // a delivery recorded as waiting must have its message
	if err := makeDue(ctx, r.Ledger, r.Deliveries, record, d, time.Now()); err != nil {
		return err
	}
	if err := relay.Send(ctx, r.Retry, relay.NextAttempt(d, record.Allowed())); err != nil {
		// so that it can be replayed at once; otherwise in a quarter of an hour
		_ = r.Deliveries.SaveDelivery(ctx, d, d.Attempts)
		return err
	}
	return nil
}

// makeDue records that a delivery waits and is due now, without a reservation. The records of the
// delivery and of its event are kept until no queue can hold the message any more. Error:
// ErrConflict if the delivery has changed meanwhile.
func makeDue(
	ctx context.Context, keeper relay.EventKeeper, deliveries relay.Deliveries,
	event relay.EventRecord, d relay.Delivery, now time.Time,
) error {
	now = now.UTC().Truncate(time.Millisecond)
	if until := relay.Expiry(now, relay.MaxQueueTime); until.After(d.ExpiresAt) {
		d.ExpiresAt = until
	}
	if d.ExpiresAt.After(event.ExpiresAt) {
		if err := keeper.KeepEvent(ctx, event.ID, d.ExpiresAt); err != nil {
			return err
		}
	}
	d.Status, d.Reason, d.Held, d.Reserved, d.NextAt, d.UpdatedAt = relay.Waiting, "", "", false,
		now, now
	return deliveries.SaveDelivery(ctx, d, d.Attempts)
}

// standing returns a delivery's status, and until when it waits.
func standing(d relay.Delivery) string {
	if d.Status == relay.Waiting {
		return "waiting until " + d.NextAt.Format(time.RFC3339)
	}
	return string(d.Status)
}

// Route matches a recorded event with the current subscriptions, sends it to the endpoints that it
// was not routed to yet, and returns their names. So an event from before a subscription need not
// be lost. The deliveries are recorded as waiting before their messages are sent, so the Sweeper
// finds one whose message was not sent. Errors: ErrNotFound if there is no such event;
// ErrUndecided, beside the names, if filters of further endpoints could not be decided.
func (r Replayer) Route(ctx context.Context, eventID string) ([]string, error) {
	record, err := r.Ledger.EventRecord(ctx, eventID)
	if err != nil {
		return nil, err
	}
	endpoints, undecided, err := r.Router.Wanting(ctx, record.Event)
	if err != nil {
		return nil, err
	}
	routed := make(map[string]bool, len(record.Endpoints))
	for _, name := range record.Endpoints {
		routed[name] = true
	}
	endpoints = slices.DeleteFunc(endpoints, func(name string) bool { return routed[name] })
	if err := r.begin(ctx, record, endpoints); err != nil {
		return nil, err
	}
	if len(undecided) > 0 {
		return endpoints, fmt.Errorf(
			"%w: event %s and %s", relay.ErrUndecided, eventID, strings.Join(undecided, ", "),
		)
	}
	return endpoints, nil
}

// begin records deliveries of an event as waiting and due now, and sends their first attempts.
func (r Replayer) begin(
	ctx context.Context, record relay.EventRecord, endpoints []string,
) error {
	if len(endpoints) == 0 {
		return nil
	}
	begun, failed := makeAllDue(ctx, r.Ledger, r.Deliveries, record, endpoints, time.Now())
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if err := r.Ledger.AddEndpoints(ctx, record.ID, endpoints); err != nil {
		return err
	}
	for i, err := range relay.SendFirstAttempts(
		ctx, r.Retry, record.Allowed(), begun,
	) {
		if err != nil {
			return fmt.Errorf("to %s: %w", begun[i], err)
		}
	}
	return nil
}

// makeAllDue is makeDue for deliveries of an event that were not attempted yet. It returns the
// endpoints whose delivery it recorded. It leaves out those with an attempt.
func makeAllDue(
	ctx context.Context, keeper relay.EventKeeper, deliveries relay.Deliveries,
	record relay.EventRecord, endpoints []string, now time.Time,
) (begun []string, failed []error) {
	errs := make([]error, len(endpoints))
	var g errgroup.Group
	g.SetLimit(sweepCalls)
	for i, name := range endpoints {
		g.Go(func() error {
			d := relay.Delivery{
				EventID: record.ID, Endpoint: name, ReceivedAt: record.ReceivedAt,
				Source: record.Source, Type: record.Type, ExpiresAt: record.ExpiresAt,
			}
			errs[i] = makeDue(ctx, keeper, deliveries, record, d, now)
			return nil
		})
	}
	_ = g.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			begun = append(begun, endpoints[i])
		case !errors.Is(err, catalog.ErrConflict): // otherwise its attempt was made a moment ago
			failed = append(failed, err)
		}
	}
	return begun, failed
}
