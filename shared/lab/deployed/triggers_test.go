package deployed_test

import (
	"net/http"
	"slices"
	"testing"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/events"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/schema"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// triggeredBy are the providers of the sources with a queue.
var triggeredBy = map[string]string{
	"news": trigger.SNS, "shop-bus": trigger.EventBridge, "uploads": trigger.S3,
}

// addTriggered adds the sources with a queue. Each has an endpoint of its name. The filter of news
// needs the message within SNS's envelope.
func addTriggered(c *catalog.Catalog, endpoints string) {
	for name, provider := range triggeredBy {
		s := catalog.Source{Name: name, Verify: verify.Config{Provider: provider}}
		if name == "shop-bus" {
			s.Types = []catalog.EventType{{
				Name: "Order Placed", Schema: `{"required": ["detail"]}`,
			}}
		}
		c.Sources = append(c.Sources, s)
		c.Endpoints = append(c.Endpoints, catalog.Endpoint{
			Name: name, URL: endpoints + "/" + name, Secrets: []string{signingSecret},
		})
		sub := catalog.Subscription{Source: name, Endpoint: name}
		if name == "news" {
			sub.Filter = `{"trust": ["verified"], "data": {"Message": {"order": [1001]}}}`
		}
		c.Subscriptions = append(c.Subscriptions, sub)
	}
}

// triggered sends the messages of services in AWS: SNS's through the emulator, with an envelope of
// the emulator's, the others in the documented form. One comes twice, and one has another form.
func triggered(t *testing.T, w *world) {
	for _, message := range []string{`{"order":1001}`, `{"order":7}`} {
		if err := w.host.Publish(t.Context(), deployed.TriggerTopic, message); err != nil {
			t.Fatal(err)
		}
	}
	bodies := map[string]string{}
	for source, queue := range map[string]string{
		"shop-bus": "TriggerShopBus", "uploads": "TriggerUploads",
	} {
		body, _, err := events.Triggered(triggeredBy[source], "")
		if err != nil {
			t.Fatal(err)
		}
		bodies[source] = string(body)
		for range 2 {
			w.put(t, queue, bodies[source])
		}
	}
	w.put(t, "TriggerUploads", `{"order":1}`)
	for source, eventType := range map[string]string{
		"news": "Notification", "shop-bus": "Order Placed", "uploads": "ObjectCreated:Put",
	} {
		eventually(t, "the event of "+source, func() bool { return len(w.arrived(source)) > 0 })
		got := w.arrived(source)[0]
		if got.header.Get(relay.HeaderEventType) != eventType ||
			got.header.Get("relay-trust") != string(verify.Verified) {
			t.Errorf("%s: headers %v", source, got.header)
		}
		record, err := w.ledger.EventRecord(t.Context(), got.header.Get("webhook-id"))
		if err != nil {
			t.Fatal(err)
		}
		if s := record.Schema; (s != nil) != (source == "shop-bus") ||
			s != nil && s.Status != schema.Passed {
			t.Errorf("%s: schema %+v", source, s)
		}
		if want := bodies[source]; want != "" && string(got.body) != want {
			t.Errorf("%s: body %s, want it as it came", source, got.body)
		}
	}
	eventually(t, "the message without a form of S3", func() bool {
		return w.messages(t, "TriggersDlq") == 1
	})
	for source := range triggeredBy {
		if n := len(w.arrived(source)); n != 1 {
			t.Errorf("%s: %d deliveries, want one", source, n)
		}
		// nobody sends to it over HTTP
		resp, err := http.Post( //nolint:noctx // a test
			w.host.Outputs["IngressUrl"]+"/in/"+source, "application/json", http.NoBody,
		)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s over HTTP: %s, want 404", source, resp.Status)
		}
	}
}

// put sends a message to a queue.
func (w *world) put(t *testing.T, queue, body string) {
	t.Helper()
	url := w.host.Queue(queue)
	if _, err := w.host.SQS.SendMessage(
		t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &body},
	); err != nil {
		t.Fatal(err)
	}
}

// arrived returns all POSTs to an endpoint.
func (w *world) arrived(endpoint string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[endpoint])
}
