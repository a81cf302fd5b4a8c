package main

import (
	"context"
	"io"
	"net/http"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/events"
)

// demoEndpoint is the demonstration's receiver. Like any receiver it checks the signature with the
// Standard Webhooks library. It answers 503 the first time it gets a webhook, and accepts it from
// then on.
type demoEndpoint struct {
	webhook *standardwebhooks.Webhook
	out     *console

	mu   sync.Mutex
	seen map[string]bool // by webhook-id
}

func newDemoEndpoint(out *console) *demoEndpoint {
	webhook, err := standardwebhooks.NewWebhook(events.DemoEndpointSecret)
	if err != nil {
		panic(err) // cannot fail: the secret is a constant
	}
	return &demoEndpoint{webhook: webhook, out: out, seen: map[string]bool{}}
}

func (d *demoEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has closed the connection
	}
	if err := d.webhook.Verify(body, r.Header); err != nil {
		d.out.printf("endpoint  got a request with an invalid signature: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := r.Header.Get(standardwebhooks.HeaderWebhookID)
	if d.firstTime(id) {
		d.out.printf("endpoint  got %s, signature valid, and fails on purpose", id)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	d.out.printf("endpoint  got %s, signature valid, %d bytes, and accepts", id, len(body))
	w.WriteHeader(http.StatusNoContent)
}

func (d *demoEndpoint) firstTime(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.seen[id]
	d.seen[id] = true
	return first
}

// sendDemo sends the demonstration's sample. If the relay refuses it, that is printed, and the host
// goes on.
func sendDemo(ctx context.Context, addr string, out *console) error {
	send := sendCommand{Provider: "github", To: "http://" + addr + "/in/github"}
	if err := send.send(ctx, out.printf); err != nil && ctx.Err() == nil {
		out.printf("the sample was not accepted: %v", err)
	}
	return nil
}
