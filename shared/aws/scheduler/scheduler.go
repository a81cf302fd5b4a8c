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

// sendMessage is the universal target that calls SQS's SendMessage; its input is that call's, in JSON (EventBridge Scheduler
// User Guide, "Using universal targets"). The partition comes before it.
const sendMessage = ":scheduler:::aws-sdk:sqs:sendMessage"

// What Scheduler does while SQS refuses: the most it offers.
const (
	retrySeconds = 86400
	retryTries   = 185
)

// lead is how far ahead a time must be at least: Scheduler takes none that has passed, and works in whole minutes.
const lead = time.Minute

// resentAttribute must be the name that consumers of the queue look for, sqs.ResentAttribute. Adapters do not import each
// other, so a test holds the two together.
const resentAttribute = "Resent"

// Target says where messages go. All fields are required.
type Target struct {
	Group    string // schedule group that the schedules are made in
	QueueURL string // the queue that gets the messages
	RoleARN  string // the role that Scheduler sends them with; the target is in its partition
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

// Schedule implements relay.Scheduler. The time is rounded up to a whole second, and is at least a minute ahead. msg.Delay is of no
// account: the time says when.
func (s *Scheduler) Schedule(ctx context.Context, name string, at time.Time, msg relay.Outgoing) error {
	if soonest := time.Now().Add(lead); at.Before(soonest) {
		at = soonest
	}
	partition, _, _ := strings.Cut(s.target.RoleARN, ":iam:")
	_, err := s.client.CreateSchedule(ctx, &awsscheduler.CreateScheduleInput{
		Name:                  &name,
		GroupName:             &s.target.Group,
		ScheduleExpression:    aws.String(at.UTC().Add(time.Second - 1).Format("at(2006-01-02T15:04:05)")),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn:         aws.String(partition + sendMessage),
			RoleArn:     &s.target.RoleARN,
			Input:       aws.String(string(s.input(msg))),
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(retrySeconds), MaximumRetryAttempts: aws.Int32(retryTries)},
		},
	})
	var pending *types.ConflictException
	if err != nil && !errors.As(err, &pending) {
		return fmt.Errorf("scheduler: schedule %s for %s: %w", name, at.UTC().Format(time.RFC3339), err)
	}
	return nil
}

// input encodes the call of SendMessage. Scheduler puts values of its own in the place of keywords like
// <aws.scheduler.execution-id>; none is in the input, since the encoder writes each "<" as an escape.
func (s *Scheduler) input(msg relay.Outgoing) []byte {
	m := message{QueueURL: s.target.QueueURL, Body: string(msg.Body), Group: msg.Group}
	if msg.Resent {
		m.Attributes = map[string]attribute{resentAttribute: {DataType: "String", StringValue: "1"}}
	}
	b, _ := json.Marshal(m) // strings always encode
	return b
}
