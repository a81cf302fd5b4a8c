package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/config"
	"webhook-relay/shared/local/sqlite"
)

// fileFlags are the flags of commands that take a configuration file.
type fileFlags struct {
	relayFlags
	File  string `arg:"" help:"Configuration file."`
	Adopt bool   `help:"Take over what the file names and somebody else manages: the API or the portal."`
	Keep  span   `help:"How long an endpoint's replaced secrets keep signing beside the new ones. 0 ends all old secrets at once. Example: 2d for two days." default:"24h"`
}

type planCommand struct{ fileFlags }

// Run shows what a configuration would change.
func (c *planCommand) Run(ctx context.Context, inv *invocation) error {
	file, err := inv.readFile(c.File)
	if err != nil {
		return err
	}
	flags, remove, err := c.forPlan(inv)
	if err != nil {
		return err
	}
	defer remove()
	return flags.with(ctx, inv, func(api *connection) error {
		planned, _, err := api.plan(ctx, file, c.query(true))
		if err != nil {
			return err
		}
		if inv.json {
			return inv.document(planned)
		}
		planned.print(inv.line)
		for _, w := range planned.Warnings {
			inv.note("warning: %s", w)
		}
		if len(planned.Changes) > 0 {
			inv.line("catalog   revision %d stays, this was a plan", planned.Revision)
		}
		return nil
	}, true)
}

// forPlan returns flags for a relay in which nothing is changed: a local relay that does not exist
// is an empty one for as long as the plan takes.
func (c *planCommand) forPlan(inv *invocation) (flags relayFlags, remove func(), err error) {
	flags, remove = c.relayFlags, func() {}
	dir := flags.localDir(inv)
	if dir == "" || sqlite.Exists(inv.path(dir)) {
		return flags, remove, nil
	}
	empty, err := os.MkdirTemp("", "relay-plan-")
	if err != nil {
		return flags, remove, err
	}
	return relayFlags{
		Data: empty, Tenant: flags.Tenant, JSON: flags.JSON,
	}, func() { _ = os.RemoveAll(empty) }, nil
}

type applyCommand struct {
	fileFlags
	Yes   bool `help:"Do not ask before something is removed."`
	Empty bool `help:"Apply a configuration even if it is empty. This removes all sources, endpoints and subscriptions that files manage."`
}

// Run checks the configuration, shows what it changes, and writes it.
func (c *applyCommand) Run(ctx context.Context, inv *invocation) error {
	file, err := inv.readFile(c.File)
	if err != nil {
		return err
	}
	return c.with(ctx, inv, func(api *connection) error {
		query := c.query(c.Empty)
		planned, etag, err := api.plan(ctx, file, query)
		if err != nil {
			return err
		}
		for _, w := range planned.Warnings {
			inv.note("warning: %s", w)
		}
		if !inv.json {
			planned.print(inv.line)
		}
		if planned.removes() {
			if err := inv.confirm(
				c.Yes || c.Empty, "catalog   remove what has a - above?",
			); err != nil {
				return err
			}
			query.Set("remove", "true")
		}
		applied, err := api.apply(ctx, file, etag, query)
		if err != nil {
			return err
		}
		if inv.json {
			return inv.document(applied)
		}
		applied.print(inv.line)
		return nil
	}, true)
}

func (f fileFlags) query(empty bool) url.Values {
	return applyQuery(time.Duration(f.Keep), f.Adopt, empty)
}

func applyQuery(keep time.Duration, adopt, empty bool) url.Values {
	q := url.Values{"keep": {keep.String()}}
	if adopt {
		q.Set("adopt", "true")
	}
	if empty {
		q.Set("empty", "true")
	}
	return q
}

// configFile is a configuration file as it is sent.
type configFile struct {
	name string
	admin.File
}

