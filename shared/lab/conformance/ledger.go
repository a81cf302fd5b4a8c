package conformance

import (
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

// LedgerUnderTest is everything that a ledger's adapter implements.
type LedgerUnderTest interface {
	relay.Events
	relay.Deliveries
	operate.Ledger
}

// Events tests a relay.Events.
func Events(t *testing.T, fresh func(t *testing.T) relay.Events) {
	for name, test := range map[string]func(*testing.T, relay.Events){
		"a new event is written":                          eventNew,
		"an event on record is returned and left alone":   eventExisting,
		"every field comes back":                          eventFields,
		"an event without body, type or endpoints is one": eventBare,
		"an expired event counts as absent":               eventExpired,
		"of concurrent writes of one id exactly one wins": eventConcurrent,
		"an event can go to ten thousand endpoints":       eventToMost,
		"another list of endpoints changes nothing":       eventOtherList,
		"how far an event has been sent is kept":          eventSent,
		"events of a batch have a result each":            eventBatch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// Deliveries tests a relay.Deliveries.
func Deliveries(t *testing.T, fresh func(t *testing.T) relay.Deliveries) {
	for name, test := range map[string]func(*testing.T, relay.Deliveries){
		"what is not on record is not found":              deliveryNotFound,
		"a write asks for the attempts on record":         deliveryConditions,
		"one that was held can be attempted, once":        deliveryHeld,
		"an expired delivery counts as absent":            deliveryExpired,
		"every field comes back":                          deliveryFields,
		"one event's endpoints are apart":                 deliveryEndpoints,
		"of concurrent writes of one step one alone wins": deliveryConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// Ledger tests an operate.Ledger together with the ports that fill it.
func Ledger(t *testing.T, fresh func(t *testing.T) LedgerUnderTest) {
	for name, test := range map[string]func(*testing.T, LedgerUnderTest){
		"an unknown event is not found":                       ledgerNotFound,
		"an expired event is not found":                       ledgerExpired,
		"an event has its deliveries, sorted":                 ledgerEvent,
		"an event has all its deliveries, however large":      ledgerLargeEvent,
		"outcomes are those of an hour":                       ledgerHours,
		"events are listed newest first":                      ledgerEventOrder,
		"a tenant is listed its events, the operator its own": ledgerEventTenants,
		"a listing loses no event while others are recorded":  ledgerEventsMeanwhile,
		"events of one moment are listed whole":               ledgerEventsAtOnce,
		"a page that is none is an error":                     ledgerEventPages,
		"events recorded together are listed once each":       ledgerBatches,
		"deliveries are listed by status and time":            ledgerListing,
		"a delivery is listed under its present status only":  ledgerStatus,
		"expired deliveries and other endpoints are left out": ledgerOthers,
		"a listing loses nothing while records leave it":      ledgerMoving,
		"overdue is what was due before a time":               ledgerOverdue,
		"endpoints can be added to an event":                  ledgerAddEndpoints,
		"an event can be had without its deliveries":          ledgerEventRecord,
		"outcomes tell where every delivery stands":           ledgerOutcomes,
		"arrivals are the newest events of all tenants":       ledgerArrivals,
		"the outcomes of a busy hour come whole":              ledgerBusyOutcomes,
		"so do those of events with many endpoints":           ledgerWideOutcomes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// record returns a plain record of an event.
func record(name string) relay.EventRecord {
	return relay.EventRecord{
		Event: relay.Event{ID: eventID(name), Receipt: "r-" +
			name, Source: "github", Type: "push", ReceivedAt: accepted,
			Header: relay.Header{"content-type": "application/json"}, Body: []byte(`{"n":1}`)},
		MessageID: "m-" + name, Endpoints: []string{"shipping"}, RoutedAt: now(),
		ExpiresAt: later(),
	}
}

// accepted is when the webhooks of this package's events were accepted, unless a test says
// otherwise. It is part of the key of a delivery.
var accepted = now()

// keyOf returns the key of a delivery of the given event.
func keyOf(event, endpoint string) relay.DeliveryKey {
	return relay.DeliveryKey{EventID: eventID(event), Endpoint: endpoint, ReceivedAt: accepted}
}

// delivery returns a plain delivery after n attempts that waits for the next one.
func delivery(event, endpoint string, n int) relay.Delivery {
	d := relay.Delivery{EventID: eventID(event), Endpoint: endpoint, ReceivedAt: accepted,
		Source: "github", Type: "push", Status: relay.Waiting,
		Attempts: n, MessageID: fmt.Sprint("m-", n), NextAt: now().Add(time.Minute),
		UpdatedAt: now(), ExpiresAt: later()}
	for i := range min(n, relay.MaxHistory) {
		d.History = append(
			d.History,
			relay.Attempt{Number: i + 1, At: now(), Outcome: relay.FailedAnswer, StatusCode: 503},
		)
	}
	return d
}

func recordEvent(t *testing.T, events relay.Events, r relay.EventRecord) {
	t.Helper()
	existing, err := relay.RecordEvent(t.Context(), events, r)
	must(t, "RecordEvent", err)
	if existing != nil {
		t.Fatalf("RecordEvent found %+v, want nothing", existing)
	}
}

func expectEvent(t *testing.T, events relay.Events, want relay.EventRecord) {
	t.Helper()
	other := record("other")
	other.ID = want.ID
	existing, err := relay.RecordEvent(t.Context(), events, other)
	must(t, "RecordEvent", err)
	if existing == nil {
		t.Fatal("RecordEvent found nothing")
	}
	equal(t, "record", want, *existing, sameRecord)
}

func save(t *testing.T, deliveries relay.Deliveries, d relay.Delivery, prior int) {
	t.Helper()
	must(
		t, fmt.Sprintf("SaveDelivery of attempt %d over %d", d.Attempts, prior),
		deliveries.SaveDelivery(t.Context(), d, prior),
	)
}

func eventNew(t *testing.T, events relay.Events) {
	recordEvent(t, events, record("a"))
	recordEvent(t, events, record("b"))
}

func eventExisting(t *testing.T, events relay.Events) {
	first := record("a")
	recordEvent(t, events, first)
	expectEvent(t, events, first)
	expectEvent(t, events, first)
}

func eventFields(t *testing.T, events relay.Events) {
	inline := record("inline")
	inline.Body = binary()
	inline.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	inline.Type = "a type/with: spaces, é and <&>"
	inline.Header = relay.Header{
		"x-empty": "", "x-text": "a,b; é \x01", "content-type": "application/octet-stream",
	}
	inline.Endpoints = []string{"z", "a", "m"}
	claimed := record("claimed")
	claimed.Body, claimed.BodyRef = nil, &relay.BodyRef{Key: "2026/01/02/github/abc", Size: 1 << 20}
	large := record("large")
	large.Body = jsonText(16 << 10)
	for _, r := range []relay.EventRecord{inline, claimed, large} {
		recordEvent(t, events, r)
		expectEvent(t, events, r)
	}
}

func eventBare(t *testing.T, events relay.Events) {
	r := record("a")
	r.Body, r.Type, r.Header, r.Endpoints = nil, "", nil, nil
	recordEvent(t, events, r)
	expectEvent(t, events, r)
}

func eventExpired(t *testing.T, events relay.Events) {
	expired, next := record("a"), record("a")
	expired.ExpiresAt = now().Truncate(time.Second)
	next.Receipt, next.MessageID = "r-next", "m-next"
	recordEvent(t, events, expired)
	recordEvent(t, events, next)
	expectEvent(t, events, next)
}

func eventConcurrent(t *testing.T, events relay.Events) {
	type result struct {
		own      string
		existing *relay.EventRecord
		err      error
	}
	results := atOnce(8, func(i int) result {
		r := record("a")
		r.Receipt = fmt.Sprint("r-", i)
		existing, err := relay.RecordEvent(t.Context(), events, r)
		return result{own: r.Receipt, existing: existing, err: err}
	})
	var winners []string
	for _, r := range results {
		must(t, "RecordEvent", r.err)
		if r.existing == nil {
			winners = append(winners, r.own)
		}
	}
	if len(winners) != 1 {
		t.Fatalf("%d of 8 wrote the event, want 1", len(winners))
	}
	for _, r := range results {
		if r.existing != nil {
			equal(t, "what the others found", winners[0], r.existing.Receipt)
		}
	}
}

// eventBatch records a batch in which one event is on record, one expired, and one there twice.
func eventBatch(t *testing.T, events relay.Events) {
	existing, expired := record("existing"), record("expired")
	expired.ExpiresAt = now().Truncate(time.Second)
	recordEvent(t, events, existing)
	recordEvent(t, events, expired)
	var batch []relay.EventRecord
	for _, name := range []string{"existing", "a", "expired", "b", "a", "c"} {
		r := record(name)
		r.MessageID = fmt.Sprint("m-", len(batch))
		batch = append(batch, r)
	}
	batch[3].Source = "github-2"
	results := events.RecordEvents(t.Context(), batch)
	equal(t, "results", len(batch), len(results))
	twice := 0
	for i, r := range results {
		must(t, "RecordEvents", r.Err)
		switch {
		case i == 0:
			equal(t, "what was there", &existing, r.Existing, sameRecord)
		case r.Existing != nil: // one of the two, whichever was written later
			twice++
			equal(t, "id of what was there", eventID("a"), r.Existing.ID)
		default:
			expectEvent(t, events, batch[i])
		}
	}
	equal(t, "events that were there twice", 1, twice)
	equal(t, "results of nothing", 0, len(events.RecordEvents(t.Context(), nil)))
}

func deliveryNotFound(t *testing.T, deliveries relay.Deliveries) {
	save(t, deliveries, delivery("a", "shipping", 1), 0)
	for _, key := range []relay.DeliveryKey{keyOf("a", "billing"), keyOf("b", "shipping")} {
		if _, err := deliveries.Delivery(t.Context(), key); !errors.Is(
			err, catalog.ErrNotFound,
		) {
			t.Errorf("Delivery(%+v): %v, want ErrNotFound", key, err)
		}
	}
}

func deliveryConditions(t *testing.T, deliveries relay.Deliveries) {
	for _, stored := range []int{0, 1, 2, 11} {
		for _, prior := range []int{0, 1, 2, 11} {
			event := fmt.Sprintf("%d over %d", prior, stored)
			if stored > 0 {
				save(t, deliveries, delivery(event, "shipping", stored), 0)
			}
			next := delivery(event, "shipping", prior+1)
			next.MessageID = "m-next"
			err := deliveries.SaveDelivery(t.Context(), next, prior)
			if stored == prior {
				must(t, event, err)
			} else if !errors.Is(err, catalog.ErrConflict) {
				t.Errorf(
					"a write with prior %d over %d attempts: %v, want ErrConflict", prior, stored,
					err,
				)
			}
			got, err := deliveries.Delivery(t.Context(), keyOf(event, "shipping"))
			switch {
			case stored == 0 && prior > 0:
				if !errors.Is(err, catalog.ErrNotFound) {
					t.Errorf("after a refused write: %+v, %v, want ErrNotFound", got, err)
				}
			case stored == prior:
				equal(t, event, prior+1, got.Attempts)
			default:
				equal(t, event+", refused", stored, got.Attempts)
			}
		}
	}
	repeated := delivery("same", "shipping", 1)
	save(t, deliveries, repeated, 0)
	repeated.Status = relay.Dead
	save(t, deliveries, repeated, 1)
}

func deliveryHeld(t *testing.T, deliveries relay.Deliveries) {
	held := delivery("e", "shipping", 0)
	save(t, deliveries, held, 0)
	held.NextAt = held.NextAt.Add(time.Minute)
	save(t, deliveries, held, 0)
	save(t, deliveries, delivery("e", "shipping", 1), 0)
	for _, again := range []relay.Delivery{held, delivery("e", "shipping", 1)} {
		if err := deliveries.SaveDelivery(t.Context(), again, 0); !errors.Is(
			err, catalog.ErrConflict,
		) {
			t.Errorf("over an attempt, of %d attempts: %v, want ErrConflict", again.Attempts, err)
		}
	}
	waiting := delivery("e", "shipping", 1)
	waiting.NextAt = waiting.NextAt.Add(time.Hour)
	save(t, deliveries, waiting, 1)
}

func deliveryExpired(t *testing.T, deliveries relay.Deliveries) {
	expired := delivery("a", "shipping", 2)
	expired.ExpiresAt = now().Truncate(time.Second)
	save(t, deliveries, expired, 0)
	if _, err := deliveries.Delivery(t.Context(), expired.Key()); !errors.Is(
		err, catalog.ErrNotFound,
	) {
		t.Errorf("Delivery: %v, want ErrNotFound", err)
	}
	if err := deliveries.SaveDelivery(
		t.Context(), delivery("a", "shipping", 3), 2,
	); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("SaveDelivery over the attempts of an expired record: %v, want ErrConflict", err)
	}
	save(t, deliveries, delivery("a", "shipping", 1), 0)
}

func deliveryFields(t *testing.T, deliveries relay.Deliveries) {
	first := delivery("a", "shipping", 1)
	first.Type = "a type/with: spaces, é and <&>"
	first.History[0] = relay.Attempt{Number: 1, At: now(), Duration: 1234 * time.Millisecond,
		Outcome:    relay.FailedAnswer,
		StatusCode: 500, Response: slices.Concat(binary(), binary(), binary(), binary())}
	save(t, deliveries, first, 0)
	got, err := deliveries.Delivery(t.Context(), first.Key())
	must(t, "Delivery", err)
	equal(t, "delivery", first, got, sameRecord)

	full := first
	full.Attempts, full.Status, full.NextAt, full.MessageID, full.History = 60, relay.Dead,
		time.Time{}, "m-60", nil
	for i := range relay.MaxHistory {
		full.History = append(full.History, relay.Attempt{Number: 11 +
			i, At: now(), Duration: 15 * time.Second,
			Outcome: relay.TimedOut, Error: "no answer within 15s: é", Response: slices.Repeat(
				[]byte{0xff}, relay.MaxResponseBytes,
			)})
	}
	save(t, deliveries, full, 1)
	got, err = deliveries.Delivery(t.Context(), first.Key())
	must(t, "Delivery", err)
	equal(t, "delivery with a full history", full, got, sameRecord)
}

func deliveryEndpoints(t *testing.T, deliveries relay.Deliveries) {
	save(t, deliveries, delivery("a", "ship", 1), 0)
	save(t, deliveries, delivery("a", "shipping", 1), 0)
	save(t, deliveries, delivery("a", "shipping", 2), 1)
	got, err := deliveries.Delivery(t.Context(), keyOf("a", "ship"))
	must(t, "Delivery", err)
	equal(t, "attempts of the other endpoint", 1, got.Attempts)
}

func deliveryConcurrent(t *testing.T, deliveries relay.Deliveries) {
	for prior := range 3 {
		errs := atOnce(8, func(i int) error {
			d := delivery("a", "shipping", prior+1)
			d.MessageID = fmt.Sprint("m-", i)
			return deliveries.SaveDelivery(t.Context(), d, prior)
		})
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Fatalf("writes %d and %d over %d attempts were both accepted", winner, i, prior)
			case !errors.Is(err, catalog.ErrConflict):
				t.Fatalf("SaveDelivery: %v, want ErrConflict", err)
			}
		}
		got, err := deliveries.Delivery(t.Context(), keyOf("a", "shipping"))
		must(t, "Delivery", err)
		equal(t, "the winner's message", fmt.Sprint("m-", winner), got.MessageID)
	}
}

func ledgerNotFound(t *testing.T, l LedgerUnderTest) {
	recordEvent(t, l, record("a"))
	if _, _, err := l.Event(t.Context(), eventID("b")); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("Event: %v, want ErrNotFound", err)
	}
	unknown := operate.EventQuery{Tenant: "unknown"}
	equal(t, "events of an unknown tenant", 0, len(listEvents(t, l, unknown, noChange)))
}

func ledgerExpired(t *testing.T, l LedgerUnderTest) {
	r := record("a")
	r.ExpiresAt = now().Truncate(time.Second)
	recordEvent(t, l, r)
	if _, _, err := l.Event(t.Context(), r.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("Event: %v, want ErrNotFound", err)
	}
	equal(t, "listed events", 0, len(listEvents(t, l, everything, noChange)))
}

func ledgerEvent(t *testing.T, l LedgerUnderTest) {
	want := record("a")
	want.Body, want.Endpoints = binary(), []string{"shipping", "billing", "ship", "expired", "none"}
	recordEvent(t, l, want)
	recordEvent(t, l, record("b"))
	var deliveries []relay.Delivery
	for _, endpoint := range []string{"shipping", "billing", "ship"} {
		d := delivery("a", endpoint, 1)
		save(t, l, d, 0)
		deliveries = append(deliveries, d)
	}
	save(t, l, delivery("b", "shipping", 1), 0)
	expired := delivery("a", "expired", 1)
	expired.ExpiresAt = now().Truncate(time.Second)
	save(t, l, expired, 0)
	slices.SortFunc(deliveries, func(a, b relay.Delivery) int {
		return strings.Compare(a.Endpoint, b.Endpoint)
	})

	got, gotDeliveries, err := l.Event(t.Context(), want.ID)
	must(t, "Event", err)
	equal(t, "event", want, got, sameRecord)
	equal(t, "deliveries", deliveries, gotDeliveries, sameRecord)
}

func ledgerLargeEvent(t *testing.T, l LedgerUnderTest) {
	event := record("a")
	for i := range 24 {
		event.Endpoints = append(event.Endpoints, fmt.Sprintf("e-%02d", i))
	}
	recordEvent(t, l, event)
	for i := range 24 { // 50 KiB of responses each: more than any store returns at once
		d := delivery("a", fmt.Sprintf("e-%02d", i), relay.MaxHistory)
		for j := range d.History {
			d.History[j].Response = slices.Repeat([]byte{byte(j)}, relay.MaxResponseBytes)
		}
		save(t, l, d, 0)
	}
	_, deliveries, err := l.Event(t.Context(), eventID("a"))
	must(t, "Event", err)
	equal(t, "deliveries", 24, len(deliveries))
	for i, d := range deliveries {
		equal(
			t, "endpoint and history", []any{fmt.Sprintf("e-%02d", i), relay.MaxHistory},
			[]any{d.Endpoint, len(d.History)},
		)
	}
}
