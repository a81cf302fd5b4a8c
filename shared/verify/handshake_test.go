package verify_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

var webSubSettings = map[string]string{
	"topic": "https://example.com/feed.xml", "verify_token": "meatyhamhock-0001",
}

const handshakeKey = "the-secrets-own-bytes"

// handshakeConfig sets a provider's settings to the values that the tests below use.
func handshakeConfig(provider string) verify.Config {
	settings := map[string]map[string]string{
		"braintree": {"public_key": "integration_public_key"}, "fitbit": {
			"verification_code": "right",
		},
		"whatsapp": {"verify_token": "meatyhamhock-0001"}, "messenger": {
			"verify_token": "meatyhamhock-0001",
		},
		"instagram": {"verify_token": "meatyhamhock-0001"}, "meta": {
			"verify_token": "meatyhamhock-0001",
		},
		"websub": webSubSettings, "youtube": webSubSettings,
		"ebay": {
			"verification_token": "example-verification-token-0000000001", "client_id": "id",
			"client_secret": "secret",
		},
		"oura": {
			"verification_token": "t",
		}, "strava": {"verify_token": "meatyhamhock-0001"}, "vercel-log-drains": {"verify": "v"},
	}
	cfg := verify.Config{Provider: provider, Settings: settings[provider]}
	if d, _ := verify.Describe(provider); d.NeedsURL != "" {
		cfg.URL = "https://relay.example.com/in/" + provider
	}
	return cfg
}

func text(body string) *verify.Reply {
	return &verify.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: body}
}

func inJSON(body string) *verify.Reply {
	return &verify.Reply{Status: 200, ContentType: "application/json", Body: body}
}

// slackSigned returns a request with Slack's signature. Zoom's differs only in its headers.
func slackSigned(prefix, body string) verify.Request {
	const at = "1700000000"
	timestamp := map[string]string{
		"x-slack-": "x-slack-request-timestamp", "x-zm-": "x-zm-request-timestamp",
	}[prefix]
	return verify.Request{
		Header: verify.Header{
			timestamp: at, prefix + "signature": "v0=" + hexHMAC(handshakeKey, "v0:"+at+":"+body),
		},
		Body: []byte(body),
	}
}

func twitchSigned(kind, body string) verify.Request {
	const at = "2023-11-14T22:13:20Z"
	return verify.Request{Body: []byte(body),
		Header: verify.Header{"twitch-eventsub-message-type": kind,
			"twitch-eventsub-message-id":        "m-1",
			"twitch-eventsub-message-timestamp": at,
			"twitch-eventsub-message-signature": "sha256=" +
				hexHMAC(handshakeKey, "m-1"+at+body)}}
}

func xeroSigned(body string) verify.Request {
	return verify.Request{
		Header: verify.Header{"x-xero-signature": base64HMAC(handshakeKey, body)},
		Body:   []byte(body),
	}
}

func get(query string) verify.Request { return verify.Request{Method: "GET", Query: query} }

func headed(method, name, value string) verify.Request {
	return verify.Request{Method: method, Header: verify.Header{name: value}}
}

