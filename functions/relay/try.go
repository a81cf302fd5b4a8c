package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type tryCommand struct {
	relayFlags
	Event        string            `arg:"" optional:"" help:"Id of an event on record. Without it, --source and --body make one."`
	Subscription string            `help:"Try only this subscription. Default: all of the event's source." xor:"given"`
	Filter       string            `help:"Try this filter instead of those of subscriptions. JSON." placeholder:"JSON" xor:"given"`
	Types        []string          `help:"With --filter: event types that it takes."`
	Source       string            `help:"Source of an event that need not exist."`
	Type         string            `help:"Its event type."`
	Trust        string            `help:"How far it is proved: verified, authenticated or unverified." enum:",verified,authenticated,unverified" default:""`
	Header       map[string]string `help:"Its headers." placeholder:"NAME=VALUE"`
	Body         string            `help:"File with its body, as JSON. - is the standard input." placeholder:"FILE"`
}

// Run tells whether subscriptions take an event, and why not.
func (c *tryCommand) Run(ctx context.Context, inv *invocation) error {
	if (c.Event == "") == (c.Source == "") {
		return usage(
			"give the id of an event, or --source with --type and --body for one that need not exist",
		)
	}
	event, err := c.event(inv)
	if err != nil {
		return err
	}
	return c.calls(ctx, inv, func(api *connection) error {
		source := c.Source
		if source == "" && (c.Filter != "" || len(c.Types) > 0) {
			record, err := client.Get[eventItem](
				ctx, api.Client, client.Path("v1", "events", c.Event), nil,
			)
			if err != nil {
				return err
			}
			source = record.Source
		}
		body := map[string]any{}
		if c.Event != "" {
			body["id"] = c.Event
		} else {
			body["event"] = event
		}
		if c.Subscription != "" {
			body["subscription"] = c.Subscription
		}
		if c.Filter != "" || len(c.Types) > 0 {
			given := admin.TryIfSubscribed{Source: source, Types: c.Types}
			if c.Filter != "" {
				given.Filter = json.RawMessage(c.Filter)
			}
			if !json.Valid([]byte(c.Filter)) && c.Filter != "" {
				return usage("--filter is no JSON")
			}
			body["given"] = given
		}
		answer, err := api.Do(ctx, client.Request{
			Method: http.MethodPost, Path: client.Path("v1", "try"), Body: body,
		})
		if err != nil {
			return err
		}
		return c.print(inv, answer.Body)
	})
}

func (c *tryCommand) event(inv *invocation) (admin.TriedEvent, error) {
	e := admin.TriedEvent{
		Source: c.Source, Type: c.Type, Trust: c.Trust, Headers: c.Header,
	}
	if c.Body == "" {
		return e, nil
	}
	content, err := inv.content(c.Body)
	if err != nil {
		return e, err
	}
	if !json.Valid(content) {
		return e, usageError{fmt.Errorf("--body %s: is no JSON", c.Body)}
	}
	e.Data = content
	return e, nil
}

func (c *tryCommand) print(inv *invocation, answer []byte) error {
	var tried struct {
		Results []json.RawMessage
		More    bool
	}
	if err := json.Unmarshal(answer, &tried); err != nil {
		return errors.Join(client.ErrAnswer, err)
	}
	rows := make([][]cell, 0, len(tried.Results))
	for _, raw := range tried.Results {
		if inv.json {
			if err := inv.document(raw); err != nil {
				return err
			}
			continue
		}
		var t admin.Tried
		if err := json.Unmarshal(raw, &t); err != nil {
			return errors.Join(client.ErrAnswer, err)
		}
		name, matched := t.Subscription, cell{text: "yes", colour: green}
		if name == "" {
			name = "(given)"
		}
		if !t.Matched {
			matched = cell{text: "no", colour: yellow}
		}
		rows = append(rows, []cell{
			text(name), text(t.Endpoint), matched, text(whyNot(t.Mismatch)),
		})
	}
	if len(tried.Results) == 0 && !inv.json {
		inv.note("no subscription is for this source")
	}
	if tried.More {
		inv.note("there are more subscriptions; --subscription tries one")
	}
	return inv.table(
		[]column{
			{title: "SUBSCRIPTION"}, {title: "ENDPOINT", spare: 1}, {title: "TAKES IT"},
			{title: "WHY NOT"},
		}, rows,
	)
}
