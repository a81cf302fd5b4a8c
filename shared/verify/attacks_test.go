package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// The table of attacks. An attacker has a copy of one webhook of a provider, but not the secret.
// Each row changes the copy in one way. The expected result follows from what the table says that
// the provider signs. So a new provider has all rows at once, and docs/providers.md, which is made
// from the same facts, is true.

// attacked is a provider under attack.
type attacked struct {
	subject
	d       verify.Description
	genuine verify.Result
	proof   []string // headers that the proof needs
}

// token tells whether a webhook holds the secret itself, or no secret is needed. Then whoever has
// one can send anything.
func (a attacked) token() bool { return a.d.Signed.Nothing }

// attack runs a row for every provider.
func attack(t *testing.T, row func(t *testing.T, a attacked)) {
	t.Parallel()
	for _, name := range verify.Providers() {
		if name == "hmac" {
			continue // the operator describes its scheme
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := verify.Describe(name)
			a := attacked{subject: newSubject(t, verify.Config{Provider: name}, "current"), d: d}
			var err error
			if a.genuine, err = a.verifier.Verify(context.Background(), a.request); err != nil {
				t.Fatal(err)
			}
			a.proof = a.proofHeaders(t)
			row(t, a)
		})
	}
}

// eventOf returns what an event id is made from; "" if it is random.
func eventOf(r verify.Result) string {
	switch {
	case r.Once:
		return fmt.Sprintf("%q", r.Bound)
	case r.DeliveryID == "":
		return ""
	}
	return fmt.Sprintf("%s %q", r.DeliveryID, r.Bound)
}

// same fails the test unless the request is refused or counts as the genuine webhook.
func (a attacked) same(t *testing.T, what string, r verify.Request) {
	t.Helper()
	got, err := a.verifier.Verify(context.Background(), r)
	if err == nil && (got.EventType != a.genuine.EventType || eventOf(got) != eventOf(a.genuine)) &&
		!got.Handshake {
		t.Errorf(
			"%s: type %q, event %q, want %q, %q", what, got.EventType, eventOf(got),
			a.genuine.EventType, eventOf(a.genuine),
		)
	}
}

// idHeaders returns the headers from which a delivery id is read.
func (a attacked) idHeaders() (names []string) {
	for _, l := range a.d.DeliveryIDs {
		if l.Header != "" {
			names = append(names, l.Header)
		}
	}
	return names
}

// typeHeaders returns the headers from which an event type is read.
func (a attacked) typeHeaders() (names []string) {
	for _, l := range append(slices.Clone(a.d.EventType), a.d.OrEventType) {
		if l.Header != "" {
			names = append(names, l.Header)
		}
	}
	return names
}

func TestAttack_AnotherDeliveryID(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		for _, name := range a.idHeaders() {
			r := with(a.request, name, "another-id")
			got, err := a.verifier.Verify(context.Background(), r)
			switch {
			case a.d.Signed.ID && err == nil && eventOf(got) != eventOf(a.genuine):
				t.Errorf("%s, which is signed: %q passes", name, eventOf(got))
			case !a.d.Signed.ID && err != nil:
				t.Errorf("%s, which is not signed: %v", name, err)
			case !a.d.Signed.ID && a.d.Signed.Body && (got.Bound == nil ||
				slices.Equal(a.d.DeliveryIDs, nil)):
				t.Errorf("%s is bound to nothing", name)
			}
		}
		if !a.d.Signed.ID || len(a.d.DeliveryIDs) == 0 {
			return
		}
		for name := range a.request.Header {
			a.same(t, "another "+name, with(a.request, name, a.request.Header[name]+"x"))
		}
	})
}

// A copy that is sent under the id of a future webhook must be another event than that webhook.
func TestAttack_TheIDOfAnotherWebhook(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		if a.d.Signed.ID || !a.d.Signed.Body || len(a.idHeaders()) == 0 ||
			slices.Contains(ownBodies, a.d.Name) {
			return
		}
		next := a.webhook
		next.DeliveryID, next.Body = "the-next",
			[]byte(`{"id":"evt_2","type":"invoice.paid","amount":1}`)
		genuine, err := a.verifier.Verify(
			context.Background(), request(t, a.verifier, next, signedAt),
		)
		// of several parts
		if err != nil || genuine.DeliveryID != "the-next" &&
			!strings.HasPrefix(genuine.DeliveryID, "sha256:") {
			t.Fatalf("the genuine one: %+v, %v", genuine, err)
		}
		forged, err := a.verifier.Verify(
			context.Background(), with(a.request, a.idHeaders()[0], "the-next"),
		)
		if err != nil || forged.DeliveryID != genuine.DeliveryID ||
			eventOf(forged) == eventOf(genuine) {
			t.Errorf("the copy passes for the genuine one: %+v, %v", forged, err)
		}
	})
}

