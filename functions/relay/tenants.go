package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/access"
)

type tenantsCommand struct {
	List   listTenantsCommand  `cmd:"" default:"withargs" help:"List the tenants."`
	Get    getTenantCommand    `cmd:"" help:"Show a tenant."`
	Put    putTenantCommand    `cmd:"" help:"Create or rename a tenant, or set its rates. How its portal looks is in its file: relay apply FILE --tenant ID."`
	Delete deleteTenantCommand `cmd:"" help:"Delete a tenant that has no sources, endpoints and subscriptions left. Its tokens and sessions end."`
	Portal portalCommand       `cmd:"" help:"Make a link that opens the tenant's portal once, within a minute."`
	Logout logoutTenantCommand `cmd:"" help:"End all sessions and links of a tenant, in the portal and the console."`
}

var tenantColumns = []column{
	{title: "ID"}, {title: "CREATED", spare: 1, time: true}, {title: "NAME"},
}

func tenantRow(t admin.TenantItem) []cell {
	return []cell{text(t.ID), text(when(t.CreatedAt)), text(t.Name)}
}

// rateColumns and rateCells are the rates of a tenant, which a list does not have.
var rateColumns = []column{{title: "ACCEPTS"}, {title: "DELIVERS"}}

func rateCells(t admin.TenantView) []cell {
	const none = "no limit"
	return []cell{
		text(cmp.Or(t.Rates.Accepted, none)), text(cmp.Or(t.Rates.Delivered, none)),
	}
}

type listTenantsCommand struct{ listFlags }

// Run lists the tenants.
func (c *listTenantsCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.TenantItem]{
			path: client.Path("v1", "tenants"), columns: tenantColumns, row: tenantRow,
			none: "there are no tenants; relay tenants put creates one",
		})
	})
}

type getTenantCommand struct {
	relayFlags
	ID string `arg:"" help:"The tenant's id."`
}

// Run shows a tenant.
func (c *getTenantCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return show(ctx, inv, api, client.Path("v1", "tenants", c.ID), nil,
			func(t admin.TenantView) error {
				columns := append(slices.Clone(tenantColumns), rateColumns...)
				row := append(tenantRow(t.TenantItem), rateCells(t)...)
				return inv.table(columns, [][]cell{row})
			})
	})
}

type putTenantCommand struct {
	relayFlags
	ID   string `arg:"" help:"The tenant's id: 1 to 63 of A-Z, a-z, 0-9, - and _, beginning with a letter or a digit."`
	Name string `help:"Its name, for people. A tenant that exists keeps its own if this is left out."`

	Accepted  *string `help:"Accept so many of its webhooks, and refuse others with 429. none: no limit. Left out: as it is." placeholder:"100/s"`
	Delivered *string `help:"Make so many attempts at all of its endpoints together; others wait. none: no limit. Left out: as it is." placeholder:"50/s"`
}

// spec returns what the command makes of a tenant, or of a new one.
func (c *putTenantCommand) spec(was admin.TenantView) admin.TenantSpec {
	spec := admin.TenantSpec{
		Name: cmp.Or(c.Name, was.Name), Portal: was.Portal, Rates: was.Rates,
	}
	for into, rate := range map[*string]*string{
		&spec.Rates.Accepted: c.Accepted, &spec.Rates.Delivered: c.Delivered,
	} {
		if rate != nil {
			*into = strings.TrimPrefix(*rate, "none")
		}
	}
	return spec
}

// Run creates or renames a tenant.
func (c *putTenantCommand) Run(ctx context.Context, inv *invocation) error {
	return c.with(ctx, inv, func(api *connection) error {
		answer, created, err := replace(ctx, api, client.Request{
			Path: client.Path("v1", "tenants", c.ID),
		}, func(was []byte) (any, error) {
			var t admin.TenantView
			if was == nil {
				if c.Name == "" {
					return nil, usage("there is no tenant " + c.ID + " yet: --name NAME creates it")
				}
				return c.spec(t), nil
			}
			err := json.Unmarshal(was, &t)
			return c.spec(t), err
		})
		if err != nil {
			return err
		}
		return printAnswer(inv, answer.Body, func(t admin.TenantView) error {
			what := "saved"
			if created {
				what = "created"
			}
			inv.line("tenant %s %s: %s", t.ID, what, t.Name)
			for _, rate := range [][2]string{
				{"accepts", t.Rates.Accepted}, {"delivers", t.Rates.Delivered},
			} {
				if rate[1] != "" {
					inv.line("  %s at most %s", rate[0], rate[1])
				}
			}
			return nil
		})
	}, true)
}

type deleteTenantCommand struct {
	relayFlags
	ID  string `arg:"" help:"The tenant's id."`
	Yes bool   `help:"Do not ask."`
}

// Run deletes a tenant.
func (c *deleteTenantCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", "tenants", c.ID)
		t, err := client.Get[admin.TenantView](ctx, api.Client, path, nil)
		if err != nil {
			return err
		}
		if err := inv.confirm(c.Yes, fmt.Sprintf(
			"delete the tenant %s (%s), its tokens and sessions?", t.ID, t.Name,
		)); err != nil {
			return err
		}
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodDelete, Path: path,
		}); err != nil {
			return err
		}
		return inv.say(map[string]string{"deleted": c.ID}, "tenant %s deleted", c.ID)
	})
}

type portalCommand struct {
	relayFlags
	ID   string        `arg:"" help:"The tenant's id."`
	Can  []string      `help:"What its user may do: some of ${enum}. Default: everything." enum:"view,secret,manage,replay,ping" placeholder:"CAPABILITY,…"`
	TTL  time.Duration `help:"How long the session lasts: 1m to 8h. Default: 8h." name:"ttl" placeholder:"1h"`
	Next string        `help:"The page to begin with, as a path below the portal." placeholder:"/endpoints/shop"`
	User string        `help:"Who it is for, as the list of changes shows it." placeholder:"NAME"`
}

// Run makes a link to a tenant's portal.
func (c *portalCommand) Run(ctx context.Context, inv *invocation) error {
	want := admin.PortalLink{Capabilities: c.Can, Next: c.Next, User: c.User}
	if c.TTL != 0 {
		want.TTL = c.TTL.String()
	}
	return c.calls(ctx, inv, func(api *connection) error {
		path := client.Path("v1", "tenants", c.ID, "portal")
		made, err := call[admin.MadePortalLink](ctx, api, path, want)
		if err != nil {
			return err
		}
		made.URL = api.console + made.Path
		inv.note("it can be used once, until %s", when(made.Until))
		return inv.say(made, "%s", made.URL)
	})
}

type logoutTenantCommand struct {
	relayFlags
	ID  string `arg:"" help:"The tenant's id."`
	Yes bool   `help:"Do not ask."`
}

// Run ends the sessions of a tenant.
func (c *logoutTenantCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		if err := inv.confirm(c.Yes, fmt.Sprintf("end all sessions of the tenant %s?", c.ID)); err !=
			nil {
			return err
		}
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodDelete, Path: client.Path("v1", "tenants", c.ID, "portal"),
		}); err != nil {
			return err
		}
		return inv.say(
			map[string]string{"ended": c.ID}, "all sessions of %s are ended; in force everywhere within %v",
			c.ID, access.CacheTTL,
		)
	})
}
