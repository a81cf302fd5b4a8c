package console_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
)

// rig is a relay on this machine with its console.
type rig struct {
	t       testing.TB
	config  admin.Config
	api     http.Handler
	console *console.Console
	tokens  *access.Tokens
	ledger  *sqlite.Ledger
	catalog *sqlite.Catalog
	retry   *sqlite.Queue
	poison  *sqlite.Queue // what could not be processed

	sent    map[string][]console.Sent // by endpoint
	sentErr error
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRig(t testing.TB, change ...func(*admin.Config)) *rig {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	must(t, store.Host())
	sealer, err := keyfile.New(dir)
	must(t, err)
	queue := func(name string) *sqlite.Queue {
		return lab.Must(store.Queue(name, sqlite.QueueOptions{}))
	}
	catalogs, ledger, bodies := store.Catalog(sealer), store.Ledger(), store.Bodies(time.Hour)
	documents := store.Documents()
	r := &rig{t: t, catalog: catalogs, ledger: ledger, retry: queue("retry"), poison: queue("ingest-dlq")}
	jobs := lab.Must(operate.NewJobs(operate.JobsConfig{
		Documents: documents, Deliveries: ledger, Events: ledger, Records: ledger, Bodies: bodies,
		Endpoints: operate.EndpointsOf(catalogs), Starter: starter{r},
		Replayer: operate.Replayer{Ledger: ledger, Deliveries: ledger, Retry: r.retry},
	}))
	replayer := operate.Replayer{Ledger: ledger, Deliveries: ledger, Retry: r.retry}
	r.config = admin.Config{
		Replayer: replayer,
		Jobs:     jobs, Events: ledger, Bodies: bodies, Searcher: operate.Searcher{
			Events: ledger, Deliveries: ledger, Records: ledger, Bodies: bodies,
			Endpoints: operate.EndpointsOf(catalogs),
		},
		Statistics: operate.Statistics{Documents: documents, Events: ledger},
		Catalogs:   catalogs, CatalogDocuments: documents, LedgerDocuments: documents,
		States: ledger, Local: true, Notifier: operate.NewNotifier(nil, queue("ingest")),
		Pinger: operate.Pinger{Events: ledger, Delivery: queue("delivery")},
		Queues: map[string]admin.QueueCounter{
			"retry": r.retry.Len, "ingest-dlq": r.poison.Len,
		},
	}
	for _, c := range change {
		c(&r.config)
	}
	r.api = lab.Must(admin.New(r.config))
	r.console = lab.Must(console.New(console.Config{
		API: r.api, Documents: documents, Local: true,
		Sent: func(endpoint string) ([]console.Sent, error) { return r.sent[endpoint], r.sentErr },
	}))
	r.tokens = access.NewTokens(documents, time.Now)
	return r
}

// starter works on a job at once.
type starter struct{ *rig }

// StartJob implements operate.JobStarter.
func (s starter) StartJob(ctx context.Context, tenant, id string) error {
	return s.config.Jobs.Work(ctx, tenant, id)
}

// sweeps runs the sweep, as if an hour passed before each run.
func (r *rig) sweeps(n int) {
	r.t.Helper()
	now := time.Now()
	sweeper := lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: r.catalog, Subscriptions: r.catalog, Ledger: r.ledger, Deliveries: r.ledger,
		Cursors: r.ledger, Delivery: r.retry, Retry: r.retry,
		Documents: r.config.LedgerDocuments, Catalogs: r.catalog, Notifier: r.config.Notifier,
		Now: func() time.Time { return now },
	}))
	for range n {
		now = now.Add(time.Hour)
		_, err := sweeper.Run(r.t.Context())
		must(r.t, err)
	}
}

// token returns a new token.
func (r *rig) token(role access.Role, tenant string) string {
	r.t.Helper()
	text, made, err := r.tokens.Make(access.Token{Name: "a test", Role: role, Tenant: tenant})
	must(r.t, err)
	must(r.t, r.tokens.Save(r.t.Context(), text, made))
	return text
}

// put creates a resource by the API.
func (r *rig) put(tenant, path string, body any) {
	r.t.Helper()
	_, err := client.InProcess(r.api, admin.Principal{Role: access.Admin}, tenant).Do(
		r.t.Context(), client.Request{
			Method: http.MethodPut, Path: path, Body: body,
			Header: http.Header{"If-None-Match": {"*"}},
		},
	)
	must(r.t, err)
}

