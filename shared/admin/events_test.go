package admin_test

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
)

// story records an event of the tenant acme with a delivery in each state, one of them of the
// operator's, and returns its id.
func (r *rig) story() string {
	r.t.Helper()
	at := r.clock.now().Add(-time.Hour).UTC()
	id := relay.EventID("acme", "acme/app", "delivery-1")
	existing, err := relay.RecordEvent(r.t.Context(), &r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Source: "acme/app", Tenant: "acme", Type: "invoice.paid", Trust: "verified",
			ReceivedAt: at, Header: relay.Header{"content-type": "application/json"},
			Body: []byte(`{"n": 12345678901234567890}`),
		},
		MessageID: id, Endpoints: []string{"acme/shop", "acme/late", "acme/done", "audit"},
		RoutedAt: at, ExpiresAt: at.Add(24 * time.Hour).Truncate(time.Second),
	})
	must(r.t, err)
	if existing != nil {
		r.t.Fatal("it is there")
	}
	attempt := relay.Attempt{
		Number: 1, At: at, Duration: 12 * time.Millisecond, Outcome: relay.FailedAnswer,
		StatusCode: 500,
		Response:   []byte("oops\xff"),
		Timing: relay.Timing{
			DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond,
			FirstByte: 4 * time.Millisecond,
		},
	}
	broken := relay.Attempt{Number: 2, At: at, Outcome: relay.TimedOut, Error: "no answer in 15s"}
	for _, d := range []relay.Delivery{
		{
			Endpoint: "acme/shop", Status: relay.Dead, Reason: relay.Exhausted, Attempts: 2,
			History: []relay.Attempt{attempt, broken},
		},
		{
			Endpoint: "acme/late", Status: relay.Waiting, Held: gate.HeldOpen, NextAt: at.Add(2 * time.Hour),
			Attempts: 1,
		},
		{Endpoint: "acme/done", Status: relay.Delivered, Attempts: 1},
		{Endpoint: "audit", Status: relay.Delivered, Attempts: 1},
	} {
		d.EventID, d.Source, d.Type, d.ReceivedAt, d.UpdatedAt = id, "acme/app", "invoice.paid", at,
			at
		d.ExpiresAt = at.Add(24 * time.Hour).Truncate(time.Second)
		must(r.t, r.ledger.SaveDelivery(r.t.Context(), d, 0))
	}
	return id
}

func TestTheStoryOfAnEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, id := r.token(access.Admin, "acme"), r.story()
	r.put(
		"/v1/sources/app", boss,
		map[string]any{"provider": "github", "secrets": []string{"hush-hush"}},
	)
	r.put("/v1/endpoints/shop", boss, map[string]any{"url": "https://shop.example.com"})
	r.put("/v1/subscriptions/all", boss, map[string]any{"source": "app", "endpoint": "shop"})
	r.put("/v1/subscriptions/small", boss, map[string]any{
		"source": "app", "endpoint": "shop",
		"filter": map[string]any{"data": map[string]any{"n": []any{1}}},
	})
	reader := r.token(access.Read, "acme")
	var got admin.EventStory
	r.send(request{method: "GET", path: "/v1/events/" + id, token: reader}).wants(200, &got)
	if got.Source != "app" || got.Trust != "verified" || got.BodyBytes != 27 ||
		strings.Join(got.Endpoints, " ") != "shop late done" || len(got.Deliveries) != 3 {
		t.Errorf("%+v", got)
	}
	matched := map[string]bool{}
	for _, s := range got.Subscriptions {
		matched[s.Subscription] = s.Matched
		if s.Subscription == "small" && (s.Mismatch == nil || s.Mismatch.Field != "data.n") {
			t.Errorf("why not: %+v", s.Mismatch)
		}
	}
	if len(matched) != 2 || !matched["all"] || matched["small"] {
		t.Errorf("matched: %v", matched)
	}
	var found admin.EventStory
	lookup := "/v1/events/lookup?source=app&delivery="
	r.send(request{method: "GET", path: lookup + "delivery-1", token: reader}).wants(200, &found)
	if found.ID != id {
		t.Errorf("found %s, want %s", found.ID, id)
	}
	r.send(request{
		method: "GET", path: lookup + "delivery-2", token: reader,
	}).problem(404, "not-found")
	r.send(request{
		method: "GET", path: "/v1/events/lookup?source=app", token: reader,
	}).problem(422, "invalid")
	a := r.send(request{
		method: "GET", path: "/v1/events/" + id + "/body", token: reader,
	}).wants(200, nil)
	if string(a.body) != `{"n": 12345678901234567890}` ||
		!strings.HasPrefix(a.header.Get("content-disposition"), "attachment") {
		t.Errorf("body: %q %v", a.body, a.header)
	}
	for _, endpoint := range []string{"shop", "late", "done"} {
		var d admin.DeliveryView
		r.send(request{
			method: "GET", path: "/v1/deliveries/" + id + "/" + endpoint, token: reader,
		}).
			wants(200, &d)
		if d.Endpoint != endpoint || d.Event != id {
			t.Errorf("%+v", d)
		}
		if endpoint == "shop" && (d.Attempts[1].Timing != nil || d.Attempts[0].Timing.String() !=
			"DNS 1 ms, connect 2 ms, TLS 3 ms, first byte 4 ms") {
			t.Errorf("%+v", d.Attempts)
		}
	}
	// what belongs to others is not there
	r.send(request{method: "GET", path: "/v1/deliveries/" + id + "/audit", token: reader}).
		problem(404, "not-found")
	for _, path := range []string{
		"/v1/events/" + id, "/v1/events/" + id + "/body", "/v1/deliveries/" + id + "/shop",
		lookup + "delivery-1",
	} {
		r.send(request{method: "GET", path: path, token: r.token(access.Admin, "other")}).
			problem(404, "not-found")
	}
	var all admin.EventStory
	r.send(request{
		method: "GET", path: "/v1/events/" + id, token: r.token(access.Read, ""),
	}).wants(200, &all)
	if len(all.Deliveries) != 4 {
		t.Errorf("the operator sees %d deliveries", len(all.Deliveries))
	}
}

// TestALargeBody comes from where large bodies are, and may be gone.
func TestALargeBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := r.clock.now()
	for _, id := range []string{"evt_large", "evt_gone"} {
		_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: id, Source: "app", Trust: "verified", ReceivedAt: at,
				BodyRef: &relay.BodyRef{Key: id, Size: 5},
			},
			RoutedAt: at, ExpiresAt: at.Add(time.Hour),
		})
		must(t, err)
	}
	must(t, r.config.Bodies.Put(t.Context(), "evt_large", []byte("large")))
	text := strings.Repeat("a compressed body ", 400)
	_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: "evt_packed", Source: "app", Trust: "verified", ReceivedAt: at,
			Packed: format.Deflate([]byte(text)),
		},
		RoutedAt: at, ExpiresAt: at.Add(time.Hour),
	})
	must(t, err)
	token := r.token(access.Read, "")
	a := r.send(request{
		method: "GET", path: "/v1/events/evt_large/body", token: token,
	}).wants(200, nil)
	if string(a.body) != "large" {
		t.Errorf("%q", a.body)
	}
	r.send(request{
		method: "GET", path: "/v1/events/evt_gone/body", token: token,
	}).problem(410, "gone")
	r.send(request{
		method: "GET", path: "/v1/events/evt_none/body", token: token,
	}).problem(404, "not-found")
	var packed admin.EventStory
	r.send(request{method: "GET", path: "/v1/events/evt_packed", token: token}).wants(200, &packed)
	if b := r.send(request{
		method: "GET", path: "/v1/events/evt_packed/body", token: token,
	}).wants(200, nil); string(b.body) != text || packed.BodyBytes != int64(len(text)) {
		t.Errorf("%d bytes, said to be %d, want %d", len(b.body), packed.BodyBytes, len(text))
	}
	var story admin.EventStory
	r.send(request{method: "GET", path: "/v1/events/evt_large", token: token}).wants(200, &story)
	if story.BodyBytes != 5 || len(story.Endpoints) != 0 {
		t.Errorf("%+v", story)
	}
}