// TestHandshake_AnswersAsDocumented checks each request and answer as the provider's page (see
// Describe) shows them. If the page prints values, the test uses them.
func TestHandshake_AnswersAsDocumented(t *testing.T) {
	t.Parallel()
	const plainToken = "qgg8vlvZRS6UYooatFL8Aw" // as Zoom's page has it
	eBay := sha256.Sum256([]byte(
		"a8628072-3d33-45ee-9004-bee86830a22dexample-verification-token-0000000001https://relay.example.com/in/ebay",
	))
	meta := get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock-0001")
	hub := get(
		"hub.mode=subscribe&hub.topic=https%3A%2F%2Fexample.com%2Ffeed.xml&hub.challenge=a1-B2&verify_token=meatyhamhock-0001&hub.lease_seconds=864000",
	)
	for name, c := range map[string]struct {
		provider string
		request  verify.Request
		want     *verify.Reply
	}{
		"Braintree, braintree_python test_webhooks.py": {"braintree", get(
			"bt_challenge=20f9f8ed05f77439fe955c977e4c8a53",
		),
			text("integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4")},
		"CloudEvents, HTTP 1.1 Web Hooks, section 4": {"cloudevents",
			verify.Request{Method: "OPTIONS", Header: verify.Header{
				"webhook-request-origin":   "eventemitter.example.com",
				"webhook-request-callback": "https://example.com/confirm?id=12345&key=x",
				"webhook-request-rate":     "120"}}, &verify.Reply{Status: 200,
				Header: verify.Header{
					"webhook-allowed-origin": "eventemitter.example.com",
					"webhook-allowed-rate":   "120", "allow": "POST, OPTIONS"}}},
		"CloudEvents without a rate": {"cloudevents", headed(
			"OPTIONS", "webhook-request-origin", "eventemitter.example.com",
		),
			&verify.Reply{
				Status: 200,
				Header: verify.Header{
					"webhook-allowed-origin": "eventemitter.example.com", "allow": "POST, OPTIONS",
				},
			}},
		"Dropbox": {"dropbox", get("challenge=h3kR_7-x"), text("h3kR_7-x")},
		"eBay": {
			"ebay", get("challenge_code=a8628072-3d33-45ee-9004-bee86830a22d"),
			inJSON(`{"challengeResponse":"` + hex.EncodeToString(eBay[:]) + `"}`),
		},
		"Fitbit, the right code": {"fitbit", get("verify=right"), &verify.Reply{Status: 204}},
		"Fitbit, another code":   {"fitbit", get("verify=wrong"), &verify.Reply{Status: 404}},
		"Front": {
			"front", headed("POST", "x-front-challenge", "abc123"), text("abc123"),
		},
		"Instagram": {"instagram", meta, text("1158201444")},
		"Intercom":  {"intercom", verify.Request{Method: "HEAD"}, &verify.Reply{Status: 200}},
		"Smartsheet": {"smartsheet", headed(
			"POST", "smartsheet-hook-challenge", "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1",
		),
			&verify.Reply{
				Status: 200,
				Header: verify.Header{
					"smartsheet-hook-response": "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1",
				},
			}},
		"LinkedIn": {"linkedin", get("challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0"),
			inJSON(`{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"` +
				hexHMAC(handshakeKey, "890e4665-4dfe-4ab1-b689-ed553bceeed0") + `"}`)},
		"Mandrill":       {"mandrill", verify.Request{Method: "HEAD"}, &verify.Reply{Status: 200}},
		"Messenger":      {"messenger", meta, text("1158201444")},
		"Meta, its page": {"meta", meta, text("1158201444")},
		"WhatsApp":       {"whatsapp", meta, text("1158201444")},
		"Microsoft Graph": {"microsoft-graph",
			verify.Request{
				Method: "POST",
				Query:  "validationToken=Validation%3A+Testing+client+application%3A+a%2Bb",
			},
			text("Validation: Testing client application: a+b")},
		"no method named": {
			"microsoft-graph", verify.Request{Query: "validationToken=x"}, text("x"),
		},
		"monday": {"monday",
			verify.Request{
				Body: []byte(
					`{"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`,
				),
			},
			inJSON(`{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`)},
		"Nylas": {
			"nylas", get("challenge=bc609b38-c81f-47fb-a275-1d9bd61a968b"),
			text("bc609b38-c81f-47fb-a275-1d9bd61a968b"),
		},
		"Okta": {"okta", headed(
			"GET", "x-okta-verification-challenge", "my_verification_challenge",
		),
			inJSON(`{"verification":"my_verification_challenge"}`)},
		"Onfleet, its page": {"onfleet", get("check=example"), text("example")},
		"RingCentral": {"ringcentral", headed("POST", "validation-token", "f7b0c0e2-1234"),
			&verify.Reply{Status: 200, Header: verify.Header{"validation-token": "f7b0c0e2-1234"}}},
		"Slack, its page": {"slack", slackSigned("x-slack-", `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl",`+
			`"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`),
			text("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")},
		"Smartcar": {"smartcar", verify.Request{
			Body: []byte(`{"eventType":"VERIFY","data":{"challenge":"5e0b6c1a-0000"}}`),
		},
			inJSON(`{"challenge":"` + hexHMAC(handshakeKey, "5e0b6c1a-0000") + `"}`)},
		"Trello": {"trello", verify.Request{Method: "HEAD"}, &verify.Reply{Status: 200}},
		"Twitch, its page": {"twitch", twitchSigned("webhook_callback_verification",
			`{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"status":"webhook_callback_verification_pending"}}`),
			text("pogchamp-kappa-360noscope-vohiyo")},
		"Twitch, revocation": {
			"twitch",
			twitchSigned("revocation", `{"subscription":{"status":"authorization_revoked"}}`),
			&verify.Reply{Status: 204},
		},
		"WebSub, section 5.3": {"websub", hub, text("a1-B2")},
		"YouTube":             {"youtube", hub, text("a1-B2")},
		"X, its page": {
			"x", get("crc_token=challenge_string"),
			inJSON(
				`{"response_token":"sha256=` + base64HMAC(handshakeKey, "challenge_string") + `"}`,
			),
		},
		"Xero, intent to receive": {"xero", xeroSigned(
			`{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}`,
		),
			&verify.Reply{Status: 200}},
		"Xero, with a space": {"xero", xeroSigned(`{"events": [ ]}`), &verify.Reply{Status: 200}},
		"Zoom": {"zoom", slackSigned(
			"x-zm-",
			`{"payload":{"plainToken":"`+plainToken+
				`"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`,
		),
			inJSON(
				`{"encryptedToken":"` + hexHMAC(
					handshakeKey, plainToken,
				) + `","plainToken":"` + plainToken + `"}`,
			)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := handshakeConfig(c.provider)
			c.request.ReceivedAt = signedAt
			v := newHandshaker(t, cfg)
			got, err := v.Verify(context.Background(), c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(verify.Result{Handshake: true, Reply: c.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if m := c.request.Method; m != "" && !slices.Contains(v.Methods(), m) {
				t.Errorf("methods %q, without %s", v.Methods(), m)
			}
		})
	}
}

// newHandshaker makes a verifier with the key of these tests, or without one if the provider has
// none.
func newHandshaker(t testing.TB, cfg verify.Config) *verify.Verifier {
	t.Helper()
	if d, _ := verify.Describe(cfg.Provider); d.Secret == "" {
		return newVerifier(t, cfg)
	}
	secret := handshakeKey
	switch cfg.Provider {
	case "braintree":
		secret = "integration_private_key"
	case "onfleet":
		secret = hex.EncodeToString([]byte(secret))
	}
	return newVerifier(t, cfg, secret)
}

func TestHandshake_X_VectorOfConvoy(t *testing.T) {
	t.Parallel()
	got, err := newVerifier(t, verify.Config{Provider: "x"}, "Convoy").Verify(
		context.Background(), get("crc_token=uzwcfYtzr9"),
	)
	const want = `{"response_token":"sha256=HXvxTdsfShG6k2zC9NVANwFquJBdOugRYHax2vNiiOo="}`
	if err != nil || got.Reply.Body != want {
		t.Errorf("got %+v, %v, want %s", got.Reply, err, want)
	}
}

func TestHandshake_LearnsASecretOnce(t *testing.T) {
	t.Parallel()
	const secret = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
	for provider, c := range map[string]struct {
		request, signed verify.Request
		header          verify.Header // of the answer
	}{
		"asana": {headed("POST", "x-hook-secret", secret),
			verify.Request{
				Header: verify.Header{"x-hook-signature": hexHMAC(secret, `{"events":[]}`)},
				Body:   []byte(`{"events":[]}`),
			},
			verify.Header{"x-hook-secret": secret}},
		"gusto": {verify.Request{Body: []byte(`{"verification_token":"` + secret + `"}`)},
			verify.Request{
				Header: verify.Header{"x-gusto-signature": hexHMAC(secret, `{"uuid":"1"}`)},
				Body:   []byte(`{"uuid":"1"}`),
			}, nil},
		"notion": {verify.Request{Body: []byte(`{"verification_token":"` + secret + `"}`)},
			verify.Request{
				Header: verify.Header{
					"x-notion-signature": "sha256=" + hexHMAC(secret, `{"id":"1"}`),
				},
				Body: []byte(`{"id":"1"}`),
			}, nil},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			cfg := verify.Config{Provider: provider}
			before := newVerifier(t, cfg)
			if _, err := before.Verify(context.Background(), c.signed); !errors.Is(
				err, verify.ErrNoSecret,
			) {
				t.Errorf("before the handshake: got %v, want %v", err, verify.ErrNoSecret)
			}
			got, err := before.Verify(context.Background(), c.request)
			want := verify.Result{
				Handshake: true, Learned: secret,
				Reply: &verify.Reply{Status: 200, Header: c.header},
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("the handshake: %v (-want +got):\n%s", err, diff)
			}
			after := newVerifier(t, cfg, secret)
			if got, err := after.Verify(context.Background(), c.signed); err != nil ||
				got.Trust != verify.Verified {
				t.Errorf("after the handshake: %+v, %v", got, err)
			}
			if got, err := after.Verify(
				context.Background(), c.request,
			); !errors.Is(err, verify.ErrMismatch) || got.Learned != "" {
				t.Errorf("a second handshake: got %+v, %v, want %v", got, err, verify.ErrMismatch)
			}
		})
	}
}

