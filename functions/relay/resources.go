package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// kind is a kind of resource of the configuration.
type kind interface {
	one() string
	plural() string
}

type (
	aSource       struct{}
	anEndpoint    struct{}
	aSubscription struct{}
)

func (aSource) one() string          { return "source" }
func (aSource) plural() string       { return "sources" }
func (anEndpoint) one() string       { return "endpoint" }
func (anEndpoint) plural() string    { return "endpoints" }
func (aSubscription) one() string    { return "subscription" }
func (aSubscription) plural() string { return "subscriptions" }

type sourcesCommand struct {
	List   listSourcesCommand     `cmd:"" default:"withargs" help:"List the sources."`
	Get    getCommand[aSource]    `cmd:"" help:"Show a source."`
	Put    putCommand[aSource]    `cmd:"" help:"Create or replace a source."`
	Delete deleteCommand[aSource] `cmd:"" help:"Delete a source."`
}

type subscriptionsCommand struct {
	List   listSubscriptionsCommand     `cmd:"" default:"withargs" help:"List the subscriptions."`
	Get    getCommand[aSubscription]    `cmd:"" help:"Show a subscription."`
	Put    putCommand[aSubscription]    `cmd:"" help:"Create or replace a subscription."`
	Delete deleteCommand[aSubscription] `cmd:"" help:"Delete a subscription."`
}

type listSourcesCommand struct{ listFlags }

// managed is what tables show of who manages a resource.
type managed struct {
	ManagedBy string `json:"managedBy"`
}

// Run lists the sources.
func (c *listSourcesCommand) Run(ctx context.Context, inv *invocation) error {
	type source struct {
		managed
		Path string
		Spec struct{ Name, Provider string }
	}
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[source]{
			path: client.Path("v1", "sources"),
			columns: []column{
				{title: "NAME"}, {title: "PROVIDER"}, {title: "MANAGED BY", spare: 1},
				{title: "PATH"},
			},
			row: func(s source) []cell {
				return []cell{
					text(s.Spec.Name), text(s.Spec.Provider), text(s.ManagedBy), text(s.Path),
				}
			},
			none: "there are no sources; relay apply, or relay sources put, adds one",
		})
	})
}

type listSubscriptionsCommand struct{ listFlags }

// Run lists the subscriptions.
func (c *listSubscriptionsCommand) Run(ctx context.Context, inv *invocation) error {
	type subscription struct {
		managed
		Spec struct {
			Name, Source, Endpoint string
			Types                  []string
			Filter                 json.RawMessage
		}
	}
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[subscription]{
			path: client.Path("v1", "subscriptions"),
			columns: []column{
				{title: "NAME"}, {title: "SOURCE"}, {title: "ENDPOINT"},
				{title: "MANAGED BY", spare: 1}, {title: "TYPES"}, {title: "FILTER"},
			},
			row: func(s subscription) []cell {
				types := "all"
				if len(s.Spec.Types) > 0 {
					types = strings.Join(s.Spec.Types, " ")
				}
				return []cell{
					text(s.Spec.Name), text(s.Spec.Source), text(s.Spec.Endpoint),
					text(s.ManagedBy), text(types), text(string(s.Spec.Filter)),
				}
			},
			none: "there are no subscriptions; relay apply, or relay subscriptions put, adds one",
		})
	})
}

type getCommand[K kind] struct {
	relayFlags
	Name string `arg:"" help:"Its name."`
}

// Run shows a resource, in the form of the configuration file.
func (c *getCommand[K]) Run(ctx context.Context, inv *invocation) error {
	var k K
	type resource struct {
		managed
		Path      string
		ChangedAt string
		ETag      string
		Retiring  []admin.RetiringSecret
		Spec      json.RawMessage
	}
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", k.plural(), c.Name)
		return show(ctx, inv, api, path, nil, func(r resource) error {
			spec, err := asYAML(r.Spec)
			if err != nil {
				return err
			}
			inv.facts(
				"managed by", r.ManagedBy, "changed", r.ChangedAt, "etag", r.ETag, "path", r.Path,
			)
			for _, old := range r.Retiring {
				inv.line("secret %s also signs until %s", old.Fingerprint, when(old.Until))
			}
			_, err = fmt.Fprintf(inv.out, "\n%s", spec)
			return err
		})
	})
}