// record records an event with a delivery.
func (r *rig) record(e relay.Event, d relay.Delivery) {
	r.t.Helper()
	at := time.Now().UTC().Truncate(time.Millisecond)
	if e.ReceivedAt.IsZero() {
		e.ReceivedAt = at
	}
	keep := at.Add(24 * time.Hour).Truncate(time.Second)
	record := relay.EventRecord{Event: e, MessageID: e.ID, RoutedAt: at, ExpiresAt: keep}
	if d.Endpoint != "" {
		record.Endpoints = []string{d.Endpoint}
	}
	_, err := relay.RecordEvent(r.t.Context(), r.ledger, record)
	must(r.t, err)
	if d.Endpoint == "" {
		return
	}
	d.EventID, d.Source, d.Type, d.ReceivedAt = e.ID, e.Source, e.Type, e.ReceivedAt
	d.UpdatedAt, d.ExpiresAt = at, keep
	must(r.t, r.ledger.SaveDelivery(r.t.Context(), d, 0))
}

// fill gives the relay something to show.
func (r *rig) fill() {
	r.t.Helper()
	r.put("", "/v1/sources/app", map[string]any{"provider": "none"})
	r.put("", "/v1/sources/github", map[string]any{
		"provider": "github", "secrets": []string{"it is secret"},
	})
	r.put("", "/v1/endpoints/shop", map[string]any{"url": "http://localhost:1/hooks"})
	r.put("", "/v1/subscriptions/all", map[string]any{"source": "app", "endpoint": "shop"})
	r.put("", "/v1/subscriptions/large", map[string]any{
		"source": "app", "endpoint": "shop", "types": []string{"x.*"},
		"filter": map[string]any{"data": map[string]any{"n": []any{5}}},
	})
	r.put("", "/v1/tenants/acme", map[string]any{"name": "Acme Inc."})
	r.put("acme", "/v1/endpoints/theirs", map[string]any{"url": "http://localhost:1/theirs"})
	r.record(relay.Event{
		ID: "evt_dead", Source: "app", Type: "invoice.paid", Trust: "verified",
		Header: relay.Header{"content-type": "application/json"},
		Body:   []byte(`{"n":12345678901234567890}`),
	}, relay.Delivery{
		Endpoint: "shop", Status: relay.Dead, Reason: relay.Exhausted, Attempts: 1,
		History: []relay.Attempt{{
			Number: 1, At: time.Now().UTC().Truncate(time.Millisecond), Outcome: "failed_answer",
			StatusCode: 500, Response: []byte("sorry"), Duration: 12 * time.Millisecond,
		}},
	})
	r.record(relay.Event{
		ID: "evt_lonely", Source: "app", Type: "nobody.wants", Trust: "unverified",
		Body: []byte("\x00\x01binary"),
	}, relay.Delivery{})
	must(r.t, errors.Join(r.poison.Send(r.t.Context(), []relay.Outgoing{{Body: []byte("{}")}})...))
}

// fillPortal gives the tenant acme something to show, and another tenant too.
func (r *rig) fillPortal() {
	r.t.Helper()
	r.fill()
	r.put("", "/v1/sources/events", map[string]any{
		"provider": "none", "tenant": map[string]any{"header": "who"}, "types": []any{
			map[string]any{"name": "order.paid", "description": "An order was paid."},
			map[string]any{"name": "order.closed", "deprecated": true},
		},
	})
	r.put("", "/v1/tenants/other", map[string]any{"name": "Other"})
	r.put("other", "/v1/endpoints/stranger", map[string]any{"url": "http://localhost:1/stranger"})
	for _, tenant := range []string{"acme", "other"} {
		r.record(relay.Event{
			ID: "evt_" + tenant, Source: "events", Tenant: tenant, Type: "order.paid",
			Trust: "verified", Body: []byte(`{"n":1}`),
		}, relay.Delivery{
			Endpoint: map[string]string{"acme": "acme/theirs", "other": "other/stranger"}[tenant],
			Status:   relay.Dead, Reason: relay.Exhausted, Attempts: 1,
			History: []relay.Attempt{{
				Number: 1, At: time.Now().UTC().Truncate(time.Millisecond),
				Outcome: "failed_answer", StatusCode: 500,
			}},
		})
	}
}

// browser sends requests as a browser does.
type browser struct {
	*rig

	base   string
	cookie *http.Cookie
	header http.Header // of each request
}

// customer returns a browser in the portal of a tenant.
func (r *rig) customer(tenant string, can ...access.Capability) *browser {
	r.t.Helper()
	b := &browser{rig: r, base: console.PortalBase + "/" + tenant}
	if a := b.post("/enter", url.Values{"code": {r.portalCode(tenant, can...)}}); a.Code !=
		http.StatusSeeOther || a.Header().Get("Location") != b.base || b.cookie == nil {
		r.t.Fatalf("not signed in: %d %s", a.Code, a.Body)
	}
	return b
}

