package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// newTenantsRig returns a rig whose source "app" has its tenants in a header. The operator's
// endpoint "all" takes everything; the tenant acme has the endpoint "own" and the source "billing",
// and so has beta, under the same names.
func newTenantsRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, []time.Duration{}, "all")
	r.edit(func(c *catalog.Catalog) {
		c.Sources = slices.Clone(c.Sources)
		c.Sources[0].Tenant = &catalog.TenantOf{Header: "webhook-tenant"}
		c.Subscriptions = append(
			c.Subscriptions,
			catalog.Subscription{Source: "acme/billing", Endpoint: "all"},
			catalog.Subscription{Source: catalog.OwnSource, Endpoint: "all"},
		)
	})
	for _, tenant := range []string{"acme", "beta"} {
		r.addTenant(tenant)
	}
	r.build(func(p ports) ports { return p })
	return r
}

// addTenant gives a tenant a source and an endpoint that takes everything.
func (r *rig) addTenant(tenant string, retries ...time.Duration) {
	r.t.Helper()
	c := catalog.Catalog{
		Sources: []catalog.Source{{
			Name: "billing", Verify: verify.Config{Provider: "bearer"},
			Secrets: []string{bearerToken},
		}},
		Endpoints: []catalog.Endpoint{{
			Name: "own", URL: "https://" + tenant + ".example.com/",
			Secrets:  []string{endpointSecret},
			Schedule: append([]time.Duration{}, retries...),
		}},
	}
	for _, source := range []string{"app", "billing", catalog.OwnSource} {
		c.Subscriptions = append(
			c.Subscriptions, catalog.Subscription{Source: source, Endpoint: "own"},
		)
	}
	if err := r.catalog.For(tenant).ReplaceCatalog(r.t.Context(), c, 0); err != nil {
		r.t.Fatal(err)
	}
}

// postAs sends a webhook to a source, for a tenant if one is given.
func (r *rig) postAs(source, tenant, id string) (string, error) {
	in := inbound(id, "push", `{"account": {"id": "`+tenant+`"}}`)
	in.Source = source
	if tenant != "" {
		in.Header["webhook-tenant"] = tenant
	}
	answer, err := r.receiver.Receive(r.t.Context(), in)
	return answer.EventID, err
}

// hosts returns the hosts that got an event, sorted.
func (r *rig) hosts(event string) (hosts []string) {
	for _, p := range r.poster.posts {
		if p.Header["webhook-id"] == event {
			hosts = append(hosts, host(p))
		}
	}
	slices.Sort(hosts)
	return hosts
}

func TestAnEventGoesToItsTenantAndToTheOperator(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source, tenant string
		want           []string
	}{
		"published for a tenant":               {"app", "acme", []string{"acme", "all"}},
		"published for another":                {"app", "beta", []string{"all", "beta"}},
		"published for one without a catalog":  {"app", "gamma", []string{"all"}},
		"received from a tenant's source":      {"acme/billing", "", []string{"acme", "all"}},
		"that the operator does not subscribe": {"beta/billing", "", []string{"beta"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTenantsRig(t)
				event, err := r.postAs(tt.source, tt.tenant, "1")
				if err != nil {
					t.Fatal(err)
				}
				r.pump()
				if diff := cmp.Diff(tt.want, r.hosts(event)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for _, p := range r.poster.posts {
					tenant, plain := catalog.SplitName(tt.source)
					tenant += tt.tenant
					want := plain
					if host(p) == "all" {
						want = tt.source // the operator's own name of it
					}
					if p.Header[relay.HeaderTenant] != tenant ||
						p.Header[relay.HeaderSource] != want {
						t.Errorf("to %s: headers %v", host(p), p.Header)
					}
				}
				record, err := r.ledger.EventRecord(t.Context(), event)
				if err != nil || record.Tenant == "" || record.Source != tt.source {
					t.Errorf(
						"record of tenant %q, source %q, %v", record.Tenant, record.Source, err,
					)
				}
			})
		})
	}
}

// TestTheSameWebhookOfTwoTenantsIsTwoEvents: neither is dropped as a repeat of the other.
func TestTheSameWebhookOfTwoTenantsIsTwoEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		seen := map[string]bool{}
		for range 2 {
			for _, from := range [][2]string{
				{"app", "acme"}, {"app", "beta"}, {"acme/billing", ""}, {"beta/billing", ""},
			} {
				event, err := r.postAs(from[0], from[1], "same")
				if err != nil {
					t.Fatal(err)
				}
				seen[event] = true
			}
		}
		r.pump()
		if len(seen) != 4 || r.reports.results()[relay.Duplicate] != 4 {
			t.Errorf("%d events, %v, want 4 and 4 duplicates", len(seen), r.reports.results())
		}
	})
}

