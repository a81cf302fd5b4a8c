package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// CatalogUnderTest is everything that a catalog's adapter implements, without a cache in front of
// it.
type CatalogUnderTest interface {
	catalog.Sources
	catalog.LearnedSecrets
	catalog.LearningWindows
	catalog.Subscriptions
	catalog.Types
	catalog.Endpoints
	catalog.TenantStore // the operator's
	catalog.Tenants
	catalog.Names
	catalog.ListeningMarks
	catalog.TenantRates
}

// Catalog tests a catalog: the three ports through which stages read it, and the port through which
// operators write it.
func Catalog(t *testing.T, fresh func(t *testing.T) CatalogUnderTest) {
	tests := map[string]func(*testing.T, CatalogUnderTest){
		"a new store has an empty catalog of revision 0":   catalogNew,
		"what is not in it is not found":                   catalogNotFound,
		"types can be read by themselves":                  catalogTypes,
		"every field comes back":                           catalogFields,
		"no schedule and an empty schedule are two things": catalogSchedules,
		"sources and endpoints are sorted":                 catalogSorted,
		"subscriptions keep the operator's order":          catalogOrder,
		"five hundred subscriptions of one source":         catalogManySubscriptions,
		"it is replaced as a whole":                        catalogReplaced,
		"it can be emptied":                                catalogEmptied,
		"a replacement of another revision is refused":     catalogConflict,
		"its names can be had by themselves":               catalogNames,
		"of concurrent replacements exactly one wins":      catalogConcurrent,
		"readers see the old catalog or the new one":       catalogReaders,
		"one source's subscriptions are not another's":     catalogPrefix,
		"the same catalog in its place has a new revision": catalogSame,
		"a source without secrets learns one, once":        catalogLearns,
		"of concurrent handshakes exactly one wins":        catalogLearnsConcurrently,
		"a secret is learned in an open window alone":      catalogWindows,
		"a window outlives a replacement":                  catalogWindowsOutlive,
		"a replacement forgets what it does not have":      catalogForgets,
		"a replacement undoes no secret unknowingly":       catalogKeepsLearned,
		"a rotation keeps a secret learned meanwhile":      catalogRotates,
		"a source that is removed and restored knows none": catalogRestored,
		"handshakes and replacements in any order":         catalogLearnsAmidst,
		"a generation has a name of its own":               catalogGenerations,
		"a mark of listeners is beside the catalog":        catalogListening,
		"the rates of a tenant are beside its catalog":     catalogRates,
		"the rates of a tenant without a catalog":          catalogRatesAlone,
	}
	maps.Copy(tests, editing)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// sameCatalog lets an adapter return empty instead of nil, except where the two differ in meaning.
// It leaves out the stamps.
var sameCatalog = cmp.Options{
	cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() != ".Schedule"
	}, cmpopts.EquateEmpty()),
	cmpopts.IgnoreTypes(catalog.Stamp{}),
}

func catalogTypes(t *testing.T, c CatalogUnderTest) {
	full := fullCatalog()
	must(t, "replace", c.ReplaceCatalog(t.Context(), full, 0))
	state, err := c.State(t.Context(), "")
	must(t, "state", err)
	for _, s := range full.Sources {
		got, err := c.EventTypes(t.Context(), state.Generation, s.Name)
		want := catalog.EventTypes{Types: s.Types, Validation: s.Validation}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", s.Name, err, diff)
		}
	}
	_, err = c.EventTypes(t.Context(), state.Generation, "nobody")
	if !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("types of nobody: %v, want not found", err)
	}
}

func source(name string) catalog.Source {
	return catalog.Source{
		Name: name, Verify: verify.Config{Provider: "github"},
		Secrets: []string{"secret of " + name},
	}
}

func endpoint(name string) catalog.Endpoint {
	return catalog.Endpoint{
		Name: name, URL: "https://" + name + ".example.com/hooks",
		Secrets: []string{"whsec_c2VjcmV0"},
	}
}

