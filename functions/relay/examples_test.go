package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/config"
	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/local/standin"
	"webhook-relay/shared/relay"
)

// receiverURL is the base URL of the examples' endpoints: events/receiver listens there.
const receiverURL = "http://127.0.0.1:9000"

// arrival is a request that an endpoint of an example got.
type arrival struct {
	endpoint, eventType, attempt string
	body                         string
	method, path                 string // what follows the endpoint's URL
	github                       string // GitHub's signature
}

// sink is the endpoints of an example. It checks each request's signature.
type sink struct {
	*httptest.Server
	secrets map[string]string // by endpoint
	fail    map[string]int    // by endpoint: so many requests get 503 first

	mu   sync.Mutex
	got  []arrival
	auth []string // what was in Authorization
	bad  []string
}

// newSink returns a sink for the endpoints of an example, and the example with the sink's URL in
// it.
func newSink(t *testing.T, example string) (s *sink, configuration string) {
	t.Helper()
	s = &sink{secrets: map[string]string{}, fail: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	text, err := os.ReadFile("../../docs/examples/" + example + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	configuration = writeFile(
		t, example+".yaml", strings.ReplaceAll(string(text), receiverURL, s.URL),
	)
	catalog, err := config.Read(configuration, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range catalog.Endpoints {
		if e.Destination != nil {
			continue // its stand-in gets what is sent
		}
		if !strings.HasPrefix(e.URL, s.URL) || len(e.Secrets) != 1 {
			t.Fatalf("endpoint %s is at %s with %d secrets", e.Name, e.URL, len(e.Secrets))
		}
		s.secrets[e.Name] = e.Secrets[0]
	}
	return s, configuration
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	webhook, err := standardwebhooks.NewWebhook(s.secrets[name])
	if err == nil {
		err = webhook.Verify(body, r.Header)
	}
	if err != nil {
		s.bad = append(s.bad, fmt.Sprintf("%s: %v", name, err))
	}
	s.got = append(
		s.got,
		arrival{
			endpoint: name, eventType: r.Header.Get("relay-event-type"),
			attempt: r.Header.Get(relay.HeaderAttempt), body: string(body), method: r.Method,
			path: path, github: r.Header.Get("x-hub-signature-256"),
		},
	)
	s.auth = append(s.auth, r.Header.Get("Authorization"))
	if s.fail[name]--; s.fail[name] >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// arrived returns the requests that arrived, each formatted by show.
func (s *sink) arrived(show func(arrival) string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, a := range s.got {
		all = append(all, show(a))
	}
	return all
}

// authorization returns the Authorization headers of the requests that arrived.
func (s *sink) authorization() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.auth)
}

// wrong returns the requests whose signature is not the endpoint's.
func (s *sink) wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bad)
}

var deliveriesOfRouted = regexp.MustCompile(`routed +evt_\S+ to (\d+) endpoint`)

// settled reports, from a relay's output, whether every accepted event was routed and every
// delivery of them was made, or has died.
func settled(printed string) bool {
	routed, deliveries := 0, 0
	for _, m := range deliveriesOfRouted.FindAllStringSubmatch(printed, -1) {
		n, _ := strconv.Atoi(m[1])
		routed, deliveries = routed+1, deliveries+n
	}
	for _, other := range []string{" unrouted ", " duplicate "} {
		routed += strings.Count(printed, other)
	}
	return routed == strings.Count(printed, " accepted ") &&
		deliveries == strings.Count(printed, " delivered ")+strings.Count(printed, " dead ")
}

func endpointAndType(a arrival) string { return a.endpoint + " " + a.eventType }

// example is one of docs/examples, on a local relay.
type example struct {
	*sink
	t             *testing.T
	addr          string
	configuration string
	dir           string // of the relay
}

// send signs a webhook for a source as its provider does, and returns what "relay send" printed.
func (e *example) send(provider, source string, args ...string) string {
	e.t.Helper()
	out, err := run(e.t, append([]string{
		"send", provider, "--config", e.configuration, "--source", source, "--to",
		"http://" + e.addr + "/in/" + source,
	},
		args...)...)
	if err != nil {
		e.t.Errorf("%s: %v\n%s", source, err, out)
	}
	return out
}

// sent checks what the stand-in of an endpoint's destination got, in order.
func (e *example) sent(endpoint string, parts ...string) {
	e.t.Helper()
	all, err := standin.Sent(e.dir, endpoint)
	if err != nil || len(all) != len(parts) {
		e.t.Fatalf("%s got %d messages, %v; want %d", endpoint, len(all), err, len(parts))
	}
	for i, m := range all {
		// the request has it as a JSON string
		if request := strings.ReplaceAll(m.Request, `\"`, `"`); !strings.Contains(request, parts[i]) {
			e.t.Errorf("%s got %s, want %s", endpoint, request, parts[i])
		}
	}
}

