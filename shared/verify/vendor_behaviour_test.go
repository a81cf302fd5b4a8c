package verify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// What the vendors' own packages and pages do, if that is more or less than one would expect. Each
// test names its source.

const vendorSecret = "vendor-secret"

// accepts tells whether a webhook with the given headers is accepted.
func accepts(t *testing.T, cfg verify.Config, secrets []string, r verify.Request) error {
	t.Helper()
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = signedAt
	}
	v, err := verify.New(cfg, secrets)
	must(t, err)
	_, err = v.Verify(t.Context(), r)
	return err
}

// @hygraph/utils 1.3 signs the body unchanged. Hygraph itself signs it as Go writes JSON.
func TestHygraph_SignsTheBodyAsItIsOrEscaped(t *testing.T) {
	t.Parallel()
	const body, ts = `{"operation":"publish","data":{"html":"<p>a & b</p>\n"}}`, "1700000000000"
	signed := func(inner string) string {
		text := fmt.Sprintf(`{"Body":%s,"EnvironmentName":"master","TimeStamp":%s}`, inner, ts)
		return base64Of(mac(sha256.New, vendorSecret, text))
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	raw := `"` + quote.Replace(body) + `"`
	escaped := strings.NewReplacer("<", `\\u003c`, ">", `\\u003e`, "&", `\\u0026`).Replace(raw)
	for name, c := range map[string]struct {
		signature string
		want      error
	}{
		"as it is": {signed(raw), nil},
		"escaped":  {signed(escaped), nil},
		"of another one": {
			signed(strings.Replace(raw, "publish", "delete", 1)), verify.ErrMismatch,
		},
	} {
		h := verify.Header{"gcms-signature": "sign=" + c.signature + ", env=master, t=" + ts}
		if err := accepts(
			t, verify.Config{Provider: "hygraph"}, []string{vendorSecret},
			verify.Request{Header: h, Body: []byte(body)},
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	r := request(
		t, newVerifier(t, verify.Config{Provider: "hygraph"}, vendorSecret),
		verify.Webhook{Body: []byte(body)}, signedAt,
	)
	if !strings.Contains(r.Header["gcms-signature"], signed(raw)) {
		t.Error("Sign makes what @hygraph/utils refuses")
	}
}

// Mollie's documentation and mollie-api-php's SignatureValidator accept the hex with and without
// its prefix.
func TestMollie_ThePrefixMayBeMissing(t *testing.T) {
	t.Parallel()
	const body = `{"resource":"event","id":"event_1"}`
	good, other := hexHMAC(vendorSecret, body), hexHMAC("other", body)
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"with its prefix":      {"sha256=" + good, nil},
		"bare":                 {good, nil},
		"two, bare":            {other + "," + good, nil},
		"two, one of them so":  {"sha256=" + other + ", " + good, nil},
		"of another algorithm": {"sha1=" + good, verify.ErrMalformed},
		"bare, of another key": {other, verify.ErrMismatch},
	} {
		r := verify.Request{
			Header: verify.Header{"x-mollie-signature": c.header}, Body: []byte(body),
		}
		if err := accepts(
			t, verify.Config{Provider: "mollie"}, []string{vendorSecret}, r,
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// twilio-node 6 (lib/webhooks): the header X-Twilio-Webhooks-Signature-Settings names the
// algorithm.
func TestTwilio_SharedKeysSignWithSHA256(t *testing.T) {
	t.Parallel()
	const u, form = "https://relay.example.com/in/twilio", "From=%2B14158675309&Body=Hello"
	const text = u + "BodyHello" + "From+14158675309"
	with256, with1 := base64Of(mac(sha256.New, vendorSecret, text)),
		base64Of(mac(sha1.New, vendorSecret, text))
	for name, c := range map[string]struct {
		settings, signature string
		want                error
	}{
		"SharedKey": {
			"key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", with256, nil,
		},
		"spaces, small letters":        {"key=k, algorithm = hmac_sha256", with256, nil},
		"none":                         {"", with1, nil},
		"no algorithm":                 {"key=k", with1, nil},
		"SHA-1 by name":                {"algorithm=HMAC_SHA1", with1, nil},
		"SHA-256 that is not told":     {"", with256, verify.ErrMalformed},
		"SHA-1 in the place of SHA256": {"algorithm=HMAC_SHA256", with1, verify.ErrMalformed},
		"unknown":                      {"algorithm=NONE", with1, verify.ErrMalformed},
	} {
		h := verify.Header{
			"x-twilio-signature": c.signature, "content-type": "application/x-www-form-urlencoded",
		}
		if c.settings != "" {
			h["x-twilio-webhooks-signature-settings"] = c.settings
		}
		err := accepts(
			t, verify.Config{Provider: "twilio", URL: u}, []string{vendorSecret},
			verify.Request{Header: h, Body: []byte(form)},
		)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// @shopify/shopify-api 13 (lib/webhooks/validate, lib/types): webhooks and Events.
func TestShopify_EventsHaveOtherNames(t *testing.T) {
	t.Parallel()
	const body = `{"product":{"id":"gid://shopify/Product/1"}}`
	signature := base64Of(mac(sha256.New, vendorSecret, body))
	v := newVerifier(t, verify.Config{Provider: "shopify"}, vendorSecret)
	got, err := v.Verify(t.Context(), verify.Request{Body: []byte(body), ReceivedAt: signedAt,
		Header: verify.Header{
			"shopify-hmac-sha256": signature, "shopify-topic": "Product", "shopify-event-id": "e-1",
			"shopify-webhook-id": "w-1",
		}})
	if err != nil || got.EventType != "Product" || got.DeliveryID == "" {
		t.Errorf("an Event: %+v, %v", got, err)
	}
	bad := verify.Request{
		Body: []byte(body + " "), Header: verify.Header{"shopify-hmac-sha256": signature},
		ReceivedAt: signedAt,
	}
	if _, err := v.Verify(t.Context(), bad); !errors.Is(err, verify.ErrMismatch) {
		t.Errorf("another body: %v", err)
	}
}

// mercadopago 3 (utils/webhook): absent values are left out of the signed text.
func TestMercadoPago_SignsNoRequestIDWhereThereIsNone(t *testing.T) {
	t.Parallel()
	const body, ts = `{"id":1,"type":"payment","data":{"id":"ABC"}}`, "1700000000000"
	for name, c := range map[string]struct {
		request, text string
		want          error
	}{
		"without a request id": {"", "id:abc;ts:" + ts + ";", nil},
		"with one":             {"r-1", "id:abc;request-id:r-1;ts:" + ts + ";", nil},
		"one that is removed":  {"", "id:abc;request-id:r-1;ts:" + ts + ";", verify.ErrMismatch},
		"one that is added":    {"r-1", "id:abc;ts:" + ts + ";", verify.ErrMismatch},
	} {
		h := verify.Header{"x-signature": "ts=" + ts + ",v1=" + hexHMAC(vendorSecret, c.text)}
		if c.request != "" {
			h["x-request-id"] = c.request
		}
		r := verify.Request{Query: "data.id=ABC&type=payment", Header: h, Body: []byte(body)}
		if err := accepts(
			t, verify.Config{Provider: "mercado-pago"}, []string{vendorSecret}, r,
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// @notionhq/client (webhooks.js), stripe-go, go-github and terra-api decode or fold the hex that
// they get.
func TestHex_IsReadInEitherCase(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, provider := range verify.Providers() {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		if s.trust() != verify.Verified && provider != "mercado-pago" {
			continue // a token is no hex, though it may look like it
		}
		for _, name := range s.verifier.SignatureHeaders() {
			value := s.request.Header[name]
			other := value
			for i := range value {
				if inHex(value, i) {
					other = other[:i] + swapCase(value[i:i+1]) + other[i+1:]
				}
			}
			if other == value {
				continue
			}
			tried++
			if err := s.verify(with(s.request, name, other)); err != nil {
				t.Errorf("%s, %s: %v", provider, name, err)
			}
		}
	}
	if tried < 80 {
		t.Errorf("only %d providers have hex", tried)
	}
}

func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}

// @wix/sdk (helpers.js, parsePublicKeyIfEncoded) accepts PEM, and the base64 of PEM. Keys are
// stored in the other forms.
func TestPublicKeys_AreReadInTheFormsInWhichTheyAreKept(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	armored := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey),
	}))
	private := string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key),
	}))
	for name, c := range map[string]struct {
		secret string
		fits   bool
	}{
		"PEM":                  {armored, true},
		"base64 of PEM":        {base64.StdEncoding.EncodeToString([]byte(armored)), true},
		"base64 of DER":        {base64.StdEncoding.EncodeToString(spki), true},
		"PEM on one line":      {strings.ReplaceAll(armored, "\n", " "), true},
		`line ends written \n`: {strings.ReplaceAll(armored, "\n", `\n`), true},
		"PKCS #1":              {pkcs1, true},
		"a private key":        {private, false},
		"base64 of other text": {base64.StdEncoding.EncodeToString([]byte("hello")), false},
		"PEM with another end": {
			strings.Replace(armored, "END PUBLIC", "END RSA PUBLIC", 1), false,
		},
		"PEM of a broken armor": {strings.Replace(armored, "-----BEGIN", "----BEGIN", 1), false},
	} {
		settings := map[string]map[string]string{
			"wise": {"subscription_ids": "s"}, "travis-ci": {"repositories": "a/b"},
		}
		for _, provider := range []string{"wix", "wise", "wechat-pay", "travis-ci"} {
			if _, err := verify.New(
				verify.Config{Provider: provider, Settings: settings[provider]}, []string{c.secret},
			); (err == nil) != c.fits {
				t.Errorf("%s, %s: %v", provider, name, err)
			}
		}
	}
}

// svix, @stablelib/base64 and Node's Buffer read keys with and without padding, some of them in
// either alphabet.
func TestKeys_AreReadWithAndWithoutPadding(t *testing.T) {
	t.Parallel()
	raw := []byte("\xfb\xff\xfe key of 22 bytes....")
	std := base64.StdEncoding.EncodeToString(raw)
	for name, text := range map[string]string{
		"padded": std, "not padded": strings.TrimRight(std, "="),
		"URL alphabet": base64.RawURLEncoding.EncodeToString(raw),
	} {
		for provider, prefix := range map[string]string{
			"standard-webhooks": "whsec_", "airtable": "", "samsara": "", "microsoft-teams": "",
		} {
			r := request(
				t, newVerifier(t, verify.Config{Provider: provider}, prefix+std), sample, signedAt,
			)
			if err := accepts(
				t, verify.Config{Provider: provider}, []string{prefix + text}, r,
			); err != nil {
				t.Errorf("%s, %s: %v", provider, name, err)
			}
		}
	}
}

// @paddle/paddle-node-sdk (webhooks-validator.js) allows five seconds, terra-api (utils.js) 300.
func TestSignedTimes_AreHeldAgainstTheVendorsWindows(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]time.Duration{
		"paddle": 5 * time.Second, "terra": 300 * time.Second,
	} {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		for age, refusal := range map[time.Duration]error{
			want: nil, want + time.Second: verify.ErrStale,
		} {
			r := s.request
			r.ReceivedAt = signedAt.Add(age)
			if err := s.verify(r); !errors.Is(err, refusal) {
				t.Errorf("%s, %s old: got %v, want %v", provider, age, err, refusal)
			}
		}
	}
}

