package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// An id that is a hash is the hash of what is signed. Other escapes, another order, line ends and
// unsigned parts do not make a new event.
func TestHashIDs_AreOfWhatIsSigned(t *testing.T) {
	t.Parallel()
	for provider, change := range map[string]func(body string) string{
		"adyen": func(body string) string {
			return " " + strings.Replace(body, "{", `{"live2":"x",`, 1) + "\n"
		},
		"braintree": func(body string) string { return strings.Replace(body, "=", "%3D", 1) },
		"mandrill":  reordered,
		"travis-ci": reescaped,
		"twilio":    reordered,
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, verify.Config{Provider: provider}, "current")
			want, err := s.verifier.Verify(context.Background(), s.request)
			if err != nil {
				t.Fatal(err)
			}
			r := s.request
			if r.Body = []byte(change(string(r.Body))); string(r.Body) == string(s.request.Body) {
				t.Fatal("nothing is changed")
			}
			got, err := s.verifier.Verify(context.Background(), r)
			if provider == "braintree" {
				if err == nil && eventOf(got) != eventOf(want) {
					t.Errorf("got %q, want %q", eventOf(got), eventOf(want))
				}
				return
			}
			if err != nil || eventOf(got) != eventOf(want) {
				t.Errorf("got %q, %v, want %q", eventOf(got), err, eventOf(want))
			}
		})
	}
}

// reescaped returns a form with more escapes.
func reescaped(body string) string {
	return strings.NewReplacer("e", "%65", "t", "%74").Replace(body)
}

// reordered returns a form in another order and with other escapes.
func reordered(body string) string {
	fields := strings.Split(body, "&")
	for i, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		text, _ := url.QueryUnescape(value)
		var escaped strings.Builder
		for _, c := range []byte(text) {
			fmt.Fprintf(&escaped, "%%%02X", c)
		}
		fields[i] = name + "=" + escaped.String()
	}
	for i, j := 0, len(fields)-1; i < j; i, j = i+1, j-1 {
		fields[i], fields[j] = fields[j], fields[i]
	}
	return strings.Join(fields, "&")
}

// The same signature of Braintree fits a payload with and without a line end after it.
func TestHashIDs_BraintreeLineEnd(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "braintree"}, "current")
	fields, err := url.ParseQuery(string(s.request.Body))
	if err != nil {
		t.Fatal(err)
	}
	fields.Set("bt_payload", strings.TrimRight(fields.Get("bt_payload"), "\n")+"\n")
	signed := request(t, s.verifier, verify.Webhook{Body: []byte(fields.Encode())}, signedAt)
	want, err := s.verifier.Verify(context.Background(), signed)
	if err != nil {
		t.Fatal(err)
	}
	fields, _ = url.ParseQuery(string(signed.Body))
	fields.Set("bt_payload", strings.TrimRight(fields.Get("bt_payload"), "\n"))
	signed.Body = []byte(fields.Encode())
	if got, err := s.verifier.Verify(context.Background(), signed); err != nil ||
		got.DeliveryID != want.DeliveryID {
		t.Errorf("got %q, %v, want %q", got.DeliveryID, err, want.DeliveryID)
	}
}

