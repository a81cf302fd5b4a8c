package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// listEvents reads all pages of a query, and calls between after each. It checks the order.
func listEvents(
	t *testing.T, l operate.Ledger, q operate.EventQuery, between func(),
) []operate.EventKey {
	t.Helper()
	q.Limit = cmp.Or(q.Limit, 100)
	var all []operate.EventKey
	listed := map[string]bool{}
	eachPage(t, "EventsIn", func(page relay.Page) (relay.Page, error) {
		q.Page = page
		keys, next, err := l.EventsIn(t.Context(), q)
		must(t, "EventsIn", err) // checked before between is called
		if len(keys) > q.Limit {
			t.Errorf("a page of %d events, at most %d were wanted", len(keys), q.Limit)
		}
		for _, k := range keys {
			if listed[k.ID] {
				t.Errorf("%s is listed twice", k.ID)
			}
			if n := len(all); n > 0 && k.ReceivedAt.After(all[n-1].ReceivedAt) {
				t.Errorf("%s is newer than the event before it", k.ID)
			}
			listed[k.ID] = true
			all = append(all, k)
		}
		between()
		return next, nil
	})
	return all
}

func noChange() {}

// everything is a query that selects all events of this package's records.
var everything operate.EventQuery

func keyOfRecord(r relay.EventRecord) operate.EventKey {
	return operate.EventKey{
		ID: r.ID, Tenant: r.Tenant, Source: r.Source, Type: r.Type, ReceivedAt: r.ReceivedAt,
	}
}

// recordAll records events in batches of up to 10, as fan-out does.
func recordAll(t *testing.T, l relay.Events, records []relay.EventRecord) {
	t.Helper()
	for batch := range slices.Chunk(records, 10) {
		for _, result := range l.RecordEvents(t.Context(), batch) {
			must(t, "RecordEvents", result.Err)
		}
	}
}

// scatteredEvents returns n events, newest first, and the same in the order in which they are
// recorded: batches that have events of several hours and minutes.
func scatteredEvents(n int) (newestFirst, recorded []relay.EventRecord) {
	first := accepted.Truncate(time.Hour).Add(30 * time.Hour)
	for i := range n {
		r := record(fmt.Sprint("scattered ", i))
		r.Type = fmt.Sprint("type ", i%7)
		r.ReceivedAt = first.Add(-time.Duration(i) * 97 * time.Second)
		if i%50 > 25 { // close together
			r.ReceivedAt = first.Add(-time.Duration(i/50*50)*97*time.Second -
				time.Duration(i)*time.Millisecond)
		}
		r.ExpiresAt = later().Add(100 * time.Hour)
		newestFirst = append(newestFirst, r)
	}
	slices.SortFunc(newestFirst, func(a, b relay.EventRecord) int {
		return b.ReceivedAt.Compare(a.ReceivedAt)
	})
	for _, i := range scattered(n) {
		recorded = append(recorded, newestFirst[i])
	}
	return newestFirst, recorded
}

func ledgerEventOrder(t *testing.T, l LedgerUnderTest) {
	all, recorded := scatteredEvents(230)
	recordAll(t, l, recorded)
	at := func(i int) time.Time { return all[i].ReceivedAt }
	hour := at(100).Truncate(time.Hour)
	const micro = time.Microsecond
	for name, q := range map[string]operate.EventQuery{
		"all":                {},
		"one on a page":      {Limit: 1},
		"seven on a page":    {Limit: 7},
		"more than there is": {Limit: 1000},
		"from":               {From: at(120)},
		"from, after one":    {From: at(120).Add(micro)},
		"to":                 {To: at(33)},
		"to, after one":      {To: at(33).Add(micro), Limit: 9},
		"between":            {From: at(200), To: at(20), Limit: 13},
		"a whole hour":       {From: hour, To: hour.Add(time.Hour)},
		"within an hour":     {From: hour.Add(time.Minute), To: hour.Add(50 * time.Minute)},
		"in another zone":    {To: at(90).In(time.FixedZone("IST", 19800))},
		"an empty range":     {From: at(20), To: at(20)},
		"a reversed range":   {From: at(20), To: at(200)},
		"before all":         {To: at(229)},
		"after all":          {From: at(0).Add(micro)},
		"far back":           {To: at(0).Add(-20000 * time.Hour)},
	} {
		var want []operate.EventKey
		for _, r := range all {
			if k := keyOfRecord(r); q.Takes(k) {
				want = append(want, k)
			}
		}
		equal(t, name, want, listEvents(t, l, q, noChange))
	}
}

