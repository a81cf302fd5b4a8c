package stack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
	"webhook-relay/shared/telemetry/metric"
)

const topic = "arn:aws:sns:eu-west-1:111122223333:pager"

// alarms is what wakes whom: severity, statistic and metric of what, threshold, period.
var alarms = map[string]string{
	"IngestDlqNotEmpty":          "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {IngestDlq.QueueName} >= 1 in 60 s",
	"DeliveryDlqNotEmpty":        "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {DeliveryDlq.QueueName} >= 1 in 60 s",
	"OrderedIngestDlqNotEmpty":   "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {OrderedIngestDlq.QueueName} >= 1 in 60 s",
	"OrderedDeliveryDlqNotEmpty": "page: Maximum AWS/SQS ApproximateNumberOfMessagesVisible of QueueName {OrderedDeliveryDlq.QueueName} >= 1 in 60 s",
	"OrderedIngestAge":           "page: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {OrderedIngest.QueueName} >= 1200 in 300 s",
	"OrderedDeliveryAge":         "ticket: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {OrderedDelivery.QueueName} >= 518400 in 300 s",
	"DeliveriesDying":            "ticket: Sum WebhookRelay Dead of Relay webhook-relay-dev >= 1 in 3600 s",
	"IngestAge":                  "page: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Ingest.QueueName} >= 300 in 300 s",
	"DeliveryAge":                "page: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Delivery.QueueName} >= 900 in 300 s",
	"RetryAge":                   "ticket: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Retry.QueueName} >= 2700 in 300 s",
	"SlowAge":                    "ticket: Maximum AWS/SQS ApproximateAgeOfOldestMessage of QueueName {Slow.QueueName} >= 86400 in 300 s",
	"SchedulesDropped":           "page: Sum AWS/Scheduler InvocationDroppedCount of ScheduleGroup {Schedules} >= 1 in 300 s",
	"FanoutErrors":               "page: Sum AWS/Lambda Errors of FunctionName {Fanout} >= 1 in 60 s, 3 of 15",
	"DeliverErrors":              "page: Sum AWS/Lambda Errors of FunctionName {Deliver} >= 1 in 60 s, 3 of 15",
	"SweptUp":                    "page: Sum WebhookRelay PutBack of Relay webhook-relay-dev >= 1 in 3600 s",
	"SweepLateOrMissing":         "ticket: Sum WebhookRelay LateOrMissing of Relay webhook-relay-dev >= 1 in 3600 s, 2 of 2",
	"SweepUnaccounted":           "page: Sum WebhookRelay Unaccounted of Relay webhook-relay-dev >= 1 in 3600 s",
	"SweepErrors":                "ticket: Sum AWS/Lambda Errors of FunctionName {Sweep} >= 1 in 3600 s, 2 of 3",
	"SweepPartial":               "ticket: Sum WebhookRelay Partial of Relay webhook-relay-dev >= 3 in 10800 s",
	"SweepAbsent":                "ticket: Sum AWS/Lambda Invocations of FunctionName {Sweep} < 1 in 3600 s, 3 of 3, or no data any more",
	"AdminErrors":                "ticket: Sum AWS/Lambda Errors of FunctionName {Admin} >= 1 in 60 s, 3 of 15",
	"ApiUnauthorized":            "ticket: Sum WebhookRelay Unauthorized of Relay webhook-relay-dev >= 100 in 300 s",
	"Ingress5xx":                 "page: Sum AWS/ApiGateway 5xx of ApiId {Ingress} >= 1 in 60 s, 3 of 15",
	"Ingress5xxRecurring":        "ticket: Sum AWS/ApiGateway 5xx of ApiId {Ingress} >= 1 in 3600 s, 6 of 24",
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
		comparison := map[any]string{
			"GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<",
		}[r.get("ComparisonOperator")]
		noData, known := map[any]string{
			"notBreaching": "", "missing": ", or no data any more",
		}[r.get("TreatMissingData")]
		if comparison == "" || !known {
			t.Errorf(
				"compares %v, missing data %v", r.get("ComparisonOperator"),
				r.get("TreatMissingData"),
			)
		}
		m, periods := r.Properties, noData
		if n := r.number("EvaluationPeriods"); n != 1 {
			times := n
			if r.get("DatapointsToAlarm") != nil {
				times = r.number("DatapointsToAlarm")
			}
			periods = fmt.Sprintf(", %d of %d", times, n) + periods
		}
		period, _ := m["Period"].(float64)
		got[id] = fmt.Sprintf("%s: %v %v %v of %v %s %s %d in %.0f s%s", severity, m["Statistic"],
			m["Namespace"], m["MetricName"],
			get(
				m["Dimensions"], 0, "Name",
			), render(get(
				m["Dimensions"], 0, "Value",
			)), comparison, r.number("Threshold"), period, periods)
	})
	if diff := cmp.Diff(alarms, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

// The sweep first runs an hour after the first deployment. Until then there is no data, which is no
// alarm; later it is told.
func TestTheAbsenceOfTheSweepIsNoAlarmBeforeItsFirstRun(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	absent := tmpl.Resources["SweepAbsent"]
	if got := absent.get("TreatMissingData"); got != "missing" {
		t.Errorf("no data counts as %v", got)
	}
	if diff := cmp.Diff(
		absent.get("AlarmActions"), absent.get("InsufficientDataActions"),
	); diff != "" || absent.get("AlarmActions") == nil {
		t.Errorf("who is told that there is no data any more (-alarm +no data):\n%s", diff)
	}
	if got := tmpl.Resources["SweepErrors"].get("InsufficientDataActions"); got != nil {
		t.Errorf("it is told of errors that there is no data: %v", got)
	}
}

// A relay that was just deployed has no data of anything: nothing may fire then.
func TestNoAlarmFiresAtTheFirstDeployment(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
			below := r.get("ComparisonOperator") == "LessThanThreshold"
			// an alarm that is made has no data, which tells nobody
			want := map[bool]string{false: "notBreaching", true: "missing"}[below]
			if r.get("TreatMissingData") != want {
				t.Errorf("no data is %v", r.get("TreatMissingData"))
			}
			if hours := r.number("EvaluationPeriods"); below && hours < 3 {
				t.Errorf(
					"what must happen every hour is missed after %d, and the first hour has none of it",
					hours,
				)
			}
		})
	})
}

