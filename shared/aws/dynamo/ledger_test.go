package dynamo_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

func record(id string) relay.EventRecord {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return relay.EventRecord{
		Event: relay.Event{
			ID: relay.EventID("", "github", id), Receipt: "r", Source: "github", ReceivedAt: at,
			Body: []byte("{}"),
		},
		MessageID: "m", Endpoints: []string{"shipping"}, RoutedAt: at,
		ExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	}
}

// accepted is when the webhooks of these tests' deliveries were accepted.
var accepted = time.Now().UTC().Truncate(time.Millisecond)

func delivery(event string, attempts int) relay.Delivery {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return relay.Delivery{EventID: relay.EventID("", "github", event), Endpoint: "shipping",
		ReceivedAt: accepted, Source: "github", Status: relay.Waiting,
		Attempts: attempts, MessageID: "m", NextAt: at, UpdatedAt: at,
		ExpiresAt: at.Add(time.Hour).Truncate(time.Second)}
}

func TestAnEventToTenThousandEndpointsFits(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	r := record("wide")
	r.Body = make([]byte, 16<<10)
	r.Endpoints = nil
	for i := range relay.MaxEndpoints {
		r.Endpoints = append(r.Endpoints, fmt.Sprintf("%063d", i))
	}
	if existing, err := relay.RecordEvent(t.Context(), l, r); existing != nil || err != nil {
		t.Fatalf("RecordEvent: %v, %v", existing, err)
	}
	got, _, err := l.Event(t.Context(), r.ID)
	if err != nil || len(got.Endpoints) != relay.MaxEndpoints || len(got.Body) != 16<<10 {
		t.Fatalf("%d endpoints, %d bytes of body, %v", len(got.Endpoints), len(got.Body), err)
	}
}

func TestAnEventThatIsTooLargeIsRefusedWithItsSize(t *testing.T) {
	t.Parallel()
	calls := 0
	l := dynamo.NewLedger(newClient(t, func(
		_ string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if !marksHour(body) {
			calls++
		}
		return next(body)
	}), "none", nil)
	r := record("large")
	r.Body = make([]byte, 400<<10)
	_, _ = rand.Read(r.Body) // nothing that could be compressed
	_, err := relay.RecordEvent(t.Context(), l, r)
	if !errors.Is(err, dynamo.ErrTooLarge) || !strings.Contains(err.Error(), "409600") ||
		!strings.Contains(err.Error(), r.ID) {
		t.Errorf("error %v, want ErrTooLarge with the limit and the event", err)
	}
	if calls != 0 {
		t.Errorf("%d calls, want none", calls)
	}
}

// marksHour tells whether a call marks an hour as having events.
func marksHour(body []byte) bool { return bytes.Contains(body, []byte(`"S":"hours"`)) }

func TestALostAnswerIsNotTakenForAnothersWrite(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	lossy := func() *dynamo.Ledger {
		return dynamo.NewLedger(newClient(t, loseAnswers("PutItem", 1)), table, nil)
	}

	if existing, err := relay.RecordEvent(t.Context(), lossy(), record("a")); existing != nil ||
		err != nil {
		t.Errorf("RecordEvent: %+v, %v, want neither", existing, err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 1), 0); err != nil {
		t.Errorf("SaveDelivery, the first: %v", err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 2), 1); err != nil {
		t.Errorf("SaveDelivery, the second: %v", err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 2), 1); !errors.Is(
		err, catalog.ErrConflict,
	) {
		t.Errorf("SaveDelivery of what is on record: %v, want ErrConflict", err)
	}
}

