package relay_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

const gitHubSecret = "It's a Secret to Everybody"

// gitHubPush returns a webhook of GitHub's with a body.
func gitHubPush(body []byte, contentType string) relay.Inbound {
	mac := hmac.New(sha256.New, []byte(gitHubSecret))
	mac.Write(body)
	return relay.Inbound{
		Source: "github", Method: "POST", Body: body, ReceivedAt: time.Now(),
		Header: relay.Header{
			"x-hub-signature-256": "sha256=" +
				hex.EncodeToString(mac.Sum(nil)), "x-github-event": "issues",
			"x-github-delivery": "1", "content-type": contentType,
		},
	}
}

func zipped(t *testing.T, body string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Type, filters and ordering keys read the same document, whatever the body wraps it in and
// whatever the content type is.
func TestEverythingReadsTheSameDocument(t *testing.T) {
	t.Parallel()
	const document = `{"action":"opened","repository":{"private":false,"id":7}}`
	const form = "application/x-www-form-urlencoded"
	large := strings.Repeat(" ", relay.DefaultInlineBodyBytes) + document
	for name, test := range map[string]struct {
		body        []byte
		contentType string
	}{
		"JSON":                          {[]byte(document), "application/json"},
		"JSON that calls itself a form": {[]byte(document), form},
		"JSON after a byte order mark":  {[]byte("\uFEFF" + document), "application/json"},
		"JSON in the field of a form": {
			[]byte("payload=" + url.QueryEscape(document)), form,
		},
		"a form with a semicolon": {
			[]byte("a=1;b&x=%&payload=" + url.QueryEscape(document)), form,
		},
		"a form that calls itself JSON": {
			[]byte("payload=" + url.QueryEscape(document)), "application/json",
		},
		"a form in capitals": {
			[]byte("payload=" + url.QueryEscape(document)), strings.ToUpper(form),
		},
		"compressed":                          {zipped(t, document), "application/json"},
		"a large body":                        {[]byte(large), "application/json"},
		"a large body in the field of a form": {[]byte("payload=" + url.QueryEscape(large)), form},
		"members that are repeated": {[]byte(`{"action":"closed","repository":{"private":true,"id":6},` +
			document[1:]), "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "wants", "does-not", "in-order")
				c, revision, err := r.catalog.LoadCatalog(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c.Sources = append(
					c.Sources,
					catalog.Source{
						Name: "github", Verify: verify.Config{Provider: "github"},
						Secrets: []string{gitHubSecret},
					},
				)
				c.Endpoints[slices.IndexFunc(c.Endpoints, func(e catalog.Endpoint) bool {
					return e.Name == "in-order"
				})].Order =
					catalog.Order{On: true, Key: "repository.id"}
				c.Subscriptions = []catalog.Subscription{
					{
						Source: "github", Endpoint: "wants", Types: []string{"issues.opened"},
						Filter: `{"data": {"repository": {"private": [false]}}}`,
					},
					{
						Source: "github", Endpoint: "does-not",
						Filter: `{"data": {"repository": {"private": [{"anything-but": [false]}]}}}`,
					},
					{Source: "github", Endpoint: "in-order"},
				}
				if err := r.catalog.ReplaceCatalog(t.Context(), c, revision); err != nil {
					t.Fatal(err)
				}
				r.build(func(p ports) ports { return p })
				answer, err := r.receiver.Receive(
					t.Context(), gitHubPush(test.body, test.contentType),
				)
				if err != nil {
					t.Fatal(err)
				}
				msgs, err := r.inLine.ingest.Receive(t.Context(), 1)
				if err != nil || len(msgs) != 1 {
					t.Fatalf("%d messages, %v", len(msgs), err)
				}
				if !strings.HasPrefix(msgs[0].Group, "github#") {
					t.Errorf("the source's group is %q, without a key", msgs[0].Group)
				}
				for _, a := range r.fanout.Process(t.Context(), msgs) {
					if a.Retry {
						t.Fatal(a)
					}
				}
				record, _, err := r.ledger.Event(t.Context(), answer.EventID)
				if err != nil || record.Type != "issues.opened" ||
					!slices.Equal(record.Endpoints, []string{"wants", "in-order"}) {
					t.Errorf("type %q goes to %q, %v", record.Type, record.Endpoints, err)
				}
				msgs, err = r.inLine.delivery.Receive(t.Context(), 1)
				if err != nil || len(msgs) != 1 || !strings.HasPrefix(msgs[0].Group, "in-order#") {
					t.Errorf("the endpoint's messages are %+v, %v", msgs, err)
				}
			})
		})
	}
}

// If the document cannot be read within the limits, no condition on data holds, not even one that
// something is absent.
func TestDocumentBeyondTheBoundsMatchesNoConditionOnData(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"too deep":        strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		"too many fields": strings.Repeat("a=1&", 10_001),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "absent", "other", "all")
				r.subscribe(catalog.Subscription{
					Endpoint: "absent", Filter: `{"data": {"x": [{"exists": false}]}}`,
				},
					catalog.Subscription{
						Endpoint: "other", Filter: `{"data": {"x": [{"anything-but": ["y"]}]}}`,
					}, catalog.Subscription{Endpoint: "all"})
				in := inbound("1", "t", body)
				in.Header["content-type"] = "application/x-www-form-urlencoded"
				answer, err := r.receiver.Receive(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				r.consume(&r.ingest, nil, r.fanout.Process)
				record, _, err := r.ledger.Event(t.Context(), answer.EventID)
				if err != nil || !slices.Equal(record.Endpoints, []string{"all"}) {
					t.Errorf("it goes to %q, %v", record.Endpoints, err)
				}
			})
		})
	}
}
