package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/operate"
)

// againFlags are the flags of commands that send many deliveries again.
type againFlags struct {
	deliverySelection
	Rate   int  `help:"How many deliveries to send in a second, at most 1000." default:"50"`
	DryRun bool `help:"Plan only: show what would be sent. Nothing is sent."`
	All    bool `help:"All there are, if no other flag chooses some."`
	Yes    bool `help:"Do not ask."`
	relayFlags
}

// maxRate is the highest rate that the API takes.
const maxRate = 1000

// again plans, asks, runs and watches.
func (f *againFlags) again(
	ctx context.Context, inv *invocation, kind operate.JobKind, filter admin.JobFilter,
) error {
	switch {
	case f.isEmpty() && len(filter.Statuses) == 0 && !f.All:
		return usage(
			"choose what to send, such as with --endpoint, --reason or --since; --all sends all",
		)
	case f.Rate < 1 || f.Rate > maxRate:
		return usage(fmt.Sprintf("--rate %d: must be 1 to %d a second", f.Rate, maxRate))
	}
	return f.calls(ctx, inv, func(api *connection) error {
		if err := api.checkEndpoints(ctx, inv, filter.Endpoints); err != nil {
			return err
		}
		p, err := api.planJob(ctx, inv, kind, filter, f.Rate)
		if err != nil {
			return err
		}
		if !inv.json {
			inv.plan(p)
		}
		switch {
		case p.Matches == 0:
			return nothingFound(inv, p)
		case f.DryRun && inv.json:
			return inv.document(p)
		case f.DryRun:
			inv.note("nothing is sent; relay jobs run %s sends it within an hour", p.ID)
			return nil
		}
		return api.run(ctx, inv, p, f.Yes)
	})
}

// checkEndpoints returns an error if deliveries to an endpoint would die at once, and says if they
// would wait.
func (api *connection) checkEndpoints(
	ctx context.Context, inv *invocation, endpoints []string,
) error {
	for _, name := range endpoints {
		s, err := client.Get[admin.StateView](
			ctx, api.Client, client.Path("v1", "endpoints", name, "state"), nil,
		)
		if code, _ := exitOf(err); code == exitNotFound {
			err = api.checkRecorded(ctx, name, err)
		}
		switch {
		case err != nil:
			return err
		case s.State == "disabled":
			return &admin.Problem{
				Type: commandURN + "conflict", Status: http.StatusConflict,
				Title: "The endpoint is disabled", Detail: fmt.Sprintf(
					"%s is disabled (%s), so what is sent again would die at once; first run relay resume %[1]s",
					name, s.Reason,
				),
			}
		case s.State == "open", s.State == "paused", s.State == "unproven":
			inv.note("%s is %s: deliveries to it wait", name, describeState(s))
		}
	}
	return nil
}

// checkRecorded returns err unless there are deliveries on record to an endpoint that there is no
// longer.
func (api *connection) checkRecorded(ctx context.Context, name string, err error) error {
	type delivery struct{}
	query := deliverySelection{Endpoint: []string{name}}.query()
	query.Set("limit", "1")
	for part, failed := range client.Pages[delivery, admin.Covered](
		ctx, api.Client, client.Path("v1", "deliveries"), query,
	) {
		if failed != nil || len(part.Items) > 0 {
			return failed
		}
	}
	return err
}

type redriveCommand struct{ againFlags }

// Run sends dead deliveries again.
func (c *redriveCommand) Run(ctx context.Context, inv *invocation) error {
	return c.again(ctx, inv, operate.JobRedrive, c.filter())
}

type replayCommand struct {
	Status []string `help:"Only deliveries of these statuses: delivered, dead." enum:"delivered,dead" placeholder:"STATUS" group:"selection"`
	Event  string   `help:"Send one event again: to the endpoint of --endpoint, or else to the endpoints that subscribed to it after it was routed." placeholder:"ID"`
	To     string   `help:"With --event: send it to this listener, see relay listeners." placeholder:"ID"`
	againFlags
}

// Run sends deliveries again, whether they were delivered or are dead.
func (c *replayCommand) Run(ctx context.Context, inv *invocation) error {
	switch {
	case c.Event != "":
		return c.one(ctx, inv)
	case c.To != "":
		return usage("--to needs --event: it sends one event to a listener")
	}
	filter := c.filter()
	filter.Statuses = c.Status
	return c.again(ctx, inv, operate.JobReplay, filter)
}

// one sends an event again.
func (c *replayCommand) one(ctx context.Context, inv *invocation) error {
	others := c.deliverySelection
	others.Endpoint = nil
	if !others.isEmpty() || len(c.Status) > 0 || c.DryRun || c.All || len(c.Endpoint) > 1 {
		return usage("--event names a single event: with it only one --endpoint can be used")
	}
	if c.To != "" && len(c.Endpoint) > 0 {
		return usage("--to names a listener: leave --endpoint out")
	}
	return c.calls(ctx, inv, func(api *connection) error {
		if c.To != "" {
			if _, err := api.sendToListener(ctx, c.To, []string{c.Event}, true); err != nil {
				return err
			}
			return inv.say(map[string]string{"event": c.Event, "listener": c.To},
				"%s was sent to %s", c.Event, c.To)
		}
		if len(c.Endpoint) == 1 {
			sent, err := call[struct {
				Event    string `json:"event"`
				Endpoint string `json:"endpoint"`
			}](ctx, api, client.Path("v1", "deliveries", c.Event, c.Endpoint[0], "replay"), nil)
			if err != nil {
				return err
			}
			return inv.say(sent, "1 delivery to %s sent to the queue again", sent.Endpoint)
		}
		routed, err := call[struct {
			Endpoints []string `json:"endpoints"`
			Undecided bool     `json:"undecided,omitempty"`
		}](ctx, api, client.Path("v1", "events", c.Event, "route"), nil)
		switch {
		case err != nil:
			return err
		case len(routed.Endpoints) == 0:
			err = inv.say(routed, "nobody has subscribed to %s since it was routed", c.Event)
		default:
			err = inv.say(
				routed, "%s was sent to the queue for %s", c.Event, strings.Join(
					routed.Endpoints, ", ",
				),
			)
		}
		if err == nil && routed.Undecided {
			err = fmt.Errorf(
				"%w: filters of further endpoints could not be decided, see docs/configuration.md#filters",
				ErrPartly,
			)
		}
		return err
	})
}
