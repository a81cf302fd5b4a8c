package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/verify"
)

// catalogOf returns a catalog in which every name shows which catalog it is. Writing it takes
// several calls.
func catalogOf(which string) catalog.Catalog {
	var c catalog.Catalog
	for i := range 30 {
		name := fmt.Sprintf("%s-%02d", which, i)
		c.Sources = append(
			c.Sources,
			catalog.Source{
				Name: name, Verify: verify.Config{Provider: "github"}, Secrets: []string{"secret"},
			},
		)
		c.Endpoints = append(
			c.Endpoints,
			catalog.Endpoint{
				Name: name, URL: "https://example.com", Secrets: []string{"whsec_c2VjcmV0"},
			},
		)
		c.Subscriptions = append(
			c.Subscriptions,
			catalog.Subscription{Name: name + "-" + name, Source: name, Endpoint: name},
		)
	}
	return c
}

func expectInForce(t *testing.T, c *dynamo.Catalog, want catalog.Catalog, revision int64) {
	t.Helper()
	got, at, err := c.LoadCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(catalog.Stamp{})); diff != "" ||
		at != revision {
		t.Fatalf(
			"revision %d, want %d; catalog (-want +got):\n%s", at, revision,
			diff[:min(len(diff), 2000)],
		)
	}
}

// inForce returns the generation in force.
func inForce(t *testing.T, c *dynamo.Catalog) catalog.Generation {
	t.Helper()
	s, err := c.State(t.Context(), "")
	must(t, err)
	return s.Generation
}

func replaceWith(t *testing.T, c *dynamo.Catalog, next catalog.Catalog, base int64) {
	t.Helper()
	if err := c.ReplaceCatalog(t.Context(), next, base); err != nil {
		t.Fatal(err)
	}
}

// cutAfter lets n calls through. All later calls fail before they arrive, as if the process had
// ended.
type cutAfter struct {
	mu   sync.Mutex
	left int
	cut  bool
}

func (c *cutAfter) hook(
	_ string, body []byte, next func([]byte) (*http.Response, error),
) (*http.Response, error) {
	c.mu.Lock()
	c.left--
	cut := c.left < 0
	c.cut = c.cut || cut
	c.mu.Unlock()
	if cut {
		return nil, errors.New("cut off")
	}
	return next(body)
}

func TestAReplacementCutShortAtAnyCallLeavesTheOldCatalog(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	whole := dynamo.NewCatalog(client, table, sealer{})
	replaceWith(t, whole, catalogOf("old"), 0)
	for calls := 0; ; calls++ {
		limit := &cutAfter{left: calls}
		err := dynamo.NewCatalog(newClient(t, limit.hook), table, sealer{}).ReplaceCatalog(
			t.Context(), catalogOf("new"), 1,
		)
		if !limit.cut {
			if err != nil {
				t.Fatal(err)
			}
			if calls < 6 {
				t.Fatalf("the whole took %d calls: too few to prove anything", calls)
			}
			break
		}
		if err == nil {
			t.Fatalf("cut after %d calls and no error", calls)
		}
		expectInForce(t, whole, catalogOf("old"), 1)
	}
	expectInForce(t, whole, catalogOf("new"), 2)
}

func TestALostAnswerToTheLastCallIsNoConflict(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	puts := 0
	lossy := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		resp, err := next(body)
		if op == "PutItem" {
			if puts++; puts == 2 { // the first item is the register's entry
				_ = resp.Body.Close()
				return nil, &lostError{}
			}
		}
		return resp, err
	}), table, sealer{})
	replaceWith(t, lossy, catalogOf("new"), 0)
	if puts != 3 {
		t.Errorf("%d puts: no answer was lost", puts)
	}
	expectInForce(t, dynamo.NewCatalog(client, table, sealer{}), catalogOf("new"), 1)
}

