package admin_test

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
)

// TestOneDeliveryIsSentAgain: one that is dead or delivered, of the own tenant, to an endpoint that
// is not disabled.
func TestOneDeliveryIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, boss := r.story(), r.token(access.Admin, "acme")
	r.put("/v1/endpoints/shop", boss, map[string]any{"url": "https://shop.example.com"})
	again := func(endpoint string) request {
		return request{
			method: "POST", path: "/v1/deliveries/" + id + "/" + endpoint + "/replay",
			token: r.token(access.Operate, "acme"),
		}
	}
	var got struct{ Event, Endpoint string }
	r.send(again("shop")).wants(200, &got)
	if got.Event != id || got.Endpoint != "shop" || r.retry.Len() != 1 {
		t.Errorf("%+v, %d messages", got, r.retry.Len())
	}
	if p := r.send(again("shop")).problem(409, "not-possible-now"); !strings.Contains(
		p.Detail, "waiting until",
	) {
		t.Errorf("one that waits: %+v", p)
	}
	for _, other := range []string{"audit", "nobody"} {
		r.send(again(other)).problem(404, "not-found")
	}
	var state struct{ State string }
	r.send(request{
		method: "POST", path: "/v1/endpoints/shop/disable", token: boss,
		body: map[string]string{"reason": "it moves house"},
	}).wants(200, &state)
	if state.State != "disabled" {
		t.Errorf("%+v", state)
	}
	if p := r.send(again("shop")).problem(409, "not-possible-now"); !strings.Contains(
		p.Detail, "it moves house",
	) {
		t.Errorf("to one that is disabled: %+v", p)
	}
	r.broken = true
	r.send(again("done")).problem(500, "internal")
}

// TestAnEventIsRoutedAgain to who has subscribed since.
func TestAnEventIsRoutedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, boss := r.story(), r.token(access.Admin, "acme")
	route := request{method: "POST", path: "/v1/events/" + id + "/route", token: boss}
	var got struct {
		Endpoints []string
		Undecided bool
	}
	r.send(route).wants(200, &got)
	if got.Endpoints == nil || len(got.Endpoints) != 0 {
		t.Errorf("nobody has subscribed: %+v", got)
	}
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	r.put("/v1/endpoints/later", boss, map[string]any{"url": "https://later.example.com"})
	r.put("/v1/subscriptions/later", boss, map[string]any{"source": "app", "endpoint": "later"})
	r.clock.add(time.Minute)
	r.send(route).wants(200, &got)
	if len(got.Endpoints) != 1 || got.Endpoints[0] != "later" || got.Undecided {
		t.Errorf("%+v", got)
	}
	r.send(request{method: route.method, path: route.path, token: r.token(access.Admin, "other")}).
		problem(404, "not-found")
}

// TestAnEventThatIsTooDeepToRead leaves filters over its data undecided.
func TestAnEventThatIsTooDeepToRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, at := r.token(access.Admin, ""), r.clock.now()
	_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: "evt_opaque", Source: "app", Trust: "verified", ReceivedAt: at,
			Header: relay.Header{"content-type": "application/json"},
			Body:   []byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)),
		},
		RoutedAt: at, ExpiresAt: at.Add(time.Hour),
	})
	must(t, err)
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	r.put("/v1/endpoints/shop", boss, map[string]any{"url": "https://shop.example.com"})
	r.put("/v1/subscriptions/large", boss, map[string]any{
		"source": "app", "endpoint": "shop",
		"filter": map[string]any{"data": map[string]any{"n": []any{1}}},
	})
	var got struct {
		Endpoints []string
		Undecided bool
	}
	r.send(request{method: "POST", path: "/v1/events/evt_opaque/route", token: boss}).
		wants(200, &got)
	if len(got.Endpoints) != 0 || !got.Undecided {
		t.Errorf("%+v", got)
	}
}

