package handler_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

func TestTriggeredTellsQueuesFromRequests(t *testing.T) {
	t.Parallel()
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{
		{Name: "uploads", Verify: verify.Config{Provider: trigger.S3}},
		{Name: "open", Verify: verify.Config{Provider: "none"}},
	}}, 0); err != nil {
		t.Fatal(err)
	}
	var ingest, aside memory.Queue
	receiver := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &ingest, Aside: &aside, Bodies: &memory.Bodies{},
		Reporter: silent{},
	}))
	invoke := handler.Triggered(
		receiver, handler.Receive(receiver), map[string]string{"TriggerUploads": "uploads"},
	)
	batch := lab.Must(os.ReadFile("../../../events/receive/s3-object-created.json"))
	answer, err := invoke(t.Context(), batch)
	if got, ok := answer.(events.SQSEventResponse); err != nil || !ok ||
		len(got.BatchItemFailures) != 0 || len(ingest.List()) != 1 {
		t.Errorf("a batch: %+v, %v, %d events", answer, err, len(ingest.List()))
	}
	// whatever is in its body, a request is a request
	request := lab.Must(json.Marshal(request("open", string(batch), nil)))
	answer, err = invoke(t.Context(), request)
	if got, ok := answer.(events.APIGatewayV2HTTPResponse); err != nil || !ok ||
		got.StatusCode != 200 || len(ingest.List()) != 2 {
		t.Errorf("a request: %+v, %v", answer, err)
	}
	elsewhere := strings.Replace(string(batch), "TriggerUploads", "Other", 1)
	if _, err = invoke(t.Context(), json.RawMessage(elsewhere)); err == nil ||
		!strings.Contains(err.Error(), "Other is not the queue of a source") {
		t.Errorf("a batch of another queue: %v", err)
	}
}

func TestTriggeredAnswersWithWhatFailed(t *testing.T) {
	t.Parallel()
	receiver := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &memory.Catalog{}, Ingest: &memory.Queue{}, Bodies: &memory.Bodies{},
		Reporter: silent{},
	}))
	invoke := handler.Triggered(
		receiver, handler.Receive(receiver), map[string]string{"TriggerUploads": "uploads"},
	)
	answer, err := invoke(
		t.Context(), lab.Must(os.ReadFile("../../../events/receive/s3-object-created.json")),
	)
	if got, ok := answer.(events.SQSEventResponse); err != nil || !ok ||
		len(got.BatchItemFailures) != 1 {
		t.Errorf("without the source: %+v, %v, want the message to come again", answer, err)
	}
}

// TestAWebhookThatDoesNotFitItsSchemaIsToldWhere: its sender is one's own application.
func TestAWebhookThatDoesNotFitItsSchemaIsToldWhere(t *testing.T) {
	t.Parallel()
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{{
		Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{secret},
		Validation: catalog.Reject, Types: []catalog.EventType{{
			Name: "order", Schema: `{"properties": {"total": {"minimum": 0}}}`,
		}},
	}}}, 0); err != nil {
		t.Fatal(err)
	}
	var ingest memory.Queue
	receive := handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &ingest, Bodies: &memory.Bodies{}, Reporter: silent{},
	})))
	for body, want := range map[string]int{`{"total":1}`: 200, `{"total":-1}`: 422} {
		got, err := receive(t.Context(), request("app", body, verify.Header{
			"authorization": "Bearer " + secret, "webhook-type": "order",
		}))
		if err != nil || got.StatusCode != want {
			t.Fatalf("%s: %+v, %v", body, got, err)
		}
		checkAnswer(t, got)
		if want == 422 && !strings.Contains(
			got.Body, "does not fit the schema of its type: /total is less than 0",
		) {
			t.Errorf("answer %s", got.Body)
		}
	}
	if n := ingest.Len(); n != 1 {
		t.Errorf("%d accepted, want one", n)
	}
}
