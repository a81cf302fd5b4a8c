package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/listen"
)

// TestTypesAreShown: those of a source, and whether an event fits its own.
func TestTypesAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{
		"provider": "none", "validate": "refuse", "types": []any{map[string]any{
			"name": "order", "description": "An <order>", "deprecated": true,
			"schema": map[string]any{"required": []string{"id"}}, "example": map[string]any{"id": 1},
		}},
	})
	at := time.Now().UTC().Truncate(time.Millisecond)
	id := relay.EventID("", "shop", "1")
	_, err := relay.RecordEvent(t.Context(), r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Source: "shop", Type: "order", ReceivedAt: at, Body: []byte("{}"),
			Schema: &relay.SchemaResult{Status: "failed", At: "/id", Problem: "is missing"},
		},
		MessageID: id, RoutedAt: at, ExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	})
	must(t, err)
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/sources/shop": {
			"An &lt;order&gt;", "deprecated", "events that do not fit die", "&#34;required&#34;",
		},
		"/events/" + id: {"failed", "/id is missing"},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s:\n%s", path, want, page)
			}
		}
	}
}

// TestASilentSourceIsShown: in the list and on its page, with since when it is silent.
func TestASilentSourceIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{"provider": "none", "expect": "1h"})
	r.put("", "/v1/sources/heard", map[string]any{"provider": "none"})
	r.sweeps(3)
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/sources":       {`<span class="badge bad">silent</span>`},
		"/sources/shop":  {"none yet", "Next one expected by", "Silent since"},
		"/sources/heard": {"Newest webhook"},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s has not one %s:\n%s", path, want, page)
			}
		}
	}
}

// TestADriftIsShown: with the type, its place, what is wrong there, and an example.
func TestADriftIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{
		"provider": "none", "types": []any{map[string]any{
			"name": "order", "schema": map[string]any{"required": []string{"id"}},
		}},
	})
	at := time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)
	var last string
	for n := range 11 {
		result := relay.SchemaResult{Status: "passed"}
		if n == 10 {
			result = relay.SchemaResult{Status: "failed", At: "/id", Problem: "is missing"}
		}
		last = relay.EventID("", "shop", strconv.Itoa(n))
		_, err := relay.RecordEvent(t.Context(), r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: last, Source: "shop", Type: "order", ReceivedAt: at, Body: []byte("{}"),
				Schema: &result,
			},
			MessageID: last, RoutedAt: at, ExpiresAt: at.Add(5 * time.Hour).Truncate(time.Second),
		})
		must(t, err)
	}
	r.sweeps(2)
	page := r.signedIn(access.Read, "").get("/sources/shop").Body.String()
	for _, want := range []string{
		"drift</span>", "<code>/id</code>", "is missing, since", "/events/" + last,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s:\n%s", want, page)
		}
	}
}

// TestTryShowsWhatATransformChanges: what is sent, and how it differs from what came.
func TestTryShowsWhatATransformChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/sources/shop", map[string]any{"provider": "none"})
	r.put("", "/v1/endpoints/chat", map[string]any{
		"url": "https://chat.example.com", "send": map[string]any{"shop": map[string]any{
			"body": map[string]any{"text": "<{data.id}>"}, "headers": map[string]any{"X-A": "b"},
		}},
	})
	r.put("", "/v1/subscriptions/one", map[string]any{"source": "shop", "endpoint": "chat"})
	r.record(relay.Event{
		ID: "evt_seven", Source: "shop", Body: []byte(`{"id":7}`),
		Header: relay.Header{"content-type": "application/json"},
	}, relay.Delivery{Endpoint: "chat", Status: relay.Delivered, Attempts: 1})
	changed := []string{"-  &#34;id&#34;: 7", "+  &#34;text&#34;: &#34;&lt;7&gt;&#34;"}
	for path, wants := range map[string][]string{
		"/subscriptions/one/try?event=evt_seven": {"It sends POST application/json", "x-a: b"},
		"/events/evt_seven/to/chat":              {"POST https://chat.example.com", "x-a"},
	} {
		page := r.signedIn(access.Read, "").get(path).Body.String()
		for _, want := range slices.Concat(wants, changed) {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in:\n%s", path, want, page)
			}
		}
	}
}

