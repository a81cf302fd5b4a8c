package dynamo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/schema"
	"webhook-relay/shared/verify"
)

var update = flag.Bool(
	"update", false,
	"write golden files that do not exist yet; those of a released version never change",
)

// The files in testdata are the items that a version of the code has written, one a line, complete.
// Random values and the time of writing are replaced by these.
const (
	generation = "GENERATION"
	replaced   = "REPLACED"
	mark       = "MARK"
	longFrom   = "4102444800" // 2100, in Unix seconds
)

var (
	at      = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	expires = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	eventID = relay.EventID("", "github", "1")

	sampleEvents = []relay.EventRecord{
		{
			Event: relay.Event{ID: eventID, Receipt: "receipt", Source: "github", Type: "push",
				Trust: verify.Verified, ReceivedAt: at,
				Header: relay.Header{
					"content-type": "application/json",
				}, Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				Body: []byte(`{"a": "<&>é"}`)},
			MessageID: "m-1", Endpoints: []string{
				"dead", "done", "waits",
			}, RoutedAt: at.Add(time.Second), ExpiresAt: expires,
		},
		{
			Event: relay.Event{ID: relay.EventID("", "github", "2"), Receipt: "receipt",
				Source: "github", ReceivedAt: at,
				Schema: &relay.SchemaResult{
					Status: schema.Failed, At: "/id", Problem: "is missing",
				},
				BodyRef: &relay.BodyRef{Key: "2026/01/02/github/hash", Size: 70000}},
			MessageID: "m-2", RoutedAt: at, ExpiresAt: expires,
		},
	}
	sampleDeliveries = []relay.Delivery{
		{EventID: eventID, Endpoint: "dead", ReceivedAt: at, Source: "github", Type: "push",
			Status: relay.Dead, Reason: relay.Declined, Attempts: 1,
			MessageID: "m-3", UpdatedAt: at, ExpiresAt: expires,
			History: []relay.Attempt{
				{
					Number: 1, At: at, Duration: 12 * time.Millisecond, Outcome: relay.FailedAnswer,
					StatusCode: 410, Response: []byte("gone"),
				},
			}},
		{EventID: eventID, Endpoint: "done", ReceivedAt: at, Source: "github",
			Status: relay.Delivered, Attempts: 1, MessageID: "m-4", UpdatedAt: at,
			ExpiresAt: expires,
			History: []relay.Attempt{
				{Number: 1, At: at, Outcome: relay.Succeeded, StatusCode: 204},
			}},
		{EventID: eventID, Endpoint: "waits", ReceivedAt: at, Source: "github", Type: "push",
			Status: relay.Waiting, Attempts: 2, Step: 1, MessageID: "m-5", Receives: 3,
			NextAt: at.Add(time.Hour), Held: gate.HeldRate, Reserved: true, UpdatedAt: at,
			ExpiresAt: expires,
			History: []relay.Attempt{
				{
					Number: 2, At: at, Duration: time.Second, Outcome: relay.TimedOut,
					Error: "no answer in 1s",
				},
			}},
	}
	sampleState = breaker.State{
		Failures: 12, FailingSince: at, FailedAt: at.Add(time.Hour), Took: 250 * time.Millisecond,
		TookAt: at.Add(2 * time.Hour), SlowUntil: at.Add(time.Hour), SlowAt: at, SlowSeen: 2,
		OpenUntil: at.Add(time.Minute), Openings: 2, ClosedAt: at.Add(-time.Hour),
		PausedUntil: at.Add(time.Second), StoppedAt: at.Add(30 * time.Hour),
		WarnedAt: at.Add(24 * time.Hour), DisabledAt: at.Add(120 * time.Hour),
		Reason: "it answered 410 Gone",
		Proof:  breaker.Proof{Of: "hash", At: at, Rate: 120}, Unproven: "it answered 404",
	}
)

// The files that today's code writes. Files of earlier versions stay, and are still read.
const (
	newestCatalog = "catalog.v1.jsonl"
	newestLedger  = "ledger.v1.jsonl"
)

func TestTheCatalogIsWrittenAsInTheNewestGoldenFile(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	c := dynamo.NewCatalog(client, table, plainly{})
	unlearned := conformance.CatalogV1()
	unlearned.Sources[1].Secrets = nil
	must(t, c.ReplaceCatalog(t.Context(), catalog.Catalog{}, 0))
	must(t, c.ReplaceCatalog(t.Context(), unlearned, 1))
	must(t, c.OpenLearning(t.Context(), "learner", time.Now().Add(time.Hour)))
	must(t, c.LearnSecret(t.Context(), "learner", "handed over"))
	compare(t, newestCatalog, scan(t, table))
}

