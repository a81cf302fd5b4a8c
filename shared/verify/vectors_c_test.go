package verify_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// inPart returns a form with one part, as Dropbox Sign sends it.
func inPart(name, value string) string {
	return "--boundary01\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value +
		"\r\n--boundary01--\r\n"
}

func TestVerify_DropboxSign(t *testing.T) {
	t.Parallel()
	// of the SDKs' tests, as the first four are
	const key = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782"
	event := func(eventType, hash string) string {
		return `{"account_guid":"63522885f9261e2b04eea043933ee7313eb674fd","event":{"event_time":"1348177752","event_type":"` + eventType +
			`","event_hash":"` + hash + `"}}`
	}
	const sent = "08d45a6b7677492b78be030cef18cfeaece8fe67e163cc8e526ee638ad483756"
	for name, c := range map[string]struct {
		body     string
		want     error
		wantType string
	}{
		"EventCallbackHelper_AccountCallbacks.json, base": {
			inPart(
				"json",
				event(
					"unknown_error",
					"c574f5d3090c2936360b4e36cf6835cf3e2206b84fdc6347e6b28ca721ae1371",
				),
			), nil, "unknown_error"},
		"EventCallbackHelper_AccountCallbacks.json, account": {
			inPart(
				"json",
				event(
					"account_confirmed",
					"6dc5b7aad93cf54915e0089d6c31d61b3833f66f51459171c69f8fa211308848",
				),
			), nil, "account_confirmed"},
		"EventCallbackHelper_AccountCallbacks.json, signature_request": {
			inPart("json", event("signature_request_sent", sent)), nil, "signature_request_sent"},
		"EventCallbackHelper_AccountCallbacks.json, template": {
			inPart(
				"json",
				event(
					"template_created",
					"4a9b22fa68d5addb8b6313eea9d42ecb393903a4240b71503ef78e9dac6c100d",
				),
			), nil, "template_created"},
		"another account, which is not signed": {
			inPart(
				"json", strings.Replace(event("signature_request_sent", sent), "6352", "0000", 1),
			), nil, "signature_request_sent"},
		"of another type": {
			inPart("json", event("template_created", sent)), verify.ErrMismatch, "",
		},
		"of another time": {
			inPart(
				"json", strings.Replace(event("signature_request_sent", sent), "1348", "1349", 1),
			),
			verify.ErrMismatch, "",
		},
		"digit moved": {
			inPart(
				"json", strings.Replace(event("2signature_request_sent", sent), "7752", "775", 1),
			),
			verify.ErrMalformed, "",
		},
		"time of a word": {
			inPart("json", strings.Replace(event("a", sent), "1348177752", "now", 1)),
			verify.ErrMalformed, "",
		},
		"no hash":           {inPart("json", event("a", "")), verify.ErrMissing, ""},
		"hash that is none": {inPart("json", event("a", "x")), verify.ErrMalformed, ""},
		"no type":           {inPart("json", event("", sent)), verify.ErrMissing, ""},
		"not in its part": {
			inPart("event", event("signature_request_sent", sent)), verify.ErrMalformed, "",
		},
		"no form": {event("signature_request_sent", sent), verify.ErrMissing, ""},
		"form that does not end": {
			strings.TrimSuffix(
				inPart("json", event("signature_request_sent", sent)), "--boundary01--\r\n",
			),
			verify.ErrMalformed, "",
		},
		"part twice": {strings.TrimSuffix(
			inPart("json", event("signature_request_sent", sent)), "--boundary01--\r\n",
		) +
			inPart("json", event("signature_request_sent", sent)), verify.ErrMalformed, ""},
		"part of no JSON": {inPart("json", "x"), verify.ErrMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newVerifier(t, verify.Config{Provider: "dropbox-sign"}, key).Verify(
				t.Context(),
				verify.Request{Body: []byte(c.body), ReceivedAt: time.Unix(1348177752, 0)},
			)
			if !errors.Is(err, c.want) || got.EventType != c.wantType {
				t.Errorf("got %+v, %v, want type %q, %v", got, err, c.wantType, c.want)
			}
			if err == nil && (got.Trust != verify.Authenticated ||
				got.Reply.Body != "Hello API Event Received") {
				t.Errorf("got %+v with %+v", got, got.Reply)
			}
		})
	}
}