// asYAML returns a document of JSON as YAML, its members in the same order.
func asYAML(document []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil { // JSON is YAML
		return nil, err
	}
	blocks(&node)
	return yaml.Marshal(&node)
}

// blocks makes the outer levels of a document blocks, and leaves the quotes to the encoder.
func blocks(node *yaml.Node) {
	node.Style = 0
	for _, inner := range node.Content {
		blocks(inner)
	}
}

type putCommand[K kind] struct {
	relayFlags
	Name  string `arg:"" help:"Its name."`
	File  string `arg:"" help:"File with the resource as in the configuration file, as YAML or JSON. - is the standard input."`
	Adopt bool   `help:"Take it over if relay apply or a tenant's user manages it."`
	Keep  string `help:"Of an endpoint: how long replaced secrets keep signing. Default: 24h."`
}

// Run creates a resource, or replaces it as it was read just before.
func (c *putCommand[K]) Run(ctx context.Context, inv *invocation) error {
	var k K
	spec, err := readSpec(inv, c.File)
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.Adopt {
		query.Set("adopt", "true")
	}
	if c.Keep != "" {
		query.Set("keep", c.Keep)
	}
	return c.with(ctx, inv, func(api *connection) error {
		answer, created, err := replace(ctx, api, client.Request{
			Path: client.Path("v1", k.plural(), c.Name), Query: query,
		}, func([]byte) (any, error) { return spec, nil })
		if err != nil {
			return err
		}
		return printAnswer(inv, answer.Body, func(made struct{ Secret, Path string }) error {
			what := "replaced"
			if created {
				what = "created"
			}
			inv.line("%s %s %s", k.one(), c.Name, what)
			if made.Path != "" && created {
				inv.line("its path is %s", made.Path)
			}
			if made.Secret != "" {
				inv.line("its secret, which is shown only now: %s", made.Secret)
			}
			return nil
		})
	}, true)
}

// replace PUTs what is at a path: as new, or in the place of what is there. body makes what is sent
// of what is there; nil: nothing is.
func replace(
	ctx context.Context, api *connection, r client.Request, body func(was []byte) (any, error),
) (answer client.Response, created bool, err error) {
	was, err := api.Do(ctx, client.Request{Method: http.MethodGet, Path: r.Path})
	var p *admin.Problem
	r.Method, r.Header = http.MethodPut, http.Header{}
	switch {
	case err == nil:
		r.Header.Set("If-Match", was.Header.Get("ETag"))
	case errors.As(err, &p) && p.Status == http.StatusNotFound:
		r.Header.Set("If-None-Match", "*")
		created = true
	default:
		return answer, false, err
	}
	if r.Body, err = body(was.Body); err != nil {
		return answer, false, err
	}
	answer, err = api.Do(ctx, r)
	return answer, created, err
}

// readSpec reads a resource as YAML or JSON.
func readSpec(inv *invocation, file string) (any, error) {
	content, err := inv.content(file)
	if err != nil {
		return nil, err
	}
	var spec map[string]any
	if err := yaml.Unmarshal(content, &spec); err != nil {
		return nil,
			usageError{fmt.Errorf("%s is neither YAML nor JSON of one resource: %w", file, err)}
	}
	return spec, nil
}

type deleteCommand[K kind] struct {
	relayFlags
	Name  string `arg:"" help:"Its name."`
	Adopt bool   `help:"Delete it even if relay apply or a tenant's user manages it."`
	Yes   bool   `help:"Do not ask."`
}

// Run deletes a resource.
func (c *deleteCommand[K]) Run(ctx context.Context, inv *invocation) error {
	var k K
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", k.plural(), c.Name)
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodGet, Path: path,
		}); err != nil {
			return err
		}
		if err := inv.confirm(
			c.Yes, fmt.Sprintf("delete the %s %s?", k.one(), c.Name),
		); err != nil {
			return err
		}
		query := url.Values{}
		if c.Adopt {
			query.Set("adopt", "true")
		}
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodDelete, Path: path, Query: query,
		}); err != nil {
			return err
		}
		return inv.say(map[string]string{"deleted": c.Name}, "%s %s deleted", k.one(), c.Name)
	})
}