func TestOfTwoReplacementsOneWins(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, sealer{})
	errs := map[string]error{}
	overtaken := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		// before the pointer moves, the other replacement does
		if op == "PutItem" && bytes.Contains(body, []byte("attribute_not_exists")) {
			errs["quick"] = c.ReplaceCatalog(t.Context(), catalogOf("quick"), 0)
		}
		return next(body)
	}), table, sealer{})
	errs["slow"] = overtaken.ReplaceCatalog(t.Context(), catalogOf("slow"), 0)
	if errs["quick"] != nil || !errors.Is(errs["slow"], catalog.ErrConflict) {
		t.Errorf("errors %v, want ErrConflict for the slow one alone", errs)
	}
	expectInForce(t, c, catalogOf("quick"), 1)
}

func TestReplacingAsksAgainForWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	var mu sync.Mutex
	left := 0
	c := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if op != "BatchWriteItem" {
			return next(body)
		}
		var in struct{ RequestItems map[string][]any }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		all := in.RequestItems[table]
		half := (len(all) + 1) / 2
		in.RequestItems[table] = all[:half]
		cut, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		return mend(next, cut, func(out map[string]any) {
			if half < len(all) {
				mu.Lock()
				left++
				mu.Unlock()
				out["UnprocessedItems"] = map[string]any{table: all[half:]}
			}
		})
	}), table, sealer{})
	replaceWith(t, c, catalogOf("new"), 0)
	if left == 0 {
		t.Error("nothing was handed back")
	}
	expectInForce(t, c, catalogOf("new"), 1)
}

// age changes a generation's times so that it was begun, and if it is retired also retired, d ago.
func age(t *testing.T, table, generation string, d time.Duration) {
	t.Helper()
	for _, attribute := range []string{"created_at", "retired_at"} {
		_, err := sdk(t).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table,
			Key: map[string]types.AttributeValue{
				dynamo.PartitionKey: &types.AttributeValueMemberS{Value: "generations"},
				dynamo.SortKey:      &types.AttributeValueMemberS{Value: generation}},
			UpdateExpression:    aws.String("SET " + attribute + " = :at"),
			ConditionExpression: aws.String("attribute_exists(" + attribute + ")"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":at": &types.AttributeValueMemberN{
					Value: strconv.FormatInt(time.Now().Add(-d).Unix(), 10),
				}},
		})
		var never *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &never) {
			t.Fatal(err)
		}
	}
}

// generations returns the number of items of each registered generation. It fails the test if a
// generation that is not registered has items.
func generations(t *testing.T, table string) map[string]int {
	t.Helper()
	registered, items := map[string]int{}, map[string]int{}
	for _, it := range scan(t, table) {
		switch partition := text(it, dynamo.PartitionKey); partition {
		case "generations":
			registered[text(it, dynamo.SortKey)] = 0
		case "catalog":
		default:
			items[partition]++
		}
	}
	for generation, n := range items {
		if _, ok := registered[generation]; !ok {
			t.Errorf("%d items of generation %s, which is not in the register", n, generation)
		}
		registered[generation] = n
	}
	return registered
}

// newest returns the generation that is in now but not in before.
func newest(t *testing.T, before, now map[string]int) string {
	t.Helper()
	for generation := range now {
		if _, ok := before[generation]; !ok {
			return generation
		}
	}
	t.Fatal("no new generation")
	return ""
}

func TestOldGenerationsAreDeletedAndNoOthers(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, sealer{})
	abandon := func() string {
		t.Helper()
		before := generations(t, table)
		limit := &cutAfter{left: 4} // after its entry in the register and a batch
		_ = dynamo.NewCatalog(newClient(t, limit.hook), table, sealer{}).ReplaceCatalog(
			t.Context(), catalogOf("never"), 2,
		)
		if !limit.cut {
			t.Fatal("was not cut short")
		}
		return newest(t, before, generations(t, table))
	}
	revision := int64(0)
	replaced := func() string {
		t.Helper()
		before := generations(t, table)
		replaceWith(t, c, catalogOf(fmt.Sprint("c", revision)), revision)
		revision++
		return newest(t, before, generations(t, table))
	}
	expect := func(when string, want map[string]bool) {
		t.Helper()
		left := generations(t, table)
		for generation, there := range want {
			if _, ok := left[generation]; ok != there {
				t.Errorf("%s: generation %s is there: %t, want %t", when, generation, ok, there)
			}
		}
	}
	first, second := replaced(), replaced()
	abandoned, underWay := abandon(), abandon()
	age(t, table, first, 24*time.Hour)
	age(t, table, second, 24*time.Hour)
	age(t, table, abandoned, 61*time.Minute)
	age(t, table, underWay, 50*time.Minute)

	third := replaced() // marks the first and the abandoned one as out of force
	expect(
		"at first",
		map[string]bool{first: true, second: true, abandoned: true, underWay: true, third: true},
	)
	age(t, table, first, 119*time.Minute)
	age(t, table, abandoned, 121*time.Minute)
	replaced() // marks the second one, a day after it was written
	expect(
		"two hours later",
		map[string]bool{first: true, second: true, abandoned: false, underWay: true, third: true},
	)
	age(t, table, first, 121*time.Minute)
	replaced()
	expect("at last", map[string]bool{first: false, second: true, underWay: true, third: true})
	expectInForce(t, c, catalogOf("c4"), 5)
}

