package deployed_test

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// aim makes an endpoint one that sends to a destination in AWS, if its name is that of one.
func aim(ep *catalog.Endpoint) {
	service := "states"
	switch ep.Name {
	case "queued":
		service, ep.URL = "sqs", deployed.SentQueue
		ep.Destination = &destination.Options{Group: "{data.n}", Claim: destination.ClaimS3}
	case "archived":
		service, ep.URL = "s3", "s3://sent/{source}/{id}.json.gz"
		ep.Destination = &destination.Options{}
	case "started":
		ep.URL, ep.Destination = deployed.SentMachine, &destination.Options{}
	case "awaited":
		ep.URL, ep.Destination = deployed.SentExpress, &destination.Options{Wait: true}
	default:
		return
	}
	ep.Auth = &catalog.Auth{SigV4: &catalog.SigV4{Service: service, Region: "eu-central-1"}}
	if service == "s3" {
		ep.Auth.SigV4.Region = "" // the relay's own
	}
}

// queued: a queue gets each webhook once, with its group. What is too large for the queue is
// fetched with the URL that comes in its place.
func queued(t *testing.T, w *world) {
	small, large := `{"n":1}`, `{"n":2,"text":"`+strings.Repeat("x", 300<<10)+`"}`
	sent := map[string]string{}
	for _, body := range []string{small, large} {
		id := w.send(t, "queued", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(body)})
		w.settled(t, id, "queued", relay.Delivered, 1)
		sent[id] = body
	}
	for id, got := range w.received(t, len(sent)) {
		text := got.body
		if got.claim {
			var pointer struct {
				Claim struct{ URL, Bucket, Key string }
			}
			if err := json.Unmarshal([]byte(text), &pointer); err != nil {
				t.Fatal(err)
			}
			if pointer.Claim.Bucket != w.host.Outputs["BodiesBucket"] ||
				!strings.HasPrefix(pointer.Claim.Key, "claim/") {
				t.Errorf("it points to %+v", pointer.Claim)
			}
			text = fetched(t, pointer.Claim.URL)
		}
		if text != sent[id] || got.claim != (text == large) || got.group != text[5:6] {
			t.Errorf("%s: group %q, claim %v: %.100s", id, got.group, got.claim, text)
		}
	}
}

type sentMessage struct {
	body, group string
	claim       bool
}

// received takes messages from the queue that endpoints send to, by the event's id.
func (w *world) received(t *testing.T, n int) map[string]sentMessage {
	t.Helper()
	url, err := w.host.SQS.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{
		QueueName: new("sent.fifo"),
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]sentMessage{}
	eventually(t, "the queue has them", func() bool {
		got, err := w.host.SQS.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
			QueueUrl: url.QueueUrl, MaxNumberOfMessages: 10,
			MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{
				sqstypes.MessageSystemAttributeNameMessageGroupId,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got.Messages {
			id := *m.MessageAttributes["webhook-id"].StringValue
			if _, twice := all[id]; twice {
				t.Errorf("%s came twice", id)
			}
			_, claim := m.MessageAttributes["relay-claim"]
			all[id] = sentMessage{body: *m.Body, claim: claim, group: m.Attributes["MessageGroupId"]}
			if _, err := w.host.SQS.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{
				QueueUrl: url.QueueUrl, ReceiptHandle: m.ReceiptHandle,
			}); err != nil {
				t.Fatal(err)
			}
		}
		return len(all) >= n
	})
	return all
}

func fetched(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %v %s", answer.StatusCode, err, body)
	}
	return string(body)
}

// workflows: a workflow is started once for each webhook, with the event as its input.
func workflows(t *testing.T, w *world) {
	for endpoint, machine := range map[string]string{
		"started": deployed.SentMachine, "awaited": deployed.SentExpress,
	} {
		id := w.send(t, endpoint, verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{"n":3}`)})
		d := w.settled(t, id, endpoint, relay.Delivered, 1)
		input := w.host.States.Executions(machine)[id]
		if !strings.HasPrefix(input, `{"id":"`+id) || !strings.HasSuffix(input, `"data":{"n":3}}`) {
			t.Errorf("%s: %q of %v", endpoint, input, w.host.States.Executions(machine))
		}
		if answer := string(d.History[0].Response); endpoint == "awaited" &&
			!strings.Contains(answer, "SUCCEEDED") {
			t.Errorf("recorded %q", answer)
		}
	}
}

// archived: a bucket gets each webhook as an object.
func archived(t *testing.T, w *world) {
	body := `{"n":4}`
	id := w.send(t, "archived", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(body)})
	w.settled(t, id, "archived", relay.Delivered, 1)
	got, err := w.host.S3.GetObject(t.Context(), &awss3.GetObjectInput{
		Bucket: new("sent"), Key: new("archived/" + id + ".json.gz"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	unzip, err := gzip.NewReader(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzip)
	if err != nil || string(text) != body || got.Metadata["webhook-id"] != id {
		t.Errorf("%v, %s, %v", err, text, got.Metadata)
	}
}

// ungranted: the API refuses a destination that the stack does not grant.
func ungranted(t *testing.T, w *world) {
	c := newClient(t, w)
	for url, want := range map[string]int{
		deployed.SentQueue:       ok,
		deployed.SentQueue + "x": http.StatusUnprocessableEntity,
		"s3://archive/{id}":      http.StatusUnprocessableEntity,
	} {
		c.want(
			t, want, "PUT", fmt.Sprint("/v1/endpoints/tried-", want), `{"url": "`+url+`"}`,
			"if-none-match", "*",
		)
	}
	c.want(t, ok, "DELETE", "/v1/endpoints/tried-200", "")
}
