package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay/catalog"
)

// editing are the tests of single changes, and of the catalogs of several tenants.
var editing = map[string]func(*testing.T, CatalogUnderTest){
	"a tenant's catalog is its own":                     tenantsApart,
	"the tenants are listed":                            tenantsListed,
	"a resource is created, replaced and deleted":       editLife,
	"every field of a resource comes back":              editFields,
	"an edit depends on the revision that it names":     editBase,
	"an edit of another manager's resource is refused":  editManaged,
	"what subscriptions name is not deleted":            editInUse,
	"a subscription needs its source and endpoint":      editDangling,
	"a tenant subscribes to a source of the operator's": editOperatorsSource,
	"resources are listed by name":                      editList,
	"each edit is a change of the state":                editChanges,
	"an edit keeps the generation":                      editGeneration,
	"a replacement after an edit has to know it":        editReplace,
	"a replacement keeps the stamps that it is given":   editStamps,
	"of concurrent edits each is made":                  editConcurrent,
	"of concurrent edits of one revision one is made":   editConcurrentBase,
	"the order of an endpoint follows its edits":        editOrder,
	"a subscription moves between sources":              editMoves,
	"a subscription that grows stays in its source":     editGrows,
	"a deleted source forgets its learned secret":       editForgets,
	"edits in any order":                                editScript,
}

func putSource(s catalog.Source) *catalog.Resource {
	r := catalog.SourceResource(s)
	return &r
}

func putEndpoint(e catalog.Endpoint) *catalog.Resource {
	r := catalog.EndpointResource(e)
	return &r
}

func putSubscription(s catalog.Subscription) *catalog.Resource {
	r := catalog.SubscriptionResource(s)
	return &r
}

// edit makes an edit that must succeed.
func edit(t *testing.T, e catalog.Editor, put *catalog.Resource) int64 {
	t.Helper()
	revision, err := e.Edit(t.Context(), catalog.Edit{
		Put: put, Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
	})
	must(t, "Edit", err)
	return revision
}

// remove deletes a resource.
func remove(t *testing.T, e catalog.Editor, kind catalog.Kind, name string) error {
	t.Helper()
	_, err := e.Edit(t.Context(), catalog.Edit{
		Kind: kind, Name: name, Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
	})
	return err
}

