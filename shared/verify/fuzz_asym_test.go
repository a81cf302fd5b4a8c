package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// signedWithKeys tell, with the standard library only, whether a header's claim is true.
var signedWithKeys = []struct {
	provider, header, timestamp string
	signed                      func(t testing.TB, signature, timestamp string, body []byte) bool
}{
	{"discord", "x-signature-ed25519", "x-signature-timestamp", func(
		t testing.TB, signature, timestamp string, body []byte,
	) bool {
		raw, err := hex.DecodeString(signature)
		return err == nil && ed25519.Verify(
			private(t, "discord", "current").Public().(ed25519.PublicKey),
			append([]byte(timestamp), body...), raw,
		)
	}},
	{"sendgrid", "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp",
		func(t testing.TB, signature, timestamp string, body []byte) bool {
			raw, err := base64.StdEncoding.DecodeString(signature)
			return err == nil && isECDSA(t, "sendgrid", sha256Of(timestamp+string(body)), raw)
		}},
	{"ebay", "x-ebay-signature", "", func(t testing.TB, signature, _ string, body []byte) bool {
		text, err := base64.StdEncoding.DecodeString(signature)
		var s struct{ Signature []byte }
		return err == nil && json.Unmarshal(text, &s) == nil &&
			isECDSA(t, "ebay", sha1Of(string(body)), s.Signature)
	}},
	{"wise", "x-signature-sha256", "", func(t testing.TB, signature, _ string, body []byte) bool {
		raw, err := base64.StdEncoding.DecodeString(signature)
		key := private(t, "wise", "current").Public().(*rsa.PublicKey)
		return err == nil &&
			rsa.VerifyPKCS1v15(key, crypto.SHA256, sha256Of(string(body)), raw) == nil
	}},
	{"plaid", "plaid-verification", "", func(t testing.TB, token, _ string, body []byte) bool {
		parts := strings.Split(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[len(parts)-1])
		if err != nil || len(parts) != 3 || len(raw) != 64 {
			return false
		}
		claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
		key := private(t, "plaid", "current").Public().(*ecdsa.PublicKey)
		return ecdsa.Verify(
			key, sha256Of(parts[0]+"."+parts[1]), new(big.Int).SetBytes(raw[:32]),
			new(big.Int).SetBytes(raw[32:]),
		) &&
			strings.Contains(string(claims), hex.EncodeToString(sha256Of(string(body))))
	}},
}

func isECDSA(t testing.TB, provider string, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(
		private(t, provider, "current").Public().(*ecdsa.PublicKey), digest, signature,
	)
}

// FuzzPublicKeys checks that nothing panics, and that what verifies was signed with the private
// key.
func FuzzPublicKeys(f *testing.F) {
	subjects := make([]subject, len(signedWithKeys))
	for i, o := range signedWithKeys {
		subjects[i] = newSubject(f, verify.Config{Provider: o.provider}, "current")
		r := subjects[i].request
		good := r.Header[o.header]
		for _, signature := range []string{
			good, "", good + "=", strings.ToUpper(good), "MAA=",
			base64Of([]byte("0\x06\x02\x01\x00\x02\x01\x00")), "e30=", "e30.e30.",
		} {
			f.Add(uint8(i), signature, signedTime, r.Body)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, signature, timestamp string, body []byte) {
		i := int(which) % len(subjects)
		o := signedWithKeys[i]
		h := verify.Header{o.header: signature}
		if o.timestamp != "" {
			h[o.timestamp] = timestamp
		}
		if _, err := subjects[i].verifier.Verify(
			t.Context(), verify.Request{Header: h, Body: body, ReceivedAt: signedAt},
		); err == nil && !o.signed(t, signature, timestamp, body) {
			t.Errorf("%s accepts what was not signed: %q %q", o.provider, h, body)
		}
	})
}

// FuzzToken checks that only signed tokens pass.
func FuzzToken(f *testing.F) {
	s := newSubject(f, verify.Config{Provider: "google-pubsub"}, "current")
	good := strings.TrimPrefix(s.request.Header["authorization"], "Bearer ")
	const header = `{"alg":"RS256","kid":"00000000-0000-4000-8000-000000000000"}`
	for _, token := range []string{
		good, rs256(
			f, header, googleClaims,
		), rs256(
			f, header, `{"iat":1e400}`,
		), rs256(f, header, `[]`), rs256(f, header, "null"), rs256(f, `null`, `{}`),
		good + ".", "..", webEncoded(`{"alg":"none"}`) + "." + webEncoded(googleClaims) +
			".", strings.Repeat(".", 1000),
	} {
		f.Add(token)
	}
	key := private(f, "google-pubsub", "current").Public().(*rsa.PublicKey)
	f.Fuzz(func(t *testing.T, token string) {
		r := verify.Request{
			Header: verify.Header{"authorization": "Bearer " + token}, ReceivedAt: signedAt,
		}
		if err := s.verify(r); err != nil {
			return
		}
		end := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
		if err != nil ||
			rsa.VerifyPKCS1v15(key, crypto.SHA256, sha256Of(token[:end]), signature) != nil {
			t.Errorf("accepts what was not signed: %q", token)
		}
	})
}

