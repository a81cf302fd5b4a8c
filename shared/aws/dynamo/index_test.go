package dynamo_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// countedLedger returns a ledger, and the number of its reads of each kind: "Query events" is a
// query of the index of events, "Query" one of the table.
func countedLedger(t *testing.T) (*dynamo.Ledger, func() map[string]int) {
	t.Helper()
	counts := map[string]int{}
	l := dynamo.NewLedger(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		var in struct{ IndexName string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		if op != "PutItem" {
			counts[strings.TrimSpace(op+" "+in.IndexName)]++
		}
		return next(body)
	}), createTable(t), nil)
	return l, func() map[string]int {
		was := counts
		counts = map[string]int{}
		return was
	}
}

func received(name string, at time.Time) relay.EventRecord {
	r := record(name)
	r.ReceivedAt = at
	return r
}

// Hours without events cost nothing: one read finds the hours that have some.
func TestAListingSkipsHoursWithoutEvents(t *testing.T) {
	t.Parallel()
	l, counts := countedLedger(t)
	now := time.Now().UTC().Truncate(time.Hour).Add(time.Minute)
	list := func(q operate.EventQuery, want map[string]int, events int) {
		t.Helper()
		q.Limit = 100
		keys, next, err := l.EventsIn(t.Context(), q)
		if err != nil || next != "" || len(keys) != events {
			t.Fatalf("%d events, page %q, %v", len(keys), next, err)
		}
		equalCounts(t, want, counts())
	}
	list(operate.EventQuery{}, map[string]int{"Query": 1}, 0)
	for _, days := range []int{0, 100, 300} {
		if _, err := relay.RecordEvent(
			t.Context(), l, received(fmt.Sprint(days), now.Add(-time.Duration(days)*24*time.Hour)),
		); err != nil {
			t.Fatal(err)
		}
	}
	counts()
	list(operate.EventQuery{}, map[string]int{"Query": 1, "Query events": 24, "BatchGetItem": 1}, 3)
	day := 24 * time.Hour
	list(operate.EventQuery{From: now.Add(-290 * day), To: now.Add(-110 * day)},
		map[string]int{"Query": 1}, 0)
	list(operate.EventQuery{From: now.Add(-310 * day), To: now.Add(-200 * day)},
		map[string]int{"Query": 1, "Query events": 8, "BatchGetItem": 1}, 1)
	list(operate.EventQuery{Tenant: "acme"}, map[string]int{"Query": 1, "Query events": 24}, 0)
}

// A time range reads the index from its end on, not from the present on.
func TestAListingReadsItsTimeRangeOnly(t *testing.T) {
	t.Parallel()
	var bytesRead atomic.Int64
	table := createTable(t)
	l := dynamo.NewLedger(newClient(t, func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		resp, err := next(body)
		if op == "Query" && err == nil {
			bytesRead.Add(resp.ContentLength)
		}
		return resp, err
	}), table, nil)
	begin := time.Now().UTC().Truncate(time.Hour)
	var records []relay.EventRecord
	for i := range 1200 {
		records = append(records,
			received(fmt.Sprint(i), begin.Add(time.Duration(i)*3*time.Second)))
	}
	for i := 0; i < len(records); i += 10 {
		for _, result := range l.RecordEvents(t.Context(), records[i:i+10]) {
			must(t, result.Err)
		}
	}
	read := func(q operate.EventQuery) int64 {
		bytesRead.Store(0)
		q.Limit = 10
		keys, _, err := l.EventsIn(t.Context(), q)
		if err != nil || len(keys) != 10 {
			t.Fatalf("%d events, %v", len(keys), err)
		}
		return bytesRead.Load()
	}
	newest := read(operate.EventQuery{})
	if far := read(operate.EventQuery{To: begin.Add(5 * time.Minute)}); far > 2*newest {
		t.Errorf("the newest events take %d bytes, those of 55 minutes before %d", newest, far)
	}
}

// The events of a sweep are found without the catalog. So they take as many reads with a thousand
// tenants as with one.
func TestASweepsReadsOfEventsDoNotGrowWithTheTenants(t *testing.T) {
	t.Parallel()
	swept := func(tenants int) map[string]int {
		l, counts := countedLedger(t)
		now := time.Now().UTC().Truncate(time.Hour).Add(10 * time.Minute)
		var records []relay.EventRecord
		for i := range 40 {
			r := received(fmt.Sprint(i), now.Add(-3*time.Hour))
			r.Tenant = fmt.Sprintf("tenant-%d", i%tenants)
			r.Source = r.Tenant + "/app"
			r.Endpoints = nil
			records = append(records, r)
		}
		for _, result := range l.RecordEvents(t.Context(), records) {
			must(t, result.Err)
		}
		must(t, l.SaveSweepCursor(t.Context(), operate.SweepCursor{
			Hour: now.Add(-13 * time.Hour).Truncate(time.Hour),
		}))
		counts()
		report, err := lab.Must(operate.NewSweeper(operate.SweeperConfig{
			Names: manyTenants(tenants), Subscriptions: &memory.Catalog{}, Ledger: l,
			Deliveries: l, Cursors: l, Delivery: &memory.Queue{}, Retry: &memory.Queue{},
			Now: func() time.Time { return now },
		})).Run(t.Context())
		if err != nil || report.Events != 40 || report.Unaccounted() != 0 || report.Partial {
			t.Fatalf("%+v, %v", report, err)
		}
		return counts()
	}
	want := map[string]int{
		// 11 hours, 10 of them without events, in 8 shards each
		"Query events": 88,
		// 40 events, and the cursor
		"BatchGetItem": 1, "GetItem": 1,
	}
	for _, tenants := range []int{1, 1000} {
		equalCounts(t, want, swept(tenants))
	}
}

