package admin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
)

type (
	eventPage    = admin.Page[admin.EventItem, admin.Covered]
	deliveryPage = admin.Page[admin.DeliveryView, admin.Covered]
)

// listed records four events of the operator, each a minute older than the one before: evt_0 is
// unrouted, and evt_1 to evt_3 have deliveries in each state.
func (r *rig) listed() {
	r.t.Helper()
	for i, d := range []relay.Delivery{
		{}, {Status: relay.Delivered}, {Status: relay.Dead, Reason: relay.Exhausted},
		{Status: relay.Unneeded},
	} {
		id := "evt_" + string(rune('0'+i))
		at := r.clock.now().Add(-time.Duration(i+1) * time.Minute).UTC()
		e := relay.EventRecord{
			Event: relay.Event{
				ID: id, Source: "app", Type: "order.paid", Trust: "verified", ReceivedAt: at,
				Header: relay.Header{"content-type": "application/json"},
				Body:   []byte(`{"n": ` + string(rune('0'+i)) + `}`),
			},
			MessageID: id, RoutedAt: at, ExpiresAt: at.Add(24 * time.Hour).Truncate(time.Second),
		}
		if d.Status != "" {
			e.Endpoints = []string{"shop", "late"}
		}
		_, err := relay.RecordEvent(r.t.Context(), &r.ledger, e)
		must(r.t, err)
		if d.Status == "" {
			continue
		}
		d.EventID, d.Endpoint, d.Source, d.Type = id, "shop", "app", "order.paid"
		d.ReceivedAt, d.UpdatedAt, d.ExpiresAt, d.Attempts = at, at, e.ExpiresAt, 1
		must(r.t, r.ledger.SaveDelivery(r.t.Context(), d, 0))
	}
}

func TestListOfEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listed()
	token := r.token(access.Read, "")
	list := func(query string) (ids string, p eventPage) {
		r.send(request{
			method: "GET", path: "/v1/events?" + query, token: token,
		}).wants(200, &p)
		var all []string
		for _, e := range p.Items {
			all = append(all, e.ID)
		}
		return strings.Join(all, " "), p
	}
	for query, want := range map[string]string{
		"":                           "evt_0 evt_1 evt_2 evt_3",
		"source=app,other":           "evt_0 evt_1 evt_2 evt_3",
		"source=other":               "",
		"type=order.*":               "evt_0 evt_1 evt_2 evt_3",
		"type=push,pull.*":           "",
		"trust=verified":             "evt_0 evt_1 evt_2 evt_3",
		"trust=unverified":           "",
		"status=dead":                "evt_2",
		"status=delivered,unneeded":  "evt_1 evt_3",
		"status=waiting":             "evt_1 evt_2 evt_3",
		"status=unrouted":            "evt_0",
		"status=unrouted,dead":       "evt_0 evt_2",
		"from=-150s":                 "evt_0 evt_1",
		"to=-150s":                   "evt_2 evt_3",
		"status=dead&trust=verified": "evt_2",
		"where=" + url.QueryEscape(`{"data": {"n": [{"numeric": [">", 1]}]}}`): "evt_2 evt_3",
	} {
		if ids, p := list(query); ids != want {
			t.Errorf("%s: %q, want %q", query, ids, want)
		} else if p.Next != "" {
			t.Errorf("%s: goes on", query)
		}
	}
	_, p := list("status=dead")
	at := r.clock.now().Add(-3 * time.Minute).UTC()
	if diff := cmp.Diff(admin.EventItem{
		ID: "evt_2", Source: "app", Type: "order.paid", Trust: "verified", AcceptedAt: at,
		BodyBytes: 8, Endpoints: []string{"shop", "late"}, Waiting: 1, Dead: 1,
	}, p.Items[0]); diff != "" {
		t.Error(diff)
	}
	if p.Page.Scanned != 4 || p.Page.From == nil || p.Page.To == nil {
		t.Errorf("page: %+v", p.Page)
	}
	ids, first := list("limit=3&status=dead,delivered,unneeded,unrouted")
	rest, last := list("limit=3&status=dead,delivered,unneeded,unrouted&next=" + first.Next)
	if ids != "evt_0 evt_1 evt_2" || rest != "evt_3" || last.Next != "" {
		t.Errorf("in parts: %q and %q", ids, rest)
	}
	r.send(request{
		method: "GET", path: "/v1/events?limit=3&next=" + first.Next, token: token,
	}).problem(422, "invalid-cursor")
}

func TestListOfDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listed()
	token := r.token(access.Read, "")
	for query, want := range map[string]string{
		"":                                  "evt_1 evt_2 evt_3",
		"endpoint=shop,other":               "evt_1 evt_2 evt_3",
		"endpoint=late":                     "",
		"status=dead":                       "evt_2",
		"status=delivered,unneeded":         "evt_1 evt_3",
		"reason=exhausted,expired":          "evt_2",
		"reason=disabled":                   "",
		"reason=exhausted&status=delivered": "",
		"source=app&type=order.paid,a":      "evt_1 evt_2 evt_3",
		"from=-150s":                        "evt_1",
		"to=-150s":                          "evt_2 evt_3",
		"where=" + url.QueryEscape(`{"data": {"n": [3]}}`): "evt_3",
	} {
		var p deliveryPage
		r.send(request{
			method: "GET", path: "/v1/deliveries?" + query, token: token,
		}).wants(200, &p)
		var ids []string
		for _, d := range p.Items {
			ids = append(ids, d.Event)
		}
		if got := strings.Join(ids, " "); got != want || p.Next != "" {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	var first, last deliveryPage
	r.send(request{
		method: "GET", path: "/v1/deliveries?limit=2", token: token,
	}).wants(200, &first)
	r.send(request{
		method: "GET", path: "/v1/deliveries?limit=2&next=" + first.Next, token: token,
	}).wants(200, &last)
	if len(first.Items) != 2 || len(last.Items) != 1 || last.Next != "" {
		t.Errorf("in parts: %+v and %+v", first, last)
	}
}

// A tenant sees its events and deliveries, and no other's.
func TestListsOfATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listed()
	r.story()
	var events eventPage
	r.send(request{
		method: "GET", path: "/v1/events", token: r.token(access.Read, "other"),
	}).wants(200, &events)
	if len(events.Items) != 0 {
		t.Errorf("%+v", events)
	}
	r.send(request{
		method: "GET", path: "/v1/events", token: r.token(access.Read, "acme"),
	}).wants(200, &events)
	if len(events.Items) != 1 || events.Items[0].Source != "app" ||
		strings.Join(events.Items[0].Endpoints, " ") != "shop late done" ||
		events.Items[0].Delivered != 1 {
		t.Errorf("%+v", events)
	}
	var deliveries deliveryPage
	r.send(request{
		method: "GET", path: "/v1/deliveries", token: r.token(access.Read, "acme"),
	}).wants(200, &deliveries)
	if len(deliveries.Items) != 1 || deliveries.Items[0].Endpoint != "shop" {
		t.Errorf("%+v", deliveries)
	}
	var held deliveryPage
	r.send(request{
		method: "GET", path: "/v1/deliveries?endpoint=late", token: r.token(access.Read, "acme"),
	}).wants(200, &held)
	if len(held.Items) != 1 || held.Items[0].Held != "open" || held.Items[0].NextAt == nil {
		t.Errorf("%+v", held)
	}
}

func TestBadFiltersOfLists(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Read, "")
	for _, list := range []string{"events", "deliveries"} {
		for query, pointer := range map[string]string{
			"status=lost":                "/query/status",
			"from=yesterday":             "/query/from",
			"to=2026-13-01T00:00:00Z":    "/query/to",
			"where=%7B":                  "/query/where",
			"where=%7B%22data%22%3A1%7D": "/query/where",
			"limit=0":                    "/query/limit",
			"limit=1000000":              "/query/limit",
			"type=a%00b":                 "/query/type",
			"color=red":                  "/query/color",
		} {
			p := r.send(request{
				method: "GET", path: "/v1/" + list + "?" + query, token: token,
			}).problem(422, "invalid")
			if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Pointer, pointer) {
				t.Errorf("%s?%s: %+v, want %s", list, query, p.Errors, pointer)
			}
		}
		r.send(request{
			method: "GET", path: "/v1/" + list + "?next=abc", token: token,
		}).problem(422, "invalid-cursor")
	}
}