// FuzzSNS checks every message that verifies: a library that uses the last of two equal members,
// and distinguishes their case, must read the signed values.
func FuzzSNS(f *testing.F) {
	s := newSubject(f, verify.Config{Provider: "sns"}, "current")
	good := string(snsRequest(f, snsMembers()).Body)
	for _, body := range []string{
		good, "", "[]", `{"Signature":1}`, `{"Signature":"","Signature":"AA=="}`,
		`{"Message":"x",` + good[1:], good[:len(good)-1] + `,"message":"x"}`, good + "x",
		strings.Repeat("[", 1000), `{"a":` + strings.Repeat(`{"a":`, 100), string(
			snsRequest(f, without(snsMembers(), "Subject")).Body,
		),
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := verify.Request{Header: verify.Header{}, Body: body, ReceivedAt: signedAt}
		if err := s.verify(r); err != nil {
			return
		}
		var read map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // of any size
		must(t, d.Decode(&read))
		members := map[string]string{}
		for name, value := range read {
			if text, ok := value.(string); ok {
				members[name] = text
			}
		}
		var want map[string]string
		must(t, json.Unmarshal(snsRequest(t, members).Body, &want))
		if want["Signature"] != members["Signature"] {
			t.Errorf("accepted, and read elsewhere as what was not signed: %q", body)
		}
	})
}

// FuzzCertificate serves any bytes as the certificate or as its issuer's. Nothing may panic, and
// only a certificate of the authority may be accepted.
func FuzzCertificate(f *testing.F) {
	f.Add([]byte(
		newSubject(f, verify.Config{Provider: "sns"}, "current").cfg.Settings["certificate"],
	))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("<html>"))
	roots := x509.NewCertPool()
	r := snsRequest(f, snsMembers())
	cfg := newSubject(f, verify.Config{Provider: "sns"}, "current").cfg
	delete(cfg.Settings, "certificate")
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := verify.New(
			cfg, nil, verify.TrustRoots(roots),
			verify.FetchBy(newFetches(map[string]string{
				snsMembers()["SigningCertURL"]: string(file),
			})),
		)
		must(t, err)
		if _, err := v.Verify(t.Context(), r); !errors.Is(err, verify.ErrFetch) {
			t.Errorf("got %v, want %v", err, verify.ErrFetch)
		}
	})
}

// FuzzFetchedKeys serves any bytes as a provider's keys. Nothing may panic, and no signature of
// another key may pass.
func FuzzFetchedKeys(f *testing.F) {
	const googleURL, tokenURL = "https://www.googleapis.com/oauth2/v3/certs", "https://api.ebay.com/identity/v1/oauth2/token"
	urls := map[string]string{
		"google-pubsub": googleURL,
		"plaid":         "https://production.plaid.com/webhook_verification_key/get",
		"ebay":          "https://api.ebay.com/commerce/notification/v1/public_key/example",
	}
	providers := slices.Sorted(maps.Keys(urls))
	for i, provider := range providers {
		set := newSubject(f, verify.Config{Provider: provider}, "current").cfg.Settings["jwks"]
		for _, text := range []string{
			set, `{"key":` + set + `}`, `{"key":"` + spkiOf(f, provider) + `"}`, `{"keys":[{}]}`,
			"null", "",
		} {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		provider := providers[int(which)%len(providers)]
		other := newSubject(t, verify.Config{Provider: provider}, "old")
		delete(other.cfg.Settings, "jwks")
		v, err := verify.New(
			other.cfg, nil,
			verify.FetchBy(newFetches(map[string]string{
				tokenURL: `{"access_token":"t"}`, urls[provider]: text,
			})),
		)
		must(t, err)
		if _, err := v.Verify(t.Context(), other.request); !errors.Is(err, verify.ErrFetch) &&
			!errors.Is(err, verify.ErrMismatch) {
			t.Errorf(
				"%s: got %v, want %v or %v", provider, err, verify.ErrFetch, verify.ErrMismatch,
			)
		}
	})
}
