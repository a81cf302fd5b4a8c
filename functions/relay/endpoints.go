package main

import (
	"context"
	"fmt"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

type endpointsCommand struct {
	List    listEndpointsCommand      `cmd:"" default:"withargs" help:"List the endpoints and how each is."`
	Get     getCommand[anEndpoint]    `cmd:"" help:"Show an endpoint."`
	State   stateCommand              `cmd:"" help:"Show how an endpoint is."`
	Put     putCommand[anEndpoint]    `cmd:"" help:"Create or replace an endpoint."`
	Delete  deleteCommand[anEndpoint] `cmd:"" help:"Delete an endpoint."`
	Disable disableCommand            `cmd:"" help:"Stop an endpoint. Its deliveries die, and can be sent again later."`
}

type listEndpointsCommand struct{ listFlags }

// Run lists the endpoints.
func (c *listEndpointsCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.NamedState]{
			path:    client.Path("v1", "states"),
			columns: []column{{title: "NAME"}, {title: "URL", spare: 1}, {title: "STATE"}},
			row: func(s admin.NamedState) []cell {
				return []cell{text(s.Name), text(s.URL), stateCell(s.StateView)}
			},
			none: "there are no endpoints; relay apply, or relay endpoints put, adds one",
		})
	})
}

// stateCell describes an endpoint's state in its colour.
func stateCell(s admin.StateView) cell {
	c := cell{text: describeState(s), colour: yellow}
	switch breaker.Phase(s.State) {
	case breaker.Healthy:
		c.colour = green
	case breaker.Disabled, breaker.Open:
		c.colour = red
	case breaker.Paused, breaker.Recovering, breaker.Unproven:
	}
	return c
}

// describeState says how an endpoint is, and since or until when.
func describeState(s admin.StateView) string {
	text := s.State
	switch breaker.Phase(s.State) {
	case breaker.Disabled:
		return fmt.Sprintf("disabled since %s: %s", whenever(s.DisabledAt), s.Reason)
	case breaker.Unproven:
		text = fmt.Sprintf("unproven (%s), asked again at %s", s.Reason, whenever(s.NextProbeAt))
	case breaker.Open:
		text = "open until " + whenever(s.NextProbeAt)
		if s.Reason != "" {
			text += " (" + s.Reason + ")"
		}
		text += ", then a probe"
	case breaker.Paused:
		if s.PausedAt != nil {
			text = fmt.Sprintf("paused by its operator since %s", whenever(s.PausedAt))
			break
		}
		text = fmt.Sprintf("paused until %s, as it asked", whenever(s.PausedUntil))
	case breaker.Recovering:
		text = "recovering until " + whenever(s.Recovering)
	case breaker.Healthy:
	}
	if s.FailingSince != nil {
		text += fmt.Sprintf(", %d failed in a row since %s", s.Failures, whenever(s.FailingSince))
	}
	if s.Warned {
		text += ", to be disabled at " + whenever(s.DisableAt)
	}
	return text
}

type stateCommand struct {
	relayFlags
	Name string `arg:"" help:"Name of the endpoint."`
}

// Run shows the state of an endpoint.
func (c *stateCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", "endpoints", c.Name, "state")
		return show(ctx, inv, api, path, nil, func(s admin.StateView) error {
			return inv.table(
				[]column{{title: "NAME"}, {title: "STATE"}},
				[][]cell{{text(c.Name), stateCell(s)}},
			)
		})
	})
}

// act changes the state of an endpoint, and says what that means.
func (f relayFlags) act(
	ctx context.Context, inv *invocation, name, action string, body any, done string,
) error {
	return f.calls(ctx, inv, func(api *connection) error {
		now, err := call[admin.StateView](
			ctx, api, client.Path("v1", "endpoints", name, action), body,
		)
		if err != nil {
			return err
		}
		document := map[string]string{"name": name, "state": now.State}
		return inv.say(document, "%s  %s; %s", name, now.State, done)
	})
}

type disableCommand struct {
	relayFlags
	Name   string `arg:"" help:"Name of the endpoint."`
	Reason string `help:"Why you disable it. It is shown with the state."`
	Yes    bool   `help:"Do not ask."`
}

