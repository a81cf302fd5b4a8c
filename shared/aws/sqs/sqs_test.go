package sqs_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
)

func TestQueueConforms(t *testing.T) {
	cfg := emulator.Config(emulator.Start(t).SQS)
	client := awssqs.NewFromConfig(cfg)
	conformance.Queue(t, func(t *testing.T) conformance.QueueUnderTest {
		return queueUnderTest(cfg, newQueue(t, client, "", map[string]string{}))
	})
}

func TestOrderedQueueConforms(t *testing.T) {
	cfg := emulator.Config(emulator.Start(t).SQS)
	client := awssqs.NewFromConfig(cfg)
	conformance.OrderedQueue(t, func(t *testing.T) conformance.OrderedQueueUnderTest {
		url := newQueue(t, client, ".fifo", map[string]string{"FifoQueue": "true"})
		return conformance.OrderedQueueUnderTest{QueueUnderTest: queueUnderTest(cfg, url)}
	})
}

func queueUnderTest(cfg aws.Config, url string) conformance.QueueUnderTest {
	client, queue := awssqs.NewFromConfig(cfg), sqs.New(sqs.Client(cfg), url)
	return conformance.QueueUnderTest{
		Queue:      queue,
		Hold:       queue.Hold,
		Visibility: visibility,
		Receive: func(ctx context.Context, limit int) ([]relay.Message, error) {
			out, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
				QueueUrl: &url, MaxNumberOfMessages: int32(limit), WaitTimeSeconds: 1,
				MessageAttributeNames: []string{"All"},
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{
					types.MessageSystemAttributeNameAll,
				},
			})
			if ctx.Err() != nil {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			var msgs []relay.Message
			for _, m := range out.Messages {
				receives, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
				if err != nil {
					return nil, err
				}
				msgs = append(msgs, relay.Message{ID: *m.MessageId, Body: []byte(*m.Body),
					Receives: receives,
					Resent: aws.ToString(
						m.MessageAttributes[sqs.ResentAttribute].StringValue,
					) == "1",
					Group: m.Attributes["MessageGroupId"], Handle: *m.ReceiptHandle})
			}
			return msgs, nil
		},
		Ack: func(ctx context.Context, m relay.Message) error {
			_, err := client.DeleteMessage(
				ctx, &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &m.Handle},
			)
			return err
		},
	}
}

const visibility = 2 * time.Second

func newQueue(
	t *testing.T, client *awssqs.Client, suffix string, attributes map[string]string,
) string {
	t.Helper()
	attributes["VisibilityTimeout"] = strconv.Itoa(int(visibility / time.Second))
	out, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{
		QueueName: aws.String("queue-" + rand.Text() + suffix), Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
}

func TestTheMessagesOfAQueueAreCounted(t *testing.T) {
	cfg := emulator.Config(emulator.Start(t).SQS)
	queue := sqs.New(sqs.Client(cfg), newQueue(t, awssqs.NewFromConfig(cfg), "", map[string]string{}))
	for want := range 3 {
		if n, err := queue.Len(t.Context()); n != want || err != nil {
			t.Errorf("%d messages, %v; want %d", n, err, want)
		}
		if err := errors.Join(queue.Send(t.Context(), []relay.Outgoing{{Body: []byte("{}")}})...); err != nil {
			t.Fatal(err)
		}
	}
	missing := sqs.New(sqs.Client(cfg), sqs.Beside(*cfg.BaseEndpoint+"/000000000000/other", "missing"))
	if _, err := missing.Len(t.Context()); err == nil || !strings.Contains(err.Error(), "of missing:") {
		t.Errorf("a queue that there is not: %v", err)
	}
}
