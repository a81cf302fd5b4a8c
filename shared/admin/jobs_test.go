package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// addLedger gives the rig a ledger, and what works on it.
func (r *rig) addLedger() {
	bodies := &memory.Bodies{}
	endpoints := func(_ context.Context, _, after string) ([]string, error) {
		if after != "" {
			return nil, nil
		}
		return []string{"shop"}, nil
	}
	r.config.Bodies = bodies
	r.config.Searcher = operate.Searcher{
		Events: &r.ledger, Deliveries: &r.ledger, Records: &r.ledger, Bodies: bodies,
		Endpoints: endpoints,
	}
	r.config.Learned = r.catalog
	r.config.Replayer = operate.Replayer{
		Ledger: &r.ledger, Deliveries: &r.ledger, Retry: r,
		Router: relay.NewRouter(r.catalog, bodies, 0, r.clock.now),
	}
	r.config.Statistics = operate.Statistics{Documents: r.config.LedgerDocuments}
	r.config.Jobs = lab.Must(operate.NewJobs(operate.JobsConfig{
		Documents: r.config.LedgerDocuments, Deliveries: &r.ledger, Events: &r.ledger,
		Records: &r.ledger,
		Bodies:  bodies, Endpoints: endpoints, Starter: r, Now: r.clock.now,
		Replayer: operate.Replayer{Ledger: &r.ledger, Deliveries: &r.ledger, Retry: r},
	}))
}

// StartJob notes that work was started.
func (r *rig) StartJob(ctx context.Context, tenant, id string) error {
	if r.sync {
		return r.config.Jobs.Work(ctx, tenant, id)
	}
	r.started = append(r.started, id)
	return nil
}

// Send is the retry queue.
func (r *rig) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if r.broken {
		return []error{errFails}
	}
	return r.retry.Send(ctx, msgs)
}

// record records an event of the source app with a dead delivery to shop.
func (r *rig) record(tenant, id string) {
	r.t.Helper()
	at := r.clock.now().Add(-time.Hour).UTC()
	source, endpoint := catalog.Qualify(tenant, "app"), catalog.Qualify(tenant, "shop")
	existing, err := relay.RecordEvent(r.t.Context(), &r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Tenant: tenant, Source: source, Type: "invoice.paid", Trust: "verified",
			ReceivedAt: at,
			Header:     relay.Header{"content-type": "application/json"}, Body: []byte(`{"n": 1}`),
		},
		MessageID: id, Endpoints: []string{endpoint}, RoutedAt: at,
		ExpiresAt: at.Add(24 * time.Hour),
	})
	must(r.t, err)
	if existing != nil {
		r.t.Fatal("it is there")
	}
	must(r.t, r.ledger.SaveDelivery(r.t.Context(), relay.Delivery{
		EventID: id, Endpoint: endpoint, Source: source, Type: "invoice.paid", ReceivedAt: at,
		Status: relay.Dead, Reason: relay.Exhausted, Attempts: 3, UpdatedAt: at,
		ExpiresAt: at.Add(24 * time.Hour),
	}, 0))
}

// work works on the jobs that were started.
func (r *rig) work(tenant string) {
	r.t.Helper()
	for len(r.started) > 0 {
		id := r.started[0]
		r.started = r.started[1:]
		must(r.t, r.config.Jobs.Work(r.t.Context(), tenant, id))
	}
}

const allFilters = `{"kind": "redrive", "rate": 100, "filter": {"sources": ["app"], "endpoints":
	["shop"], "types": ["invoice.*"], "statuses": ["dead"], "reasons": ["exhausted"],
	"from": "-36h", "to": "-1m", "where": {"data": {"n": [1]}}}}`

func TestJobs_PlanRunAndWatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.record("", "evt_1")
	read, run := r.token(access.Read, ""), r.token(access.Operate, "")
	var planned admin.JobPlan
	var started, done admin.Job
	r.send(request{
		method: "POST", path: "/v1/jobs", token: run, body: allFilters,
	}).wants(200, &planned)
	if planned.State != "planned" || planned.Matches != 1 || planned.By != "operate of " ||
		planned.CostUSD <= 0 || planned.Seconds != 0.01 || len(planned.Sample) != 1 ||
		planned.Sample[0].Event != "evt_1" || planned.Sample[0].Endpoint != "shop" {
		t.Fatalf("%+v", planned)
	}
	if f := planned.Filter; !strings.HasSuffix(f.To, "Z") || !json.Valid(f.Where) {
		t.Errorf("%+v", f)
	}
	path := "/v1/jobs/" + planned.ID
	key := map[string]string{"Idempotency-Key": "once"}
	for range 2 { // the answer is lost, and the request is sent again
		r.send(request{
			method: "POST", path: path + "/run", token: run, header: key,
		}).wants(200, &started)
	}
	if started.State != "running" || len(r.started) != 1 {
		t.Errorf("%+v, started %v", started, r.started)
	}
	r.work("")
	r.send(request{method: "GET", path: path, token: read}).wants(200, &done)
	if done.State != "done" || done.Done != 1 || len(r.retry.List()) != 1 {
		t.Errorf("%+v", done)
	}
	r.send(request{method: "POST", path: path + "/run", token: run}).problem(
		409, "not-possible-now",
	)
	r.send(request{method: "POST", path: path + "/cancel", token: run}).problem(
		409, "not-possible-now",
	)
}