func TestHandshake_Refusals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 513)
	slack := func(challenge string) verify.Request {
		return slackSigned("x-slack-", `{"type":"url_verification","challenge":"`+challenge+`"}`)
	}
	zoom := func(token string) verify.Request {
		return slackSigned(
			"x-zm-", `{"event":"endpoint.url_validation","payload":{"plainToken":"`+token+`"}}`,
		)
	}
	unsigned := func(r verify.Request) verify.Request { r.Header = nil; return r }
	const hub = "hub.mode=subscribe&hub.challenge=1"
	for name, c := range map[string]struct {
		provider string
		request  verify.Request
		want     error
	}{
		"Meta, another token": {
			"meta", get(hub + "&hub.verify_token=meatyhamhock-0002"), verify.ErrMismatch,
		},
		"Meta, no token": {"meta", get(hub), verify.ErrMissing},
		"Meta, another mode": {
			"meta", get("hub.mode=x&hub.challenge=1&hub.verify_token=meatyhamhock-0001"),
			verify.ErrMalformed,
		},
		"Meta, no challenge": {
			"meta", get("hub.mode=subscribe&hub.verify_token=meatyhamhock-0001"), verify.ErrMethod,
		},
		"Meta, empty challenge": {
			"meta", get("hub.mode=subscribe&hub.challenge=&hub.verify_token=meatyhamhock-0001"),
			verify.ErrMissing,
		},
		"Meta, challenge too long": {
			"meta",
			get("hub.mode=subscribe&hub.challenge=" + long + "&hub.verify_token=meatyhamhock-0001"),
			verify.ErrMalformed,
		},
		"Meta, no handshake": {"meta", get(""), verify.ErrMethod},
		"WebSub, another topic": {
			"websub",
			get(hub + "&verify_token=meatyhamhock-0001&hub.topic=https://example.com/other"),
			verify.ErrMismatch,
		},
		"WebSub, no topic": {
			"websub", get(hub + "&verify_token=meatyhamhock-0001"), verify.ErrMissing,
		},
		"WebSub, asked for by others": {
			"websub", get(hub + "&hub.topic=https://example.com/feed.xml"), verify.ErrMissing,
		},
		"WebSub, another token": {
			"websub",
			get(hub + "&verify_token=meatyhamhock-0002&hub.topic=https://example.com/feed.xml"),
			verify.ErrMismatch,
		},
		"YouTube, another token": {
			"youtube", get(hub + "&hub.verify_token=a&hub.topic=https://example.com/feed.xml"),
			verify.ErrMismatch,
		},
		"X, a token's text": {
			"x", get("crc_token=eyJhbGciOiJIUzI1NiJ9.e30"), verify.ErrMalformed,
		},
		"LinkedIn, a token's text": {
			"linkedin", get("challengeCode=eyJhbGciOiJIUzI1NiJ9.e30"), verify.ErrMalformed,
		},
		"Smartcar, a token's text": {"smartcar", verify.Request{
			Body: []byte(`{"eventType":"VERIFY","data":{"challenge":"eyJhbGciOiJIUzI1NiJ9.e30"}}`),
		},
			verify.ErrMalformed},
		"WebSub, to leave": {
			"websub",
			get("hub.mode=unsubscribe&hub.challenge=1&hub.topic=https://example.com/feed.xml"),
			verify.ErrMalformed,
		},
		"WebSub, denied": {
			"websub", get("hub.mode=denied&hub.topic=https://example.com/feed.xml"),
			verify.ErrMethod,
		},
		"CloudEvents, no origin": {
			"cloudevents", verify.Request{Method: "OPTIONS"}, verify.ErrMissing,
		},
		"CloudEvents, line in origin": {
			"cloudevents", headed("OPTIONS", "webhook-request-origin", "a\r\nx: y"),
			verify.ErrMalformed,
		},
		"CloudEvents, rate no number": {"cloudevents", verify.Request{Method: "OPTIONS",
			Header: verify.Header{
				"webhook-request-origin": "a", "webhook-request-rate": "1\r\n",
			}}, verify.ErrMalformed},
		"Asana, secret too short": {
			"asana", headed("POST", "x-hook-secret", "short"), verify.ErrMismatch,
		},
		"Okta, challenge as POST": {
			"okta", headed("POST", "x-okta-verification-challenge", "x"), verify.ErrMissing,
		},
		"RingCentral, beside a body": {
			"ringcentral",
			verify.Request{Header: verify.Header{"validation-token": "x"}, Body: []byte("{}")},
			verify.ErrMissing,
		},
		"Dropbox, as POST": {
			"dropbox", verify.Request{Query: "challenge=x"}, verify.ErrMissing,
		},
		"Dropbox, query that is none": {"dropbox", get("challenge=%zz"), verify.ErrMethod},
		"Graph, as GET": {
			"microsoft-graph", get("validationToken=x"), verify.ErrMethod,
		},
		"Trello, GET": {"trello", get(""), verify.ErrMethod},
		"monday, more than a challenge": {
			"monday", verify.Request{Body: []byte(`{"challenge":"x","event":"y"}`)},
			verify.ErrMissing,
		},
		"monday, markup": {
			"monday", verify.Request{Body: []byte(`{"challenge":"<x>"}`)}, verify.ErrMalformed,
		},
		"Slack, unsigned":     {"slack", unsigned(slack("x")), verify.ErrMissing},
		"Slack, no challenge": {"slack", slack(""), verify.ErrMissing},
		"Twitch, no challenge": {
			"twitch", twitchSigned("webhook_callback_verification", `{}`), verify.ErrMissing,
		},
		"Twitch, unsigned": {
			"twitch", headed("POST", "twitch-eventsub-message-type", "revocation"),
			verify.ErrMissing,
		},
		"Xero, wrongly signed": {"xero", verify.Request{Header: verify.Header{
			"x-xero-signature": base64HMAC("x", ""),
		},
			Body: []byte(`{"events":[]}`)}, verify.ErrMismatch},
		"Zoom, unsigned": {"zoom", unsigned(zoom("x")), verify.ErrMissing},
		"Smartcar, no challenge": {
			"smartcar", verify.Request{Body: []byte(`{"eventType":"VERIFY"}`)}, verify.ErrMissing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.request.ReceivedAt = signedAt
			got, err := newHandshaker(t, handshakeConfig(c.provider)).Verify(
				context.Background(), c.request,
			)
			if !errors.Is(err, c.want) || got.Handshake || got.Reply != nil {
				t.Errorf("got %+v, %v, want %v", got, err, c.want)
			}
		})
	}
}