func resource(
	t *testing.T, e catalog.Editor, kind catalog.Kind, name string,
) catalog.Resource {
	t.Helper()
	r, err := e.Resource(t.Context(), kind, name)
	must(t, "Resource", err)
	return r
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// shipping returns a source, an endpoint and a subscription, all named in a test's own way.
func shipping(t *testing.T, e catalog.Editor, from, to, name string) {
	t.Helper()
	edit(t, e, putSource(source(from)))
	edit(t, e, putEndpoint(endpoint(to)))
	edit(t, e, putSubscription(catalog.Subscription{Name: name, Source: from, Endpoint: to}))
}

func tenantsApart(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	acme, other := c.For("acme"), c.For("Acme_2")
	shipping(t, acme, "crm", "shipping", "s")
	mine := endpoint("shipping")
	mine.URL = "https://acme.example.com/"
	edit(t, acme, putEndpoint(mine))
	must(t, "ReplaceCatalog", other.ReplaceCatalog(t.Context(), catalog.Catalog{
		Endpoints: []catalog.Endpoint{endpoint("only")},
	}, 0))

	expectCatalog(t, c, fullCatalog())
	g := stateOf(t, c, "acme").Generation
	ep, err := c.Endpoint(t.Context(), g, "acme/shipping")
	must(t, "Endpoint", err)
	equal(t, "name and URL", []string{"acme/shipping", mine.URL}, []string{ep.Name, ep.URL})
	s, err := c.Source(t.Context(), g, "acme/crm")
	must(t, "Source", err)
	equal(t, "name", "acme/crm", s.Name)
	subs, err := c.Subscriptions(t.Context(), g, "acme", "crm")
	must(t, "Subscriptions", err)
	if len(subs) != 1 || subs[0].Endpoint != "acme/shipping" {
		t.Errorf("subscriptions %+v, want one to acme/shipping", subs)
	}
	_, err = c.Endpoint(t.Context(), g, "acme/billing")
	wantError(t, "an endpoint of the operator's", err, catalog.ErrNotFound)
	_, err = c.Endpoint(t.Context(), stateOf(t, c, "Acme_2").Generation, "Acme_2/shipping")
	wantError(t, "an endpoint of another tenant's", err, catalog.ErrNotFound)
	_, err = other.Resource(t.Context(), catalog.KindEndpoint, "shipping")
	wantError(t, "another tenant's resource", err, catalog.ErrNotFound)
	equal(t, "state of a tenant without a catalog", catalog.State{}, stateOf(t, c, "none"))
	sources, endpoints, err := c.Names(t.Context(), "acme")
	must(t, "Names", err)
	equal(t, "names", [][]string{{"crm"}, {"shipping"}}, [][]string{sources, endpoints})
}

func tenantsListed(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	shipping(t, c.For("acme"), "a", "b", "c")
	must(t, "ReplaceCatalog", c.For("beta").ReplaceCatalog(
		t.Context(), catalog.Catalog{Endpoints: []catalog.Endpoint{endpoint("only")}}, 0,
	))
	var all []string
	for shard := range catalog.TenantShards {
		names, err := c.TenantNames(t.Context(), shard)
		must(t, "TenantNames", err)
		for _, name := range names {
			equal(t, "shard of "+name, shard, catalog.ShardOf(name, catalog.TenantShards))
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	equal(t, "tenants", []string{"acme", "beta"}, all)
	all, err := c.AllTenants(t.Context())
	must(t, "AllTenants", err)
	equal(t, "all tenants", []string{"acme", "beta"}, all)
}

func editLife(t *testing.T, c CatalogUnderTest) {
	for _, tenant := range []string{"", "acme"} {
		e := c.For(tenant)
		shipping(t, e, "crm", "shipping", "s")
		for kind, name := range map[catalog.Kind]string{
			catalog.KindSource: "crm", catalog.KindEndpoint: "shipping",
			catalog.KindSubscription: "s",
		} {
			r := resource(t, e, kind, name)
			if r.Name != name || r.Kind != kind || r.ManagedBy != catalog.ManagedByAPI ||
				r.Revision == 0 || time.Since(r.ChangedAt) > time.Hour {
				t.Errorf("%s %s: %+v", kind, name, r)
			}
		}
		changed := endpoint("shipping")
		changed.URL = "https://new.example.com/"
		revision := edit(t, e, putEndpoint(changed))
		r := resource(t, e, catalog.KindEndpoint, "shipping")
		equal(t, "revision", revision, r.Revision)
		equal(t, "URL", changed.URL, r.Endpoint.URL)
		loaded, at, err := e.LoadCatalog(t.Context())
		must(t, "LoadCatalog", err)
		equal(t, "revision of the catalog", revision, at)
		equal(t, "sizes", []int{1, 1, 1}, []int{
			len(loaded.Sources), len(loaded.Endpoints), len(loaded.Subscriptions),
		})

		must(t, "delete", remove(t, e, catalog.KindSubscription, "s"))
		must(t, "delete", remove(t, e, catalog.KindEndpoint, "shipping"))
		must(t, "delete", remove(t, e, catalog.KindSource, "crm"))
		for kind, name := range map[catalog.Kind]string{
			catalog.KindSource: "crm", catalog.KindEndpoint: "shipping",
			catalog.KindSubscription: "s",
		} {
			_, err := e.Resource(t.Context(), kind, name)
			wantError(t, "what was deleted", err, catalog.ErrNotFound)
			wantError(t, "a second deletion", remove(t, e, kind, name), catalog.ErrNotFound)
		}
		loaded, _, err = e.LoadCatalog(t.Context())
		must(t, "LoadCatalog", err)
		equal(t, "catalog", catalog.Catalog{}, loaded, sameCatalog)
	}
}

func editFields(t *testing.T, c CatalogUnderTest) {
	want, e := fullCatalog(), c.For("acme")
	for _, s := range want.Sources {
		edit(t, e, putSource(s))
		r := resource(t, e, catalog.KindSource, s.Name)
		equal(t, "source", s, *r.Source, sameCatalog, ignoreManager)
	}
	for _, ep := range want.Endpoints {
		edit(t, e, putEndpoint(ep))
		r := resource(t, e, catalog.KindEndpoint, ep.Name)
		equal(t, "endpoint", ep, *r.Endpoint, sameCatalog, ignoreManager)
	}
	catalog.NameSubscriptions(want.Subscriptions)
	for _, s := range want.Subscriptions {
		edit(t, e, putSubscription(s))
		r := resource(t, e, catalog.KindSubscription, s.Name)
		equal(t, "subscription", s, *r.Subscription, sameCatalog, ignoreManager)
	}
	got, _, err := e.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "catalog", want, got, sameCatalog, ignoreManager)
}

var ignoreManager = cmpopts.IgnoreTypes(catalog.Manager(""))

func editBase(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	try := func(put *catalog.Resource, base int64) (int64, error) {
		return e.Edit(t.Context(), catalog.Edit{Put: put, Base: base, By: catalog.ManagedByAPI})
	}
	first, err := try(putEndpoint(endpoint("a")), 0)
	must(t, "create", err)
	_, err = try(putEndpoint(endpoint("a")), 0)
	wantError(t, "create what exists", err, catalog.ErrConflict)
	_, err = try(putEndpoint(endpoint("b")), first)
	wantError(t, "replace what does not exist", err, catalog.ErrConflict)
	_, err = try(putEndpoint(endpoint("b")), 0)
	must(t, "create another", err)
	second, err := try(putEndpoint(endpoint("a")), first) // b's change is none of a's
	must(t, "replace", err)
	if second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	_, err = try(putEndpoint(endpoint("a")), first)
	wantError(t, "replace an older revision", err, catalog.ErrConflict)
	gone := catalog.Edit{
		Kind: catalog.KindEndpoint, Name: "a", Base: first, By: catalog.ManagedByAPI,
	}
	_, err = e.Edit(t.Context(), gone)
	wantError(t, "delete an older revision", err, catalog.ErrConflict)
	gone.Base = second
	_, err = e.Edit(t.Context(), gone)
	must(t, "delete", err)
}

func editManaged(t *testing.T, c CatalogUnderTest) {
	replace(t, c, catalog.Catalog{Endpoints: []catalog.Endpoint{endpoint("a")}})
	equal(t, "manager", catalog.ManagedByFile, resource(
		t, c, catalog.KindEndpoint, "a",
	).ManagedBy)
	e := catalog.Edit{
		Put: putEndpoint(endpoint("a")), Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
	}
	_, err := c.Edit(t.Context(), e)
	wantError(t, "replace", err, catalog.ErrManaged)
	wantError(t, "delete", remove(t, c, catalog.KindEndpoint, "a"), catalog.ErrManaged)
	e.Adopt = true
	_, err = c.Edit(t.Context(), e)
	must(t, "adopt", err)
	equal(t, "manager", catalog.ManagedByAPI, resource(
		t, c, catalog.KindEndpoint, "a",
	).ManagedBy)
}

func editInUse(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	shipping(t, e, "crm", "shipping", "s")
	edit(t, e, putSubscription(catalog.Subscription{
		Name: "another", Source: "crm", Endpoint: "shipping",
	}))
	edit(t, e, putEndpoint(endpoint("ship"))) // a prefix of another's name
	for kind, name := range map[catalog.Kind]string{
		catalog.KindSource: "crm", catalog.KindEndpoint: "shipping",
	} {
		users, err := e.Users(t.Context(), kind, name)
		must(t, "Users", err)
		equal(t, "users", []string{"another", "s"}, users)
		wantError(t, "delete", remove(t, e, kind, name), catalog.ErrInUse)
	}
	must(t, "delete what nobody uses", remove(t, e, catalog.KindEndpoint, "ship"))
	must(t, "delete", remove(t, e, catalog.KindSubscription, "s"))
	wantError(t, "delete", remove(t, e, catalog.KindSource, "crm"), catalog.ErrInUse)
	must(t, "delete", remove(t, e, catalog.KindSubscription, "another"))
	must(t, "delete", remove(t, e, catalog.KindSource, "crm"))
	must(t, "delete", remove(t, e, catalog.KindEndpoint, "shipping"))
}

func editDangling(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	e := c.For("acme")
	edit(t, e, putSource(source("mine")))
	edit(t, e, putEndpoint(endpoint("mine")))
	for _, s := range []catalog.Subscription{
		{Source: "none", Endpoint: "mine"}, {Source: "mine", Endpoint: "none"},
		{Source: "crm", Endpoint: "mine"},      // the operator's, without a tenant
		{Source: "mine", Endpoint: "shipping"}, // the operator's
	} {
		s.Name = "s"
		_, err := e.Edit(t.Context(), catalog.Edit{Put: putSubscription(s), Base: 0})
		wantError(t, fmt.Sprintf("%+v", s), err, catalog.ErrNotFound)
	}
	edit(t, e, putSubscription(catalog.Subscription{
		Name: "own", Source: catalog.OwnSource, Endpoint: "mine",
	}))
}

func editOperatorsSource(t *testing.T, c CatalogUnderTest) {
	app, fixed := source("app"), source("fixed")
	app.Tenant = &catalog.TenantOf{Header: "webhook-tenant"}
	fixed.Tenant = &catalog.TenantOf{ID: "beta"}
	replace(t, c, catalog.Catalog{
		Sources: []catalog.Source{app, fixed}, Endpoints: []catalog.Endpoint{endpoint("all")},
	})
	acme := c.For("acme")
	edit(t, acme, putEndpoint(endpoint("mine")))
	edit(t, acme, putSource(source("own")))
	edit(t, acme, putSubscription(catalog.Subscription{
		Name: "s", Source: "app", Endpoint: "mine",
	}))
	_, err := acme.Edit(t.Context(), catalog.Edit{Put: putSubscription(catalog.Subscription{
		Name: "t", Source: "fixed", Endpoint: "mine",
	})})
	wantError(t, "a source whose events are another's", err, catalog.ErrNotFound)
	edit(t, c, putSubscription(catalog.Subscription{ // the operator's, to a tenant's source
		Name: "s", Source: "acme/own", Endpoint: "all",
	}))
	subs, err := c.Subscriptions(t.Context(), generation(t, c), "", "acme/own")
	must(t, "Subscriptions", err)
	equal(t, "subscriptions", 1, len(subs))
}

func editList(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("e-%02d", i)
		want = append(want, name)
		ep := endpoint(name)
		ep.Header, ep.Auth = map[string]string{"x": "y"}, &catalog.Auth{Bearer: "z"}
		edit(t, e, putEndpoint(ep))
	}
	edit(t, e, putSource(source("crm")))
	for _, name := range []string{"e-00", "s"} {
		edit(t, e, putSubscription(catalog.Subscription{
			Name: name, Source: "crm", Endpoint: "e-00",
		}))
	}
	var got []string
	for after, pages := "", 0; ; pages++ {
		found, next, err := e.Resources(t.Context(), catalog.KindEndpoint, after, 10)
		must(t, "Resources", err)
		for _, r := range found {
			got = append(got, r.Name)
			if ep := r.Endpoint; ep.URL == "" || len(ep.Secrets) > 0 || ep.Header != nil ||
				ep.Auth != nil || r.Revision == 0 || r.ManagedBy != catalog.ManagedByAPI {
				t.Errorf("%+v", r)
			}
		}
		if after = next; next == "" {
			equal(t, "pages", 2, pages)
			break
		}
	}
	equal(t, "endpoints", want, got)
	for kind, n := range map[catalog.Kind]int{
		catalog.KindSource: 1, catalog.KindSubscription: 2, catalog.KindEndpoint: 25,
	} {
		found, next, err := e.Resources(t.Context(), kind, "", 25)
		must(t, "Resources", err)
		equal(t, "resources", n, len(found))
		equal(t, "the next", "", next)
	}
	none, _, err := c.For("none").Resources(t.Context(), catalog.KindSource, "", 10)
	must(t, "Resources", err)
	equal(t, "resources of a tenant without any", 0, len(none))
}

func editChanges(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	changed := func(what string, before catalog.State, want map[string]bool) {
		t.Helper()
		now := stateOf(t, c, "acme")
		for name, is := range want {
			if got := now.ChangedSince(before.Revision, []string{name}); got != is {
				t.Errorf("%s: %s changed: %t, want %t", what, name, got, is)
			}
		}
	}
	shipping(t, e, "crm", "shipping", "s")
	edit(t, e, putSource(source("other")))
	edit(t, e, putEndpoint(endpoint("other")))
	before := stateOf(t, c, "acme")
	edit(t, e, putEndpoint(endpoint("shipping")))
	changed("an endpoint", before, map[string]bool{
		"endpoint/shipping": true, "endpoint/other": false, "source/crm": false,
		"routes/crm": false, "orders": false,
	})
	before = stateOf(t, c, "acme")
	edit(t, e, putSubscription(catalog.Subscription{
		Name: "s", Source: "other", Endpoint: "shipping",
	}))
	changed("a subscription", before, map[string]bool{
		"endpoint/shipping": false, "routes/other": true, "routes/crm": true,
	})
	before = stateOf(t, c, "acme")
	for i := range catalog.MaxChanges {
		edit(t, e, putEndpoint(endpoint(fmt.Sprint("e-", i))))
	}
	changed("fifty edits", before, map[string]bool{"endpoint/e-1": true, "endpoint/other": false})
	edit(t, e, putEndpoint(endpoint("one-more")))
	changed("more than are remembered", before, map[string]bool{"endpoint/other": true})
}

func editGeneration(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	before := stateOf(t, c, "")
	edit(t, c, putEndpoint(endpoint("new")))
	after := stateOf(t, c, "")
	equal(t, "generation", before.Generation, after.Generation)
	equal(t, "revision of the state", before.Revision+1, after.Revision)
	ep, err := c.Endpoint(t.Context(), before.Generation, "new")
	must(t, "Endpoint", err)
	equal(t, "endpoint", "new", ep.Name)
}

func editReplace(t *testing.T, c CatalogUnderTest) {
	first := replace(t, c, fullCatalog())
	edit(t, c, putEndpoint(endpoint("new")))
	wantError(
		t, "of the revision before", c.ReplaceCatalog(t.Context(), fullCatalog(), first),
		catalog.ErrConflict,
	)
	loaded, base, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), loaded, base))
	equal(t, "endpoint", "new", resource(t, c, catalog.KindEndpoint, "new").Name)
	edit(t, c, putEndpoint(endpoint("newer"))) // in the new generation
	equal(t, "endpoint", "newer", resource(t, c, catalog.KindEndpoint, "newer").Name)
}

