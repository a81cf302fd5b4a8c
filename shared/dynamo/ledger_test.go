package dynamo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/relay"
)

func record(id string) relay.EventRecord {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return relay.EventRecord{
		Event:     relay.Event{ID: relay.EventID("github", id), Receipt: "r", Source: "github", ReceivedAt: at, Body: []byte("{}")},
		MessageID: "m", Endpoints: []string{"shipping"}, RoutedAt: at, ExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	}
}

func delivery(event string, attempts int) relay.Delivery {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return relay.Delivery{EventID: relay.EventID("github", event), Endpoint: "shipping", Source: "github", Status: relay.Waiting,
		Attempts: attempts, MessageID: "m", NextAt: at, UpdatedAt: at, ExpiresAt: at.Add(time.Hour).Truncate(time.Second)}
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
	if existing, err := l.RecordEvent(t.Context(), r); existing != nil || err != nil {
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
	l := dynamo.NewLedger(newClient(t, func(_ string, body []byte, next func([]byte) (*http.Response, error)) (*http.Response, error) {
		calls++
		return next(body)
	}), "none")
	r := record("large")
	r.Body = make([]byte, 400<<10)
	_, err := l.RecordEvent(t.Context(), r)
	if !errors.Is(err, dynamo.ErrTooLarge) || !strings.Contains(err.Error(), "409600") || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("error %v, want ErrTooLarge with the limit and the event", err)
	}
	if calls != 0 {
		t.Errorf("%d calls, want none", calls)
	}
}

func TestALostAnswerIsNotTakenForAnothersWrite(t *testing.T) {
	t.Parallel()
	table := createTable(t, newClient(t, nil))
	lossy := func() *dynamo.Ledger { return dynamo.NewLedger(newClient(t, loseAnswers("PutItem", 1)), table) }

	if existing, err := lossy().RecordEvent(t.Context(), record("a")); existing != nil || err != nil {
		t.Errorf("RecordEvent: %+v, %v, want neither", existing, err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 1), 0); err != nil {
		t.Errorf("SaveDelivery, the first: %v", err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 2), 1); err != nil {
		t.Errorf("SaveDelivery, the second: %v", err)
	}
	if err := lossy().SaveDelivery(t.Context(), delivery("a", 2), 1); !errors.Is(err, relay.ErrConflict) {
		t.Errorf("SaveDelivery of what is on record: %v, want ErrConflict", err)
	}
}

func TestCallsOfEachWrite(t *testing.T) {
	t.Parallel()
	table := createTable(t, newClient(t, nil))
	var operations []string
	l := dynamo.NewLedger(newClient(t, func(op string, body []byte, next func([]byte) (*http.Response, error)) (*http.Response, error) {
		operations = append(operations, op)
		return next(body)
	}), table)
	expect := func(what string, want ...string) {
		t.Helper()
		if got := strings.Join(operations, " "); got != strings.Join(want, " ") {
			t.Errorf("%s took %s, want %s", what, got, strings.Join(want, " "))
		}
		operations = nil
	}
	for range 2 {
		if _, err := l.RecordEvent(t.Context(), record("a")); err != nil {
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
	if _, err := l.Delivery(t.Context(), relay.EventID("github", "a"), "shipping"); err != nil {
		t.Fatal(err)
	}
	expect("a look at a delivery", "GetItem")
}

func TestASourcesHourIsSpreadOverShards(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t, client)
	l := dynamo.NewLedger(client, table)
	for i := range 100 {
		if _, err := l.RecordEvent(t.Context(), record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	perShard := map[string]int{}
	for _, it := range scan(t, client, table) {
		partition := text(it, dynamo.EventsPartitionKey)
		perShard[partition[strings.LastIndex(partition, "#"):]]++
	}
	if len(perShard) != 8 {
		t.Errorf("100 events in %d shards, want 8: %v", len(perShard), perShard)
	}
}

func TestAListingAsksAgainForWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	table := createTable(t, newClient(t, nil))
	rounds := 0
	l := dynamo.NewLedger(newClient(t, func(op string, body []byte, next func([]byte) (*http.Response, error)) (*http.Response, error) {
		if op != "BatchGetItem" {
			return next(body)
		}
		rounds++
		return answerHalf(t, table, body, next)
	}), table)
	for i := range 10 {
		if err := l.SaveDelivery(t.Context(), delivery(fmt.Sprint(i), 1), 0); err != nil {
			t.Fatal(err)
		}
	}
	got, page, err := l.OpenDeliveries(t.Context(), "shipping", relay.Waiting, "")
	if err != nil || len(got) != 10 || page != "" {
		t.Errorf("%d deliveries, page %q, %v, want 10 and no more", len(got), page, err)
	}
	if rounds < 3 {
		t.Errorf("%d rounds: nothing was left out", rounds)
	}
}

// answerHalf has the first half of a BatchGetItem's keys read, rounded up, and hands back the others.
func answerHalf(t *testing.T, table string, body []byte, next func([]byte) (*http.Response, error)) (*http.Response, error) {
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
func mend(next func([]byte) (*http.Response, error), body []byte, change func(map[string]any)) (*http.Response, error) {
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
	return &http.Response{StatusCode: resp.StatusCode, Header: http.Header{"Content-Type": resp.Header["Content-Type"]},
		Body: io.NopCloser(strings.NewReader(string(b))), ContentLength: int64(len(b))}, nil
}

func TestAPageThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for _, page := range []relay.Page{"x", "8/0", "-1/0", "3/", "3"} {
		if _, _, err := l.EventsBySource(t.Context(), "github", time.Now(), page); err == nil {
			t.Errorf("page %q was accepted", page)
		}
	}
}
