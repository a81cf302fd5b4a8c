package scheduler_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/scheduler"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
)

const (
	region  = "eu-central-1"
	roleARN = "arn:aws:iam::000000000000:role/schedules"
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
})

func newScheduler(service *emulator.Scheduler, queueURL string) *scheduler.Scheduler {
	return scheduler.New(
		aws.Config{Region: region, BaseEndpoint: &service.URL, Credentials: credentials},
		scheduler.Target{Group: "relay", QueueURL: queueURL, RoleARN: roleARN},
	)
}

func TestSchedulerConforms(t *testing.T) {
	t.Parallel()
	conformance.Scheduler(t, func(t *testing.T) conformance.SchedulerUnderTest {
		service := emulator.NewScheduler(t)
		return conformance.SchedulerUnderTest{
			Scheduler: newScheduler(service, "https://sqs.test/1/retry"),
			Pending: func(t *testing.T) []conformance.Scheduled {
				t.Helper()
				var all []conformance.Scheduled
				for _, p := range service.Pending() {
					all = append(all, scheduled(t, p))
				}
				return all
			},
		}
	})
}

func scheduled(t *testing.T, p emulator.Schedule) conformance.Scheduled {
	t.Helper()
	var input struct {
		MessageBody, MessageGroupId string
		MessageAttributes           map[string]struct{ StringValue string }
	}
	if err := json.Unmarshal(p.Input, &input); err != nil {
		t.Fatal(err)
	}
	return conformance.Scheduled{Name: p.Name, At: p.At, Body: []byte(input.MessageBody),
		Group:  input.MessageGroupId,
		Resent: input.MessageAttributes[sqs.ResentAttribute].StringValue == "1"}
}

func TestAScheduleIsMadeAsIntended(t *testing.T) {
	t.Parallel()
	service := emulator.NewScheduler(t)
	at := time.Now().Add(time.Hour).Truncate(time.Second).Add(time.Millisecond)
	if err := newScheduler(service, "https://sqs.test/1/retry").Schedule(t.Context(), "one", at,
		relay.Outgoing{Body: []byte(`{"a":1}`), Group: "shipping", Resent: true}); err != nil {
		t.Fatal(err)
	}
	want := []emulator.Schedule{{
		Group: "relay", Name: "one", At: at.Truncate(time.Second).Add(time.Second).UTC(),
		RoleARN: roleARN,
		Input: json.RawMessage(`{"QueueUrl":"https://sqs.test/1/retry","MessageBody":"{\"a\":1}","MessageGroupId":"shipping",` +
			`"MessageAttributes":{"Resent":{"DataType":"String","StringValue":"1"}}}`),
		DeleteAfter: true, MaxAge: 24 * time.Hour, MaxTries: 185,
	}}
	if diff := cmp.Diff(want, service.Pending()); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
}

// The universal target is in the partition of the account, also in China and in the government
// clouds.
func TestTheTargetIsInTheRolesPartition(t *testing.T) {
	t.Parallel()
	service := emulator.NewScheduler(t)
	s := scheduler.New(
		aws.Config{Region: "cn-north-1", BaseEndpoint: &service.URL, Credentials: credentials},
		scheduler.Target{
			Group: "relay", QueueURL: "https://sqs.test/1/retry",
			RoleARN: "arn:aws-cn:iam::000000000000:role/schedules",
		},
	)
	if err := s.Schedule(
		t.Context(), "one", time.Now().Add(time.Hour), relay.Outgoing{Body: []byte("1")},
	); err != nil {
		t.Error(err)
	}
}

func TestAFiredScheduleArrivesAsTheQueueWouldHaveSentIt(t *testing.T) {
	t.Parallel()
	client := awssqs.New(awssqs.Options{
		Region: region, BaseEndpoint: aws.String(emulator.Start(t).SQS), Credentials: credentials,
	})
	queue, err := client.CreateQueue(
		t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String("retry-" + rand.Text())},
	)
	if err != nil {
		t.Fatal(err)
	}
	service := emulator.NewScheduler(t)
	msg := relay.Outgoing{
		Body: []byte(`{"text":"<aws.scheduler.execution-id> é \u0000"}`), Group: "shipping",
		Resent: true,
	}
	if err := newScheduler(service, *queue.QueueUrl).Schedule(
		t.Context(), "one", time.Now().Add(time.Hour), msg,
	); err != nil {
		t.Fatal(err)
	}
	if err := service.Fire(t.Context(), "relay", "one"); err != nil {
		t.Fatal(err)
	}
	out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: queue.QueueUrl, WaitTimeSeconds: 10,
		MessageAttributeNames: []string{sqs.ResentAttribute},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("received %d messages, %v", len(out.Messages), err)
	}
	got := out.Messages[0]
	facts := []string{
		*got.Body, aws.ToString(got.MessageAttributes[sqs.ResentAttribute].StringValue),
	}
	if diff := cmp.Diff([]string{string(msg.Body), "1"}, facts); diff != "" {
		t.Errorf("body, resent (-want +got):\n%s", diff)
	}
	if left := service.Pending(); len(left) != 0 {
		t.Errorf("%d schedules are left, want none", len(left))
	}
}

func TestARefusalIsAnError(t *testing.T) {
	t.Parallel()
	service := emulator.NewScheduler(t)
	err := newScheduler(service, "https://sqs.test/1/retry").Schedule(
		t.Context(), "a name with spaces", time.Now(), relay.Outgoing{Body: []byte("1")},
	)
	if signed.Code(err) != "ValidationException" {
		t.Errorf("error %v, want ValidationException", err)
	}
}