// A job whose queue is down says so, and goes on. Its answers have all that they had before.
func TestJobs_ShowWhatGoesWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.record("", "evt_1")
	r.broken = true
	token := r.token(access.Operate, "")
	var j admin.Job
	var list struct{ Items []admin.Job }
	r.send(request{method: "POST", path: "/v1/jobs", token: token, body: allFilters}).wants(200, &j)
	path := "/v1/jobs/" + j.ID
	r.send(request{method: "POST", path: path + "/run", token: token}).wants(200, nil)
	if err := r.config.Jobs.Work(t.Context(), "", j.ID); err == nil {
		t.Error("it went well")
	}
	r.send(request{method: "GET", path: path, token: token}).wants(200, &j)
	r.send(request{method: "GET", path: "/v1/jobs?tenant=", token: token}).wants(200, &list)
	if j.State != "running" || j.Error == "" || list.Items[0].Error != j.Error {
		t.Errorf("%+v", j)
	}
	r.send(request{method: "POST", path: path + "/run", token: token}).wants(200, &j)
	r.send(request{method: "POST", path: path + "/cancel?tenant=", token: token}).wants(200, &j)
	if j.State != "cancelled" || j.Error == "" {
		t.Errorf("%+v", j)
	}
}

func TestJobs_ThatAreDoneAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.record("", "evt_1")
	r.sync = true
	token := r.token(access.Operate, "")
	var j admin.Job
	r.send(request{method: "POST", path: "/v1/jobs", token: token, body: allFilters}).wants(200, &j)
	r.send(request{method: "POST", path: "/v1/jobs/" + j.ID + "/run", token: token}).wants(200, &j)
	if j.State != "done" || j.EndedAt == nil || j.Done != 1 {
		t.Errorf("%+v", j)
	}
}

func TestJobs_CancelAndAge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Operate, "")
	plan := func() (j admin.Job) {
		r.send(request{method: "POST", path: "/v1/jobs", token: token,
			header: map[string]string{"Idempotency-Key": fmt.Sprint(r.clock.now().UnixNano())},
			body:   `{"kind": "replay"}`}).wants(200, &j)
		r.clock.add(time.Second)
		return j
	}
	first, second := plan(), plan()
	var cancelled admin.Job
	r.send(request{method: "POST", path: "/v1/jobs/" + first.ID + "/cancel", token: token,
		header: map[string]string{"Idempotency-Key": "c"}}).wants(200, &cancelled)
	if cancelled.State != "cancelled" || cancelled.EndedAt == nil {
		t.Errorf("%+v", cancelled)
	}
	r.clock.add(operate.JobPlanAge)
	p := r.send(request{
		method: "POST", path: "/v1/jobs/" + second.ID + "/run", token: token,
	}).problem(409, "not-possible-now")
	if !strings.Contains(p.Detail, "Plan it again") {
		t.Errorf("%+v", p)
	}
	var list struct {
		Items []admin.Job
		Next  string
		Page  admin.Covered
	}
	var got []string
	for next, more := "", true; more; more = next != "" {
		list.Next = ""
		r.send(request{
			method: "GET", path: "/v1/jobs?limit=1&next=" + next, token: token,
		}).wants(200, &list)
		next = list.Next
		for _, j := range list.Items {
			got = append(got, j.ID)
		}
	}
	if !slices.Equal(got, []string{second.ID, first.ID}) {
		t.Errorf("%v", got)
	}
}