// forgery is a body that a responder is asked to sign, and the request that this signature would
// prove.
type forgery struct {
	provider string
	text     string // to be signed
	ask      func(text string) verify.Request
	answer   func(reply string) string // takes the signature out of the answer
	forge    func(text, signature string) verify.Request
}

// TestHandshake_SignsNoWebhook asks each responder that signs texts to sign each text that would be
// a webhook.
func TestHandshake_SignsNoWebhook(t *testing.T) {
	t.Parallel()
	const at = "1700000000"
	after := func(start string) func(string) string {
		return func(reply string) string {
			_, rest, _ := strings.Cut(reply, start)
			signature, _, _ := strings.Cut(rest, `"`)
			return signature
		}
	}
	asked := func(name string) func(string) verify.Request {
		return func(text string) verify.Request { return get(name + "=" + url.QueryEscape(text)) }
	}
	header := func(name, prefix string) func(text, signature string) verify.Request {
		return func(text, signature string) verify.Request {
			return verify.Request{
				Header: verify.Header{name: prefix + signature}, Body: []byte(text),
			}
		}
	}
	bodies := []string{
		`{"event":"forged"}`, " {}", "{}", "plain", "a=b", "", "a", "[]", `"x"`,
		"890e4665-4dfe-4ab1-b689-ed553bceeed0",
	}
	var all []forgery
	for _, body := range bodies {
		all = append(all,
			forgery{
				"x", body, asked("crc_token"), after("sha256="),
				header("x-twitter-webhooks-signature", "sha256="),
			},
			forgery{"linkedin", "hmacsha256=" + body, asked("challengeCode"), after(
				`challengeResponse":"`,
			), func(text, signature string) verify.Request {
				return header("x-li-signature", "")(
					strings.TrimPrefix(text, "hmacsha256="), signature,
				)
			}},
			forgery{
				"linkedin", body, asked("challengeCode"), after(`challengeResponse":"`),
				header("x-li-signature", ""),
			},
			forgery{"smartcar", body, func(text string) verify.Request {
				return verify.Request{
					Body: fmt.Appendf(nil, `{"eventType":"VERIFY","data":{"challenge":%q}}`, text),
				}
			}, after(`challenge":"`), header("sc-signature", "")},
			forgery{
				"ebay", body, asked("challenge_code"), after(`challengeResponse":"`),
				header("x-ebay-signature", ""),
			},
			// whoever may sign as Zoom for once
			forgery{"zoom", "v0:" + at + ":" + body, func(text string) verify.Request {
				return slackSigned(
					"x-zm-",
					fmt.Sprintf(
						`{"event":"endpoint.url_validation","payload":{"plainToken":%q}}`, text,
					),
				)
			}, after(`encryptedToken":"`), func(text, signature string) verify.Request {
				return verify.Request{Header: verify.Header{
					"x-zm-request-timestamp": at, "x-zm-signature": "v0=" + signature,
				},
					Body: []byte(strings.TrimPrefix(text, "v0:"+at+":"))}
			}},
		)
	}
	for _, payload := range []string{base64.StdEncoding.EncodeToString([]byte("<notification/>")),
		"0123456789abcdef0123", "0123456789abcdef0123456789abcdef", "abc",
		"0123456789abcdef0123\n", "0123456789ABCDEF0123", "0123456789abcdef0123456789abcdef0",
		"0123456789abcdef012+"} {
		whole := func(reply string) string { return reply }
		all = append(all, forgery{"braintree", payload, asked("bt_challenge"), whole, func(
			text, signature string,
		) verify.Request {
			return verify.Request{
				Body: []byte(
					url.Values{"bt_payload": {text}, "bt_signature": {signature}}.Encode(),
				),
			}
		}})
	}
	signed := map[string]bool{}
	for _, f := range all {
		v := newHandshaker(t, handshakeConfig(f.provider))
		ask := f.ask(f.text)
		ask.ReceivedAt = signedAt
		got, err := v.Verify(context.Background(), ask)
		if err != nil || got.Reply == nil || !got.Handshake {
			continue // it signs no such text
		}
		signed[f.provider] = true
		forged := f.forge(f.text, f.answer(got.Reply.Body))
		forged.ReceivedAt = signedAt
		if result, err := v.Verify(context.Background(), forged); err == nil && !result.Handshake {
			t.Errorf(
				"%s signs %q for anybody, and takes it for a webhook: %+v", f.provider, f.text,
				result,
			)
		}
	}
	for _, provider := range []string{"x", "linkedin", "smartcar", "braintree", "ebay"} {
		if !signed[provider] {
			t.Errorf("%s signed none of the texts: this test has tried nothing", provider)
		}
	}
}

