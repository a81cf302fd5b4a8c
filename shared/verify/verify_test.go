package verify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

const gitHubDocsSecret = "It's a Secret to Everybody"

func TestVerify_PublishedVectors(t *testing.T) {
	t.Parallel()
	const vectorKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, vector := range map[string]struct {
		cfg    verify.Config
		secret string
		header verify.Header
		body   string
		at     int64
	}{
		"GitHub, docs.github.com, Validating webhook deliveries": {
			verify.Config{Provider: "github"}, gitHubDocsSecret,
			verify.Header{
				"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
			},
			"Hello, World!", 0,
		},
		"GitHub, go-github messages_test.go": {
			verify.Config{Provider: "github"}, "0123456789abcdef",
			verify.Header{
				"x-hub-signature-256": "sha256=b1f8020f5b4cd42042f807dd939015c4a418bc1ff7f604dd55b0a19b5d953d9b",
			},
			`{"yo":true}`, 0,
		},
		"Standard Webhooks, libraries/go webhook_test.go": {
			verify.Config{Provider: "standard-webhooks"}, vectorKey,
			verify.Header{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"webhook-timestamp": "1614265330",
				"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			`{"test": 2432232314}`, 1614265330,
		},
		"Standard Webhooks, secret without its prefix": {
			verify.Config{Provider: "standard-webhooks"}, strings.TrimPrefix(vectorKey, "whsec_"),
			verify.Header{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"webhook-timestamp": "1614265330",
				"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			`{"test": 2432232314}`, 1614265330,
		},
		"Svix, docs.svix.com, Verifying webhooks manually": {
			verify.Config{Provider: "svix"}, "whsec_plJ3nmyCDGBKInavdOK15jsl", // 18 bytes
			verify.Header{"svix-id": "msg_loFOjxBNrRLzqYUf", "svix-timestamp": "1731705121",
				"svix-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="},
			`{"event_type":"ping","data":{"success":true}}`, 1731705121,
		},
		"described: Bitbucket, support.atlassian.com, Manage webhooks": {
			verify.Config{
				Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Hub-Signature", Prefix: "sha256="},
			}, gitHubDocsSecret,
			verify.Header{
				"x-hub-signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
			},
			"Hello World!", 0,
		},
		"described: Slack, docs.slack.dev, Verifying requests": {
			verify.Config{Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Slack-Signature",
				Prefix:  "v0=",
				Payload: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp"}},
			"8f742231b10e8888abcd99yyyzzz85a5",
			verify.Header{"x-slack-request-timestamp": "1531420618",
				"x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
			"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&" +
				"user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
				"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121." +
				"803a0bc887a14d10d2c447fce8b6703c", 1531420618,
		},
		"described: Shopify, bold-commerce/go-shopify webhook tests": {
			verify.Config{
				Provider: "hmac",
				HMAC:     &verify.HMAC{Header: "X-Shopify-Hmac-Sha256", Encoding: "base64"},
			}, "hush",
			verify.Header{
				"x-shopify-hmac-sha256": "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI=",
			}, `"my secret message"`, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, vector.cfg, vector.secret)
			at := time.Unix(vector.at, 0)
			if _, err := v.Verify(
				context.Background(),
				verify.Request{Header: vector.header, Body: []byte(vector.body), ReceivedAt: at},
			); err != nil {
				t.Error(err)
			}
			signed, err := v.Sign(
				verify.Webhook{
					Body:       []byte(vector.body),
					DeliveryID: vector.header["webhook-id"] + vector.header["svix-id"],
				},
				at,
			)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range vector.header {
				if signed.Header[name] != want {
					t.Errorf("Sign writes %s: %s, want %s", name, signed.Header[name], want)
				}
			}
		})
	}
}

// stripeSignature makes a signature without the package under test. Stripe publishes no vector.
func stripeSignature(secret, timestamp, body string) string {
	return hexHMAC(secret, timestamp+"."+body)
}

func hexHMAC(key, payload string) string { return hex.EncodeToString(rawHMAC(key, payload)) }

func rawHMAC(key, payload string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(payload))
	return mac.Sum(nil)
}

func standardSignature(secret, id, timestamp, body string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(rawHMAC(string(key), id+"."+timestamp+"."+body))
}

func TestVerify_StripeHeader(t *testing.T) {
	t.Parallel()
	const ts, body = "1700000000", `{"id":"evt_1","type":"invoice.paid"}`
	good, other := stripeSignature(secret("current"), ts, body),
		stripeSignature(secret("stranger"), ts, body)
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"one v1":                   {"t=" + ts + ",v1=" + good, nil},
		"timestamp last":           {"v1=" + good + ",t=" + ts, nil},
		"second v1 is ours":        {"t=" + ts + ",v1=" + other + ",v1=" + good, nil},
		"beside v0 and unknown":    {"t=" + ts + ",v0=" + other + ",v9=a=b,x,v1=" + good, nil},
		"malformed v1 beside ours": {"t=" + ts + ",v1=zz,v1=" + good, nil},
		"v0 alone":                 {"t=" + ts + ",v0=" + good, verify.ErrMalformed},
		"v1 of a stranger":         {"t=" + ts + ",v1=" + other, verify.ErrMismatch},
		"v1 in upper case":         {"t=" + ts + ",v1=" + strings.ToUpper(good), nil},
		"v1 no hex": {
			"t=" + ts + ",v1=" + strings.Repeat("zz", 32), verify.ErrMalformed,
		},
		"v1 too short":                 {"t=" + ts + ",v1=" + good[2:], verify.ErrMalformed},
		"v1 too long":                  {"t=" + ts + ",v1=" + good + "00", verify.ErrMalformed},
		"no timestamp":                 {"v1=" + good, verify.ErrMalformed},
		"empty timestamp":              {"t=,v1=" + good, verify.ErrMalformed},
		"timestamp no number":          {"t=now,v1=" + good, verify.ErrMalformed},
		"timestamp signed":             {"t=+" + ts + ",v1=" + good, verify.ErrMalformed},
		"timestamp beyond any number":  {"t=99999999999999999999,v1=" + good, verify.ErrMalformed},
		"timestamp in milliseconds":    {"t=" + ts + "000,v1=" + good, verify.ErrMalformed},
		"another timestamp":            {"t=1700000001,v1=" + good, verify.ErrMismatch},
		"timestamp twice, first empty": {"t=,t=" + ts + ",v1=" + good, verify.ErrRepeated},
		"timestamp twice": {
			"t=" + ts + ",t=" + ts + ",v1=" + good, verify.ErrRepeated,
		},
		"header twice": {
			"t=" + ts + ",v1=" + other + ",t=" + ts + ",v1=" + good, verify.ErrRepeated,
		},
		"empty": {"", verify.ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, verify.Config{Provider: "stripe"}, secret("current"))
			h := verify.Header{"stripe-signature": c.header}
			_, err := v.Verify(
				context.Background(),
				verify.Request{Header: h, Body: []byte(body), ReceivedAt: signedAt},
			)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestVerify_StandardWebhooksHeaders(t *testing.T) {
	t.Parallel()
	const id, ts, body = "msg_1", "1700000000", `{"type":"a"}`
	good, other := standardSignature(secret("current"), id, ts, body),
		standardSignature(secret("stranger"), id, ts, body)
	for name, c := range map[string]struct {
		id, signature string
		want          error
	}{
		"one v1":                  {id, "v1," + good, nil},
		"second is ours":          {id, "v1," + other + " v1," + good, nil},
		"beside unknown versions": {id, "v1a," + other + " v2,x  y v1," + good, nil},
		"unknown versions alone":  {id, "v1a," + good + " v2," + good, verify.ErrMalformed},
		"no version":              {id, good, verify.ErrMalformed},
		"no base64": {
			id, "v1," + strings.Repeat("!", len(good)), verify.ErrMalformed,
		},
		"base64 with line end": {id, "v1," + good[:42] + "\n=", verify.ErrMalformed},
		"of a stranger":        {id, "v1," + other, verify.ErrMismatch},
		"header twice":         {id, "v1," + other + ",v1," + good, verify.ErrRepeated},
		"list twice": {
			id, "v1," + other + " v1," + other + ",v1," + good + " v1," + good, verify.ErrRepeated,
		},
		"another id": {"msg_2", "v1," + good, verify.ErrMismatch},
		"id with the separator in it": {"msg.1", "v1," + standardSignature(
			secret("current"), "msg.1", ts, body,
		),
			verify.ErrMalformed},
		"no id":    {"", "v1," + good, verify.ErrMissing},
		"id twice": {"msg_1,msg_1", "v1," + good, verify.ErrRepeated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, verify.Config{Provider: "standard-webhooks"}, secret("current"))
			h := verify.Header{
				"webhook-id": c.id, "webhook-timestamp": ts, "webhook-signature": c.signature,
			}
			if _, err := v.Verify(
				context.Background(),
				verify.Request{Header: h, Body: []byte(body), ReceivedAt: signedAt},
			); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestVerify_GitHubRefusesSHA1AndOtherForms(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "github"}, gitHubDocsSecret)
	good := hexHMAC(gitHubDocsSecret, "Hello, World!")
	for name, c := range map[string]struct {
		header verify.Header
		want   error
	}{
		"SHA-1 header alone": {
			verify.Header{"x-hub-signature": "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"},
			verify.ErrMissing,
		},
		"no prefix": {verify.Header{"x-hub-signature-256": good}, verify.ErrMalformed},
		"prefix twice": {
			verify.Header{"x-hub-signature-256": "sha256=sha256=" + good}, verify.ErrMalformed,
		},
		"upper case": {
			verify.Header{"x-hub-signature-256": "sha256=" + strings.ToUpper(good)}, nil,
		},
		"prefix in capitals": {
			verify.Header{"x-hub-signature-256": "SHA256=" + good}, verify.ErrMalformed,
		},
		"space after": {
			verify.Header{"x-hub-signature-256": "sha256=" + good + " "}, verify.ErrMalformed,
		},
	} {
		_, err := v.Verify(
			context.Background(), verify.Request{Header: c.header, Body: []byte("Hello, World!")},
		)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_Bearer(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "bearer"}, "token-1", "token-2")
	for value, want := range map[string]error{
		"Bearer token-1": nil, "bearer token-2": nil, "Bearer token-3": verify.ErrMismatch,
		"Bearer token-": verify.ErrMismatch,
		"Bearer":        verify.ErrMalformed, "Bearer ": verify.ErrMalformed,
		"token-1":                       verify.ErrMalformed,
		"Basic token-1":                 verify.ErrMalformed,
		"Bearer token-1,Bearer token-1": verify.ErrRepeated, "": verify.ErrMissing,
		"Bearer  token-1": nil,
	} {
		if _, err := v.Verify(
			context.Background(), verify.Request{Header: verify.Header{"authorization": value}},
		); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", value, err, want)
		}
	}
}

func TestVerify_ErrorsCarryNumbers(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "stripe"}, secret("current"))
	r := request(t, v, sample, signedAt)
	for age, want := range map[time.Duration]string{
		412 * time.Second:                   "verify: timestamp too old: 412s old, tolerance 300s",
		300*time.Second + time.Millisecond:  "verify: timestamp too old: 300.001s old, tolerance 300s",
		-301*time.Second - time.Microsecond: "verify: timestamp too far in the future: 301s ahead, tolerance 300s",
	} {
		r.ReceivedAt = signedAt.Add(age)
		if _, err := v.Verify(context.Background(), r); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	r.ReceivedAt = signedAt
	r.Body = nil
	const want = "verify: signature does not match: header stripe-signature, signatures 1, secrets 1"
	if _, err := v.Verify(context.Background(), r); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSign_RefusesAnIDThatVerifyWould(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "standard-webhooks"}, secret("current"))
	for id, want := range map[string]error{
		"": verify.ErrMissing, "a,b": verify.ErrRepeated, "a.b": verify.ErrMalformed, "a": nil,
	} {
		if _, err := v.Sign(verify.Webhook{DeliveryID: id}, signedAt); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", id, err, want)
		}
	}
}

