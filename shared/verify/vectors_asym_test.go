package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

func TestVerify_VectorsWithPublicKeys(t *testing.T) {
	t.Parallel()
	const ebayKey = "-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZhhxXKtR+TOvtDbgTPCkSof02qgBB7IsYOyf76ilExJ/upAa/vKIKheOoCyOpcLmi4t0b4ue" +
		"pb7LLjmMr90FUg==-----END PUBLIC KEY-----"
	for origin, vector := range map[string]struct {
		provider, secret string
		settings         map[string]string
		header           verify.Header
		body             string
		at               int64
	}{
		"SendGrid, sendgrid-go helpers/eventwebhook/eventwebhook_test.go": {
			"sendgrid", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==", nil,
			verify.Header{
				"x-twilio-email-event-webhook-timestamp": "1600112502",
				"x-twilio-email-event-webhook-signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
			},
			`[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
				`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",` +
				`"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n", 1600112502,
		},
		"eBay, event-notification-nodejs-sdk test/test.json": {
			"ebay", "", map[string]string{
				"jwks": webKeySet(t, "9936261a-7d7b-4621-a0f1-96ccb428af49", ebayKey),
			},
			verify.Header{"x-ebay-signature": "eyJhbGciOiJlY2RzYSIsImtpZCI6Ijk5MzYyNjFhLTdkN2ItNDYyMS1hMGYxLTk2Y2NiNDI4YWY0OSIsInNpZ25hdHVyZSI6Ik1FWUNJUUNmeGZJV3V4bVdjSUJ" +
				"RSjljNS9YN2lHREpxczJSQ0dzQkVhQWppbnlycmZBSWhBSVY2d0djVGlCdVY1S0pVaWYyaG9reXJMK1E5c3NIa2FkK214Mm5FRTI1dyIsImRpZ2VzdCI6IlNIQTEifQ=="},
			`{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION","schemaVersion":"1.0","deprecated":false},"notification":{"notificationId":` +
				`"49feeaeb-4982-42d9-a377-9645b8479411_33f7e043-fed8-442b-9d44-791923bd9a6d","eventDate":"2021-03-19T20:43:59.462Z",` +
				`"publishDate":"2021-03-19T20:43:59.679Z","publishAttemptCount":1,"data":{"username":"test_user","userId":"ma8vp1jySJC",` +
				`"eiasToken":"nY+sHZ2PrBmdj6wVnY+sEZ2PrA2dj6wJnY+gAZGEpwmdj6x9nY+seQ=="}}}`, 0,
		},
		"Wise, transferwise/digital-signatures-examples verify-signature.php": {
			"wise", `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfP
ZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPU
ys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3j
wt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958Cg
nZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSyg
z7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEs
VwIDAQAB
-----END PUBLIC KEY-----`, map[string]string{
				"subscription_ids": "90aa8e14-4ef1-4a56-861c-f3c9cde097ea",
			},
			verify.Header{"x-signature-sha256": "wKcKCYXAzxNgiu7xmoDm943NUni7Rz33QN8JkEA9dWSGebgndonabgSj18Y4C08OrwVmueGsED2s00M7DtJVcYKOS1i3G4TMVx+mgM3aL9djMBkQtiYNBFUd6wrPI7ZU" +
				"NHv/TrlKSjTMc+6JFvUvJ7owY3z85e3I4jLRLJowMFvO8kvCJ60+1pY9wDwZvtZ//WS93LrwGjk9Dvwzpmu0w+P4J75tETT5qC3Uv0y5G2yO8SEoO3yNP/tg/BOli02niHb53vEO" +
				"UWUb9bly6thnfMoXoiV/osoGxgF20R58RlvkAmezyyl1Sv542TfS2DpiwVnmjjjkCyXeSUcKookYLQ=="},
			`{"data":{"resource":{"id":49983981,"profile_id":16055450,"account_id":14124090,"type":"transfer"},"current_state":"incoming_payment_waiting",` +
				`"previous_state":null,"occurred_at":"2021-08-23T10:12:50Z"},"subscription_id":"90aa8e14-4ef1-4a56-861c-f3c9cde097ea",` +
				`"event_type":"transfers#state-change","schema_version":"2.0.0","sent_at":"2021-08-23T10:12:50Z"}`, 0,
		},
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, verify.Config{Provider: vector.provider}, "current")
			maps.Copy(s.cfg.Settings, vector.settings)
			var secrets []string
			if vector.secret != "" {
				secrets = []string{vector.secret}
			}
			v := newVerifier(t, s.cfg, secrets...)
			r := verify.Request{
				Header: vector.header, Body: []byte(vector.body),
				ReceivedAt: time.Unix(vector.at, 0),
			}
			if _, err := v.Verify(t.Context(), r); err != nil {
				t.Error(err)
			}
			r.Body = append([]byte(" "), r.Body...)
			if _, err := v.Verify(t.Context(), r); !errors.Is(err, verify.ErrMismatch) {
				t.Errorf("another body: got %v, want %v", err, verify.ErrMismatch)
			}
		})
	}
}