// TestAllTypesOfASubscriptionAreShown: a list shortens them, the page of the subscription does not.
func TestAllTypesOfASubscriptionAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	var types []string
	for i := range 20 {
		types = append(types, fmt.Sprintf("a.type.with.a.rather.long.name.%d", i))
	}
	r.put("", "/v1/subscriptions/many", map[string]any{
		"source": "app", "endpoint": "shop", "types": types,
	})
	b := r.signedIn(access.Read, "")
	for path, whole := range map[string]bool{"/subscriptions/many": true, "/subscriptions": false} {
		if page := b.get(path).Body.String(); strings.Contains(page, types[19]) != whole {
			t.Errorf("%s shows all types: %t", path, !whole)
		}
	}
}

// TestListeners: who listens is shown, and ended after a question. Where listening is off, the page
// says so.
func TestListeners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	if page := r.signedIn(access.Admin, "").get("/listeners").Body.String(); !strings.Contains(
		page, "Listening is off in this relay",
	) {
		t.Error(page)
	}
	r = newRig(t, func(c *admin.Config) {
		kept := listen.NewKept(c.CatalogDocuments, time.Now)
		c.Listening = admin.Listening{
			Listeners: lab.Must(listen.New(listen.Config{
				Documents: c.CatalogDocuments, Marks: c.Catalogs.(catalog.ListeningMarks),
				Queues: kept, Now: time.Now,
			})), Sender: kept, Kept: kept,
		}
	})
	r.fill()
	_, err := client.InProcess(r.api, admin.Principal{Role: access.Operate, Who: access.Who{Name: "ada"}}, "").Do(
		t.Context(), client.Request{Method: http.MethodPost, Path: "/v1/listeners", Body: map[string]any{
			"sources": []string{"app"}, "where": json.RawMessage(`{"data":{"n":[7]}}`),
		}},
	)
	must(t, err)
	reader, operator := r.signedIn(access.Read, ""), r.signedIn(access.Operate, "")
	page := operator.get("/listeners").Body.String()
	for _, want := range []string{"ada", "app", `<span class="muted">all</span>`, "filter"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in:\n%s", want, page)
		}
	}
	end := regexp.MustCompile(`/console(/listeners/lis_[^?]*/end)\?by=ada`).FindStringSubmatch(page)
	if end == nil {
		t.Fatalf("no way to end it: %s", page)
	}
	if page := reader.get("/listeners").Body.String(); strings.Contains(page, end[1]) {
		t.Error("a reader is offered to end it")
	}
	if page := operator.get(end[1] + "?by=ada").Body.String(); !strings.Contains(page, "End it") {
		t.Error(page)
	}
	if a := operator.post(end[1], nil); a.Code != http.StatusSeeOther {
		t.Errorf("ended: %d %s", a.Code, a.Body)
	}
	if page := operator.get("/listeners").Body.String(); !strings.Contains(page, "Nobody listens") {
		t.Error(page)
	}
}

// TestTheRequestOfADeliveryIsShown: without what could be used to send another.
func TestTheRequestOfADeliveryIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"/events/evt_dead": {`href="/console/events/evt_dead/to/shop"`},
		"/events/evt_dead/to/shop": {
			"POST http://localhost:1/hooks", "webhook-signature", "(hidden)", "sent as it came",
		},
	} {
		page := b.get(path).Body.String()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in:\n%s", path, want, page)
			}
		}
	}
}

// TestATransformIsSavedWithTheEndpoint: the form of a subscription has it, as the file does.
func TestATransformIsSavedWithTheEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "")
	form := url.Values{
		"name": {"slack"}, "source": {"app"}, "endpoint": {"shop"},
		"send": {`{"preset": "slack", "text": "hello {data.n}"}`},
	}
	if a := b.post("/subscriptions", form); a.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	for _, path := range []string{
		"/subscriptions/slack", "/subscriptions/slack/edit", "/endpoints/shop/json",
	} {
		if page := text(b.get(path)); !strings.Contains(page, "hello {data.n}") {
			t.Errorf("%s: %s", path, page)
		}
	}
	form.Set("name", "broken")
	form.Set("send", `{"preset": "slack"}`)
	if a := b.post("/subscriptions", form); a.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body.String(), "/body/send/app") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	form.Set("send", "")
	form.Set("etag", `"4"`)
	a := b.post("/subscriptions/slack/edit", form)
	if page := text(b.get("/endpoints/shop/json")); strings.Contains(page, "hello") {
		t.Errorf("%d %s", a.Code, page)
	}
}
