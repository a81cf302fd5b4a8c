package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

var (
	creates = map[string]string{"If-None-Match": "*"}
	look    = admin.PortalSpec{
		FrameAncestors: []string{"https://app.example.com"},
		LogoURL:        "https://cdn.example.com/logo.svg",
		Accent:         "#B00020", Scheme: "dark", RefreshURL: "https://app.example.com/hooks",
	}
)

// customer returns a user of a tenant's portal.
func customer(tenant string, can ...access.Capability) *admin.Principal {
	return &admin.Principal{
		Who:    access.Who{Kind: access.PortalUser, ID: "ses_1", Name: "ada"},
		Tenant: tenant, Capabilities: can,
	}
}

// offer gives the operator a source that publishes for tenants, and one that does not.
func (r *rig) offer() (boss string) {
	r.t.Helper()
	boss = r.token(access.Admin, "")
	for name, spec := range map[string]any{
		"app": map[string]any{
			"provider": "none", "tenant": map[string]any{"header": "who"}, "types": []any{
				map[string]any{"name": "order.paid", "description": "An order was paid."},
				map[string]any{"name": "order.closed", "deprecated": true},
			},
		},
		"private": map[string]any{"provider": "none"},
		"theirs":  map[string]any{"provider": "none", "tenant": "other"},
	} {
		r.send(request{
			method: "PUT", path: "/v1/sources/" + name, token: boss, body: spec, header: creates,
		}).wants(200, nil)
	}
	return boss
}

func TestTheSettingsOfAPortal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	put := request{
		method: "PUT", path: "/v1/tenants/new", token: boss, header: creates,
		body: admin.TenantSpec{Name: "New", Portal: look},
	}
	var made, got admin.TenantView
	r.send(put).wants(200, &made)
	r.send(request{method: "GET", path: put.path, token: boss}).wants(200, &got)
	if diff := cmp.Diff(look, made.Portal); diff != "" || !cmp.Equal(made, got) {
		t.Errorf("%s%+v", diff, got)
	}
	r.send(request{method: "GET", path: "/v1/tenants", token: boss}).wants(200, nil)
	for where, wrong := range map[string]admin.PortalSpec{
		"/body/portal/frame_ancestors/1": {
			FrameAncestors: []string{"https://a.example.com", "https://a.example.com/x"},
		},
		"/body/portal/frame_ancestors/0": {FrameAncestors: []string{"https://a.com; script-src *"}},
		"/body/portal/frame_ancestors": {
			FrameAncestors: slices.Repeat([]string{"https://a.example.com"}, 21),
		},
		"/body/portal/logo_url":    {LogoURL: "http://example.com/logo.svg"},
		"/body/portal/accent":      {Accent: "red"},
		"/body/portal/scheme":      {Scheme: "blue"},
		"/body/portal/refresh_url": {RefreshURL: "javascript:alert(1)"},
	} {
		put.body = admin.TenantSpec{Name: "New", Portal: wrong}
		p := r.send(put.with(map[string]string{"If-None-Match": "", "If-Match": `"1"`})).
			problem(422, "invalid")
		if pointers(p) != where {
			t.Errorf("%+v: %v", wrong, p)
		}
	}
}

