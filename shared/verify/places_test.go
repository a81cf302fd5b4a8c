package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

func TestVerify_FindsIDAndType(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	type (
		result = verify.Result
		header = verify.Header
	)
	github := verify.Config{Provider: "github"}
	bearer := verify.Config{Provider: "bearer"}
	hmac := func(h verify.HMAC) verify.Config { return verify.Config{Provider: "hmac", HMAC: &h} }
	for name, c := range map[string]struct {
		cfg    verify.Config
		header verify.Header // beside the proof
		body   string
		want   verify.Result
	}{
		"github, event and action": {github, header{
			"x-github-event": "pull_request", "x-github-delivery": "d1",
		},
			`{"number":1,"action":"opened"}`, result{
				DeliveryID: "d1", EventType: "pull_request.opened",
			}},
		"github, no action": {
			github, header{"x-github-event": "push"}, `{"ref":"a"}`,
			result{DeliveryID: "", EventType: "push"},
		},
		"github, no JSON": {
			github, header{"x-github-event": "push"}, "\x00\xff",
			result{DeliveryID: "", EventType: "push"},
		},
		"github, action not text": {
			github, header{"x-github-event": "push"}, `{"action":{}}`,
			result{DeliveryID: "", EventType: "push"},
		},
		"github, inner action": {
			github, header{"x-github-event": "push"}, `{"a":{"action":"b"}}`,
			result{DeliveryID: "", EventType: "push"},
		},
		"github, no event": {github, nil, `{"action":"opened"}`, result{}},
		"github, form": {github, header{
			"x-github-event": "issues", "content-type": form + "; charset=utf-8",
		},
			"a=b&payload=%7B%22action%22%3A+%22opened%22%7D&c=d", result{
				DeliveryID: "", EventType: "issues.opened",
			}},
		"github, form without payload": {github, header{
			"x-github-event": "issues", "content-type": form,
		},
			"payloads=%7B%22action%22%3A%22opened%22%7D", result{
				DeliveryID: "", EventType: "issues",
			}},
		"github, broken form": {github, header{"x-github-event": "issues", "content-type": form},
			"payload=%7B%22action%2", result{DeliveryID: "", EventType: "issues"}},
		"stripe": {verify.Config{Provider: "stripe"}, nil,
			`{"id":"evt_1","object":"event","data":{"id":"in_1","type":"x"},"type":"invoice.paid"}`,
			result{DeliveryID: "evt_1", EventType: "invoice.paid"}},
		"stripe, no JSON": {verify.Config{Provider: "stripe"}, nil, "hello", result{}},
		"shopify": {
			verify.Config{Provider: "shopify"},
			header{"x-shopify-event-id": "e1", "x-shopify-webhook-id": "w1"}, "{}",
			result{DeliveryID: "w1"},
		},
		"shopify, no event id": {
			verify.Config{Provider: "shopify"},
			header{"x-shopify-event-id": "", "x-shopify-webhook-id": "w1"}, "{}",
			result{DeliveryID: "w1"},
		},
		"bearer": {bearer, header{"webhook-id": "1", "idempotency-key": "2", "webhook-type": "a.b"},
			"", result{DeliveryID: "1", EventType: "a.b"}},
		"bearer, other key": {
			bearer, header{"idempotency-key": "2"}, "", result{DeliveryID: "2", EventType: ""},
		},
		"standard": {verify.Config{Provider: "standard-webhooks"}, nil,
			`{"type":"a.b"}`, result{DeliveryID: "msg-1", EventType: "a.b"}},
		"described, its id": {hmac(verify.HMAC{
			Header: "X-S", IDHeader: "X-Id", Payload: "{id}.{body}",
		}), nil,
			"", result{DeliveryID: "msg-1", EventType: ""}},
		"described, nothing": {
			hmac(verify.HMAC{Header: "X-S"}), nil, `{"id":1,"type":"a"}`, result{},
		},
		"none": {verify.Config{Provider: "none"}, header{"webhook-id": "1"},
			`{"id":1,"type":"a"}`, result{}},
		"overridden by headers": {overridden("github", "X-Type", "", "X-Id", ""), header{
			"x-type": "t", "x-id": "i",
		},
			`{"action":"a"}`, result{DeliveryID: "i", EventType: "t"}},
		"overridden by paths": {overridden(
			"bearer", "", "event.kind", "", "event.no",
		), header{"webhook-id": "1"},
			`{"event":{"no":17,"kind":"k"}}`, result{DeliveryID: "17", EventType: "k"}},
		"overridden, not there": {overridden(
			"bearer", "", "event.kind", "X-Id", "",
		), header{"webhook-id": "1"},
			`{}`, result{}},
		"one path inside another": {
			overridden("none", "", "a", "", "a.b"), nil, `{"a":{"b":"x"}}`,
			result{DeliveryID: "x", EventType: ""},
		},
		"same path twice": {
			overridden("none", "", "a.b", "", "a.b"), nil, `{"a":{"b":"x"}}`,
			result{DeliveryID: "x", EventType: "x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, c.cfg, "current")
			h := request(
				t, s.verifier, verify.Webhook{Body: []byte(c.body), DeliveryID: "msg-1"}, signedAt,
			).Header
			// the id is not part of the proof there
			if c.cfg.Provider == "github" || c.cfg.Provider == "bearer" {
				delete(h, "x-github-delivery")
				delete(h, "webhook-id")
				delete(h, "x-id")
			}
			for name, value := range c.header {
				h[name] = value
			}
			got, err := s.verifier.Verify(
				context.Background(),
				verify.Request{Header: h, Body: []byte(c.body), ReceivedAt: signedAt},
			)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(
				c.want, result{DeliveryID: got.DeliveryID, EventType: got.EventType},
			); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func overridden(provider, typeHeader, typePath, idHeader, idPath string) verify.Config {
	return verify.Config{
		Provider:  provider,
		EventType: &verify.Locator{Header: typeHeader, JSON: typePath},
		EventID:   &verify.Locator{Header: idHeader, JSON: idPath},
	}
}

// at returns the value that is read at a path of a body.
func at(t testing.TB, path, body string) string {
	t.Helper()
	v := newVerifier(t, verify.Config{Provider: "none", EventID: &verify.Locator{JSON: path}})
	r, err := v.Verify(context.Background(), verify.Request{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return r.DeliveryID
}

func TestVerify_ReadsJSONPaths(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, body, want string }{
		"string":                    {"a", `{"a":"x"}`, "x"},
		"white space":               {"a.b", " \r\n\t{ \"a\" : { \"b\" : \"x\" } }", "x"},
		"escapes":                   {"a", `{"a":"\u00e9\n\"\\"}`, "é\n\"\\"},
		"escaped name":              {"aé", `{"\u0061\u00e9":"x"}`, "x"},
		"backslash in path":         {`a\b`, `{"a\b":"x","a\\b":"y"}`, "y"},
		"backslashes before quote":  {"a", `{"b":"\\\\","c":"\\\"","a":"x"}`, "x"},
		"not ASCII":                 {"ключ", `{"ключ":"знач"}`, "знач"},
		"integer as written":        {"a", `{"a":12345678901234567890}`, "12345678901234567890"},
		"number as written":         {"a", `{"a":-1.50e+3 }`, "-1.50e+3"},
		"true":                      {"a", `{"a":true}`, "true"},
		"false":                     {"a", `{"a":false}`, "false"},
		"null":                      {"a", `{"a":null}`, ""},
		"object":                    {"a", `{"a":{}}`, ""},
		"array":                     {"a", `{"a":[1]}`, ""},
		"array on the way":          {"a.b", `{"a":[{"b":"x"}]}`, ""},
		"scalar on the way":         {"a.b", `{"a":"b"}`, ""},
		"not there":                 {"a", `{"b":"a"}`, ""},
		"after nested look-alikes":  {"a", `{"b":{"a":"1","c":[{"a":"2"},"}\"]"]},"a":"x"}`, "x"},
		"last of a name":            {"a", `{"a":"x","a":"y"}`, "y"},
		"last of a name, object":    {"a.b", `{"a":1,"a":{"b":"y"}}`, "y"},
		"last of a name, no object": {"a.b", `{"a":{"b":"y"},"a":1}`, ""},
		"case matters":              {"a", `{"A":"x"}`, ""},
		"top level array":           {"a", `[{"a":"x"}]`, ""},
		"top level string":          {"a", `"a"`, ""},
		"empty":                     {"a", ``, ""},
		"byte order mark":           {"a", "\ufeff{\"a\":\"x\"}", "x"},
		"what follows is broken":    {"a", `{"a":"x",`, ""},
		"string breaks off":         {"a", `{"a":"x`, ""},
		"number breaks off":         {"a", `{"a":12`, ""},
		"object breaks off":         {"a", `{"b":{"c":[`, ""},
		"no value":                  {"a", `{"a":}`, ""},
		"no colon":                  {"a", `{"a" "x"}`, ""},
		"no number":                 {"a", `{"a":x12}`, ""},
		"raw control character":     {"a", "{\"a\":\"x\ny\"}", ""},
		"bad escape":                {"a", `{"a":"\x"}`, ""},
		"deeper than any stack": {
			"a", `{"b":` + strings.Repeat(`[`, 1<<20) + strings.Repeat(`]`, 1<<20) + `,"a":"x"}`,
			"x",
		},
		"deep and never closed": {"a", `{"b":` + strings.Repeat(`{"b":`, 1<<18), ""},
		"quotes and backslashes": {
			"a", `{"b":"` + strings.Repeat(`\"\\`, 1<<18) + `","a":"x"}`, "x",
		},
		"empty string is no value":   {"a", `{"a":""}`, ""},
		"text form feed is no space": {"a", "{\f\"a\":\"x\"}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := at(t, c.path, c.body); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestVerify_BoundsIDs(t *testing.T) {
	t.Parallel()
	hashed := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	long := strings.Repeat("x", 257)
	for name, c := range map[string]struct{ id, want string }{
		"at the bound":          {long[1:], long[1:]},
		"too long":              {long, hashed(long)},
		"much too long":         {long + "y", hashed(long + "y")},
		"looks like a hash":     {hashed(long), hashed(hashed(long))},
		"begins as a hash does": {"sha256:", hashed("sha256:")},
	} {
		if got := at(t, "id", `{"id":"`+c.id+`"}`); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestVerify_DropsEventTypesUnfitToShow(t *testing.T) {
	t.Parallel()
	v := newVerifier(
		t, verify.Config{Provider: "none", EventType: &verify.Locator{Header: "X-Type"}},
	)
	long := strings.Repeat("x", 257)
	for value, want := range map[string]string{
		long[1:]: long[1:], long: "", "a\nb": "", "a\x00": "", "a\x7f": "", "a\u0085b": "",
		"a\xff": "",
		"é.ü":   "é.ü", "a b": "a b",
	} {
		got, err := v.Verify(
			context.Background(), verify.Request{Header: verify.Header{"x-type": value}},
		)
		if err != nil {
			t.Fatal(err)
		}
		if got.EventType != want {
			t.Errorf("%q: got %q, want %q", value, got.EventType, want)
		}
	}
}
