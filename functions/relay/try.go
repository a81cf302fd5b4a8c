package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/rogpeppe/go-internal/diff"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/config"
)

type tryCommand struct {
	relayFlags
	Event        string            `arg:"" optional:"" help:"Id of an event on record. Without it, --source and --body make one."`
	Subscription string            `help:"Try only this subscription. Default: all of the event's source." xor:"given"`
	Filter       string            `help:"Try this filter instead of those of subscriptions. JSON." placeholder:"JSON" xor:"given"`
	Types        []string          `help:"With --filter: event types that it takes."`
	Send         string            `help:"Try this transform, in a file, as send of a subscription in the configuration file. - is the standard input." placeholder:"FILE"`
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
	if c.Send != "" && c.Subscription != "" {
		return usage("--send is instead of a subscription: leave out --subscription")
	}
	event, err := c.event(inv)
	if err != nil {
		return err
	}
	return c.calls(ctx, inv, func(api *connection) error {
		source := c.Source
		given := c.Filter != "" || len(c.Types) > 0 || c.Send != ""
		if source == "" && given {
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
		if given {
			if body["given"], err = c.given(inv, source); err != nil {
				return err
			}
		}
		answer, err := api.Do(ctx, client.Request{
			Method: http.MethodPost, Path: client.Path("v1", "try"), Body: body,
		})
		if err != nil {
			return err
		}
		if err := c.print(inv, answer.Body); err != nil || inv.json {
			return err
		}
		return c.printSends(ctx, inv, api, answer.Body)
	})
}

// given returns the subscription of the flags.
func (c *tryCommand) given(inv *invocation, source string) (admin.TryIfSubscribed, error) {
	given := admin.TryIfSubscribed{Source: source, Types: c.Types}
	if c.Filter != "" {
		if !json.Valid([]byte(c.Filter)) {
			return given, usage("--filter is no JSON")
		}
		given.Filter = json.RawMessage(c.Filter)
	}
	if c.Send == "" {
		return given, nil
	}
	content, err := inv.content(c.Send)
	if err != nil {
		return given, err
	}
	given.Send, err = config.JSON(content)
	if err != nil {
		return given, usageError{fmt.Errorf("--send %s: %w", c.Send, err)}
	}
	return given, nil
}

// printSends prints what the transforms make of the event, and how that differs from the event.
func (c *tryCommand) printSends(
	ctx context.Context, inv *invocation, api *connection, answer []byte,
) error {
	var tried struct{ Results []admin.Trial }
	if err := json.Unmarshal(answer, &tried); err != nil {
		return errors.Join(client.ErrAnswer, err)
	}
	var original []byte
	for _, t := range tried.Results {
		if t.Sends == nil {
			continue
		}
		if original == nil {
			var err error
			if original, err = c.original(ctx, inv, api); err != nil {
				return err
			}
		}
		inv.line("")
		inv.line("%s sends %s", cmp.Or(t.Endpoint, "(given)"), t.Sends.Summary())
		for _, name := range slices.Sorted(maps.Keys(t.Sends.Headers)) {
			inv.line("%s: %s", name, t.Sends.Headers[name])
		}
		if t.Sends.Error != "" || t.Sends.Skipped {
			continue
		}
		changed := diff.Diff("what came", indented(original), "what is sent", indented(
			[]byte(t.Sends.Body),
		))
		if changed == nil {
			inv.line("the body is sent as it came")
			continue
		}
		_, lines, _ := bytes.Cut(changed, []byte("\n")) // the first names both again
		if _, err := inv.out.Write(lines); err != nil {
			return err
		}
	}
	return nil
}

// original returns the body of the event.
func (c *tryCommand) original(
	ctx context.Context, inv *invocation, api *connection,
) ([]byte, error) {
	if c.Event == "" {
		e, err := c.event(inv)
		return e.Data, err
	}
	answer, err := api.Do(ctx, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "events", c.Event, "body"),
	})
	return answer.Body, err
}

// indented returns JSON with a line for each value; any other text as it is.
func indented(text []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return append(bytes.TrimRight(text, "\n"), '\n')
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
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