// A tenant plans jobs over its own deliveries, and nobody else's job is there for it.
func TestJobs_BelongToATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.record("", "evt_1")
	r.record("acme", "evt_2")
	var operators, acmes admin.Job
	operator, acme := r.token(access.Operate, ""), r.token(access.Operate, "acme")
	plan := `{"kind": "redrive", "filter": {"sources": ["app"]}}`
	r.send(request{
		method: "POST", path: "/v1/jobs", token: operator, body: plan,
	}).wants(200, &operators)
	r.send(request{method: "POST", path: "/v1/jobs", token: acme, body: plan}).wants(200, &acmes)
	if operators.Matches != 1 || operators.Sample[0].Event != "evt_1" || acmes.Matches != 1 ||
		acmes.Sample[0].Event != "evt_2" || acmes.Sample[0].Source != "app" {
		t.Errorf("%+v\n%+v", operators, acmes)
	}
	for _, path := range []string{"", "/run", "/cancel", "/files/1"} {
		method := "GET"
		if path == "/run" || path == "/cancel" {
			method = "POST"
		}
		r.send(request{
			method: method, path: "/v1/jobs/" + operators.ID + path, token: acme,
		}).problem(404, "not-found")
		if method == "GET" && path == "" {
			r.send(request{
				method: method, path: "/v1/jobs/" + acmes.ID + path + "?tenant=acme",
				token: operator,
			}).wants(200, nil)
		}
	}
}

func TestJobs_AnExportIsReadAsFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.record("", "evt_1")
	token := r.token(access.Operate, "")
	var j admin.Job
	r.send(request{
		method: "POST", path: "/v1/jobs?tenant=", token: token, body: `{"kind": "export"}`,
	}).wants(200, &j)
	for _, tenant := range []string{"?tenant="} {
		r.send(request{method: "POST", path: "/v1/jobs/" + j.ID + "/run" + tenant, token: token}).
			wants(200, nil)
	}
	r.work("")
	r.send(request{method: "GET", path: "/v1/jobs/" + j.ID, token: token}).wants(200, &j)
	if j.Files != 1 || j.Done != 1 {
		t.Fatalf("%+v", j)
	}
	a := r.send(request{
		method: "GET", path: "/v1/jobs/" + j.ID + "/files/1?tenant=", token: token,
	}).wants(200, nil)
	var line operate.ExportedEvent
	must(t, json.Unmarshal(a.body, &line))
	if line.ID != "evt_1" || string(line.Body) != `{"n": 1}` ||
		a.header.Get("content-type") != "application/x-ndjson" ||
		!strings.Contains(a.header.Get("content-disposition"), "attachment") {
		t.Errorf("%+v, %v", line, a.header)
	}
	r.send(request{
		method: "GET", path: "/v1/jobs/" + j.ID + "/files/2", token: token,
	}).problem(404, "not-found")
}

