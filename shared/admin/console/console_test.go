package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
	"golang.org/x/net/html"

	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
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
