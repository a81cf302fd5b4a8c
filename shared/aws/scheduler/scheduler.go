package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"webhook-relay/shared/relay"
)

// sendMessage is the universal target that calls SQS's SendMessage, without the partition that
// precedes it in the ARN. Its input is that call's input, in JSON (EventBridge Scheduler User
// Guide, "Using universal targets").
const sendMessage = ":scheduler:::aws-sdk:sqs:sendMessage"

// How long and how often Scheduler retries while SQS refuses: the largest values that it offers.
const (
	retrySeconds = 86400
	retryTries   = 185
)

// lead is the shortest time ahead. Scheduler refuses a time that has passed, and works in whole
// minutes.
const lead = time.Minute

// resentAttribute must equal sqs.ResentAttribute, the name that the queue's consumers look for.
// Adapters do not import each other, so a test compares the two.
const resentAttribute = "Resent"

// Target is where messages go. All fields are required.
type Target struct {
	Group    string // schedule group for the schedules
	QueueURL string // the queue that gets the messages
	RoleARN  string // the role that Scheduler sends them with; also gives the target's partition
}

// Scheduler implements relay.Scheduler for one queue and is safe for concurrent use.
type Scheduler struct {
	client *awsscheduler.Client
	target Target
}

// New returns the scheduler for a target.
func New(client *awsscheduler.Client, t Target) *Scheduler {
	return &Scheduler{client: client, target: t}
}

// message is the input of SQS's SendMessage.
type message struct {
	QueueURL   string               `json:"QueueUrl"`
	Body       string               `json:"MessageBody"`
	Group      string               `json:"MessageGroupId,omitempty"`
	Attributes map[string]attribute `json:"MessageAttributes,omitempty"`
}

type attribute struct {
	DataType    string
	StringValue string
}

// Schedule implements relay.Scheduler. The time is rounded up to a whole second, and to at least a
// minute ahead. msg.Delay is ignored.
func (s *Scheduler) Schedule(
	ctx context.Context, name string, at time.Time, msg relay.Outgoing,
) error {
	if soonest := time.Now().Add(lead); at.Before(soonest) {
		at = soonest
	}
	partition, _, _ := strings.Cut(s.target.RoleARN, ":iam:")
	_, err := s.client.CreateSchedule(ctx, &awsscheduler.CreateScheduleInput{
		Name:      &name,
		GroupName: &s.target.Group,
		ScheduleExpression: aws.String(at.UTC().Add(time.Second - 1).Format(
			"at(2006-01-02T15:04:05)",
		)),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn:     aws.String(partition + sendMessage),
			RoleArn: &s.target.RoleARN,
			Input:   aws.String(string(s.input(msg))),
			RetryPolicy: &types.RetryPolicy{
				MaximumEventAgeInSeconds: aws.Int32(retrySeconds),
				MaximumRetryAttempts:     aws.Int32(retryTries),
			},
		},
	})
	var pending *types.ConflictException
	if err != nil && !errors.As(err, &pending) {
		return fmt.Errorf(
			"scheduler: schedule %s for %s: %w", name, at.UTC().Format(time.RFC3339), err,
		)
	}
	return nil
}

// input encodes the call of SendMessage. Scheduler replaces keywords like
// <aws.scheduler.execution-id> in the input by its own values. The input contains none, since the
// encoder escapes each "<".
func (s *Scheduler) input(msg relay.Outgoing) []byte {
	m := message{QueueURL: s.target.QueueURL, Body: string(msg.Body), Group: msg.Group}
	if msg.Resent {
		m.Attributes = map[string]attribute{resentAttribute: {DataType: "String", StringValue: "1"}}
	}
	b, _ := json.Marshal(m) // encoding strings cannot fail
	return b
}
