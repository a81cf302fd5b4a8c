package deployed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/verify"
)

// ok stands for every 2xx.
const ok = http.StatusOK

// client speaks to the deployed API.
type client struct {
	w     *world
	token string
}

// administered runs a tenant through the API: a source, an endpoint and a subscription, a webhook
// and its body, actions on the endpoint, and the removal of it all.
func administered(t *testing.T, w *world) {
	tokens := access.NewTokens(
		dynamo.NewDocuments(w.host.DynamoDB, w.host.Outputs["CatalogTable"]), time.Now,
	)
	text, made, err := tokens.Make(access.Token{Name: "test", Role: access.Admin})
	if err == nil {
		err = tokens.Save(t.Context(), text, made)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := client{w: w, token: text}
	c.want(t, http.StatusUnauthorized, "GET", "/v1/tokens", "", "authorization", "Bearer nobody's")
	const of = "?tenant=globex"
	second := c.want(
		t, ok, "POST", "/v1/tokens", `{"name": "second", "role": "read"}`,
		"idempotency-key", "one",
	)
	id := second["id"]
	c.want(
		t, http.StatusUnprocessableEntity, "POST", "/v1/tokens", `{"name": "", "role": "read"}`,
		"idempotency-key", "two",
	)
	c.want(t, ok, "GET", "/v1/tokens", "")
	c.want(t, ok, "DELETE", fmt.Sprint("/v1/tokens/", id), "")
	c.want(t, ok, "PUT", "/v1/tenants/globex", `{"name": "Globex"}`, "if-none-match", "*")
	for path, body := range map[string]string{
		"/v1/sources/api": `{"provider": "bearer", "secrets": ["the-token-of-the-partner"]}`,
		"/v1/endpoints/api": fmt.Sprintf(
			`{"url": %q, "secrets": [%q]}`, w.endpoints+"/api", signingSecret,
		),
	} {
		c.want(t, ok, "PUT", path+of, body, "if-none-match", "*")
	}
	c.want(
		t, ok, "PUT", "/v1/subscriptions/api"+of,
		`{"source": "api", "endpoint": "api"}`, "if-none-match", "*",
	)
	c.want(t, ok, "GET", "/v1/endpoints/api"+of, "")
	c.deliveries(t, of)
	c.want(t, ok, "POST", "/v1/endpoints/api/pause"+of, `{}`)
	c.want(t, ok, "POST", "/v1/endpoints/api/resume"+of, `{}`)
	c.want(t, ok, "GET", "/v1/endpoints/api/state"+of, "")
	c.want(t, ok, "GET", "/v1/audit"+of, "")
	for _, path := range []string{"subscriptions", "endpoints", "sources"} {
		c.want(t, ok, "DELETE", "/v1/"+path+"/api"+of, "")
	}
}

// deliveries sends a webhook with a large body and a ping, and reads what became of the webhook.
func (c client) deliveries(t *testing.T, of string) {
	t.Helper()
	body := []byte(
		`{"of": "` + strings.Repeat("a body that must not be in a message ", 40<<10) + `"}`,
	)
	id := ""
	eventually(t, "the source is in force", func() bool {
		status, answer := c.w.post(t, "/in/globex/api", verify.Header{
			"authorization": "Bearer the-token-of-the-partner", "content-type": "application/json",
		}, body)
		var accepted struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(answer, &accepted) // it is empty then
		id = accepted.ID
		return status == http.StatusOK
	})
	c.w.settled(t, id, "globex/api", relay.Delivered, 1)
	c.want(t, ok, "GET", "/v1/events/"+id+of, "")
	c.want(t, ok, "GET", "/v1/deliveries/"+id+"/api"+of, "")
	if got := c.do(t, ok, "GET", "/v1/events/"+id+"/body"+of, ""); !bytes.Equal(got, body) {
		t.Errorf("the body has %d bytes, want %d", len(got), len(body))
	}
	c.want(t, http.StatusNotFound, "GET", "/v1/events/"+id+"?tenant=acme", "")
	c.want(t, ok, "POST", "/v1/endpoints/api/ping"+of, `{}`)
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

func (c client) do(
	t *testing.T, status int, method, path, body string, header ...string,
) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), method, c.w.host.Outputs["IngressUrl"]+path, strings.NewReader(body),
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
	if resp.StatusCode != status && (status != ok || resp.StatusCode/100 != 2) {
		t.Errorf("%s %s: %d, want %d: %.300s", method, path, resp.StatusCode, status, answer)
	}
	return answer
}