// RFC 7519, sections 4.1.4 to 4.1.6. Each token differs from an accepted one in one time.
func TestTokens_AreHeldAgainstTheirOwnTimes(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return signedAt.Add(d).Unix() }
	for name, c := range map[string]struct {
		claims string
		want   error
	}{
		"no time but iat":      {"", nil},
		"good from now on":     {fmt.Sprintf(`,"nbf":%d`, at(0)), nil},
		"good in a minute":     {fmt.Sprintf(`,"nbf":%d`, at(time.Minute)), nil}, // clocks differ
		"good in two minutes":  {fmt.Sprintf(`,"nbf":%d`, at(2*time.Minute)), verify.ErrFuture},
		"good in a year":       {fmt.Sprintf(`,"nbf":%d`, at(365*24*time.Hour)), verify.ErrFuture},
		"good for a second":    {fmt.Sprintf(`,"exp":%d`, at(time.Second)), nil},
		"at its end":           {fmt.Sprintf(`,"exp":%d`, at(0)), verify.ErrStale},
		"after its end":        {fmt.Sprintf(`,"exp":%d`, at(-time.Hour)), verify.ErrStale},
		"an end that is none":  {`,"exp":"soon"`, verify.ErrMalformed},
		"a begin that is none": {`,"nbf":true`, verify.ErrMalformed},
	} {
		body := []byte(`{"status":"delivered"}`)
		sum := sha256.Sum256(body)
		hashed := hex.EncodeToString(sum[:])
		vonage := hs256(
			vendorSecret, fmt.Sprintf(`{"iat":%d,"payload_hash":%q%s}`, at(0), hashed, c.claims),
		)
		netlify := hs256(
			vendorSecret, fmt.Sprintf(`{"iss":"netlify","sha256":%q%s}`, hashed, c.claims),
		)
		for provider, h := range map[string]verify.Header{
			"vonage":  {"authorization": "Bearer " + vonage},
			"netlify": {"x-webhook-signature": netlify},
		} {
			err := accepts(
				t, verify.Config{Provider: provider}, []string{vendorSecret},
				verify.Request{Header: h, Body: body},
			)
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: got %v, want %v", provider, name, err, c.want)
			}
		}
		wix := newSubject(t, verify.Config{Provider: "wix"}, "current")
		token := rs256(
			t, `{"alg":"RS256"}`, fmt.Sprintf(`{"iat":%d,"data":"{}"%s}`, at(0), c.claims),
		)
		if err := wix.verify(verify.Request{
			Body: []byte(token), ReceivedAt: signedAt,
		}); !errors.Is(err, c.want) {
			t.Errorf("wix, %s: got %v, want %v", name, err, c.want)
		}
	}
}

