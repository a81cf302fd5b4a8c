package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// oracles say, without the package under test, which signatures a request may carry in each
// signature header.
var oracles = []struct {
	cfg    verify.Config
	header string
	signed func(h verify.Header, body string) bool
}{
	{verify.Config{Provider: "github"}, "x-hub-signature-256", func(
		h verify.Header, body string,
	) bool {
		sent, prefixed := strings.CutPrefix(h["x-hub-signature-256"], "sha256=")
		return prefixed && strings.EqualFold(sent, hexHMAC(secret("current"), body))
	}},
	{verify.Config{Provider: "stripe"}, "stripe-signature", func(
		h verify.Header, body string,
	) bool {
		entries := strings.Split(h["stripe-signature"], ",")
		var times []string
		for i, e := range entries {
			e = strings.TrimLeft(e, " ") // spaces before an entry are passed over
			if signature, ok := strings.CutPrefix(e, "v1="); ok {
				e = "v1=" + strings.ToLower(signature)
			}
			entries[i] = e
			if ts, ok := strings.CutPrefix(e, "t="); ok {
				times = append(times, ts)
			}
		}
		return len(times) == 1 &&
			slices.Contains(entries, "v1="+stripeSignature(secret("current"), times[0], body))
	}},
	{verify.Config{
		Provider: "standard-webhooks",
	}, "webhook-signature", func(h verify.Header, body string) bool {
		want := "v1," + standardSignature(
			secret("current"), h["webhook-id"], h["webhook-timestamp"], body,
		)
		return slices.Contains(strings.Split(h["webhook-signature"], " "), want)
	}},
	{described, "x-sig", func(h verify.Header, body string) bool {
		sent, prefixed := strings.CutPrefix(h["x-sig"], "v2=")
		return prefixed && strings.EqualFold(
			sent, hexHMAC(secret("current"), h["webhook-id"]+"|"+h["webhook-timestamp"]+"|"+body),
		)
	}},
	{verify.Config{Provider: "bearer"}, "authorization", func(h verify.Header, _ string) bool {
		name, token, _ := strings.Cut(h["authorization"], " ")
		return strings.EqualFold(name, "bearer") &&
			strings.TrimLeft(token, " ") == secret("current")
	}},
}

var described = verify.Config{Provider: "hmac", HMAC: &verify.HMAC{Header: "x-sig", Prefix: "v2=",
	Payload: "{id}|{timestamp}|{body}", IDHeader: "webhook-id",
	TimestampHeader: "webhook-timestamp"}}

// FuzzVerify checks that nothing panics, and that what verifies was signed. A signed request may be
// refused only for its form or its time.
func FuzzVerify(f *testing.F) {
	verifiers := make([]*verify.Verifier, len(oracles))
	which := byte(0)
	for i, o := range oracles {
		verifiers[i] = newVerifier(f, o.cfg, secret("old"), secret("current"))
		h := request(f, newVerifier(f, o.cfg, secret("current")), sample, signedAt).Header
		good := h[o.header]
		for _, signature := range []string{
			good, "", good + "," + good, good + " v1,x", "v1=," + good, "t=1,v1",
		} {
			f.Add(which, signature, "1700000000", sample.DeliveryID, sample.Body)
		}
		f.Add(which, h[o.header], "-1,", "a.1", []byte("\x00"))
		which++
	}
	f.Fuzz(func(t *testing.T, which uint8, signature, timestamp, id string, body []byte) {
		o, v := oracles[int(which)%len(oracles)], verifiers[int(which)%len(oracles)]
		h := verify.Header{o.header: signature, "webhook-timestamp": timestamp, "webhook-id": id}
		_, err := v.Verify(
			context.Background(), verify.Request{Header: h, Body: body, ReceivedAt: signedAt},
		)
		if err == nil && !o.signed(h, string(body)) {
			t.Errorf("%s accepts what was not signed: %q %q", o.cfg.Provider, h, body)
		}
	})
}

