package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
	"golang.org/x/net/html"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/listen"
)

// TestGeneratedFilesAreCurrent: go generate ./shared/admin/console writes them.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, name := range files {
		template, err := parser.Parse(name)
		must(t, err)
		var b bytes.Buffer
		_, err = generator.Generate(
			template, &b, generator.WithFileName(name), generator.WithVersion(templVersion(t)),
		)
		must(t, err)
		want, err := os.ReadFile(strings.TrimSuffix(name, ".templ") + "_templ.go")
		must(t, err)
		if generated := bare(b.String()); generated != bare(string(want)) {
			t.Errorf("%s: its Go file is old; run: go generate ./shared/admin/console", name)
		}
	}
}

// templVersion is the version of templ that go.mod names.
func templVersion(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("../../../go.mod")
	must(t, err)
	_, after, _ := strings.Cut(string(mod), "github.com/a-h/templ ")
	version, _, _ := strings.Cut(after, "\n")
	return strings.Fields(version)[0]
}

// bare returns Go code without what gofmt changes.
func bare(code string) string { return strings.Join(strings.Fields(code), "") }

func TestSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &browser{rig: r, base: console.Base}
	if a := b.get("/events?type=x"); a.Code != http.StatusSeeOther ||
		a.Header().Get("Location") != "/console/login?to=%2Fconsole%2Fevents%3Ftype%3Dx" {
		t.Errorf("without a session: %d, %s", a.Code, a.Header().Get("Location"))
	}
	if a := b.post("/endpoints", url.Values{}); a.Code != http.StatusUnauthorized {
		t.Errorf("a form without a session: %d", a.Code)
	}
	for _, token := range []string{"", "rly_admin_x", r.token(access.Admin, "") + "x"} {
		a := b.post("/login", url.Values{"token": {token}})
		if body := text(a); a.Code != http.StatusUnauthorized || b.cookie != nil ||
			token != "" && strings.Contains(body, token) {
			t.Errorf("%q: %d, cookie %v", token, a.Code, b.cookie)
		}
	}
	token := r.token(access.Operate, "")
	a := b.post("/login", url.Values{"token": {token}, "to": {"/console/events?type=x"}})
	if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/console/events?type=x" {
		t.Errorf("signed in: %d, %s", a.Code, a.Header().Get("Location"))
	}
	if a := b.get("/"); a.Code != http.StatusOK || !strings.Contains(text(a), "operate") {
		t.Errorf("with a session: %d", a.Code)
	}
	stolen := *b.cookie
	if a := b.post("/logout", nil); a.Code != http.StatusSeeOther || b.cookie != nil {
		t.Errorf("signed out: %d, cookie %v", a.Code, b.cookie)
	}
	b.cookie = &stolen
	if a := b.get("/"); a.Code != http.StatusSeeOther {
		t.Errorf("after the sign-out the session is still valid: %d", a.Code)
	}
}

// TestSignInLeadsToOwnPagesOnly: a link to the sign-in must not lead to another site.
func TestSignInLeadsToOwnPagesOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Read, "")
	for _, to := range []string{
		"https://evil.example.com/", "//evil.example.com", `/\evil.example.com`, "/consoles", "",
		"/console", "javascript:alert(1)",
	} {
		b := &browser{rig: r, base: console.Base}
		a := b.post("/login", url.Values{"token": {token}, "to": {to}})
		if got := a.Header().Get("Location"); got != "/console" {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, local := range []bool{true, false} {
		r.console = lab.Must(console.New(console.Config{
			API: r.api, Documents: r.config.CatalogDocuments, Local: local,
		}))
		b := r.signedIn(access.Read, "")
		c := b.cookie
		name := map[bool]string{true: "relay-console", false: "__Host-relay-console"}[local]
		if c.Name != name || c.Secure == local || !c.HttpOnly || c.Path != "/" || c.Domain != "" ||
			c.SameSite != http.SameSiteLaxMode ||
			time.Duration(c.MaxAge)*time.Second > access.SessionTTL || c.MaxAge <= 0 {
			t.Errorf("local %v: %+v", local, c)
		}
	}
}

func TestALinkSignsInOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, err := r.console.Link(t.Context(), "me", "", time.Minute)
	must(t, err)
	path, code, _ := strings.Cut(link, "#")
	b := &browser{rig: r, base: console.Base}
	if a := b.get(strings.TrimPrefix(path, console.Base)); a.Code != http.StatusOK {
		t.Errorf("the page of links: %d", a.Code)
	}
	for i, want := range []int{http.StatusSeeOther, http.StatusUnauthorized} {
		b := &browser{rig: r, base: console.Base}
		if a := b.post("/enter", url.Values{"code": {code}}); a.Code != want ||
			(b.cookie != nil) != (i == 0) {
			t.Errorf("use %d: %d, cookie %v", i+1, a.Code, b.cookie)
		}
	}
	link, err = r.console.Link(t.Context(), "me", "", time.Minute)
	must(t, err)
	// without script the whole link is pasted
	if a := b.post("/enter", url.Values{"code": {"http://127.0.0.1" + link}}); a.Code !=
		http.StatusSeeOther {
		t.Errorf("a pasted link: %d", a.Code)
	}
}

func TestARevokedTokenEndsItsSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(access.Admin, "")
	all, _, err := r.tokens.List(t.Context(), "", "", 10)
	must(t, err)
	if a := b.post("/tokens/"+all[0].ID+"/revoke", nil); a.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	// this console may know the token for 30 s more; a new one does not
	r.console = lab.Must(console.New(console.Config{
		API: r.api, Documents: r.config.CatalogDocuments, Local: true,
	}))
	if a := b.get("/"); a.Code != http.StatusSeeOther {
		t.Errorf("%d", a.Code)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "")
	before := r.changes()
	for name, header := range map[string][2]string{
		"another site":   {"Sec-Fetch-Site", "cross-site"},
		"a sub-domain":   {"Sec-Fetch-Site", "same-site"},
		"another origin": {"Origin", "https://evil.example.com"},
	} {
		req := httptest.NewRequest(http.MethodPost, "/console/endpoints/shop/pause", nil)
		req.Header.Set(header[0], header[1])
		if a := b.do(req); a.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	if r.changes() != before {
		t.Error("something was changed")
	}
}

// TestEveryPage visits each page that links lead to, with each role.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	for _, role := range access.Roles {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fill()
			b := r.signedIn(role, "")
			before := r.changes()
			visited, forms := b.crawl(func(path string, a *httptest.ResponseRecorder) {
				if a.Code != http.StatusOK {
					t.Errorf("%s is offered and answers %d: %.300s", path, a.Code, a.Body)
				}
				checkHeaders(t, path, a.Header())
				if strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
					checkMarkup(t, path, a.Body.Bytes())
				}
			})
			if least := map[access.Role]int{
				access.Read: 15, access.Operate: 17, access.Admin: 30,
			}[role]; visited < least {
				t.Errorf("%d pages visited, want %d", visited, least)
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

// TestWhatARoleMayNotDoIsRefused sends what the pages of the role admin offer.
func TestWhatARoleMayNotDoIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	_, forms := r.signedIn(access.Admin, "").crawl(func(string, *httptest.ResponseRecorder) {})
	reader := r.signedIn(access.Read, "")
	before, sent := r.changes(), 0
	for _, f := range forms {
		if f.method != http.MethodPost || f.action == "/logout" {
			continue
		}
		sent++
		if a := reader.post(f.action, f.values); a.Code < 400 {
			t.Errorf("%s: %d %s", f.action, a.Code, a.Header().Get("Location"))
		}
	}
	if sent < 12 || r.changes() != before {
		t.Errorf("%d forms sent, %d changes", sent, r.changes()-before)
	}
}

// TestATenantSeesItsOwnThingsOnly: also by addresses that nobody offers.
func TestATenantSeesItsOwnThingsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "acme")
	for path, want := range map[string]int{
		"/endpoints/theirs": 200, "/endpoints/shop": 404, "/sources/app": 404,
		"/subscriptions/all": 404, "/events/evt_dead": 404, "/events/evt_dead/body": 404,
		"/tenants": 403, "/tenants/acme": 403, "/~other": 404, "/~acme/endpoints": 200,
		"/endpoints/shop/delete": 404, "/events/evt_dead/again": 404,
	} {
		if a := b.get(path); a.Code != want {
			t.Errorf("%s: %d, want %d", path, a.Code, want)
		}
	}
	b.crawl(func(path string, a *httptest.ResponseRecorder) {
		if a.Code != http.StatusOK || strings.Contains(text(a), "invoice.paid") {
			t.Errorf("%s: %d", path, a.Code)
		}
	})
}

