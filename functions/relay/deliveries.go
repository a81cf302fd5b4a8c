package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"webhook-relay/shared/relay"
)

type deliveriesCommand struct {
	targetFlags
	Event    string `help:"Id of an event: tell what became of it, attempt by attempt." xor:"what" required:""`
	Endpoint string `help:"Name of an endpoint: list its open deliveries." xor:"what" required:""`
	Status   string `help:"With --endpoint: dead or waiting." enum:"dead,waiting" default:"dead"`
}

// Run lists deliveries.
func (c *deliveriesCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if c.Event != "" {
		return showEvent(ctx, t.ledger, c.Event, out)
	}
	total := 0
	err = eachOpen(ctx, t.ledger, c.Endpoint, relay.Status(c.Status), func(d relay.Delivery) error {
		total++
		last := d.History[len(d.History)-1]
		_, err := fmt.Fprintf(out, "%s  %s %s from %s, attempt %d at %s: %s\n",
			d.EventID, d.Status, typeOf(d.Type), d.Source, last.Number, last.At.Format(time.RFC3339), answerOf(last))
		return err
	})
	if err == nil {
		_, err = fmt.Fprintf(out, "%d %s at %s\n", total, c.Status, c.Endpoint)
	}
	return err
}

// eachOpen calls f for each of an endpoint's deliveries in a status, page by page.
func eachOpen(ctx context.Context, ledger relay.Ledger, endpoint string, status relay.Status, f func(relay.Delivery) error) error {
	for page := relay.Page(""); ; {
		deliveries, next, err := ledger.OpenDeliveries(ctx, endpoint, status, page)
		if err != nil {
			return err
		}
		for _, d := range deliveries {
			if err := f(d); err != nil {
				return err
			}
		}
		if page = next; page == "" {
			return nil
		}
	}
}

// showEvent tells what became of an event.
func showEvent(ctx context.Context, ledger relay.Ledger, id string, out io.Writer) error {
	record, deliveries, err := ledger.Event(ctx, id)
	if errors.Is(err, relay.ErrNotFound) {
		return fmt.Errorf("event %s is not on record: not routed yet, or its retention is over: %w", id, err)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s  %s from %s, received %s, routed to %s\n", id, typeOf(record.Type), record.Source,
		record.ReceivedAt.Format(time.RFC3339), plural(len(record.Endpoints), "endpoint"))
	attempted := map[string]bool{}
	for _, d := range deliveries {
		attempted[d.Endpoint] = true
		_, _ = fmt.Fprintf(out, "  %s  %s\n", d.Endpoint, d.Status)
		for _, a := range d.History {
			_, _ = fmt.Fprintf(out, "    attempt %d at %s: %s in %d ms\n", a.Number, a.At.Format(time.RFC3339), answerOf(a), a.Duration.Milliseconds())
		}
		if d.Status == relay.Waiting {
			_, _ = fmt.Fprintf(out, "    attempt %d is due at %s\n", d.Attempts+1, d.NextAt.Format(time.RFC3339))
		}
	}
	for _, name := range record.Endpoints {
		if !attempted[name] {
			_, _ = fmt.Fprintf(out, "  %s  not attempted yet\n", name)
		}
	}
	return nil
}

type replayCommand struct {
	targetFlags
	Endpoint string `arg:"" help:"Name of the endpoint."`
	Event    string `arg:"" optional:"" help:"Id of the event; without it all dead deliveries of the endpoint."`
	DryRun   bool   `help:"Say how many would be sent, and send nothing."`
}

// Run sends deliveries again.
func (c *replayCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	events := []string{c.Event}
	if c.Event == "" {
		events = nil
		err = eachOpen(ctx, t.ledger, c.Endpoint, relay.Dead, func(d relay.Delivery) error {
			events = append(events, d.EventID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if c.DryRun {
		_, err = fmt.Fprintf(out, "%s would be sent to %s again\n", deliveriesOf(len(events)), c.Endpoint)
		return err
	}
	for i, event := range events {
		if err := relay.Replay(ctx, t.ledger, t.retry, event, c.Endpoint); err != nil {
			return fmt.Errorf("after %d of %d: %w", i, len(events), err)
		}
	}
	_, err = fmt.Fprintf(out, "%s to %s on the way again\n", deliveriesOf(len(events)), c.Endpoint)
	return err
}

func deliveriesOf(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}
