package admin_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
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

// TestTheRequestOfADelivery: whoever may look sees what is sent, and could not send it.
func TestTheRequestOfADelivery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, viewer, event := r.token(access.Admin, "acme"), r.token(access.Read, "acme"), r.story()
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	path := "/v1/deliveries/" + event + "/shop/request"
	remove := request{method: "DELETE", path: "/v1/endpoints/shop", token: boss}
	look := func(endpoint map[string]any) (d admin.DeliveryRequest) {
		t.Helper()
		r.send(remove)
		r.put("/v1/endpoints/shop", boss, endpoint)
		a := r.send(request{method: "GET", path: path, token: viewer}).wants(200, &d)
		if strings.Contains(string(a.body), "hush") || strings.Contains(string(a.body), "v1,") {
			t.Errorf("it has a secret, or a proof: %s", a.body)
		}
		return d
	}
	d := look(map[string]any{
		"url": "https://plain.example.com/a?b=c", "headers": map[string]string{"X-Own": "hush"},
		"auth": map[string]any{"bearer": "hush-token"},
	})
	for name, want := range map[string]string{
		"relay-source": "app", "webhook-id": event, "webhook-signature": relay.Hidden,
		"x-own": relay.Hidden, "authorization": "", "relay-attempt": "2",
	} {
		if d.Headers[name] != want {
			t.Errorf("header %s is %q, want %q", name, d.Headers[name], want)
		}
	}
	if d.Method != "POST" || d.To != "https://plain.example.com/a?b=c" ||
		string(d.Body) != `{"n": 12345678901234567890}` {
		t.Errorf("%+v %s", d, d.Body)
	}
	d = look(map[string]any{
		"url": "https://shaped.example.com/a", "send": json.RawMessage(`{"app": {
			"body": {"n": "{data.n}"}, "path": "/orders", "query": {"x": "1"}, "method": "PUT"}}`),
	})
	if d.Method != "PUT" || d.To != "https://shaped.example.com/a/orders?x=1" ||
		string(d.Body) != `{"n":12345678901234567890}` {
		t.Errorf("%+v %s", d, d.Body)
	}
	d = look(map[string]any{
		"url": "https://own.example.com", "auth": map[string]any{
			"provider": "github", "secret": "hush-key", "standard": false,
		},
	})
	if _, has := d.Headers["webhook-id"]; has || d.To != "https://own.example.com" {
		t.Errorf("%+v", d)
	}
	d = look(map[string]any{
		"url": "https://jq.example.com", "send": map[string]any{
			"app": map[string]string{"jq": "{n: .data.n}"},
		},
	})
	if !strings.Contains(d.Error, "jq program") || d.Body != nil {
		t.Errorf("%+v", d)
	}
	r.send(remove).wants(204, nil)
	if r.send(request{method: "GET", path: path, token: viewer}).wants(200, &d); !strings.Contains(
		d.Error, "deleted",
	) {
		t.Errorf("%+v", d)
	}
	for _, other := range []string{event + "/nobody", "evt_none/shop"} {
		r.send(request{
			method: "GET", path: "/v1/deliveries/" + other + "/request", token: viewer,
		}).problem(404, "not-found")
	}
}

// TestTheMessageToADestination: of a destination in AWS it is the message.
func TestTheMessageToADestination(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
	r := newRig(t, func(c *admin.Config) { c.Granted, c.JQ = []string{arn}, skipper{} })
	boss, event := r.token(access.Admin, ""), r.story()
	look := func(endpoint map[string]any) (d admin.DeliveryRequest) {
		t.Helper()
		r.send(request{method: "DELETE", path: "/v1/endpoints/audit", token: boss})
		r.put("/v1/endpoints/audit", boss, endpoint)
		r.send(request{
			method: "GET", path: "/v1/deliveries/" + event + "/audit/request",
			token: r.token(access.Read, ""),
		}).wants(200, &d)
		return d
	}
	d := look(map[string]any{"url": arn, "group": "{type}"})
	if d.To != arn || d.Options["group"] != "invoice.paid" || d.Method != "" ||
		d.Headers["content-type"] != "application/json" ||
		string(d.Body) != `{"n": 12345678901234567890}` {
		t.Errorf("%+v %s", d, d.Body)
	}
	for _, url := range []string{arn, "https://audit.example.com"} {
		d = look(map[string]any{
			"url": url, "send": map[string]any{"acme/app": map[string]string{"jq": "empty"}},
		})
		if !d.Skipped || d.Body != nil {
			t.Errorf("%s: %+v", url, d)
		}
	}
}