func TestCallsOfEachWrite(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	var operations []string
	l := dynamo.NewLedger(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		operations = append(operations, op)
		return next(body)
	}), table, nil)
	expect := func(what string, want ...string) {
		t.Helper()
		if got := strings.Join(operations, " "); got != strings.Join(want, " ") {
			t.Errorf("%s took %s, want %s", what, got, strings.Join(want, " "))
		}
		operations = nil
	}
	if _, err := relay.RecordEvent(t.Context(), l, record("first")); err != nil {
		t.Fatal(err)
	}
	expect("the first event of an hour, and the mark of the hour", "PutItem", "PutItem")
	for range 2 {
		if _, err := relay.RecordEvent(t.Context(), l, record("a")); err != nil {
			t.Fatal(err)
		}
	}
	expect("an event and its duplicate", "PutItem", "PutItem", "GetItem")
	for n := range 2 {
		if err := l.SaveDelivery(t.Context(), delivery("a", n+1), n); err != nil {
			t.Fatal(err)
		}
	}
	expect("two attempts", "PutItem", "PutItem")
	if _, err := l.Delivery(t.Context(), delivery("a", 1).Key()); err != nil {
		t.Fatal(err)
	}
	expect("a look at a delivery", "GetItem")
}

func TestAnHourIsSpreadOverShards(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	l := dynamo.NewLedger(client, table, nil)
	for i := range 100 {
		if _, err := relay.RecordEvent(t.Context(), l, record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	perShard := map[string]int{}
	for _, it := range scan(t, table) {
		if partition := text(it, dynamo.EventsPartitionKey); partition != "" {
			perShard[partition[strings.LastIndex(partition, "#"):]]++
		}
	}
	if len(perShard) != 8 {
		t.Errorf("100 events in %d shards, want 8: %v", len(perShard), perShard)
	}
}

func TestAnEndpointsDeliveriesAreSpreadOverShards(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	l := dynamo.NewLedger(client, table, nil)
	for i := range 200 {
		d := delivery(fmt.Sprint(i), 1)
		if i%2 == 1 {
			d.Status, d.NextAt = relay.Dead, time.Time{}
		}
		must(t, l.SaveDelivery(t.Context(), d, 0))
	}
	perShard := map[string]int{}
	for _, it := range scan(t, table) {
		perShard[text(it, dynamo.OpenPartitionKey)]++
		perShard[text(it, dynamo.PartitionKey)]++
	}
	if len(perShard) != 8+2*8 {
		t.Errorf(
			"100 waiting and 100 dead deliveries in %d partitions, want 8 of the table, and of "+
				"the index 8 of each: %v", len(perShard), perShard,
		)
	}
	for partition, n := range perShard {
		if n > 50 {
			t.Errorf("%d of 200 in %s", n, partition)
		}
	}
}

// inShard returns n event names whose ids fall into the shard by FNV-1a.
func inShard(shard uint32, n int) (names []string) {
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprint("event ", i)
		h := fnv.New32a()
		_, _ = h.Write([]byte(relay.EventID("", "github", name)))
		if h.Sum32()%8 == shard {
			names = append(names, name)
		}
	}
	return names
}

// TestAListingIsInOrderHoweverItsShardsAreFilled describes each shard by the number of its
// deliveries and the second from which on their webhooks were accepted, one after the other.
func TestAListingIsInOrderHoweverItsShardsAreFilled(t *testing.T) {
	t.Parallel()
	for name, shards := range map[string][]struct{ from, n int }{
		"nothing":                           {},
		"one":                               {{0, 1}},
		"one shard alone":                   {{0, 250}},
		"a page exactly":                    {{0, 100}},
		"a page and one":                    {{0, 101}},
		"a page in each of two, one by one": {{0, 100}, {0, 100}},
		"one shard before the other":        {{0, 100}, {200, 100}},
		"one before all others":             {{5, 120}, {0, 1}},
		"one after all others":              {{0, 120}, {500, 1}},
		"one in the midst of a full shard":  {{0, 199}, {99, 1}},
		"many at the same time in eight shards": {
			{7, 30}, {7, 30}, {7, 30}, {7, 30}, {7, 30}, {7, 30}, {7, 30}, {7, 30},
		},
	} {
		for _, statuses := range [][]relay.Status{nil, {relay.Waiting}} {
			t.Run(fmt.Sprint(name, statuses), func(t *testing.T) {
				t.Parallel()
				l := newLedger(t)
				var want []string
				base := time.Now().UTC().Truncate(time.Second)
				for shard, s := range shards {
					for i, event := range inShard(uint32(shard), s.n) { //nolint:gosec // below 8
						d := delivery(event, 1)
						d.ReceivedAt = base.Add(time.Duration(s.from+i) * time.Second)
						must(t, l.SaveDelivery(t.Context(), d, 0))
						want = append(want, fmt.Sprintf("%06d %s", s.from+i, d.EventID))
					}
				}
				slices.Sort(want)
				slices.Reverse(want)
				var got []string
				for page, pages := relay.Page(""), 0; pages == 0 || page != ""; pages++ {
					deliveries, next, err := l.ListDeliveries(t.Context(), operate.Query{
						Endpoint: "shipping", Statuses: statuses,
					}, page)
					must(t, err)
					if len(deliveries) > 100 || next != "" && len(deliveries) < 100 {
						t.Errorf(
							"page %d has %d deliveries, and another follows: %t", pages,
							len(deliveries), next != "",
						)
					}
					for _, d := range deliveries {
						got = append(
							got, fmt.Sprintf(
								"%06d %s", int(d.ReceivedAt.Sub(base).Seconds()), d.EventID,
							),
						)
					}
					page = next
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%.2000s", diff)
				}
			})
		}
	}
}

// TestTroubledEndpointsAreSpreadOverShards checks the spread: an outage of thousands of endpoints
// at once must throttle no write.
func TestTroubledEndpointsAreSpreadOverShards(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	l := dynamo.NewLedger(client, table, nil)
	for i := range 100 {
		must(
			t, l.SaveEndpointState(t.Context(), fmt.Sprint("e-", i), breaker.State{Failures: 1}, 0),
		)
	}
	perShard := map[string]int{}
	for _, it := range scan(t, table) {
		perShard[text(it, dynamo.TroubledPartitionKey)]++
	}
	if len(perShard) != 4 {
		t.Errorf("100 endpoints in %d shards, want 4: %v", len(perShard), perShard)
	}
}

func TestAListingAsksAgainForWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	rounds := 0
	l := dynamo.NewLedger(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if op != "BatchGetItem" {
			return next(body)
		}
		rounds++
		return answerHalf(t, table, body, next)
	}), table, nil)
	for i := range 10 {
		if err := l.SaveDelivery(t.Context(), delivery(fmt.Sprint(i), 1), 0); err != nil {
			t.Fatal(err)
		}
	}
	got, page, err := l.ListDeliveries(t.Context(), operate.Query{
		Endpoint: "shipping", Statuses: []relay.Status{relay.Waiting},
	}, "")
	if err != nil || len(got) != 10 || page != "" {
		t.Errorf("%d deliveries, page %q, %v, want 10 and no more", len(got), page, err)
	}
	if rounds < 3 {
		t.Errorf("%d rounds: nothing was left out", rounds)
	}
}