// TestSecretsOfHandshakes: accepted in a window, shown, forgotten.
func TestSecretsOfHandshakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "acme")
	r.put("/v1/sources/pages", boss, map[string]any{"provider": "notion"})
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	act := func(source, what string, body any) answer {
		t.Helper()
		return r.send(request{
			method: "POST", path: "/v1/sources/" + source + "/secret/" + what, token: boss,
			body: body,
		})
	}
	none := map[string]string{}
	refused := func(a answer, want string) {
		t.Helper()
		if p := a.problem(409, "not-possible-now"); !strings.Contains(p.Detail, want) {
			t.Errorf("%q, want %q", p.Detail, want)
		}
	}
	refused(act("app", "show", nil), "sends no secret in a handshake")
	act("nobody", "show", nil).problem(404, "not-found")
	refused(act("pages", "show", nil), "relay secret pages --learn 10m")
	for _, window := range []string{"0s", "-5m", "24h1s", "2d", "soon"} {
		p := act("pages", "accept", map[string]string{"for": window}).problem(422, "invalid")
		if pointers(p) != "/body/for" {
			t.Errorf("%s: %+v", window, p)
		}
	}
	var open struct{ Until time.Time }
	act("pages", "accept", none).wants(200, &open)
	if want := r.clock.now().Add(10 * time.Minute); !open.Until.Equal(want) {
		t.Errorf("until %v, want %v", open.Until, want)
	}
	refused(act("pages", "show", nil), "accepts one from its provider's handshake until")
	must(t, r.catalog.LearnSecret(t.Context(), "acme/pages", "secret_of_notion"))
	var shown struct{ Secret string }
	act("pages", "show", nil).wants(200, &shown)
	if shown.Secret != "secret_of_notion" {
		t.Errorf("%+v", shown)
	}
	refused(act("pages", "accept", map[string]string{"for": "1h"}), "--forget --learn 10m")
	for range 2 {
		r.send(request{method: "DELETE", path: "/v1/sources/pages/secret", token: boss}).
			wants(204, nil)
	}
	refused(act("pages", "show", nil), "no secret yet")
	act("pages", "accept", map[string]string{"for": "1h"}).wants(200, nil)
	entries, _, err := r.audit.List(t.Context(), "acme", 0, 100)
	must(t, err)
	for _, e := range entries {
		if strings.Contains(string(e.Before)+string(e.After), "secret_of_notion") {
			t.Errorf("the audit log has the secret: %s %s", e.Before, e.After)
		}
	}
}

func TestWhoSendsARequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, made, err := r.tokens.Make(access.Token{
		Name: "ci", Role: access.Read, Tenant: "acme", ExpiresAt: r.clock.now().Add(time.Hour),
	})
	must(t, err)
	must(t, r.tokens.Save(t.Context(), text, made))
	var got admin.Self
	r.send(request{method: "GET", path: "/v1/self", token: text}).wants(200, &got)
	if got.Kind != "token" || got.ID != made.ID || got.Name != "ci" || got.Role != "read" ||
		got.Tenant != "acme" || got.ExpiresAt == nil {
		t.Errorf("%+v", got)
	}
}

// TestStatesAreListedInParts like every list.
func TestStatesAreListedInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	for _, name := range []string{"a", "b"} {
		r.put("/v1/endpoints/"+name, boss, map[string]any{"url": "https://e.example.com"})
	}
	var names []string
	for next := ""; ; {
		var got admin.Page[admin.NamedState, admin.Scanned]
		r.send(request{
			method: "GET", path: "/v1/states?limit=1" + next, token: boss,
		}).wants(200, &got)
		for _, s := range got.Items {
			names = append(names, s.Name+" "+s.State)
		}
		if next = "&next=" + got.Next; got.Next == "" {
			break
		}
	}
	if strings.Join(names, ", ") != "a healthy, b healthy" {
		t.Errorf("%q", names)
	}
}