// fullCatalog returns a catalog in which every field of every type is set somewhere, in the order
// of LoadCatalog.
func fullCatalog() catalog.Catalog {
	return catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "crm", Secrets: []string{"new \x00é\"", "old"},
				Verify: verify.Config{
					Provider: "hmac",
					HMAC: &verify.HMAC{Header: "x-sig", Algorithm: "sha512", Encoding: "base64",
						Prefix:  "sha512=",
						Payload: "{id}.{timestamp}.{body}", TimestampHeader: "x-ts",
						IDHeader: "x-id", Tolerance: 90 * time.Second},
					EventType: &verify.Locator{JSON: "event.kind"},
					EventID:   &verify.Locator{Header: "x-delivery"},
				}},
			{Name: "hub", Secrets: []string{"token"}, Verify: verify.Config{
				Provider: "github", AllowedIPs: []string{"192.0.2.0/24"},
				URL: "https://in.example.com/in/hub?a=b",
				Settings: map[string]string{
					"verify_token": "é\"", "topic": "t",
				}, EventID: &verify.Locator{Body: true},
			}},
			{
				Name: "open", Verify: verify.Config{Provider: "none"},
				Tenant:    &catalog.TenantOf{JSON: "account.id", Optional: true},
				ManagedBy: catalog.ManagedByAPI, Validation: catalog.Refuse, Expect: 26 * time.Hour,
				Types: []catalog.EventType{
					{
						Name: "a.b", Description: "<é>", Schema: ` {"type": "object"}`,
						Example: `{"n": 1.0}`, Deprecated: true,
					},
					{Name: "c", Schema: `{"enum": [` + strings.Repeat(`"repeated", `, 900) + `1]}`},
				},
			},
		},
		Endpoints: []catalog.Endpoint{
			{
				Name: "billing", URL: "https://billing.example.com",
				Secrets: []string{"whsec_YmlsbGluZw=="}, ManagedBy: catalog.ManagedByAPI,
			},
			{
				Name: "bus", URL: "arn:aws:events:eu-central-1:123456789012:event-bus/shop",
				Secrets: []string{"whsec_YnVz"}, Destination: &destination.Options{
					Envelope: destination.JSON, Group: "{data.é}", DetailType: "<{type}>",
					BusSource: "shop", Wait: true, Stream: "{type}", Region: "eu-west-3",
					Claim: destination.ClaimS3,
				},
				Auth: &catalog.Auth{SigV4: &catalog.SigV4{
					Service: "events", Region: "eu-central-1", ExternalID: "x",
					Role: "arn:aws:iam::999999999999:role/relay",
				}},
			},
			{Name: "knows-another", URL: "https://other.example.com",
				Secrets: []string{"whsk_c2VjcmV0"}, Auth: &catalog.Auth{
					Signature: &catalog.Signature{
						Provider: "hmac", Secret: "s\x00é", Alone: true,
						HMAC: &verify.HMAC{Header: "X-Sig", Tolerance: time.Minute},
					}}},
			{Name: "shipping", URL: "http://127.0.0.1:9999/hooks?key=a%20b", Secrets: []string{
				"whsec_bmV3", "whsec_b2xk",
			},
				Header: map[string]string{
					"x-env": "prod", "authorization": "Bearer é",
				}, Timeout: 12500 * time.Millisecond,
				Schedule: []time.Duration{time.Second, 5 * time.Minute, 24 * time.Hour},
				Order:    catalog.Order{On: true, Key: "data.é"},
				MaxAge:   30 * time.Hour, Final: []string{"4xx", "501"}, RateLimit: 50,
				RatePer: time.Minute, Concurrency: 10,
				Sends: map[string]string{
					"partner": ` {"preset": "slack", "text": "<é> {data.n} \u003e"}`,
				},
				SecretsMade: true, Prove: catalog.ProveOptions, Retiring: []catalog.RetiringSecret{
					{Secret: "whsec_b2xkZXI=", Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
				TLS: &catalog.TLS{
					Certificate: []byte("-----BEGIN\nc"), Key: []byte("k\n"),
					Authorities: []byte("a"),
				},
				Auth: &catalog.Auth{ // a checked catalog has only one of these
					Basic: &catalog.BasicAuth{
						Username: "é", Password: "p\n",
					}, Bearer: "b", APIKey: &catalog.APIKey{Header: "h", Query: "q", Value: "v"},
					OAuth2: &catalog.OAuth2{
						TokenURL: "https://t.example.com", ClientID: "i", ClientSecret: "s",
						Scopes: []string{"a", "b"}, Audience: "x", InBody: true,
					},
					SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"}}},
		},
		Subscriptions: []catalog.Subscription{
			{Name: "crm-shipping", Source: "crm", Endpoint: "shipping", Types: []string{"z.*", "a"},
				Filter: ` {"data": {"é <&>\u003e": [1.0, {"numeric": [">", 1e2]}]}}`},
			{
				Name: "named", Source: "crm", Endpoint: "billing",
				ManagedBy: catalog.ManagedByPortal,
			},
			{Name: "open-billing", Source: "open", Endpoint: "billing", Types: []string{"*"}},
		},
	}
}

// replace replaces the current catalog by want and returns the new revision.
func replace(t *testing.T, c CatalogUnderTest, want catalog.Catalog) int64 {
	t.Helper()
	_, base, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	catalog.NameSubscriptions(want.Subscriptions)
	must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), want, base))
	_, revision, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	if revision <= base {
		t.Fatalf("revision %d after revision %d", revision, base)
	}
	return revision
}