// TestWhoHasNotLookedAgainReadsTheReplacedGeneration replaces the catalog many times after a reader
// has polled the generation in force.
func TestWhoHasNotLookedAgainReadsTheReplacedGeneration(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, sealer{})
	replaceWith(t, c, catalogOf("old"), 0)
	old := inForce(t, c)
	for revision := range int64(3) {
		age(t, table, string(old), 119*time.Minute)
		replaceWith(t, c, catalogOf("new"), revision+1)
	}
	if s, err := c.Source(t.Context(), old, "old-00"); err != nil || s.Secrets[0] != "secret" {
		t.Errorf("source: %+v, %v", s, err)
	}
	if e, err := c.Endpoint(t.Context(), old, "old-00"); err != nil || e.URL == "" {
		t.Errorf("endpoint: %+v, %v", e, err)
	}
	if subs, err := c.Subscriptions(t.Context(), old, "", "old-00"); err != nil || len(subs) != 1 {
		t.Errorf("%d subscriptions, %v", len(subs), err)
	}
	names := 0
	for shard := range catalog.NameShards {
		some, err := c.EndpointNames(t.Context(), old, "", shard)
		must(t, err)
		names += len(some)
	}
	if names != 30 {
		t.Errorf("%d names", names)
	}
}

func TestALookUpIsOneCall(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	var operations []string
	c := dynamo.NewCatalog(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		operations = append(operations, op)
		return next(body)
	}), table, sealer{})
	replaceWith(t, c, catalogOf("a"), 0)
	g := inForce(t, c)
	for name, look := range map[string]func() error{
		"generation": func() error { _, err := c.State(t.Context(), ""); return err },
		"source": func() error {
			_, err := c.Source(t.Context(), g, "a-00")
			return err
		},
		"endpoint": func() error {
			_, err := c.Endpoint(t.Context(), g, "a-00")
			return err
		},
		"subscriptions": func() error {
			_, err := c.Subscriptions(t.Context(), g, "", "a-00")
			return err
		},
		"names of sources": func() error {
			_, err := c.SourceNames(t.Context(), g, "", 0)
			return err
		},
		"names of endpoints": func() error {
			_, err := c.EndpointNames(t.Context(), g, "", 0)
			return err
		},
		"an unknown endpoint": func() error {
			if _, err := c.Endpoint(t.Context(), g, "none"); !errors.Is(err, catalog.ErrNotFound) {
				return fmt.Errorf("%w, want ErrNotFound", err)
			}
			return nil
		},
	} {
		operations = nil
		if err := look(); err != nil || len(operations) != 1 {
			t.Errorf("%s: %v, %v", name, operations, err)
		}
	}
}

func TestSecretsAndStaticHeadersAreSealed(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	replaceWith(t, dynamo.NewCatalog(client, table, sealer{}), catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "a", Verify: verify.Config{Provider: "github"}, Secrets: []string{"hidden-1"}},
		},
		Endpoints: []catalog.Endpoint{{Name: "b", URL: "https://example.com",
			Secrets: []string{"hidden-2"},
			Header: map[string]string{
				"authorization": "hidden-3",
			}, Auth: &catalog.Auth{Bearer: "hidden-4"}}},
	}, 0)
	sealed := map[string]string{}
	for _, it := range scan(t, table) {
		for name, value := range it {
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				if strings.Contains(v.Value, "hidden") {
					t.Errorf("%s of %s tells a secret: %s", name, text(it, dynamo.SortKey), v.Value)
				}
			case *types.AttributeValueMemberB:
				under, _, _ := strings.Cut(string(v.Value), "\x00")
				sealed[text(it, dynamo.SortKey)] = under
			}
		}
	}
	if diff := cmp.Diff(
		map[string]string{"source#a": "source/a", "endpoint#b": "endpoint/b"}, sealed,
	); diff != "" {
		t.Errorf("name that each item's secrets are sealed under (-want +got):\n%s", diff)
	}
}

