package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/route"
)

type deliveriesCommand struct {
	targetFlags
	selection
	Event    string   `help:"Event id. Show what happened to the event, attempt by attempt."`
	Endpoint string   `help:"Endpoint name. List its deliveries, newest first. Use this or --event, not both."`
	Status   []string `help:"Statuses to list with --endpoint, separated by commas: waiting, delivered, dead, or all." enum:"waiting,delivered,dead,all" default:"dead"`
	JSON     bool     `help:"Print JSON, one document a line, including the beginnings of the endpoints' answers." name:"json"`
}

// selection filters an endpoint's deliveries.
type selection struct {
	Reason string `help:"Only deliveries that died for this reason: exhausted, expired, endpoint_gone, declined, transform or too_large." enum:",exhausted,expired,endpoint_gone,declined,transform,too_large" default:""`
	Source string `help:"Only deliveries of events from this source."`
	Type   string `help:"Only deliveries of events of this type. * stands for any characters."`
	Since  moment `help:"Only deliveries of webhooks that were accepted at this time or later: a time (2006-01-02T15:04:05Z), a day (2006-01-02, meaning 0:00 UTC), or a duration before now (36h, 2d, 1w)."`
	Until  moment `help:"Only deliveries of webhooks that were accepted before this. Same forms as --since."`
}

// filter returns a function that reports whether a delivery matches the selection.
func (s selection) filter() (func(relay.Delivery) bool, error) {
	var types *route.Table
	if s.Type != "" {
		if err := route.Validate(s.Type); err != nil {
			return nil, fmt.Errorf("--type: %w", err)
		}
		types = route.New([]route.Rule{{Types: []string{s.Type}}})
	}
	return func(d relay.Delivery) bool {
		return (s.Reason == "" || string(d.Reason) == s.Reason) && (s.Source == "" ||
			d.Source == s.Source) &&
			(types == nil || len(types.Match(route.Event{Type: d.Type}).Rules) > 0)
	}, nil
}

// Run lists deliveries.
func (c *deliveriesCommand) Run(ctx context.Context, out io.Writer) (err error) {
	switch {
	case (c.Event == "") == (c.Endpoint == ""):
		return errors.New("give either --event ID or --endpoint NAME")
	case c.Event != "" && c.selection != (selection{}):
		return errors.New(
			"--reason, --source, --type, --since and --until filter the deliveries of an endpoint; use them with --endpoint, not with --event",
		)
	}
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if c.Event != "" {
		return c.showEvent(ctx, t.ledger, out)
	}
	total := 0
	err = c.each(ctx, t.ledger, c.Endpoint, c.statuses(), func(d relay.Delivery) error {
		total++
		if c.JSON {
			return writeDocument(out, documentOf(d))
		}
		_, err := printLine(
			out, "%s  %s from %s: %s%s", d.EventID, typeOf(d.Type), d.Source, standingOf(d),
			lastOf(d),
		)
		return err
	})
	if err == nil && total == 0 {
		err = t.checkKnown(ctx, c.Endpoint)
	}
	if err == nil && !c.JSON {
		_, err = printLine(out, "%d %s at %s", total, c.listed(), c.Endpoint)
	}
	return err
}

// statuses returns the statuses to list; none: all.
func (c *deliveriesCommand) statuses() (statuses []relay.Status) {
	if slices.Contains(c.Status, "all") {
		return nil
	}
	for _, s := range c.Status {
		statuses = append(statuses, relay.Status(s))
	}
	return statuses
}

// listed describes the statuses.
func (c *deliveriesCommand) listed() string {
	if c.statuses() == nil {
		return "deliveries"
	}
	return strings.Join(c.Status, " or ")
}

// standingOf returns a delivery's status and the reason for it.
func standingOf(d relay.Delivery) string {
	switch {
	case d.Status == relay.Dead && d.Reason != "":
		return fmt.Sprintf("dead, %s", d.Reason)
	case d.Status == relay.Waiting && d.Held:
		return fmt.Sprintf(
			"held until %s, then attempt %d", d.NextAt.Format(time.RFC3339), d.Attempts+1,
		)
	case d.Status == relay.Waiting:
		return fmt.Sprintf(
			"waiting for attempt %d at %s", d.Attempts+1, d.NextAt.Format(time.RFC3339),
		)
	}
	return string(d.Status)
}

// lastOf describes a delivery's last attempt. A held delivery may have no attempt yet: then it
// returns "".
func lastOf(d relay.Delivery) string {
	if len(d.History) == 0 {
		return ""
	}
	last := d.History[len(d.History)-1]
	return fmt.Sprintf(
		", attempt %d at %s: %s", last.Number, last.At.Format(time.RFC3339), answerOf(last),
	)
}

// each calls f for each delivery of the endpoint that has one of the statuses and matches the
// selection, newest first. It reads page by page.
func (s selection) each(
	ctx context.Context, ledger operate.Ledger, endpoint string, statuses []relay.Status,
	f func(relay.Delivery) error,
) error {
	chosen, err := s.filter()
	if err != nil {
		return err
	}
	q := operate.Query{
		Endpoint: endpoint, Statuses: statuses, From: s.Since.Time, Until: s.Until.Time,
	}
	for page := relay.Page(""); ; {
		deliveries, next, err := ledger.ListDeliveries(ctx, q, page)
		if err != nil {
			return err
		}
		for _, d := range deliveries {
			if !chosen(d) {
				continue
			}
			if err := f(d); err != nil {
				return err
			}
		}
		if page = next; page == "" {
			return nil
		}
	}
}

// showEvent prints an event, its deliveries and their attempts.
func (c *deliveriesCommand) showEvent(
	ctx context.Context, ledger operate.Ledger, out io.Writer,
) error {
	record, deliveries, err := ledger.Event(ctx, c.Event)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return fmt.Errorf(
			"event %s is not on record: it was refused, is not routed yet, or its retention is over: %w",
			c.Event, err,
		)
	case err != nil:
		return err
	case c.JSON:
		return writeDocument(out, documentOfEvent(record, deliveries))
	}
	printEvent(out, record, deliveries)
	return nil
}

func printEvent(out io.Writer, record relay.EventRecord, deliveries []relay.Delivery) {
	_, _ = printLine(out, "%s  %s from %s, received %s, routed to %s", record.ID,
		typeOf(record.Type), record.Source,
		record.ReceivedAt.Format(time.RFC3339), plural(len(record.Endpoints), "endpoint"))
	onRecord := map[string]bool{}
	for _, d := range deliveries {
		onRecord[d.Endpoint] = true
		_, _ = printLine(out, "  %s  %s", d.Endpoint, standingOf(d))
		for _, a := range d.History {
			_, _ = printLine(
				out, "    attempt %d at %s: %s in %d ms", a.Number, a.At.Format(time.RFC3339),
				answerOf(a), a.Duration.Milliseconds(),
			)
		}
	}
	for _, name := range record.Endpoints {
		if !onRecord[name] {
			_, _ = printLine(out, "  %s  not attempted yet", name)
		}
	}
	if len(record.Endpoints)+len(deliveries) == 0 {
		_, _ = printLine(
			out, "  no subscription matched it; after you add one, run: relay replay --event %s",
			record.ID,
		)
	}
}