// FuzzHeaders puts any text into one header of a provider's webhook. Nothing may panic, an unsigned
// body must be refused, and the error must be a documented one.
func FuzzHeaders(f *testing.F) {
	for _, provider := range verify.Providers() {
		s := newSubject(f, verify.Config{Provider: provider}, "current")
		for _, name := range slices.Sorted(maps.Keys(s.request.Header)) {
			f.Add(provider, name, s.request.Header[name], s.request.Body)
		}
	}
	refusals := []error{
		verify.ErrMissing, verify.ErrMalformed, verify.ErrRepeated, verify.ErrMismatch,
		verify.ErrStale, verify.ErrFuture, verify.ErrFetch,
	}
	f.Fuzz(func(t *testing.T, provider, header, value string, body []byte) {
		if _, known := verify.Describe(provider); !known {
			return
		}
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		r := with(s.request, header, value)
		r.Body = body
		got, err := s.verifier.Verify(context.Background(), r)
		if err != nil {
			if !slices.ContainsFunc(refusals, func(refusal error) bool {
				return errors.Is(err, refusal)
			}) {
				t.Errorf("%s refuses with %v", provider, err)
			}
			return
		}
		whole := got.Trust == verify.Verified && !slices.Contains(partlySigned, provider)
		if whole && !bytes.Equal(body, s.request.Body) {
			t.Errorf("%s accepts a body that was not signed: %q with %q", provider, body, r.Header)
		}
	})
}

// FuzzSign checks that the result of Sign verifies and keeps its id, whatever the body.
func FuzzSign(f *testing.F) {
	f.Add(uint8(0), "msg_1", []byte(`{"type":"a"}`))
	f.Add(uint8(2), "a.b", []byte("1700000000.x"))
	f.Add(uint8(3), "a|b", []byte{})
	f.Fuzz(func(t *testing.T, which uint8, id string, body []byte) {
		o := oracles[int(which)%len(oracles)]
		v := newVerifier(t, o.cfg, secret("current"))
		r, err := v.Sign(verify.Webhook{Body: body, DeliveryID: id}, signedAt)
		if err != nil {
			return
		}
		h := r.Header
		if !o.signed(h, string(body)) {
			t.Errorf("%s: Sign writes %q over %q", o.cfg.Provider, h, body)
		}
		got, err := v.Verify(
			context.Background(), verify.Request{Header: h, Body: body, ReceivedAt: signedAt},
		)
		if err != nil {
			t.Errorf("%s: %v: %q", o.cfg.Provider, err, h)
		}
		if o.cfg.Provider != "stripe" && got.DeliveryID != bounded(id) {
			t.Errorf("%s: id %q became %q", o.cfg.Provider, id, got.DeliveryID)
		}
	})
}

func bounded(id string) string {
	if len(id) <= 256 && !strings.HasPrefix(id, "sha256:") {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// FuzzJSONPath checks that, in every document that encoding/json accepts, the value found is the
// same as after full decoding.
func FuzzJSONPath(f *testing.F) {
	for _, body := range []string{
		`{"a":"x"}`, `{"b":{"a":1},"a":{"b":{"c":true}}}`,
		`{"a":[1,{"a":"\""}],"b":-0.5e1}`, ` { "\u0061" : "\\\"" } `, `{"a":null,"a":2}`,
		"{\"a\":\"\xff\",\"\xff\":1}", `[{"a":1}]`, `[{"a":1},{"a":[[2],3]}]`,
		`{"a":["x",{}],"b":1}`, `[]`, `[[]]`, `{"a":"sha256:x"}`, `{"":1,"a":{"":2}}`,
		`{"a":"\ud800\u0000"}`, `{"a":`, `{"a`, "",
	} {
		for _, path := range []string{"a", "a.b.c", "b.a", "b", "0.a", "a.0", "0"} {
			f.Add(body, path)
		}
	}
	f.Fuzz(func(t *testing.T, body, path string) {
		v, err := verify.New(
			verify.Config{Provider: "none", EventID: &verify.Locator{JSON: path}}, nil,
		)
		if err != nil {
			return // no path
		}
		got, err := v.Verify(context.Background(), verify.Request{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(body)) {
			return
		}
		if want := bounded(decoded(
			t, []byte(body), strings.Split(path, "."),
		)); got.DeliveryID != want {
			t.Errorf("%q in %q: got %q, want %q", path, body, got.DeliveryID, want)
		}
	})
}

// decoded finds a value by decoding the whole document.
func decoded(t *testing.T, document []byte, path []string) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if len(path) == 0 {
		var value any
		must(t, d.Decode(&value))
		switch value := value.(type) {
		case string:
			return value
		case json.Number:
			return value.String()
		case bool:
			return map[bool]string{true: "true", false: "false"}[value]
		}
		return ""
	}
	start, err := d.Token()
	if err == nil && start == json.Delim('[') && path[0] == "0" && d.More() {
		var first json.RawMessage
		must(t, d.Decode(&first))
		return decoded(t, first, path[1:])
	}
	if err != nil || start != json.Delim('{') {
		return ""
	}
	var last json.RawMessage
	for d.More() {
		name, err := d.Token()
		must(t, err)
		var value json.RawMessage
		must(t, d.Decode(&value))
		if name == path[0] {
			last = value
		}
	}
	if last == nil {
		return ""
	}
	return decoded(t, last, path[1:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