// TestATenantThatIsMissingIsRefused: the sender is told, so nothing is lost silently.
func TestATenantThatIsMissingIsRefused(t *testing.T) {
	t.Parallel()
	const header, path = "webhook-tenant", "account.id"
	for name, tt := range map[string]struct {
		of   catalog.TenantOf
		send string
		want string // "": refused
		is   bool   // accepted
	}{
		"in a header":           {catalog.TenantOf{Header: header}, "acme", "acme", true},
		"in the body":           {catalog.TenantOf{JSON: path}, "acme", "acme", true},
		"fixed":                 {catalog.TenantOf{ID: "acme"}, "", "acme", true},
		"absent":                {catalog.TenantOf{Header: header}, "", "", false},
		"empty in the body":     {catalog.TenantOf{JSON: path}, "", "", false},
		"not in the body":       {catalog.TenantOf{JSON: "account.name"}, "acme", "", false},
		"not an id":             {catalog.TenantOf{Header: header}, "a/b", "", false},
		"not an id in the body": {catalog.TenantOf{JSON: path}, "-a", "", false},
		"sent twice":            {catalog.TenantOf{Header: header}, "a,b", "", false},
		"optional and absent":   {catalog.TenantOf{Header: header, Optional: true}, "", "", true},
		"optional and not an id": {
			catalog.TenantOf{Header: header, Optional: true}, "a b", "", false,
		},
		"optional and in the way": {catalog.TenantOf{JSON: path, Optional: true}, "b", "b", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "all")
				r.edit(func(c *catalog.Catalog) {
					c.Sources = slices.Clone(c.Sources)
					c.Sources[0].Tenant = &tt.of
				})
				event, err := r.postAs("app", tt.send, "1")
				report := r.reports.received[0]
				if tt.is != (err == nil) || !tt.is && !errors.Is(err, relay.ErrTenant) ||
					report.Tenant != tt.want || !errors.Is(report.Err, err) {
					t.Fatalf("%v, reported %+v", err, report)
				}
				if !tt.is {
					if n := r.ingest.Len(); n > 0 || event != "" {
						t.Errorf("event %q was refused and sent", event)
					}
					return
				}
				r.pump()
				record, err := r.ledger.EventRecord(t.Context(), event)
				if err != nil || record.Tenant != tt.want {
					t.Errorf("record of tenant %q, %v, want %q", record.Tenant, err, tt.want)
				}
			})
		})
	}
}

func TestAPathThatIsNotExactlyASourcesIsNotFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		for _, source := range []string{
			"/app", "/billing", "acme/", "acme/app", "acme/acme/billing", "beta/own",
			"none/billing",
			"relay", "acme/relay", "", "/",
		} {
			if _, err := r.postAs(source, "acme", "1"); !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("source %q: %v, want ErrNotFound", source, err)
			}
		}
	})
}

// TestNewsOfATenantsEndpointGoToTheTenantAndToTheOperator: each by the names that it knows.
func TestNewsOfATenantsEndpointGoToTheTenantAndToTheOperator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		r.poster.answers["acme"] = func(p relay.Post) (relay.Reply, error) {
			if p.Header[relay.HeaderSource] == catalog.OwnSource {
				return relay.Reply{StatusCode: 200}, nil
			}
			return relay.Reply{StatusCode: 500}, nil
		}
		dead, err := r.postAs("acme/billing", "", "1")
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		told := map[string]string{}
		for _, p := range r.poster.posts {
			if p.Header[relay.HeaderEventType] != operate.DeliveryDead {
				continue
			}
			var body struct{ Data map[string]any }
			if err := json.Unmarshal(p.Body, &body); err != nil {
				t.Fatal(err)
			}
			told[host(p)] = fmt.Sprint(
				body.Data["tenant"], " ", body.Data["endpoint"], " ", body.Data["source"], " ",
				body.Data["eventId"],
			)
		}
		want := "acme own billing " + dead
		if diff := cmp.Diff(map[string]string{"acme": want, "all": want}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if d := r.deliveryOf(dead, "acme/own"); d.Tenant() != "acme" || d.Status != relay.Dead {
			t.Errorf("%+v", d)
		}
	})
}