// manyTenants are tenants whose sources have no names. The sweeper must not ask for them.
type manyTenants int

func (n manyTenants) AllTenants(context.Context) ([]string, error) {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant-%d", i)
	}
	return names, nil
}

func (manyTenants) Names(context.Context, string) (sources, endpoints []string, err error) {
	return nil, nil, nil
}

func equalCounts(t *testing.T, want, got map[string]int) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

// Random events, recorded in random batches, are listed in order whatever the size of a page and
// the range of time.
func TestListingsOfRandomEventsAreExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 1))
		table := newSmallTable()
		l := table.ledger()
		begin := time.Now().UTC().Truncate(time.Hour)
		spread := []int{1, 1000, 100_000, 30_000_000}[r.IntN(4)] // milliseconds
		var all []operate.EventKey
		for range 30 + r.IntN(60) {
			var batch []relay.EventRecord
			around := r.IntN(spread)
			for range 1 + r.IntN(25) {
				e := record(fmt.Sprint("random ", len(all)))
				e.Tenant = []string{"", "", "acme", "globex"}[r.IntN(4)]
				e.Source = []string{"app", "hub", e.Tenant + "/app"}[r.IntN(3)]
				e.Source = strings.TrimPrefix(e.Source, "/")
				at := around + r.IntN(1+[]int{0, 50, 200_000}[r.IntN(3)])
				e.ReceivedAt = begin.Add(time.Duration(at) * time.Millisecond)
				batch = append(batch, e)
				all = append(all, operate.EventKey{
					ID: e.ID, Tenant: e.Tenant, Source: e.Source, ReceivedAt: e.ReceivedAt,
				})
			}
			for _, result := range l.RecordEvents(t.Context(), batch) {
				must(t, result.Err)
			}
		}
		slices.SortFunc(all, func(a, b operate.EventKey) int {
			return cmp.Or(b.ReceivedAt.Compare(a.ReceivedAt), strings.Compare(b.ID, a.ID))
		})
		for range 10 {
			l.LookAtMost(1 + r.IntN(500))
			q := operate.EventQuery{
				Tenant: []string{"", "acme", "globex", "none"}[r.IntN(4)], Limit: 1 + r.IntN(150),
			}
			if r.IntN(2) == 0 {
				q.From = begin.Add(time.Duration(r.IntN(spread)) * time.Millisecond)
			}
			if r.IntN(2) == 0 {
				q.To = begin.Add(time.Duration(r.IntN(spread)) * time.Millisecond)
			}
			var want, got []operate.EventKey
			for _, k := range all {
				if q.Takes(k) {
					want = append(want, k)
				}
			}
			query := q
			for more := true; more; more = q.Page != "" {
				keys, next, err := l.EventsIn(t.Context(), q)
				must(t, err)
				got, q.Page = append(got, keys...), next
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %+v (-want +got):\n%s", seed, query, diff)
			}
		}
	}
}

// Events that are recorded together share an entry, whatever their tenants and sources are, and the
// entry of a full batch is one write unit.
func TestEventsThatAreRecordedTogetherShareAnEntry(t *testing.T) {
	t.Parallel()
	begin := time.Now().UTC().Truncate(time.Hour)
	at := func(times ...time.Duration) (all []relay.EventRecord) {
		for i, d := range times {
			r := received(fmt.Sprint(i), begin.Add(d))
			r.Tenant = fmt.Sprintf("tenant-%d", i)
			r.Source, r.Type = r.Tenant+"/orders", fmt.Sprintf("order.line_item.updated.%d", i)
			all = append(all, r)
		}
		return all
	}
	for name, tt := range map[string]struct {
		records        []relay.EventRecord
		entries, units int
	}{
		"ten of ten tenants":     {at(make([]time.Duration, 10)...), 1, 1},
		"in any order":           {at(3*time.Second, 0, 59*time.Second), 1, 1},
		"more than a minute":     {at(0, time.Minute, 61*time.Second), 2, 2},
		"of two hours":           {at(-time.Second, 0, time.Second), 2, 2},
		"more than an entry has": {at(make([]time.Duration, 21)...), 2, 3},
	} {
		table := newSmallTable()
		l := table.ledger()
		for _, result := range l.RecordEvents(t.Context(), tt.records) {
			must(t, result.Err)
		}
		entries := 0
		for _, of := range table.index {
			entries += len(of)
		}
		if entries != tt.entries || table.indexUnits != tt.units {
			t.Errorf("%s: %d entries of %d units, want %d of %d", name, entries, table.indexUnits,
				tt.entries, tt.units)
		}
	}
}

func FuzzListedEvents(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	f.Add("evt_xqqqri63u2dbqway3vk3pbd6vdyalrem", "acme", "acme/app", "push", 12, []byte{1, 0})
	f.Add("evt_1", "", "app", "", 0, []byte{1, 1, 'a', 0, 5})
	f.Add("", "a", "a", "a", 3_599_999, []byte{1, 2, 'a', 'b', 0, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, id, tenant, source, kind string, age int, foreign []byte) {
		if keys, err := dynamo.ParseKeys(foreign, at); err == nil && len(keys) == 0 {
			t.Errorf("%x is read as no event", foreign)
		}
		if id == "" { // an event has an id
			return
		}
		age = max(0, age) % 3_600_000
		want := []operate.EventKey{{ID: id, Tenant: tenant, Source: source, Type: kind,
			ReceivedAt: at}, {ID: "evt_2", Tenant: kind, Source: source, Type: tenant,
			ReceivedAt: at.Add(-time.Duration(age) * time.Millisecond)}}
		got, err := dynamo.ParseKeys(dynamo.AppendKeys(nil, at, want), at)
		if diff := gocmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