func editStamps(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	loaded, base, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	was := loaded.Endpoints[0].Changed
	if was.Revision != base {
		t.Errorf("stamped with revision %d, want %d", was.Revision, base)
	}
	loaded.Endpoints = slices.Clone(loaded.Endpoints)
	loaded.Endpoints[1].Changed = catalog.Stamp{} // changed
	must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), loaded, base))
	unchanged := resource(t, c, catalog.KindEndpoint, loaded.Endpoints[0].Name)
	changed := resource(t, c, catalog.KindEndpoint, loaded.Endpoints[1].Name)
	equal(t, "revisions", []int64{base, base + 1}, []int64{
		unchanged.Revision, changed.Revision,
	})
}

func editConcurrent(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	errs := atOnce(4, func(i int) error {
		for n := 0; n < 3; n++ {
			_, err := e.Edit(t.Context(), catalog.Edit{
				Put:  putEndpoint(endpoint(fmt.Sprintf("e-%d-%d", i, n))),
				Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
			})
			if err != nil && !errors.Is(err, catalog.ErrConflict) {
				return err
			}
			if err != nil { // every try was in vain
				n--
			}
		}
		return nil
	})
	for _, err := range errs {
		must(t, "one of those at once", err)
	}
	loaded, revision, err := e.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	_, names, err := c.Names(t.Context(), "acme")
	must(t, "Names", err)
	equal(t, "names and endpoints", len(loaded.Endpoints), len(names))
	equal(t, "revision", int64(len(names)), revision)
}