// The bytes decide what a Slack webhook is. Another content type does not make it another event.
func TestSlack_ContentTypeDecidesNothing(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "slack"}, "current")
	r := request(
		t, s.verifier,
		verify.Webhook{
			Body: []byte(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`),
		},
		signedAt,
	)
	for _, contentType := range []string{
		"", "text/plain", "application/x-www-form-urlencoded",
		"application/x-www-form-urlencoded; charset=utf-8",
	} {
		got, err := s.verifier.Verify(context.Background(), with(r, "content-type", contentType))
		if err != nil || got.DeliveryID != "Ev1" || got.EventType != "message" {
			t.Errorf("%s: got %+v, %v", contentType, got, err)
		}
	}
}

// A payload that can be divided in several ways is refused, and the message says how to correct it.
func TestHMAC_RefusesPayloadsOfSeveralDivisions(t *testing.T) {
	t.Parallel()
	for payload, c := range map[string]struct {
		format string
		ok     bool
	}{
		"{id}{body}": {}, "{body}{id}": {}, "{timestamp}{body}": {}, "{body}{timestamp}": {},
		"{id}{timestamp}{body}": {}, "{id}{timestamp}.{body}": {},
		"{id}.{timestamp}{body}": {}, "{id}{url}{body}": {}, "{id}{method}{body}": {},
		"{id}a{body}": {}, "{id}-{body}": {}, "{body}_{id}": {},
		"{id}0{timestamp}.{body}": {}, "{timestamp}0{body}": {}, "{body}1{timestamp}": {},
		"{timestamp}.{body}": {ok: true}, "{id}.{timestamp}.{body}": {ok: true},
		"{body}.{timestamp}": {ok: true}, "{body}|{id}": {ok: true},
		"v0:{timestamp}:{body}": {ok: true}, "{timestamp}\n{id}\n{body}\n": {ok: true},
		"{method}{url}{body}": {ok: true}, "{url}{body}": {ok: true}, "POST{body}": {ok: true},
		"{body}": {ok: true}, "{timestamp}..{body}": {"rfc3339", true},
		"{timestamp}:{body}": {"utc", true}, "{timestamp}.{body}, in UTC": {"utc", false},
	} {
		text, _, _ := strings.Cut(payload, ", in UTC")
		h := verify.HMAC{Header: "X-Sig", Payload: text, TimestampFormat: c.format}
		cfg := verify.Config{Provider: "hmac", HMAC: &h}
		if strings.Contains(text, "{id}") {
			h.IDHeader = "X-Id"
		}
		if strings.Contains(text, "{timestamp}") {
			h.TimestampHeader = "X-Ts"
		}
		if strings.Contains(text, "{url}") {
			cfg.URL = "https://relay.example.com/in/x"
		}
		_, err := verify.New(cfg, []string{"key"})
		switch {
		case c.ok && err != nil:
			t.Errorf("%q: %v", payload, err)
		case !c.ok && (!errors.Is(err, verify.ErrConfig) || !strings.Contains(
			err.Error(), "hmac.payload: ",
		) || !strings.Contains(err.Error(), "such as {")):
			t.Errorf("%q: got %v, want %v that says how to mend it", payload, err, verify.ErrConfig)
		}
		if _, err := verify.New(cfg, []string{"key"}, verify.SignsOnly()); err != nil {
			t.Errorf("%q, for who only signs: %v", payload, err)
		}
	}
}

// An id may not contain the bytes that separate it from its neighbours, on either side.
func TestHMAC_IDsKeepToTheirSeams(t *testing.T) {
	t.Parallel()
	v := newVerifier(
		t,
		verify.Config{
			Provider: "hmac",
			HMAC:     &verify.HMAC{Header: "X-Sig", Payload: "{body}|{id}", IDHeader: "X-Id"},
		},
		"key",
	)
	for id, want := range map[string]error{"a": nil, "b|a": verify.ErrMalformed} {
		h := verify.Header{"x-id": id, "x-sig": hexHMAC("key", "{}|"+id)}
		if _, err := v.Verify(
			context.Background(),
			verify.Request{Header: h, Body: []byte("{}"), ReceivedAt: signedAt},
		); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", id, err, want)
		}
	}
}

// A body in parts is refused if two readers could read different things from it.
func TestDropboxSign_TakesOneFormOfPartsAlone(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "dropbox-sign"}, "current")
	body, contentType := string(s.request.Body), s.request.Header["content-type"]
	boundary := strings.SplitN(body, "\r\n", 2)[0][2:]
	_, rest, _ := strings.Cut(body, "\r\n\r\n")
	value := strings.TrimSuffix(rest, "\r\n--"+boundary+"--\r\n")
	part := func(head, value string) string {
		return "--" + boundary + "\r\n" + head + "\r\n\r\n" + value + "\r\n"
	}
	const named = `Content-Disposition: form-data; name="json"`
	end := "--" + boundary + "--\r\n"
	for what, c := range map[string]struct{ body, contentType string }{
		"another part of the name": {part(named, value) + part(named, `{"forged":1}`) + end, ""},
		"another part before": {
			part(`Content-Disposition: form-data; name="a"`, "1") + part(named, value) + end, "",
		},
		"another part in upper case": {
			part(named, value) + part(`Content-Disposition: form-data; name="JSON"`, "1") + end, "",
		},
		"preamble": {"preamble\r\n" + body, ""},
		"epilogue": {body + "epilogue", ""},
		"transfer encoding": {
			part(named+"\r\nContent-Transfer-Encoding: base64", value) + end, "",
		},
		"file name":         {part(named+`; filename="x"`, value) + end, ""},
		"encoded file name": {part(named+`; filename*=utf-8''x`, value) + end, ""},
		"encoded name":      {part(named+`; name*=utf-8''other`, value) + end, ""},
		"two names":         {part(named+`; name="other"`, value) + end, ""},
		"two dispositions": {
			part(named+"\r\n"+`Content-Disposition: form-data; name="other"`, value) + end, "",
		},
		"folded header": {
			part("Content-Disposition: form-data;\r\n name=\"json\"", value) + end, "",
		},
		"bare line ends":            {strings.ReplaceAll(body, "\r\n", "\n"), ""},
		"bare line end in a header": {part(named+"\nX: y", value) + end, ""},
		"another charset": {
			part(named+"\r\nContent-Type: application/json; charset=utf-7", value) + end, "",
		},
		"nested": {
			part(named+"\r\nContent-Type: multipart/mixed; boundary=x", value) + end, "",
		},
		"boundary in the value":    {part(named, value+"\n--"+boundary+"\n") + end, ""},
		"no end":                   {strings.TrimSuffix(body, end), ""},
		"boundary of another name": {body, "multipart/form-data; boundary=other"},
		"no form":                  {body, "application/x-www-form-urlencoded"},
		"JSON":                     {body, "application/json"},
		"two content types":        {body, contentType + "," + contentType},
		"space in the boundary": {
			strings.ReplaceAll(body, boundary, "a b"), `multipart/form-data; boundary="a b"`,
		},
	} {
		r := s.request
		r.Body = []byte(c.body)
		if c.contentType != "" {
			r = with(r, "content-type", c.contentType)
		}
		s.refused(t, what, r)
	}
	r := s.request
	r.Body = []byte(part(named+"\r\nContent-Type: application/json; charset=UTF-8", value) + end)
	if err := s.verify(r); err != nil {
		t.Errorf("a part with a content type: %v", err)
	}
}

// Contentful's topic and key count only if they are on the list of signed headers.
func TestContentful_ReadsSignedHeadersAlone(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "contentful"}, "current")
	bare := request(t, s.verifier, verify.Webhook{Body: []byte("{}")}, signedAt)
	r := with(
		with(bare, "x-contentful-topic", "ContentManagement.Entry.delete"),
		"x-contentful-idempotency-key", "forged",
	)
	got, err := s.verifier.Verify(context.Background(), r)
	if err != nil || got.EventType != "" || got.DeliveryID != "" {
		t.Errorf("unsigned headers: got %+v, %v", got, err)
	}
	got, err = s.verifier.Verify(context.Background(), s.request)
	if err != nil || got.EventType != s.webhook.EventType ||
		got.DeliveryID != s.webhook.DeliveryID {
		t.Errorf("signed headers: got %+v, %v", got, err)
	}
	seam := request(
		t, s.verifier,
		verify.Webhook{
			Body: []byte("{}"), EventType: "a", DeliveryID: "b;x-contentful-timestamp:1",
		},
		signedAt,
	)
	if err := s.verify(seam); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("a value with another header in it: got %v, want %v", err, verify.ErrMalformed)
	}
}

// A form is refused if it has fields that its proof does not cover.
func TestForms_HaveSignedFieldsAlone(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"braintree", "travis-ci"} {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		r := s.request
		r.Body = append(append([]byte{}, r.Body...), "&x=1"...)
		if err := s.verify(r); !errors.Is(err, verify.ErrMalformed) {
			t.Errorf("%s: got %v, want %v", provider, err, verify.ErrMalformed)
		}
	}
}

// ConfigCat's ids have 32 hex digits. The webhook's settings define the form of its bodies.
func TestConfigCat_TakesAnyBodyWithAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "configcat"}, "current")
	const own = "b616ca659d154a5fb907dd8475792eeb"
	for what, c := range map[string]struct {
		id, body string
		want     error
	}{
		"its own form":          {own, "flag=on", nil},
		"its own form, JSON":    {own, "{}", nil},
		"another, JSON":         {"0d7c7a06-4f5c-5c9b-b6d5-1f0b8c2b1a3e", "[]", nil},
		"short, JSON":           {"7", "{}", nil},
		"short, text":           {"7", "flag=on", verify.ErrMalformed},
		"its own form and more": {own + "1700000000", "{}", verify.ErrMalformed},
		"with a brace":          {own + "{", "{}", verify.ErrMalformed},
		"another of 32, and text": {
			"0d7c7a06-4f5c-5c9b-b6d5-1f0b8c2b", "flag=on", verify.ErrMalformed,
		},
	} {
		w := verify.Webhook{DeliveryID: c.id, Body: []byte(c.body)}
		r, err := s.verifier.Sign(w, signedAt)
		if err == nil {
			err = s.verify(r)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}