// One error of a function, or one 5xx, is no reason to call somebody: what failed is done again.
// Those that count attempts or refusals of a moment need three minutes.
func TestOneTransientErrorPagesNobody(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	seen := 0
	tmpl.each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
		m := r.Properties
		switch m["MetricName"] {
		case "Errors", "Throttles", "5xx":
			seen++
		default:
			return
		}
		// A fault of a moment lies in two periods where it falls between them.
		if n, most := r.number("DatapointsToAlarm"),
			r.number("EvaluationPeriods"); n < 2 || n < 3 && m["Period"] == 60.0 || most <= n {
			t.Errorf("fires at %d of %d periods of %v s", n, most, m["Period"])
		}
	})
	if seen < 6 {
		t.Errorf("only %d alarms looked at", seen)
	}
}

// An alarm that stays on says nothing of what happens next. The depth of a queue may be watched
// only where somebody's work empties it: what lies in dead stays for as long as SQS keeps it.
func TestDeathsAreWatchedByTheirRate(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	rate := false
	tmpl.each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
		if name(target(r.get("Dimensions", 0, "Value"))) == "Dead" {
			t.Error("stays on for as long as a message lies in dead, 14 days")
		}
		rate = rate || r.get("MetricName") == metric.Dead && r.get("Statistic") == "Sum" &&
			r.number("Period") <= 3600
	})
	if !rate {
		t.Error("no alarm on deaths")
	}
}

// Whatever is added to the stack is watched too.
func TestEverythingAWebhookCanGetStuckInHasAnAlarm(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	watched := map[string]bool{}
	for _, r := range tmpl.Resources {
		if r.Type == "AWS::CloudWatch::Alarm" {
			m := r.Properties
			watched[render(m["MetricName"])+" "+target(get(m["Dimensions"], 0, "Value"))] = true
		}
	}
	sources := tmpl.sources()
	metrics := func(id string, r resource) []string {
		switch {
		case name(id) == "Receive":
			return nil // each error and throttle is a 5xx of the API
		case r.Type == "AWS::Lambda::Function":
			// where a consumer is throttled its queue's messages grow old
			return []string{"Errors"}
		case r.Type == "AWS::ApiGatewayV2::Api":
			return []string{"5xx"}
		case r.Type == "AWS::Scheduler::ScheduleGroup":
			return []string{"InvocationDroppedCount"}
		case name(id) == "Dead": // deaths are watched as they happen
			return nil
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
	for name, test := range map[string]struct {
		relay func(*testing.T) template
		want  []string
	}{
		"a topic": {with(stack.Props{AlarmTopicARN: topic}), []string{topic}},
		"an address": {
			with(stack.Props{AlarmEmail: "ops@example.com"}), []string{"{Alarms}"},
		},
		"a topic and an address": {whole, []string{topic, "{Alarms}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.relay(t).each(t, "AWS::CloudWatch::Alarm", func(
				t *testing.T, _ string, r resource,
			) {
				for _, property := range []string{"AlarmActions", "OKActions"} {
					var got []string
					for _, action := range items(r.get(property)) {
						got = append(got, render(action))
					}
					if diff := cmp.Diff(test.want, got); diff != "" {
						t.Errorf("%s (-want +got):\n%s", property, diff)
					}
				}
			})
		})
	}
}

func TestAlarmMail(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	tmpl.each(t, "AWS::SNS::Subscription", func(t *testing.T, id string, r resource) {
		if isTrigger(id) {
			return
		}
		if name(target(r.get("TopicArn"))) != "Alarms" || r.get("Protocol") != "email" ||
			r.get("Endpoint") != "ops@example.com" {
			t.Errorf(
				"goes from %v by %v to %v", r.get("TopicArn"), r.get("Protocol"), r.get("Endpoint"),
			)
		}
	})
	// A topic's policy takes the place of the default one, so that alarms need leave; and only this
	// account's have it.
	tmpl.each(t, "AWS::SNS::TopicPolicy", func(t *testing.T, _ string, r resource) {
		got := map[string]any{}
		for _, s := range items(r.get("PolicyDocument", "Statement")) {
			got[fmt.Sprint(
				get(s, "Effect"), " ", get(s, "Action"), " by ", get(s, "Principal"),
			)] = get(s, "Condition")
		}
		want := map[string]any{
			"Deny sns:Publish by *": map[string]any{
				"Bool": map[string]any{"aws:SecureTransport": "false"},
			},
			"Allow sns:Publish by map[Service:cloudwatch.amazonaws.com]": map[string]any{
				"StringEquals": map[string]any{
					"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"},
				}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("policy (-want +got):\n%s", diff)
		}
	})
}