func editConcurrentBase(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	base := edit(t, e, putEndpoint(endpoint("a")))
	errs := atOnce(4, func(int) error {
		_, err := e.Edit(t.Context(), catalog.Edit{
			Put: putEndpoint(endpoint("a")), Base: base, By: catalog.ManagedByAPI,
		})
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantError(t, "another", err, catalog.ErrConflict)
		}
	}
	equal(t, "edits that won", 1, won)
}

func editOrder(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	orders := func() []catalog.Order {
		t.Helper()
		subs, err := catalog.SubscriptionsTo(
			t.Context(), c, stateOf(t, c, "acme"), "acme", "crm",
		)
		must(t, "SubscriptionsTo", err)
		var all []catalog.Order
		for _, s := range subs {
			all = append(all, s.Order)
		}
		return all
	}
	shipping(t, e, "crm", "shipping", "s")
	equal(t, "orders", []catalog.Order{{}}, orders())
	ordered := endpoint("shipping")
	for _, o := range []catalog.Order{{On: true}, {On: true, Key: "data.é"}, {}, {On: true}} {
		before := stateOf(t, c, "acme")
		ordered.Order = o
		edit(t, e, putEndpoint(ordered))
		equal(t, "orders", []catalog.Order{o}, orders())
		after := stateOf(t, c, "acme")
		equal(t, "there are ordered endpoints", o.On, after.Ordered)
		if !after.ChangedSince(before.Revision, catalog.RoutesChanges("any")) {
			t.Errorf("the change of the order to %+v concerns no routes", o)
		}
	}
	must(t, "delete", remove(t, e, catalog.KindSubscription, "s"))
	must(t, "delete", remove(t, e, catalog.KindEndpoint, "shipping"))
	equal(t, "there are ordered endpoints", false, stateOf(t, c, "acme").Ordered)
	full := fullCatalog()
	must(t, "ReplaceCatalog", c.For("beta").ReplaceCatalog(t.Context(), full, 0))
	equal(t, "there are ordered endpoints", true, stateOf(t, c, "beta").Ordered)
	got, err := c.OrderedEndpoints(t.Context(), stateOf(t, c, "beta").Generation, "beta")
	must(t, "OrderedEndpoints", err)
	equal(t, "ordered endpoints", map[string]catalog.Order{
		"beta/shipping": {On: true, Key: "data.é"},
	}, got)
}