func ledgerEventTenants(t *testing.T, l LedgerUnderTest) {
	var records []relay.EventRecord
	for i, e := range []operate.EventKey{
		{Source: "app"}, {Source: "app", Tenant: "acme"}, {Source: "app", Tenant: "globex"},
		{Source: "acme/app", Tenant: "acme"}, {Source: "globex/app", Tenant: "globex"},
		{Source: catalog.OwnSource}, {Source: catalog.OwnSource, Tenant: "acme"},
		{Source: "acme"}, {Source: "ac", Tenant: "ac"},
	} {
		r := record(fmt.Sprint("tenants ", i))
		r.Source, r.Tenant = e.Source, e.Tenant
		r.ReceivedAt = accepted.Add(-time.Duration(i) * time.Second)
		records = append(records, r)
	}
	recordAll(t, l, records)
	for tenant, want := range map[string][]int{
		"": {0, 1, 2, 5, 6, 7, 8}, "acme": {1, 3, 6}, "globex": {2, 4}, "ac": {8}, "none": nil,
		"app": nil,
	} {
		for _, limit := range []int{1, 2, 100} {
			var wanted []operate.EventKey
			for _, i := range want {
				wanted = append(wanted, keyOfRecord(records[i]))
			}
			got := listEvents(t, l, operate.EventQuery{Tenant: tenant, Limit: limit}, noChange)
			equal(t, fmt.Sprintf("events of %q by %d", tenant, limit), wanted, got)
		}
	}
	of := map[string]string{} // tenants by event
	eachPage(t, "Outcomes", func(page relay.Page) (relay.Page, error) {
		return l.Outcomes(t.Context(), accepted, page, func(o operate.EventOutcome) {
			of[o.EventID] = o.Tenant + " " + o.Source
		})
	})
	for _, r := range records {
		if r.ReceivedAt.Truncate(time.Hour).Equal(accepted.Truncate(time.Hour)) {
			equal(t, "the outcome's tenant and source", r.Tenant+" "+r.Source, of[r.ID])
		}
	}
}

// ledgerEventsMeanwhile records events while it lists: newer ones, and ones within what was listed
// already, or was not. Those that were there before come once.
func ledgerEventsMeanwhile(t *testing.T, l LedgerUnderTest) {
	before, recorded := scatteredEvents(120)
	recordAll(t, l, recorded)
	pages := 0
	got := listEvents(t, l, operate.EventQuery{Limit: 7}, func() {
		var more []relay.EventRecord
		for i := range 5 {
			r := record(fmt.Sprint("meanwhile ", pages, i))
			r.ReceivedAt = before[0].ReceivedAt.Add(time.Hour - time.Duration(i*pages)*time.Minute)
			r.ExpiresAt = later().Add(100 * time.Hour)
			more = append(more, r)
		}
		if pages++; pages < 20 {
			recordAll(t, l, more)
		}
	})
	listed := map[string]bool{}
	for _, k := range got {
		listed[k.ID] = true
	}
	for i, r := range before {
		if !listed[r.ID] {
			t.Errorf("event %d is missing", i)
		}
	}
}

func ledgerEventsAtOnce(t *testing.T, l LedgerUnderTest) {
	const n = 230
	at := now().Truncate(time.Hour)
	var records []relay.EventRecord
	for i := range n {
		r := record(fmt.Sprint(i))
		r.ReceivedAt = at // events of the same time must not be lost
		records = append(records, r)
	}
	recordAll(t, l, records[:n/2])
	for _, r := range records[n/2:] {
		recordEvent(t, l, r)
	}
	equal(t, "events by 9", n, len(listEvents(t, l, operate.EventQuery{Limit: 9}, noChange)))
	equal(t, "events", n, len(listEvents(t, l, everything, noChange)))
	equal(t, "outcomes", n, len(outcomes(t, l, at)))
}

func ledgerEventPages(t *testing.T, l LedgerUnderTest) {
	recordEvent(t, l, record("a"))
	for _, page := range []relay.Page{"x", "1", "a/b/c", "a.b", "-", "//", "."} {
		q := everything
		q.Limit, q.Page = 10, page
		if _, _, err := l.EventsIn(t.Context(), q); !errors.Is(err, operate.ErrPosition) {
			t.Errorf("page %q: %v, want ErrPosition", page, err)
		}
	}
}

// ledgerArrivals: events of all tenants from a time on, the newest hour first, until it is enough.
func ledgerArrivals(t *testing.T, l LedgerUnderTest) {
	var records []relay.EventRecord
	for i, source := range []string{"arrivals-a", "acme/arrivals-b", "arrivals-c"} {
		for n := range 3 {
			r := record(fmt.Sprintf("%s %d", source, n))
			r.Source, r.ReceivedAt = source, now().Add(-time.Duration(2*n)*time.Hour-
				time.Duration(i)*time.Second)
			records = append(records, r)
		}
	}
	recordAll(t, l, records)
	from := now().Add(-3 * time.Hour)
	var got []string
	var hours []time.Time
	must(t, "Arrivals", l.Arrivals(t.Context(), from, func(k operate.EventKey) bool {
		if strings.Contains(k.Source, "arrivals-") {
			got = append(got, k.ID)
			hours = append(hours, k.ReceivedAt.Truncate(time.Hour))
			if i := slices.IndexFunc(records, func(r relay.EventRecord) bool {
				return r.ID == k.ID
			}); i < 0 || keyOfRecord(records[i]) != k {
				t.Errorf("it lists %+v", k)
			}
		}
		return true
	}))
	if !slices.IsSortedFunc(hours, func(a, b time.Time) int { return b.Compare(a) }) {
		t.Errorf("hours %v: not the newest first", hours)
	}
	var want []string
	for _, r := range records {
		if !r.ReceivedAt.Before(from) {
			want = append(want, r.ID)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, "arrivals", want, slices.Compact(got))
	calls := 0
	must(t, "Arrivals", l.Arrivals(t.Context(), from, func(operate.EventKey) bool {
		calls++
		return calls < 2
	}))
	equal(t, "calls until it is enough", 2, calls)
	must(t, "Arrivals", l.Arrivals(t.Context(), now().Add(5*time.Hour), func(operate.EventKey) bool {
		t.Error("an event of the future")
		return false
	}))
}
