package onaws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	doc "webhook-relay/shared/document"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
)

// checkPost checks that a request is what its endpoint expects.
func (p *pipeline) checkPost(name, event string, post relay.Post) {
	switch ep := endpoints[name]; {
	case ep.Prove != catalog.ProveNothing && !p.proved:
		p.wrong("endpoint %s got event %s before it had proved itself", name, event)
	case ep.Auth != nil && (post.Auth == nil || post.Auth.Bearer != endpointToken):
		p.wrong("endpoint %s got event %s without its token", name, event)
	case ep.Order.On:
		line := name + "#" + doc.Value(post.Body, strings.Split(ep.Order.Key, ".")...)
		n := slices.Index(p.accepted, event)
		if n < p.reached[line] {
			p.wrong("endpoint %s got event %s after a later one of the same key", name, event)
		}
		p.reached[line] = max(n, p.reached[line])
	}
}

// checkUnnoticed is check for a run in which the clients' retries hide the fault.
func (p *pipeline) checkUnnoticed(ctx context.Context) error {
	if requests, err := p.requests(p.name); err != nil || p.tries != len(requests) {
		p.wrong("%d requests were sent %d times: %v", len(requests), p.tries, err)
	}
	if want := len(p.poison) / 2; p.failures != want { // the other half fails at the fan-out
		p.wrong("%d messages failed at the deliverer, want %d", p.failures, want)
	}
	if p.reported != len(p.posts) {
		p.wrong("%d attempts were made, %d reported", len(p.posts), p.reported)
	}
	if p.unswept > 0 {
		p.wrong("%d sweeps failed", p.unswept)
	}
	err := p.check(ctx)
	if n := p.told[gate.EndpointProved]; p.tells() && n != 1 {
		p.wrong("%d proofs are told of", n)
	}
	return err
}

// check checks the promises at the end of a run.
func (p *pipeline) check(ctx context.Context) error {
	p.checkAccepted()
	dead := map[string]int{} // deliveries, by endpoint
	for event := range p.checkSums() {
		if err := p.checkEvent(ctx, event, dead); err != nil {
			return err
		}
	}
	all := 0
	for _, n := range dead {
		all += n
	}
	if n := p.told[operate.DeliveryDead]; p.tells() && n != all {
		p.wrong("%d deaths are told of, want %d", n, all)
	}
	for attempt, n := range p.posts {
		if n-1 > p.excuses[attempt] {
			p.wrong(
				"attempt %s was POSTed %d times, with %d excuses", attempt, n, p.excuses[attempt],
			)
		}
	}
	return errors.Join(p.checkListed(ctx, dead), p.checkQueues(ctx, all))
}

// checkAccepted checks that every webhook that was sent got a 2xx.
func (p *pipeline) checkAccepted() {
	different := map[string]bool{}
	for _, w := range p.webhooks {
		different[w.DeliveryID] = true
	}
	if len(p.sent) != len(different) {
		p.wrong("%d different webhooks were accepted, want %d", len(p.sent), len(different))
	}
}

// checkSums checks that what an ingest queue accepted is routed, unrouted or a duplicate, and that
// each event is routed or unrouted exactly once. It returns the events.
func (p *pipeline) checkSums() map[string]int {
	events := map[string]int{}
	for receipt, event := range p.receipts {
		switch result := p.results[receipt]; result {
		case relay.Routed, relay.Unrouted:
			if events[event]++; (result == relay.Unrouted) != (event == relay.EventID("", "app", unwanted)) {
				p.wrong("event %s is %s", event, result)
			}
		case relay.Duplicate:
		default:
			p.wrong("event %s, receipt %s: accepted, and never routed: %q", event, receipt, result)
		}
	}
	for event, n := range events {
		if n != 1 {
			p.wrong("event %s was routed for %d receipts", event, n)
		}
	}
	for event := range p.sent {
		if events[event] == 0 {
			p.wrong("event %s was never routed", event)
		}
	}
	return events
}

// checkEvent checks that each delivery has ended, with exactly the attempts that the endpoint's
// outcomes require. It counts dead deliveries and the relay's own events.
func (p *pipeline) checkEvent(ctx context.Context, event string, dead map[string]int) error {
	record, deliveries, err := p.ledger.Event(ctx, event)
	if err != nil {
		return err
	}
	if len(deliveries) != len(record.Endpoints) {
		p.wrong("event %s has %d deliveries to %v", event, len(deliveries), record.Endpoints)
	}
	if record.Source == catalog.OwnSource {
		p.told[record.Type]++
	} else if body := p.sent[event]; slices.ContainsFunc(deliveries, isPosted) && !bytes.Equal(p.bodies[event], body) {
		p.wrong(
			"event %s: %d bytes were POSTed, %d were sent", event, len(p.bodies[event]), len(body),
		)
	}
	for _, d := range deliveries {
		ep := endpoints[d.Endpoint]
		if ep.Destination != nil {
			p.checkDestination(d)
			continue
		}
		var outcomes []relay.Outcome
		for _, a := range d.History {
			outcomes = append(outcomes, a.Outcome)
		}
		got, want := fmt.Sprint(d.Status, outcomes, d.Attempts),
			fmt.Sprint(ep.status(), ep.outcomes, len(ep.outcomes))
		if got != want {
			p.wrong("delivery of %s to %s: %s, want %s", event, d.Endpoint, got, want)
		}
		if d.Status == relay.Dead {
			dead[d.Endpoint]++
		}
	}
	return nil
}

// isPosted tells whether a delivery is to an endpoint with a URL, which gets the body as it came.
func isPosted(d relay.Delivery) bool { return endpoints[d.Endpoint].Destination == nil }

// checkListed checks that exactly the dead deliveries are listed.
func (p *pipeline) checkListed(ctx context.Context, dead map[string]int) error {
	for _, sub := range p.subscriptions {
		for status, want := range map[relay.Status]int{
			relay.Waiting: 0, relay.Dead: dead[sub.Endpoint],
		} {
			listed, _, err := p.ledger.ListDeliveries(
				ctx, operate.Query{Endpoint: sub.Endpoint, Statuses: []relay.Status{status}}, "",
			)
			if err != nil {
				return err
			}
			if len(listed) != want {
				p.wrong(
					"%d deliveries to %s are listed as %s, want %d", len(listed), sub.Endpoint,
					status, want,
				)
			}
		}
	}
	return nil
}

// checkQueues checks that the dead deliveries can be redriven, and that only unreadable messages
// are in the other dead-letter queues.
func (p *pipeline) checkQueues(ctx context.Context, dead int) error {
	for queue, want := range map[string]int{
		"dead": dead, "ingest-dlq": len(p.poison) / 2, "delivery-dlq": len(p.poison) / 2,
	} {
		msgs, err := p.receive(ctx, queue, 10)
		if err != nil {
			return err
		}
		deliveries := map[string]bool{}
		for _, m := range msgs {
			deliveries[read(*m.Body).delivery()] = true
		}
		if len(deliveries) != want {
			p.wrong(
				"the queue %s has messages of %d deliveries, want %d", queue, len(deliveries), want,
			)
		}
	}
	return nil
}