// TestAnEventCostsTheSameWithAThousandTenants: cold and warm, whatever else is in the store.
func TestAnEventCostsTheSameWithAThousandTenants(t *testing.T) {
	t.Parallel()
	costs := func(t *testing.T, tenants int) (cold, warm map[string]int) {
		synctest.Test(t, func(t *testing.T) {
			r := newTenantsRig(t)
			for i := range tenants {
				r.addTenant(fmt.Sprintf("tenant%d", i))
			}
			for i, counts := range []*map[string]int{&cold, &warm} {
				calls := countCalls{}
				if i == 0 {
					r.build(func(p ports) ports { return withFaults(&calls, p) })
				}
				if _, err := r.postAs("app", "acme", fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
				r.pump()
				*counts = calls.n
			}
		})
		return cold, warm
	}
	few, _ := costs(t, 0)
	many, _ := costs(t, 1000)
	if diff := cmp.Diff(readsOf(few), readsOf(many)); diff != "" {
		t.Errorf("reads with 2 tenants and with 1,002 (-2 +1,002):\n%s", diff)
	}
	if n := readsOf(few); n["generation"] == 0 || n["subscriptions"] != 2 || n["endpoint"] != 2 {
		t.Errorf("%v: too little to prove anything", n)
	}
}

// readsOf counts the reads of the catalog by kind.
func readsOf(calls map[string]int) map[string]int {
	n := map[string]int{}
	for what, k := range calls {
		kind, _, _ := strings.Cut(what, " ")
		switch kind {
		case "generation", "source", "subscriptions", "endpoint", "names", "ordered":
			n[kind] += k
		}
	}
	return n
}

// TestAQuietTenantCostsNoReads: once everything is cached, an event reads nothing from the catalog.
func TestAQuietTenantCostsNoReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		calls := countCalls{}
		r.build(func(p ports) ports { return withFaults(&calls, p) })
		post := func(id string) {
			if _, err := r.postAs("app", "acme", id); err != nil {
				t.Fatal(err)
			}
			r.pump()
		}
		post("first")
		before := readsOf(calls.n)
		for i := range 20 { // within one TTL
			post(fmt.Sprint(i))
		}
		if diff := cmp.Diff(before, readsOf(calls.n)); diff != "" {
			t.Errorf("reads after the first event (-before +after):\n%s", diff)
		}
	})
}

// TestAChangeMakesInstancesForgetWhatItChanged alone: an edit of one endpoint among a hundred.
func TestAChangeMakesInstancesForgetWhatItChangedAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("e%02d", i))
		}
		r := newRig(t, nil, names...)
		calls := countCalls{}
		r.build(func(p ports) ports { return withFaults(&calls, p) })
		r.mustPost("1", "push", "{}")
		r.pump()
		before := readsOf(calls.n)
		changed, err := r.catalog.Resource(t.Context(), catalog.KindEndpoint, "e42")
		if err != nil {
			t.Fatal(err)
		}
		changed.Endpoint.URL = "https://elsewhere.example.com/"
		if _, err := r.catalog.Edit(t.Context(), catalog.Edit{
			Put: &changed, Base: changed.Revision, By: catalog.ManagedByFile,
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(catalog.DefaultCacheTTL)
		event := r.mustPost("2", "push", "{}")
		r.pump()
		after := readsOf(calls.n)
		if after["endpoint"]-before["endpoint"] != 1 || calls.of("endpoint e42") != 2 ||
			after["subscriptions"] != before["subscriptions"] ||
			after["source"] != before["source"] {
			t.Errorf("reads %v, then %v; want one more, of e42", before, after)
		}
		if got := r.hosts(event); !slices.Contains(got, "elsewhere") ||
			slices.Contains(got, "e42") {
			t.Errorf("sent to %v", got)
		}
	})
}