// Run disables an endpoint.
func (c *disableCommand) Run(ctx context.Context, inv *invocation) error {
	question := fmt.Sprintf(
		"disable %s? Its deliveries die until it is resumed. relay pause holds them instead.",
		c.Name,
	)
	if err := inv.confirm(c.Yes, question); err != nil {
		return err
	}
	return c.act(
		ctx, inv, c.Name, "disable", map[string]string{"reason": c.Reason},
		fmt.Sprintf(
			"takes effect within %s; its deliveries die until you resume it",
			catalog.DefaultCacheTTL,
		),
	)
}

type pauseCommand struct {
	relayFlags
	Endpoint string `arg:"" help:"Name of the endpoint."`
}

// Run holds the deliveries to an endpoint.
func (c *pauseCommand) Run(ctx context.Context, inv *invocation) error {
	return c.act(ctx, inv, c.Endpoint, "pause", nil, fmt.Sprintf(
		"takes effect within %s; its deliveries are held until relay resume %s",
		catalog.DefaultCacheTTL, c.Endpoint,
	))
}

type resumeCommand struct {
	relayFlags
	Endpoint string `arg:"" help:"Name of the endpoint."`
}

// Run lets deliveries go to an endpoint again.
func (c *resumeCommand) Run(ctx context.Context, inv *invocation) error {
	return c.act(ctx, inv, c.Endpoint, "resume", nil, fmt.Sprintf(
		"to send what died meanwhile, run: relay redrive --endpoint %s --reason %s", c.Endpoint,
		relay.EndpointGone,
	))
}

type pingCommand struct {
	relayFlags
	Endpoint string        `arg:"" help:"Name of the endpoint."`
	Wait     time.Duration `help:"How long to wait for its answer; 0: do not wait." default:"20s"`
}

// pingPoll is the time between two looks at the delivery of a ping.
const pingPoll = 200 * time.Millisecond

// Run sends an event of the relay's own to an endpoint, and waits for its answer.
func (c *pingCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		sent, err := call[struct{ Event, Endpoint string }](
			ctx, api, client.Path("v1", "endpoints", c.Endpoint, "ping"), nil,
		)
		if err != nil {
			return err
		}
		path := client.Path("v1", "deliveries", sent.Event, c.Endpoint)
		deadline := time.Now().Add(c.Wait)
		for time.Now().Before(deadline) {
			if err := pause(ctx, pingPoll); err != nil {
				return err
			}
			d, err := client.Get[admin.DeliveryView](ctx, api.Client, path, nil)
			if code, _ := exitOf(err); code == exitNotFound {
				continue // not attempted yet
			}
			if err == nil {
				err = inv.say(d, "%s  %s%s", c.Endpoint, standing(d), lastAttempt(d))
			}
			if err == nil && d.Status != string(relay.Delivered) {
				err = fmt.Errorf("the ping was not delivered; see relay events get %s", d.Event)
			}
			return err
		}
		return inv.say(sent, "%s is sent to %s; see relay events get %[1]s", sent.Event, c.Endpoint)
	})
}

type rotateCommand struct {
	relayFlags
	Endpoint string `arg:"" help:"Name of the endpoint."`
	Keep     span   `help:"How long the old secrets keep signing beside the new one. 0 ends them at once. Example: 2d for two days." default:"24h"`
}

// Run gives an endpoint a new secret and prints it. It is never shown again.
func (c *rotateCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		made, err := call[admin.Rotated](
			ctx, api, client.Path("v1", "endpoints", c.Endpoint, "secret", "rotate"),
			map[string]string{"keep": time.Duration(c.Keep).String()},
		)
		if err != nil {
			return err
		}
		if inv.json {
			return inv.document(made)
		}
		inv.line("secret    of endpoint %s, new; it is shown only now: %s", c.Endpoint, made.Secret)
		for _, old := range made.Retiring {
			inv.line("secret    an old one also signs until %s", when(old.Until))
		}
		return nil
	})
}