// Box's packages (box-node-sdk, computeWebhookSignature with escapeBody) accept a body that was
// signed with its non-ASCII characters escaped.
func TestBox_SignsTheBodyAsItIsOrEscaped(t *testing.T) {
	t.Parallel()
	const body, escaped, ts = `{"trigger":"FILE.UPLOADED","name":"é 😀"}`, `{"trigger":"FILE.UPLOADED","name":"\u00e9 \ud83d\ude00"}`, "2023-11-14T22:13:20Z"
	for name, c := range map[string]struct {
		signed string
		want   error
	}{
		"as it is": {body, nil}, "escaped": {escaped, nil}, "another": {
			strings.Replace(escaped, "00e9", "00e8", 1), verify.ErrMismatch,
		},
	} {
		for _, header := range []string{"box-signature-primary", "box-signature-secondary"} {
			h := verify.Header{
				"box-delivery-timestamp": ts,
				header:                   base64Of(mac(sha256.New, vendorSecret, c.signed+ts)),
			}
			err := accepts(
				t, verify.Config{Provider: "box"}, []string{vendorSecret},
				verify.Request{Header: h, Body: []byte(body)},
			)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
	}
}

// TestSign_WritesWhatTheVendorsReceiversLookFor lists the headers beside the proof that the
// vendors' own receivers look for.
func TestSign_WritesWhatTheVendorsReceiversLookFor(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]verify.Header{
		"adyen-platforms": {"protocol": "HmacSHA256"},
		"bitbucket":       {"x-hook-uuid": "00000000-0000-4000-8000-000000000001"},
		"box": {
			"box-signature-version": "1", "box-signature-algorithm": "HmacSHA256",
			"box-delivery-id": "msg-1",
		},
		"cloudevents": {
			"ce-specversion": "1.0", "ce-source": "/webhook-relay", "ce-id": "msg-1",
			"ce-type": "a.b",
		},
		"docusign": {"x-authorization-digest": "HMACSHA256"},
		"forgejo":  {"x-gitea-event": "a", "x-github-delivery": "msg-1"},
		"github": {
			"x-github-event": "a", "x-github-delivery": "msg-1", "x-hub-signature": "sha1=*",
		},
		"gitlab":          {"x-gitlab-event": "A.b Hook"},
		"gitlab-legacy":   {"x-gitlab-event": "A.b Hook"},
		"google-channels": {"x-goog-resource-id": "example", "x-goog-message-number": "1"},
		"livekit":         {"content-type": "application/webhook+json"},
		"meta":            {"x-hub-signature": "sha1=*"},
		"paypal":          {"paypal-cert-url": "*", "paypal-auth-version": "v2"},
		"shopify": {
			"x-shopify-shop-domain": "*", "x-shopify-api-version": "*",
			"x-shopify-webhook-id": "msg-1", "x-shopify-topic": "a.b",
		},
		"sns": {
			"x-amz-sns-message-type": "Notification", "x-amz-sns-topic-arn": "*",
			"x-amz-sns-message-id": "*",
		},
		"sumsub": {"x-payload-digest-alg": "HMAC_SHA256_HEX"},
		"twitch": {
			"twitch-eventsub-message-type":      "notification",
			"twitch-eventsub-subscription-type": "a.b",
		},
		"wechat-pay":  {"wechatpay-serial": "*"},
		"whatsapp":    {"x-hub-signature": "sha1=*"},
		"woocommerce": {"x-wc-webhook-resource": "a", "x-wc-webhook-event": "b"},
		"youtube":     {"link": "*"},
	} {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		w := s.webhook
		w.EventType = "a.b"
		got := request(t, s.verifier, w, signedAt).Header
		for name, value := range want {
			prefix, open := strings.CutSuffix(value, "*")
			if open && (!strings.HasPrefix(got[name], prefix) || got[name] == prefix) || !open &&
				got[name] != value {
				t.Errorf("%s: header %s is %q, want %q", provider, name, got[name], value)
			}
		}
	}
}