// TestAnOperatorVisitsATenant: links stay with the tenant.
func TestAnOperatorVisitsATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "")
	b.base += "/~acme"
	seen := map[string]bool{}
	b.crawl(func(path string, a *httptest.ResponseRecorder) {
		if a.Code != http.StatusOK {
			t.Errorf("%s: %d", path, a.Code)
		}
		seen[path] = true
	})
	if !seen["/endpoints/theirs"] || seen["/endpoints/shop"] || seen["/tenants"] {
		t.Errorf("%v", seen)
	}
}

// policy is the Content-Security-Policy of a page with images of an origin, in frames of others.
func policy(images, frames string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'" + images +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors " + frames
}

// checkHeaders checks what every answer has.
func checkHeaders(t *testing.T, path string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy":      policy("", "'none'"),
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s: %q", path, name, h.Get(name))
		}
	}
}

// ours are the addresses of what pages load.
var ours = regexp.MustCompile(`^/(console|portal/[A-Za-z0-9-]+)/(assets/|theme\.css\?)`)

// checkMarkup checks that a page has no script or style of its own, calls no other site, and has
// unique ids.
func checkMarkup(t *testing.T, path string, body []byte) {
	t.Helper()
	ids := map[string]bool{}
	labels := map[string]bool{}
	var fields []*html.Node
	var walk func(n *html.Node, labelled bool)
	walk = func(n *html.Node, labelled bool) {
		if n.Type == html.ElementNode {
			switch n.Data {
			case "script", "link", "img":
				src := attribute(n, "src") + attribute(n, "href")
				if !ours.MatchString(src) || n.FirstChild != nil {
					t.Errorf("%s: %s %q", path, n.Data, src)
				}
			case "style", "iframe", "object", "embed", "base", "template":
				t.Errorf("%s: an element %s", path, n.Data)
			case "label":
				labelled = true
				labels[attribute(n, "for")] = true
			case "input", "select", "textarea":
				if attribute(n, "type") != "hidden" && !labelled {
					fields = append(fields, n)
				}
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: an attribute %s=%q", path, a.Key, a.Val)
				}
				if a.Key == "id" {
					if ids[a.Val] {
						t.Errorf("%s: the id %q twice", path, a.Val)
					}
					ids[a.Val] = true
				}
				if (a.Key == "href" || a.Key == "action" || a.Key == "src") &&
					strings.Contains(strings.ToLower(a.Val), "script:") {
					t.Errorf("%s: %s=%q", path, a.Key, a.Val)
				}
			}
		}
		for c := range n.ChildNodes() {
			walk(c, labelled)
		}
	}
	walk(parsed(t, body), false)
	for _, f := range fields {
		if !labels[attribute(f, "id")] && attribute(f, "aria-label") == "" {
			t.Errorf("%s: the field %q has no label", path, attribute(f, "name"))
		}
	}
}

func TestAPageThatHasNotChangedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	for i := range 60 { // the link to the next part of the list is another each time
		r.record(relay.Event{ID: fmt.Sprint("evt_", i), Source: "app"}, relay.Delivery{})
	}
	b := r.signedIn(access.Admin, "")
	for _, path := range []string{
		"/", "/events", "/events/evt_dead", "/endpoints", "/endpoints/shop", "/sources/app",
		"/dead", "/jobs", "/changes", "/subscriptions/all",
	} {
		tag := b.get(path).Header().Get("ETag")
		again := func() *httptest.ResponseRecorder {
			req := httptest.NewRequest(http.MethodGet, b.base+path, nil)
			req.Header.Set("If-None-Match", tag)
			return b.do(req)
		}
		if a := again(); tag == "" || a.Code != http.StatusNotModified || a.Body.Len() != 0 {
			t.Errorf("%s: %q, then %d with %d bytes", path, tag, a.Code, a.Body.Len())
		}
	}
	tag := b.get("/endpoints/shop").Header().Get("ETag")
	b.post("/endpoints/shop/pause", nil)
	if again := b.get("/endpoints/shop").Header().Get("ETag"); again == tag {
		t.Error("a page that has changed has the same ETag")
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &browser{rig: r, base: console.Base}
	page := text(b.get("/login"))
	for name, kind := range map[string]string{
		"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8",
		"icon.svg": "image/svg+xml",
	} {
		_, after, ok := strings.Cut(page, `"/console/assets/`+name)
		query, _, _ := strings.Cut(after, `"`)
		a := b.get("/assets/" + name + query)
		if !ok || a.Code != http.StatusOK || a.Header().Get("Content-Type") != kind ||
			!strings.Contains(a.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s%s: %d, %v", name, query, a.Code, a.Header())
		}
		if a := b.get("/assets/" + name + "?v=old"); a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s of another version is kept: %v", name, a.Header())
		}
	}
	for _, path := range []string{"/assets/", "/assets/none", "/assets/../console.go", "/assets"} {
		if a := b.get(path); a.Code == http.StatusOK {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}

// TestTypesAreShown: those of a source, and whether an event fits its own.
func TestTypesAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{
		"provider": "none", "validate": "refuse", "types": []any{map[string]any{
			"name": "order", "description": "An <order>", "deprecated": true,
			"schema": map[string]any{"required": []string{"id"}}, "example": map[string]any{"id": 1},
		}},
	})
	at := time.Now().UTC().Truncate(time.Millisecond)
	id := relay.EventID("", "shop", "1")
	_, err := relay.RecordEvent(t.Context(), r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Source: "shop", Type: "order", ReceivedAt: at, Body: []byte("{}"),
			Schema: &relay.SchemaResult{Status: "failed", At: "/id", Problem: "is missing"},
		},
		MessageID: id, RoutedAt: at, ExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	})
	must(t, err)
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/sources/shop": {
			"An &lt;order&gt;", "deprecated", "events that do not fit die", "&#34;required&#34;",
		},
		"/events/" + id: {"failed", "/id is missing"},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s:\n%s", path, want, page)
			}
		}
	}
}

// TestASilentSourceIsShown: in the list and on its page, with since when it is silent.
func TestASilentSourceIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{"provider": "none", "expect": "1h"})
	r.put("", "/v1/sources/heard", map[string]any{"provider": "none"})
	r.sweeps(3)
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/sources":       {`<span class="badge bad">silent</span>`},
		"/sources/shop":  {"none yet", "Next one expected by", "Silent since"},
		"/sources/heard": {"Newest webhook"},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s has not one %s:\n%s", path, want, page)
			}
		}
	}
}

// TestADriftIsShown: with the type, its place, what is wrong there, and an example.
func TestADriftIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{
		"provider": "none", "types": []any{map[string]any{
			"name": "order", "schema": map[string]any{"required": []string{"id"}},
		}},
	})
	at := time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)
	var last string
	for n := range 11 {
		result := relay.SchemaResult{Status: "passed"}
		if n == 10 {
			result = relay.SchemaResult{Status: "failed", At: "/id", Problem: "is missing"}
		}
		last = relay.EventID("", "shop", strconv.Itoa(n))
		_, err := relay.RecordEvent(t.Context(), r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: last, Source: "shop", Type: "order", ReceivedAt: at, Body: []byte("{}"),
				Schema: &result,
			},
			MessageID: last, RoutedAt: at, ExpiresAt: at.Add(5 * time.Hour).Truncate(time.Second),
		})
		must(t, err)
	}
	r.sweeps(2)
	page := r.signedIn(access.Read, "").get("/sources/shop").Body.String()
	for _, want := range []string{
		"drift</span>", "<code>/id</code>", "is missing, since", "/events/" + last,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s:\n%s", want, page)
		}
	}
}

// TestTryShowsWhatATransformChanges: what is sent, and how it differs from what came.
func TestTryShowsWhatATransformChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{"provider": "none"})
	r.put("", "/v1/endpoints/chat", map[string]any{
		"url": "https://chat.example.com", "send": map[string]any{"shop": map[string]any{
			"body": map[string]any{"text": "<{data.id}>"}, "headers": map[string]any{"X-A": "b"},
		}},
	})
	r.put("", "/v1/subscriptions/one", map[string]any{"source": "shop", "endpoint": "chat"})
	r.record(relay.Event{
		ID: "evt_seven", Source: "shop", Body: []byte(`{"id":7}`),
		Header: relay.Header{"content-type": "application/json"},
	}, relay.Delivery{Endpoint: "chat", Status: relay.Delivered, Attempts: 1})
	changed := []string{"-  &#34;id&#34;: 7", "+  &#34;text&#34;: &#34;&lt;7&gt;&#34;"}
	for path, wants := range map[string][]string{
		"/subscriptions/one/try?event=evt_seven": {"It sends POST application/json", "x-a: b"},
		"/events/evt_seven/to/chat":              {"POST https://chat.example.com", "x-a"},
	} {
		page := r.signedIn(access.Read, "").get(path).Body.String()
		for _, want := range slices.Concat(wants, changed) {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in:\n%s", path, want, page)
			}
		}
	}
}

