package verify_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

const (
	bodyKey    = "the secret's own bytes"
	bodyHexKey = "74686520736563726574277320206f776e206279746573"
)

// adyenBody returns a notification with the given items. Each is signed with bodyHexKey unless it
// has a signature.
func adyenBody(items ...string) string {
	for i, item := range items {
		items[i] = `{"NotificationRequestItem":` + item + `}`
	}
	return `{"live":"false","notificationItems":[` + strings.Join(items, ",") + `]}`
}

// adyenItem returns an item of eight fields, followed by a signature over the text.
func adyenItem(text, more string, fields ...string) string {
	key, _ := hex.DecodeString(bodyHexKey)
	names := []string{`"pspReference":"`, `"originalReference":"`, `"merchantAccountCode":"`,
		`"merchantReference":"`, `"amount":{"value":`,
		`"currency":"`,
		`"eventCode":"`, `"success":"`}
	ends := []string{`",`, `",`, `",`, `",`, `,`, `"},`, `",`, `",`}
	item := "{" + more
	for i, f := range fields {
		item += names[i] + f + ends[i]
	}
	return item + `"additionalData":{"hmacSignature":"` + base64HMAC(string(key), text) + `"}}`
}

func TestVerify_AdyenSignsEachItem(t *testing.T) {
	t.Parallel()
	fields := func() []string {
		return []string{"P1", "O1", "Shop", "order-1", "1130", "EUR", "AUTHORISATION", "true"}
	}
	signed := strings.Join(fields(), ":")
	item := func(more string) string { return adyenItem(signed, more, fields()...) }
	changed := func(i int, value string) string {
		f := fields()
		f[i] = value
		return adyenItem(signed, "", f...)
	}
	colons := []string{"P1", "O1", "Shop", "a:b:c", "1130", "EUR", "AUTHORISATION", "true"}
	shifted := []string{"P1", "O1:Shop", "a", "b:c", "1130", "EUR", "AUTHORISATION", "true"}
	cases := map[string]struct {
		body string
		want error
	}{
		"one item":           {adyenBody(item("")), nil},
		"two items":          {adyenBody(item(""), item("")), nil},
		"what is not signed": {adyenBody(item(`"reason":"anything",`)), nil},
		"a reference with colons": {
			adyenBody(adyenItem(strings.Join(colons, ":"), "", colons...)), nil,
		},
		"the same text, divided otherwise": {
			adyenBody(adyenItem(strings.Join(colons, ":"), "", shifted...)), verify.ErrMalformed,
		},
		"second item forged": {adyenBody(item(""), changed(4, "1")), verify.ErrMismatch},
		"second item unsigned": {
			adyenBody(item(""), `{"pspReference":"P1"}`), verify.ErrMissing,
		},
		"list twice": {
			`{"notificationItems":[{"NotificationRequestItem":` + changed(4, "1") + `}],` +
				adyenBody(item(""))[1:],
			verify.ErrMalformed,
		},
		"metadata of close names": {
			strings.Replace(
				adyenBody(item("")), `"additionalData":{`,
				`"additionalData":{"metadata.orderId":"1","metadata.OrderId":"2",`, 1,
			),
			nil,
		},
		"signature twice": {
			strings.Replace(
				adyenBody(item("")), `"additionalData":{`, `"additionalData":{"HmacSignature":"x",`,
				1,
			),
			verify.ErrMalformed,
		},
		"additional data twice": {
			strings.Replace(
				adyenBody(item("")), `"additionalData":{`, `"ADDITIONALDATA":{},"additionalData":{`,
				1,
			),
			verify.ErrMalformed,
		},
		"list twice, in another case": {
			`{"NOTIFICATIONITEMS":[],` + adyenBody(item(""))[1:], verify.ErrMalformed,
		},
		"list twice, in another letter": {
			adyenBody(item(""))[:len(adyenBody(item("")))-1] + `,"notificationItemſ":[]}`,
			verify.ErrMalformed,
		},
		"field twice":             {adyenBody(item(`"pspReference":"P2",`)), verify.ErrMalformed},
		"no items":                {adyenBody(), verify.ErrMalformed},
		"no list":                 {`{"notificationItems":{}}`, verify.ErrMalformed},
		"element that is no item": {`{"notificationItems":[{}]}`, verify.ErrMalformed},
		"something else":          {`{"type":"x"}`, verify.ErrMissing},
		"nothing":                 {"", verify.ErrMissing},
		"no JSON":                 {"notificationItems=1", verify.ErrMalformed},
		"text after it":           {adyenBody(item("")) + "{}", verify.ErrMalformed},
		"deep": {
			strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), verify.ErrMissing,
		},
		"signature no base64": {
			strings.Replace(adyenBody(item("")), `hmacSignature":"`, `hmacSignature":"!`, 1),
			verify.ErrMalformed,
		},
	}
	for i, name := range []string{
		"pspReference", "originalReference", "account", "reference", "value", "currency",
		"eventCode", "success",
	} {
		value := "x"
		if name == "value" {
			value = "1131"
		}
		cases["another "+name] = struct {
			body string
			want error
		}{adyenBody(changed(i, value)), verify.ErrMismatch}
	}
	v := newVerifier(t, verify.Config{Provider: "adyen"}, bodyHexKey)
	for name, c := range cases {
		got, err := v.Verify(context.Background(), verify.Request{Body: []byte(c.body)})
		if !errors.Is(err, c.want) || (err == nil && got.Trust != verify.Authenticated) {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestVerify_TokensInBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider, body string
		want           error
	}{
		"Graph, every element": {
			"microsoft-graph", `{"value":[{"clientState":"aa"},{"clientState":"bb"}]}`, nil,
		},
		"Graph, second without": {
			"microsoft-graph", `{"value":[{"clientState":"aa"},{}]}`, verify.ErrMissing,
		},
		"Graph, second wrong": {
			"microsoft-graph", `{"value":[{"clientState":"aa"},{"clientState":"cc"}]}`,
			verify.ErrMismatch,
		},
		"Graph, element that is a text": {
			"microsoft-graph", `{"value":[{"clientState":"aa"},"b"]}`, verify.ErrMalformed,
		},
		"Graph, no elements": {"microsoft-graph", `{"value":[]}`, verify.ErrMissing},
		"Graph, at another place": {
			"microsoft-graph", `{"clientState":"aa","value":{}}`, verify.ErrMissing,
		},
		"Graph, list twice": {
			"microsoft-graph", `{"value":[{"clientState":"cc"}],"Value":[{"clientState":"aa"}]}`,
			verify.ErrMalformed,
		},
		"Figma":                           {"figma", `{"passcode":"bb","other":[1,2]}`, nil},
		"Figma, another":                  {"figma", `{"passcode":"cc"}`, verify.ErrMismatch},
		"Figma, empty":                    {"figma", `{"passcode":""}`, verify.ErrMissing},
		"Figma, nothing":                  {"figma", ``, verify.ErrMissing},
		"Figma, no text":                  {"figma", `{"passcode":["aa"]}`, verify.ErrMissing},
		"Prismic, list instead of object": {"prismic", `[{"secret":"aa"}]`, verify.ErrMalformed},
	} {
		v := newVerifier(t, verify.Config{Provider: c.provider}, "aa", "bb")
		if _, err := v.Verify(
			context.Background(), verify.Request{Body: []byte(c.body)},
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_Mailgun(t *testing.T) {
	t.Parallel()
	body := func(timestamp, token, signature string) string {
		return `{"signature":{"timestamp":"` + timestamp + `","token":"` + token +
			`","signature":"` + signature + `"},"event-data":{"event":"x"}}`
	}
	const ts, token = "1700000000", "8a0tok"
	good := hexHMAC(bodyKey, ts+token)
	for name, c := range map[string]struct {
		body string
		age  time.Duration
		want error
	}{
		"as sent": {body(ts, token, good), 0, nil},
		// and so the same delivery id
		"another event, the same token": {
			strings.Replace(body(ts, token, good), `"x"`, `"forged"`, 1), 0, nil,
		},
		"time as a number": {
			strings.Replace(body(ts, token, good), `"1700000000"`, ts, 1), 0, nil,
		},
		"another token":               {body(ts, token+"1", good), 0, verify.ErrMismatch},
		"digit moved into the time":   {body(ts+"8", token[1:], good), 0, verify.ErrFuture},
		"digit moved out of the time": {body(ts[:9], "0"+token, good), 0, verify.ErrStale},
		"upper case":                  {body(ts, token, strings.ToUpper(good)), 0, nil},
		"no token":                    {body(ts, "", hexHMAC(bodyKey, ts)), 0, verify.ErrMissing},
		"time that is none": {
			body("now", token, hexHMAC(bodyKey, "now"+token)), 0, verify.ErrMalformed,
		},
		"stale": {body(ts, token, good), 301 * time.Second, verify.ErrStale},
		"stale and of a stranger": {
			body(ts, token, hexHMAC("x", ts+token)), 301 * time.Second, verify.ErrMismatch,
		},
		"nothing": {"", 0, verify.ErrMissing},
	} {
		v := newVerifier(t, verify.Config{Provider: "mailgun"}, bodyKey)
		got, err := v.Verify(
			context.Background(),
			verify.Request{Body: []byte(c.body), ReceivedAt: signedAt.Add(c.age)},
		)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if err == nil && (got.DeliveryID != token || got.Trust != verify.Authenticated) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestSign_MailgunMakesATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "mailgun"}, bodyKey)
	seen := map[string]bool{}
	for range 2 {
		r := request(
			t, v, verify.Webhook{Body: []byte(`{"event-data":{"event":"delivered"}}`)}, signedAt,
		)
		got, err := v.Verify(context.Background(), r)
		if err != nil || len(got.DeliveryID) != 50 || seen[got.DeliveryID] ||
			got.EventType != "delivered" {
			t.Errorf("got %+v, %v", got, err)
		}
		seen[got.DeliveryID] = true
	}
}

func TestVerify_TwilioForms(t *testing.T) {
	t.Parallel()
	const u = "https://a.example/in"
	sign := func(text string) string {
		return base64.StdEncoding.EncodeToString(mac(sha1.New, bodyKey, text))
	}
	hashed := "bodySHA256=" + strings.TrimPrefix(hashOf(`{"a":1}`), "sha256:")
	for name, c := range map[string]struct {
		url, query, body, signature string
		want                        error
	}{
		"fields in any order":              {u, "", "b=2&a=1", sign(u + "a1b2"), nil},
		"upper case first":                 {u, "", "a=1&B=2", sign(u + "B2a1"), nil},
		"a field twice, its values sorted": {u, "", "a=2&a=1", sign(u + "a1a2"), nil},
		"a value twice counts once":        {u, "", "a=1&a=1", sign(u + "a1"), nil},
		"other escapes of the same":        {u, "", "a=%2b+%c3%bc", sign(u + "a+ ü"), nil},
		"empty":                            {u, "", "", sign(u), nil},
		"empty value":                      {u, "", "a=&b", sign(u + "ab"), nil},
		"another value":                    {u, "", "a=2", sign(u + "a1"), verify.ErrMismatch},
		"a field more":                     {u, "", "a=1&b=2", sign(u + "a1"), verify.ErrMismatch},
		"another query": {
			u, "x=2", "a=1", sign(u + "?x=1a1"), verify.ErrMismatch,
		},
		"the query in the URL": {u + "?x=1", "x=1", "a=1", sign(u + "?x=1a1"), nil},
		"a raw percent sign":   {u, "", "a=%zz", sign(u), verify.ErrMismatch},
		"semicolons":           {u, "", "a=1;b=2", sign(u + "a1;b=2"), nil},
		"field without a name": {u, "", "=1", sign(u + "1"), verify.ErrMalformed},
		"JSON, by its hash":    {u, hashed, `{"a":1}`, sign(u + "?" + hashed), nil},
		"JSON, another body": {
			u, hashed, `{"a":2}`, sign(u + "?" + hashed), verify.ErrMismatch,
		},
		"JSON, under a signed URL alone": {u, "", `{"a":1}`, sign(u), verify.ErrMalformed},
		"JSON, another hash": {
			u, hashed[:len(hashed)-1], `{"a":1}`, sign(u + "?" + hashed[:len(hashed)-1]),
			verify.ErrMismatch,
		},
		"JSON, hash that was added": {u, hashed, `{"a":1}`, sign(u), verify.ErrMismatch},
		"form, hash that was added": {u, hashed, "a=1", sign(u + "a1"), verify.ErrMismatch},
		"JSON, under a URL with a query": {
			u + "?x=1", "x=1&" + hashed, `{"a":1}`, sign(u + "?x=1&" + hashed), nil,
		},
		"JSON, without the URL's query": {
			u + "?x=1", hashed, `{"a":1}`, sign(u + "?" + hashed), verify.ErrMismatch,
		},
		"JSON, sent again as a form": {
			u, "", url.QueryEscape("?" + hashed), sign(u + "?" + hashed), verify.ErrMalformed,
		},
		"JSON, sent again as another form": {
			u + "?x=1", "x=1", url.QueryEscape("&body") + "=SHA256" + url.QueryEscape(hashed[10:]),
			sign(u + "?x=1&" + hashed), verify.ErrMalformed,
		},
		"a query that the URL has not": {u, "x=1", "a=1", sign(u + "?x=1a1"), verify.ErrMismatch},
		"fields moved into the query": {
			u + "?x=1", "x=1a1", "b=2", sign(u + "?x=1a1b2"), verify.ErrMismatch,
		},
		"port that is signed": {
			"http://a.example", "", "", sign("http://a.example:80"), nil,
		},
		"port that is not signed": {
			"https://u:p@[::1]:8443/in", "", "", sign("https://u:p@[::1]/in"), nil,
		},
		"port added after a password": {
			"https://u:p@a.example", "", "", sign("https://u:p@a.example:443"), nil,
		},
		"signature of another length": {u, "", "", "abcd", verify.ErrMalformed},
		"hexadecimal": {
			u, "", "", hex.EncodeToString(mac(sha1.New, bodyKey, u))[:28], verify.ErrMalformed,
		},
		"none": {u, "", "", "", verify.ErrMissing},
		// Twilio's weakness: a=bc has the same signature
		"nothing parts a name from a value": {u, "", "ab=c", sign(u + "abc"), nil},
	} {
		v := newVerifier(t, verify.Config{Provider: "twilio", URL: c.url}, "old", bodyKey)
		r := verify.Request{
			Query: c.query, Header: verify.Header{"x-twilio-signature": c.signature},
			Body: []byte(c.body),
		}
		if got, err := v.Verify(context.Background(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestSign_TwilioByTheBody(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "twilio", URL: "https://a.example/in?x=1"}, bodyKey)
	for body, want := range map[string]string{
		`{"a":1}`: "application/json", "a=1": "application/x-www-form-urlencoded",
	} {
		r := request(t, v, verify.Webhook{Body: []byte(body)}, signedAt)
		if _, err := v.Verify(context.Background(), r); err != nil ||
			r.Header["content-type"] != want || !strings.HasPrefix(r.Query, "x=1") {
			t.Errorf("%s: %v: %+v", body, err, r)
		}
	}
}

// Mandrill has no hash of a body. A query that looks like Twilio's is an ordinary query.
func TestVerify_MandrillKnowsNoBodyHash(t *testing.T) {
	t.Parallel()
	const u = "https://a.example/in"
	query := "bodySHA256=" + strings.TrimPrefix(hashOf(`{"a":1}`), "sha256:")
	signature := base64.StdEncoding.EncodeToString(mac(sha1.New, bodyKey, u+"?"+query))
	r := verify.Request{
		Query: query, Header: verify.Header{"x-mandrill-signature": signature},
		Body: []byte(`{"a":1}`),
	}
	if _, err := newVerifier(t, verify.Config{Provider: "mandrill", URL: u}, bodyKey).Verify(
		context.Background(), r,
	); !errors.Is(err, verify.ErrMismatch) {
		t.Errorf("got %v, want %v", err, verify.ErrMismatch)
	}
}

func TestVerify_BraintreeForms(t *testing.T) {
	t.Parallel()
	const payload = "PG5vdGlmaWNhdGlvbj4KPGtpbmQ+Y2hlY2s8L2tpbmQ+\nPC9ub3RpZmljYXRpb24+Cg=="
	sum := sha1.Sum([]byte(bodyKey))
	good := "pub|" + hex.EncodeToString(mac(sha1.New, string(sum[:]), payload))
	v := newVerifier(
		t, verify.Config{Provider: "braintree", Settings: map[string]string{"public_key": "pub"}},
		"old", bodyKey,
	)
	for name, c := range map[string]struct {
		form url.Values
		want error
	}{
		"one pair": {url.Values{"bt_payload": {payload}, "bt_signature": {good}}, nil},
		"pair of another key": {
			url.Values{"bt_payload": {payload}, "bt_signature": {"other|00&" + good}}, nil,
		},
		"no pair of ours": {
			url.Values{"bt_payload": {payload}, "bt_signature": {"other" + good[3:]}},
			verify.ErrMismatch,
		},
		"other payload": {
			url.Values{"bt_payload": {payload + "="}, "bt_signature": {good}}, verify.ErrMismatch,
		},
		"no hex": {
			url.Values{"bt_payload": {payload}, "bt_signature": {strings.ToUpper(good)}},
			verify.ErrMismatch,
		},
		"cut": {
			url.Values{"bt_payload": {payload}, "bt_signature": {good[:20]}}, verify.ErrMalformed,
		},
		"payload no base64": {
			url.Values{"bt_payload": {"<kind>"}, "bt_signature": {good}}, verify.ErrMalformed,
		},
		"no signature": {url.Values{"bt_payload": {payload}}, verify.ErrMissing},
		"empty signature": {
			url.Values{"bt_payload": {payload}, "bt_signature": {""}}, verify.ErrMissing,
		},
		"no payload": {url.Values{"bt_signature": {good}}, verify.ErrMissing},
		"payload twice": {
			url.Values{"bt_payload": {payload, "x"}, "bt_signature": {good}}, verify.ErrRepeated,
		},
		"signature twice": {
			url.Values{"bt_payload": {payload}, "bt_signature": {good, good}}, verify.ErrRepeated,
		},
		"nothing": {nil, verify.ErrMissing},
	} {
		got, err := v.Verify(context.Background(), verify.Request{Body: []byte(c.form.Encode())})
		if !errors.Is(err, c.want) || (err == nil && got.EventType != "check") {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := v.Verify(
		context.Background(), verify.Request{Body: []byte("%zz")},
	); !errors.Is(err, verify.ErrMissing) {
		t.Errorf("another form: got %v, want %v", err, verify.ErrMissing)
	}
}

func TestVerify_DocuSignTakesAnyNumberedHeader(t *testing.T) {
	t.Parallel()
	const body = `{"event":"envelope-sent"}`
	good, other := base64HMAC(bodyKey, body), base64HMAC("stranger", body)
	for name, c := range map[string]struct {
		header verify.Header
		want   error
	}{
		"first": {verify.Header{"x-docusign-signature-1": good}, nil},
		"second": {
			verify.Header{"x-docusign-signature-1": other, "x-docusign-signature-2": good}, nil,
		},
		"after a gap": {
			verify.Header{"x-docusign-signature-1": other, "x-docusign-signature-7": good}, nil,
		},
		"the hundredth": {verify.Header{"x-docusign-signature-100": good}, nil},
		"one beyond":    {verify.Header{"x-docusign-signature-101": good}, verify.ErrMissing},
		"no number":     {verify.Header{"x-docusign-signature": good}, verify.ErrMissing},
		"none":          {nil, verify.ErrMissing},
		"strangers alone": {
			verify.Header{"x-docusign-signature-1": other, "x-docusign-signature-2": other},
			verify.ErrMismatch,
		},
		"malformed beside": {
			verify.Header{"x-docusign-signature-1": "x", "x-docusign-signature-2": good}, nil,
		},
		"malformed alone": {verify.Header{"x-docusign-signature-1": "x"}, verify.ErrMalformed},
		"one sent twice": {
			verify.Header{"x-docusign-signature-1": good + "," + good}, verify.ErrRepeated,
		},
		"second sent twice": {
			verify.Header{
				"x-docusign-signature-1": good, "x-docusign-signature-2": good + "," + good,
			},
			verify.ErrRepeated,
		},
	} {
		v := newVerifier(t, verify.Config{Provider: "docusign"}, "old", bodyKey)
		if _, err := v.Verify(
			context.Background(), verify.Request{Header: c.header, Body: []byte(body)},
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestVerify_HubSpotURL checks the characters that HubSpot's page lists.
func TestVerify_HubSpotURL(t *testing.T) {
	t.Parallel()
	const sent = "q=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B%20%23%2B%3a"
	const signed = "POSThttps://a.example/in?q=:/?@!$'()*,;%20%23%2B%3a{}1700000000000"
	r := verify.Request{Query: sent, Body: []byte("{}"), ReceivedAt: signedAt,
		Header: verify.Header{
			"x-hubspot-request-timestamp": "1700000000000",
			"x-hubspot-signature-v3":      base64HMAC(bodyKey, signed),
		}}
	v := newVerifier(
		t, verify.Config{Provider: "hubspot", URL: "https://a.example/in?" + sent}, bodyKey,
	)
	if _, err := v.Verify(context.Background(), r); err != nil {
		t.Error(err)
	}
	r.Header["x-hubspot-signature"] = r.Header["x-hubspot-signature-v3"]
	delete(r.Header, "x-hubspot-signature-v3")
	if _, err := v.Verify(context.Background(), r); !errors.Is(err, verify.ErrMissing) {
		t.Errorf("versions 1 and 2: got %v, want %v", err, verify.ErrMissing)
	}
}

func TestVerify_TypesNamedByAMember(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "telegram"}, "token")
	for body, want := range map[string]string{
		`{"update_id":1,"callback_query":{"id":"1"}}`: "callback_query",
		`{"message":{},"update_id":1}`:                "message",
		`{"update_id":1,"a":"{","b":null,"poll":[1]}`: "poll",
		`{"update_id":1}`:                             "",
		`{"update_id":1,"a\u0062":{}}`:                "ab",
		`{"update_id":1,"a\u0000":{}}`:                "",
		`{"` + strings.Repeat("a", 257) + `":{}}`:     "",
		`[{"message":{}}]`:                            "", `{"a"`: "", `{"a":`: "", `{`: "", ``: "",
		`{"a":1 "b":{}}`: "", `{a:{}}`: "",
	} {
		r := verify.Request{
			Header: verify.Header{"x-telegram-bot-api-secret-token": "token"}, Body: []byte(body),
		}
		if got, err := v.Verify(context.Background(), r); err != nil || got.EventType != want {
			t.Errorf("%s: got %q, %v, want %q", body, got.EventType, err, want)
		}
	}
	own := newVerifier(
		t, verify.Config{Provider: "telegram", EventType: &verify.Locator{JSON: "none"}}, "token",
	)
	r := verify.Request{
		Header: verify.Header{"x-telegram-bot-api-secret-token": "token"},
		Body:   []byte(`{"message":{}}`),
	}
	if got, err := own.Verify(context.Background(), r); err != nil || got.EventType != "" {
		t.Errorf("with another place for the type: got %q, %v", got.EventType, err)
	}
}

func TestVerify_IDsOfSeveralParts(t *testing.T) {
	t.Parallel()
	id := func(cfg verify.Config, id, source string) string {
		cfg.Provider = "cloudevents"
		h := verify.Header{"authorization": "Bearer token", "ce-id": id, "ce-source": source}
		got, err := newVerifier(t, cfg, "token").Verify(
			context.Background(), verify.Request{Header: h},
		)
		if err != nil {
			t.Fatal(err)
		}
		return got.DeliveryID
	}
	if a, b := id(verify.Config{}, `1""2`, "3"),
		id(verify.Config{}, "1", `2""3`); a == b || a == "" {
		t.Errorf("two divisions of one text are one id: %q", a)
	}
	if got := id(verify.Config{}, "1", ""); got != "" {
		t.Errorf("without a part: got %q", got)
	}
	if got := id(verify.Config{EventID: &verify.Locator{Header: "ce-id"}}, "1", "s"); got != "1" {
		t.Errorf("with another place for the id: got %q", got)
	}
}

func TestNew_TokensBodiesAndURLs(t *testing.T) {
	t.Parallel()
	header := func(name string) map[string]string { return map[string]string{"header": name} }
	for name, c := range map[string]struct {
		cfg    verify.Config
		secret string
		want   []string // in the message; none: it is right
	}{
		"okta, header as it is": {verify.Config{Provider: "okta"}, "Bearer a", nil},
		"okta, another header": {
			verify.Config{Provider: "okta", Settings: header("X-Okta-Key")}, "a b", nil,
		},
		"okta, no name of a header": {
			verify.Config{Provider: "okta", Settings: header("X Okta")}, "a",
			[]string{"settings.header", `"X Okta"`},
		},
		"token, no header": {
			verify.Config{Provider: "token"}, "a",
			[]string{"settings.header", "missing", "name of the header"},
		},
		"token, space at the end": {
			verify.Config{Provider: "token", Settings: header("X-A")}, "a ",
			[]string{"secrets[0]", "space"},
		},
		"token, comma": {
			verify.Config{Provider: "token", Settings: header("X-A")}, "a,b",
			[]string{"secrets[0]", "comma"},
		},
		"basic, no password": {
			verify.Config{Provider: "basic"}, "user", []string{"secrets[0]", "user:password"},
		},
		"meta, no verify token": {
			verify.Config{Provider: "meta"}, "a",
			[]string{"settings.verify_token", "Verify Token", "Meta"},
		},
		"adyen, no hex": {
			verify.Config{Provider: "adyen"}, "xyz", []string{"secrets[0]", "hex", "HMAC key"},
		},
		"twilio, no URL": {
			verify.Config{Provider: "twilio"}, "a", []string{"url: missing", "Twilio", "exactly"},
		},
		"braintree, no public key": {
			verify.Config{Provider: "braintree"}, "a",
			[]string{"settings.public_key", "Public Key"},
		},
		"braintree, both keys in one": {
			verify.Config{Provider: "braintree", Settings: map[string]string{"public_key": "a|b"}},
			"a", []string{"settings.public_key"},
		},
		"websub, no topic": {
			verify.Config{Provider: "websub"}, "a", []string{"settings.topic", "hub.topic"},
		},
		"slack, a setting it has not": {
			verify.Config{Provider: "slack", Settings: header("X-A")}, "a",
			[]string{"settings.header", "slack has none"},
		},
		"dropbox, a URL it signs not": {
			verify.Config{Provider: "dropbox", URL: "https://a.example"}, "a",
			[]string{"url:", "Dropbox"},
		},
	} {
		_, err := verify.New(c.cfg, []string{c.secret})
		if len(c.want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		for _, part := range c.want {
			if !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %v with %q", name, err, verify.ErrConfig, part)
			}
		}
	}
}

// TestDescribe_Windows compares the tolerances of signed times with each provider's page, or with
// the table's comment on it.
func TestDescribe_Windows(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]time.Duration{
		"front": verify.Unlimited, "hubspot": 5 * time.Minute, "linear": time.Minute,
		"mailgun": 5 * time.Minute, "slack": 5 * time.Minute,
		"twitch": 10 * time.Minute, "zoom": verify.Unlimited, "x": 0,
	} {
		if d, _ := verify.Describe(provider); d.Tolerance != want {
			t.Errorf("%s: got %v, want %v", provider, d.Tolerance, want)
		}
	}
}

// From a plain hash over a secret and a text, anybody can compute the hash of a longer text: the
// text, the hash's own padding, and anything.
func TestVerify_HubSpotTakesNoExtendedBody(t *testing.T) {
	t.Parallel()
	const u = "https://a.example/in?a=b"
	for name, c := range map[string]struct {
		provider, url, query, signed, body string
		want                               error
	}{
		"v1":              {"hubspot-v1", "", "", `[{"a":1}]`, `[{"a":1}]`, nil},
		"v1, white space": {"hubspot-v1", "", "", "[] \r\n", "[] \r\n", nil},
		"v1, extended": {
			"hubspot-v1", "", "", "[]\x80\x00\x00,[]", "[]\x80\x00\x00,[]", verify.ErrMalformed,
		},
		"v1, empty": {"hubspot-v1", "", "", "", "", verify.ErrMalformed},
		"v1, what v2 signs": {
			"hubspot-v1", "", "", "POST" + u + "[]", "POST" + u + "[]", verify.ErrMalformed,
		},
		"v2": {"hubspot-v2", u, "a=b", "POST" + u + "[]", "[]", nil},
		"v2, extended": {
			"hubspot-v2", u, "a=b", "POST" + u + "[]\x80", "[]\x80", verify.ErrMalformed,
		},
		"v2, of another method": {
			"hubspot-v2", u, "a=b", "GET" + u + "[]", "[]", verify.ErrMismatch,
		},
		"v2, cut into the query": {
			"hubspot-v2", u, "a=b[{}],", "POST" + u + "[{}],[]", "[]", verify.ErrMismatch,
		},
		"v2, for another query": {
			"hubspot-v2", u, "a=c", "POST" + u + "[]", "[]", verify.ErrMismatch,
		},
		"v2, over the body alone": {"hubspot-v2", u, "a=b", "[]", "[]", verify.ErrMismatch},
	} {
		sum := sha256.Sum256([]byte(bodyKey + c.signed))
		v := newVerifier(t, verify.Config{Provider: c.provider, URL: c.url}, "old", bodyKey)
		r := verify.Request{
			Query:  c.query,
			Header: verify.Header{"x-hubspot-signature": hex.EncodeToString(sum[:])},
			Body:   []byte(c.body),
		}
		if _, err := v.Verify(context.Background(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