func TestTheCatalogOfEachVersionIsRead(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]catalog.Catalog{newestCatalog: conformance.CatalogV1()} {
		client := newClient(t, nil)
		c := dynamo.NewCatalog(client, restore(t, file), plainly{})
		got, revision, err := c.LoadCatalog(t.Context())
		if diff := cmp.Diff(want, got); err != nil || revision != 3 || diff != "" {
			t.Errorf("%s: revision %d, %v (-want +got):\n%s", file, revision, err, diff)
		}
		subs, err := c.Subscriptions(t.Context(), inForce(t, c), "", "whole")
		routed := want.Subscriptions[2:] // without what only operators want to know
		routed[0].ManagedBy, routed[0].Changed = "", catalog.Stamp{}
		if diff := cmp.Diff(routed, subs); err != nil || diff != "" {
			t.Errorf("%s: subscriptions of one source: %v (-want +got):\n%s", file, err, diff)
		}
		must(t, c.ReplaceCatalog(t.Context(), catalog.Catalog{}, 3))
	}
}

func TestTheLedgerIsWrittenAsInTheNewestGoldenFile(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	l := dynamo.NewLedger(client, table, nil)
	for _, e := range sampleEvents {
		if existing, err := relay.RecordEvent(t.Context(), l, e); existing != nil || err != nil {
			t.Fatal(existing, err)
		}
	}
	for _, d := range sampleDeliveries {
		must(t, l.SaveDelivery(t.Context(), d, 0))
	}
	must(t, l.SaveEndpointState(t.Context(), "shipping", sampleState, 0))
	if _, ok, err := l.Reserve(t.Context(), "shipping", time.Second, at, expires); !ok ||
		err != nil {
		t.Fatal(ok, err)
	}
	for slot := range 2 {
		if ok, err := l.ClaimSlot(t.Context(), "shipping", slot, "one", expires); !ok ||
			err != nil {
			t.Fatal(ok, err)
		}
	}
	must(t, l.ReleaseSlot(t.Context(), "shipping", 1, "one"))
	compare(t, newestLedger, scan(t, table))
}

func TestTheLedgerOfEachVersionIsRead(t *testing.T) {
	t.Parallel()
	for _, file := range []string{newestLedger} {
		client := newClient(t, nil)
		l := dynamo.NewLedger(client, restore(t, file), nil)
		for _, want := range sampleEvents {
			got, deliveries, err := l.Event(t.Context(), want.ID)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
			}
			if diff := cmp.Diff(sampleDeliveries, deliveries); got.ID == eventID && diff != "" {
				t.Errorf("%s: deliveries (-want +got):\n%s", file, diff)
			}
		}
		listed, _, err := l.EventsIn(t.Context(), operate.EventQuery{Limit: 100})
		if err != nil || len(listed) != len(sampleEvents) || listed[0].Source != "github" {
			t.Errorf("%s: %d events are listed, %v", file, len(listed), err)
		}
		for status, want := range map[relay.Status][]relay.Delivery{
			relay.Dead: sampleDeliveries[:1], relay.Waiting: sampleDeliveries[2:],
		} {
			open, _, err := l.ListDeliveries(t.Context(), operate.Query{
				Endpoint: want[0].Endpoint, Statuses: []relay.Status{status},
			}, "")
			if diff := cmp.Diff(want, open); err != nil || diff != "" {
				t.Errorf("%s: %s deliveries: %v (-want +got):\n%s", file, status, err, diff)
			}
		}
		readsLimits(t, file, l)
	}
}

// readsLimits reads an endpoint's state, and reserves what is left of its rate and its slots.
func readsLimits(t *testing.T, file string, l *dynamo.Ledger) {
	t.Helper()
	state, revision, err := l.EndpointState(t.Context(), "shipping")
	if diff := cmp.Diff(sampleState, state); err != nil || revision != 1 || diff != "" {
		t.Errorf("%s: state of revision %d, %v (-want +got):\n%s", file, revision, err, diff)
	}
	must(t, l.SaveEndpointState(t.Context(), "shipping", state, revision))
	place, ok, err := l.Reserve(t.Context(), "shipping", time.Second, at, expires)
	if want := at.Add(time.Second); !ok || err != nil || !place.Equal(want) {
		t.Errorf("%s: place at %s, %t, %v, want %s", file, place, ok, err, want)
	}
	for slot, free := range []bool{false, true} {
		if ok, err := l.ClaimSlot(t.Context(), "shipping", slot, "another", expires); ok != free ||
			err != nil {
			t.Errorf("%s: slot %d is free: %t, %v, want %t", file, slot, ok, err, free)
		}
	}
}

// A field that is in no golden file could be renamed without a test noticing.
func TestTheSamplesLeaveNothingOut(t *testing.T) {
	t.Parallel()
	cat := conformance.CatalogV1()
	for name, v := range map[string]any{
		"source": cat.Sources[2], "endpoint": cat.Endpoints[2],
		"subscription": cat.Subscriptions[2],
		"state":        sampleState,
	} {
		unset(t, name, reflect.ValueOf(v))
	}
}

