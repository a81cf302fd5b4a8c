package relay

import (
	"context"
	"fmt"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// Triggered returns the first stage for the queue of a source, which a service in AWS fills. source
// is its qualified name. The messages become events of that source, whatever is in them. IAM has
// checked who sent them, so the events are verified.
//
// A message that is not in the form of its service goes to ReceiverConfig.Aside. A message is
// received again after a failure of our own, and for as long as the catalog has no such source.
func (r *Receiver) Triggered(source string) func(context.Context, []Message) []Action {
	return func(ctx context.Context, msgs []Message) []Action {
		work, cancel := beforeDeadline(ctx)
		defer cancel()
		actions := make([]Action, len(msgs))
		for i, end := range eachMessage(msgs, func(i int) (Action, error) {
			return Action{}, r.pull(work, source, msgs[i])
		}) {
			if actions[i] = end.action; end.err != nil {
				actions[i] = Action{Retry: true, Err: end.err}
			}
		}
		return actions
	}
}

// pull accepts what is in one message.
func (r *Receiver) pull(ctx context.Context, source string, m Message) error {
	began := r.cfg.Now()
	e := Event{Source: source, Body: m.Body}
	in, err := r.sources.Get(ctx, catalog.KeyOf(source))
	switch {
	case err != nil:
		return r.pulled(ctx, e, began, unavailableUnlessNotFound(err))
	case in.trigger == "":
		return r.pulled(ctx, e, began, fmt.Errorf(
			"source %s is of a provider that sends over HTTP, and the setting triggers names it: %w",
			source, catalog.ErrNotFound,
		))
	}
	events, err := r.triggered(source, in, m)
	if err != nil {
		_ = r.pulled(ctx, e, began, err)
		r.noteRefused(ctx, Inbound{Source: source, Body: m.Body, ReceivedAt: began}, err)
		return Send(ctx, r.cfg.Aside, Outgoing{Body: m.Body})
	}
	for _, e := range events {
		err := r.accept(ctx, e)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if err := r.pulled(ctx, e, began, err); err != nil {
			return err
		}
	}
	return nil
}

// triggered returns the events in a message. Errors: trigger.ErrForm, ErrTenant.
func (r *Receiver) triggered(source string, in intake, m Message) ([]Event, error) {
	messages, err := trigger.Read(in.trigger, m.Body)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(messages))
	for i, found := range messages {
		e := Event{
			Receipt: randomID(), Source: source, Type: verify.CheckedType(found.Type),
			Trust: verify.Verified, ReceivedAt: wholeMillis(r.cfg.Now()),
			Header: Header{"content-type": "application/json"}, Trace: newTrace(""),
			Body: found.Body, Holder: found.Holder, DeliveryID: found.ID,
		}
		if e.Tenant, err = tenantOf(e, e.Header, in.tenantOf); err != nil {
			return nil, err
		}
		e.ID = EventID(e.Tenant, e.Source, e.DeliveryID)
		events[i] = e
	}
	return events, nil
}

// pulled reports what became of an event of a queue, and returns err.
func (r *Receiver) pulled(ctx context.Context, e Event, began time.Time, err error) error {
	if err != nil {
		e.ID = ""
	}
	r.cfg.Reporter.Received(ctx, ReceiveReport{
		Source: e.Source, Tenant: e.Tenant, EventID: e.ID, Type: e.Type, DeliveryID: e.DeliveryID,
		BodyBytes: len(e.Body), Duration: r.cfg.Now().Sub(began), Err: err,
	})
	return err
}