// Headers beside the proof decide nothing: without them the webhook is the same.
func TestCompanions_AreNotLookedAt(t *testing.T) {
	t.Parallel()
	for _, provider := range verify.Providers() {
		d, _ := verify.Describe(provider)
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		r := s.request
		r.Header = maps.Clone(r.Header)
		for _, name := range d.Companions {
			delete(r.Header, name)
		}
		if err := s.verify(r); err != nil {
			t.Errorf("%s: %v", provider, err)
		}
	}
}

// TestNewSigner_TakesPrivateKeysInEveryForm signs with a private key of the operator's, for each
// provider that signs with a private key.
func TestNewSigner_TakesPrivateKeysInEveryForm(t *testing.T) {
	t.Parallel()
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		return der
	}
	armor := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	must(t, err)
	publicOf := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		must(t, err)
		return armor("PUBLIC KEY", der)
	}
	forms := map[string][]string{
		"Ed25519": {
			armor("PRIVATE KEY", pkcs8(edKey)), base64Of(pkcs8(edKey)),
			hex.EncodeToString(edKey.Seed()), base64Of(edKey.Seed()), base64Of(edKey),
		},
		"ECDSA": {
			armor("PRIVATE KEY", pkcs8(ecKey)), armor("EC PRIVATE KEY", sec1),
			base64Of(pkcs8(ecKey)), base64Of(sec1),
		},
		"RSA": {
			armor(
				"PRIVATE KEY", pkcs8(rsaKey),
			), armor(
				"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey),
			), base64Of(pkcs8(rsaKey)),
			strings.ReplaceAll(armor("PRIVATE KEY", pkcs8(rsaKey)), "\n", `\n`), base64Of(
				[]byte(armor("PRIVATE KEY", pkcs8(rsaKey))),
			),
		},
	}
	publics := map[string]string{
		"Ed25519": publicOf(edKey.Public()), "ECDSA": publicOf(ecKey.Public()),
		"RSA": publicOf(rsaKey.Public()),
	}
	kinds := map[string]string{}
	for _, provider := range verify.Providers() {
		if !verify.SignsPrivately(provider) {
			continue
		}
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		for kind, keys := range forms {
			for _, key := range keys {
				v, err := verify.NewSigner(s.cfg, nil, key)
				if err != nil {
					break // a key of another kind
				}
				if _, err := v.Sign(s.webhook, signedAt); err != nil {
					t.Errorf("%s: %v", provider, err)
				}
				kinds[provider] = kind
			}
		}
		if kinds[provider] == "" {
			t.Errorf("%s takes no key", provider)
			continue
		}
		for _, key := range forms[kinds[provider]] {
			if _, err := verify.NewSigner(s.cfg, nil, key); err != nil {
				t.Errorf("%s: %v", provider, err)
			}
		}
		if _, err := verify.NewSigner(s.cfg, nil, publics[kinds[provider]]); err == nil ||
			!strings.Contains(err.Error(), "public key") {
			t.Errorf("%s, a public key: %v", provider, err)
		}
		if s.secret != "" {
			if _, err := verify.NewSigner(s.cfg, []string{s.secret}, s.secret); err == nil ||
				!strings.Contains(err.Error(), "public key") {
				t.Errorf("%s, its own public key: %v", provider, err)
			}
		}
		for _, none := range []string{"", "hunter2", "whsec_aGVsbG8="} {
			if _, err := verify.NewSigner(s.cfg, nil, none); err == nil {
				t.Errorf("%s takes %q", provider, none)
			}
		}
	}
	if len(kinds) < 14 {
		t.Errorf("%d providers: %v", len(kinds), slices.Sorted(maps.Keys(kinds)))
	}
}