// answerHalf executes a BatchGetItem for the first half of its keys, rounded up, and returns the
// others as unprocessed.
func answerHalf(
	t *testing.T, table string, body []byte, next func([]byte) (*http.Response, error),
) (*http.Response, error) {
	t.Helper()
	var in struct {
		RequestItems map[string]map[string]any
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	request := in.RequestItems[table]
	all, _ := request["Keys"].([]any)
	half := (len(all) + 1) / 2
	request["Keys"] = all[:half]
	cut, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return mend(next, cut, func(out map[string]any) {
		if half < len(all) {
			request["Keys"] = all[half:]
			out["UnprocessedKeys"] = in.RequestItems
		}
	})
}

// mend sends a request and changes the answer.
func mend(
	next func([]byte) (*http.Response, error), body []byte, change func(map[string]any),
) (*http.Response, error) {
	resp, err := next(body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	change(out)
	b, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: resp.StatusCode, Header: http.Header{
		"Content-Type": resp.Header["Content-Type"],
	},
		Body: io.NopCloser(strings.NewReader(string(b))), ContentLength: int64(len(b))}, nil
}

func TestAPageThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for _, page := range []relay.Page{"x", "8/0", "-1/0", "3/", "3"} {
		if _, err := l.Outcomes(t.Context(), time.Now(), page, nil); err == nil {
			t.Errorf("page %q was accepted", page)
		}
	}
}
