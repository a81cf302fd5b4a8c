package verify_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// TestVerify_PeersProviders signs as the vendors' pages and packages say, without Sign. The table
// names their sources.
func TestVerify_PeersProviders(t *testing.T) {
	t.Parallel()
	const key, ts, ms = "peers-secret", "1700000000", "1700000000000"
	upper := strings.ToUpper
	hex256 := func(text string) string { return hexHMAC(key, text) }
	b64 := func(text string) string { return base64Of(mac(sha256.New, key, text)) }
	hex512 := func(text string) string { return hex.EncodeToString(mac(sha512.New, key, text)) }
	sum := func(text string) string {
		digest := sha256.Sum256([]byte(text))
		return hex.EncodeToString(digest[:])
	}
	const body = `{"id":"1","type":"a"}`
	for provider, c := range map[string]struct {
		settings map[string]string
		url      string
		body     string // "": the one above
		header   verify.Header
	}{
		"affirm": {
			header: verify.Header{"x-affirm-signature": "t=" + ts + ",v0=" + hex512(ts+"."+body)},
		},
		"aiprise": {header: verify.Header{"x-hmac-signature": hex256(body)}},
		"akeneo": {
			header: verify.Header{
				"x-akeneo-request-timestamp": ts,
				"x-akeneo-request-signature": hex256(ts + "." + body),
			},
		},
		"bridge-api": {
			header: verify.Header{
				"bridgeapi-signature": "v1=" + upper(hexHMAC("old", body)) + ",v1=" +
					upper(hex256(body)),
			},
		},
		"clio":        {header: verify.Header{"x-hook-signature": hex256(body)}},
		"cloudsignal": {body: `{"apikey":"` + key + `","type":"ItemShipped"}`},
		"coinbase": {
			header: verify.Header{"x-hook0-signature": "t=" + ts + ",v0=" + hex256(ts+"."+body)},
		},
		"commercelayer": {header: verify.Header{"x-commercelayer-signature": b64(body)}},
		"courier": {
			header: verify.Header{
				"courier-signature": "t=" + ms + ",signature=" + hex256(ms+"."+body),
			},
		},
		"cronofy": {
			header: verify.Header{
				"cronofy-hmac-sha256": base64Of(mac(sha256.New, "old", body)) + "," + b64(body),
			},
		},
		"cursor": {header: verify.Header{"x-webhook-signature": "sha256=" + hex256(body)}},
		"ethoca": {
			header: verify.Header{"authorization": "Basic " + base64Of([]byte("user:"+key))},
		},
		"exact-online": {body: `{"Content":` + body + `,"HashCode":"` + upper(hex256(body)) + `"}`},
		"favro": {url: "https://relay.example.com/in/favro", body: `{"payloadId":"p=="}`,
			header: verify.Header{
				"x-favro-webhook": base64Of(mac(
					sha1.New, key, "p==https://relay.example.com/in/favro",
				)),
			}},
		"flexport": {
			header: verify.Header{"x-hub-signature-256": "sha256=" + hex256(body)},
		},
		"framer": {
			header: verify.Header{
				"framer-webhook-submission-id": "s-1",
				"framer-signature":             "sha256=" + hex256(body+"s-1"),
			},
		},
		"fusionauth": {
			header: verify.Header{
				"x-fusionauth-signature-jwt": hs256(
					key, fmt.Sprintf(`{"request_body_sha256":%q}`, base64Sum(body)),
				),
			},
		},
		"meraki": {body: `{"sharedSecret":"` + key + `","alertTypeId":"motion_alert"}`},
		"nmi": {
			header: verify.Header{"webhook-signature": "t=n0nce-1,s=" + hex256("n0nce-1."+body)},
		},
		"nuvemshop": {header: verify.Header{"x-linkedstore-hmac-sha256": hex256(body)}},
		"oura": {
			settings: map[string]string{"verification_token": "v"},
			header: verify.Header{
				"x-oura-timestamp": ts, "x-oura-signature": upper(hex256(ts + body)),
			},
		},
		"picqer": {header: verify.Header{"x-picqer-signature": b64(body)}},
		"pylon": {
			header: verify.Header{
				"pylon-webhook-timestamp": ts,
				"pylon-webhook-signature": "hs256=" + hex256(ts+"."+body),
			},
		},
		"recharge": {header: verify.Header{"x-recharge-hmac-sha256": sum(key + body)}},
		"shopline": {header: verify.Header{"x-shopline-hmac-sha256": b64(body)}},
		"smile":    {header: verify.Header{"smile-signature": hex512(body)}},
		"solidgate": {
			settings: map[string]string{"public_key": "wh_pk_1"},
			header: verify.Header{
				"signature": base64Of([]byte(hex512("wh_pk_1" + body + "wh_pk_1"))),
			},
		},
		"synctera": {
			header: verify.Header{
				"request-timestamp":  ts,
				"synctera-signature": hexHMAC("old", ts+"."+body) + "." + hex256(ts+"."+body),
			},
		},
		"tebex": {header: verify.Header{"x-signature": hex256(sum(body))}},
		"tiktok-shop": {
			settings: map[string]string{"app_key": "k1"},
			header:   verify.Header{"authorization": hex256("k1" + body)},
		},
		"vercel-log-drains": {
			settings: map[string]string{"verify": "v"},
			header: verify.Header{
				"x-vercel-signature": hex.EncodeToString(mac(sha1.New, key, body)),
			},
		},
		"zero-hash": {
			header: verify.Header{
				"x-zh-hook-timestamp": ms, "x-zh-hook-signature": hex256(body + ms),
			},
		},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			secret, sent := key, body
			if provider == "ethoca" {
				secret = "user:" + key
			}
			if c.body != "" {
				sent = c.body
			}
			cfg := verify.Config{Provider: provider, Settings: c.settings, URL: c.url}
			h := c.header
			if h == nil {
				h = verify.Header{}
			}
			if err := accepts(
				t, cfg, []string{secret}, verify.Request{Header: h, Body: []byte(sent)},
			); err != nil {
				t.Errorf("refused: %v", err)
			}
			if err := accepts(
				t, cfg, []string{secret + "x"}, verify.Request{Header: h, Body: []byte(sent)},
			); !errors.Is(err, verify.ErrMismatch) {
				t.Errorf("with another secret: %v", err)
			}
		})
	}
}

