package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	samples "webhook-relay/events"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/trigger"
)

// played is a message that a service in AWS would put into the queue of a source.
type played struct {
	source, eventType string
	body              []byte
}

func (c *sendCommand) played() (p played, err error) {
	p.source, p.eventType = cmp.Or(c.Source, c.Provider), c.Type
	if c.Body != "" {
		p.body, err = os.ReadFile(c.Body)
	} else {
		p.body, p.eventType, err = samples.Triggered(c.Provider, c.Type)
	}
	if c.To != "" || c.Secret != "" || c.ID != "" || c.Config != "" {
		err = errors.Join(err, fmt.Errorf(
			"%s sends nothing over HTTP: leave out --to, --secret, --id and --config; --data names the "+
				"local relay", c.Provider,
		))
	}
	return p, err
}

// play puts a message into the local relay, as the service does into the queue of the source.
func (c *sendCommand) play(ctx context.Context, inv *invocation) (err error) {
	p, err := c.played()
	if err != nil {
		return err
	}
	if c.Print {
		return p.print(inv)
	}
	dir := inv.path(c.Data)
	if !sqlite.Exists(dir) {
		return fmt.Errorf("%w in %s; name another with --data", ErrNoRelay, dir)
	}
	l, err := openStore(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	inv.line(
		"sending   %s %s, %d bytes, to the queue of the source %s", c.Provider,
		typeOf(p.eventType), len(p.body), p.source,
	)
	ids, err := l.pull(ctx, p)
	if err != nil {
		return err
	}
	inv.line("accepted  %s", cmp.Or(strings.Join(ids, ", "), "nothing"))
	return nil
}

// print prints the event that Lambda would pass to the function receive.
func (p played) print(inv *invocation) error {
	e := handler.SQSEvent([]relay.Message{{ID: "message-1", Body: p.body, Receives: 1}})
	e.Records[0].EventSourceARN = "arn:aws:sqs:eu-central-1:000000000000:" + p.source
	return printEvent(inv, e)
}

func printEvent(inv *invocation, e events.SQSEvent) error {
	encoder := json.NewEncoder(inv.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(e)
}

// pull passes a message to the stage receive, and returns the ids of the events in it.
func (l *localRelay) pull(ctx context.Context, p played) ([]string, error) {
	var seen pulled
	receiver, err := relay.NewReceiver(relay.ReceiverConfig{
		Sources: l.catalog, Subscriptions: l.catalog, Ingest: l.queues[ingestQueue],
		Ordered: l.queues[orderedIngest], Aside: &seen, Bodies: l.bodies(), Reporter: &seen,
		CacheTTL: time.Second,
	})
	if err != nil {
		return nil, err
	}
	receiver.Triggered(p.source)(ctx, []relay.Message{{ID: "message-1", Body: p.body}})
	return seen.ids, seen.err
}

// pulled notes what became of a message. What cannot be read is told, and kept nowhere.
type pulled struct {
	unreported

	ids []string
	err error
}

func (s *pulled) Received(_ context.Context, r relay.ReceiveReport) {
	if s.err = errors.Join(s.err, r.Err); r.EventID != "" {
		s.ids = append(s.ids, r.EventID)
	}
}

func (s *pulled) Send(_ context.Context, msgs []relay.Outgoing) []error {
	return make([]error, len(msgs))
}

// unreported is the rest of a relay.Reporter.
type unreported struct{}

func (unreported) Routed(context.Context, relay.RouteReport)      {}
func (unreported) Attempted(context.Context, relay.AttemptReport) {}

// triggersList lists the messages of services in AWS that can be sent.
func triggersList(printf func(string, ...any)) {
	for _, d := range trigger.Providers() {
		for _, t := range d.Examples {
			printf("%-28s %s", d.Name, t)
		}
	}
}