// TestListeners: who listens is shown, and ended after a question. Where listening is off, the page
// says so.
func TestListeners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	if page := r.signedIn(access.Admin, "").get("/listeners").Body.String(); !strings.Contains(
		page, "Listening is off in this relay",
	) {
		t.Error(page)
	}
	r = newRig(t, func(c *admin.Config) {
		kept := listen.NewKept(c.CatalogDocuments, time.Now)
		c.Listening = admin.Listening{
			Listeners: lab.Must(listen.New(listen.Config{
				Documents: c.CatalogDocuments, Marks: c.Catalogs.(catalog.ListeningMarks),
				Queues: kept, Now: time.Now,
			})), Sender: kept, Kept: kept,
		}
	})
	r.fill()
	_, err := client.InProcess(r.api, admin.Principal{Role: access.Operate, Who: access.Who{Name: "ada"}}, "").Do(
		t.Context(), client.Request{Method: http.MethodPost, Path: "/v1/listeners", Body: map[string]any{
			"sources": []string{"app"}, "where": json.RawMessage(`{"data":{"n":[7]}}`),
		}},
	)
	must(t, err)
	reader, operator := r.signedIn(access.Read, ""), r.signedIn(access.Operate, "")
	page := operator.get("/listeners").Body.String()
	for _, want := range []string{"ada", "app", `<span class="muted">all</span>`, "filter"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in:\n%s", want, page)
		}
	}
	end := regexp.MustCompile(`/console(/listeners/lis_[^?]*/end)\?by=ada`).FindStringSubmatch(page)
	if end == nil {
		t.Fatalf("no way to end it: %s", page)
	}
	if page := reader.get("/listeners").Body.String(); strings.Contains(page, end[1]) {
		t.Error("a reader is offered to end it")
	}
	if page := operator.get(end[1] + "?by=ada").Body.String(); !strings.Contains(page, "End it") {
		t.Error(page)
	}
	if a := operator.post(end[1], nil); a.Code != http.StatusSeeOther {
		t.Errorf("ended: %d %s", a.Code, a.Body)
	}
	if page := operator.get("/listeners").Body.String(); !strings.Contains(page, "Nobody listens") {
		t.Error(page)
	}
}

// TestTheRequestOfADeliveryIsShown: without what could be used to send another.
func TestTheRequestOfADeliveryIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/events/evt_dead": {`href="/console/events/evt_dead/to/shop"`},
		"/events/evt_dead/to/shop": {
			"POST http://localhost:1/hooks", "webhook-signature", "(hidden)", "sent as it came",
		},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in:\n%s", path, want, page)
			}
		}
	}
}

// TestATransformIsSavedWithTheEndpoint: the form of a subscription has it, as the file does.
func TestATransformIsSavedWithTheEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "")
	form := url.Values{
		"name": {"slack"}, "source": {"app"}, "endpoint": {"shop"},
		"send": {`{"preset": "slack", "text": "hello {data.n}"}`},
	}
	if a := b.post("/subscriptions", form); a.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	for _, path := range []string{
		"/subscriptions/slack", "/subscriptions/slack/edit", "/endpoints/shop/json",
	} {
		if page := text(b.get(path)); !strings.Contains(page, "hello {data.n}") {
			t.Errorf("%s: %s", path, page)
		}
	}
	form.Set("name", "broken")
	form.Set("send", `{"preset": "slack"}`)
	if a := b.post("/subscriptions", form); a.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body.String(), "/body/send/app") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	form.Set("send", "")
	form.Set("etag", `"4"`)
	a := b.post("/subscriptions/slack/edit", form)
	if page := text(b.get("/endpoints/shop/json")); strings.Contains(page, "hello") {
		t.Errorf("%d %s", a.Code, page)
	}
}