// expectCatalog reads all of want through each port.
func expectCatalog(t *testing.T, c CatalogUnderTest, want catalog.Catalog) {
	t.Helper()
	got, _, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "catalog", want, got, sameCatalog)
	for _, s := range want.Sources {
		got, err := c.Source(t.Context(), generation(t, c), s.Name)
		must(t, "Source", err)
		equal(t, "source", s, got, sameCatalog)
		subs, err := c.Subscriptions(t.Context(), generation(t, c), "", s.Name)
		must(t, "Subscriptions", err)
		equal(
			t, "subscriptions of "+s.Name, of(want, s.Name), subs, sameCatalog, ignoreManager,
		)
	}
	for _, e := range want.Endpoints {
		got, err := c.Endpoint(t.Context(), generation(t, c), e.Name)
		must(t, "Endpoint", err)
		equal(t, "endpoint", e, got, sameCatalog)
	}
}

// generation returns the current generation.
func generation(t *testing.T, c CatalogUnderTest) catalog.Generation {
	t.Helper()
	return stateOf(t, c, "").Generation
}

// stateOf returns the current state of a tenant's catalog.
func stateOf(t *testing.T, c CatalogUnderTest, tenant string) catalog.State {
	t.Helper()
	s, err := c.State(t.Context(), tenant)
	must(t, "State", err)
	return s
}

// of returns a source's subscriptions.
func of(c catalog.Catalog, source string) []catalog.Subscription {
	return slices.DeleteFunc(slices.Clone(c.Subscriptions), func(s catalog.Subscription) bool {
		return s.Source != source
	})
}

func catalogNew(t *testing.T, c CatalogUnderTest) {
	got, revision, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "catalog", catalog.Catalog{}, got, sameCatalog)
	equal(t, "revision", int64(0), revision)
}

func catalogNotFound(t *testing.T, c CatalogUnderTest) {
	for _, fill := range []func(){func() {}, func() { replace(t, c, fullCatalog()) }} {
		fill()
		if _, err := c.Source(t.Context(), generation(t, c), "unknown"); !errors.Is(
			err, catalog.ErrNotFound,
		) {
			t.Errorf("Source: %v, want ErrNotFound", err)
		}
		if _, err := c.Endpoint(t.Context(), generation(t, c), "crm"); !errors.Is(
			err, catalog.ErrNotFound,
		) {
			t.Errorf("Endpoint by a source's name: %v, want ErrNotFound", err)
		}
		subs, err := c.Subscriptions(t.Context(), generation(t, c), "", "unknown")
		must(t, "Subscriptions of an unknown source", err)
		equal(t, "subscriptions of an unknown source", 0, len(subs))
	}
}

func catalogFields(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	expectCatalog(t, c, fullCatalog())
}

func catalogSchedules(t *testing.T, c CatalogUnderTest) {
	standard, single := endpoint("standard"), endpoint("single")
	single.Schedule = []time.Duration{}
	replace(t, c, catalog.Catalog{Endpoints: []catalog.Endpoint{standard, single}})
	expectCatalog(t, c, catalog.Catalog{Endpoints: []catalog.Endpoint{single, standard}})
}

func catalogSorted(t *testing.T, c CatalogUnderTest) {
	var want catalog.Catalog
	for _, name := range []string{"a", "a-b", "a1", "ab", "b"} {
		want.Sources, want.Endpoints = append(want.Sources, source(name)),
			append(want.Endpoints, endpoint(name))
	}
	given := catalog.Catalog{
		Sources: slices.Clone(want.Sources), Endpoints: slices.Clone(want.Endpoints),
	}
	slices.Reverse(given.Sources)
	slices.Reverse(given.Endpoints)
	replace(t, c, given)
	expectCatalog(t, c, want)
}

func catalogOrder(t *testing.T, c CatalogUnderTest) {
	given := catalog.Catalog{Sources: []catalog.Source{source("a"), source("b")}}
	for i, name := range []string{"z", "m", "a", "y", "n", "b"} {
		given.Endpoints = append(given.Endpoints, endpoint(name))
		given.Subscriptions = append(
			given.Subscriptions,
			catalog.Subscription{Source: []string{"b", "a"}[i%2], Endpoint: name},
		)
	}
	replace(t, c, given)
	got, _, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	for _, s := range []string{"a", "b"} {
		equal(t, "subscriptions of "+s, of(given, s), of(got, s), sameCatalog)
		subs, err := c.Subscriptions(t.Context(), generation(t, c), "", s)
		must(t, "Subscriptions", err)
		equal(t, "subscriptions of "+s, of(given, s), subs, sameCatalog)
	}
	var groups []string
	for _, s := range got.Subscriptions {
		groups = append(groups, s.Source)
	}
	equal(t, "groups of subscriptions", 2, len(slices.Compact(groups)))
}

