package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay/access"
)

// TestEveryPageOfThePortal visits each page that links lead to, with each set of capabilities.
func TestEveryPageOfThePortal(t *testing.T) {
	t.Parallel()
	for name, can := range map[string][]access.Capability{
		"everything": access.Capabilities, "view": {access.View},
		"ping": {access.View, access.Ping}, "replay": {access.View, access.Replay},
		"secret": {access.View, access.Secret}, "manage": {access.View, access.Manage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fillPortal()
			b := r.customer("acme", can...)
			before := r.changes()
			visited, forms := b.crawl(func(path string, a *httptest.ResponseRecorder) {
				if a.Code != http.StatusOK {
					t.Errorf("%s is offered and answers %d: %.300s", path, a.Code, a.Body)
				}
				checkHeaders(t, path, a.Header())
				if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
					return
				}
				checkMarkup(t, path, a.Body.Bytes())
				for _, other := range []string{`="/console`, "stranger", "evt_other", "invoice.paid"} {
					if strings.Contains(a.Body.String(), other) {
						t.Errorf("%s shows %s", path, other)
					}
				}
			})
			if visited < 5 {
				t.Errorf("%d pages visited", visited)
			}
			if r.changes() != before {
				t.Error("a GET has changed something")
			}
			for _, f := range forms {
				if f.method == "" || f.action == "/logout" {
					continue
				}
				if a := b.post(f.action, f.values); a.Code == http.StatusForbidden {
					t.Errorf("%s %s is offered and refused", f.method, f.action)
				}
			}
		})
	}
}

// TestWhatALinkDoesNotGiveIsRefused sends what the pages offer to somebody who may do everything.
func TestWhatALinkDoesNotGiveIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	all := r.customer("acme", access.Capabilities...)
	all.post("/endpoints", url.Values{"name": {"mine"}, "url": {"http://localhost:1/mine"}})
	_, forms := all.crawl(func(string, *httptest.ResponseRecorder) {})
	viewer := r.customer("acme", access.View)
	before, sent := r.changes(), 0
	for _, f := range forms {
		if f.method != http.MethodPost || f.action == "/logout" {
			continue
		}
		sent++
		if f.values.Get("url") == "" && strings.HasPrefix(f.action, "/endpoints") {
			f.values.Set("url", "http://localhost:1/more")
		}
		if a := viewer.post(f.action, f.values); a.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", f.action, a.Code, a.Header().Get("Location"))
		}
	}
	if sent < 8 || r.changes() != before {
		t.Errorf("%d forms sent, %d changes", sent, r.changes()-before)
	}
}

// TestAPortalShowsItsTenantOnly: other tenants' names and the operator's are not there, in any page
// and in any form.
func TestAPortalShowsItsTenantOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	b := r.customer("acme", access.Capabilities...)
	before := r.changes()
	for _, name := range []string{"stranger", "shop", "none"} {
		for _, page := range []string{"", "/edit", "/delete", "/rotate"} {
			if a := b.get("/endpoints/" + name + page); a.Code != http.StatusNotFound {
				t.Errorf("%s%s: %d", name, page, a.Code)
			}
		}
		for _, action := range []string{"edit", "delete", "rotate", "pause", "resume", "ping"} {
			a := b.post("/endpoints/"+name+"/"+action, url.Values{
				"url": {"http://localhost:1"}, "etag": {`"1"`},
			})
			if a.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", action, name, a.Code)
			}
		}
	}
	for _, id := range []string{"evt_other", "evt_dead", "evt_none"} {
		for _, page := range []string{
			"", "/body", "/again", "/to/theirs", "/to/stranger",
		} {
			if a := b.get("/events/" + id + page); a.Code != http.StatusNotFound {
				t.Errorf("%s%s: %d", id, page, a.Code)
			}
		}
		a := b.post("/events/"+id+"/again", url.Values{"endpoint": {"theirs", "stranger"}})
		if a.Code != http.StatusNotFound {
			t.Errorf("%s again: %d", id, a.Code)
		}
	}
	// pages of the console, and of the portals of others
	for _, path := range []string{
		"/sources", "/tokens", "/tenants", "/configuration", "/jobs", "/~other/endpoints",
		"/login", "/changes",
	} {
		if a := b.get(path); a.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
	if r.changes() != before {
		t.Error("something was changed")
	}
}

