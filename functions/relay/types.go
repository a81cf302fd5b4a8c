package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/schema"
)

type typesCommand struct {
	List  listTypesCommand  `cmd:"" default:"withargs" help:"List the event types of sources."`
	Get   getTypeCommand    `cmd:"" help:"Show an event type, with its schema and example."`
	Check checkTypesCommand `cmd:"" help:"Find what a new configuration file changes in schemas that receivers may stumble over."`
	Infer inferTypesCommand `cmd:"" help:"Propose types with schemas, from the events on record."`
	Drift driftTypesCommand `cmd:"" help:"Compare the events on record with the schemas of their types."`
}

// typesOf reads the types of a source; "": of all sources.
func typesOf(ctx context.Context, api *connection, source string) ([]admin.TypeView, error) {
	query := url.Values{}
	if source != "" {
		query.Set("source", source)
	}
	found, err := client.Get[struct{ Items []admin.TypeView }](
		ctx, api.Client, client.Path("v1", "types"), query,
	)
	return found.Items, err
}

type listTypesCommand struct {
	relayFlags
	Source string `help:"Only those of this source."`
}

// Run lists the types.
func (c *listTypesCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		all, err := typesOf(ctx, api, c.Source)
		if err != nil {
			return err
		}
		var rows [][]cell
		for _, t := range all {
			if inv.json {
				if err := inv.document(t); err != nil {
					return err
				}
				continue
			}
			checked := "no schema"
			if t.Schema != nil {
				checked = t.Validate
			}
			if n := len(t.Drift); n > 0 {
				checked += fmt.Sprintf(", drift at %s", cmp.Or(t.Drift[0].At, "/"))
			}
			description := t.Description
			if t.Deprecated {
				description = "(deprecated) " + description
			}
			rows = append(rows, []cell{
				text(t.Source), text(t.Name), text(checked), text(description),
			})
		}
		if len(all) == 0 {
			inv.note("no source describes its types; types of a source in the file does")
		}
		return inv.table([]column{
			{title: "SOURCE"}, {title: "TYPE"}, {title: "CHECK", spare: 1}, {title: "DESCRIPTION"},
		}, rows)
	})
}

type getTypeCommand struct {
	relayFlags
	Source string `arg:"" help:"Name of the source."`
	Type   string `arg:"" help:"Name of the type."`
}

// Run shows a type, in the form of the configuration file.
func (c *getTypeCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		all, err := typesOf(ctx, api, c.Source)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(t admin.TypeView) bool { return t.Name == c.Type })
		if at < 0 {
			return fmt.Errorf(
				"source %s describes no type %s: %w", c.Source, c.Type, catalog.ErrNotFound,
			)
		}
		if inv.json {
			return inv.document(all[at])
		}
		spec, err := json.Marshal(all[at].TypeSpec)
		if err != nil {
			return err
		}
		return inv.yaml(spec)
	})
}

// yaml prints a document of JSON as YAML.
func (i *invocation) yaml(document []byte) error {
	text, err := asYAML(document)
	if err != nil {
		return err
	}
	_, err = i.out.Write(text)
	return err
}

type checkTypesCommand struct {
	Before string `arg:"" help:"Configuration file as it is."`
	After  string `arg:"" help:"Configuration file as it is to be."`
}

// errBreaking means that there are such changes.
var errBreaking = errors.New("receivers may stumble over these changes")

// Run compares two files. Their variables need not be set.
func (c *checkTypesCommand) Run(_ context.Context, inv *invocation) error {
	before, err := schemasIn(inv.path(c.Before))
	if err != nil {
		return err
	}
	after, err := schemasIn(inv.path(c.After))
	if err != nil {
		return err
	}
	found := 0
	for _, name := range slices.Sorted(maps.Keys(before)) {
		var lines []string
		switch now, there := after[name]; {
		case !there:
			lines = []string{"is gone"}
		case before[name] != nil && now == nil:
			lines = []string{"has no schema any more"}
		case before[name] != nil:
			lines = schema.Breaking(before[name], now)
		}
		for _, line := range lines {
			inv.line("%s %s", name, line)
		}
		found += len(lines)
	}
	if found > 0 {
		return errBreaking
	}
	inv.note("nothing in %d types breaks a receiver", len(before))
	return nil
}