// TestHandshake_ReflectsNoMarkup asks each responder that echoes texts to echo an HTML page, and
// text that could end a header.
func TestHandshake_ReflectsNoMarkup(t *testing.T) {
	t.Parallel()
	quoted := func(format string) func(string) verify.Request {
		return func(text string) verify.Request {
			return verify.Request{Body: fmt.Appendf(nil, format, text)}
		}
	}
	queried := func(method, name, more string) func(string) verify.Request {
		return func(text string) verify.Request {
			return verify.Request{Method: method, Query: name + "=" + url.QueryEscape(text) + more}
		}
	}
	inHeader := func(method, name string) func(string) verify.Request {
		return func(text string) verify.Request { return headed(method, name, text) }
	}
	const token = "&hub.mode=subscribe&hub.verify_token=meatyhamhock-0001&hub.topic=https://example.com/feed.xml"
	asks := map[string]func(text string) verify.Request{
		"clio": inHeader(
			"POST", "x-hook-secret",
		), "oura": queried("GET", "challenge", "&verification_token=t"), "strava": queried(
			"GET", "hub.challenge", token,
		),
		"tebex": func(text string) verify.Request {
			body := fmt.Sprintf(`{"type":"validation.webhook","id":%s}`, asJSON(text))
			sum := sha256.Sum256([]byte(body))
			return verify.Request{
				Body: []byte(body),
				Header: verify.Header{
					"x-signature": hexHMAC(handshakeKey, hex.EncodeToString(sum[:])),
				},
			}
		},
		"asana": inHeader("POST", "x-hook-secret"), "braintree": queried("GET", "bt_challenge", ""),
		"cloudevents": inHeader(
			"OPTIONS", "webhook-request-origin",
		), "dropbox": queried("GET", "challenge", ""),
		"ebay": queried(
			"GET", "challenge_code", "",
		), "fitbit": queried("GET", "verify", ""), "front": inHeader("POST", "x-front-challenge"),
		"instagram": queried("GET", "hub.challenge", token), "linkedin": queried(
			"GET", "challengeCode", "",
		),
		"messenger": queried("GET", "hub.challenge", token), "meta": queried(
			"GET", "hub.challenge", token,
		),
		"microsoft-graph": queried(
			"POST", "validationToken", "",
		), "monday": quoted(`{"challenge":%q}`),
		"gusto": quoted(
			`{"verification_token":%q}`,
		), "notion": quoted(`{"verification_token":%q}`), "nylas": queried("GET", "challenge", ""),
		"okta": inHeader(
			"GET", "x-okta-verification-challenge",
		), "onfleet": queried("GET", "check", ""),
		"ringcentral": inHeader(
			"POST", "validation-token",
		), "smartsheet": inHeader("POST", "smartsheet-hook-challenge"), "smartcar": quoted(
			`{"eventType":"VERIFY","data":{"challenge":%q}}`,
		),
		"websub": queried("GET", "hub.challenge", token), "whatsapp": queried(
			"GET", "hub.challenge", token,
		),
		"x": queried("GET", "crc_token", ""), "youtube": queried("GET", "hub.challenge", token),
		"slack": func(text string) verify.Request {
			return slackSigned(
				"x-slack-", fmt.Sprintf(`{"type":"url_verification","challenge":%s}`, asJSON(text)),
			)
		},
		"twitch": func(text string) verify.Request {
			return twitchSigned(
				"webhook_callback_verification", fmt.Sprintf(`{"challenge":%s}`, asJSON(text)),
			)
		},
		"zoom": func(text string) verify.Request {
			return slackSigned(
				"x-zm-",
				fmt.Sprintf(
					`{"event":"endpoint.url_validation","payload":{"plainToken":%s}}`, asJSON(text),
				),
			)
		},
	}
	for provider, ask := range asks {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			v := newHandshaker(t, handshakeConfig(provider))
			if d, _ := verify.Describe(provider); d.Learns {
				v = newVerifier(t, handshakeConfig(provider))
			}
			if got, err := v.Verify(
				context.Background(), onTime(ask("0123456789abcdef0123")),
			); err != nil || !got.Handshake {
				t.Errorf("what it echoes: %+v, %v", got, err)
			}
			for _, text := range []string{
				"<script>alert(1)</script>", "a<b", "a\r\nset-cookie: a=b", "a\x00", "é",
				strings.Repeat("a", 513),
			} {
				if got, err := v.Verify(context.Background(), onTime(ask(text))); err == nil ||
					got.Reply != nil {
					t.Errorf("%q: got %+v, %v, want a refusal", text, got.Reply, err)
				}
			}
		})
	}
	for _, provider := range verify.Providers() {
		if d, _ := verify.Describe(provider); d.Handshake != "" && asks[provider] == nil &&
			!slices.Contains(echoNothing, provider) {
			t.Errorf("%s has a handshake that is not tried here", provider)
		}
	}
}

