package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/verify"
)

type findCommand struct {
	ID string `arg:"" optional:"" help:"The provider's id of a webhook, or an event's id. Without it, the flags choose what is searched for."`
	eventFlags
	listFlags
}

// Run finds events: by the provider's id, which takes one read for each source, or by a pattern.
func (c *findCommand) Run(ctx context.Context, inv *invocation) error {
	others := c.eventFlags
	others.Source = nil
	switch {
	case c.ID == "" && len(c.eventList().query) == 0:
		return usage(
			"give the provider's id of a webhook, or a pattern: --where, --type, --source, --since, --status",
		)
	case c.ID != "" && len(others.eventList().query) > 0:
		return usage("with an id only --source can be used")
	}
	return c.calls(ctx, inv, func(api *connection) error {
		if c.ID != "" {
			return c.byID(ctx, inv, api)
		}
		events := c.eventList()
		events.progress = newScan(inv)
		return list(ctx, inv, api, c.Limit, events)
	})
}

// byID looks an event up at each source.
func (c *findCommand) byID(ctx context.Context, inv *invocation, api *connection) error {
	if strings.HasPrefix(c.ID, "evt_") && len(c.Source) == 0 {
		err := show(ctx, inv, api, client.Path("v1", "events", c.ID), nil, inv.story)
		if code, _ := exitOf(err); code != exitNotFound {
			return err
		}
	}
	sources, err := c.sources(ctx, api)
	if err != nil {
		return err
	}
	found := 0
	for _, s := range sources {
		n, err := c.atSource(ctx, inv, api, s)
		if err != nil {
			return err
		}
		found += n
	}
	if found == 0 {
		return &admin.Problem{
			Type: commandURN + "not-found", Status: http.StatusNotFound,
			Title: "There is no such webhook", Detail: fmt.Sprintf(
				"none with the id %q on record at %s: it was refused, is not routed yet, or its retention is over",
				c.ID, plural(len(sources), "source"),
			),
		}
	}
	return nil
}

// idSource is what is known of a source's ids.
type idSource struct {
	Spec struct {
		Name, Provider string
		EventID        *admin.EventIDSpec `json:"event_id"`
	}
}

// sources returns the sources to look at.
func (c *findCommand) sources(
	ctx context.Context, api *connection,
) (sources []idSource, err error) {
	for part, err := range client.Pages[idSource, admin.Scanned](
		ctx, api.Client, client.Path("v1", "sources"), nil,
	) {
		if err != nil {
			return nil, err
		}
		for _, s := range part.Items {
			if len(c.Source) == 0 || slices.Contains(c.Source, s.Spec.Name) {
				sources = append(sources, s)
			}
		}
	}
	return sources, nil
}

// atSource prints the events of a source that have the provider's id. If the proof of a webhook
// does not cover its id, as at GitHub, the event's id cannot be computed from it: then the events
// are searched.
func (c *findCommand) atSource(
	ctx context.Context, inv *invocation, api *connection, s idSource,
) (found int, err error) {
	answer, err := api.Do(ctx, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "events", "lookup"), Query: url.Values{
			"source": {s.Spec.Name}, "delivery": {c.ID},
		},
	})
	if code, _ := exitOf(err); err == nil || code != exitNotFound {
		if err == nil {
			err = printAnswer(inv, answer.Body, inv.story)
		}
		return 1, err
	}
	progress := newScan(inv)
	defer progress.clear()
	for _, where := range s.patterns(c.ID) {
		pattern, err := json.Marshal(where)
		if err != nil {
			return found, err
		}
		for part, err := range client.Pages[eventItem, admin.Covered](
			ctx, api.Client, client.Path("v1", "events"), url.Values{
				"source": {s.Spec.Name}, "where": {string(pattern)},
				"limit": {fmt.Sprint(partSize)},
			},
		) {
			if err != nil {
				return found, err
			}
			progress.clear()
			for _, e := range part.Items {
				found++
				path := client.Path("v1", "events", e.ID)
				if err := show(ctx, inv, api, path, nil, inv.story); err != nil {
					return found, err
				}
			}
			progress.report(found, part.Page)
		}
	}
	return found, nil
}

// patterns returns filters for the events of a source with an id.
func (s idSource) patterns(id string) (all []map[string]any) {
	description, _ := verify.Describe(s.Spec.Provider)
	places := description.DeliveryIDs
	if e := s.Spec.EventID; e != nil {
		places = []verify.Locator{{Header: e.Header, JSON: e.JSON}}
	}
	values := []any{id}
	if json.Valid([]byte(id)) { // a number
		values = append(values, json.RawMessage(id))
	}
	for _, place := range places {
		switch {
		case place.Header != "":
			all = append(all, map[string]any{
				"headers": map[string]any{strings.ToLower(place.Header): values},
			})
		case place.JSON != "" && !strings.HasPrefix(place.JSON, "/"):
			var at any = values
			names := strings.Split(place.JSON, ".")
			for _, name := range slices.Backward(names) {
				at = map[string]any{name: at}
			}
			all = append(all, map[string]any{"data": at})
		}
	}
	return all
}

// scan shows how far a search has come.
type scan struct {
	inv     *invocation
	scanned int
	shown   bool
}

func newScan(inv *invocation) *scan { return &scan{inv: inv} }

// report shows how far it is after a part of a search.
func (s *scan) report(found int, part admin.Covered) {
	if s == nil || !s.inv.Asks {
		return
	}
	s.scanned += part.Scanned
	line := fmt.Sprintf("scanned %s, %s found", thousands(s.scanned), thousands(found))
	if part.From != nil {
		line += ", back to " + when(*part.From)
	}
	_, _ = fmt.Fprint(s.inv.Err, printable(line)) // its own line, which clear removes
	s.shown = true
}

// clear removes what is shown.
func (s *scan) clear() {
	if s != nil && s.shown {
		_, _ = fmt.Fprint(s.inv.Err, "\r\x1b[K")
		s.shown = false
	}
}

// writePrivately writes a file that only its owner can read: bodies may hold secrets.
func writePrivately(name string, content []byte) error {
	const onlyMe = 0o600
	return os.WriteFile(name, content, onlyMe)
}