// If the public key is among the secrets, NewSigner's signatures are accepted by New's Verifier.
func TestNewSigner_SignsWhatThePublicHalfVerifies(t *testing.T) {
	t.Parallel()
	for _, provider := range verify.Providers() {
		cfg, secret, signing := exampleOf(t, provider, "current")
		if slices.Contains(withoutProof, provider) || provider == "hmac" {
			continue
		}
		key := secret
		if signing != "" {
			key = signing
		}
		signer, err := verify.NewSigner(cfg, nil, key)
		if err != nil {
			t.Errorf("%s: %v", provider, err)
			continue
		}
		var secrets []string
		if secret != "" {
			secrets = []string{secret}
		}
		r := request(t, signer, webhook(t, provider), signedAt)
		if err := accepts(t, cfg, secrets, r); err != nil {
			t.Errorf("%s: %v", provider, err)
		}
	}
	private := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	v, err := verify.NewSigner(verify.Config{Provider: "standard-webhooks"}, nil, "whsk_"+private)
	must(t, err)
	if r := request(t, v, sample, signedAt); !strings.HasPrefix(
		r.Header["webhook-signature"], "v1a,",
	) {
		t.Errorf("a private key of Standard Webhooks signs %q", r.Header)
	}
}

// TestAliases_AreProviders checks the aliases against the table.
func TestAliases_AreProviders(t *testing.T) {
	t.Parallel()
	names := verify.Aliases()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or with doubles: %q", names)
	}
	for _, alias := range names {
		if slices.Contains(verify.Providers(), alias) {
			t.Errorf("%s is a provider itself", alias)
		}
		d, ok := verify.Describe(alias)
		if !ok || d.Name != verify.Canonical(alias) || !slices.Contains(d.Aliases, alias) {
			t.Errorf("%s: %+v", alias, d)
		}
		cfg, secret, _ := exampleOf(t, alias, "current")
		cfg.Provider = alias
		var secrets []string
		if secret != "" {
			secrets = []string{secret}
		}
		if _, err := verify.New(cfg, secrets); err != nil {
			t.Errorf("%s: %v", alias, err)
		}
	}
	for alias, want := range map[string]string{
		"aws-sns": "sns", "facebook": "meta", "frontapp": "front", "twitter": "x",
		"chargebee-billing": "chargebee",
		"AWS_SNS":           "sns", "CUSTOMER_IO": "customer-io", "GitHub": "github",
		"github": "github", "nobody": "nobody", "No_Body": "No_Body",
	} {
		if got := verify.Canonical(alias); got != want {
			t.Errorf("%s is %s, want %s", alias, got, want)
		}
	}
}