// TestSessionsAreOfOneSite: the cookie of one is worth nothing in another, whatever its name.
func TestSessionsAreOfOneSite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	acme, boss := r.customer("acme", access.Capabilities...), r.signedIn(access.Admin, "")
	tenant := r.signedIn(access.Admin, "acme")
	for _, tt := range []struct {
		of   *browser
		base string
	}{
		{acme, "/portal/other"}, {acme, console.Base}, {boss, "/portal/acme"},
		{tenant, "/portal/acme"},
	} {
		for _, name := range []string{
			"relay-console", "relay-portal-acme", "relay-portal-other",
		} {
			if name == tt.of.cookie.Name && tt.base != "/portal/other" {
				continue // it is not sent there: TestCookies
			}
			b := &browser{rig: r, base: tt.base, cookie: &http.Cookie{
				Name: name, Value: tt.of.cookie.Value,
			}}
			if a := b.get("/endpoints"); a.Code == http.StatusOK {
				t.Errorf("the session of %s as %s in %s: %d", tt.of.base, name, tt.base, a.Code)
			}
		}
	}
	// nor does a link open another site than its own
	link, err := r.console.Link(t.Context(), "me", "", 1<<40)
	must(t, err)
	_, operator, _ := strings.Cut(link, "#")
	for base, code := range map[string]string{
		console.Base: r.portalCode("acme"), "/portal/other": r.portalCode("acme"),
		"/portal/acme": operator,
	} {
		b := &browser{rig: r, base: base}
		if a := b.post("/enter", url.Values{"code": {code}}); a.Code != http.StatusUnauthorized ||
			b.cookie != nil {
			t.Errorf("%s: %d, %v", base, a.Code, b.cookie)
		}
	}
}

func TestAnEndpointOfThePortal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	b := r.customer("acme", access.Capabilities...)
	a := b.post("/endpoints", url.Values{
		"url": {"https://Hooks.example.com/x"}, "types:events": {"order.*\ninvoice.paid"},
		"type:events": {"order.paid"},
		"send:events": {"slack"}, "text:events": {"Order {data.id}"},
	})
	body := text(a)
	if a.Code != http.StatusOK || !strings.Contains(body, "whsec_") ||
		!strings.Contains(body, "order.paid, order.*, invoice.paid") || !strings.Contains(body, ">slack<") {
		t.Fatalf("%d %s", a.Code, body)
	}
	name := "/endpoints/hooks-example-com"
	edit := text(b.get(name + "/edit"))
	if strings.Contains(edit, "whsec_") || !strings.Contains(edit, "Order {data.id}") ||
		!strings.Contains(edit, ">order.*\ninvoice.paid<") ||
		!strings.Contains(edit, `value="order.paid" checked`) ||
		!strings.Contains(edit, "An order was paid.") || strings.Contains(edit, "order.closed") {
		t.Errorf("%s", edit)
	}
	etag := func(page string) string {
		found := regexp.MustCompile(`name="etag" value="&#34;(\d+)&#34;"`).FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("no etag in %s", page)
		}
		return `"` + found[1] + `"`
	}
	for _, wrong := range []url.Values{
		{"url": {"no URL"}}, {"url": {"https://a.example.com"}, "rate_limit": {"fast"}},
		{"url": {"https://a.example.com"}, "types:events": {"a\x00b"}},
		{"url": {"https://a.example.com"}, "send:events": {"template"}, "text:events": {"{"}},
		{"url": {"https://a.example.com"}, "send:events": {"slack"}, "text:events": {"{.data"}},
	} {
		wrong.Set("etag", etag(edit))
		if a := b.post(name+"/edit", wrong); a.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d %s", wrong, a.Code, a.Body)
		}
	}
	a = b.post(name+"/edit", url.Values{
		"etag": {etag(edit)}, "url": {"https://hooks.example.com/y"}, "types:events": {"order.*"},
		"send:events": {"template"}, "text:events": {`{"order": "{data.id}"}`},
	})
	page := text(b.get(name))
	if a.Code != http.StatusSeeOther || !strings.Contains(page, "<dd>order.* ") ||
		strings.Contains(page, "invoice.paid") ||
		!strings.Contains(page, ">template<") || !strings.Contains(page, "hooks.example.com/y") {
		t.Errorf("%d %s\n%s", a.Code, a.Body, page)
	}
	if a := b.post(name+"/rotate", url.Values{"keep": {"24h"}}); !strings.Contains(
		text(a), "whsec_",
	) {
		t.Errorf("%d", a.Code)
	}
	confirm := text(b.get(name + "/delete"))
	if a := b.post(name+"/delete", url.Values{"etag": {etag(confirm)}}); a.Code !=
		http.StatusSeeOther {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a := b.get(name); a.Code != http.StatusNotFound {
		t.Errorf("%d", a.Code)
	}
	// what the operator has made stays
	if a := b.post("/endpoints/theirs/delete", url.Values{"etag": {`"1"`}}); a.Code < 400 {
		t.Errorf("%d", a.Code)
	}
	if a := b.get("/endpoints/theirs"); a.Code != http.StatusOK {
		t.Errorf("%d", a.Code)
	}
}