func TestALinkToAPortal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	ask := request{
		method: "POST", path: "/v1/tenants/acme/portal", token: boss, body: admin.PortalLink{
			Capabilities: []string{"view", "ping"}, TTL: "1h", Next: "/endpoints/shop?a=b",
			User: "ada",
		},
	}
	var made admin.MadePortalLink
	r.send(ask).wants(200, &made)
	code, ok := strings.CutPrefix(made.URL, "https://example.com/portal/acme/enter#")
	if !ok || "https://example.com"+made.Path != made.URL ||
		!made.Until.Equal(r.clock.now().Add(time.Minute).Truncate(time.Second)) {
		t.Errorf("%+v", made)
	}
	sessions := access.NewSessions(r.config.CatalogDocuments, r.tokens, r.clock.now)
	secret, s, err := sessions.Enter(t.Context(), code)
	must(t, err)
	want := []access.Capability{access.View, access.Ping}
	if !s.OfPortal() || s.Role != "" || s.Tenant != "acme" || s.Next != "/endpoints/shop?a=b" ||
		!slices.Equal(s.Capabilities, want) || s.Who.Name != "ada" ||
		s.ExpiresAt.Sub(r.clock.now()) > time.Hour {
		t.Errorf("%+v", s)
	}
	r.clock.add(time.Second)
	r.send(request{method: "DELETE", path: ask.path, token: boss}).wants(204, nil)
	r.clock.add(access.CacheTTL)
	if _, err := sessions.Session(t.Context(), secret); err == nil {
		t.Error("the session was not ended")
	}
	for where, wrong := range map[string]admin.PortalLink{
		"/body/capabilities":   {Capabilities: []string{"ping"}},
		"/body/capabilities/0": {Capabilities: []string{"all", "view"}},
		"/body/ttl":            {TTL: "9h"}, "/body/ttl ": {TTL: "soon"},
		"/body/next": {Next: "https://evil.example.com"}, "/body/next ": {Next: "//evil"},
		"/body/next  ": {Next: `/\evil`}, "/body/user": {User: strings.Repeat("a", 101)},
	} {
		ask.body = wrong
		if p := r.send(ask).problem(422, "invalid"); pointers(p) != strings.TrimSpace(where) {
			t.Errorf("%+v: %v", wrong, p)
		}
	}
	ask.body, ask.path = admin.PortalLink{}, "/v1/tenants/nobody/portal"
	r.send(ask).problem(404, "not-found")
}

// TestCapabilities: whatever the pages offer, the API refuses what a link does not give.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	offered := map[access.Capability]int{}
	for _, route := range admin.Routes {
		if route.Scope == admin.Everybody {
			continue
		}
		offered[route.Portal]++
		for _, missing := range access.Capabilities {
			others := slices.DeleteFunc(slices.Clone(access.Capabilities),
				func(c access.Capability) bool { return c == missing })
			if route.Portal != "" && route.Portal != missing {
				continue
			}
			r.send(request{
				method: route.Method, path: pathOf(route, "x"), as: customer("acme", others...),
			}).problem(403, "forbidden")
		}
		// nobody is a user of the operator's portal
		r.send(request{
			method: route.Method, path: pathOf(route, "x"),
			as: customer("", access.Capabilities...),
		}).problem(403, "forbidden")
	}
	for _, c := range access.Capabilities {
		if offered[c] == 0 {
			t.Errorf("nothing needs %s", c)
		}
	}
}

