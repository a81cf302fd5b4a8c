package dynamo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// TestAChangeInACatalogOfTenThousandEndpointsIsAFewWrites counts the operations of each edit's
// transaction, and their bytes.
func TestAChangeInACatalogOfTenThousandEndpointsIsAFewWrites(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	big := catalog.Catalog{Sources: []catalog.Source{
		{Name: "github", Verify: verify.Config{Provider: "none"}},
		{Name: "other", Verify: verify.Config{Provider: "none"}},
	}}
	for i := range 10_000 {
		name := fmt.Sprintf("endpoint-%05d", i)
		big.Endpoints = append(big.Endpoints, catalog.Endpoint{
			Name: name, URL: "https://example.com", Order: catalog.Order{On: i%2 == 0},
		})
		big.Subscriptions = append(big.Subscriptions, catalog.Subscription{
			Name: "to-" + name, Source: "github", Endpoint: name,
		})
	}
	must(t, dynamo.NewCatalog(client, table, sealer{}).For("acme").ReplaceCatalog(
		t.Context(), big, 0,
	))
	writes, bytes, others := 0, 0, 0
	counted := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		switch op {
		case "TransactWriteItems":
			var in struct{ TransactItems []json.RawMessage }
			must(t, json.Unmarshal(body, &in))
			writes, bytes = len(in.TransactItems), len(body)
		case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem":
			others++
		}
		return next(body)
	}), table, sealer{}).For("acme")
	put := func(r catalog.Resource) catalog.Edit { return catalog.Edit{Put: &r} }
	to := func(name, source, endpoint string) catalog.Edit {
		return put(catalog.SubscriptionResource(catalog.Subscription{
			Name: name, Source: source, Endpoint: endpoint,
		}))
	}
	for _, step := range []struct {
		what string
		edit catalog.Edit
	}{
		{"create an endpoint", put(catalog.EndpointResource(catalog.Endpoint{Name: "new"}))},
		{"order an endpoint", put(catalog.EndpointResource(catalog.Endpoint{
			Name: "new", Order: catalog.Order{On: true},
		}))},
		{"subscribe", to("new", "github", "new")},
		{"move a subscription", to("to-endpoint-00042", "other", "new")},
		{"unsubscribe", catalog.Edit{Kind: catalog.KindSubscription, Name: "to-endpoint-00043"}},
		{"delete an endpoint", catalog.Edit{Kind: catalog.KindEndpoint, Name: "endpoint-00043"}},
		{"create a source", put(catalog.SourceResource(catalog.Source{
			Name: "new", Verify: verify.Config{Provider: "none"},
		}))},
	} {
		step.edit.By, step.edit.Base = catalog.ManagedByFile, catalog.AnyRevision
		if _, err := counted.Edit(t.Context(), step.edit); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		t.Logf("%s: %d writes, a request of %d bytes", step.what, writes, bytes)
		if writes > 10 || others > 0 || bytes > 64<<10 {
			t.Errorf(
				"%s: %d writes in the transaction of %d bytes, %d others", step.what, writes,
				bytes, others,
			)
		}
	}
}

// TestAnEditCutShortAtAnyCallIsWholeOrNot cuts each of the calls of an edit.
func TestAnEditCutShortAtAnyCallIsWholeOrNot(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	edit := func(c *dynamo.Catalog, name string) error {
		r := catalog.EndpointResource(catalog.Endpoint{Name: name, URL: "https://example.com"})
		_, err := c.For("acme").Edit(t.Context(), catalog.Edit{Put: &r, By: catalog.ManagedByAPI})
		return err
	}
	whole := dynamo.NewCatalog(client, table, sealer{})
	must(t, edit(whole, "old"))
	for calls := 0; ; calls++ {
		limit := &cutAfter{left: calls}
		err := edit(dynamo.NewCatalog(newClient(t, limit.hook), table, sealer{}), "new")
		_, names, nameErr := whole.Names(t.Context(), "acme")
		must(t, nameErr)
		loaded, _, loadErr := whole.For("acme").LoadCatalog(t.Context())
		must(t, loadErr)
		if want := map[bool]int{true: 1, false: 2}[limit.cut]; len(names) != want ||
			len(loaded.Endpoints) != want {
			t.Fatalf("cut after %d calls: %d names, %d endpoints", calls, len(names),
				len(loaded.Endpoints))
		}
		if !limit.cut {
			must(t, err)
			if calls < 4 {
				t.Fatalf("the whole took %d calls: too few to prove anything", calls)
			}
			return
		}
		if err == nil {
			t.Fatalf("cut after %d calls and no error", calls)
		}
	}
}

// TestALostAnswerToAnEditIsNoConflict: the client repeats the transaction with the same token.
func TestALostAnswerToAnEditIsNoConflict(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	lossy := dynamo.NewCatalog(newClient(t, loseAnswers("TransactWriteItems", 1)), table, sealer{})
	r := catalog.EndpointResource(catalog.Endpoint{Name: "a", URL: "https://example.com"})
	revision, err := lossy.Edit(t.Context(), catalog.Edit{Put: &r, By: catalog.ManagedByAPI})
	if err != nil || revision != 1 {
		t.Errorf("revision %d, %v", revision, err)
	}
}

// TestAnEditGivesUpWhenOthersAreAlwaysFaster lets another edit come first each time.
func TestAnEditGivesUpWhenOthersAreAlwaysFaster(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	other := dynamo.NewCatalog(client, table, sealer{})
	put := func(c *dynamo.Catalog, name string) error {
		r := catalog.EndpointResource(catalog.Endpoint{Name: name, URL: "https://example.com"})
		_, err := c.Edit(t.Context(), catalog.Edit{Put: &r, Base: catalog.AnyRevision})
		return err
	}
	tries := 0
	slow := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if op == "TransactWriteItems" {
			tries++
			if err := put(other, fmt.Sprint("e-", tries)); err != nil {
				return nil, err
			}
		}
		return next(body)
	}), table, sealer{})
	if err := put(slow, "slow"); !errors.Is(err, catalog.ErrConflict) || tries < 3 {
		t.Errorf("%v after %d tries, want ErrConflict", err, tries)
	}
}
