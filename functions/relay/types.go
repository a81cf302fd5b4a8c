package main

import (
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

type inferTypesCommand struct {
	relayFlags
	Source string `help:"Name of the source." required:""`
	Type   string `help:"Only this type."`
	Since  span   `help:"How far back to look. Example: 7d." default:"7d"`
	Limit  int    `help:"How many events of all types to read at most." default:"200"`
}

// Run prints the types that a source could have, in the form of the configuration file.
func (c *inferTypesCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		found, err := c.look(ctx, api)
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

// look reads events, and returns what they have in common, by type.
func (c *inferTypesCommand) look(
	ctx context.Context, api *connection,
) (map[string]*schema.Inference, error) {
	query := url.Values{"source": {c.Source}, "from": {"-" + time.Duration(c.Since).String()}}
	if c.Type != "" {
		query.Set("type", c.Type)
	}
	found, read := map[string]*schema.Inference{}, 0
	for {
		query.Set("limit", strconv.Itoa(min(c.Limit-read, 100)))
		page, err := client.Get[struct {
			Items []eventItem
			Next  string
		}](ctx, api.Client, client.Path("v1", "events"), query)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			if read++; e.Type == "" {
				continue
			}
			body, err := api.Do(ctx, client.Request{
				Method: http.MethodGet, Path: client.Path("v1", "events", e.ID, "body"),
			})
			if err != nil {
				return nil, err
			}
			if found[e.Type] == nil {
				found[e.Type] = &schema.Inference{}
			}
			found[e.Type].Add(body.Body)
		}
		if page.Next == "" || read >= c.Limit {
			return found, nil
		}
		query.Set("next", page.Next)
	}
}
