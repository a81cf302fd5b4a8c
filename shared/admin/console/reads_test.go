package console_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// size is how much a relay has: tokens and tenants, resources of each kind, and events.
type size struct{ things, resources, events int }

// grown returns a relay with a tenant acme, each of which has as much. More than a page shows is of
// each kind.
func grown(t testing.TB, s size, change ...func(*admin.Config)) *rig {
	t.Helper()
	r := newRig(t, change...)
	for i := range s.things {
		r.put("", fmt.Sprintf("/v1/tenants/t%04d", i), map[string]any{"name": "Tenant"})
	}
	r.put("", "/v1/tenants/acme", map[string]any{"name": "Acme"})
	for _, tenant := range []string{"", "acme"} {
		var c catalog.Catalog
		for i := range s.resources {
			name := fmt.Sprintf("n%04d", i)
			c.Endpoints = append(c.Endpoints, catalog.Endpoint{
				Name: name, URL: "https://shop.example.com/hooks", Secrets: []string{"whsec_eA=="},
				SecretsMade: true,
			})
			source := catalog.Source{Name: name}
			source.Verify.Provider = "none"
			c.Sources = append(c.Sources, source)
			c.Subscriptions = append(c.Subscriptions, catalog.Subscription{
				Name: name, Source: name, Endpoint: "n0000", ManagedBy: catalog.ManagedByPortal,
			})
		}
		must(t, r.config.Catalogs.For(tenant).ReplaceCatalog(t.Context(), c, 0))
		for range s.things {
			r.token(access.Read, tenant)
		}
	}
	r.fillEvents(s.events)
	return r
}

// fillEvents records events of the operator and of acme, the older the more there are of them.
func (r *rig) fillEvents(n int) {
	r.t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, tenant := range []string{"", "acme"} {
		for from := 0; from < n; from += 500 {
			var records []relay.EventRecord
			for i := from; i < min(n, from+500); i++ {
				at := now.Add(-time.Duration(i) * time.Second)
				records = append(records, relay.EventRecord{
					Event: relay.Event{
						ID: fmt.Sprintf("evt_%s%06d", tenant, i), Tenant: tenant,
						Source: catalog.Qualify(tenant, "n0000"), Type: "order.paid",
						Trust: "verified", ReceivedAt: at, Body: []byte(`{"n":1}`),
					},
					MessageID: "m", RoutedAt: at, ExpiresAt: now.Add(time.Hour),
					Endpoints: []string{catalog.Qualify(tenant, "n0000")},
				})
			}
			for _, result := range r.ledger.RecordEvents(r.t.Context(), records) {
				must(r.t, result.Err)
			}
			for _, record := range records[:max(0, min(len(records), delivered-from))] {
				must(r.t, r.ledger.SaveDelivery(r.t.Context(), deliveryOf(record), 0))
			}
		}
	}
}

// delivered is how many of the events have a delivery on record: more than a page shows.
const delivered = 300

// deliveryOf is the dead delivery of an event.
func deliveryOf(record relay.EventRecord) relay.Delivery {
	e := record.Event
	return relay.Delivery{
		EventID: e.ID, Endpoint: record.Endpoints[0], Source: e.Source, Type: e.Type,
		ReceivedAt: e.ReceivedAt, UpdatedAt: e.ReceivedAt, ExpiresAt: record.ExpiresAt,
		Status: relay.Dead, Reason: relay.Exhausted, Attempts: 1, History: []relay.Attempt{{
			Number: 1, At: e.ReceivedAt, Outcome: "failed_answer", StatusCode: 500,
		}},
	}
}

// growing is the page that reads more of a larger relay, up to a bound of the API's own: a thousand
// changes are verified.
const growing = "/changes/verify"

// TestPagesReadABoundedNumberOfItems: a relay with twice as much of everything reads no more for
// any page.
func TestPagesReadABoundedNumberOfItems(t *testing.T) {
	t.Parallel()
	once := reads(t, size{things: 120, resources: 1100, events: 2300})
	twice := reads(t, size{things: 240, resources: 2200, events: 4600})
	if len(once) < 40 {
		t.Errorf("%d pages: %v", len(once), slices.Sorted(maps.Keys(once)))
	}
	for path, n := range twice {
		before, ok := once[path]
		if strings.HasSuffix(path, growing) {
			continue
		}
		if !ok || n > before+20 { // the audit log and the like differ a little
			t.Errorf("%s reads %d items, and %d when there is twice as much", path, before, n)
		}
	}
}

// visitors are people who see different pages.
func visitors(r *rig) iter.Seq2[string, *browser] {
	return func(yield func(string, *browser) bool) {
		_ = yield("operator ", r.signedIn(access.Admin, "")) &&
			yield("tenant ", r.signedIn(access.Admin, "acme")) &&
			yield("portal ", r.customer("acme", access.Capabilities...))
	}
}

// reads returns how many items each page reads.
func reads(t *testing.T, s size) map[string]int64 {
	t.Helper()
	var counted counter
	r := grown(t, s, counted.wrap)
	all := map[string]int64{}
	for name, b := range visitors(r) { // always in this order: the API keeps some things for a while
		pages, seen := b.somePages(), int64(0)
		for _, path := range pages {
			seen = counted.n.Load()
			if a := b.get(path); a.Code != http.StatusOK {
				t.Errorf("%s%s: %d", name, path, a.Code)
			}
			all[name+kindOf(path)] = counted.n.Load() - seen
		}
	}
	return all
}

var digits = regexp.MustCompile(`[0-9a-f]{12,}|[0-9]+`)

// kindOf is the path of a page with one name for all things of a kind.
func kindOf(path string) string { return digits.ReplaceAllString(path, "0") }

