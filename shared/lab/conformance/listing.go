package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay"
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

// listEvents reads all pages of an hour's events of the source github, by id.
func listEvents(t *testing.T, l operate.Ledger, at time.Time) map[string]relay.EventRecord {
	t.Helper()
	all := map[string]relay.EventRecord{}
	eachPage(t, "EventsBySource", func(page relay.Page) (relay.Page, error) {
		events, next, err := l.EventsBySource(t.Context(), "github", at, page)
		for _, e := range events {
			if _, twice := all[e.ID]; twice {
				t.Fatalf("%s is listed twice", e.ID)
			}
			all[e.ID] = e
		}
		return next, err
	})
	return all
}

func ledgerHours(t *testing.T, l LedgerUnderTest) {
	hour := now().Truncate(time.Hour)
	inside := map[string]relay.EventRecord{}
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
			inside[r.ID] = r
		}
	}
	other := record("other source")
	other.Source, other.ReceivedAt = "github-2", hour
	recordEvent(t, l, other)

	for _, at := range []time.Time{
		hour, hour.Add(time.Hour - 1), hour.Add(20 * time.Minute).In(time.FixedZone("IST", 19800)),
	} {
		got := listEvents(t, l, at)
		for id, r := range got {
			if len(r.Body) > 0 || len(r.Header) > 0 {
				t.Errorf("%s is listed with its body or header", id)
			}
		}
		equal(
			t, "events of the hour", inside, got, sameRecord,
			cmpopts.IgnoreFields(relay.Event{}, "Body", "Header"),
		)
	}
	equal(t, "events of the hour before", 1, len(listEvents(t, l, hour.Add(-time.Minute))))
}

func ledgerBusyHour(t *testing.T, l LedgerUnderTest) {
	const n = 230
	at := now().Truncate(time.Hour)
	for i := range n {
		r := record(fmt.Sprint(i))
		r.ReceivedAt = at // events of the same time must not be lost
		recordEvent(t, l, r)
	}
	equal(t, "events", n, len(listEvents(t, l, at)))
}

// listDeliveries reads all pages of an endpoint's deliveries. It calls between after each page.
func listDeliveries(
	t *testing.T, l operate.Ledger, endpoint string, s relay.Status, between func([]relay.Delivery),
) []relay.Delivery {
	t.Helper()
	var all []relay.Delivery
	eachPage(t, "OpenDeliveries", func(page relay.Page) (relay.Page, error) {
		deliveries, next, err := l.OpenDeliveries(t.Context(), endpoint, s, page)
		must(t, "OpenDeliveries", err) // checked before between is called
		all = append(all, deliveries...)
		between(deliveries)
		return next, nil
	})
	return all
}

func list(t *testing.T, l operate.Ledger, endpoint string, s relay.Status) []relay.Delivery {
	t.Helper()
	return listDeliveries(t, l, endpoint, s, func([]relay.Delivery) {})
}

// scattered returns 0 to n-1 out of order. n must not be a multiple of 7.
func scattered(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i * 7 % n
	}
	return order
}

func ledgerWaiting(t *testing.T, l LedgerUnderTest) {
	const n = 230
	base, want := now(), make([]relay.Delivery, n)
	for _, i := range scattered(n) {
		d := delivery(fmt.Sprint(i), "shipping", 1)
		d.NextAt, d.UpdatedAt = base.Add(time.Duration(i)*9*time.Second),
			base.Add(-time.Duration(i)*time.Second)
		save(t, l, d, 0)
		want[i] = d
	}
	equal(t, "waiting", want, list(t, l, "shipping", relay.Waiting), sameRecord)
	equal(t, "dead", 0, len(list(t, l, "shipping", relay.Dead)))
}

func ledgerDead(t *testing.T, l LedgerUnderTest) {
	const n = 23
	base, want := now().Add(-time.Hour), make([]relay.Delivery, n)
	for _, i := range scattered(n) {
		d := delivery(fmt.Sprint(i), "shipping", 1)
		d.Status, d.NextAt, d.UpdatedAt = relay.Dead, time.Time{},
			base.Add(time.Duration(i)*time.Second)
		save(t, l, d, 0)
		want[i] = d
	}
	equal(t, "dead", want, list(t, l, "shipping", relay.Dead), sameRecord)
}

func ledgerStatus(t *testing.T, l LedgerUnderTest) {
	expect := func(waiting, dead int) {
		t.Helper()
		got := []int{
			len(list(t, l, "shipping", relay.Waiting)), len(list(t, l, "shipping", relay.Dead)),
		}
		equal(t, "waiting and dead", []int{waiting, dead}, got)
	}
	save(t, l, delivery("a", "shipping", 1), 0)
	expect(1, 0)
	dead := delivery("a", "shipping", 2)
	dead.Status, dead.NextAt = relay.Dead, time.Time{}
	save(t, l, dead, 1)
	expect(0, 1)
	save(t, l, delivery("a", "shipping", 3), 2) // replayed
	expect(1, 0)
	delivered := delivery("a", "shipping", 4)
	delivered.Status, delivered.NextAt = relay.Delivered, time.Time{}
	save(t, l, delivered, 3)
	expect(0, 0)
	direct := delivery("b", "shipping", 1)
	direct.Status, direct.NextAt = relay.Delivered, time.Time{}
	save(t, l, direct, 0)
	expect(0, 0)
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
	due := now().Add(time.Minute)
	for i := range n {
		d := delivery(fmt.Sprint(i), "shipping", 1)
		d.NextAt = due // deliveries of the same time must not be lost
		save(t, l, d, 0)
	}
	seen := map[string]bool{}
	for _, d := range listDeliveries(t, l, "shipping", relay.Waiting, func(page []relay.Delivery) {
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
		equal(t, fmt.Sprintf("%d overdue", due), want[:due], got, sameRecord)
	}
}

func ledgerDeliveriesOf(t *testing.T, l LedgerUnderTest) {
	recordEvent(t, l, record("a"))
	expired := delivery("a", "expired", 1)
	expired.ExpiresAt = now().Truncate(time.Second)
	ship, shipping := delivery("a", "ship", 2), delivery("a", "shipping", 1)
	for _, d := range []relay.Delivery{shipping, ship, expired, delivery("b", "shipping", 1)} {
		save(t, l, d, 0)
	}
	got, err := l.DeliveriesOf(t.Context(), eventID("a"))
	must(t, "DeliveriesOf", err)
	equal(t, "deliveries", []relay.Delivery{ship, shipping}, got, sameRecord)
	none, err := l.DeliveriesOf(t.Context(), eventID("unknown"))
	must(t, "DeliveriesOf an unknown event", err)
	equal(t, "deliveries of an unknown event", 0, len(none))
}
