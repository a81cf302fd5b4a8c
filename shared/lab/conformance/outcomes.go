package conformance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/schema"
)

// SweepCursors tests an operate.SweepCursors.
func SweepCursors(t *testing.T, cursors operate.SweepCursors) {
	t.Helper()
	none, err := cursors.SweepCursor(t.Context())
	must(t, "SweepCursor", err)
	equal(t, "the first cursor", operate.SweepCursor{}, none)
	hour := now().Truncate(time.Hour)
	for _, c := range []operate.SweepCursor{
		{Hour: hour, Page: "3/a page#of its own"}, {Hour: hour, Done: true},
		{Hour: hour.Add(time.Hour)}, {Hour: hour, Page: "1/p", Endpoint: "acme/shipping"},
	} {
		must(t, "SaveSweepCursor", cursors.SaveSweepCursor(t.Context(), c))
		got, err := cursors.SweepCursor(t.Context())
		must(t, "SweepCursor", err)
		equal(t, "cursor", c, got)
	}
}

// anyOrder compares the deliveries of an outcome without regard to their order.
var anyOrder = cmpopts.SortSlices(func(a, b operate.DeliveryStatus) bool {
	return a.Endpoint < b.Endpoint
})

// names returns n endpoint names of the maximum length.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%063d", i)
	}
	return all
}

func eventToMost(t *testing.T, events relay.Events) {
	r := record("wide")
	r.Body, r.Endpoints = jsonText(16<<10), names(relay.MaxEndpoints)
	recordEvent(t, events, r)
	expectEvent(t, events, r)
	narrow := record("wide")
	narrow.ID = eventID("another list")
	narrow.Endpoints = names(relay.MaxEndpoints - 1)
	recordEvent(t, events, narrow)
	expectEvent(t, events, narrow)
	expectEvent(t, events, r)
}

// A function with another configuration writes its own list of endpoints, and finds the event on
// record.
func eventOtherList(t *testing.T, events relay.Events) {
	first, second := record("wide"), record("wide")
	first.Endpoints, second.Endpoints = names(4000), names(3999)
	recordEvent(t, events, first)
	existing, err := relay.RecordEvent(t.Context(), events, second)
	must(t, "RecordEvent", err)
	equal(t, "endpoints", first.Endpoints, existing.Endpoints)
	expectEvent(t, events, first)
}

func eventSent(t *testing.T, events relay.Events) {
	r := record("wide")
	r.Endpoints = names(1000)
	must(t, "SaveSent before the event", events.SaveSent(t.Context(), r.ID, 7))
	recordEvent(t, events, r)
	expectEvent(t, events, r)
	for _, sent := range []int{500, 300, 900} {
		must(t, "SaveSent", events.SaveSent(t.Context(), r.ID, sent))
		r.Sent = max(r.Sent, sent)
		expectEvent(t, events, r)
	}
}

func ledgerEventRecord(t *testing.T, l LedgerUnderTest) {
	want, wide, expired := record("a"), record("wide"), record("expired")
	want.Body, wide.Endpoints = binary(), names(relay.MaxEndpoints)
	expired.ExpiresAt = now().Truncate(time.Second)
	for _, r := range []relay.EventRecord{want, wide, expired} {
		recordEvent(t, l, r)
	}
	save(t, l, delivery("a", "shipping", 1), 0)
	for _, r := range []relay.EventRecord{want, wide} {
		got, err := l.EventRecord(t.Context(), r.ID)
		must(t, "EventRecord", err)
		equal(t, "event", r, got, sameRecord)
	}
	for _, id := range []string{expired.ID, eventID("unknown")} {
		if _, err := l.EventRecord(t.Context(), id); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("EventRecord: %v, want ErrNotFound", err)
		}
	}
}

// outcomes reads all pages of an hour's outcomes, by event.
func outcomes(t *testing.T, l operate.Ledger, at time.Time) map[string]operate.EventOutcome {
	t.Helper()
	all := map[string]operate.EventOutcome{}
	eachPage(t, "Outcomes", func(page relay.Page) (relay.Page, error) {
		return l.Outcomes(t.Context(), at, page, func(o operate.EventOutcome) {
			if _, twice := all[o.EventID]; twice {
				t.Errorf("%s comes twice", o.EventID)
			}
			all[o.EventID] = o
		})
	})
	return all
}