func editMoves(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	shipping(t, e, "a", "x", "s")
	shipping(t, e, "b", "y", "t")
	edit(t, e, putSubscription(catalog.Subscription{Name: "s", Source: "b", Endpoint: "y"}))
	for source, want := range map[string][]string{"a": nil, "b": {"t", "s"}} {
		subs, err := c.Subscriptions(
			t.Context(), stateOf(t, c, "acme").Generation, "acme", source,
		)
		must(t, "Subscriptions", err)
		var got []string
		for _, s := range subs {
			got = append(got, s.Name)
		}
		slices.Sort(got)
		slices.Sort(want)
		equal(t, "subscriptions to "+source, want, got)
	}
	must(t, "delete", remove(t, e, catalog.KindEndpoint, "x"))
	wantError(t, "delete", remove(t, e, catalog.KindEndpoint, "y"), catalog.ErrInUse)
}

func editGrows(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	edit(t, e, putSource(source("crm")))
	edit(t, e, putEndpoint(endpoint("x")))
	grow := func(i, bytes int) {
		s := catalog.Subscription{Name: fmt.Sprint("s-", i), Source: "crm", Endpoint: "x"}
		s.Filter = fmt.Sprintf(`{"type": ["%0*d"]}`, bytes, i)
		edit(t, e, putSubscription(s))
	}
	for i := range 6 { // they fit into one item of DynamoDB's
		grow(i, 10_000)
	}
	for i := range 6 { // now they do not
		grow(i, 40_000)
	}
	subs, err := c.Subscriptions(t.Context(), stateOf(t, c, "acme").Generation, "acme", "crm")
	must(t, "Subscriptions", err)
	got := map[string]int{}
	for _, s := range subs {
		got[s.Name] += len(s.Filter)
	}
	for i := range 6 {
		if n := got[fmt.Sprint("s-", i)]; n < 40_000 || n > 40_100 {
			t.Errorf("subscription %d has a filter of %d bytes in all", i, n)
		}
	}
	equal(t, "subscriptions", 6, len(subs))
}

