package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
)

func (v *visit) tenants() error {
	if id := v.query("id"); id != "" {
		v.redirect(v.at("tenants", id))
		return nil
	}
	found, err := listOf[admin.TenantItem](v, "/v1/tenants", nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Tenants", nav: "/tenants"}, tenantsPage(v, found))
}

// tenantData is what the page of a tenant shows.
type tenantData struct {
	admin.TenantView

	etag string
	link *admin.MadePortalLink // to its portal, made just now
	held int                   // deliveries that wait because of its rate, as far as is known
}

func (v *visit) readTenant() (tenantData, error) {
	found, answer, err := client.Call[admin.TenantView](v.r.Context(), v.api, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "tenants", v.r.PathValue("id")),
	})
	return tenantData{TenantView: found, etag: answer.Header.Get("ETag")}, err
}

func (v *visit) tenantPage() error { return v.tenantWith(nil) }

func (v *visit) tenantWith(link *admin.MadePortalLink) error {
	d, err := v.readTenant()
	if err != nil {
		return err
	}
	d.link = link
	if d.held, err = v.heldByRate(d.TenantView); err != nil {
		return err
	}
	return v.ok(page{title: d.Name, nav: "/tenants"}, tenantPageOf(v, d))
}

// heldByRate counts the deliveries that wait because of a tenant's rate, among its newest ones that
// wait.
func (v *visit) heldByRate(t admin.TenantView) (held int, err error) {
	if t.Rates.Delivered == "" {
		return 0, nil
	}
	waiting, err := get[list[admin.DeliveryView]](v, "/v1/deliveries", url.Values{
		"tenant": {t.ID}, "status": {string(relay.Waiting)}, "limit": {strconv.Itoa(pageSize)},
	})
	if missing(err) {
		return 0, nil
	}
	for _, d := range waiting.Items {
		if d.Held == string(gate.HeldTenantRate) {
			held++
		}
	}
	return held, err
}

// portalSettings are those in the form.
func (v *visit) portalSettings() admin.PortalSpec {
	return admin.PortalSpec{
		FrameAncestors: words(v.field("frame_ancestors", "")),
		LogoURL:        v.field("logo_url", ""), Accent: v.field("accent", ""),
		Scheme: v.field("scheme", ""), RefreshURL: v.field("refresh_url", ""),
	}
}

// linkToPortal makes a link to a tenant's portal, and shows it.
func (v *visit) linkToPortal() error {
	answer, err := v.post(
		client.Path("v1", "tenants", v.r.PathValue("id"), "portal"), admin.PortalLink{
			Capabilities: v.r.PostForm["can"], User: v.field("user", ""), TTL: v.field("ttl", ""),
		},
	)
	if err != nil {
		return v.refused(err, (*visit).tenantPage)
	}
	made, err := decode[admin.MadePortalLink](answer.Body)
	if err != nil {
		return err
	}
	return v.tenantWith(&made)
}

// askEndPortal asks before the sessions of a tenant end.
func (v *visit) askEndPortal() error {
	d, err := v.readTenant()
	if err != nil {
		return err
	}
	return v.ok(page{title: "End all sessions of " + d.Name, nav: "/tenants"}, endPortalPage(v, d))
}

func (v *visit) endPortal() error {
	id := v.r.PathValue("id")
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "tenants", id, "portal"),
	})
	if err != nil {
		return err
	}
	return v.done(v.at("tenants", id), "ended")
}

// putTenant writes a tenant: a new one, or in the place of one that was read.
func (v *visit) putTenant(id string) error {
	header := http.Header{"If-None-Match": {"*"}}
	if tag := v.field("etag", ""); tag != "" {
		header = http.Header{"If-Match": {tag}}
	}
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPut, Path: client.Path("v1", "tenants", id), Header: header,
		Body: admin.TenantSpec{
			Name: v.field("name", ""), Portal: v.portalSettings(), Rates: admin.RatesSpec{
				Accepted: v.field("accepted", ""), Delivered: v.field("delivered", ""),
			},
		},
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