func TestJobs_WhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Operate, "")
	for body, want := range map[string]string{
		`{"kind": "delete"}`: "/body/kind",
		`{"kind": "replay", "filter": {"statuses": ["dead", "waiting"]}}`: "/body/filter/statuses/1",
		`{"kind": "replay", "filter": {"reasons": ["tired"]}}`:            "/body/filter/reasons/0",
		`{"kind": "replay", "filter": {"where": {"data": 1}}}`:            "/body/filter/where",
		`{"kind": "replay", "filter": {"from": "soon"}}`:                  "/body/filter/from",
		`{"kind": "replay", "filter": {"from": "-1h", "to": "-2h"}}`:      "/body/filter/to",
		`{"kind": "export", "filter": {"endpoints": ["a"]}}`:              "/body/filter/endpoints",
		`{"kind": "replay", "filter": {"since": "-1h"}}`:                  "/body/filter/since",
		`{"kind": "replay", "rate": 100000}`:                              "/body/rate",
	} {
		p := r.send(request{
			method: "POST", path: "/v1/jobs", token: token, body: body,
		}).problem(422, "invalid")
		if pointers(p) != want {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var catalogs memory.Catalog
	r.record("", "evt_1")
	r.clock.add(4 * time.Hour)
	sweeper := lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: named{}, Subscriptions: &catalogs, Ledger: &r.ledger, Deliveries: &r.ledger,
		Cursors: &r.ledger, Delivery: &r.retry, Retry: &r.retry, Now: r.clock.now,
		Documents: r.config.LedgerDocuments,
	}))
	if _, err := sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := r.token(access.Read, "")
	for by, name := range map[string]string{
		"total": "", "source": "app", "endpoint": "shop", "type": "invoice.paid",
	} {
		var got struct{ Items []admin.Stats }
		r.send(request{
			method: "GET", path: "/v1/stats?by=" + by + "&from=-24h&to=0s&step=48h&name=" + name +
				"&tenant=", token: token,
		}).wants(200, &got)
		if len(got.Items) != 1 || got.Items[0].Name != name || got.Items[0].Dead != 1 ||
			got.Items[0].Deliveries != 1 || got.Items[0].Attempts != 3 || !got.Items[0].Settled ||
			got.Items[0].AsOf == nil || got.Items[0].Missing != 0 {
			t.Errorf("%s: %+v", by, got.Items)
		}
	}
	var got struct{ Items []admin.Stats }
	r.send(request{method: "GET", path: "/v1/stats?tenant=acme", token: token}).wants(200, &got)
	if len(got.Items) > 0 {
		t.Errorf("of a tenant without events: %+v", got)
	}
	for query, want := range map[string]string{
		"from=soon": "/query/from", "to=x": "/query/to", "step=1": "/query/step",
		"step=90m": "/query", "from=-1000d": "/query", "by=colour": "/query/by",
	} {
		p := r.send(request{
			method: "GET", path: "/v1/stats?" + query, token: token,
		}).problem(422, "invalid")
		if pointers(p) != want {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// named are the names of the rig's catalog.
type named struct{}

func (named) AllTenants(context.Context) ([]string, error) { return nil, nil }

func (named) Names(context.Context, string) (sources, endpoints []string, err error) {
	return []string{"app"}, []string{"shop"}, nil
}

func TestRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept := operate.NewRefused(r.config.LedgerDocuments, r.clock.now)
	for range 3 {
		kept.NoteRefused(t.Context(), relay.RefusedRequest{
			Reason: relay.RefusedMismatch, Source: "acme/app", Method: "POST",
			RemoteIP: "192.0.2.1", Headers: []string{"x-a"}, BodyBytes: 7, At: r.clock.now(),
		})
		r.clock.add(40 * time.Second)
	}
	var got struct{ Items []admin.Refused }
	r.send(request{
		method: "GET", path: "/v1/refused?tenant=acme", token: r.token(access.Read, ""),
	}).wants(200, &got)
	if len(got.Items) != 2 {
		t.Fatalf("%+v", got)
	}
	got.Items[0].At, got.Items[0].Others = time.Time{}, 0
	if diff := cmp.Diff(admin.Refused{
		Reason: "mismatch", Source: "app", Method: "POST", RemoteIP: "192.0.2.1",
		Headers: []string{"x-a"}, BodyBytes: 7,
	}, got.Items[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var list struct {
		Items []admin.Refused
		Next  string
	}
	token := r.token(access.Read, "acme")
	r.send(request{method: "GET", path: "/v1/refused?limit=1", token: token}).wants(200, &list)
	r.send(request{
		method: "GET", path: "/v1/refused?limit=1&next=" + list.Next, token: token,
	}).wants(200, &list)
	if len(list.Items) != 1 || list.Items[0].Source != "app" {
		t.Errorf("%+v", list)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	must(t, r.config.Catalogs.For("").ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources:   []catalog.Source{{Name: "app"}, {Name: "hub"}},
		Endpoints: []catalog.Endpoint{{Name: "shop", URL: "https://example.com"}},
		Subscriptions: []catalog.Subscription{
			{Name: "all", Source: "app", Endpoint: "shop"},
			{Name: "two", Source: "app", Endpoint: "shop", Filter: `{"data": {"n": [2]}}`},
			{Name: "other", Source: "hub", Endpoint: "shop"},
		},
	}, 0))
	r.record("", "evt_1")
	r.record("acme", "evt_2")
	token := r.token(access.Read, "")
	inline := `"event": {"source": "app", "type": "t", "trust": "verified", "headers": {"x-a": "1"},
		"data": {"n": 90071992547409931.0}}`
	for body, want := range map[string]string{
		`{"id": "evt_1"}`:                          "all:yes two:data.n=1",
		`{"id": "evt_1", "subscription": "two"}`:   "two:data.n=1",
		`{"id": "evt_1", "subscription": "other"}`: `other:source="app"`,
		`{"id": "evt_1", "given": {"source": "app", "types": ["x"], "filter": {"data": {"n": [1]}}}}`: `:type="invoice.paid"`,
		`{` + inline + `, "given": {"source": "app", "filter": {"$or": [{"headers": {"x-a": ["1"]}},
			{"type": ["x"]}]}}}`: ":yes",
		`{` + inline + `, "given": {"source": "app", "filter": {"data": {"n": [1]}}}}`: ":data.n=90071992547409931.0",
	} {
		var got struct{ Results []admin.Tried }
		r.send(request{
			method: "POST", path: "/v1/try?tenant=", token: token, body: body,
			header: map[string]string{"Idempotency-Key": fmt.Sprint(len(body), want[:4])},
		}).wants(200, &got)
		var all []string
		for _, result := range got.Results {
			text := result.Subscription + ":yes"
			if m := result.Mismatch; m != nil {
				text = result.Subscription + ":" + m.Field + "=" + strings.Join(m.Found, ",")
			}
			if result.Matched != (result.Mismatch == nil) {
				t.Errorf("%+v", result)
			}
			all = append(all, text)
		}
		if text := strings.Join(all, " "); text != want {
			t.Errorf("%s: %s, want %s", body, text, want)
		}
	}
	for body, want := range map[string]string{
		`{}`:                              "/body",
		`{"id": "evt_1", ` + inline + `}`: "/body",
		`{"id": "evt_1", "subscription": "two", "given": {"source": "app"}}`: "/body",
		`{"id": "evt_1", "given": {"source": "app", "types": [""]}}`:         "/body/given/types/0",
		`{"id": "evt_1", "given": {"source": "app", "filter": {"x": 1}}}`:    "/body/given/filter",
	} {
		p := r.send(request{method: "POST", path: "/v1/try", token: token, body: body}).
			problem(422, "invalid")
		if pointers(p) != want {
			t.Errorf("%s: %+v", body, p)
		}
	}
	for _, body := range []string{
		`{"id": "evt_none"}`, `{"id": "evt_1", "subscription": "none"}`,
	} {
		r.send(request{method: "POST", path: "/v1/try", token: token, body: body}).
			problem(404, "not-found")
	}
	acme := r.token(access.Read, "acme")
	given := `, "given": {"source": "app"}}`
	r.send(request{method: "POST", path: "/v1/try", token: acme, body: `{"id": "evt_1"` + given}).
		problem(404, "not-found")
	r.send(request{method: "POST", path: "/v1/try", token: acme, body: `{"id": "evt_2"` + given}).
		wants(200, nil)
}

// TestTry_WhoseEventItIs: an event of a tenant's may have come to a source of the operator's, and
// the operator may subscribe to a tenant's source.
func TestTry_WhoseEventItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	endpoints := []catalog.Endpoint{{Name: "shop", URL: "https://example.com"}}
	must(t, r.config.Catalogs.For("").ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "app"}, {Name: "all", Tenant: &catalog.TenantOf{Header: "x-tenant"}},
		},
		Endpoints: endpoints,
	}, 0))
	must(t, r.config.Catalogs.For("acme").ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources: []catalog.Source{{Name: "app"}}, Endpoints: endpoints,
		Subscriptions: []catalog.Subscription{
			{Name: "theirs", Source: "all", Endpoint: "shop"},
			{Name: "own", Source: "app", Endpoint: "shop"},
		},
	}, 0))
	must(t, r.config.Catalogs.For("").ReplaceCatalog(t.Context(), catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "app"}, {Name: "all", Tenant: &catalog.TenantOf{Header: "x-tenant"}},
		},
		Endpoints: endpoints,
		Subscriptions: []catalog.Subscription{
			{Name: "same-name", Source: "app", Endpoint: "shop"},
			{Name: "of-acme", Source: "acme/app", Endpoint: "shop"},
		},
	}, 1))
	for id, source := range map[string]string{"evt_own": "acme/app", "evt_all": "all"} {
		_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: id, Tenant: "acme", Source: source, Trust: "verified",
				ReceivedAt: r.clock.now().UTC(),
			},
			MessageID: id, RoutedAt: r.clock.now().UTC(),
			ExpiresAt: r.clock.now().Add(time.Hour).UTC(),
		})
		must(t, err)
	}
	for _, test := range []struct{ tenant, id, want string }{
		{"acme", "evt_own", "own"}, {"acme", "evt_all", "theirs"}, {"", "evt_own", "of-acme"},
	} {
		token := r.token(access.Read, test.tenant)
		var tried struct{ Results []admin.Tried }
		r.send(request{
			method: "POST", path: "/v1/try", token: token, body: `{"id": "` + test.id + `"}`,
		}).wants(200, &tried)
		var story struct{ Subscriptions []admin.Tried }
		r.send(request{method: "GET", path: "/v1/events/" + test.id, token: token}).
			wants(200, &story)
		for what, got := range map[string][]admin.Tried{
			"try": tried.Results, "story": story.Subscriptions,
		} {
			if len(got) != 1 || got[0].Subscription != test.want {
				t.Errorf("%s of %s for %q: %+v", what, test.id, test.tenant, got)
			}
		}
	}
	for _, id := range []string{"evt_own", "evt_all"} {
		r.send(request{
			method: "POST", path: "/v1/try", token: r.token(access.Read, "globex"),
			body: `{"id": "` + id + `"}`,
		}).problem(404, "not-found")
	}
}