func editForgets(t *testing.T, c CatalogUnderTest) {
	e := c.For("acme")
	edit(t, e, putSource(learner("asana")))
	learns(t, c, "acme/asana", "first")
	equal(t, "secrets", []string{"first"}, resource(
		t, e, catalog.KindSource, "asana",
	).Source.Secrets)
	edit(t, e, putSource(learner("asana"))) // a change of something else keeps it
	equal(t, "secrets", []string{"first"}, resource(
		t, e, catalog.KindSource, "asana",
	).Source.Secrets)
	must(t, "delete", remove(t, e, catalog.KindSource, "asana"))
	edit(t, e, putSource(learner("asana")))
	equal(t, "secrets", 0, len(resource(t, e, catalog.KindSource, "asana").Source.Secrets))
	learns(t, c, "acme/asana", "second")
	_, err := e.Edit(t.Context(), catalog.Edit{
		Put: putSource(learner("asana")), Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
		Forget: true,
	})
	must(t, "forget", err)
	equal(t, "secrets", 0, len(resource(t, e, catalog.KindSource, "asana").Source.Secrets))
	wantError(
		t, "a handshake without a window", c.LearnSecret(t.Context(), "acme/asana", "third"),
		catalog.ErrNotOpen,
	)
	learns(t, c, "acme/asana", "fourth")
	equal(t, "operator's", catalog.State{}, stateOf(t, c, ""))
}