// readFile reads a configuration file, and the variables of the environment that it names. The
// relay does not have them.
func (i *invocation) readFile(name string) (configFile, error) {
	text, err := i.content(name)
	if err != nil {
		return configFile{}, err
	}
	f := configFile{name: name, File: admin.File{
		File: string(text), Variables: map[string]string{},
	}}
	for _, other := range config.Files(text) {
		content, err := config.FilesBeside(i.path(name))(other)
		if err != nil {
			return f, fmt.Errorf("%s names a file: %w", name, err)
		}
		if f.Files == nil {
			f.Files = map[string]string{}
		}
		f.Files[other] = string(content)
	}
	for _, variable := range config.Variables(text) {
		if i.Env == nil {
			break
		}
		if value, is := i.Env(variable); is {
			f.Variables[variable] = value
		}
	}
	return f, nil
}

// plan asks what a file would change.
func (api *connection) plan(
	ctx context.Context, file configFile, query url.Values,
) (plan, string, error) {
	q := url.Values{}
	for name, values := range query {
		if name != "empty" {
			q[name] = values
		}
	}
	planned, answer, err := client.Call[admin.Planned](ctx, api.Client, client.Request{
		Method: http.MethodPost, Path: client.Path("v1", "plan"), Query: q, Body: file.File,
	})
	return plan{planned}, answer.Header.Get("ETag"), file.place(err)
}

// apply writes a file that was planned.
func (api *connection) apply(
	ctx context.Context, file configFile, etag string, query url.Values,
) (application, error) {
	applied, _, err := client.Call[admin.Applied](ctx, api.Client, client.Request{
		Method: http.MethodPost, Path: client.Path("v1", "apply"), Query: query, Body: file.File,
		Header: http.Header{"If-Match": {etag}},
	})
	return application{applied}, file.place(err)
}

// plan is what a file would change.
type plan struct{ admin.Planned }

func (p plan) removes() bool {
	for _, c := range p.Changes {
		if c.Action == "remove" {
			return true
		}
	}
	return false
}

// signs are in front of the changes.
var signs = map[string]string{"add": "+", "change": "~", "remove": "-"}

func (p plan) print(line func(string, ...any)) {
	if len(p.Changes) == 0 {
		line("catalog   revision %d, nothing to change", p.Revision)
	}
	for _, c := range p.Changes {
		line("catalog   %s %s", signs[c.Action], c.Text)
	}
}

// application is what a file has changed.
type application struct{ admin.Applied }

func (a application) print(line func(string, ...any)) {
	if len(a.Changes) > 0 {
		line("catalog   revision %d is in force", a.Revision)
	}
	for _, s := range a.Secrets {
		line("secret    of endpoint %s, new; it is shown only now: %s", s.Endpoint, s.Secret)
	}
	for _, s := range a.Retiring {
		line(
			"secret    of endpoint %s, an old one; it also signs until %s", s.Endpoint,
			when(s.Until),
		)
	}
	for _, k := range a.PublicKeys {
		line(
			"key       of endpoint %s, public; its receiver verifies v1a signatures with it: %s",
			k.Endpoint, k.Key,
		)
	}
}

// place says where in the file something is wrong.
func (f configFile) place(err error) error {
	var p *admin.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	placed := *p
	placed.Errors = nil
	for _, e := range p.Errors {
		if path, inFile := strings.CutPrefix(e.Pointer, "/body"); inFile {
			at := f.name
			if e.Line > 0 {
				at = fmt.Sprintf("%s:%d", f.name, e.Line)
			}
			e.Pointer = strings.TrimSuffix(at+": "+dotted(path), ": ")
		}
		placed.Errors = append(placed.Errors, e)
	}
	return &placed
}

var index = regexp.MustCompile(`/([0-9]+)`)

// dotted returns a JSON pointer as the file's users write a place: endpoints[0].url.
func dotted(pointer string) string {
	return strings.TrimPrefix(
		strings.ReplaceAll(index.ReplaceAllString(pointer, "[$1]"), "/", "."), ".",
	)
}

type exportCommand struct{ relayFlags }

// Run prints the configuration as a file.
func (c *exportCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		answer, err := api.Do(ctx, client.Request{
			Method: http.MethodGet, Path: client.Path("v1", "export"),
		})
		if err != nil {
			return err
		}
		if !inv.json {
			_, err = inv.out.Write(answer.Body)
			return err
		}
		var document any
		if err := yaml.Unmarshal(answer.Body, &document); err != nil {
			return errors.Join(client.ErrAnswer, err)
		}
		return inv.document(document)
	})
}