// TestAPortalIsOfOneTenant: things of the operator and of other tenants are not there.
func TestAPortalIsOfOneTenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.offer()
	for _, query := range []string{"", "?tenant=other"} {
		r.send(request{
			method: "PUT", path: "/v1/endpoints/shop" + query, token: boss, header: creates,
			body: map[string]any{"url": "https://shop.example.com"},
		}).wants(200, nil)
	}
	ada := customer("acme", access.Capabilities...)
	tried := 0
	for _, route := range admin.Routes {
		if route.Portal == "" || !strings.Contains(route.Path, "{") {
			continue
		}
		tried++
		for _, query := range []string{"", "?tenant=other"} {
			q := request{
				method: route.Method, path: pathOf(route, "shop") + query, as: ada,
				body: map[string]any{}, header: map[string]string{},
			}
			if route.Method == "PUT" {
				q.header["If-Match"] = `"1"`
			}
			if a := r.send(q); a.status != 404 && a.status != 412 {
				t.Errorf("%s%s: %d %s", route.ID, query, a.status, a.body)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d routes", tried)
	}
}

func TestWhatAPortalCreates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.offer()
	ada := customer("acme", access.Capabilities...)
	var offers struct{ Items []admin.Offered }
	r.send(request{
		method: "PUT", path: "/v1/sources/own?tenant=acme", token: boss, header: creates,
		body: map[string]any{"provider": "none"},
	}).wants(200, nil)
	r.send(request{method: "GET", path: "/v1/offered", as: ada}).wants(200, &offers)
	want := []admin.Offered{{Name: "own", Own: true}, {Name: "app", Types: []admin.OfferedType{
		{Name: "order.closed", Deprecated: true},
		{Name: "order.paid", Description: "An order was paid."},
	}}}
	if diff := cmp.Diff(want, offers.Items); diff != "" {
		t.Error(diff)
	}
	put := func(path string, body any) answer {
		t.Helper()
		return r.send(request{method: "PUT", path: path, as: ada, header: creates, body: body})
	}
	var made admin.MadeEndpoint
	put("/v1/endpoints/shop", map[string]any{
		"url": "https://shop.example.com", "send": map[string]any{"app": map[string]any{
			"preset": "slack", "text": "hello",
		}},
	}).wants(200, &made)
	if made.ManagedBy != string(catalog.ManagedByPortal) || made.Secret == "" {
		t.Errorf("%+v", made)
	}
	put("/v1/subscriptions/shop-app", map[string]any{"source": "app", "endpoint": "shop"}).
		wants(200, nil)
	for where, body := range map[string]map[string]any{
		"/body/auth /body/retry": {"url": "https://a.example.com", "auth": 1, "retry": 1},
		"/body/secrets":          {"url": "https://a.example.com", "secrets": []string{"x"}},
		"/body/send/app":         {"url": "https://a.example.com", "send": map[string]any{"app": ".data"}},
	} {
		if p := put("/v1/endpoints/b", body).problem(422, "invalid"); pointers(p) != where {
			t.Errorf("%v: %v", body, p)
		}
	}
	for where, body := range map[string]map[string]any{
		"/body/source":   {"source": "private", "endpoint": "shop"},
		"/body/endpoint": {"source": "app", "endpoint": "none"},
		"/body/filter":   {"source": "app", "endpoint": "shop", "filter": map[string]any{}},
	} {
		if p := put("/v1/subscriptions/b", body).problem(422, "invalid"); pointers(p) != where {
			t.Errorf("%v: %v", body, p)
		}
	}
	// what the operator manages stays the operator's
	r.send(request{
		method: "PUT", path: "/v1/endpoints/fixed?tenant=acme", token: boss, header: creates,
		body: map[string]any{"url": "https://fixed.example.com"},
	}).wants(200, nil)
	put("/v1/subscriptions/b", map[string]any{"source": "app", "endpoint": "fixed"}).
		problem(409, "managed-elsewhere")
	del := request{method: "DELETE", path: "/v1/endpoints/fixed", as: ada}
	r.send(del).problem(409, "managed-elsewhere")
	del.path += "?adopt=true"
	r.send(del).problem(403, "forbidden")
	// and no file removes what the portal has made
	a := r.send(request{
		method: "POST", path: "/v1/plan?tenant=acme", token: boss, body: "sources: []",
		header: yamlHeader,
	})
	if strings.Contains(string(a.wants(200, nil).body), "remove") {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{"/v1/subscriptions/shop-app", "/v1/endpoints/shop"} {
		r.send(request{method: "DELETE", path: path, as: ada}).wants(204, nil)
	}
}

func TestAPortalAddsABoundedNumberOfEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ada := customer("acme", access.View, access.Manage)
	for i := range 51 {
		a := r.send(request{
			method: "PUT", path: fmt.Sprintf("/v1/endpoints/e%d", i), as: ada, header: creates,
			body: map[string]any{"url": "https://shop.example.com"},
		})
		if i < 50 {
			a.wants(200, nil)
		} else {
			a.problem(409, "not-possible-now")
		}
	}
}

const portalFile = `
portal:
  frame_ancestors: [https://app.example.com]
  logo_url: https://cdn.example.com/logo.svg
  accent: "#B00020"
  scheme: dark
  refresh_url: https://app.example.com/hooks
`

func TestAFileHasThePortalOfItsTenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	plan := func(token, file string) answer {
		t.Helper()
		return r.send(request{
			method: "POST", path: "/v1/plan?tenant=acme", token: token, body: file,
			header: yamlHeader,
		})
	}
	var planned admin.Planned
	plan(boss, portalFile).wants(200, &planned)
	want := []admin.PlannedChange{{
		Action: "change",
		Text:   "portal: frame_ancestors, logo_url, accent, scheme, refresh_url",
	}}
	if diff := cmp.Diff(want, planned.Changes); diff != "" {
		t.Error(diff)
	}
	r.apply(boss, "?tenant=acme", portalFile, `"0"`).wants(200, nil)
	var got admin.TenantView
	r.send(request{method: "GET", path: "/v1/tenants/acme", token: boss}).wants(200, &got)
	if diff := cmp.Diff(look, got.Portal); diff != "" || got.Name != "acme Inc." {
		t.Errorf("%+v %s", got, diff)
	}
	export := string(r.send(request{
		method: "GET", path: "/v1/export?tenant=acme", token: boss,
	}).wants(200, nil).body)
	planned = admin.Planned{}
	plan(boss, export).wants(200, &planned)
	if len(planned.Changes) != 0 || !strings.Contains(export, "frame_ancestors") {
		t.Errorf("%+v\n%s", planned, export)
	}
	// a file that says nothing of it leaves it alone
	plan(boss, "sources: []").wants(200, &planned)
	if len(planned.Changes) != 0 {
		t.Errorf("%+v", planned)
	}
	// a tenant may say what is, and change nothing of it
	own := r.token(access.Admin, "acme")
	plan(own, export).wants(200, nil)
	plan(own, "portal: {scheme: light}").problem(403, "forbidden")
	p := plan(boss, "portal: {scheme: blue, frame_ancestors: [x]}").problem(422, "invalid")
	if pointers(p) != "/body/portal/frame_ancestors/0 /body/portal/scheme" {
		t.Errorf("%v", p)
	}
	p = r.send(request{
		method: "POST", path: "/v1/plan", token: boss, body: portalFile, header: yamlHeader,
	}).problem(422, "invalid")
	if pointers(p) != "/body/portal" {
		t.Errorf("%v", p)
	}
}

// TestTheRatesOfATenant are set and removed by the API and by a file, and the stages read them.
func TestTheRatesOfATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	get := func() (t admin.TenantView, tag string) {
		got := r.send(request{method: "GET", path: "/v1/tenants/acme", token: boss}).wants(200, &t)
		return t, got.header.Get("ETag")
	}
	put := func(body any) answer {
		_, tag := get()
		return r.send(request{
			method: "PUT", path: "/v1/tenants/acme", token: boss, body: body,
			header: map[string]string{"If-Match": tag},
		})
	}
	inForce := func(want catalog.Rates) {
		t.Helper()
		s, err := r.catalog.State(t.Context(), "acme")
		must(t, err)
		s.Rates.Revision = 0
		if s.Rates != want {
			t.Errorf("in force is %+v, want %+v", s.Rates, want)
		}
	}
	rates := admin.RatesSpec{Accepted: "100/s", Delivered: "50/m"}
	put(admin.TenantSpec{Name: "Acme", Rates: rates}).wants(200, nil)
	if got, _ := get(); got.Rates != rates {
		t.Errorf("%+v", got)
	}
	both := catalog.Rates{
		Accepted:  catalog.Rate{Count: 100, Per: time.Second},
		Delivered: catalog.Rate{Count: 50, Per: time.Minute},
	}
	inForce(both)
	p := put(admin.TenantSpec{Name: "Acme", Rates: admin.RatesSpec{
		Accepted: "-1/s", Delivered: "200000/s",
	}}).problem(422, "invalid")
	if pointers(p) != "/body/rates/accepted /body/rates/delivered" {
		t.Errorf("%v", p)
	}
	inForce(both)

	export := string(r.send(request{
		method: "GET", path: "/v1/export?tenant=acme", token: boss,
	}).wants(200, nil).body)
	file := func(token, text string) answer {
		return r.send(request{
			method: "POST", path: "/v1/plan?tenant=acme", token: token, body: text,
			header: yamlHeader,
		})
	}
	own := r.token(access.Admin, "acme")
	var planned admin.Planned
	file(own, export).wants(200, &planned)
	if len(planned.Changes) != 0 || !strings.Contains(export, "100/s") {
		t.Errorf("%+v\n%s", planned, export)
	}
	file(own, "rates: {accepted: 200/s, delivered: 50/m}").problem(403, "forbidden")
	p = file(boss, "rates: {accepted: 0/s, delivered: fast}").problem(422, "invalid")
	if pointers(p) != "/body/rates/accepted /body/rates/delivered" {
		t.Errorf("%v", p)
	}
	r.apply(boss, "?tenant=acme", "rates: {delivered: 50/m}", `"0"`).wants(200, nil)
	inForce(catalog.Rates{Delivered: both.Delivered})

	_, tag := get()
	r.send(request{
		method: "DELETE", path: "/v1/tenants/acme", token: boss,
		header: map[string]string{"If-Match": tag},
	}).wants(204, nil)
	inForce(catalog.Rates{})
}