func unset(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case path == "source.LearnUntil" || path == "subscription.Order": // no part of the catalog
	case v.Type() == reflect.TypeFor[catalog.TenantOf](): // as with a Locator
	case v.Type() == reflect.TypeFor[verify.Locator](): // one of its fields is set
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			unset(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case v.IsZero():
		t.Errorf("%s is not set", path)
	}
}

// compare compares items with a golden file.
func compare(t *testing.T, file string, items []map[string]types.AttributeValue) {
	t.Helper()
	got := lines(t, items)
	path := filepath.Join("testdata", file)
	golden, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		golden = got
		err = os.WriteFile(path, golden, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// lines writes items in the form of a golden file: DynamoDB's JSON, but binary attributes as text,
// since they are text in these tests.
func lines(t *testing.T, items []map[string]types.AttributeValue) []byte {
	t.Helper()
	named := map[string]string{}
	var out []string
	for _, it := range items {
		if random := text(it, "generation"); random != "" {
			named[random] = generation
		}
		if random := text(it, "mark"); random != "" {
			named[random] = mark // also in the entry of an index
		}
		for name, of := range map[string]string{
			"created_at": "generations", dynamo.TimeToLive: "endpoint#shipping",
		} {
			if text(it, dynamo.PartitionKey) == of {
				it[name] = &types.AttributeValueMemberN{Value: longFrom}
			}
		}
		out = append(out, line(t, it))
	}
	for _, it := range items { // one that is not in force
		if random := text(it, dynamo.SortKey); text(it, dynamo.PartitionKey) == "generations" &&
			named[random] == "" {
			named[random] = replaced
		}
	}
	for i := range out {
		for random, value := range named {
			out[i] = strings.ReplaceAll(out[i], random, value)
		}
	}
	slices.Sort(out)
	return []byte(strings.Join(out, ""))
}

// line writes an item with its attributes sorted by name. Binary ones are text in these tests,
// except what an entry of the index lists.
func line(t *testing.T, it map[string]types.AttributeValue) string {
	t.Helper()
	typed := map[string]map[string]string{}
	for name, value := range it {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			typed[name] = map[string]string{"S": v.Value}
		case *types.AttributeValueMemberN:
			typed[name] = map[string]string{"N": v.Value}
		case *types.AttributeValueMemberB:
			if name == dynamo.Listed {
				typed[name] = map[string]string{
					"base64": base64.StdEncoding.EncodeToString(v.Value),
				}
				continue
			}
			if name == "packed" {
				doc, body := unpacked(t, v.Value)
				typed["packed doc"] = map[string]string{"S": doc}
				typed["packed body"] = map[string]string{"B": body}
				continue
			}
			typed[name] = map[string]string{"B": string(v.Value)}
		default:
			t.Fatalf("attribute %s is a %T", name, value)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	must(t, enc.Encode(typed))
	return b.String()
}

// unpacked returns what a packed attribute holds. A golden file has that in its place: the
// compressed bytes depend on the compressor.
func unpacked(t *testing.T, z []byte) (doc, body string) {
	t.Helper()
	plain, err := format.InflateDocument(z, 1<<20)
	must(t, err)
	n, head := binary.Uvarint(plain)
	return string(plain[head : head+int(n)]), string(plain[head+int(n):])
}

func packed(doc, body string) []byte {
	return format.DeflateDocument(append(binary.AppendUvarint(nil, uint64(len(doc))), doc+body...))
}

// restore returns a new table that holds the items of a golden file.
func restore(t *testing.T, file string) (table string) {
	t.Helper()
	golden, err := os.ReadFile(filepath.Join("testdata", file))
	must(t, err)
	table = createTable(t)
	for line := range bytes.Lines(golden) {
		var typed map[string]map[string]string
		must(t, json.Unmarshal(line, &typed))
		it := map[string]types.AttributeValue{}
		if doc := typed["packed doc"]["S"]; doc != "" {
			it["packed"] = &types.AttributeValueMemberB{
				Value: packed(doc, typed["packed body"]["B"]),
			}
			delete(typed, "packed doc")
			delete(typed, "packed body")
		}
		for name, value := range typed {
			for kind, v := range value {
				listed, err := base64.StdEncoding.DecodeString(typed[name]["base64"])
				must(t, err)
				it[name] = map[string]types.AttributeValue{
					"base64": &types.AttributeValueMemberB{Value: listed},

					"S": &types.AttributeValueMemberS{Value: v},
					"N": &types.AttributeValueMemberN{Value: v},
					"B": &types.AttributeValueMemberB{Value: []byte(v)},
				}[kind]
			}
		}
		_, err := sdk(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it})
		must(t, err)
	}
	return table
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plainly seals nothing, so the golden files show what would be sealed and under which name.
type plainly struct{}

func (plainly) Seal(_ context.Context, name string, plain []byte) ([]byte, error) {
	return append([]byte(name+": "), plain...), nil
}

func (plainly) Open(_ context.Context, name string, sealed []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(name+": "))
	if !ok {
		return nil, errors.New("sealed under another name")
	}
	return plain, nil
}