func ledgerOutcomes(t *testing.T, l LedgerUnderTest) {
	at := now().Truncate(time.Hour).Add(time.Minute)
	put := func(name string, at time.Time, endpoints ...string) {
		r := record(name)
		r.ReceivedAt, r.Endpoints = at, endpoints
		recordEvent(t, l, r)
	}
	put("unrouted", at)
	for _, status := range []schema.Status{schema.Passed, schema.Failed, schema.Unchecked} {
		r := record(string(status))
		r.ReceivedAt, r.Schema = at, &relay.SchemaResult{Status: status}
		recordEvent(t, l, r)
	}
	put("missing", at, "shipping")
	put("mixed", at, "a", "b", "c", "d")
	put("other hour", at.Add(-time.Hour), "shipping")
	many := names(40)
	put("many", at, many...)
	expired := record("expired")
	expired.ReceivedAt, expired.ExpiresAt = at, now().Truncate(time.Second)
	recordEvent(t, l, expired)

	deliveryIn := func(event, endpoint string, s relay.Status) operate.DeliveryStatus {
		d := delivery(event, endpoint, 1)
		d.Status, d.ReceivedAt = s, at
		if s != relay.Waiting {
			d.NextAt = time.Time{}
		}
		save(t, l, d, 0)
		return operate.DeliveryStatus{
			Endpoint: endpoint, Status: s, NextAt: d.NextAt, Attempts: d.Attempts,
			UpdatedAt: d.UpdatedAt,
		}
	}
	mixed := []operate.DeliveryStatus{
		deliveryIn(
			"mixed", "a", relay.Delivered,
		), deliveryIn("mixed", "b", relay.Dead), deliveryIn("mixed", "c", relay.Waiting),
	}
	var ofMany []operate.DeliveryStatus
	for _, name := range many[:30] {
		ofMany = append(ofMany, deliveryIn("many", name, relay.Delivered))
	}
	ofMany = append(ofMany, deliveryIn("many", many[30], relay.Waiting))

	got := outcomes(t, l, at)
	equal(t, "events", 7, len(got))
	for name, want := range map[string]operate.EventOutcome{
		"passed":    {Schema: schema.Passed, Endpoints: record("").Endpoints},
		"failed":    {Schema: schema.Failed, Endpoints: record("").Endpoints},
		"unchecked": {Endpoints: record("").Endpoints},
		"unrouted":  {}, "missing": {Endpoints: []string{"shipping"}}, "many": {
			Endpoints: many, Deliveries: ofMany,
		},
		"mixed": {Endpoints: []string{"a", "b", "c", "d"}, Deliveries: mixed},
	} {
		of := record(name)
		want.EventID, want.Source, want.Type, want.ReceivedAt = of.ID, of.Source, of.Type, at
		equal(t, name, want, got[want.EventID], sameRecord, anyOrder)
	}
}

func ledgerBusyOutcomes(t *testing.T, l LedgerUnderTest) {
	const n = 230
	at := now().Truncate(time.Hour)
	for i := range n {
		r := record(fmt.Sprint(i))
		r.ReceivedAt = at
		recordEvent(t, l, r)
		if i%3 > 0 {
			d := delivery(fmt.Sprint(i), "shipping", 1)
			d.ReceivedAt = at
			save(t, l, d, 0)
		}
	}
	missing, all := 0, outcomes(t, l, at)
	for _, o := range all {
		if len(o.Deliveries) == 0 {
			missing++
		}
	}
	equal(t, "events, and those without a delivery", []int{n, 77}, []int{len(all), missing})
}

// A page holds few events with many endpoints, and nothing is lost between two pages.
func ledgerWideOutcomes(t *testing.T, l LedgerUnderTest) {
	at := now().Truncate(time.Hour)
	for i := range 6 {
		r := record(fmt.Sprint(i))
		r.ReceivedAt, r.Endpoints = at, names(relay.MaxEndpoints)
		recordEvent(t, l, r)
	}
	all := outcomes(t, l, at)
	equal(t, "events", 6, len(all))
	for _, o := range all {
		equal(t, "endpoints", relay.MaxEndpoints, len(o.Endpoints))
	}
}
