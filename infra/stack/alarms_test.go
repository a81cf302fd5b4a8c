package stack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

const topic = "arn:aws:sns:eu-west-1:111122223333:pager"

// alarms is what wakes whom: severity, statistic and metric of what, threshold, period.
var alarms = map[string]string{
	"IngestDlqNotEmpty":   "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {IngestDlq.QueueName} >= 1 in 60 s",
	"DeliveryDlqNotEmpty": "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {DeliveryDlq.QueueName} >= 1 in 60 s",
	"DeadNotEmpty":        "ticket: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {Dead.QueueName} >= 1 in 60 s",
	"IngestAge":           "page: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Ingest.QueueName} >= 300 in 300 s",
	"DeliveryAge":         "page: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Delivery.QueueName} >= 900 in 300 s",
	"RetryAge":            "ticket: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Retry.QueueName} >= 2700 in 300 s",
	"SchedulesDropped":    "page: Sum AWS/Scheduler InvocationDroppedCount of ScheduleGroup {Schedules} >= 1 in 300 s",
	"ReceiveErrors":       "page: Sum AWS/Lambda Errors of FunctionName {Receive} >= 1 in 300 s",
	"FanoutErrors":        "page: Sum AWS/Lambda Errors of FunctionName {Fanout} >= 1 in 300 s",
	"DeliverErrors":       "page: Sum AWS/Lambda Errors of FunctionName {Deliver} >= 1 in 300 s",
	"ReceiveThrottles":    "page: Sum AWS/Lambda Throttles of FunctionName {Receive} >= 1 in 300 s",
	"FanoutThrottles":     "ticket: Sum AWS/Lambda Throttles of FunctionName {Fanout} >= 1 in 300 s",
	"DeliverThrottles":    "ticket: Sum AWS/Lambda Throttles of FunctionName {Deliver} >= 1 in 300 s",
	"Ingress5xx":          "page: Sum AWS/ApiGateway 5xx of ApiId {Ingress} >= 1 in 300 s",
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	defaults(t).each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, id string, r resource) {
		description := render(r.get("AlarmDescription"))
		severity, rest, _ := strings.Cut(description, ": ")
		if !strings.Contains(rest, "First ") {
			t.Errorf("description %q does not say what to do first", description)
		}
		if r.get("ComparisonOperator") != "GreaterThanOrEqualToThreshold" || r.get("TreatMissingData") != "notBreaching" ||
			r.number("EvaluationPeriods") != 1 {
			t.Errorf("compares %v, missing data %v, periods %d",
				r.get("ComparisonOperator"), r.get("TreatMissingData"), r.number("EvaluationPeriods"))
		}
		got[id] = fmt.Sprintf("%s: %v %v %v of %v %s >= %d in %d s", severity, r.get("Statistic"), r.get("Namespace"),
			r.get("MetricName"), r.get("Dimensions", 0, "Name"), render(r.get("Dimensions", 0, "Value")),
			r.number("Threshold"), r.number("Period"))
	})
	if diff := cmp.Diff(alarms, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

// Whatever is added to the stack is watched too.
func TestEverythingAWebhookCanGetStuckInHasAnAlarm(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	watched := map[string]bool{}
	for _, r := range tmpl.Resources {
		if r.Type == "AWS::CloudWatch::Alarm" {
			watched[render(r.get("MetricName"))+" "+target(r.get("Dimensions", 0, "Value"))] = true
		}
	}
	sources := tmpl.sources()
	metrics := func(id string, r resource) []string {
		switch {
		case r.Type == "AWS::Lambda::Function":
			return []string{"Errors", "Throttles"}
		case r.Type == "AWS::ApiGatewayV2::Api":
			return []string{"5xx"}
		case r.Type == "AWS::Scheduler::ScheduleGroup":
			return []string{"InvocationDroppedCount"}
		case r.Type == "AWS::SQS::Queue" && len(sources[id]) > 0:
			return []string{"ApproximateNumberOfMessagesVisible"}
		case r.Type == "AWS::SQS::Queue":
			return []string{"ApproximateAgeOfOldestMessage"}
		}
		return nil
	}
	for id, r := range tmpl.Resources {
		for _, metric := range metrics(id, r) {
			if !watched[metric+" "+id] {
				t.Errorf("no alarm on %s of %s", metric, id)
			}
		}
	}
}

func TestAlarmsGoToTheTopicIfThereIsOne(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
		if r.get("AlarmActions") != nil || r.get("OKActions") != nil {
			t.Error("has actions without a topic")
		}
	})
	tmpl, err := synthesise(stack.Props{AlarmTopicARN: topic}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
		if r.get("AlarmActions", 0) != topic || r.get("OKActions", 0) != topic {
			t.Errorf("goes to %v, its end to %v", r.get("AlarmActions"), r.get("OKActions"))
		}
	})
}