// webKeySet returns a P-256 key, given as PEM or base64, as a JSON Web Key Set.
func webKeySet(t *testing.T, id, text string) string {
	t.Helper()
	text = strings.NewReplacer(
		"-----BEGIN PUBLIC KEY-----", "", "-----END PUBLIC KEY-----", "",
	).Replace(text)
	der, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	key, err := x509.ParsePKIXPublicKey(der)
	must(t, err)
	point, err := key.(*ecdsa.PublicKey).Bytes()
	must(t, err)
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, id,
		base64.RawURLEncoding.EncodeToString(point[1:33]),
		base64.RawURLEncoding.EncodeToString(point[33:]))
}

// The signatures below are made with the standard library only, from the providers' documentation:
// they publish no vectors.

const (
	signedTime = "1700000000"
	signedBody = `{"id":"evt_1","type":"a"}`
	// Of the repository that Example takes.
	travisPayload = `{"type": "push", "repository": {"owner_name": "example", "name": "web"}}`
)

// private returns the key from Example for SignWith.
func private(t testing.TB, provider, name string) crypto.Signer {
	t.Helper()
	_, _, signing := exampleOf(t, provider, name)
	der, err := base64.StdEncoding.DecodeString(signing)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

// spkiOf returns the public key of that key in X.509's form, in base64.
func spkiOf(t testing.TB, provider string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private(t, provider, "current").Public())
	if err != nil {
		t.Fatal(err)
	}
	return base64Of(der)
}

func sha256Of(text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:] }
func sha1Of(text string) []byte   { sum := sha1.Sum([]byte(text)); return sum[:] }
func base64Of(b []byte) string    { return base64.StdEncoding.EncodeToString(b) }

func rsaOver(t testing.TB, provider string, hash crypto.Hash, digest []byte) string {
	t.Helper()
	signature, err := rsa.SignPKCS1v15(
		nil, private(t, provider, "current").(*rsa.PrivateKey), hash, digest,
	)
	if err != nil {
		t.Fatal(err)
	}
	return base64Of(signature)
}