func TestSubscriptionsNeedNoSealer(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	replaceWith(t, dynamo.NewCatalog(client, table, sealer{}), catalogOf("a"), 0)
	c := dynamo.NewCatalog(client, table, nil)
	subs, err := c.Subscriptions(t.Context(), inForce(t, c), "", "a-00")
	if err != nil || len(subs) != 1 {
		t.Errorf("%d subscriptions, %v, want 1", len(subs), err)
	}
}

// An endpoint written by an earlier version has no retiring secrets and no proof, and does not say
// who made its secrets.
func TestAnEndpointOfAnEarlierVersionIsRead(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, sealer{})
	replaceWith(t, c, catalogOf("a"), 0)
	sealed, err := sealer{}.Seal(
		t.Context(), "endpoint/old", []byte(`{"secrets":["s"],"header":{"x-env":"prod"}}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sdk(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table,
		Item: map[string]types.AttributeValue{
			dynamo.PartitionKey: &types.AttributeValueMemberS{
				Value: newest(t, nil, generations(t, table)),
			},
			dynamo.SortKey: &types.AttributeValueMemberS{Value: "endpoint#old"},
			"doc": &types.AttributeValueMemberS{
				Value: `{"v":1,"url":"https://old.example.com","scheduleNs":null}`,
			},
			"sealed": &types.AttributeValueMemberB{Value: sealed},
		}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Endpoint(t.Context(), inForce(t, c), "old")
	want := catalog.Endpoint{
		Name: "old", URL: "https://old.example.com", Secrets: []string{"s"},
		Header: map[string]string{"x-env": "prod"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAForeignVersionIsUnreadable(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, sealer{})
	replaceWith(t, c, catalogOf("a"), 0)
	_, err := sdk(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table,
		Item: map[string]types.AttributeValue{
			dynamo.PartitionKey: &types.AttributeValueMemberS{
				Value: newest(t, nil, generations(t, table)),
			},
			dynamo.SortKey: &types.AttributeValueMemberS{Value: "source#a-00"},
			"doc":          &types.AttributeValueMemberS{Value: `{"v":2}`},
		}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Source(t.Context(), inForce(t, c), "a-00"); !errors.Is(err, format.ErrFormat) {
		t.Errorf("error %v, want ErrFormat", err)
	}
}

func TestACatalogOfThousandsOfItems(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	c := dynamo.NewCatalog(client, createTable(t), sealer{})
	want := catalog.Catalog{
		Sources: []catalog.Source{{Name: "github", Verify: verify.Config{Provider: "none"}}},
	}
	for i := range 4500 {
		name := fmt.Sprintf("endpoint-%04d", i)
		want.Endpoints = append(
			want.Endpoints,
			catalog.Endpoint{
				Name: name, URL: "https://example.com", Secrets: []string{"whsec_c2VjcmV0"},
			},
		)
		want.Subscriptions = append(
			want.Subscriptions,
			catalog.Subscription{Name: "github-" + name, Source: "github", Endpoint: name},
		)
	}
	replaceWith(t, c, want, 0)
	expectInForce(t, c, want, 1)
	_, names, err := c.Names(t.Context(), "")
	if err != nil || len(names) != len(want.Endpoints) {
		t.Errorf("%d names, %v", len(names), err)
	}
	subs, err := c.Subscriptions(t.Context(), inForce(t, c), "", "github")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		want.Subscriptions, subs, cmpopts.IgnoreTypes(catalog.Stamp{}),
	); diff != "" {
		t.Errorf("subscriptions (-want +got):\n%s", diff[:min(len(diff), 2000)])
	}
}
