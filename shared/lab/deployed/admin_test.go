package deployed_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/verify"
)

// ok stands for every 2xx.
const ok = http.StatusOK

// client speaks to the deployed API.
type client struct {
	w       *world // nil in a benchmark
	ingress string
	token   string
}

// newClient returns a client with a new token of the operator's.
func newClient(t *testing.T, w *world) client {
	t.Helper()
	return client{w: w, ingress: w.host.Outputs["IngressUrl"], token: newToken(t, w.host)}
}

func newToken(t testing.TB, host *deployed.Host) string {
	t.Helper()
	tokens := access.NewTokens(
		dynamo.NewDocuments(host.Tables, host.Outputs["CatalogTable"]), time.Now,
	)
	text, made, err := tokens.Make(access.Token{Name: "test", Role: access.Admin})
	if err == nil {
		err = tokens.Save(t.Context(), text, made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// newTenant makes a tenant whose source, endpoint and subscription have the tenant's id as their
// name. The endpoint's POSTs are kept under that name too.
func (c client) newTenant(t *testing.T, id string) {
	t.Helper()
	none := []string{"if-none-match", "*"}
	c.want(t, ok, "PUT", "/v1/tenants/"+id, fmt.Sprintf(`{"name": %q}`, id), none...)
	for _, resource := range [][2]string{
		{
			"sources",
			fmt.Sprintf(`{"provider": "standard-webhooks", "secrets": [%q]}`, signingSecret),
		},
		{"endpoints", fmt.Sprintf(`{"url": %q}`, c.w.endpoints+"/"+id)},
		{"subscriptions", fmt.Sprintf(`{"source": %q, "endpoint": %q}`, id, id)},
	} {
		c.want(t, ok, "PUT", "/v1/"+resource[0]+"/"+id+"?tenant="+id, resource[1], none...)
	}
}

// webhook sends a webhook to the source of a tenant that newTenant has made, waits until it is
// delivered, and returns the event's id.
func (c client) webhook(t *testing.T, tenant, deliveryID string, body []byte) string {
	t.Helper()
	v, err := verify.New(verify.Config{Provider: "standard-webhooks"}, []string{signingSecret})
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Sign(verify.Webhook{DeliveryID: deliveryID, Body: body}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	name, id := tenant+"/"+tenant, ""
	eventually(t, "the source is in force", func() bool {
		status, answer := c.w.post(t, "/in/"+name, r.Header, body)
		var accepted struct{ ID string }
		_ = json.Unmarshal(answer, &accepted) // it is empty then
		id = accepted.ID
		return status == http.StatusOK
	})
	c.w.settled(t, id, name, relay.Delivered, 1)
	return id
}

// administered runs a tenant through the API: its resources, a webhook and its body, actions on the
// endpoint, a token of its own, and the removal of it all.
func administered(t *testing.T, w *world) {
	c := newClient(t, w)
	c.want(t, ok, "GET", "/v1/health", "")
	c.want(t, ok, "GET", "/v1/openapi.json", "")
	c.want(t, ok, "GET", "/v1/providers", "")
	c.want(t, ok, "GET", "/v1/types", "")
	c.shapes(t)
	c.want(t, ok, "GET", "/v1/self", "")
	c.want(t, http.StatusUnauthorized, "GET", "/v1/tokens", "", "authorization", "Bearer nobody's")
	c.want(
		t, http.StatusUnprocessableEntity, "POST", "/v1/tokens", `{"name": "", "role": "read"}`,
		"idempotency-key", "two",
	)
	c.newTenant(t, "globex")
	const of = "?tenant=globex"
	for _, list := range []string{"sources", "endpoints", "subscriptions"} {
		c.want(t, ok, "GET", "/v1/"+list+of, "")
		c.want(t, ok, "GET", "/v1/"+list+"/globex"+of, "")
	}
	c.want(t, ok, "GET", "/v1/tenants", "")
	c.want(t, ok, "GET", "/v1/tenants/globex", "")
	event := c.deliveries(t, of)
	c.again(t, event)
	c.learned(t)
	c.want(t, ok, "POST", "/v1/endpoints/globex/pause"+of, `{}`)
	c.want(t, ok, "GET", "/v1/states"+of, "")
	c.want(t, ok, "GET", "/v1/troubled"+of, "")
	c.want(t, ok, "POST", "/v1/endpoints/globex/resume"+of, `{}`)
	c.want(t, ok, "POST", "/v1/endpoints/globex/ping"+of, `{}`)
	c.want(t, ok, "POST", "/v1/endpoints/globex/preview"+of, fmt.Sprintf(`{"event": %q}`, event))
	c.want(t, ok, "POST", "/v1/endpoints/globex/secret/rotate"+of, `{"keep": "1h"}`)
	c.want(t, ok, "GET", "/v1/endpoints/globex/state"+of, "")
	c.want(t, ok, "POST", "/v1/endpoints/globex/disable"+of, `{}`)
	c.want(t, ok, "POST", "/v1/endpoints/globex/resume"+of, `{}`)
	c.theirs(t, "globex", event)
	c.want(t, ok, "GET", "/v1/audit"+of, "")
	c.want(t, ok, "GET", "/v1/audit/verify"+of, "")
	w.queuesAreEmpty(t) // of the ping
	for _, path := range []string{"subscriptions", "endpoints", "sources"} {
		c.want(t, ok, "DELETE", "/v1/"+path+"/globex"+of, "")
	}
	c.want(t, ok, "DELETE", "/v1/tenants/globex", "")
	c.want(t, http.StatusNotFound, "GET", "/v1/tenants/globex", "")
}

// shapes tries a jq program, whose interpreter is a process beside the function.
func (c client) shapes(t *testing.T) {
	answer := c.do(t, ok, "POST", "/v1/try", `{
		"event": {"source": "large", "data": {"n": [3, 1, 2]}},
		"given": {"source": "large", "send": {"jq": ".data.n | sort"}}
	}`)
	if !bytes.Contains(answer, []byte(`"body":"[1,2,3]"`)) {
		t.Errorf("a jq program: %s", answer)
	}
}

// again sends a delivery of the tenant globex again, and its event to an endpoint that has
// subscribed since.
func (c client) again(t *testing.T, event string) {
	t.Helper()
	const of = "?tenant=globex"
	c.want(t, ok, "POST", "/v1/deliveries/"+event+"/globex/replay"+of, `{}`)
	eventually(t, "the delivery is sent again", func() bool {
		return len(c.w.posts("globex", event)) == 2
	})
	none := []string{"if-none-match", "*"}
	c.want(t, ok, "PUT", "/v1/endpoints/later"+of, fmt.Sprintf(
		`{"url": %q}`, c.w.endpoints+"/later",
	), none...)
	c.want(
		t, ok, "PUT", "/v1/subscriptions/later"+of, `{"source": "globex", "endpoint": "later"}`,
		none...,
	)
	eventually(t, "the event is sent to the new endpoint", func() bool {
		c.want(t, ok, "POST", "/v1/events/"+event+"/route"+of, `{}`)
		return len(c.w.posts("later", event)) == 1
	})
	for _, path := range []string{"subscriptions", "endpoints"} {
		c.want(t, ok, "DELETE", "/v1/"+path+"/later"+of, "")
	}
}

// learned lets a source of the tenant globex accept a secret from a handshake, and forget it.
func (c client) learned(t *testing.T) {
	t.Helper()
	const of = "?tenant=globex"
	c.want(
		t, ok, "PUT", "/v1/sources/learner"+of, `{"provider": "asana"}`, "if-none-match", "*",
	)
	c.want(t, ok, "POST", "/v1/sources/learner/secret/accept"+of, `{"for": "10m"}`)
	secret := rand.Text()
	eventually(t, "the handshake sets the secret", func() bool {
		status, _ := c.w.post(
			t, "/in/globex/learner", verify.Header{"x-hook-secret": secret}, nil,
		)
		return status/100 == 2
	})
	shown := c.want(t, ok, "POST", "/v1/sources/learner/secret/show"+of, `{}`)
	if shown["secret"] != secret {
		t.Errorf("learned %v, want %s", shown["secret"], secret)
	}
	c.want(t, ok, "DELETE", "/v1/sources/learner/secret"+of, "")
	c.want(t, ok, "DELETE", "/v1/sources/learner"+of, "")
}

// applied plans and applies a configuration file of a tenant, and exports it.
func applied(t *testing.T, w *world) {
	c := newClient(t, w)
	const of = "?tenant=umbrella"
	c.want(t, ok, "PUT", "/v1/tenants/umbrella", `{"name": "Umbrella"}`, "if-none-match", "*")
	const file = `
endpoints:
  - {name: shop, url: https://shop.example.com/hooks}
  - {name: audit, url: https://audit.example.com/hooks}
`
	yaml := []string{"content-type", "application/yaml"}
	for _, text := range []string{file, strings.Replace(file, "/hooks", "/webhooks", 1)} {
		planned := c.want(t, ok, "POST", "/v1/plan"+of, text, yaml...)
		c.want(
			t, ok, "POST", "/v1/apply"+of, text,
			append(yaml, "if-match", fmt.Sprintf(`"%v"`, planned["revision"]))...,
		)
	}
	if text := c.do(t, ok, "GET", "/v1/export"+of, ""); !bytes.Contains(
		text, []byte("https://shop.example.com/webhooks"),
	) {
		t.Errorf("exported: %s", text)
	}
}

// theirs looks at a tenant with a token of the tenant's own, which sees no other tenant.
func (c client) theirs(t *testing.T, tenant, event string) {
	t.Helper()
	made := c.want(
		t, ok, "POST", "/v1/tokens?tenant="+tenant, `{"name": "theirs", "role": "operate"}`,
		"idempotency-key", "one",
	)
	theirs := client{w: c.w, ingress: c.ingress, token: fmt.Sprint(made["token"])}
	theirs.want(t, ok, "GET", "/v1/endpoints/"+tenant, "")
	theirs.want(t, ok, "GET", "/v1/events/"+event+"?tenant="+tenant, "")
	theirs.want(t, http.StatusNotFound, "GET", "/v1/events/"+event+"?tenant=acme", "")
	theirs.want(t, http.StatusNotFound, "GET", "/v1/endpoints/tenants", "")
	theirs.want(t, http.StatusForbidden, "GET", "/v1/tenants", "")
	foreign := c.w.send(
		t, "acme/own", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)},
	)
	c.w.settled(t, foreign, "acme/tenants", relay.Delivered, 1)
	theirs.want(t, http.StatusNotFound, "GET", "/v1/events/"+foreign, "")
	c.want(t, ok, "GET", "/v1/events/"+foreign, "")
	c.want(t, ok, "GET", "/v1/tokens?tenant="+tenant, "")
	c.want(t, ok, "DELETE", fmt.Sprint("/v1/tokens/", made["id"], "?tenant=", tenant), "")
	theirs.want(t, http.StatusUnauthorized, "GET", "/v1/endpoints/"+tenant, "")
}

// deliveries sends a webhook with a large body, reads what became of it, and tries filters on it.
func (c client) deliveries(t *testing.T, of string) string {
	t.Helper()
	body := []byte(
		`{"of": "` + strings.Repeat("a body that must not be in a message ", 40<<10) + `"}`,
	)
	id := c.webhook(t, "globex", "large", body)
	found := c.want(t, ok, "GET", "/v1/events/lookup"+of+"&source=globex&delivery=large", "")
	if found["id"] != id {
		t.Errorf("found %v, want %s", found["id"], id)
	}
	c.want(t, ok, "GET", "/v1/events/"+id+of, "")
	c.want(t, ok, "GET", "/v1/deliveries/"+id+"/globex"+of, "")
	sent := c.want(t, ok, "GET", "/v1/deliveries/"+id+"/globex/request"+of, "")
	if sent["body"] != base64.StdEncoding.EncodeToString(body) {
		t.Errorf("the request of %s is %.300v", id, sent)
	}
	type listed struct{ ID, Event string }
	for path, want := range map[string]listed{
		"/v1/events": {ID: id}, "/v1/deliveries": {Event: id},
	} {
		found := items[listed](t, c.do(t, ok, "GET", path+of+"&from=-1h&source=globex", ""))
		if len(found) != 1 || found[0] != want {
			t.Errorf("%s: %v, want %v", path, found, want)
		}
	}
	if got := c.do(t, ok, "GET", "/v1/events/"+id+"/body"+of, ""); !bytes.Equal(got, body) {
		t.Errorf("the body has %d bytes, want %d", len(got), len(body))
	}
	c.want(t, http.StatusNotFound, "GET", "/v1/events/"+id+"?tenant=acme", "")
	tried := c.want(t, ok, "POST", "/v1/try"+of, fmt.Sprintf(
		`{"id": %q, "given": {"source": "globex", "filter": {"data": {"of": [1]}}}}`, id,
	))
	results, _ := tried["results"].([]any)
	if len(results) != 1 || results[0].(map[string]any)["matched"] != false {
		t.Errorf("tried: %v", tried)
	}
	return id
}

// listed lists what the operator may look at after the webhooks: refused requests, and the counts
// of the hour that was swept, whose two deliveries have ended.
func listed(t *testing.T, w *world) {
	c := newClient(t, w)
	type request struct{ Source, Reason string }
	requests := items[request](t, c.do(t, ok, "GET", "/v1/refused", ""))
	unknown := slices.ContainsFunc(requests, func(r request) bool { return r.Reason == "source" })
	if !unknown || !slices.Contains(requests, request{"github", "mismatch"}) {
		t.Errorf("refused requests: %v", requests)
	}
	type count struct {
		Name                string
		Accepted, Delivered int
		Partial             bool
	}
	counts := items[count](t, c.do(t, ok, "GET", "/v1/stats?by=source&from=-5h", ""))
	for _, source := range []string{"unstarted", "overdue"} {
		if !slices.Contains(counts, count{Name: source, Accepted: 1, Delivered: 1}) {
			t.Errorf("%s is not counted: %+v", source, counts)
		}
	}
}

// silent: the API knows which source is.
func silent(t *testing.T, w *world) {
	var source struct {
		Heard struct{ LastAt, ExpectedBy, SilentSince time.Time }
	}
	answer := newClient(t, w).do(t, ok, "GET", "/v1/sources/overdue", "")
	if err := json.Unmarshal(answer, &source); err != nil || source.Heard.LastAt.IsZero() ||
		source.Heard.ExpectedBy.IsZero() || source.Heard.SilentSince.IsZero() {
		t.Errorf("%s: %v", answer, err)
	}
}

// items returns the items of a list.
func items[T any](t *testing.T, answer []byte) []T {
	t.Helper()
	var list struct{ Items []T }
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatalf("%v: %.300s", err, answer)
	}
	return list.Items
}

// everyRouteWorks: each route was called, and served its request with the grants of the template.
func everyRouteWorks(t *testing.T, w *world) {
	served := map[string]bool{}
	for _, line := range w.log.lines("administered") {
		var request struct {
			Route      string
			StatusCode int
		}
		if err := json.Unmarshal(line, &request); err != nil {
			t.Fatal(err)
		}
		if request.StatusCode/100 == 2 {
			served[request.Route] = true
		}
	}
	for _, route := range admin.Routes {
		if !served[route.ID] && !route.Local() {
			t.Errorf("%s %s, %s, was never served", route.Method, route.Path, route.ID)
		}
	}
}

// want sends a request, and returns its answer as JSON if it has the status.
func (c client) want(
	t *testing.T, status int, method, path, body string, header ...string,
) map[string]any {
	t.Helper()
	var answer map[string]any
	got := c.do(t, status, method, path, body, header...)
	if len(got) > 0 {
		if err := json.Unmarshal(got, &answer); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, got)
		}
	}
	return answer
}

// do sends a request, and returns its answer. ok stands for every 2xx.
func (c client) do(
	t *testing.T, status int, method, path, body string, header ...string,
) []byte {
	t.Helper()
	got, answer := c.send(t, method, path, body, header...)
	if got != status && (status != ok || got/100 != 2) {
		t.Errorf("%s %s: %d, want %d: %.300s", method, path, got, status, answer)
	}
	return answer
}

// call is do in a benchmark, for answers of 2xx.
func (c client) call(b *testing.B, method, path, body string, header ...string) []byte {
	b.Helper()
	status, answer := c.send(b, method, path, body, header...)
	if status/100 != 2 {
		b.Fatalf("%s %s: %d: %.300s", method, path, status, answer)
	}
	return answer
}

func (c client) send(
	t testing.TB, method, path, body string, header ...string,
) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), method, c.ingress+path, strings.NewReader(body),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}
