package verify_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// FuzzVerify_CutsInOnePlace checks schemes with nothing between body and time. A signature must fit
// at most one division into the two.
func FuzzVerify_CutsInOnePlace(f *testing.F) {
	const key = "key"
	cloudinary := newVerifier(
		f,
		verify.Config{Provider: "cloudinary", Settings: map[string]string{"algorithm": "sha256"}},
		key,
	)
	ghost := newVerifier(f, verify.Config{Provider: "ghost"}, key)
	cashfree := newVerifier(f, verify.Config{Provider: "cashfree"}, key)
	for _, text := range []string{
		`{"a":1}1700000000`, "1700000000", "11700000000", `{"a":1}1700000000000`, "91700000000000",
		"1700000000000{}", "17000000000000", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum := sha256.Sum256([]byte(text + key))
		plain, sum64, sumHex := hex.EncodeToString(sum[:]), base64HMAC(key, text),
			hexHMAC(key, text)
		accepted := map[string]int{}
		for i := range len(text) + 1 {
			first, second := text[:i], text[i:]
			for name, c := range map[string]struct {
				v      *verify.Verifier
				body   string
				header verify.Header
			}{
				"cloudinary": {
					cloudinary, first,
					verify.Header{"x-cld-signature": plain, "x-cld-timestamp": second},
				},
				"ghost": {
					ghost, first,
					verify.Header{"x-ghost-signature": "sha256=" + sumHex + ", t=" + second},
				},
				"cashfree": {
					cashfree, second,
					verify.Header{"x-webhook-signature": sum64, "x-webhook-timestamp": first},
				},
			} {
				r := verify.Request{Header: c.header, Body: []byte(c.body), ReceivedAt: signedAt}
				if _, err := c.v.Verify(context.Background(), r); err == nil {
					accepted[name]++
				}
			}
		}
		for name, n := range accepted {
			if n > 1 {
				t.Errorf("%s: %q is accepted as %d different webhooks", name, text, n)
			}
		}
	})
}

// FuzzVerify_CutsTheQueryInOnePlace checks schemes with nothing between the URL and the body or the
// form's fields. A signature must fit at most one division into the two.
func FuzzVerify_CutsTheQueryInOnePlace(f *testing.F) {
	const key, base = "key", "https://relay.example.com/in/x"
	for _, text := range []string{
		`?src=sq{"a":1}`, `{"a":1}`, "?src=sqa=1", "??src=sq{}",
		`?src=sq{"merchant_id":"a","data":{"type":"evil"}}`, "?src=sq", "",
	} {
		f.Add(text)
	}
	verifiers := map[string][]*verify.Verifier{}
	for _, cfg := range []verify.Config{{Provider: "square"}, {Provider: "hubspot"},
		{Provider: "mandrill"}, {Provider: "twilio"},
		{Provider: "hmac", HMAC: &verify.HMAC{Header: "x-sig", Payload: "{url}{body}"}}} {
		for _, query := range []string{"", "?src=sq"} {
			cfg.URL = base + query
			verifiers[cfg.Provider] = append(verifiers[cfg.Provider], newVerifier(f, cfg, key))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		millis := strconv.FormatInt(signedAt.UnixMilli(), 10)
		sha1Sum := base64.StdEncoding.EncodeToString(mac(sha1.New, key, base+text))
		h := verify.Header{
			"x-square-hmacsha256-signature": base64HMAC(key, base+text), "x-sig": hexHMAC(key, base+
				text),
			"x-hubspot-signature-v3": base64HMAC(
				key, "POST"+base+text+millis,
			), "x-hubspot-request-timestamp": millis,
			"x-mandrill-signature": sha1Sum, "x-twilio-signature": sha1Sum,
		}
		accepted := map[*verify.Verifier]int{}
		for i := range len(text) + 1 {
			query, ok := strings.CutPrefix(text[:i], "?")
			if !ok && i > 0 {
				break // no query begins so
			}
			for provider, both := range verifiers {
				body := text[i:]
				if provider == "twilio" || provider == "mandrill" {
					body = url.QueryEscape(body) // a field without a value
				}
				for _, v := range both {
					if _, err := v.Verify(
						context.Background(),
						verify.Request{
							Query: query, Header: h, Body: []byte(body), ReceivedAt: signedAt,
						},
					); err == nil {
						accepted[v]++
					}
				}
			}
		}
		for provider, both := range verifiers {
			for i, v := range both {
				if accepted[v] > 1 {
					t.Errorf(
						"%s %d: %q is accepted as %d different webhooks", provider, i, text,
						accepted[v],
					)
				}
			}
		}
	})
}

// FuzzVerify_Contentful checks that an accepted request lists its time and its list, each once, as
// signed.
func FuzzVerify_Contentful(f *testing.F) {
	const key, signed, timestamp = "key", "x-contentful-signed-headers", "x-contentful-timestamp"
	v := newVerifier(
		f, verify.Config{Provider: "contentful", URL: "https://relay.example.com/in/cms"}, key,
	)
	for _, list := range []string{
		signed + "," + timestamp, timestamp + "," + signed, signed + "," + signed + "," + timestamp,
		signed, ",", "",
	} {
		f.Add(list, "1700000000000", "a", []byte("{}"))
		f.Add(list+",x-contentful-topic", "1700000000000", "a,a", []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, list, at, topic string, body []byte) {
		h := verify.Header{signed: list, timestamp: at, "x-contentful-topic": topic}
		names := strings.Split(list, ",")
		slices.Sort(names)
		lines := make([]string, len(names))
		for i, name := range names {
			lines[i] = name + ":" + strings.TrimSpace(h[name])
		}
		h["x-contentful-signature"] = hexHMAC(
			key, "POST\n/in/cms\n"+strings.Join(lines, ";")+"\n"+string(body),
		)
		_, err := v.Verify(
			context.Background(), verify.Request{Header: h, Body: body, ReceivedAt: signedAt},
		)
		whole := slices.Contains(names, signed) && slices.Contains(names, timestamp) &&
			len(slices.Compact(slices.Clone(names))) == len(names)
		if err == nil && !whole {
			t.Errorf("accepted with the list %q", list)
		}
		itself := slices.Contains(names, "x-contentful-signature") // above, it was not there yet
		if err != nil && whole && !itself && at == "1700000000000" && topic == "a" {
			t.Errorf("refused with the list %q: %v", list, err)
		}
	})
}
