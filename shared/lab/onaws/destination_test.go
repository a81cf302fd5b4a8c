package onaws_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

// TestDestinationQueue sends to queues of an emulator, and receives with the SDK's client.
func TestDestinationQueue(t *testing.T) {
	t.Parallel()
	services := emulator.Start(t)
	client := awssqs.NewFromConfig(virginia(services.SQS))
	poster := posterTo(services.SQS, keys)
	for _, name := range []string{"destination", "destination.fifo"} {
		attributes := map[string]string{}
		if name == "destination.fifo" {
			attributes["FifoQueue"] = "true"
		}
		queue, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{
			QueueName: &name, Attributes: attributes,
		})
		if err != nil {
			t.Fatal(err)
		}
		arns, err := client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
			QueueUrl:       queue.QueueUrl,
			AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
		})
		if err != nil {
			t.Fatal(err)
		}
		arn := arns.Attributes["QueueArn"]
		for attempt := 1; attempt <= 2; attempt++ { // a FIFO queue drops the second one
			sendTo(t, poster, arn, attempt)
		}
		got := receiveAll(t, client, queue.QueueUrl)
		if want := map[string]int{"destination": 2, "destination.fifo": 1}[name]; len(got) != want {
			t.Fatalf("%s: %d messages, want %d", name, len(got), want)
		}
		for _, m := range got {
			if *m.Body != `{"a":"é\u0000"}` ||
				*m.MessageAttributes["webhook-id"].StringValue != "evt_1" ||
				*m.MessageAttributes["relay-source"].StringValue != "app" {
				t.Errorf("%s: %s %v", name, *m.Body, m.MessageAttributes)
			}
		}
	}
	missing := "arn:aws:sqs:us-east-1:000000000000:missing"
	reply := postTo(t, poster, missing, 1)
	if reply.Result.Verdict != destination.Failed ||
		reply.Result.Code != "QueueDoesNotExist" {
		t.Errorf("%d %+v", reply.StatusCode, reply.Result)
	}
}

func sendTo(t *testing.T, poster relay.Poster, arn string, attempt int) {
	t.Helper()
	if reply := postTo(t, poster, arn, attempt); reply.Result.Verdict != destination.Accepted {
		t.Fatalf("%d %s %+v", reply.StatusCode, reply.Body, reply.Result)
	}
}

// virginia returns a configuration for clients of an emulated service in the region of the
// destinations.
func virginia(endpoint string) aws.Config {
	cfg := emulator.Config(endpoint)
	cfg.Region = "us-east-1"
	return cfg
}

// keys sign every request.
var keys = credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "local", "")

// posterTo returns the poster that deliver has, with an emulator in the place of AWS.
func posterTo(url string, keys aws.CredentialsProvider) *egress.Client {
	return egress.New(egress.Options{
		Unguarded: true, Credentials: keys, Endpoint: func(string) string { return url },
	})
}

func postTo(t *testing.T, poster relay.Poster, arn string, attempt int) relay.Reply {
	t.Helper()
	return post(t, poster, arn, destination.Message{
		Event: transform.Event{
			ID: "evt_1", Source: "app", Time: time.Now(), Body: []byte(`{"a":"é\u0000"}`),
		},
		Once: "evt_1", Endpoint: "orders", Attempt: attempt,
	}, destination.Options{})
}

func post(
	t *testing.T, poster relay.Poster, url string, m destination.Message, o destination.Options,
) relay.Reply {
	t.Helper()
	d, err := destination.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	d = d.In("us-east-1")
	texts, err := d.ParseTexts(o)
	if err != nil {
		t.Fatal(err)
	}
	if m.Texts, err = texts.Apply(m.Event); err != nil {
		t.Fatal(err)
	}
	r, err := d.Request(m, o)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := poster.Post(t.Context(), relay.Post{
		Method: r.Method, URL: r.URL, Header: r.Header, Body: r.Body, Timeout: time.Minute,
		To: &relay.Destination{Destination: d, Options: o, Request: r},
		Auth: &catalog.Auth{SigV4: &catalog.SigV4{
			Service: d.Service(), Region: d.Region,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func receiveAll(t *testing.T, client *awssqs.Client, url *string) (all []types.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		got, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return all
		}
		all = append(all, got.Messages...)
		for _, m := range got.Messages {
			if _, err := client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{
				QueueUrl: url, ReceiptHandle: m.ReceiptHandle,
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
