package conformance

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// eachPage calls a listing's method for each page, from the first to the last.
func eachPage(t *testing.T, method string, read func(relay.Page) (relay.Page, error)) {
	t.Helper()
	page := relay.Page("")
	for range 1000 {
		next, err := read(page)
		must(t, method, err)
		if page = next; page == "" {
			return
		}
	}
	t.Fatal("the listing has no end")
}

func ledgerHours(t *testing.T, l LedgerUnderTest) {
	hour := now().Truncate(time.Hour)
	inside := map[string]time.Time{}
	for name, at := range map[string]time.Time{
		"first": hour, "middle": hour.Add(30 * time.Minute), "last": hour.Add(
			time.Hour - time.Millisecond,
		),
		"before": hour.Add(-time.Millisecond), "after": hour.Add(time.Hour),
		"yesterday": hour.Add(-24 * time.Hour),
	} {
		r := record(name)
		r.ReceivedAt, r.ExpiresAt = at, later().Add(time.Hour)
		recordEvent(t, l, r)
		if at.Truncate(time.Hour).Equal(hour) {
			inside[r.ID] = at
		}
	}
	for _, at := range []time.Time{
		hour, hour.Add(time.Hour - 1), hour.Add(20 * time.Minute).In(time.FixedZone("IST", 19800)),
	} {
		got := map[string]time.Time{}
		for id, o := range outcomes(t, l, at) {
			got[id] = o.ReceivedAt
		}
		equal(t, "events of the hour", inside, got)
	}
	equal(t, "events of the hour before", 1, len(outcomes(t, l, hour.Add(-time.Minute))))
}

// ledgerBatches records batches that overlap: some of their events are on record already.
func ledgerBatches(t *testing.T, l LedgerUnderTest) {
	const n, step = 330, 45
	for first := 0; first < n; first += step {
		var batch []relay.EventRecord
		for i := first; i < min(first+2*step, n); i++ {
			r := record(fmt.Sprint(i))
			r.ReceivedAt = accepted.Truncate(time.Hour).Add(time.Duration(i) * time.Second)
			batch = append(batch, r)
		}
		for _, result := range l.RecordEvents(t.Context(), batch) {
			must(t, "RecordEvents", result.Err)
		}
	}
	equal(t, "events", n, len(listEvents(t, l, everything, noChange)))
	equal(t, "outcomes", n, len(outcomes(t, l, accepted)))
}

// listDeliveries reads all pages of a query. It calls between after each page.
func listDeliveries(
	t *testing.T, l operate.Ledger, q operate.Query, between func([]relay.Delivery),
) []relay.Delivery {
	t.Helper()
	var all []relay.Delivery
	eachPage(t, "ListDeliveries", func(page relay.Page) (relay.Page, error) {
		deliveries, next, err := l.ListDeliveries(t.Context(), q, page)
		must(t, "ListDeliveries", err) // checked before between is called
		all = append(all, deliveries...)
		between(deliveries)
		return next, nil
	})
	return all
}

func list(
	t *testing.T, l operate.Ledger, endpoint string, statuses ...relay.Status,
) []relay.Delivery {
	t.Helper()
	return listDeliveries(
		t, l, operate.Query{Endpoint: endpoint, Statuses: statuses}, func([]relay.Delivery) {},
	)
}

// scattered returns 0 to n-1 out of order. n must not be a multiple of 7.
func scattered(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i * 7 % n
	}
	return order
}

// ledgerListing lists deliveries in every status, whose webhooks were accepted a second apart.
func ledgerListing(t *testing.T, l LedgerUnderTest) {
	const n = 230
	all := make([]relay.Delivery, n) // newest first
	statuses := []relay.Status{relay.Delivered, relay.Waiting, relay.Delivered, relay.Dead}
	for _, i := range scattered(n) {
		d := delivery(fmt.Sprint(i), "shipping", 1)
		d.ReceivedAt = accepted.Add(-time.Duration(i) * time.Second)
		d.Status = statuses[i%len(statuses)]
		if d.Status == relay.Waiting { // in another order
			d.NextAt = now().Add(time.Duration(i*7%n) * time.Second)
		} else {
			d.NextAt = time.Time{}
		}
		d.UpdatedAt = now().Add(time.Duration(i*11%n) * time.Second)
		save(t, l, d, 0)
		all[i] = d
	}
	at := func(i int) time.Time { return all[i].ReceivedAt }
	for name, q := range map[string]operate.Query{
		"all":              {},
		"delivered":        {Statuses: []relay.Status{relay.Delivered}},
		"waiting":          {Statuses: []relay.Status{relay.Waiting}},
		"dead":             {Statuses: []relay.Status{relay.Dead}},
		"open":             {Statuses: []relay.Status{relay.Dead, relay.Waiting}},
		"ended":            {Statuses: []relay.Status{relay.Delivered, relay.Dead}},
		"repeated":         {Statuses: []relay.Status{relay.Dead, relay.Dead}},
		"every status":     {Statuses: []relay.Status{relay.Dead, relay.Delivered, relay.Waiting}},
		"from":             {From: at(10)},
		"from, after one":  {From: at(10).Add(time.Microsecond)},
		"until":            {Until: at(10)},
		"until, after one": {Until: at(10).Add(time.Microsecond)},
		"between":          {From: at(200), Until: at(20)},
		"dead between":     {From: at(200), Until: at(20), Statuses: []relay.Status{relay.Dead}},
		"nothing between":  {From: at(20), Until: at(20)},
		"an empty range":   {From: at(20), Until: at(200)},
		"before all":       {Until: at(n - 1)},
	} {
		q.Endpoint = "shipping"
		var want []relay.Delivery
		for _, d := range all {
			if q.Takes(d) {
				want = append(want, d)
			}
		}
		got := listDeliveries(t, l, q, func([]relay.Delivery) {})
		equal(t, name, want, got, sameRecord)
	}
}