func ecdsaOver(t testing.TB, provider string, digest []byte) []byte {
	t.Helper()
	signature, err := ecdsa.SignASN1(
		rand.Reader, private(t, provider, "current").(*ecdsa.PrivateKey), digest,
	)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// hs256 makes a token from JSON claims. The key is the text of the secret.
func hs256(secret, claims string) string {
	text := webEncoded(`{"alg":"HS256","typ":"JWT"}`) + "." + webEncoded(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func webEncoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func rs256(t testing.TB, header, claims string) string {
	t.Helper()
	return rs256Of(t, "current", header, claims)
}

// rs256Of signs with the key of the given name. The key is the same for every provider with RSA
// keys.
func rs256Of(t testing.TB, name, header, claims string) string {
	t.Helper()
	text := webEncoded(header) + "." + webEncoded(claims)
	signature, err := rsa.SignPKCS1v15(
		nil, private(t, "google-pubsub", name).(*rsa.PrivateKey), crypto.SHA256, sha256Of(text),
	)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// es256 signs in JWT's form: two numbers of 32 bytes, not DER.
func es256(t testing.TB, header, claims string) string {
	t.Helper()
	text := webEncoded(header) + "." + webEncoded(claims)
	r, s, err := ecdsa.Sign(
		rand.Reader, private(t, "plaid", "current").(*ecdsa.PrivateKey), sha256Of(text),
	)
	if err != nil {
		t.Fatal(err)
	}
	both := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + base64.RawURLEncoding.EncodeToString(both)
}

const googleClaims = `{"iss":"https://accounts.google.com","aud":"https://relay.example.com/in/google-pubsub",` +
	`"email":"relay@example.iam.gserviceaccount.com","email_verified":true,"iat":1700000000,"exp":1700003600}`

func plaidClaims(body string) string {
	return `{"iat":1700000000,"request_body_sha256":"` + hex.EncodeToString(sha256Of(body)) + `"}`
}

func TestVerify_SignedWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	key := func(provider string) string {
		return newSubject(t, verify.Config{Provider: provider}, "current").secret
	}
	ed := func(provider, text string) []byte {
		return ed25519.Sign(private(t, provider, "current").(ed25519.PrivateKey), []byte(text))
	}
	form := url.Values{"payload": {travisPayload}}.Encode()
	for name, c := range map[string]struct {
		provider string
		header   verify.Header
		body     string
		wantID   string
		wantType string
	}{
		"discord": {"discord", verify.Header{"x-signature-timestamp": signedTime,
			"x-signature-ed25519": hex.EncodeToString(ed(
				"discord", signedTime+signedBody,
			))}, signedBody, "evt_1", "a"},
		"telnyx": {"telnyx", verify.Header{"telnyx-timestamp": signedTime,
			"telnyx-signature-ed25519": base64Of(ed(
				"telnyx", signedTime+"|"+`{"data":{"id":"1","event_type":"call.hangup"}}`,
			))},
			`{"data":{"id":"1","event_type":"call.hangup"}}`, "1", "call.hangup"},
		"sendgrid": {"sendgrid", verify.Header{"x-twilio-email-event-webhook-timestamp": signedTime,
			"x-twilio-email-event-webhook-signature": base64Of(ecdsaOver(
				t, "sendgrid", sha256Of(signedTime+`[{"event":"open"}]`),
			))},
			`[{"event":"open"}]`, "sha256:" +
				hex.EncodeToString(sha256Of(`[{"event":"open"}]`)), "open"},
		"wechat-pay": {"wechat-pay", verify.Header{"wechatpay-timestamp": signedTime,
			"wechatpay-nonce": "n1",
			"wechatpay-signature": rsaOver(
				t, "wechat-pay", crypto.SHA256, sha256Of(signedTime+"\nn1\n"+signedBody+"\n"),
			)}, signedBody, "evt_1", ""},
		"travis-ci": {"travis-ci",
			verify.Header{"content-type": "application/x-www-form-urlencoded",
				"signature": rsaOver(t, "travis-ci", crypto.SHA1, sha1Of(travisPayload))}, form,
			"sha256:" + hex.EncodeToString(sha256Of(travisPayload)), "push"},
		"paypal": {"paypal", verify.Header{"paypal-transmission-id": "t-1",
			"paypal-transmission-time": "2023-11-14T22:13:20Z",
			"paypal-auth-algo":         "SHA256withRSA",
			"paypal-cert-url":          "https://api.paypal.com/v1/notifications/certs/CERT-1",
			"paypal-transmission-sig": rsaOver(t, "paypal", crypto.SHA256,
				sha256Of(fmt.Sprintf(
					"t-1|2023-11-14T22:13:20Z|1EX00000AB000000C|%d",
					crc32.ChecksumIEEE([]byte(signedBody)),
				)))}, signedBody, "t-1", ""},
		"ebay": {"ebay", verify.Header{"x-ebay-signature": base64Of(fmt.Appendf(nil,
			`{"alg":"ecdsa","kid":"00000000-0000-4000-8000-000000000000","signature":%q,"digest":"SHA1"}`,
			base64Of(ecdsaOver(t, "ebay", sha1Of(signedBody)))))}, signedBody, "", ""},
		"plaid": {
			"plaid",
			verify.Header{
				"plaid-verification": es256(
					t, `{"alg":"ES256","kid":"00000000-0000-4000-8000-000000000000","typ":"JWT"}`,
					plaidClaims(signedBody),
				),
			},
			signedBody, "", "",
		},
		"google-pubsub": {"google-pubsub", verify.Header{
			"authorization": "Bearer " + rs256(
				t, `{"alg":"RS256","kid":"00000000-0000-4000-8000-000000000000"}`, googleClaims,
			),
		},
			`{"message":{"messageId":"7"}}`, "7", ""},
		"netlify": {"netlify", verify.Header{
			"x-webhook-signature": hs256(
				key("netlify"),
				`{"iss":"netlify","sha256":"`+hex.EncodeToString(sha256Of(`{"state":"ready"}`))+
					`"}`,
			),
		},
			`{"state":"ready"}`, "sha256:" +
				hex.EncodeToString(sha256Of(`{"state":"ready"}`)), "ready"},
		"livekit": {"livekit", verify.Header{"authorization": hs256(key("livekit"),
			`{"iss":"APIexample00001","nbf":1700000000,"exp":1700000300,"sha256":"`+
				base64Of(sha256Of(signedBody))+`"}`)}, signedBody, "evt_1", ""},
		"vonage": {"vonage", verify.Header{"authorization": "Bearer " +
			hs256(key("vonage"), `{"iat":1700000000,"jti":"x","iss":"Vonage","payload_hash":"`+
				hex.EncodeToString(sha256Of(signedBody))+
				`","api_key":"abcd1234"}`)}, signedBody, "sha256:" +
			hex.EncodeToString(sha256Of(signedBody)), ""},
		"monday": {"monday", verify.Header{
			"authorization": hs256(
				key("monday"), `{"accountId":1,"userId":2,"iat":1700000000,"exp":1700000300}`,
			),
		},
			`{"event":{"type":"create_pulse","triggerUuid":"u"}}`, "u", "create_pulse"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, verify.Config{Provider: c.provider}, "current")
			got, err := s.verifier.Verify(
				t.Context(),
				verify.Request{Header: c.header, Body: []byte(c.body), ReceivedAt: signedAt},
			)
			if err != nil || got.DeliveryID != c.wantID || got.EventType != c.wantType ||
				got.Handshake {
				t.Errorf("got %+v, %v, want id %q, type %q", got, err, c.wantID, c.wantType)
			}
		})
	}
}

// standardKeys is a pair of asymmetric Standard Webhooks keys.
func standardKeys(name string) (public, private string, key ed25519.PrivateKey) {
	key = ed25519.NewKeyFromSeed(sha256Of(name))
	return "whpk_" + base64Of(key.Public().(ed25519.PublicKey)), "whsk_" + base64Of(key), key
}

func TestVerify_StandardWebhooksV1a(t *testing.T) {
	t.Parallel()
	public, _, key := standardKeys("current")
	other, _, stranger := standardKeys("stranger")
	const id = "msg_1"
	v1 := "v1," + standardSignature(secret("current"), id, signedTime, signedBody)
	v1a := "v1a," + base64Of(ed25519.Sign(key, []byte(id+"."+signedTime+"."+signedBody)))
	wrong := "v1a," + base64Of(ed25519.Sign(stranger, []byte(id+"."+signedTime+"."+signedBody)))
	for name, c := range map[string]struct {
		secrets   []string
		signature string
		age       time.Duration
		want      error
	}{
		"public key alone":     {[]string{public}, v1a, 0, nil},
		"second public key":    {[]string{other, public}, v1a, 0, nil},
		"beside v1":            {[]string{public}, "v1,x " + v1a, 0, nil},
		"second v1a":           {[]string{public}, wrong + " " + v1a, 0, nil},
		"both kinds, v1 sent":  {[]string{public, secret("current")}, v1, 0, nil},
		"both kinds, v1a sent": {[]string{secret("current"), public}, v1a, 0, nil},
		"both kinds, both sent": {
			[]string{secret("current"), public}, v1 + " " + v1a, 0, nil,
		},
		"both kinds, both stale": {
			[]string{secret("current"), public}, v1 + " " + v1a, time.Hour, verify.ErrStale,
		},
		"both kinds, v1a stale": {
			[]string{secret("current"), public}, v1a, time.Hour, verify.ErrStale,
		},
		"v1 wrong, v1a stale": {
			[]string{secret("current"), public},
			"v1," + standardSignature(secret("stranger"), id, signedTime, signedBody) + " " + v1a,
			time.Hour, verify.ErrStale,
		},
		"v1a too early":      {[]string{public}, v1a, -time.Hour, verify.ErrFuture},
		"v1 to a public key": {[]string{public}, v1, 0, verify.ErrMalformed},
		"v1a to a secret":    {[]string{secret("current")}, v1a, 0, verify.ErrMalformed},
		"of a stranger":      {[]string{public}, wrong, 0, verify.ErrMismatch},
		"of a stranger, both kinds": {
			[]string{secret("current"), public}, wrong, 0, verify.ErrMismatch,
		},
		"no base64": {
			[]string{public}, "v1a," + strings.Repeat("!", 88), 0, verify.ErrMalformed,
		},
		"base64 with another last byte": {
			[]string{public}, v1a[:len(v1a)-3] + "B==", 0, verify.ErrMalformed,
		},
		"sent twice": {[]string{public}, v1a + "," + v1a, 0, verify.ErrRepeated},
		"not at all": {[]string{public}, "", 0, verify.ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for provider, prefix := range map[string]string{
				"standard-webhooks": "webhook", "svix": "svix",
			} {
				v := newVerifier(t, verify.Config{Provider: provider}, c.secrets...)
				h := verify.Header{
					prefix + "-id": id, prefix + "-timestamp": signedTime,
					prefix + "-signature": c.signature,
				}
				_, err := v.Verify(
					t.Context(),
					verify.Request{
						Header: h, Body: []byte(signedBody), ReceivedAt: signedAt.Add(c.age),
					},
				)
				if !errors.Is(err, c.want) {
					t.Errorf("%s: got %v, want %v", provider, err, c.want)
				}
			}
		})
	}
}