func TestSign_WritesWhatTheProviderSends(t *testing.T) {
	t.Parallel()
	w := verify.Webhook{
		Body: []byte(`{"action":"opened"}`), DeliveryID: "id-1", EventType: "pull_request.opened",
	}
	for provider, want := range map[string]verify.Header{
		"github": {"content-type": "application/json", "x-github-delivery": "id-1",
			"x-github-event": "pull_request",
			"x-hub-signature": "sha1=" + hex.EncodeToString(mac(
				sha1.New, secret("a"), string(w.Body),
			)), "x-github-hook-id": "1",
			"x-github-hook-installation-target-type": "repository",
			"x-github-hook-installation-target-id":   "1",
			"x-hub-signature-256": "sha256=" + hexHMAC(
				secret("a"), string(w.Body),
			)},
		"stripe": {"content-type": "application/json",
			"stripe-signature": "t=1700000000,v1=" + stripeSignature(
				secret("a"), "1700000000", string(w.Body),
			)},
		"standard-webhooks": {"content-type": "application/json", "webhook-id": "id-1",
			"webhook-timestamp": "1700000000",
			"webhook-signature": "v1," + standardSignature(
				secret("a"), "id-1", "1700000000", string(w.Body),
			)},
		"bearer": {"content-type": "application/json", "authorization": "Bearer " +
			secret("a"), "webhook-id": "id-1",
			"webhook-type": "pull_request.opened"},
	} {
		got, err := newVerifier(
			t, verify.Config{Provider: provider}, secret("a"), secret("b"),
		).Sign(w, signedAt)
		if err != nil {
			t.Fatalf("%s: %v", provider, err)
		}
		if diff := cmp.Diff(want, got.Header); diff != "" {
			t.Errorf("%s (-want +got):\n%s", provider, diff)
		}
	}
}

func TestSignatureHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  verify.Config
		want []string
	}{
		"none":   {verify.Config{Provider: "none"}, nil},
		"bearer": {verify.Config{Provider: "bearer"}, []string{"authorization"}},
		"github": {
			verify.Config{Provider: "github"}, []string{"x-hub-signature-256"},
		},
		"described, lower case": {
			verify.Config{Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Sig"}}, []string{"x-sig"},
		},
	} {
		if got := newSubject(t, c.cfg, "current").verifier.SignatureHeaders(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Square signs the URL and the body with nothing between them. Text cut off the beginning of the
// body must not pass as the end of the query.
func TestVerify_HoldsTheQueryAgainstTheURL(t *testing.T) {
	t.Parallel()
	const u, body = "https://relay.example.com/in/sq?src=sq", `{"merchant_id":"M","data":{"type":"evil","object":{}}}`
	v := newVerifier(t, verify.Config{Provider: "square", URL: u}, "key")
	cut := strings.Index(body, `{"type"`)
	for name, c := range map[string]struct {
		query, body string
		want        error
	}{
		"as sent":               {"src=sq", body, nil},
		"cut into the query":    {"src=sq" + body[:cut], body[cut:], verify.ErrMismatch},
		"without the query":     {"", body, verify.ErrMismatch},
		"with another":          {"src=sq2", body, verify.ErrMismatch},
		"with a parameter more": {"src=sq&a=b", body, verify.ErrMismatch},
	} {
		r := verify.Request{
			Query:  c.query,
			Header: verify.Header{"x-square-hmacsha256-signature": base64HMAC("key", u+body)},
			Body:   []byte(c.body), ReceivedAt: signedAt,
		}
		if _, err := v.Verify(context.Background(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_AllowedIPs(t *testing.T) {
	t.Parallel()
	allowed := []string{"192.0.2.128/25", "198.51.100.7", "2001:db8::/32"}
	r := request(t, newVerifier(t, verify.Config{Provider: "github"}, "key"), sample, signedAt)
	forged := with(r, "x-hub-signature-256", "")
	for name, c := range map[string]struct {
		allowed []string
		remote  string
		request verify.Request
		want    error
	}{
		"in a range":            {allowed, "192.0.2.128", r, nil},
		"below it":              {allowed, "192.0.2.127", r, verify.ErrAddress},
		"a single address":      {allowed, "198.51.100.7", r, nil},
		"beside it":             {allowed, "198.51.100.8", r, verify.ErrAddress},
		"IPv6":                  {allowed, "2001:db8::7", r, nil},
		"IPv6, beside":          {allowed, "2001:db9::7", r, verify.ErrAddress},
		"IPv4 mapped into IPv6": {allowed, "::ffff:192.0.2.200", r, nil},
		"mapped, beside":        {allowed, "::ffff:192.0.2.1", r, verify.ErrAddress},
		"with a port":           {allowed, "192.0.2.200:443", r, verify.ErrAddress},
		"a list":                {allowed, "192.0.2.200, 203.0.113.1", r, verify.ErrAddress},
		"a range":               {allowed, "192.0.2.128/25", r, verify.ErrAddress},
		"no address":            {allowed, "localhost", r, verify.ErrAddress},
		"empty":                 {allowed, "", r, verify.ErrAddress},
		"bits beside the range": {[]string{"192.0.2.200/25"}, "192.0.2.129", r, nil},
		"in, and not signed":    {allowed, "192.0.2.200", forged, verify.ErrMissing},
		"any, and empty":        {nil, "", r, nil},
	} {
		c.request.RemoteIP = c.remote
		v := newVerifier(t, verify.Config{Provider: "github", AllowedIPs: c.allowed}, "key")
		if _, err := v.Verify(context.Background(), c.request); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
