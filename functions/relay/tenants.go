package main

import (
	"context"
	"fmt"
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type tenantsCommand struct {
	List   listTenantsCommand  `cmd:"" default:"withargs" help:"List the tenants."`
	Get    getTenantCommand    `cmd:"" help:"Show a tenant."`
	Put    putTenantCommand    `cmd:"" help:"Create or rename a tenant."`
	Delete deleteTenantCommand `cmd:"" help:"Delete a tenant that has no sources, endpoints and subscriptions left. Its tokens end."`
}

var tenantColumns = []column{
	{title: "ID"}, {title: "CREATED", spare: 1, time: true}, {title: "NAME"},
}

func tenantRow(t admin.TenantView) []cell {
	return []cell{text(t.ID), text(when(t.CreatedAt)), text(t.Name)}
}

type listTenantsCommand struct{ listFlags }

// Run lists the tenants.
func (c *listTenantsCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.TenantView]{
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
				return inv.table(tenantColumns, [][]cell{tenantRow(t)})
			})
	})
}

type putTenantCommand struct {
	relayFlags
	ID   string `arg:"" help:"The tenant's id: 1 to 63 of A-Z, a-z, 0-9, - and _, beginning with a letter or a digit."`
	Name string `help:"Its name, for people." required:""`
}

// Run creates or renames a tenant.
func (c *putTenantCommand) Run(ctx context.Context, inv *invocation) error {
	return c.with(ctx, inv, func(api *connection) error {
		answer, created, err := replace(ctx, api, client.Request{
			Path: client.Path("v1", "tenants", c.ID), Body: map[string]string{"name": c.Name},
		})
		if err != nil {
			return err
		}
		return printAnswer(inv, answer.Body, func(t admin.TenantView) error {
			what := "renamed"
			if created {
				what = "created"
			}
			inv.line("tenant %s %s: %s", t.ID, what, t.Name)
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
			"delete the tenant %s (%s) and its tokens?", t.ID, t.Name,
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