// portalCode returns the code of a new link to a portal.
func (r *rig) portalCode(tenant string, can ...access.Capability) string {
	r.t.Helper()
	operator := client.InProcess(r.api, admin.Principal{Role: access.Admin}, "")
	made, _, err := client.Call[admin.MadePortalLink](r.t.Context(), operator, client.Request{
		Method: http.MethodPost, Path: client.Path("v1", "tenants", tenant, "portal"),
		Body: map[string]any{"capabilities": can, "user": "ada"},
	})
	must(r.t, err)
	_, code, _ := strings.Cut(made.Path, "#")
	return code
}

// signedIn returns a browser with a session.
func (r *rig) signedIn(role access.Role, tenant string) *browser {
	r.t.Helper()
	b := &browser{rig: r, base: console.Base}
	answer := b.post("/login", url.Values{"token": {r.token(role, tenant)}})
	if answer.Code != http.StatusSeeOther || b.cookie == nil {
		r.t.Fatalf("not signed in: %d %s", answer.Code, answer.Body)
	}
	return b
}

func (b *browser) do(req *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	if b.cookie != nil {
		req.AddCookie(b.cookie)
	}
	for name, values := range b.header {
		req.Header[name] = values
	}
	answer := httptest.NewRecorder()
	b.console.ServeHTTP(answer, req.WithContext(b.t.Context()))
	for _, c := range answer.Result().Cookies() {
		if b.cookie = c; c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return answer
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, b.base+path, nil))
}

func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	req := httptest.NewRequest(http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// form is a form of a page.
type form struct {
	method, action string
	values         url.Values
}

// pageLinks are the links and forms of a page, below the base.
type pageLinks struct {
	links []string
	forms []form
}

// parsed returns a page as a tree.
func parsed(t testing.TB, body []byte) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(body))
	must(t, err)
	return root
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// linksOf returns the links and forms of the page at a path. An action that is left out is path.
func linksOf(t testing.TB, base, path string, body []byte) pageLinks {
	t.Helper()
	var found pageLinks
	below := func(link string) (string, bool) {
		if link == "" {
			return path, true
		}
		rest, ok := strings.CutPrefix(link, base)
		if rest == "" {
			return "/", ok
		}
		return rest, ok && !strings.HasPrefix(rest, "/assets/")
	}
	var inForm *form
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Data {
		case "a":
			if rest, ok := below(attribute(n, "href")); ok && n.Type == html.ElementNode &&
				rest != path && !strings.HasPrefix(attribute(n, "href"), "#") {
				found.links = append(found.links, rest)
			}
		case "form":
			if rest, ok := below(attribute(n, "action")); ok && n.Type == html.ElementNode &&
				attribute(n, "method") != "dialog" {
				found.forms = append(found.forms, form{
					method: strings.ToUpper(attribute(n, "method")), action: rest,
					values: url.Values{},
				})
				inForm = &found.forms[len(found.forms)-1]
			}
		case "input", "textarea", "select":
			if name := attribute(n, "name"); inForm != nil && name != "" {
				inForm.values.Set(name, attribute(n, "value"))
			}
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if n.Data == "form" {
			inForm = nil
		}
	}
	walk(parsed(t, body))
	return found
}

// crawl visits every page that links lead to, from the overview on, and calls see with each.
func (b *browser) crawl(see func(
	path string, answer *httptest.ResponseRecorder,
)) (visited int, forms []form) {
	b.t.Helper()
	return b.crawlSome(func(string) bool { return true }, see)
}

// crawlSome is crawl for the paths that want chooses.
func (b *browser) crawlSome(want func(path string) bool, see func(
	path string, answer *httptest.ResponseRecorder,
)) (visited int, forms []form) {
	b.t.Helper()
	todo, known := []string{"/"}, map[string]bool{"/": true}
	acted := map[string]bool{}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		answer := b.get(path)
		see(path, answer)
		visited++
		if !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
			continue
		}
		found := linksOf(b.t, b.base, path, answer.Body.Bytes())
		for _, link := range found.links {
			// one part of a list is like another, and so are the forms of the providers
			if link, _, _ = strings.Cut(link, "#"); !known[link] &&
				!strings.Contains(link, "next=") &&
				!strings.Contains(link, "/~") && want(link) {
				known[link] = true
				todo = append(todo, link)
			}
		}
		for _, f := range found.forms {
			if key := f.method + f.action; !acted[key] {
				acted[key] = true
				forms = append(forms, f)
			}
		}
	}
	return visited, forms
}

// changes returns how many entries the audit log has.
func (r *rig) changes() int {
	r.t.Helper()
	n := 0
	for p, err := range client.Pages[admin.Change, admin.Covered](
		r.t.Context(), client.InProcess(r.api, admin.Principal{Role: access.Admin}, ""),
		"/v1/audit", url.Values{"limit": {"250"}},
	) {
		must(r.t, err)
		n += len(p.Items)
	}
	return n
}

func text(answer *httptest.ResponseRecorder) string {
	b, _ := io.ReadAll(answer.Body)
	return string(b)
}