func TestVerify_Ecwid(t *testing.T) {
	t.Parallel()
	const key = "abcde123456789"
	signature := base64HMAC(key, "1234567.80aece08-40e8-4145-8764-6c2f0d38678")
	const body = `{"eventId":"80aece08-40e8-4145-8764-6c2f0d38678","eventCreated":1234567,"storeId":1003,"eventType":"order.updated"}`
	for name, c := range map[string]struct {
		signature, body string
		want            error
	}{
		"as documented": {signature, body, nil},
		"another store, which is not signed": {
			signature, strings.Replace(body, "1003", "1004", 1), nil,
		},
		"another id": {
			signature, strings.Replace(body, "80ae", "80af", 1), verify.ErrMismatch,
		},
		"another time": {
			signature, strings.Replace(body, "1234567", "1234568", 1), verify.ErrMismatch,
		},
		"id twice": {
			signature, strings.Replace(body, "{", `{"eventId":"x",`, 1), verify.ErrMalformed,
		},
		"no id":           {signature, `{"eventCreated":1234567}`, verify.ErrMissing},
		"no object":       {signature, "[]", verify.ErrMalformed},
		"signature twice": {signature + "," + signature, body, verify.ErrRepeated},
		"no signature":    {"", body, verify.ErrMissing},
		"signature in hex": {
			hexHMAC(key, "1234567.80aece08-40e8-4145-8764-6c2f0d38678"), body, verify.ErrMalformed,
		},
	} {
		r := verify.Request{
			Header: verify.Header{"x-ecwid-webhook-signature": c.signature}, Body: []byte(c.body),
			ReceivedAt: time.Unix(1234567, 0),
		}
		got, err := newVerifier(t, verify.Config{Provider: "ecwid"}, key).Verify(t.Context(), r)
		if !errors.Is(err, c.want) || err == nil && (got.EventType != "order.updated" ||
			got.DeliveryID == "" || got.Trust != verify.Authenticated) {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestVerify_MercadoPago(t *testing.T) {
	t.Parallel()
	// The values of sdk-go's pkg/webhook/webhook_test.go.
	const key, request, ts = "your_secret_key_here", "2066ca19-c6f1-498a-be75-1923005edd06", "1742505638683"
	at := time.UnixMilli(1742505638683)
	signed := func(manifest string) string {
		_, stamp, _ := strings.Cut(manifest, "ts:")
		return "ts=" + strings.TrimSuffix(stamp, ";") + ",v1=" + hexHMAC(key, manifest)
	}
	order := signed("id:ord01jq4s4ky8hwq6na5pxb65b3d3;request-id:" + request + ";ts:" + ts + ";")
	const query, body = "data.id=ORD01JQ4S4KY8HWQ6NA5PXB65B3D3&type=order", `{"id":1,"action":"order.processed","data":{"id":"ORD01JQ4S4KY8HWQ6NA5PXB65B3D3"}}`
	for name, c := range map[string]struct {
		signature, query, body string
		want                   error
	}{
		"as sent":          {order, query, body, nil},
		"id in lower case": {order, strings.ToLower(query), body, nil},
		"of seconds": {
			signed("id:1;request-id:" + request + ";ts:1742505638;"), "data.id=1", "{}", nil,
		},
		"without an id": {
			signed("request-id:" + request + ";ts:" + ts + ";"), "", "{}", nil,
		},
		"a later version beside it": {order + ",v2=aaaa", query, body, nil},
		"another action, which is not signed": {
			order, query, strings.Replace(body, "processed", "refunded", 1), nil,
		},
		"another id in the body": {
			order, query, strings.Replace(body, "ORD01", "ORD02", 1), verify.ErrMismatch,
		},
		"another id in the query": {
			order, strings.Replace(query, "ORD01", "ORD02", 1), "{}", verify.ErrMismatch,
		},
		"id left out":        {order, "", body, verify.ErrMismatch},
		"id twice":           {order, query + "&data.id=2", body, verify.ErrMalformed},
		"query that is none": {order, "data.id=%zz", "{}", verify.ErrMalformed},
		"semicolon in the id": {signed(
			"id:1;request-id:2;request-id:" + request + ";ts:" + ts + ";",
		),
			"data.id=" + url.QueryEscape("1;request-id:2"), "{}", verify.ErrMalformed},
		"another time": {
			strings.Replace(order, "ts=17", "ts=16", 1), query, body, verify.ErrMismatch,
		},
		"time of a word": {
			strings.Replace(order, ts, "now", 1), query, body, verify.ErrMalformed,
		},
		"no time":               {"v1=" + hexHMAC(key, "x"), query, body, verify.ErrMalformed},
		"a later version alone": {"ts=" + ts + ",v2=aaaa", query, body, verify.ErrMalformed},
		"two of this version": {
			order + ",v1=" + hexHMAC(key, "x"), query, body, verify.ErrMalformed,
		},
		"not at all": {"", query, body, verify.ErrMissing},
		"an hour ahead": {
			signed("request-id:" + request + ";ts:1742509238683;"), "", "{}", verify.ErrFuture,
		},
	} {
		r := verify.Request{
			Query:  c.query,
			Header: verify.Header{"x-signature": c.signature, "x-request-id": request},
			Body:   []byte(c.body), ReceivedAt: at,
		}
		got, err := newVerifier(
			t, verify.Config{Provider: "mercado-pago"}, key,
		).Verify(t.Context(), r)
		if !errors.Is(err, c.want) || err == nil && got.Trust != verify.Authenticated {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestVerify_Hygraph(t *testing.T) {
	t.Parallel()
	// the key of hygraph-utils' tests
	const key, millis = "rCNwyiloY3oJYYkxgpBXaleIiUv5MYlx", "1700000000000"
	header := func(environment, text string) string {
		return "sign=" + base64HMAC(key, text) + ", env=" + environment + ", t=" + millis
	}
	hello := header(
		"master",
		`{"Body":"{\"hello\":\"world\"}","EnvironmentName":"master","TimeStamp":`+millis+`}`,
	)
	marks := header(
		"master",
		`{"Body":"{\"a\":\"\\u0026\\u003c\\u003e\"}","EnvironmentName":"master","TimeStamp":`+
			millis+`}`,
	)
	for name, c := range map[string]struct {
		header, body string
		want         error
	}{
		"as hygraph-utils signs": {hello, `{"hello":"world"}`, nil},
		"marks, escaped":         {marks, `{"a":"\u0026\u003c\u003e"}`, nil},
		"marks, as they are":     {marks, `{"a":"&<>"}`, nil},
		"another environment": {
			strings.Replace(hello, "env=master", "env=main", 1), `{"hello":"world"}`,
			verify.ErrMismatch,
		},
		"another time": {
			strings.Replace(hello, "t=17", "t=16", 1), `{"hello":"world"}`, verify.ErrMismatch,
		},
		"another body": {hello, `{"hello":"World"}`, verify.ErrMismatch},
		"what JSON escapes": {header(
			"master",
			`{"Body":"\u0000\u001f\b\f\n\r\t\"\\`+"\x7f\u2028é"+
				`","EnvironmentName":"master","TimeStamp":`+millis+`}`,
		),
			"\x00\x1f\b\f\n\r\t\"\\\x7f\u2028é", nil},
		"quote in the environment": {
			header(`a"b`, `{"Body":"{}","EnvironmentName":"a\"b","TimeStamp":`+millis+`}`), "{}",
			nil,
		},
		"no UTF-8": {
			header(
				"master",
				"{\"Body\":\"\\ufffd\",\"EnvironmentName\":\"master\",\"TimeStamp\":"+millis+"}",
			),
			"\xff", verify.ErrMalformed,
		},
		"no environment": {
			strings.Replace(hello, ", env=master", "", 1), `{"hello":"world"}`, verify.ErrMalformed,
		},
		"no time": {
			strings.TrimSuffix(hello, ", t="+millis), `{"hello":"world"}`, verify.ErrMalformed,
		},
		"no signature": {"env=master, t=" + millis, `{"hello":"world"}`, verify.ErrMalformed},
		"twice":        {hello + "," + hello, `{"hello":"world"}`, verify.ErrRepeated},
		"not at all":   {"", `{"hello":"world"}`, verify.ErrMissing},
	} {
		r := verify.Request{
			Header: verify.Header{"gcms-signature": c.header}, Body: []byte(c.body),
			ReceivedAt: signedAt,
		}
		if _, err := newVerifier(
			t, verify.Config{Provider: "hygraph"}, key,
		).Verify(t.Context(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_Klaviyo(t *testing.T) {
	t.Parallel()
	const key, at, body = "a-secret-of-16-characters", "Tue, 14 Nov 2023 22:13:20 GMT", `{"data":[{"topic":"event:klaviyo.sent_sms"}]}`
	signed := func(text, at string) verify.Header {
		return verify.Header{"klaviyo-timestamp": at, "klaviyo-signature": hexHMAC(key, text)}
	}
	for name, c := range map[string]struct {
		header verify.Header
		body   string
		want   error
	}{
		"as documented":    {signed(body+at, at), body, nil},
		"time before body": {signed(at+body, at), body, verify.ErrMismatch},
		"another form":     {signed(body+"1700000000", "1700000000"), body, verify.ErrMalformed},
		"moved from the body": {
			signed(body+at, "}"+at), strings.TrimSuffix(body, "}"), verify.ErrMalformed,
		},
		"time twice": {signed(body+at, at+","+at), body, verify.ErrRepeated},
		"two days before": {
			signed(body+"Sun, 12 Nov 2023 22:13:20 GMT", "Sun, 12 Nov 2023 22:13:20 GMT"), body,
			verify.ErrStale,
		},
		"no time": {signed(body, ""), body, verify.ErrMissing},
	} {
		r := verify.Request{Header: c.header, Body: []byte(c.body), ReceivedAt: signedAt}
		got, err := newVerifier(t, verify.Config{Provider: "klaviyo"}, key).Verify(t.Context(), r)
		if !errors.Is(err, c.want) || err == nil && got.EventType != "event:klaviyo.sent_sms" {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestVerify_QStash(t *testing.T) {
	t.Parallel()
	const current, next, destination = "sig_current", "sig_next", "https://relay.example.com/in/qstash"
	sum := sha256.Sum256([]byte(signedBody))
	bare := base64.RawURLEncoding.EncodeToString(sum[:])
	claims := func(issuer, subject, hash string) string {
		return fmt.Sprintf(
			`{"iss":%q,"sub":%q,"exp":1700000300,"nbf":1700000000,"iat":1700000000,"jti":"jwt_1","body":%q}`,
			issuer, subject, hash,
		)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"current key":       {hs256(current, claims("Upstash", destination, bare)), nil},
		"next key":          {hs256(next, claims("Upstash", destination, bare)), nil},
		"hash with padding": {hs256(current, claims("Upstash", destination, bare+"=")), nil},
		"key of a stranger": {
			hs256("x", claims("Upstash", destination, bare)), verify.ErrMismatch,
		},
		"of another body": {
			hs256(current, claims("Upstash", destination, bare[1:]+"A")), verify.ErrMismatch,
		},
		"for another destination": {
			hs256(current, claims("Upstash", destination+"2", bare)), verify.ErrMismatch,
		},
		"of another issuer": {
			hs256(current, claims("Downstash", destination, bare)), verify.ErrMismatch,
		},
	} {
		v := newVerifier(t, verify.Config{Provider: "qstash", URL: destination}, current, next)
		r := verify.Request{
			Header: verify.Header{"upstash-signature": c.token, "upstash-message-id": "m-1"},
			Body:   []byte(signedBody), ReceivedAt: signedAt,
		}
		if got, err := v.Verify(t.Context(), r); !errors.Is(err, c.want) || err == nil &&
			got.DeliveryID != "m-1" {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestVerify_TokenAsTheBody(t *testing.T) {
	t.Parallel()
	wix, kinde := newSubject(t, verify.Config{Provider: "wix"}, "current"),
		newSubject(t, verify.Config{Provider: "kinde"}, "current")
	event := `{"data":"{\"id\":\"e-1\"}","instanceId":"i","eventType":"wix.contacts.v4.contact_created"}`
	data, err := json.Marshal(event)
	must(t, err)
	wixClaims := `{"data":` + string(data) + `,"iat":1700000000,"exp":1700300000}`
	const kindeClaims = `{"event_id":"event_1","type":"user.created","data":{}}`
	spki, err := base64.StdEncoding.DecodeString(wix.secret)
	must(t, err)
	onPEM := hs256(
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), wixClaims,
	)
	for name, c := range map[string]struct {
		s        subject
		body     string
		after    time.Duration
		want     error
		wantID   string
		wantType string
	}{
		"Wix": {
			wix, rs256(t, `{"alg":"RS256","kid":"k"}`, wixClaims), 0, nil, "e-1",
			"wix.contacts.v4.contact_created",
		},
		"Wix, just before its end": {
			wix, rs256(t, `{"alg":"RS256"}`, wixClaims), 299999 * time.Second, nil, "e-1",
			"wix.contacts.v4.contact_created",
		},
		"Wix, at its end": {
			wix, rs256(t, `{"alg":"RS256"}`, wixClaims), 300000 * time.Second, verify.ErrStale, "",
			"",
		},
		"Wix, claims of another form": {
			wix, rs256(t, `{"alg":"RS256"}`, `{"data":{"a":1},"iat":1700000000}`), 0, nil, "", "",
		},
		"Wix, without a time": {
			wix, rs256(t, `{"alg":"RS256"}`, `{"data":"{}"}`), 0, verify.ErrMalformed, "", "",
		},
		"Wix, of another key": {
			wix, rs256Of(t, "stranger", `{"alg":"RS256"}`, wixClaims), 0, verify.ErrMismatch, "",
			"",
		},
		"Wix, public key for HMAC": {wix, onPEM, 0, verify.ErrMismatch, "", ""},
		"Wix, unsigned": {
			wix, webEncoded(`{"alg":"none"}`) + "." + webEncoded(wixClaims) + ".", 0,
			verify.ErrMismatch, "", "",
		},
		"Wix, line end after it": {
			wix, rs256(t, `{"alg":"RS256"}`, wixClaims) + "\n", 0, verify.ErrMalformed, "", "",
		},
		"Wix, JSON": {wix, wixClaims, 0, verify.ErrMissing, "", ""},
		"Kinde": {
			kinde,
			rs256(t, `{"alg":"RS256","kid":"00000000-0000-4000-8000-000000000000"}`, kindeClaims),
			0, nil, "event_1", "user.created",
		},
		"Kinde, a user's token": {
			kinde,
			rs256(
				t, `{"alg":"RS256","kid":"00000000-0000-4000-8000-000000000000"}`,
				`{"sub":"kp_1","email":"ada@example.com"}`,
			),
			0, verify.ErrMismatch, "", "",
		},
		"Kinde, of another key": {
			kinde, rs256(t, `{"alg":"RS256","kid":"other"}`, kindeClaims), 0, verify.ErrMismatch,
			"", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.s.verifier.Verify(
				t.Context(),
				verify.Request{Body: []byte(c.body), ReceivedAt: signedAt.Add(c.after)},
			)
			if !errors.Is(err, c.want) || got.DeliveryID != c.wantID ||
				got.EventType != c.wantType || err == nil && got.Trust != verify.Verified {
				t.Errorf(
					"got %+v, %v, want id %q, type %q, %v", got, err, c.wantID, c.wantType, c.want,
				)
			}
		})
	}
}

func TestVerify_Circle(t *testing.T) {
	t.Parallel()
	const circleBody = `{"id":"evt_1","subscriptionId":"d4c07d5f-0000-4000-8000-000000000001"}`
	s := newSubject(t, verify.Config{Provider: "circle"}, "current")
	signature := base64Of(ecdsaOver(t, "circle", sha256Of(circleBody)))
	for name, c := range map[string]struct {
		signature, key string
		want           error
	}{
		"as documented":  {signature, "00000000-0000-4000-8000-000000000000", nil},
		"of another key": {signature, "other", verify.ErrMismatch},
		"of another body": {
			base64Of(ecdsaOver(t, "circle", sha256Of(circleBody+" "))),
			"00000000-0000-4000-8000-000000000000", verify.ErrMismatch,
		},
		"of SHA-1": {
			base64Of(ecdsaOver(t, "circle", sha1Of(circleBody))),
			"00000000-0000-4000-8000-000000000000", verify.ErrMismatch,
		},
		"no base64": {
			"!", "00000000-0000-4000-8000-000000000000", verify.ErrMalformed,
		},
		"key id of another path": {signature, "../example", verify.ErrMismatch},
		"key id too long":        {signature, strings.Repeat("a", 257), verify.ErrMismatch},
		"no key id":              {signature, "", verify.ErrMissing},
		"no signature":           {"", "00000000-0000-4000-8000-000000000000", verify.ErrMissing},
		"signature twice": {
			signature + "," + signature, "00000000-0000-4000-8000-000000000000", verify.ErrRepeated,
		},
		"key id twice": {signature, "example,example", verify.ErrRepeated},
	} {
		r := verify.Request{
			Header: verify.Header{"x-circle-signature": c.signature, "x-circle-key-id": c.key},
			Body:   []byte(circleBody),
		}
		if err := s.verify(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