// TestExamples runs each of docs/examples on a local relay, and sends signed webhooks through it.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail  map[string]int // by endpoint: how many of the first requests fail
		send  func(*example)
		show  func(arrival) string
		order bool // the expected arrivals, formatted by show
		want  []string
		check func(*example)
	}{
		"notifications": {send: func(e *example) {
			e.send("bearer", "shop", "--type", "order.created")
			e.send(
				"bearer", "shop", "--type", "order.created", "--body",
				writeFile(e.t, "b.json", `{"order":{"customer":{"id":"C-2"}}}`),
			)
			e.send(
				"bearer", "shop", "--type", "order.shipped", "--body",
				writeFile(e.t, "b.json", `{"order":{"customer":{"id":"C-2"}}}`),
			)
			e.send(
				"bearer", "shop", "--type", "order.shipped", "--body",
				writeFile(e.t, "b.json", `{"order":{"customer":{"id":"C-3"}}}`),
			)
		}, show: endpointAndType, want: []string{
			"customer-a order.created", "customer-b webhook.ping", "customer-b order.shipped",
		}},

		"integrations": {send: func(e *example) {
			e.send("github", "github", "--type", "ping")
			e.send("github", "github", "--type", "push")
			e.send("github", "github", "--type", "pull_request.opened")
			e.send("stripe", "stripe", "--type", "invoice.paid")
			e.send("stripe", "stripe", "--type", "charge.succeeded")
			e.send("stripe", "stripe", "--type", "charge.succeeded") // a repeat
			wrong, err := run(
				e.t, "send", "github", "--to", "http://"+e.addr+"/in/github", "--secret", "another",
			)
			if err == nil || !strings.Contains(err.Error(), "answered 401") {
				e.t.Errorf("another secret: %v\n%s", err, wrong)
			}
		}, show: endpointAndType, want: []string{
			"ci push", "ci pull_request.opened", "billing charge.succeeded",
		}},

		"automation": {send: func(e *example) {
			handshake := `{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
			if out := e.send(
				"slack", "slack", "--body", writeFile(e.t, "b.json", handshake),
			); !strings.Contains(out, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P") {
				e.t.Errorf("the handshake is not answered:\n%s", out)
			}
			e.send("slack", "slack")
			other := `{"event":{"type":"app_mention","channel":"C0OTHER"},"type":"event_callback","event_id":"Ev1"}`
			e.send("slack", "slack", "--body", writeFile(e.t, "b.json", other))
		}, fail: map[string]int{"workflows": 1}, order: true, show: func(a arrival) string {
			return a.eventType + " " + a.attempt
		},
			want: []string{"app_mention 1", "app_mention 2"},
			check: func(e *example) {
				if diff := cmp.Diff(
					[]string{"Bearer workflow-token", "Bearer workflow-token"}, e.authorization(),
				); diff != "" {
					e.t.Errorf("Authorization (-want +got):\n%s", diff)
				}
			}},

		"chat": {send: func(e *example) {
			e.send("github", "github", "--type", "push")
			e.send("github", "github", "--type", "ping")
			e.send("stripe", "stripe", "--type", "invoice.paid")
		}, show: func(a arrival) string { return a.endpoint + " " + a.body }, want: []string{
			`slack {"text":"*anna-example* pushed to example-org/shop: Charge the card only once","blocks":[{"type":"section",` +
				`"text":{"type":"mrkdwn","text":"*anna-example* pushed to example-org/shop: Charge the card only once",` +
				`"verbatim":true}}],"unfurl_links":false,"unfurl_media":false}`,
			`discord {"content":"**Carla Customer** paid 19.00 EUR","allowed_mentions":{"parse":[]}}`,
		}},

		"two-systems": {send: func(e *example) {
			e.send("github", "github", "--type", "pull_request.opened")
			e.send("github", "github", "--type", "push")
		}, show: func(a arrival) string {
			line := a.endpoint + " " + a.method + " " + a.path + " " + a.eventType
			if a.endpoint == "tracker" {
				return line + " " + a.body
			}
			mac := hmac.New(sha256.New, []byte("builds-secret"))
			_, _ = mac.Write([]byte(a.body))
			return fmt.Sprint(line, " ", a.github == "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}, want: []string{
			"builds POST  pull_request.opened true", "builds POST  push true",
			`tracker PUT reviews/42 pull_request.opened {"title":"Refund in the customer's currency",` +
				`"author":"ben-example","link":"https://github.example.com/example-org/shop/pull/42"}`,
		}},

		"workflow": {send: func(e *example) {
			e.send("bearer", "shop", "--type", "order.created")
			e.send(
				"bearer", "shop", "--type", "order.created", "--body",
				writeFile(e.t, "b.json", `{"order":{"total":"1.00"}}`),
			)
			eventually(e.t, "what does not fit dies", func() bool {
				out, err := run(e.t, "deliveries", "--reason", "schema", "--data", e.dir)
				return err == nil && strings.Contains(out, "fulfil")
			})
		}, show: endpointAndType, order: true, want: nil, check: func(e *example) {
			e.sent("fulfil", `{"order":"1001","customer":"C-1","lines":[{"sku":"MUG-BLUE","quantity":2,`+
				`"unitPrice":"12.45"},{"sku":"TEA-500G","quantity":1,"unitPrice":"25.00"}]}`)
		}},

		"two-copies": {send: func(e *example) {
			for version := range 3 {
				text := fmt.Sprintf(
					`{"type":"user.updated","timestamp":"2026-01-15T12:00:00Z","data":{"id":"a","version":%d}}`,
					version,
				)
				e.send("standard-webhooks", "accounts", "--body", writeFile(e.t, "b.json", text))
			}
		}, fail: map[string]int{"replica": 1}, order: true, show: func(a arrival) string {
			_, version, _ := strings.Cut(a.body, `"version":`)
			return strings.TrimRight(version, "}") + " attempt " + a.attempt
		}, want: []string{
			"0 attempt 1", "0 attempt 2", "1 attempt 1", "2 attempt 1",
		}, check: func(e *example) {
			e.sent("queue", `"version":0}`, `"version":1}`, `"version":2}`)
		}},

		"synchronization": {send: func(e *example) {
			for _, body := range []string{"a 1", "a 2", "a 3", "b 1"} {
				id, version, _ := strings.Cut(body, " ")
				text := fmt.Sprintf(
					`{"type":"user.updated","timestamp":"2026-01-15T12:00:00Z","data":{"id":%q,"version":%s}}`,
					id, version,
				)
				e.send("standard-webhooks", "accounts", "--body", writeFile(e.t, "b.json", text))
			}
		}, fail: map[string]int{"replica": 1}, order: false, show: func(a arrival) string {
			for _, version := range []string{
				`"a","version":1`, `"a","version":2`, `"a","version":3`, `"b","version":1`,
			} {
				if strings.Contains(a.body, version) {
					return strings.NewReplacer(
						`"`, "", `,"version":`, " ",
					).Replace(version) + " attempt " + a.attempt
				}
			}
			return a.body
		}, want: []string{
			"a 1 attempt 1", "a 1 attempt 2", "a 2 attempt 1", "a 3 attempt 1", "b 1 attempt 1",
		},
			check: func(e *example) {
				of := e.arrived(func(a arrival) string { return a.body + a.attempt })
				of = slices.DeleteFunc(of, func(s string) bool {
					return !strings.Contains(s, `"id":"a"`)
				})
				if !slices.IsSorted(of) { // they differ only in version and attempt
					e.t.Errorf("the account's changes came out of order: %q", of)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, configuration := newSink(t, name)
			if tt.fail != nil {
				s.fail = tt.fail
			}
			dir := t.TempDir()
			addr, printed := startLocal(t, "--data", dir, "--config", configuration)
			e := &example{sink: s, t: t, addr: addr, configuration: configuration, dir: dir}
			tt.send(e)
			defer func() {
				if t.Failed() {
					t.Logf("the relay printed\n%s", printed)
				}
			}()
			eventually(t, "everything accepted is routed and delivered", func() bool {
				return settled(printed.String()) && len(s.arrived(tt.show)) >= len(tt.want)
			})
			got := s.arrived(tt.show)
			want := slices.Clone(tt.want)
			if !tt.order {
				slices.Sort(got)
				slices.Sort(want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("arrived (-want +got):\n%s", diff)
			}
			if wrong := s.wrong(); len(wrong) > 0 {
				t.Errorf("signatures: %q", wrong)
			}
			if tt.check != nil {
				tt.check(e)
			}
		})
	}
}

// TestPageOfEachExample writes each example into the page that explains it.
func TestPageOfEachExample(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/*.yaml")
	if err != nil || len(files) != 8 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page.Hold(
			t, strings.TrimSuffix(file, ".yaml")+".md", "configuration",
			"```yaml\n"+string(text)+"```\n",
		)
	}
}