// asJSON returns a text as a JSON string.
func asJSON(text string) []byte {
	b, _ := json.Marshal(text)
	return b
}

// echoNothing lists the providers whose handshake reply contains nothing from the request.
var echoNothing = []string{"bitbucket-server", "circle", "discord", "intercom", "mandrill", "sns",
	"surveymonkey", "trello", "vercel-log-drains", "woocommerce",
	"xero"}

func onTime(r verify.Request) verify.Request {
	r.ReceivedAt = signedAt
	return r
}

// Braintree's libraries also accept the signature of a payload with one more line end. A payload in
// the form of a challenge is refused with it too.
func TestVerify_BraintreeTakesOneMoreLineEnd(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("private"))
	v := newVerifier(
		t, verify.Config{Provider: "braintree", Settings: map[string]string{"public_key": "pub"}},
		"private",
	)
	for payload, want := range map[string]error{
		"PG5vdGlmaWNhdGlvbi8+": nil, "0123456789abcdef0123": verify.ErrMalformed,
	} {
		form := url.Values{
			"bt_payload": {payload},
			"bt_signature": {
				"pub|" + hex.EncodeToString(mac(sha1.New, string(sum[:]), payload+"\n")),
			},
		}
		if _, err := v.Verify(
			context.Background(), verify.Request{Body: []byte(form.Encode())},
		); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", payload, err, want)
		}
	}
}