func TestAttack_UnsignedHeaders(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		names := append(a.typeHeaders(), a.idHeaders()...)
		for name := range a.request.Header {
			names = append(names, name)
		}
		for _, name := range append(
			names, "x-event", "x-forwarded-for", "content-encoding", "x-http-method-override",
		) {
			got, err := a.verifier.Verify(context.Background(), with(a.request, name, "other.type"))
			if needed := slices.Contains(a.proof, name); err != nil && !needed &&
				!a.d.Signed.Type && !a.d.Signed.ID {
				t.Errorf("%s: %v, though nothing needs it", name, err)
			}
			if err == nil && a.d.Signed.Type && got.EventType != a.genuine.EventType {
				t.Errorf("%s makes the type %q, which is signed", name, got.EventType)
			}
		}
		for _, name := range a.typeHeaders() {
			r := with(a.request, name, "other.type")
			if got, err := a.verifier.Verify(
				context.Background(), r,
			); a.d.Signed.Type == (err == nil && got.EventType != a.genuine.EventType) &&
				name == a.d.EventType[0].Header {
				t.Errorf("%s: the table says signed %v: %+v, %v", name, a.d.Signed.Type, got, err)
			}
		}
	})
}

func TestAttack_ContentTypes(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		for _, contentType := range []string{
			"", "application/json", "text/plain", "application/octet-stream", "application/xml",
			"multipart/form-data; boundary=x",
			"application/x-www-form-urlencoded",
			"application/x-www-form-urlencoded; charset=utf-16",
			"APPLICATION/X-WWW-FORM-URLENCODED",
			"application/x-www-form-urlencoded,application/json",
			"application/json,application/x-www-form-urlencoded",
			"application/cloudevents+json", "application/cloudevents-batch+json", "application/jwt",
		} {
			a.same(t, contentType, with(a.request, "content-type", contentType))
		}
	})
}

func TestAttack_Age(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		tolerance := min(a.d.Tolerance, verify.DefaultMaxAge)
		for what, c := range map[string]struct {
			age  time.Duration
			want error
		}{
			"when it was sent":       {0, nil},
			"after the tolerance":    {tolerance + time.Second, verify.ErrStale},
			"after the retention":    {verify.DefaultMaxAge + time.Second, verify.ErrStale},
			"ten years later":        {10 * 365 * 24 * time.Hour, verify.ErrStale},
			"ten years before":       {-10 * 365 * 24 * time.Hour, verify.ErrFuture},
			"long before its minute": {-25 * time.Hour, verify.ErrFuture},
		} {
			if !a.d.Signed.Time {
				c.want = nil
			}
			r := a.request
			r.ReceivedAt = signedAt.Add(c.age)
			if err := a.verify(r); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", what, err, c.want)
			}
		}
		if a.d.Signed.Time != (a.d.Tolerance != 0) {
			t.Errorf("the time is signed: %v, and its tolerance %v", a.d.Signed.Time, a.d.Tolerance)
		}
	})
}

// No copy is accepted after the id of the original may be forgotten.
func TestMaxAge_EndsWithTheRetention(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		if !a.d.Signed.Time {
			return
		}
		const retention = 24 * time.Hour
		var secrets []string
		if a.secret != "" {
			secrets = []string{a.secret}
		}
		v, err := verify.New(a.cfg, secrets, verify.MaxAge(retention))
		if err != nil {
			t.Fatal(err)
		}
		r := a.request
		r.ReceivedAt = signedAt.Add(retention + time.Second)
		if _, err := v.Verify(context.Background(), r); !errors.Is(err, verify.ErrStale) {
			t.Errorf("older than the retention: got %v, want %v", err, verify.ErrStale)
		}
	})
}

func TestAttack_BytesAroundTheBody(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		if a.token() {
			return
		}
		body := string(a.request.Body)
		for what, changed := range map[string]string{
			"space before": " " + body, "space after": body + " ", "line before": "\n" +
				body, "line after": body + "\r\n", "tab": "\t" + body,
			"byte order mark": "\ufeff" + body, "NUL": body + "\x00", "another object": body +
				"{}", "brace": body + "}", "twice": body + body,
			"form feed": "\f" + body, "ampersand before": "&" + body, "ampersand after": body +
				"&", "equals": body + "=", "question": "?" + body,
		} {
			r := a.request
			r.Body = []byte(changed)
			a.replayed(t, what, r)
		}
	})
}