func base64Sum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Coinbase's page: v1 also covers headers, as {timestamp}.{names}.{values}.{body}.
func TestVerify_CoinbaseSignsHeaders(t *testing.T) {
	t.Parallel()
	const key, ts, body = "coinbase-secret", "1700000000", `{"id":"1"}`
	const names = "content-type x-event-id"
	v1 := hexHMAC(key, ts+"."+names+".application/json.e-1."+body)
	v0 := hexHMAC(key, ts+"."+body)
	signed := "t=" + ts + ",h=" + names + ",v1=" + v1
	for name, c := range map[string]struct {
		signature, contentType, body string
		want                         error
	}{
		"v1": {signed, "application/json", body, nil},
		"v0 beside it": {
			"t=" + ts + ",v0=" + v0 + ",h=" + names + ",v1=" + v1, "application/json", body, nil,
		},
		"v0":               {"t=" + ts + ",v0=" + v0, "", body, nil},
		"another header":   {signed, "text/plain", body, verify.ErrMismatch},
		"a header missing": {signed, "", body, verify.ErrMissing},
		"v1 without names": {
			"t=" + ts + ",v1=" + v1, "application/json", body, verify.ErrMalformed,
		},
		"neither": {"t=" + ts, "", body, verify.ErrMalformed},
		"no time": {"v0=" + v0, "", body, verify.ErrMalformed},
		"a dot moved to a value": {
			"t=" + ts + ",h=" + names + ",v1=" + hexHMAC(key, ts+"."+names+".a.b.e-1."+body), "a.b",
			body, verify.ErrMalformed,
		},
		"another body": {signed, "application/json", body + " ", verify.ErrMismatch},
		"v0 changed beside v1": {
			"t=" + ts + ",v0=" + v0[1:] + "0,h=" + names + ",v1=" + v1, "application/json", body,
			nil,
		},
	} {
		h := verify.Header{"x-hook0-signature": c.signature, "x-event-id": "e-1"}
		if c.contentType != "" {
			h["content-type"] = c.contentType
		}
		err := accepts(
			t, verify.Config{Provider: "coinbase"}, []string{key},
			verify.Request{Header: h, Body: []byte(c.body)},
		)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// Bytes must not move across a seam without a separator.
func TestVerify_NothingMovesOverASeam(t *testing.T) {
	t.Parallel()
	const key, ts, body = "seam-secret", "1700000000", `{"a":{"b":1}}`
	for name, c := range map[string]struct {
		provider string
		header   verify.Header
		body     string
	}{
		"framer, body to id": {
			"framer",
			verify.Header{
				"framer-webhook-submission-id": "}s-1",
				"framer-signature":             "sha256=" + hexHMAC(key, body+"s-1"),
			},
			body[:len(body)-1],
		},
		"framer, id to body": {
			"framer",
			verify.Header{
				"framer-webhook-submission-id": "-1",
				"framer-signature":             "sha256=" + hexHMAC(key, body+"s-1"),
			},
			body + "s",
		},
		"oura, body to time": {
			"oura",
			verify.Header{
				"x-oura-timestamp": ts + `{"a":`, "x-oura-signature": hexHMAC(key, ts+body),
			},
			body[len(`{"a":`):],
		},
		"zero-hash, time to body": {
			"zero-hash",
			verify.Header{
				"x-zh-hook-timestamp": ts, "x-zh-hook-signature": hexHMAC(key, body+"1"+ts),
			},
			body + "1",
		},
		"exact-online, trailing": {
			"exact-online", nil,
			`{"Content":` + body + `,"HashCode":"` + strings.ToUpper(hexHMAC(key, body)) +
				`","x":"1"}`,
		},
		"exact-online, leading": {
			"exact-online", nil,
			`{"x":1,"Content":` + body + `,"HashCode":"` + strings.ToUpper(hexHMAC(key, body)) +
				`"}`,
		},
		"nmi, body to nonce": {
			"nmi", verify.Header{"webhook-signature": "t=n.{,s=" + hexHMAC(key, "n.{.1")}, "1",
		},
	} {
		cfg := verify.Config{Provider: c.provider}
		if c.provider == "oura" {
			cfg.Settings = map[string]string{"verification_token": "v"}
		}
		h := c.header
		if h == nil {
			h = verify.Header{}
		}
		if err := accepts(
			t, cfg, []string{key}, verify.Request{Header: h, Body: []byte(c.body)},
		); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestHandshakes_OfPeersProviders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider string
		settings map[string]string
		request  verify.Request
		body     string
		header   string
		err      error
	}{
		"Oura": {"oura", map[string]string{"verification_token": "t"},
			verify.Request{
				Method: "GET", Query: "verification_token=t&challenge=c1",
			}, `{"challenge":"c1"}`, "", nil},
		"Oura, another token": {"oura", map[string]string{"verification_token": "t"},
			verify.Request{
				Method: "GET", Query: "verification_token=u&challenge=c1",
			}, "", "", verify.ErrMismatch},
		"Strava": {"strava", map[string]string{"verify_token": "t"},
			verify.Request{
				Method: "GET", Query: "hub.mode=subscribe&hub.verify_token=t&hub.challenge=c1",
			}, `{"hub.challenge":"c1"}`, "", nil},
		"Strava, another token": {"strava", map[string]string{"verify_token": "t"},
			verify.Request{
				Method: "GET", Query: "hub.mode=subscribe&hub.verify_token=u&hub.challenge=c1",
			}, "", "", verify.ErrMismatch},
		"Vercel": {
			"vercel-log-drains", map[string]string{"verify": "v1"},
			verify.Request{Method: "POST", Body: []byte("[]")}, "", "v1", nil,
		},
		"Clio": {
			"clio", nil,
			verify.Request{
				Method: "POST", Header: verify.Header{"x-hook-secret": "0123456789abcdef"},
			},
			"", "", nil,
		},
	} {
		var secrets []string
		if c.provider != "strava" && c.provider != "clio" {
			secrets = []string{"secret"}
		}
		v := newVerifier(t, verify.Config{Provider: c.provider, Settings: c.settings}, secrets...)
		c.request.ReceivedAt = time.Unix(1_700_000_000, 0)
		got, err := v.Verify(t.Context(), c.request)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if !got.Handshake || got.Reply.Body != c.body || c.header != "" &&
			got.Reply.Header["x-vercel-verify"] != c.header {
			t.Errorf("%s: %+v, %+v", name, got, got.Reply)
		}
	}
	s := newSubject(t, verify.Config{Provider: "tebex"}, "current")
	r := request(
		t, s.verifier, verify.Webhook{Body: []byte(`{"id":"v-1","type":"validation.webhook"}`)},
		signedAt,
	)
	got, err := s.verifier.Verify(t.Context(), r)
	if err != nil || !got.Handshake || got.Reply.Body != `{"id":"v-1"}` {
		t.Errorf("Tebex: %+v, %v", got, err)
	}
}