func TestTheLookOfAPortal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/tenants/acme", map[string]any{
		"name": "Acme", "portal": admin.PortalSpec{
			FrameAncestors: []string{"https://app.example.com", "https://*.example.org"},
			LogoURL:        "https://cdn.example.com/logo.svg", Accent: "#ffee00", Scheme: "dark",
			RefreshURL: "https://app.example.com/hooks?from=relay",
		},
	})
	b := &browser{rig: r, base: "/portal/acme"}
	a := b.get("/endpoints?x=1")
	page := text(a)
	if got, want := a.Header().Get("Content-Security-Policy"), policy(
		" https://cdn.example.com", "https://app.example.com https://*.example.org",
	); got != want || a.Code != http.StatusUnauthorized {
		t.Errorf("%d %s, want %s", a.Code, got, want)
	}
	for _, want := range []string{
		`src="https://cdn.example.com/logo.svg"`,
		`href="https://app.example.com/hooks?from=relay&amp;next=%2Fendpoints%3Fx%3D1&amp;tenant=acme"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	_, after, _ := strings.Cut(page, `href="/portal/acme/theme.css`)
	query, _, _ := strings.Cut(after, `"`)
	css := b.get("/theme.css" + query)
	if !strings.Contains(css.Header().Get("Cache-Control"), "immutable") ||
		css.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%v", css.Header())
	}
	if style := text(css); !strings.Contains(style, "color-scheme: dark;") ||
		!strings.Contains(style, "#ffee00") {
		t.Errorf("%s", style)
	}
	for _, path := range []string{"/portal/nobody/enter", "/portal/a.b", "/portal", "/portal/"} {
		b := &browser{rig: r, base: path}
		if a := b.get(""); a.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}

// TestEveryAccentCanBeRead: whatever colour a tenant chooses, text in it and on it can be read.
func TestEveryAccentCanBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	grounds := [2][]string{{"#ffffff", "#f7f8f9", "#eef2f7"}, {"#121518", "#1a1e22", "#222830"}}
	for i, accent := range []string{
		"#000000", "#ffffff", "#ffee00", "#808080", "#FF0000", "#00ff00", "#0000ff", "#777777",
	} {
		id := "t" + string(rune('a'+i))
		r.put("", "/v1/tenants/"+id, map[string]any{
			"name": accent, "portal": admin.PortalSpec{Accent: accent},
		})
		b := &browser{rig: r, base: "/portal/" + id}
		colours := map[string][]string{}
		for _, found := range pair.FindAllStringSubmatch(text(b.get("/theme.css")), -1) {
			colours[found[1]] = found[2:]
		}
		for scheme := range 2 {
			for _, ground := range grounds[scheme] {
				if got := contrast(t, colours["link"][scheme], ground); got < 4.5 {
					t.Errorf("%s: a link on %s: %.2f", accent, ground, got)
				}
			}
			on := contrast(t, colours["on-accent"][scheme], colours["accent"][scheme])
			if on < 4.5 {
				t.Errorf("%s: a button: %.2f", accent, on)
			}
		}
	}
}

