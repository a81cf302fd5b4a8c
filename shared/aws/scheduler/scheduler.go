package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
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
	client *signed.Client
	target Target
}

// New returns the scheduler for a target. It calls nothing yet.
func New(cfg aws.Config, t Target) *Scheduler {
	return &Scheduler{
		client: signed.New(cfg, signed.Service{ID: "Scheduler", Name: "scheduler"}), target: t,
	}
}

// schedule is the input of CreateSchedule:
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
type schedule struct {
	GroupName             string
	ScheduleExpression    string
	FlexibleTimeWindow    struct{ Mode string }
	ActionAfterCompletion string
	Target                struct {
		ARN         string `json:"Arn"`
		RoleARN     string `json:"RoleArn"`
		Input       string
		RetryPolicy struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts int }
	}
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
	body, err := signed.Encode(s.schedule(at, msg))
	if err == nil {
		_, err = s.client.Do(ctx, signed.Request{
			URL:    "https://" + s.client.Host() + "/schedules/" + url.PathEscape(name),
			Header: map[string]string{"Content-Type": "application/json"}, Body: body,
		})
	}
	// a conflict: the schedule is there already
	if err != nil && signed.Code(err) != "ConflictException" {
		return fmt.Errorf(
			"scheduler: schedule %s for %s: %w", name, at.UTC().Format(time.RFC3339), err,
		)
	}
	return nil
}

func (s *Scheduler) schedule(at time.Time, msg relay.Outgoing) (in schedule) {
	partition, _, _ := strings.Cut(s.target.RoleARN, ":iam:")
	in.GroupName = s.target.Group
	in.ScheduleExpression = at.UTC().Add(time.Second - 1).Format("at(2006-01-02T15:04:05)")
	in.FlexibleTimeWindow.Mode, in.ActionAfterCompletion = "OFF", "DELETE"
	in.Target.ARN, in.Target.RoleARN = partition+sendMessage, s.target.RoleARN
	in.Target.Input = string(s.input(msg))
	in.Target.RetryPolicy.MaximumEventAgeInSeconds = retrySeconds
	in.Target.RetryPolicy.MaximumRetryAttempts = retryTries
	return in
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
