package conformance

import (
	"testing"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// ratesOf returns the rates in a tenant's state.
func ratesOf(t *testing.T, c CatalogUnderTest, tenant string) catalog.Rates {
	t.Helper()
	return stateOf(t, c, tenant).Rates
}

// setRates sets the rates of the tenant acme.
func setRates(t *testing.T, c CatalogUnderTest, r catalog.Rates) {
	t.Helper()
	must(t, "SetRates", c.SetRates(t.Context(), "acme", r))
}

// catalogRates: the rates are in the tenant's state, later revisions replace them, and neither the
// catalog nor another tenant is concerned.
func catalogRates(t *testing.T, c CatalogUnderTest) {
	t.Helper()
	shipping(t, c.For("acme"), "crm", "shipping", "s")
	before := stateOf(t, c, "acme")
	equal(t, "the rates at first", catalog.Rates{}, before.Rates)

	second := catalog.Rates{
		Accepted: catalog.Rate{Count: 100, Per: time.Second}, Revision: 2,
		Delivered: catalog.Rate{Count: 90, Per: time.Minute},
	}
	setRates(t, c, second)
	equal(t, "the rates", second, ratesOf(t, c, "acme"))
	for _, late := range []catalog.Rates{
		{Revision: 2}, {Accepted: catalog.Rate{Count: 5, Per: time.Hour}, Revision: 2},
	} {
		setRates(t, c, late)
		equal(t, "the rates of the latest revision", second, ratesOf(t, c, "acme"))
	}
	after := stateOf(t, c, "acme")
	after.Rates = catalog.Rates{}
	equal(t, "the catalog's own state", before, after)
	for _, other := range []string{"", "acme2", "none"} {
		equal(t, "the rates of another", catalog.Rates{}, ratesOf(t, c, other))
	}

	e := c.For("acme")
	_, revision, err := e.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	must(t, "ReplaceCatalog", e.ReplaceCatalog(
		t.Context(), catalog.Catalog{Endpoints: []catalog.Endpoint{endpoint("only")}}, revision,
	))
	equal(t, "the rates beside a new catalog", second, ratesOf(t, c, "acme"))

	setRates(t, c, catalog.Rates{Revision: 3})
	equal(t, "no rates", catalog.Rates{Revision: 3}, ratesOf(t, c, "acme"))
	first := catalog.Rates{Accepted: catalog.Rate{Count: 7, Per: time.Hour}, Revision: 1}
	setRates(t, c, first)
	equal(t, "the rates of a new tenant of the same id", first, ratesOf(t, c, "acme"))
}

// catalogRatesAlone: a tenant with rates and without a catalog is listed, so that receive finds its
// rates.
func catalogRatesAlone(t *testing.T, c CatalogUnderTest) {
	t.Helper()
	rates := catalog.Rates{Accepted: catalog.Rate{Count: 1, Per: time.Second}, Revision: 1}
	setRates(t, c, rates)
	equal(t, "the state", catalog.State{Rates: rates}, stateOf(t, c, "acme"))
	all, err := c.AllTenants(t.Context())
	must(t, "AllTenants", err)
	equal(t, "all tenants", []string{"acme"}, all)
	names, err := c.TenantNames(
		t.Context(), catalog.ShardOf("acme", catalog.TenantShards),
	)
	must(t, "TenantNames", err)
	equal(t, "the tenants of the shard", []string{"acme"}, names)
	sources, endpoints, err := c.Names(t.Context(), "acme")
	must(t, "Names", err)
	if len(sources)+len(endpoints) > 0 {
		t.Errorf("names %v and %v of a tenant without a catalog", sources, endpoints)
	}
}
