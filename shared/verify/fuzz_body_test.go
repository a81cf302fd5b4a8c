package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// FuzzBodyProofs checks that no body causes a panic, and that a provider with the proof in the body
// accepts only signed ones. The result of Sign must verify.
func FuzzBodyProofs(f *testing.F) {
	providers := []string{
		"adyen", "aircall", "braintree", "mailgun", "microsoft-graph", "prismic", "twilio",
		"mandrill", "dropbox-sign", "ecwid",
	}
	for i := range providers {
		f.Add(
			uint8(i),
			[]byte(
				`{"notificationItems":[{"NotificationRequestItem":{"amount":{"value":1}}}],"value":[{"clientState":"x"}],"token":"x","secret":"y"}`,
			),
		)
		f.Add(
			uint8(i),
			[]byte(`{"signature":{"timestamp":"1700000000","token":"a","signature":"b"}}`),
		)
		f.Add(
			uint8(i),
			[]byte(
				"bt_payload=PG4+PGtpbmQ+Y2hlY2s8L2tpbmQ+&bt_signature=integration_public_key%7Cab",
			),
		)
		f.Add(
			uint8(i),
			[]byte(
				`{"eventId":"a","eventCreated":1,"event":{"event_time":"1","event_type":"a","event_hash":"x"}}`,
			),
		)
		f.Add(
			uint8(i),
			[]byte(inPart(
				"json", `{"event":{"event_time":"1","event_type":"a","event_hash":"x"}}`,
			)),
		)
		f.Add(uint8(i), []byte("a=1&a=2&=&%zz;"))
		f.Add(uint8(i), []byte(strings.Repeat("[", 1000)))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		provider := providers[int(which)%len(providers)]
		cfg, secret, _ := exampleOf(t, provider, "fuzz")
		v := newVerifier(t, cfg, secret)
		h := verify.Header{
			"x-twilio-signature":   "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			"x-mandrill-signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		}
		if _, err := v.Verify(
			context.Background(), verify.Request{Header: h, Body: body, ReceivedAt: signedAt},
		); err == nil {
			t.Errorf("%s takes what nobody signed: %q", provider, body)
		}
		r, err := v.Sign(verify.Webhook{Body: body, DeliveryID: "id-1"}, signedAt)
		if err != nil {
			if !errors.Is(err, verify.ErrMalformed) && !errors.Is(err, verify.ErrMissing) &&
				!errors.Is(err, verify.ErrRepeated) {
				t.Errorf("%s: Sign: %v", provider, err)
			}
			return
		}
		if _, err := v.Verify(context.Background(), r); err != nil {
			t.Errorf("%s refuses what it signed: %v: %q", provider, err, r.Body)
		}
	})
}

// FuzzDistinctNames checks bodies from which a proof reads many places. Such a body may be accepted
// only if encoding/json reads it as we do, whether it distinguishes the case of names or not.
func FuzzDistinctNames(f *testing.F) {
	for _, body := range []string{`{"passcode":"tt"}`, `{"passcode":"x","passcode":"tt"}`,
		`{"PASSCODE":"x","passcode":"tt"}`, `{"pa\u0073scode":"tt"}`,
		`{"passcode":"tt"}{}`, `{"a":{"passcode":"tt"}}`, `{"passcode":"tt",}`,
		`{"passcode":"tt","paſſcode":"x"}`} {
		f.Add([]byte(body))
	}
	v := newVerifier(f, verify.Config{Provider: "figma"}, "tt")
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := v.Verify(context.Background(), verify.Request{Body: body}); err != nil {
			return
		}
		body = bytes.TrimPrefix(body, []byte("\ufeff"))
		var exact map[string]json.RawMessage
		var folded struct{ Passcode string }
		if json.Unmarshal(body, &exact) != nil || decoded(t, exact["passcode"], nil) != "tt" ||
			json.Unmarshal(body, &folded) != nil || folded.Passcode != "tt" {
			t.Errorf("another reader finds %s, %+v in %q", exact, folded, body)
		}
	})
}

// FuzzSignedURL checks forms that Twilio signs with any URL and query. They must verify with and
// without the port, and with no other query.
func FuzzSignedURL(f *testing.F) {
	for _, u := range []string{
		"https://a.example/in", "http://a.example:80", "https://u:p@[::1]:1/x?a=b", "a", "://",
		"https://a.example/%3A%2f?x:1", "https://a/?b@c:1",
	} {
		f.Add(u, "x=1")
		f.Add(u, "bodySHA256=a")
	}
	f.Fuzz(func(t *testing.T, u, query string) {
		v, err := verify.New(verify.Config{Provider: "twilio", URL: u}, []string{bodyKey})
		if err != nil {
			return // no URL
		}
		signed, err := v.Sign(verify.Webhook{Body: []byte("a=1")}, signedAt)
		must(t, err)
		values, _ := url.ParseQuery(signed.Query)
		if _, err := v.Verify(context.Background(), signed); err != nil &&
			values.Get("bodySHA256") == "" {
			t.Errorf("%q refuses what it signed: %v", u, err)
		}
		if query == signed.Query {
			return
		}
		signed.Query = query
		if _, err := v.Verify(context.Background(), signed); err == nil {
			t.Errorf("%q takes query %q for another", u, query)
		}
	})
}

// FuzzHandshakes checks that no request causes a panic, and that no reply echoes markup or text
// that ends a header.
func FuzzHandshakes(f *testing.F) {
	names := []string{
		"challenge", "check", "validationToken", "hub.challenge", "crc_token", "challengeCode",
		"bt_challenge", "challenge_code", "verify",
	}
	for _, name := range names {
		f.Add(
			"GET", name+"=abc&hub.mode=subscribe&hub.verify_token=meatyhamhock-0001", "abc",
			[]byte(`{"challenge":"abc"}`),
		)
		f.Add("", name+"=%3Cx%3E", "a\r\nb", []byte(`{"verification_token":"<x>"}`))
	}
	f.Add("OPTIONS", "", "example.com", []byte(`{"eventType":"VERIFY","data":{"challenge":"a"}}`))
	var verifiers []*verify.Verifier
	for _, name := range verify.Providers() {
		if d, _ := verify.Describe(name); d.Handshake != "" {
			cfg, secret, signing := exampleOf(f, name, "fuzz")
			secrets := []string{secret}
			if secret == "" || d.Learns {
				secrets = nil
			}
			v, err := verify.New(cfg, secrets, verify.SignWith(signing))
			must(f, err)
			verifiers = append(verifiers, v)
		}
	}
	f.Fuzz(func(t *testing.T, method, query, header string, body []byte) {
		h := verify.Header{}
		for _, name := range []string{
			"x-front-challenge", "x-okta-verification-challenge", "validation-token",
			"webhook-request-origin", "webhook-request-rate", "x-hook-secret",
		} {
			h[name] = header
		}
		for _, v := range verifiers {
			got, err := v.Verify(
				context.Background(),
				verify.Request{
					Method: method, Query: query, Header: h, Body: body, ReceivedAt: signedAt,
				},
			)
			if err != nil || got.Reply == nil {
				continue
			}
			said := got.Reply.Body
			for _, value := range got.Reply.Header {
				said += value
			}
			if strings.ContainsAny(said, "<>\r\n\x00") || len(said) > 2000 ||
				(got.Reply.Body != "" && strings.Contains(got.Reply.ContentType, "html")) {
				t.Errorf("says %q", said)
			}
		}
	})
}