func catalogManySubscriptions(t *testing.T, c CatalogUnderTest) {
	want := catalog.Catalog{Sources: []catalog.Source{source("github")}}
	// a hundred of them are larger than an item of DynamoDB can be
	filter := strings.Repeat("f", 4096)
	for i := range 500 {
		e := endpoint(fmt.Sprintf("endpoint-%03d", i))
		want.Endpoints = append(want.Endpoints, e)
		want.Subscriptions = append(want.Subscriptions, catalog.Subscription{Source: "github",
			Endpoint: e.Name,
			Types:    []string{strings.Repeat("t", 100), fmt.Sprint(i)}, Filter: filter})
		if i == 150 {
			filter = ""
		}
	}
	slices.Reverse(want.Subscriptions)
	replace(t, c, want)
	got, _, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "catalog", want, got, sameCatalog)
	subs, err := c.Subscriptions(t.Context(), generation(t, c), "", "github")
	must(t, "Subscriptions", err)
	equal(t, "subscriptions", want.Subscriptions, subs, sameCatalog)
}

func catalogReplaced(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	next := catalog.Catalog{
		Sources:       []catalog.Source{source("crm"), source("stripe")},
		Endpoints:     []catalog.Endpoint{endpoint("shipping")},
		Subscriptions: []catalog.Subscription{{Source: "stripe", Endpoint: "shipping"}},
	}
	replace(t, c, next)
	expectCatalog(t, c, next)
	if _, err := c.Source(t.Context(), generation(t, c), "open"); !errors.Is(
		err, catalog.ErrNotFound,
	) {
		t.Errorf("a source that was left out: %v, want ErrNotFound", err)
	}
	if _, err := c.Endpoint(t.Context(), generation(t, c), "billing"); !errors.Is(
		err, catalog.ErrNotFound,
	) {
		t.Errorf("an endpoint that was left out: %v, want ErrNotFound", err)
	}
	subs, err := c.Subscriptions(t.Context(), generation(t, c), "", "open")
	must(t, "Subscriptions", err)
	equal(t, "subscriptions of a source that was left out", 0, len(subs))
}

func catalogEmptied(t *testing.T, c CatalogUnderTest) {
	replace(t, c, fullCatalog())
	replace(t, c, catalog.Catalog{})
	expectCatalog(t, c, catalog.Catalog{})
}

func catalogConflict(t *testing.T, c CatalogUnderTest) {
	first := replace(t, c, catalog.Catalog{Sources: []catalog.Source{source("a")}})
	second := replace(t, c, fullCatalog())
	for _, base := range []int64{0, first, second + 1} {
		err := c.ReplaceCatalog(
			t.Context(), catalog.Catalog{Sources: []catalog.Source{source("b")}}, base,
		)
		if !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a replacement of revision %d at %d: %v, want ErrConflict", base, second, err)
		}
	}
	expectCatalog(t, c, fullCatalog())
	_, revision, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "revision", second, revision)
}

func catalogConcurrent(t *testing.T, c CatalogUnderTest) {
	for range 3 {
		_, base, err := c.LoadCatalog(t.Context())
		must(t, "LoadCatalog", err)
		candidate := func(i int) catalog.Catalog {
			return catalog.Catalog{
				Sources: []catalog.Source{source(fmt.Sprintf("s-%d-%d", base, i))},
			}
		}
		errs := atOnce(6, func(i int) error {
			return c.ReplaceCatalog(t.Context(), candidate(i), base)
		})
		winner := slices.Index(errs, nil)
		if winner < 0 {
			t.Fatalf("no replacement was accepted; the first: %v", errs[0])
		}
		for i, err := range errs {
			if i != winner && !errors.Is(err, catalog.ErrConflict) {
				t.Fatalf("a second replacement of revision %d: %v, want ErrConflict", base, err)
			}
		}
		expectCatalog(t, c, candidate(winner))
	}
}