func ledgerStatus(t *testing.T, l LedgerUnderTest) {
	expect := func(waiting, dead, delivered int) {
		t.Helper()
		var got []int
		for _, s := range []relay.Status{relay.Waiting, relay.Dead, relay.Delivered} {
			got = append(got, len(list(t, l, "shipping", s)))
		}
		equal(t, "waiting, dead and delivered", []int{waiting, dead, delivered}, got)
		equal(t, "all", waiting+dead+delivered, len(list(t, l, "shipping")))
	}
	save(t, l, delivery("a", "shipping", 1), 0)
	expect(1, 0, 0)
	dead := delivery("a", "shipping", 2)
	dead.Status, dead.NextAt = relay.Dead, time.Time{}
	save(t, l, dead, 1)
	expect(0, 1, 0)
	save(t, l, delivery("a", "shipping", 3), 2) // replayed
	expect(1, 0, 0)
	delivered := delivery("a", "shipping", 4)
	delivered.Status, delivered.NextAt = relay.Delivered, time.Time{}
	save(t, l, delivered, 3)
	expect(0, 0, 1)
	direct := delivery("b", "shipping", 1)
	direct.Status, direct.NextAt = relay.Delivered, time.Time{}
	save(t, l, direct, 0)
	expect(0, 0, 2)
}

func ledgerOthers(t *testing.T, l LedgerUnderTest) {
	expired := delivery("a", "ship", 1)
	expired.ExpiresAt = now().Truncate(time.Second)
	save(t, l, expired, 0)
	save(t, l, delivery("b", "shipping", 1), 0)
	save(t, l, delivery("c", "sh", 1), 0)
	equal(t, "deliveries", 0, len(list(t, l, "ship", relay.Waiting)))
	equal(t, "deliveries of an unknown endpoint", 0, len(list(t, l, "unknown", relay.Waiting)))
}

func ledgerMoving(t *testing.T, l LedgerUnderTest) {
	const n = 230
	for i := range n {
		// deliveries of the same time must not be lost
		save(t, l, delivery(fmt.Sprint(i), "shipping", 1), 0)
	}
	seen := map[string]bool{}
	waiting := operate.Query{Endpoint: "shipping", Statuses: []relay.Status{relay.Waiting}}
	for _, d := range listDeliveries(t, l, waiting, func(page []relay.Delivery) {
		for _, d := range page {
			d.Status, d.NextAt, d.Attempts = relay.Delivered, time.Time{}, 2
			save(t, l, d, 1)
		}
	}) {
		seen[d.EventID] = true
	}
	equal(t, "deliveries listed", n, len(seen))
	equal(t, "deliveries left", 0, len(list(t, l, "shipping", relay.Waiting)))
}

func ledgerOverdue(t *testing.T, l LedgerUnderTest) {
	const n = 230
	base := now()
	var want []relay.Delivery
	for i := range n {
		d := delivery(fmt.Sprint(i), "shipping", 1)
		d.NextAt = base.Add(time.Duration(i) * time.Second)
		save(t, l, d, 0)
		want = append(want, d)
	}
	dead := delivery("dead", "shipping", 1)
	dead.Status, dead.NextAt, dead.UpdatedAt = relay.Dead, time.Time{}, base.Add(-time.Hour)
	save(t, l, dead, 0)
	for _, due := range []int{0, 1, 100, 150, n} {
		var got []relay.Delivery
		for page, more := relay.Page(""), true; more; more = page != "" {
			deliveries, next, err := l.Overdue(
				t.Context(), "shipping", base.Add(time.Duration(due)*time.Second), page,
			)
			must(t, "Overdue", err)
			got, page = append(got, deliveries...), next
		}
		slices.SortFunc(got, func(a, b relay.Delivery) int { return a.NextAt.Compare(b.NextAt) })
		equal(t, fmt.Sprintf("%d overdue", due), want[:due], got, sameRecord)
	}
}

func ledgerAddEndpoints(t *testing.T, l LedgerUnderTest) {
	recordEvent(t, l, record("a"))
	add := func(event string, names ...string) {
		t.Helper()
		must(t, "AddEndpoints", l.AddEndpoints(t.Context(), eventID(event), names))
	}
	add("a", "billing", "shipping")
	add("a", "billing")
	add("a")
	add("unknown", "billing")
	save(t, l, delivery("a", "billing", 1), 0)
	r, deliveries, err := l.Event(t.Context(), eventID("a"))
	must(t, "Event", err)
	equal(t, "endpoints", []string{"shipping", "billing"}, r.Endpoints)
	equal(t, "deliveries", []relay.Delivery{delivery("a", "billing", 1)}, deliveries, sameRecord,
		cmpopts.IgnoreFields(relay.Delivery{}, "NextAt", "UpdatedAt", "ExpiresAt", "History"))
	if _, err := l.EventRecord(t.Context(), eventID("unknown")); !errors.Is(
		err, catalog.ErrNotFound,
	) {
		t.Errorf("an event that is not on record: %v, want ErrNotFound", err)
	}
}