func TestVerify_StandardWebhooksV1aRefusesAnIDWithTheSeparator(t *testing.T) {
	t.Parallel()
	public, _, key := standardKeys("current")
	h := verify.Header{"webhook-id": "msg.1", "webhook-timestamp": signedTime,
		"webhook-signature": "v1a," + base64Of(ed25519.Sign(
			key, []byte("msg.1."+signedTime+"."+signedBody),
		))}
	v := newVerifier(t, verify.Config{Provider: "standard-webhooks"}, public)
	if _, err := v.Verify(
		t.Context(), verify.Request{Header: h, Body: []byte(signedBody), ReceivedAt: signedAt},
	); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("got %v, want %v", err, verify.ErrMalformed)
	}
}

func TestSign_StandardWebhooksV1a(t *testing.T) {
	t.Parallel()
	public, private, key := standardKeys("current")
	w := verify.Webhook{Body: []byte(signedBody), DeliveryID: "msg_1"}
	for name, signing := range map[string]string{
		"with its public half": private, "seed alone": "whsk_" + base64Of(key.Seed()),
	} {
		v, err := verify.New(
			verify.Config{Provider: "standard-webhooks"}, []string{secret("current"), public},
			verify.SignWith(signing),
		)
		if err != nil {
			t.Fatal(err)
		}
		want := "v1a," + base64Of(ed25519.Sign(key, []byte("msg_1."+signedTime+"."+signedBody)))
		if got := request(t, v, w, signedAt).Header["webhook-signature"]; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if _, err := newVerifier(
		t, verify.Config{Provider: "standard-webhooks"}, public,
	).Sign(w, signedAt); err == nil {
		t.Error("signed without a private key")
	}
	for name, signing := range map[string]string{
		"no base64": "whsk_!", "short": "whsk_" + base64Of(key.Seed()[1:]),
	} {
		if _, err := verify.New(
			verify.Config{Provider: "standard-webhooks"}, []string{public},
			verify.SignWith(signing),
		); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestNew_RefusesKeysThatCannotWork(t *testing.T) {
	t.Parallel()
	rsaKey := func(bits int) string {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		must(t, err)
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		must(t, err)
		return base64Of(der)
	}
	small := rsaKey(1024)
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(other.Public())
	must(t, err)
	p384 := base64Of(der)
	edKey := strings.Repeat("ab", 32)
	for name, c := range map[string]struct{ provider, secret, want string }{
		"hex for hex": {"discord", edKey, ""},
		"upper case":  {"discord", strings.ToUpper(edKey), ""},
		"base64 for hex": {
			"discord", base64Of(make([]byte, 32)), "secrets[0]: is not hex",
		},
		"hex, too short": {
			"discord", edKey[2:], "secrets[0]: is not an Ed25519 public key of 32 bytes",
		},
		"base64 of a hex key": {
			"telnyx", edKey, "secrets[0]: is not an Ed25519 public key of 32 bytes",
		},
		"no base64": {"telnyx", "!", "secrets[0]: is not base64"},
		"SPKI that is none": {
			"sendgrid", base64Of([]byte("key")), "secrets[0]: decodes, but is not a public key",
		},
		"neither base64 nor PEM": {"sendgrid", "!", "secrets[0]: is neither base64 nor PEM"},
		"another curve": {
			"sendgrid", p384, "secrets[0]: is not an ECDSA public key on the curve P-256",
		},
		"RSA for ECDSA": {
			"sendgrid", rsaKey(2048), "secrets[0]: is not an ECDSA public key on the curve P-256",
		},
		"ECDSA for RSA": {
			"wise", newSubject(t, verify.Config{Provider: "sendgrid"}, "current").secret,
			"secrets[0]: is not an RSA public key",
		},
		"RSA, too small":            {"wise", small, "secrets[0]: is an RSA key of 1024 bits"},
		"RSA, PEM with line breaks": {"wise", pemOf(rsaKey(2048)), ""},
		"whpk, short": {
			"svix", "whpk_AAAA", "secrets[0]: is not an Ed25519 public key",
		},
		"private half of whpk":        {"svix", "whsk_AAAA", "secrets[0]: is a private key"},
		"a secret where none is used": {"paypal", "x", "secrets: are not used"},
	} {
		s := newSubject(t, verify.Config{Provider: c.provider}, "current")
		d, _ := verify.Describe(c.provider)
		_, err := verify.New(s.cfg, []string{c.secret})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.Is(err, verify.ErrConfig) ||
			!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), d.Secret)):
			t.Errorf(
				"%s: got %v, want %v with %q and the provider's name for it", name, err,
				verify.ErrConfig, c.want,
			)
		}
	}
}