// replayed fails the test if a webhook with another body counts as a new one, although its provider
// signs enough to notice.
func (a attacked) replayed(t *testing.T, what string, r verify.Request) {
	t.Helper()
	got, err := a.verifier.Verify(context.Background(), r)
	switch {
	case err != nil || got.Handshake:
	case a.d.Signed.Type && got.EventType != a.genuine.EventType:
		t.Errorf("%s: type %q, which is signed", what, got.EventType)
	case a.d.Signed.ID && eventOf(got) != eventOf(a.genuine):
		t.Errorf("%s: another event: %s", what, eventOf(got))
	case a.d.Signed.Body && string(got.Bound) != string(a.genuine.Bound):
		t.Errorf("%s: bound to %q", what, got.Bound)
	}
}

func TestAttack_ExtraFormFields(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		if a.request.Header["content-type"] != "application/x-www-form-urlencoded" || a.token() {
			return
		}
		body := string(a.request.Body)
		for _, changed := range []string{
			body + "&extra=1", "extra=1&" + body, body + "&extra", body + "&=x", body + "&" +
				strings.ToUpper(body), body + "&a[b]=c", body + ";extra=1",
		} {
			r := a.request
			r.Body = []byte(changed)
			if got, err := a.verifier.Verify(context.Background(), r); err == nil &&
				!got.Handshake {
				t.Errorf("accepted: …%s", changed[max(0, len(changed)-40):])
			}
		}
	})
}

// Members occur twice: with the same name, in another case and with escapes, before and after the
// original.
func TestAttack_DuplicateMembers(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		body := strings.TrimSpace(string(a.request.Body))
		if a.token() || !strings.HasPrefix(body, "{") || len(body) < 3 {
			return
		}
		for _, l := range slices.Concat(
			a.d.DeliveryIDs, a.d.EventType, []verify.Locator{a.d.OrEventType},
		) {
			if l.JSON == "" {
				continue
			}
			path := strings.Split(l.JSON, ".")
			for what, name := range map[string]string{
				"the same": path[0], "upper case": strings.ToUpper(path[0]),
				"lower case": strings.ToLower(path[0]),
				"escaped": fmt.Sprintf(
					`\u%04x%s`, path[0][0], path[0][1:],
				), "long s": strings.Replace(path[0], "s", "ſ", 1),
			} {
				member := `"` + name + `":` + nested(path[1:])
				for _, changed := range []string{
					"{" + member + "," + body[1:], body[:len(body)-1] + "," + member + "}",
				} {
					r := a.request
					r.Body = []byte(changed)
					a.replayed(t, what+" "+l.JSON, r)
				}
			}
		}
	})
}

// nested returns JSON with a value at a path.
func nested(path []string) string {
	switch {
	case len(path) == 0:
		return `"forged"`
	case path[0] == "0":
		return "[" + nested(path[1:]) + "]"
	}
	return `{"` + path[0] + `":` + nested(path[1:]) + "}"
}

func TestAttack_OtherMethods(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		for _, method := range []string{
			http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead,
			http.MethodOptions, "post",
		} {
			r := a.request
			r.Method = method
			if got, err := a.verifier.Verify(context.Background(), r); err == nil &&
				!got.Handshake {
				t.Errorf("%s: accepted as a webhook", method)
			}
		}
	})
}

// Bytes move from a signed part to its neighbour. They may also move across both seams of a part
// between them.
func TestAttack_BytesMovedAtEverySeam(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		if a.token() || slices.Contains(partlySigned, a.d.Name) {
			return
		}
		const times = `[{"at":"1700000000","ms":1700000000000,"iso":"2023-11-14T22:13:20Z","date":"Tue, 14 Nov 2023 22:13:20 GMT"}]`
		requests := []verify.Request{a.request}
		w := a.webhook
		for _, body := range []string{
			times, `{"iso":"2023-11-14T22:13:20Z"}`, `{"n":` + times + "}", times + "1700000000",
			"1700000000" + times, "1700000000000", "",
		} {
			w.Body = []byte(body)
			if r, err := a.verifier.Sign(w, signedAt); err == nil {
				requests = append(requests, r)
			}
		}
		for _, r := range requests {
			genuine, err := a.verifier.Verify(context.Background(), r)
			if err != nil {
				t.Fatalf("%q: %v", r.Body, err)
			}
			for _, moved := range a.moved(r) {
				if got, err := a.verifier.Verify(context.Background(), moved); err == nil &&
					(string(moved.Body) != string(r.Body) || eventOf(got) != eventOf(genuine)) {
					t.Errorf(
						"%v and %q pass for %v and %q", moved.Header, moved.Body, r.Header, r.Body,
					)
				}
			}
		}
	})
}