// schemasIn returns the schemas of the types in a file, by source and type; nil: it has none.
func schemasIn(path string) (map[string]*schema.Schema, error) {
	types, err := config.ReadTypes(path)
	if err != nil {
		return nil, err
	}
	all := map[string]*schema.Schema{}
	for source, of := range types {
		for _, t := range of {
			all[source+" "+t.Name] = nil
			if t.Schema == "" {
				continue
			}
			if all[source+" "+t.Name], err = schema.Compile([]byte(t.Schema)); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// sampleFlags say which events on record are read.
type sampleFlags struct {
	relayFlags
	Source string `help:"Name of the source." required:""`
	Type   string `help:"Only this type."`
	Since  span   `help:"How far back to look. Example: 7d." default:"7d"`
	Limit  int    `help:"How many events of all types to read at most." default:"200"`
}

// each reads the events, the newest first, and calls do for each that has a type.
func (c *sampleFlags) each(
	ctx context.Context, api *connection, do func(e eventItem, body []byte),
) error {
	query := url.Values{"source": {c.Source}, "from": {"-" + time.Duration(c.Since).String()}}
	if c.Type != "" {
		query.Set("type", c.Type)
	}
	for read := 0; ; {
		query.Set("limit", strconv.Itoa(min(c.Limit-read, 100)))
		page, err := client.Get[struct {
			Items []eventItem
			Next  string
		}](ctx, api.Client, client.Path("v1", "events"), query)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if read++; e.Type == "" {
				continue
			}
			body, err := api.Do(ctx, client.Request{
				Method: http.MethodGet, Path: client.Path("v1", "events", e.ID, "body"),
			})
			if err != nil {
				return err
			}
			do(e, body.Body)
		}
		if page.Next == "" || read >= c.Limit {
			return nil
		}
		query.Set("next", page.Next)
	}
}

type inferTypesCommand struct{ sampleFlags }

// Run prints the types that a source could have, in the form of the configuration file.
func (c *inferTypesCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		found := map[string]*schema.Inference{}
		err := c.each(ctx, api, func(e eventItem, body []byte) {
			if found[e.Type] == nil {
				found[e.Type] = &schema.Inference{}
			}
			found[e.Type].Add(body)
		})
		if err != nil {
			return err
		}
		var types []map[string]any
		for _, name := range slices.Sorted(maps.Keys(found)) {
			t := map[string]any{"name": name}
			if s := found[name].Schema(); s != nil {
				t["schema"] = s
			}
			types = append(types, t)
		}
		if len(types) == 0 {
			return fmt.Errorf("no event of %s with a type: %w", c.Source, catalog.ErrNotFound)
		}
		text, err := json.Marshal(map[string]any{"types": types})
		switch {
		case err != nil:
			return err
		case inv.json:
			return inv.document(json.RawMessage(text))
		}
		return inv.yaml(text)
	})
}

type driftTypesCommand struct{ sampleFlags }

// errDrift means that there are events that do not fit.
var errDrift = errors.New("events do not fit the schemas of their types")

// misfit is a place at which events of a type are not as the schema says.
type misfit struct {
	Type    string `json:"type"`
	At      string `json:"at"`
	Problem string `json:"problem"`
	Events  int    `json:"events"` // with this problem
	Of      int    `json:"of"`     // that were compared
	Example string `json:"example,omitempty"`
}

// comparedType is a type with the events that were compared with its schema.
type comparedType struct {
	schema  *schema.Schema
	seen    schema.Inference
	events  int
	misfits []*misfit
}

// Run compares events with the schemas that are in force now. What the hourly sweep has found is in
// the list of types.
func (c *driftTypesCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		types, err := c.types(ctx, api)
		if err != nil {
			return err
		}
		err = c.each(ctx, api, func(e eventItem, body []byte) {
			if t := types[e.Type]; t != nil {
				t.compare(e, body)
			}
		})
		if err != nil {
			return err
		}
		return tellMisfits(inv, types)
	})
}

// types returns the types that have a schema.
func (c *driftTypesCommand) types(
	ctx context.Context, api *connection,
) (map[string]*comparedType, error) {
	all, err := typesOf(ctx, api, c.Source)
	if err != nil {
		return nil, err
	}
	types := map[string]*comparedType{}
	for _, t := range all {
		if t.Schema == nil || c.Type != "" && t.Name != c.Type {
			continue
		}
		compiled, err := schema.Compile(t.Schema)
		if err != nil {
			return nil, err
		}
		types[t.Name] = &comparedType{schema: compiled}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf(
			"source %s describes no such type with a schema: %w", c.Source, catalog.ErrNotFound,
		)
	}
	return types, nil
}

// compare notes an event. One whose body is no JSON is left out: its document has another form.
func (t *comparedType) compare(e eventItem, body []byte) {
	if !t.seen.Add(body) {
		return
	}
	t.events++
	found := t.schema.Check(body)
	if found.Status != schema.Failed {
		return
	}
	at := slices.IndexFunc(t.misfits, func(m *misfit) bool {
		return m.At == found.At && m.Problem == found.Problem
	})
	if at < 0 {
		at = len(t.misfits)
		t.misfits = append(t.misfits, &misfit{
			Type: e.Type, At: found.At, Problem: found.Problem, Example: e.ID,
		})
	}
	t.misfits[at].Events++
}

// tellMisfits prints what does not fit, and which members of a schema no event has.
func tellMisfits(inv *invocation, types map[string]*comparedType) error {
	var rows [][]cell
	events, wrong := 0, 0
	for _, name := range slices.Sorted(maps.Keys(types)) {
		t := types[name]
		events += t.events
		wrong += len(t.misfits)
		for _, at := range t.seen.Unseen(t.schema) {
			t.misfits = append(t.misfits, &misfit{
				Type: name, At: at, Problem: "is in no event", Events: t.events,
			})
		}
		for _, m := range t.misfits {
			m.Of = t.events
			if inv.json {
				if err := inv.document(m); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []cell{
				text(m.Type), text(cmp.Or(m.At, "/")), text(m.Problem),
				text(fmt.Sprintf("%d of %d", m.Events, m.Of)), text(m.Example),
			})
		}
	}
	inv.note("%s compared", plural(events, "event"))
	if len(rows) > 0 {
		if err := inv.table([]column{
			{title: "TYPE"}, {title: "PLACE"}, {title: "PROBLEM"}, {title: "EVENTS"},
			{title: "EXAMPLE", spare: 1},
		}, rows); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return errDrift
	}
	return nil
}
