package main

import (
	"context"
	"encoding/json"
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type listenersCommand struct {
	List   listListenersCommand  `cmd:"" default:"withargs" help:"List who listens to events."`
	Delete deleteListenerCommand `cmd:"" help:"End a listener, with the events that it has kept."`
}

type listListenersCommand struct{ relayFlags }

// Run lists the listeners.
func (c *listListenersCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		found, err := client.Get[struct{ Items []json.RawMessage }](
			ctx, api.Client, client.Path("v1", "listeners"), nil,
		)
		if err != nil {
			return err
		}
		if len(found.Items) == 0 && !inv.json {
			inv.note("nobody listens; relay listen does")
			return nil
		}
		return listing[admin.ListenerView]{columns: []column{
			{title: "LISTENER"}, {title: "STATE"}, {title: "BY", spare: 2},
			{title: "UNTIL", time: true}, {title: "LISTENS TO", least: 12},
		}, row: listenerRow}.print(inv, found.Items)
	})
}

func listenerRow(v admin.ListenerView) []cell {
	state := cell{text: "active", colour: green}
	if !v.Active {
		state = cell{text: "ended", colour: yellow}
	}
	l := listening{listener: v}
	return []cell{text(v.ID), state, text(v.By), text(when(v.ExpiresAt)), text(l.what())}
}

type deleteListenerCommand struct {
	relayFlags
	ID  string `arg:"" help:"The listener's id: lis_…. relay listeners list shows it."`
	Yes bool   `help:"Do not ask."`
}

// Run ends a listener.
func (c *deleteListenerCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		if err := inv.confirm(
			c.Yes, "end "+c.ID+", and drop the events that it has kept?",
		); err != nil {
			return err
		}
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodDelete, Path: client.Path("v1", "listeners", c.ID),
		}); err != nil {
			return err
		}
		return inv.say(map[string]string{"deleted": c.ID}, "%s is ended", c.ID)
	})
}