// moved returns requests in which bytes are moved between the signed parts in every way: the text
// of id, time and body, in both orders, divided differently.
func (a attacked) moved(r verify.Request) (all []verify.Request) {
	divide := func(names []string, text string) {
		for i := 0; i <= min(len(text), 120); i++ {
			for j := i; j <= min(len(text), 140); j++ {
				m := r
				m.Body = []byte(text[j:])
				if len(names) == 1 {
					if i > 0 {
						break
					}
					all = append(all, with(m, names[0], text[:j]))
					continue
				}
				all = append(all, with(with(m, names[0], text[:i]), names[1], text[i:j]))
			}
		}
	}
	var names []string
	for _, name := range a.proof {
		if !slices.Contains(a.verifier.SignatureHeaders(), name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names { // a part and the body, on either side
		divide([]string{name}, r.Header[name]+string(r.Body))
		all = append(all, backwards(r, name, string(r.Body)+r.Header[name])...)
	}
	if len(names) == 2 {
		for _, pair := range [][]string{{names[0], names[1]}, {names[1], names[0]}} {
			divide(pair, r.Header[pair[0]]+r.Header[pair[1]]+string(r.Body))
		}
	}
	return append(all, a.movedInList(r)...)
}

// backwards divides a text into a body and a header after it.
func backwards(r verify.Request, name, text string) (all []verify.Request) {
	for i := max(0, len(text)-60); i <= len(text); i++ {
		m := r
		m.Body = []byte(text[:i])
		all = append(all, with(m, name, text[i:]))
	}
	return all
}

// movedInList moves digits between the body and a time that is in the signature's own header.
func (a attacked) movedInList(r verify.Request) (all []verify.Request) {
	for _, name := range a.verifier.SignatureHeaders() {
		for _, at := range []string{"1700000000000", "1700000000"} {
			if !strings.Contains(r.Header[name], at) {
				continue
			}
			for i := range len(at) {
				before, after := r, r
				before.Body = []byte(at[i:] + string(r.Body))
				after.Body = []byte(string(r.Body) + at[:i])
				all = append(all, with(
					before, name, strings.Replace(r.Header[name], at, at[:i], 1),
				),
					with(after, name, strings.Replace(r.Header[name], at, at[i:], 1)))
			}
			for i := range min(6, len(r.Body)) {
				before, after, n := r, r, len(r.Body)
				before.Body, after.Body = r.Body[i:], r.Body[:n-i]
				all = append(all, with(
					before, name, strings.Replace(r.Header[name], at, at+string(r.Body[:i]), 1),
				),
					with(
						after, name,
						strings.Replace(r.Header[name], at, string(r.Body[n-i:])+at, 1),
					))
			}
			break
		}
	}
	return all
}

// TestOnce_IsTakenWhereItHelps checks that Once is accepted only for sources whose provider signs
// no id.
func TestOnce_IsTakenWhereItHelps(t *testing.T) {
	attack(t, func(t *testing.T, a attacked) {
		var secrets []string
		if a.secret != "" {
			secrets = []string{a.secret}
		}
		cfg := a.cfg
		cfg.Once = verify.OnceBody
		v, err := verify.New(cfg, secrets)
		if helps := a.d.Signed.Body && !a.d.Signed.ID; !helps {
			if !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), "once: ") {
				t.Errorf("got %v, want %v about once", err, verify.ErrConfig)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		first, err := v.Verify(context.Background(), a.request)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range a.idHeaders() {
			got, err := v.Verify(context.Background(), with(a.request, name, "another-id"))
			if err != nil || eventOf(got) != eventOf(first) || eventOf(got) == "" {
				t.Errorf("another %s is another event: %q, %v", name, eventOf(got), err)
			}
		}
	})
}

// The facts that no row can derive.
func TestSigned_OfKnownProviders(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]verify.Signed{
		"github":     {Body: true},
		"stripe":     {Body: true, ID: true, Type: true, Time: true},
		"svix":       {Body: true, ID: true, Type: true, Time: true},
		"slack":      {Body: true, ID: true, Type: true, Time: true},
		"kinde":      {Body: true, ID: true, Type: true},
		"box":        {Body: true, ID: true, Type: true, Time: true},
		"sanity":     {Body: true, Time: true},
		"contentful": {Body: true, ID: true, Type: true, Time: true},
		"mailgun":    {ID: true, Time: true},
		"adyen":      {ID: true, Type: true},
		"gitlab":     {Body: true, ID: true, Type: true, Time: true},
		"bearer":     {Nothing: true},
		"none":       {Nothing: true},
		"sns":        {ID: true, Type: true, Time: true},
	} {
		if d, _ := verify.Describe(name); d.Signed != want {
			t.Errorf("%s: got %+v, want %+v", name, d.Signed, want)
		}
	}
}
