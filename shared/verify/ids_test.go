package verify_test

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// received returns the result for a provider's webhook with the given body and headers, without
// checking its proof.
func received(t *testing.T, provider, body string, header verify.Header) verify.Result {
	t.Helper()
	cfg, secret, signing := exampleOf(t, provider, "current")
	v, err := verify.New(cfg, []string{secret}, verify.SignWith(signing))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	r, err := v.Sign(verify.Webhook{Body: []byte(body)}, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = value
	}
	got, err := v.Verify(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", provider, err)
	}
	return got
}

type sent struct {
	body   string
	header verify.Header
}

// The two webhooks of a pair differ, so the second must not be dropped as a copy. A repeated
// webhook has the same id.
func TestIDsThatNameWhatHappenedDoNotMakeOneWebhookOfTwo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		provider      string
		first, second sent
	}{
		"shopify, one event under two topics": {"shopify", sent{
			"{}", verify.Header{"x-shopify-event-id": "e", "x-shopify-topic": "orders/create"},
		},
			sent{"{}", verify.Header{"x-shopify-event-id": "e", "x-shopify-topic": "orders/paid"}}},
		"bigcommerce, two changes of one order": {"bigcommerce", sent{
			`{"scope":"store/order/updated","hash":"h","created_at":1}`, nil,
		},
			sent{`{"scope":"store/order/updated","hash":"h","created_at":2}`, nil}},
		"trello, one action on a board and a card": {"trello", sent{
			`{"action":{"id":"a","type":"t"},"model":{"id":"board"}}`, nil,
		},
			sent{`{"action":{"id":"a","type":"t"},"model":{"id":"card"}}`, nil}},
		"monnify, two refunds of one payment": {"monnify", sent{
			`{"eventType":"SUCCESSFUL_REFUND","eventData":{"transactionReference":"t","refundReference":"1"}}`,
			nil,
		},
			sent{
				`{"eventType":"SUCCESSFUL_REFUND","eventData":{"transactionReference":"t","refundReference":"2"}}`,
				nil,
			}},
		"front, one activity of two types": {
			"front", sent{`{"type":"inbound","payload":{"id":"evt_1"}}`, nil},
			sent{`{"type":"assign","payload":{"id":"evt_1"}}`, nil},
		},
		"azure-devops, one event for two subscriptions": {"azure-devops", sent{
			`{"id":"e","subscriptionId":"a","notificationId":1}`, nil,
		},
			sent{`{"id":"e","subscriptionId":"b","notificationId":1}`, nil}},
	} {
		first, again, second := received(
			t, tt.provider, tt.first.body, tt.first.header,
		), received(t, tt.provider, tt.first.body, tt.first.header),
			received(t, tt.provider, tt.second.body, tt.second.header)
		if first.DeliveryID == "" || first.DeliveryID != again.DeliveryID ||
			first.DeliveryID == second.DeliveryID {
			t.Errorf(
				"%s: %q, again %q, the other %q", name, first.DeliveryID, again.DeliveryID,
				second.DeliveryID,
			)
		}
	}
}

func TestIDsOfTestsAreNone(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"evt_00000000000000", "00000000-0000-0000-0000-000000000000", "00000000",
	} {
		if got := received(
			t, "stripe", `{"id":"`+id+`","type":"charge.succeeded"}`, nil,
		); got.DeliveryID != "" {
			t.Errorf("%s: %q", id, got.DeliveryID)
		}
	}
	for _, id := range []string{"0", "evt_1000000000", "evt_0000000000000a", "evt_"} {
		if got := received(
			t, "stripe", `{"id":"`+id+`","type":"charge.succeeded"}`, nil,
		); got.DeliveryID != id {
			t.Errorf("%s: %q", id, got.DeliveryID)
		}
	}
}

func TestCloudEventsInEveryMode(t *testing.T) {
	t.Parallel()
	binary := func(id, source, kind string) verify.Result {
		return received(
			t, "cloudevents", "{}",
			verify.Header{"ce-id": id, "ce-source": source, "ce-type": kind},
		)
	}
	want := binary("Euro € 😀", "/s", "a b")
	if want.EventType != "a b" || want.DeliveryID == "" {
		t.Errorf("%+v", want)
	}
	for name, got := range map[string]verify.Result{
		"percent-encoded": binary(
			"Euro%20%E2%82%AC%20%F0%9F%98%80", "/s", "a%20b",
		), "quoted": binary(`"Euro € 😀"`, "/s", `"a\ b"`),
	} {
		if got.EventType != want.EventType || got.DeliveryID != want.DeliveryID {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got := binary("1", "/s", "100%25%2541"); got.EventType != "100%%41" {
		t.Errorf("decoded more than once: %q", got.EventType)
	}
	structured := received(
		t, "cloudevents", `{"id":"1","source":"/s","type":"t"}`,
		verify.Header{"content-type": "application/CloudEvents+json; charset=utf-8"},
	)
	if other := binary("1", "/s", "t"); structured.EventType != "t" ||
		structured.DeliveryID != other.DeliveryID {
		t.Errorf("structured: %+v, binary %+v", structured, other)
	}
	batch := received(t, "cloudevents",
		`[{"id":"1","source":"/s","type":"first"},{"id":"2","source":"/s","type":"second"}]`,
		verify.Header{"content-type": "application/cloudevents-batch+json"})
	if batch.EventType != "first" || batch.DeliveryID == "" {
		t.Errorf("batch: %+v", batch)
	}
}

func TestASchemeMayHaveSpacesBehindIt(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, provider := range verify.Providers() {
		cfg, secret, signing := exampleOf(t, provider, "current")
		if secret == "" {
			continue
		}
		v, err := verify.New(cfg, []string{secret}, verify.SignWith(signing))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1_700_000_000, 0)
		r, err := v.Sign(verify.Webhook{Body: []byte(`{"id":"1"}`), DeliveryID: "1"}, now)
		scheme, rest, found := strings.Cut(r.Header["authorization"], " ")
		if err != nil || !found {
			continue
		}
		tried++
		for value, ok := range map[string]bool{
			scheme + "   " + rest: true, strings.ToUpper(scheme) + " " +
				rest: true, strings.ToLower(scheme) + "  " + rest: true,
			scheme + rest: false, scheme + "\t" + rest: false, scheme +
				" ": false, scheme: false, scheme + " " + rest + " x": false, " " + scheme + " " +
				rest: false,
		} {
			r.Header["authorization"] = value
			if _, err := v.Verify(t.Context(), r); (err == nil) != ok {
				t.Errorf("%s: %q: %v", provider, value, err)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d providers have a scheme", tried)
	}
}