// editScript makes random edits, and compares with a model after each.
func editScript(t *testing.T, c CatalogUnderTest) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's choices
	e := c.For("acme")
	model := map[string]catalog.Subscription{}
	for _, name := range []string{"a", "b"} {
		edit(t, e, putSource(source(name)))
		edit(t, e, putEndpoint(endpoint(name)))
	}
	pick := func() string { return []string{"a", "b"}[random.IntN(2)] }
	for range 60 {
		name := fmt.Sprint("s-", random.IntN(6))
		_, there := model[name]
		if there && random.IntN(3) == 0 {
			must(t, "delete", remove(t, e, catalog.KindSubscription, name))
			delete(model, name)
		} else {
			s := catalog.Subscription{
				Name: name, Source: pick(), Endpoint: pick(),
				Filter: fmt.Sprintf(`{"type": ["%0*d"]}`, random.IntN(30_000), 0),
			}
			edit(t, e, putSubscription(s))
			model[name] = s
		}
		expectModel(t, c, e, model)
	}
}

func expectModel(
	t *testing.T, c CatalogUnderTest, e catalog.TenantStore, model map[string]catalog.Subscription,
) {
	t.Helper()
	loaded, _, err := e.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "subscriptions", model, byName(loaded.Subscriptions), sameCatalog, ignoreManager)
	all := map[string]catalog.Subscription{}
	for _, source := range []string{"a", "b"} {
		subs, err := c.Subscriptions(
			t.Context(), stateOf(t, c, "acme").Generation, "acme", source,
		)
		must(t, "Subscriptions", err)
		for _, s := range subs {
			_, s.Endpoint = catalog.SplitName(s.Endpoint)
			all[s.Name] = s
		}
	}
	equal(t, "subscriptions as read by source", model, all, sameCatalog, ignoreManager)
	for _, name := range []string{"a", "b"} {
		users, err := e.Users(t.Context(), catalog.KindEndpoint, name)
		must(t, "Users", err)
		var want []string
		for _, s := range model {
			if s.Endpoint == name {
				want = append(want, s.Name)
			}
		}
		slices.Sort(want)
		equal(t, "users of "+name, want, users, cmpopts.EquateEmpty())
	}
}

func byName(subs []catalog.Subscription) map[string]catalog.Subscription {
	all := map[string]catalog.Subscription{}
	for _, s := range subs {
		all[s.Name] = s
	}
	return all
}