// somePages are the pages that links lead to, but those of one thing of each kind.
func (b *browser) somePages() []string {
	var all []string
	kinds := map[string]bool{}
	b.crawlSome(func(path string) bool {
		kind := kindOf(path)
		defer func() { kinds[kind] = true }()
		return !kinds[kind]
	}, func(path string, a *httptest.ResponseRecorder) {
		if strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
			all = append(all, path)
		}
	})
	return all
}

// BenchmarkPages measures the CPU of pages of a relay with 100,000 events and 1,000 resources of
// each kind.
func BenchmarkPages(b *testing.B) {
	r := grown(b, size{things: 100, resources: 1000})
	r.fillEvents(100_000)
	for name, visitor := range visitors(r) {
		for _, path := range visitor.somePages() {
			b.Run(strings.TrimSpace(name)+path, func(b *testing.B) {
				begin := cpu()
				for b.Loop() {
					visitor.get(path)
				}
				b.ReportMetric(float64(cpu()-begin)/float64(b.N)/1e6, "cpu-ms/op")
			})
		}
	}
}

// cpu is how long this process has worked.
func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // never fails
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// counter counts the items that are read from the stores.
type counter struct{ n atomic.Int64 }

func (c *counter) add(n int) { c.n.Add(int64(n)) }

// wrap puts the counter before the stores of an API.
func (c *counter) wrap(config *admin.Config) {
	config.Catalogs = countedTenants{config.Catalogs, c}
	config.CatalogDocuments = countedDocuments{config.CatalogDocuments, c}
	config.LedgerDocuments = countedDocuments{config.LedgerDocuments, c}
	config.States = countedStates{config.States, c}
	config.Events = countedRecords{config.Events, c}
	config.Searcher = operate.Searcher{
		Events:     countedEvents{config.Searcher.Events, c},
		Deliveries: countedDeliveries{config.Searcher.Deliveries, c},
		Records:    countedRecords{config.Searcher.Records, c}, Bodies: config.Searcher.Bodies,
		Endpoints: operate.EndpointsOf(config.Catalogs),
	}
	config.Statistics = operate.Statistics{
		Documents: config.LedgerDocuments, Events: countedEvents{config.Statistics.Events, c},
	}
}

type countedTenants struct {
	catalog.Tenants
	*counter
}

func (c countedTenants) For(tenant string) catalog.TenantStore {
	return countedStore{c.Tenants.For(tenant), c.counter}
}

type countedStore struct {
	catalog.TenantStore
	*counter
}

func (c countedStore) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	all, revision, err := c.TenantStore.LoadCatalog(ctx)
	c.add(len(all.Sources) + len(all.Endpoints) + len(all.Subscriptions))
	return all, revision, err
}

func (c countedStore) Resource(
	ctx context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	c.add(1)
	return c.TenantStore.Resource(ctx, kind, name)
}

func (c countedStore) Resources(
	ctx context.Context, kind catalog.Kind, after string, limit int,
) ([]catalog.Resource, string, error) {
	found, next, err := c.TenantStore.Resources(ctx, kind, after, limit)
	c.add(len(found))
	return found, next, err
}

func (c countedStore) Users(
	ctx context.Context, kind catalog.Kind, name string,
) ([]string, error) {
	found, err := c.TenantStore.Users(ctx, kind, name)
	c.add(len(found))
	return found, err
}

type countedDocuments struct {
	operate.Documents
	*counter
}

func (c countedDocuments) Document(
	ctx context.Context, collection, key string,
) (operate.Document, error) {
	c.add(1)
	return c.Documents.Document(ctx, collection, key)
}

func (c countedDocuments) DocumentsIn(
	ctx context.Context, collection string, r operate.DocumentRange,
) ([]operate.Document, string, error) {
	found, next, err := c.Documents.DocumentsIn(ctx, collection, r)
	c.add(len(found))
	return found, next, err
}

type countedStates struct {
	gate.EndpointStates
	*counter
}

func (c countedStates) EndpointState(
	ctx context.Context, endpoint string,
) (breaker.State, int64, error) {
	c.add(1)
	return c.EndpointStates.EndpointState(ctx, endpoint)
}

func (c countedStates) TroubledEndpoints(ctx context.Context) ([]string, error) {
	found, err := c.EndpointStates.TroubledEndpoints(ctx)
	c.add(len(found))
	return found, err
}

type countedRecords struct {
	operate.RecordReader
	*counter
}

func (c countedRecords) Event(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	record, deliveries, err := c.RecordReader.Event(ctx, id)
	c.add(1 + len(deliveries))
	return record, deliveries, err
}

func (c countedRecords) EventRecord(ctx context.Context, id string) (relay.EventRecord, error) {
	c.add(1)
	return c.RecordReader.EventRecord(ctx, id)
}

func (c countedRecords) Delivery(
	ctx context.Context, k relay.DeliveryKey,
) (relay.Delivery, error) {
	c.add(1)
	return c.RecordReader.Delivery(ctx, k)
}

type countedEvents struct {
	operate.EventLister
	*counter
}

func (c countedEvents) EventsIn(
	ctx context.Context, q operate.EventQuery,
) ([]operate.EventKey, relay.Page, error) {
	found, next, err := c.EventLister.EventsIn(ctx, q)
	c.add(len(found))
	return found, next, err
}

type countedDeliveries struct {
	operate.DeliveryLister
	*counter
}

func (c countedDeliveries) ListDeliveries(
	ctx context.Context, q operate.Query, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	found, next, err := c.DeliveryLister.ListDeliveries(ctx, q, from)
	c.add(len(found))
	return found, next, err
}