func pemOf(key string) string {
	der, _ := base64.StdEncoding.DecodeString(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestNew_RefusesSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ provider, setting, value, want string }{
		"no topic": {
			"sns", "topic_arns", "orders", `settings.topic_arns: "orders" is not the ARN`,
		},
		"second is no topic": {
			"sns", "topic_arns", "arn:aws:sns:eu-west-1:1:a, arn:aws:sqs:eu-west-1:1:a",
			"arn:aws:sqs",
		},
		"topics left out": {"sns", "topic_arns", "", "settings.topic_arns: missing"},
		"no certificate": {
			"sns", "certificate", "x", "settings.certificate: is not a certificate",
		},
		"broken certificate": {
			"paypal", "certificate",
			"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			"settings.certificate: is a broken certificate",
		},
		"no webhook id": {"paypal", "webhook_id", " ", "settings.webhook_id: missing"},
		"no key set":    {"plaid", "jwks", "x", "settings.jwks: is not a JSON Web Key Set"},
		"empty key set": {
			"plaid", "jwks", `{"keys":[]}`, "settings.jwks: is not a JSON Web Key Set",
		},
		"key set, other kinds": {
			"ebay", "jwks",
			`{"keys":[{"kty":"oct","k":"AA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
			"settings.jwks: is not a JSON Web Key Set",
		},
		"product": {"circle", "product", "mint", `settings.product: "mint" is unknown`},
		"subdomain": {
			"kinde", "subdomain", "a.example/",
			`settings.subdomain: "a.example/" is not the part before .kinde.com`,
		},
		"environment": {
			"plaid", "environment", "development", `settings.environment: "development" is unknown`,
		},
		"eBay's environment": {
			"ebay", "environment", "test", `settings.environment: "test" is unknown`,
		},
		"no audience": {"google-pubsub", "audience", "", "settings.audience: missing"},
	} {
		s := newSubject(t, verify.Config{Provider: c.provider}, "current")
		s.cfg.Settings[c.setting] = c.value
		if _, err := verify.New(s.cfg, nil); !errors.Is(err, verify.ErrConfig) ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %v with %q", name, err, verify.ErrConfig, c.want)
		}
	}
}

func TestVerify_DiscordPings(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "discord"}, "current")
	for body, want := range map[string]*verify.Reply{
		`{"type":1,"id":"1","application_id":"2","token":"t","version":1}`:                          {Status: 200, ContentType: "application/json", Body: `{"type":1}`},
		`{"version":1,"application_id":"2","type":0}`:                                               {Status: 204},
		`{"version":1,"application_id":"2","type":1,"event":{"type":"ENTITLEMENT_CREATE"}}`:         nil,
		`{"type":2,"id":"1","application_id":"2","token":"t","version":1,"data":{"name":"status"}}`: nil,
		`no JSON`: nil,
	} {
		r := request(t, s.verifier, verify.Webhook{Body: []byte(body)}, signedAt)
		got, err := s.verifier.Verify(t.Context(), r)
		if err != nil || got.Handshake != (want != nil) || (want != nil &&
			fmt.Sprint(*got.Reply) != fmt.Sprint(*want)) {
			t.Errorf("%s: got %+v, %v, want %+v", body, got, err, want)
		}
		// Discord also sends wrong signatures, and expects them to be refused.
		if got, err := s.verifier.Verify(
			t.Context(), with(r, "x-signature-timestamp", "1700000001"),
		); !errors.Is(err, verify.ErrMismatch) {
			t.Errorf(
				"%s with another time: got %+v, %v, want %v", body, got, err, verify.ErrMismatch,
			)
		}
	}
}

func TestVerify_FormOfTravis(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "travis-ci"}, "current")
	body := string(s.request.Body)
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"as it is":            {body, nil},
		"other field beside":  {"a=b&" + body, verify.ErrMalformed},
		"field twice":         {body + "&payload=x", verify.ErrRepeated},
		"field twice, hidden": {"%70ayload=x&" + body, verify.ErrRepeated},
		"other field alone":   {"a=b", verify.ErrMissing},
		"field without value": {"payload=", verify.ErrMissing},
		"a raw percent sign":  {"payload=%zz", verify.ErrMismatch},
		"another value":       {body + "x", verify.ErrMismatch},
	} {
		r := s.request
		r.Body = []byte(c.body)
		if err := s.verify(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_TokensThatAreNotTheProviders(t *testing.T) {
	t.Parallel()
	google := newSubject(t, verify.Config{Provider: "google-pubsub"}, "current")
	plaid := newSubject(t, verify.Config{Provider: "plaid"}, "current")
	const header = `{"alg":"RS256","kid":"00000000-0000-4000-8000-000000000000"}`
	claim := func(old, with string) string {
		if !strings.Contains(googleClaims, old) {
			t.Fatal(old)
		}
		return rs256(t, header, strings.Replace(googleClaims, old, with, 1))
	}
	confused := hs256(pemOf(spkiOf(t, "google-pubsub")), googleClaims)
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"as Google makes it": {rs256(t, header, googleClaims), nil},
		"other issuer name": {
			claim("https://accounts.google.com", "accounts.google.com"), nil,
		},
		"list of audiences": {
			claim(
				`"https://relay.example.com/in/google-pubsub"`,
				`["a","https://relay.example.com/in/google-pubsub"]`,
			),
			nil,
		},
		"no signature": {
			webEncoded(
				`{"alg":"none","kid":"00000000-0000-4000-8000-000000000000"}`,
			) + "." + webEncoded(googleClaims) + ".",
			verify.ErrMismatch,
		},
		"HMAC with the public key": {confused, verify.ErrMismatch},
		"another key id": {
			rs256(t, `{"alg":"RS256","kid":"other"}`, googleClaims), verify.ErrMismatch,
		},
		"no key id": {rs256(t, `{"alg":"RS256"}`, googleClaims), verify.ErrMismatch},
		"algorithm in lower case": {
			rs256(t, `{"alg":"rs256","kid":"00000000-0000-4000-8000-000000000000"}`, googleClaims),
			verify.ErrMismatch,
		},
		"another issuer": {
			claim("https://accounts.google.com", "https://accounts.example.com"),
			verify.ErrMismatch,
		},
		"another audience": {claim("/in/google-pubsub", "/in/other"), verify.ErrMismatch},
		"another account":  {claim("relay@", "other@"), verify.ErrMismatch},
		"account not verified": {
			claim(`"email_verified":true`, `"email_verified":false`), verify.ErrMismatch,
		},
		"account not said": {claim(`"email"`, `"e-mail"`), verify.ErrMismatch},
		"ended":            {claim("1700003600", "1699999999"), verify.ErrStale},
		"made long ago, not ended": {
			claim(`"iat":1700000000`, `"iat":1600000000`), verify.ErrStale,
		},
		"made in a while": {claim(`"iat":1700000000`, `"iat":1800000000`), verify.ErrFuture},
		"no time":         {claim(`"iat":1700000000,`, ""), verify.ErrMalformed},
		"time is text":    {claim(`"iat":1700000000`, `"iat":"x"`), verify.ErrMalformed},
		"end is text":     {claim(`"exp":1700003600`, `"exp":"x"`), verify.ErrMalformed},
		"padded":          {rs256(t, header, googleClaims) + "=", verify.ErrMalformed},
		"four parts":      {rs256(t, header, googleClaims) + ".x", verify.ErrMalformed},
		"longer than any": {
			rs256(t, header, `{"x":"`+strings.Repeat("a", 17<<10)+`",`+googleClaims[1:]),
			verify.ErrMalformed,
		},
		"nothing after Bearer": {"", verify.ErrMalformed},
	} {
		r := verify.Request{
			Header: verify.Header{"authorization": "Bearer " + c.token}, ReceivedAt: signedAt,
		}
		if got, err := google.verifier.Verify(t.Context(), r); !errors.Is(err, c.want) ||
			(err == nil && got.Trust != verify.Authenticated) {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"as Plaid makes it": {
			es256(
				t, `{"alg":"ES256","kid":"00000000-0000-4000-8000-000000000000"}`,
				plaidClaims(signedBody),
			),
			nil,
		},
		"of another body": {
			es256(
				t, `{"alg":"ES256","kid":"00000000-0000-4000-8000-000000000000"}`,
				plaidClaims(signedBody+" "),
			),
			verify.ErrMismatch,
		},
		"of no body": {
			es256(
				t, `{"alg":"ES256","kid":"00000000-0000-4000-8000-000000000000"}`,
				`{"iat":1700000000}`,
			),
			verify.ErrMismatch,
		},
		"hash in upper case": {es256(t,
			`{"alg":"ES256","kid":"00000000-0000-4000-8000-000000000000"}`,
			`{"iat":1700000000,"request_body_sha256":"`+strings.ToUpper(
				hex.EncodeToString(sha256Of(signedBody)),
			)+`"}`), verify.ErrMismatch},
	} {
		r := verify.Request{
			Header: verify.Header{"plaid-verification": c.token}, Body: []byte(signedBody),
			ReceivedAt: signedAt,
		}
		if err := plaid.verify(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// If nothing separates the time from the body, digits could move between them.
func TestVerify_DividesTimeAndBodyInOneWay(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "sendgrid"}, "current")
	r := request(t, s.verifier, verify.Webhook{Body: []byte(`[{"event":"open"}]`)}, signedAt)
	moved := with(r, "x-twilio-email-event-webhook-timestamp", signedTime[:9])
	moved.Body = append([]byte(signedTime[9:]), r.Body...)
	if err := s.verify(moved); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("got %v, want %v", err, verify.ErrMalformed)
	}
	if _, err := s.verifier.Sign(verify.Webhook{Body: []byte("1")}, signedAt); !errors.Is(
		err, verify.ErrMalformed,
	) {
		t.Errorf("Sign: got %v, want %v", err, verify.ErrMalformed)
	}
}

