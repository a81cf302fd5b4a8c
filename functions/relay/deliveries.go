package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay"
)

type deliveriesCommand struct {
	List listDeliveriesCommand `cmd:"" default:"withargs" help:"List deliveries, newest first."`
	Get  getDeliveryCommand    `cmd:"" help:"Show a delivery and its attempts."`
}

type listDeliveriesCommand struct {
	deliverySelection
	Status []string `help:"Only deliveries of these statuses, separated by commas: waiting, delivered, dead, unneeded." enum:"waiting,delivered,dead,unneeded" placeholder:"STATUS" group:"selection"`
	listFlags
}

// Run lists deliveries.
func (c *listDeliveriesCommand) Run(ctx context.Context, inv *invocation) error {
	query := c.query()
	if len(c.Status) > 0 {
		query.Set("status", strings.Join(c.Status, ","))
	}
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.DeliveryView]{
			path: client.Path("v1", "deliveries"), query: query,
			columns: []column{
				{title: "ACCEPTED", time: true}, {title: "EVENT"}, {title: "TYPE", spare: 2},
				{title: "SOURCE", spare: 4}, {title: "ENDPOINT", least: 12}, {title: "STATUS"},
				{title: "NEXT TRY", time: true, spare: 3}, {
					title: "LAST ATTEMPT", spare: 1, least: 16,
				},
			},
			row:  deliveryRow,
			none: "there are no such deliveries", progress: newScan(inv),
		})
	})
}

func deliveryRow(d admin.DeliveryView) []cell {
	status := cell{text: d.Status, colour: colourOf(d)}
	switch {
	case d.Held != "":
		status.text = "held, " + d.Held
	case d.Reason != "":
		status.text += ", " + d.Reason
	}
	last := ""
	if n := len(d.Attempts); n > 0 {
		last = fmt.Sprintf("%d: %s", d.Attempts[n-1].Number, answer(d.Attempts[n-1]))
	}
	return []cell{
		text(when(d.AcceptedAt)), text(d.Event), text(typeOf(d.Type)), text(d.Source),
		text(d.Endpoint), status, text(whenever(d.NextAt)), text(last),
	}
}

// standing returns a delivery's status, and the reason for it.
func standing(d admin.DeliveryView) string {
	next := 1
	if n := len(d.Attempts); n > 0 {
		next = d.Attempts[n-1].Number + 1
	}
	switch status := relay.Status(d.Status); {
	case status == relay.Dead && d.Reason != "":
		return "dead, " + d.Reason
	case status == relay.Waiting && d.Held != "":
		return fmt.Sprintf(
			"held until %s by %s, then attempt %d", whenever(d.NextAt), d.HeldBy(), next,
		)
	case status == relay.Waiting:
		return fmt.Sprintf("waiting for attempt %d at %s", next, whenever(d.NextAt))
	}
	return d.Status
}

func colourOf(d admin.DeliveryView) colour {
	switch relay.Status(d.Status) {
	case relay.Delivered:
		return green
	case relay.Dead:
		return red
	case relay.Waiting:
		return yellow
	default:
		return plain
	}
}

// lastAttempt describes a delivery's last attempt. A held delivery may have no attempt yet: then it
// returns "".
func lastAttempt(d admin.DeliveryView) string {
	if len(d.Attempts) == 0 {
		return ""
	}
	last := d.Attempts[len(d.Attempts)-1]
	return fmt.Sprintf(", attempt %d at %s: %s", last.Number, when(last.At), answer(last))
}

// answer returns an attempt's status code, or its outcome and error if it got no answer.
func answer(a admin.Attempt) string {
	if a.StatusCode != 0 {
		return strconv.Itoa(a.StatusCode)
	}
	return fmt.Sprintf("%s (%s)", a.Outcome, a.Error)
}

type getDeliveryCommand struct {
	relayFlags
	Event    string `arg:"" help:"Event id: evt_…."`
	Endpoint string `arg:"" help:"Name of the endpoint."`
	Request  bool   `help:"Show what is sent instead, without what proves who sends it."`
}

// Run shows a delivery.
func (c *getDeliveryCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", "deliveries", c.Event, c.Endpoint)
		if c.Request {
			return show(ctx, inv, api, path+"/request", nil, inv.request)
		}
		return show(ctx, inv, api, path, nil, func(d admin.DeliveryView) error {
			inv.line("%s  %s from %s, accepted %s", d.Event, typeOf(d.Type), d.Source,
				when(d.AcceptedAt))
			inv.delivery(d, true)
			return nil
		})
	})
}

// request prints what is sent, much as it is on the wire.
func (i *invocation) request(r admin.DeliveryRequest) error {
	switch {
	case r.Error != "":
		return errors.New(r.Error)
	case r.Skipped:
		i.line("nothing: the transform leaves nothing to send")
		return nil
	}
	i.line("%s", strings.TrimSpace(r.Method+" "+r.To))
	for _, all := range []map[string]string{r.Options, r.Headers} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			i.line("%s: %s", name, all[name])
		}
	}
	i.line("")
	for line := range strings.Lines(string(r.Body)) {
		i.line("%s", strings.TrimRight(line, "\r\n"))
	}
	return nil
}

// delivery prints a delivery and its attempts.
func (i *invocation) delivery(d admin.DeliveryView, answers bool) {
	i.line("  %s  %s", d.Endpoint, standing(d))
	for _, a := range d.Attempts {
		i.line("    attempt %d at %s: %s in %d ms", a.Number, when(a.At), answer(a), a.DurationMs)
		if answers && a.Timing != nil {
			i.line("      %s", a.Timing)
		}
		if answers && a.Response != "" {
			i.line("      it answered %s", a.Response)
		}
	}
}
