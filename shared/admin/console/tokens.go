package console

import (
	"errors"
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// tokensData is what the page of the tokens shows.
type tokensData struct {
	list[admin.Token]

	made *admin.MadeToken // just now
}

func (v *visit) tokens() error { return v.tokensWith(nil) }

func (v *visit) tokensWith(made *admin.MadeToken) error {
	found, err := listOf[admin.Token](v, "/v1/tokens", nil)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Tokens", nav: "/tokens"}, tokensPage(v, tokensData{list: found, made: made}),
	)
}

func (v *visit) createToken() error {
	answer, err := v.post("/v1/tokens", map[string]string{
		"name": v.field("name", ""), "role": v.field("role", ""), "expires": v.field("expires", ""),
	})
	if err != nil {
		return v.refused(err, (*visit).tokens)
	}
	made, err := decode[admin.MadeToken](answer.Body)
	if err != nil {
		return err
	}
	return v.tokensWith(&made)
}

// askRevoke asks before a token ends.
func (v *visit) askRevoke() error {
	return v.ok(
		page{title: "Revoke a token", nav: "/tokens"},
		revokePage(v, v.r.PathValue("id"), v.query("name")),
	)
}

func (v *visit) revoke() error {
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "tokens", v.r.PathValue("id")),
	})
	if err != nil {
		return err
	}
	return v.done(v.to("/tokens"), "revoked")
}

func (v *visit) tenants() error {
	if id := v.query("id"); id != "" {
		v.redirect(v.at("tenants", id))
		return nil
	}
	found, err := listOf[admin.TenantView](v, "/v1/tenants", nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Tenants", nav: "/tenants"}, tenantsPage(v, found))
}

// tenantData is what the page of a tenant shows.
type tenantData struct {
	admin.TenantView

	etag string
}

func (v *visit) readTenant() (tenantData, error) {
	found, answer, err := client.Call[admin.TenantView](v.r.Context(), v.api, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "tenants", v.r.PathValue("id")),
	})
	return tenantData{TenantView: found, etag: answer.Header.Get("ETag")}, err
}

func (v *visit) tenantPage() error {
	d, err := v.readTenant()
	if err != nil {
		return err
	}
	return v.ok(page{title: d.Name, nav: "/tenants"}, tenantPageOf(v, d))
}

// putTenant writes a tenant: a new one, or in the place of one that was read.
func (v *visit) putTenant(id string) error {
	header := http.Header{"If-None-Match": {"*"}}
	if tag := v.field("etag", ""); tag != "" {
		header = http.Header{"If-Match": {tag}}
	}
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPut, Path: client.Path("v1", "tenants", id), Header: header,
		Body: map[string]any{"name": v.field("name", "")},
	})
	return err
}

func (v *visit) createTenant() error {
	id := v.field("id", "")
	if id == "" {
		return v.refused(invalid("/id", "is empty"), (*visit).tenants)
	}
	err := v.putTenant(id)
	var p *admin.Problem
	if errors.As(err, &p) && p.Status == http.StatusPreconditionFailed {
		err = invalid("/id", "there is a tenant with this id already")
	}
	if err != nil {
		return v.refused(err, (*visit).tenants)
	}
	return v.done(v.at("tenants", id), "saved")
}

func (v *visit) saveTenant() error {
	id := v.r.PathValue("id")
	if err := v.putTenant(id); err != nil {
		return v.refused(err, (*visit).tenantPage)
	}
	return v.done(v.at("tenants", id), "saved")
}

func (v *visit) askDeleteTenant() error {
	d, err := v.readTenant()
	if err != nil {
		return err
	}
	return v.ok(page{title: "Delete " + d.Name, nav: "/tenants"}, deleteTenantPage(v, d))
}

func (v *visit) deleteTenant() error {
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "tenants", v.r.PathValue("id")),
		Header: http.Header{"If-Match": {v.field("etag", "")}},
	})
	if err != nil {
		return v.refused(err, (*visit).askDeleteTenant)
	}
	return v.done(v.to("/tenants"), "deleted")
}