// TestEmbedding: in a frame of another site a browser may keep no cookie.
func TestEmbedding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	r.console = lab.Must(console.New(console.Config{
		API: r.api, Documents: r.config.CatalogDocuments, // as deployed
	}))
	code := r.portalCode("acme")
	frame := &browser{
		rig: r, base: "/portal/acme", header: http.Header{"Sec-Fetch-Dest": {"iframe"}},
	}
	// a browser that keeps none
	frame.get("/enter")
	frame.cookie = nil
	a := frame.post("/enter", url.Values{"code": {code}})
	page := text(a)
	if frame.cookie != nil || !strings.Contains(page, `target="_blank"`) ||
		!strings.Contains(page, `value="`+code+`"`) {
		t.Errorf("%d %s", a.Code, page)
	}
	// its button: the code is still good
	window := &browser{rig: r, base: "/portal/acme"}
	if a := window.post("/enter", url.Values{"code": {code}}); a.Code != http.StatusSeeOther {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if c := window.cookie; c.Name != "__Host-relay-portal-acme" || c.Partitioned || !c.Secure ||
		c.SameSite != http.SameSiteLaxMode || !c.HttpOnly {
		t.Errorf("%+v", c)
	}
	// a browser that keeps partitioned ones
	frame.get("/enter")
	if a := frame.post("/enter", url.Values{"code": {r.portalCode("acme")}}); a.Code !=
		http.StatusSeeOther {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if c := frame.cookie; c.Name != "__Host-relay-portal-acme" || !c.Partitioned || !c.Secure ||
		c.SameSite != http.SameSiteNoneMode || !c.HttpOnly || c.Path != "/" {
		t.Errorf("%+v", c)
	}
	if a := frame.get("/endpoints"); a.Code != http.StatusOK {
		t.Errorf("%d", a.Code)
	}
}

func TestTheConsoleMakesLinksAndEndsSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fillPortal()
	boss := r.signedIn(access.Admin, "")
	a := boss.post("/tenants/acme/portal", url.Values{
		"can": {"view", "ping"}, "user": {"ada"}, "ttl": {"1h"},
	})
	page := text(a)
	found := regexp.MustCompile(`http://example\.com/portal/acme/enter#([A-Z2-7]+)`).
		FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("%d %s", a.Code, page)
	}
	b := &browser{rig: r, base: "/portal/acme"}
	if a := b.post("/enter", url.Values{"code": {found[0]}}); a.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if page := text(b.get("/endpoints/theirs")); !strings.Contains(page, ">Ping<") ||
		strings.Contains(page, ">Pause<") || !strings.Contains(page, "ada") {
		t.Errorf("%s", page)
	}
	if a := boss.post("/tenants/acme/portal", url.Values{"ttl": {"9h"}}); a.Code !=
		http.StatusUnprocessableEntity {
		t.Errorf("%d", a.Code)
	}
	if a := boss.get("/tenants/acme/end"); a.Code != http.StatusOK {
		t.Errorf("%d", a.Code)
	}
	if a := boss.post("/tenants/acme/end", nil); a.Code != http.StatusSeeOther {
		t.Errorf("%d", a.Code)
	}
	// this console may know the session for 30 s more; a new one does not
	r.console = lab.Must(console.New(console.Config{
		API: r.api, Documents: r.config.CatalogDocuments, Local: true,
	}))
	if a := b.get("/endpoints"); a.Code != http.StatusUnauthorized {
		t.Errorf("%d", a.Code)
	}
	a = boss.post("/tenants/acme", url.Values{
		"etag": {`"1"`}, "name": {"Acme"}, "frame_ancestors": {"https://a.example.com\nx"},
	})
	if a.Code != http.StatusUnprocessableEntity || !strings.Contains(
		text(a), "/body/portal/frame_ancestors/1",
	) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	a = boss.post("/tenants/acme", url.Values{
		"etag": {`"1"`}, "name": {"Acme"}, "frame_ancestors": {"https://a.example.com"},
		"accent": {"#aa0000"}, "scheme": {"light"},
	})
	if page := text(boss.get("/tenants/acme")); a.Code != http.StatusSeeOther ||
		!strings.Contains(page, "https://a.example.com") {
		t.Errorf("%d %s", a.Code, page)
	}
}
