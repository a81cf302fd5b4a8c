package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type eventsCommand struct {
	List listEventsCommand `cmd:"" default:"withargs" help:"List events, newest first."`
	Get  getEventCommand   `cmd:"" help:"Show what became of an event: where it went, each attempt, and who did not take it and why."`
	Body eventBodyCommand  `cmd:"" help:"Print the body of an event, as it came."`
}

// eventFlags choose events of a list.
type eventFlags struct {
	eventSelection
	Trust  []string `help:"Only events with these kinds of proof: verified, authenticated, unverified." enum:"verified,authenticated,unverified" placeholder:"TRUST" group:"selection"`
	Status []string `help:"Only events with a delivery of these statuses: waiting, delivered, dead, unneeded; or unrouted." enum:"waiting,delivered,dead,unneeded,unrouted" placeholder:"STATUS" group:"selection"`
}

type listEventsCommand struct {
	eventFlags
	listFlags
}

// eventItem is an event as tables show it.
type eventItem struct {
	ID, Source, Type, Trust  string
	AcceptedAt               time.Time
	Endpoints                []string
	Delivered, Waiting, Dead int
}

// went says where an event went.
func (e eventItem) went() cell {
	c := cell{colour: green}
	var parts []string
	for _, p := range []struct {
		n      int
		what   string
		colour colour
	}{
		{e.Delivered, "delivered", green}, {e.Waiting, "waiting", yellow}, {e.Dead, "dead", red},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
			c.colour = p.colour
		}
	}
	switch rest := len(e.Endpoints) - e.Delivered - e.Waiting - e.Dead; {
	case len(e.Endpoints) == 0:
		return cell{text: "no subscription", colour: yellow}
	case rest > 0 && len(parts) == 0:
		return text(plural(len(e.Endpoints), "endpoint"))
	}
	c.text = strings.Join(parts, ", ")
	return c
}

// eventColumns are the columns of a table of events.
var eventColumns = []column{
	{title: "ACCEPTED", time: true}, {title: "EVENT"}, {title: "SOURCE", spare: 1},
	{title: "TRUST", spare: 2}, {title: "TYPE", least: 12}, {title: "WENT"},
}

func (e eventItem) row() []cell {
	return []cell{
		text(when(e.AcceptedAt)), text(e.ID), text(e.Source), text(e.Trust), text(typeOf(e.Type)),
		e.went(),
	}
}

// eventList returns the list of the events that flags choose.
func (f eventFlags) eventList() listing[eventItem] {
	query := f.query()
	for name, values := range map[string][]string{"trust": f.Trust, "status": f.Status} {
		if len(values) > 0 {
			query.Set(name, strings.Join(values, ","))
		}
	}
	return listing[eventItem]{
		path: client.Path("v1", "events"), query: query, columns: eventColumns,
		row: eventItem.row, none: "there are no such events",
	}
}

// Run lists events.
func (c *listEventsCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		events := c.eventList()
		events.progress = newScan(inv)
		return list(ctx, inv, api, c.Limit, events)
	})
}

type getEventCommand struct {
	relayFlags
	ID string `arg:"" help:"Event id: evt_…."`
}

// Run shows an event.
func (c *getEventCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return show(ctx, inv, api, client.Path("v1", "events", c.ID), nil, inv.story)
	})
}

// story prints what became of an event.
func (i *invocation) story(e admin.EventStory) error {
	i.line("%s  %s from %s, %s, accepted %s, %d bytes, routed to %s", e.ID, typeOf(e.Type),
		e.Source, e.Trust, when(e.AcceptedAt), e.BodyBytes, plural(len(e.Endpoints), "endpoint"))
	if s := e.Schema; s != nil {
		i.line("%s", strings.TrimSuffix("  schema  "+s.Status+": "+
			strings.TrimSpace(s.At+" "+s.Problem), ": "))
	}
	onRecord := map[string]bool{}
	for _, d := range e.Deliveries {
		onRecord[d.Endpoint] = true
		i.delivery(d, false)
	}
	for _, name := range e.Endpoints {
		if !onRecord[name] {
			i.line("  %s  not attempted yet", name)
		}
	}
	if len(e.Endpoints)+len(e.Deliveries) == 0 {
		i.line(
			"  no subscription matched it; after you add one, run: relay replay --event %s", e.ID,
		)
	}
	left := slices.DeleteFunc(slices.Clone(e.Subscriptions), func(t admin.Tried) bool {
		return t.Matched
	})
	if len(left) > 0 {
		i.line("subscriptions that do not take it today:")
	}
	for _, t := range left {
		i.line("  %s to %s  %s", t.Subscription, t.Endpoint, whyNot(t.Mismatch))
	}
	if e.More {
		i.note("there are more subscriptions; relay try %s --subscription NAME tries one", e.ID)
	}
	return nil
}

// whyNot says why a subscription does not take an event.
func whyNot(m *admin.Mismatch) string {
	if m == nil {
		return ""
	}
	switch m.Cause {
	case "unreadable":
		return "the body cannot be read"
	case "costly":
		return "the filter needs more steps than an event has"
	}
	found := "is not there"
	if len(m.Found) > 0 {
		found = "is " + strings.Join(m.Found, ", ")
	}
	reason := fmt.Sprintf("%s %s", m.Field, found)
	if m.Wanted != "" {
		reason += ", wanted " + m.Wanted
	}
	if m.At != "" && m.At != m.Field {
		reason += " (at " + m.At + ")"
	}
	return reason
}

type eventBodyCommand struct {
	relayFlags
	ID     string `arg:"" help:"Event id: evt_…."`
	Output string `help:"Write it to this file, byte for byte. Without it, control characters are shown as escapes." short:"o" placeholder:"FILE"`
}

// Run prints a body.
func (c *eventBodyCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		answer, err := api.Do(ctx, client.Request{
			Method: http.MethodGet, Path: client.Path("v1", "events", c.ID, "body"),
		})
		if err != nil {
			return err
		}
		if c.Output != "" {
			if err := writePrivately(inv.path(c.Output), answer.Body); err != nil {
				return err
			}
			inv.note("%d bytes written to %s", len(answer.Body), c.Output)
			return nil
		}
		if inv.json {
			if !json.Valid(answer.Body) {
				return fmt.Errorf("the body of %s is no JSON; leave out --json", c.ID)
			}
			return inv.document(json.RawMessage(answer.Body))
		}
		if _, err := inv.out.Write(answer.Body); err != nil {
			return err
		}
		if !strings.HasSuffix(string(answer.Body), "\n") {
			_, err = inv.out.Write([]byte("\n"))
		}
		return err
	})
}
