package admin_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/relay/access"
)

// TestPreview: the request has the transform and a valid signature, and no secret.
func TestPreview(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, event := r.token(access.Admin, "acme"), r.story()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	r.put("/v1/endpoints/plain", boss, map[string]any{
		"url": "https://plain.example.com/a?b=c", "secrets": []string{secret},
		"headers": map[string]string{"X-Own": "hush"},
		"auth":    map[string]any{"bearer": "hush-token"},
	})
	r.put("/v1/endpoints/shaped", boss, map[string]any{
		"url": "https://shaped.example.com/a?b=c", "secrets": []string{secret},
		"send": json.RawMessage(`{"app": {"body": {"n": "{data.n}"}, "path": "/orders",
			"query": {"x": "1"}, "method": "PUT"}}`),
	})
	type preview struct {
		Method, Path, Query string
		Headers             map[string]string
		Body                string
	}
	look := func(endpoint string) (p preview, body []byte) {
		t.Helper()
		a := r.send(request{
			method: "POST", path: "/v1/endpoints/" + endpoint + "/preview",
			token: r.token(access.Operate, "acme"), body: map[string]string{"event": event},
		}).wants(200, &p)
		if strings.Contains(string(a.body), "hush") || strings.Contains(string(a.body), secret) {
			t.Errorf("%s: it has a secret: %s", endpoint, a.body)
		}
		body, err := base64.StdEncoding.DecodeString(p.Body)
		must(t, err)
		verifier, err := standardwebhooks.NewWebhook(secret)
		must(t, err)
		header := http.Header{}
		for name, value := range p.Headers {
			header.Set(name, value)
		}
		must(t, verifier.Verify(body, header))
		return p, body
	}
	p, body := look("plain")
	if p.Method != "POST" || p.Path != "" || p.Query != "" ||
		string(body) != `{"n": 12345678901234567890}` ||
		p.Headers["relay-source"] != "app" || p.Headers["webhook-id"] != event {
		t.Errorf("%+v %s", p, body)
	}
	p, body = look("shaped")
	if p.Method != "PUT" || p.Path != "/orders" || p.Query != "x=1" ||
		string(body) != `{"n":12345678901234567890}` {
		t.Errorf("%+v %s", p, body)
	}
}

// TestNoPreview: what only the relay itself can make says why.
func TestNoPreview(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, event := r.token(access.Admin, "acme"), r.story()
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	r.put("/v1/endpoints/jq", boss, map[string]any{
		"url": "https://jq.example.com", "send": map[string]any{
			"app": map[string]string{"jq": "{n: .data.n}"},
		},
	})
	ask := func(endpoint, event string) request {
		return request{
			method: "POST", path: "/v1/endpoints/" + endpoint + "/preview", token: boss,
			body: map[string]string{"event": event},
		}
	}
	if p := r.send(ask("jq", event)).problem(409, "not-possible-now"); !strings.Contains(
		p.Detail, "jq program",
	) {
		t.Errorf("%+v", p)
	}
	r.send(ask("nobody", event)).problem(404, "not-found")
	r.send(ask("jq", "evt_none")).problem(404, "not-found")
}