// TestATenantsOrderedEndpointGetsItsEventsInOrder: also from a source of the operator's, and the
// other tenants are not held up.
func TestATenantsOrderedEndpointGetsItsEventsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		own, err := r.catalog.For("acme").Resource(t.Context(), catalog.KindEndpoint, "own")
		if err != nil {
			t.Fatal(err)
		}
		own.Endpoint.Order, own.Endpoint.Schedule = catalog.Order{On: true},
			[]time.Duration{time.Minute}
		if _, err := r.catalog.For("acme").Edit(t.Context(), catalog.Edit{
			Put: &own, Base: own.Revision, By: catalog.ManagedByFile,
		}); err != nil {
			t.Fatal(err)
		}
		r.poster.failTimes("acme", 1)
		var want []string
		for i := range 4 {
			event, err := r.postAs("app", "acme", fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, event)
			if _, err := r.postAs("app", "beta", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if lined, others := r.ordered.ingest.Len(), r.ingest.Len(); lined != 4 || others != 4 {
			t.Errorf("%d events in order and %d others, want 4 and 4", lined, others)
		}
		r.pump()
		var got []string
		for _, p := range r.poster.posts {
			if host(p) == "acme" {
				got = append(got, p.Header["webhook-id"])
			}
		}
		if diff := cmp.Diff(slices.Insert(want, 0, want[0]), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestGroupsOfTheLongestNamesFit: SQS takes 128 characters.
func TestGroupsOfTheLongestNamesFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant, name := strings.Repeat("T", 63), strings.Repeat("n", 63)
		r := newRig(t, nil)
		var groups []string
		r.build(func(p ports) ports {
			p.orderedDelivery = watchedGroups{p.orderedDelivery, &groups}
			p.orderedIngest = watchedGroups{p.orderedIngest, &groups}
			p.delivery = watchedGroups{p.delivery, &groups}
			return p
		})
		c := catalog.Catalog{
			Sources: []catalog.Source{{
				Name: name, Verify: verify.Config{Provider: "bearer"},
				Secrets: []string{bearerToken},
			}},
			Endpoints: []catalog.Endpoint{
				{
					Name: name, URL: "https://in-order.example.com/",
					Secrets: []string{endpointSecret},
					Order:   catalog.Order{On: true, Key: "account.id"},
				},
				{
					Name: name[:62] + "x", URL: "https://other.example.com/",
					Secrets: []string{endpointSecret},
				},
			},
			Subscriptions: []catalog.Subscription{
				{Source: name, Endpoint: name}, {Source: name, Endpoint: name[:62] + "x"},
			},
		}
		if err := r.catalog.For(tenant).ReplaceCatalog(t.Context(), c, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.postAs(tenant+"/"+name, "x", "1"); err != nil {
			t.Fatal(err)
		}
		r.pump()
		// the source's and the ordered endpoint's are one, as both names are, with the same hash
		slices.Sort(groups)
		if groups = slices.Compact(groups); len(groups) != 2 {
			t.Errorf("groups %q, want two", groups)
		}
		for _, g := range groups {
			if len(g) > 128 {
				t.Errorf("a group of %d characters: %s", len(g), g)
			}
		}
	})
}

// watchedGroups notes the groups of messages.
type watchedGroups struct {
	relay.OrderedQueue
	groups *[]string
}

func (q watchedGroups) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	for _, m := range msgs {
		*q.groups = append(*q.groups, m.Group)
	}
	return q.OrderedQueue.Send(ctx, msgs)
}

// TestTheSweepFindsWhatATenantLost: of an event of the tenant's own source, and of one that was
// published for it.
func TestTheSweepFindsWhatATenantLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		var want []string
		for _, from := range [][2]string{{"acme/billing", ""}, {"app", "acme"}} {
			event, err := r.postAs(from[0], from[1], "1")
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, event)
		}
		r.consume(&r.ingest, nil, r.fanout.Process)
		lost, _ := r.delivery.Receive(t.Context(), 10)
		for _, m := range lost {
			if err := r.delivery.Ack(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(4 * time.Hour)
		report := r.sweep()
		r.pump()
		if report.PutBack != 4 || report.Events != 2 {
			t.Errorf("%+v, want 4 deliveries of 2 events put back", report)
		}
		for _, event := range want {
			if diff := cmp.Diff([]string{"acme", "all"}, r.hosts(event)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

func TestATenantSeesItsOwnEventsAndDeliveriesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		event, err := r.postAs("app", "acme", "1")
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		for tenant, want := range map[string][]string{
			"": {"acme/own", "all"}, "acme": {"acme/own"}, "beta": nil, "acm": nil,
		} {
			ledger := operate.ForTenant(&r.ledger, tenant)
			record, deliveries, err := ledger.Event(t.Context(), event)
			_, recordErr := ledger.EventRecord(t.Context(), event)
			if want == nil {
				if !errors.Is(err, catalog.ErrNotFound) ||
					!errors.Is(recordErr, catalog.ErrNotFound) || len(record.Body) > 0 {
					t.Errorf("%s: %v, %v", tenant, err, recordErr)
				}
				continue
			}
			var got []string
			for _, d := range deliveries {
				got = append(got, d.Endpoint)
			}
			slices.Sort(got)
			slices.Sort(record.Endpoints)
			if diff := cmp.Diff([][]string{want, want}, [][]string{got, record.Endpoints}); err !=
				nil || recordErr != nil || diff != "" {
				t.Errorf("%q: %v, %v (-want +got):\n%s", tenant, err, recordErr, diff)
			}
		}
		record, err := r.ledger.EventRecord(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		acme := operate.ForTenant(&r.ledger, "acme")
		if _, err := acme.Delivery(t.Context(), record.DeliveryTo("acme/own")); err != nil {
			t.Error(err)
		}
		for _, endpoint := range []string{"all", "beta/own", "acme2/own"} {
			if _, err := acme.Delivery(t.Context(), record.DeliveryTo(endpoint)); !errors.Is(
				err, catalog.ErrNotFound,
			) {
				t.Errorf("%s: %v", endpoint, err)
			}
		}
	})
}