// catalogReaders reads while it replaces catalogs. All names of one catalog have the same number,
// so a mixed catalog is noticed.
func catalogReaders(t *testing.T, c CatalogUnderTest) {
	numbered := func(n int) catalog.Catalog {
		var next catalog.Catalog
		for i := range 40 {
			name := fmt.Sprintf("n%d-%02d", n, i)
			next.Sources, next.Endpoints = append(next.Sources, source(name)),
				append(next.Endpoints, endpoint(name))
			next.Subscriptions = append(
				next.Subscriptions, catalog.Subscription{Source: name, Endpoint: name},
			)
		}
		catalog.NameSubscriptions(next.Subscriptions)
		return next
	}
	replace(t, c, numbered(0))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	seen := make(chan string, 1)
	go func() {
		defer close(seen)
		for ctx.Err() == nil {
			got, _, err := c.LoadCatalog(t.Context())
			if err != nil {
				seen <- "LoadCatalog: " + err.Error()
				return
			}
			var n int
			if len(got.Sources) > 0 {
				_, _ = fmt.Sscanf(got.Sources[0].Name, "n%d-", &n)
			}
			if diff := cmp.Diff(numbered(n), got, sameCatalog); diff != "" {
				seen <- "a mixed catalog (-want +got):\n" + diff[:min(len(diff), 2000)]
				return
			}
		}
	}()
	for n := range 5 {
		replace(t, c, numbered(n+1))
	}
	stop()
	if complaint, ok := <-seen; ok {
		t.Fatal(complaint)
	}
}

func catalogPrefix(t *testing.T, c CatalogUnderTest) {
	want := catalog.Catalog{
		Sources:   []catalog.Source{source("git"), source("git-2"), source("github")},
		Endpoints: []catalog.Endpoint{endpoint("a"), endpoint("b"), endpoint("c")},
		Subscriptions: []catalog.Subscription{
			{Source: "git", Endpoint: "a"}, {Source: "git-2", Endpoint: "b"}, {
				Source: "github", Endpoint: "c",
			}},
	}
	replace(t, c, want)
	expectCatalog(t, c, want)
}

func catalogSame(t *testing.T, c CatalogUnderTest) {
	first := replace(t, c, fullCatalog())
	if second := replace(t, c, fullCatalog()); second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	expectCatalog(t, c, fullCatalog())
}

func catalogGenerations(t *testing.T, c CatalogUnderTest) {
	seen := map[catalog.Generation]bool{generation(t, c): true}
	equal(t, "generation of a catalog that nobody has changed", generation(t, c), generation(t, c))
	for i := range 3 {
		want := catalog.Catalog{
			Sources:   []catalog.Source{source("a")},
			Endpoints: []catalog.Endpoint{endpoint(fmt.Sprint("e-", i)), endpoint("shared")},
		}
		replace(t, c, want)
		g := generation(t, c)
		if seen[g] {
			t.Errorf("generation %q once more", g)
		}
		seen[g] = true
		equal(t, "names of sources", []string{"a"}, inShards(t, func(n int) ([]string, error) {
			return c.SourceNames(t.Context(), g, "", n)
		}))
		equal(
			t, "names of endpoints", []string{fmt.Sprint("e-", i), "shared"},
			inShards(t, func(n int) ([]string, error) {
				return c.EndpointNames(t.Context(), g, "", n)
			}),
		)
	}
	for g := range seen { // as a reader that has not asked for the current generation since
		_, err := c.Source(t.Context(), g, "a")
		if _, absent := c.Source(t.Context(), g, "b"); !errors.Is(absent, catalog.ErrNotFound) {
			t.Errorf("a source that is in no generation: %v", absent)
		}
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("a source in generation %q: %v", g, err)
		}
	}
}

// inShards returns the names of all shards, sorted. Each must be in its own shard.
func inShards(t *testing.T, read func(shard int) ([]string, error)) (all []string) {
	t.Helper()
	for shard := range catalog.NameShards {
		names, err := read(shard)
		must(t, "names", err)
		for _, name := range names {
			equal(t, "shard of "+name, shard, catalog.ShardOf(name, catalog.NameShards))
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return all
}

func catalogNames(t *testing.T, c CatalogUnderTest) {
	for revision, want := range [][]string{{"b", "a"}, {"c"}, nil} {
		var next catalog.Catalog
		for _, name := range want {
			next.Sources, next.Endpoints = append(next.Sources, source(name)),
				append(next.Endpoints, endpoint(name+"-endpoint"))
		}
		must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), next, int64(revision)))
		sources, endpoints, err := c.Names(t.Context(), "")
		must(t, "Names", err)
		slices.Sort(want)
		equal(t, "sources", want, sources, cmpopts.EquateEmpty())
		for i := range want {
			want[i] += "-endpoint"
		}
		equal(t, "endpoints", want, endpoints, cmpopts.EquateEmpty())
	}
}