func TestVerify_TakesTheOneAlgorithmOfATokensSender(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "monday"}, "current")
	text := webEncoded(`{"alg":"HS512"}`) + "." + webEncoded(`{"iat":1700000000}`)
	mac := hmac.New(sha512.New, []byte(s.secret))
	mac.Write([]byte(text))
	r := verify.Request{
		Header: verify.Header{
			"authorization": text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		},
		ReceivedAt: signedAt,
	}
	if err := s.verify(r); !errors.Is(err, verify.ErrMismatch) {
		t.Errorf("got %v, want %v", err, verify.ErrMismatch)
	}
}

func TestVerify_HeaderOfEBay(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "ebay"}, "current")
	signature := base64Of(ecdsaOver(t, "ebay", sha1Of(signedBody)))
	write := func(alg, kid, signature, digest string) string {
		text, err := json.Marshal(map[string]string{
			"alg": alg, "kid": kid, "signature": signature, "digest": digest,
		})
		must(t, err)
		return base64Of(text)
	}
	for name, c := range map[string]struct {
		value string
		want  error
	}{
		"good": {
			write("ecdsa", "00000000-0000-4000-8000-000000000000", signature, "SHA1"), nil,
		},
		"in upper case": {
			write("ECDSA", "00000000-0000-4000-8000-000000000000", signature, "SHA1"), nil,
		},
		"another key": {write("ecdsa", "other", signature, "SHA1"), verify.ErrMismatch},
		"another body's": {
			write(
				"ecdsa", "00000000-0000-4000-8000-000000000000",
				base64Of(ecdsaOver(t, "ebay", sha1Of("x"))), "SHA1",
			),
			verify.ErrMismatch,
		},
		"DER with more": {
			write(
				"ecdsa", "00000000-0000-4000-8000-000000000000",
				base64Of(append(ecdsaOver(t, "ebay", sha1Of(signedBody)), 0)), "SHA1",
			),
			verify.ErrMismatch,
		},
		"no key": {write("ecdsa", "", signature, "SHA1"), verify.ErrMalformed},
		"another algorithm": {
			write("rsa", "00000000-0000-4000-8000-000000000000", signature, "SHA1"),
			verify.ErrMalformed,
		},
		"another digest": {
			write("ecdsa", "00000000-0000-4000-8000-000000000000", signature, "SHA256"),
			verify.ErrMalformed,
		},
		"signature no bytes": {
			write("ecdsa", "00000000-0000-4000-8000-000000000000", "!", "SHA1"),
			verify.ErrMalformed,
		},
		"member twice": {
			base64Of([]byte(
				`{"alg":"ecdsa","kid":"00000000-0000-4000-8000-000000000000","KID":"x","digest":"SHA1","signature":"` + signature + `"}`,
			)),
			verify.ErrMalformed,
		},
		"no JSON":   {base64Of([]byte("x")), verify.ErrMalformed},
		"no base64": {"!", verify.ErrMalformed},
		"nothing":   {"", verify.ErrMissing},
	} {
		r := verify.Request{
			Header: verify.Header{"x-ebay-signature": c.value}, Body: []byte(signedBody),
		}
		if _, err := s.verifier.Verify(context.Background(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestSign_NeedsThePrivateHalf(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{
		"circle", "discord", "ebay", "google-pubsub", "kinde", "paypal", "plaid", "sns", "wise",
		"wix",
	} {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		var secrets []string
		if s.secret != "" {
			secrets = []string{s.secret}
		}
		if _, err := newVerifier(t, s.cfg, secrets...).Sign(s.webhook, signedAt); err == nil ||
			!strings.Contains(err.Error(), "SignWith") {
			t.Errorf("%s: got %v, want an error about SignWith", provider, err)
		}
	}
}
