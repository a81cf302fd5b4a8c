package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"webhook-relay/shared/telemetry/metric"
)

// alarm describes a CloudWatch alarm. It fires when the metric reached its threshold in enough of
// the last periods (times of outOf).
//
// A period without data counts as good: a relay that was just deployed has no data, nor has an idle
// one. An alarm with below set is different: when its data stops, it notifies as if it had fired.
// It does not notify if there was never any data. A new alarm starts in the state
// INSUFFICIENT_DATA, and CloudWatch notifies only when the state changes.
type alarm struct {
	id                           string
	namespace, metric, statistic string
	dimension, of                string
	threshold, minutes           int // minutes is the length of a period
	times, outOf                 int // in periods. times 0 means 1; outOf 0 means the same as times
	// The alarm fires when the metric is below the threshold, and it notifies when data stops.
	below bool
	// It says what the alarm means and what to do first. It begins with page or ticket.
	description string
}

// addAlarms adds an alarm for every place where a webhook can get stuck or lost.
func (r *relay) addAlarms() {
	alarms := []alarm{
		visible("IngestDlqNotEmpty", r.ingestDLQ,
			"page: fanout could not process accepted events, so none of their deliveries was made. First read the error in the log of "+
				"fanout. Repair it, then redrive the queue to the ingest queue."),
		visible("DeliveryDlqNotEmpty", r.deliveryDLQ,
			"page: deliver could not process deliveries. First read the error in the log of deliver. Repair it, then redrive the queue "+
				"to the delivery queue."),
		visible("OrderedIngestDlqNotEmpty", r.ordered.ingestDLQ,
			"page: fanout could not process events for ordered endpoints. Later events were delivered without them. First read the error in "+
				"the log of fanout. Repair it, then redrive the queue."),
		visible("OrderedDeliveryDlqNotEmpty", r.ordered.deliveryDLQ,
			"page: SQS handed out ordered deliveries a thousand times without success. Later ones were made without them. First read the "+
				"error in the log of deliver. Repair it, then redrive the queue."),
		{id: "DeliveriesDying", namespace: metric.Namespace, metric: metric.Dead, statistic: "Sum",
			dimension: metric.Relay, of: *r.stack.StackName(), threshold: 1, minutes: 60,
			description: "ticket: deliveries died in the last hour, because their endpoint failed every attempt. First ask the endpoint's " +
				"owner. When the endpoint works again, replay the deliveries (docs/runbook.md)."},
		age("IngestAge", r.ingest, 5,
			"page: accepted webhooks wait too long for fanout. First look at the errors and throttles of fanout, then at the tables."),
		age("DeliveryAge", r.delivery, 15,
			"page: first attempts are late. First look at the errors and throttles of deliver. If there are none, endpoints are slow: "+
				"raise deliveryMaxConcurrency."),
		// A retry may wait in this queue for 15 minutes on purpose. SQS counts this wait in the
		// message's age.
		age("RetryAge", r.retry, 45,
			"ticket: retries are late. First look at the errors and throttles of deliver. If there are none, many endpoints are down: "+
				"raise retryMaxConcurrency."),
		// An endpoint that answers slowly and receives many deliveries has a backlog in this queue.
		// That is the endpoint's own problem, not the relay's. But no message may wait longer than
		// queueDays.
		age("SlowAge", r.slow, 24*60,
			"ticket: deliveries to slow endpoints have waited for a day. SQS deletes them after seven. First find the slow endpoints. They "+
				"get more than they can take, or slowMaxConcurrency is too small."),
		age("OrderedIngestAge", r.ordered.ingest, 20,
			"page: accepted webhooks for ordered endpoints wait too long for fanout. First look at the errors and throttles of fanout, then at the tables."),
		// An ordered delivery may wait behind others until their schedules end. A schedule lasts
		// three days by default. The delivery dies after thirteen days.
		age("OrderedDeliveryAge", r.ordered.delivery, 6*24*60,
			"ticket: deliveries to an ordered endpoint have waited for six days. After thirteen they die. First find out which endpoint "+
				"fails, and why (docs/runbook.md)."),
		{id: "SchedulesDropped", namespace: "AWS/Scheduler", metric: "InvocationDroppedCount",
			statistic: "Sum",
			dimension: "ScheduleGroup", of: *r.schedules.Ref(), threshold: 1, minutes: 5,
			description: "page: EventBridge Scheduler could not send due retries. The sweep sends them when they are two hours late. First " +
				"check that the schedules' role may still send to the retry queue."},
		failures("FanoutErrors", r.fanout,
			"page: fanout crashes or times out. Its messages are received again. First read its log."),
		failures("DeliverErrors", r.deliver,
			"page: deliver crashes or times out. Its messages are received again, and an endpoint may see an attempt twice. First read "+
				"its log."),
		{id: "SweptUp", namespace: metric.Namespace, metric: metric.PutBack, statistic: "Sum",
			dimension: metric.Relay, of: *r.stack.StackName(), threshold: 1, minutes: 60,
			description: "page: the sweep found deliveries that were lost or hours late, and sent them again. The cause is a bug or an outage. " +
				"First read in the log of sweep how many, then find out what lost them (docs/runbook.md)."},
		{id: "SweepLateOrMissing", namespace: metric.Namespace, metric: metric.LateOrMissing,
			statistic: "Sum",
			dimension: metric.Relay, of: *r.stack.StackName(), threshold: 1, minutes: 60, times: 2,
			description: "ticket: two runs of sweep in a row found deliveries that are late or missing. Deliveries are being lost, or a queue has " +
				"a backlog of hours. First look at the age of each queue's oldest message, then read in the log of sweep how many it sent again."},
		{id: "SweepUnaccounted", namespace: metric.Namespace, metric: metric.Unaccounted,
			statistic: "Sum",
			dimension: metric.Relay, of: *r.stack.StackName(), threshold: 1, minutes: 60,
			description: "page: some deliveries are neither delivered, dead nor waiting, and sweep did not send them again. This is a bug. First " +
				"read the log of sweep (docs/runbook.md)."},
		hourly(failures("SweepErrors", r.sweep,
			"ticket: two of the last three runs of sweep failed, so lost deliveries are not found. First read its log.")),
		{id: "SweepPartial", namespace: metric.Namespace, metric: metric.Partial, statistic: "Sum",
			dimension: metric.Relay, of: *r.stack.StackName(), threshold: 3, minutes: 180,
			description: "ticket: sweep did not finish its work for three hours in a row, so lost deliveries are found late. First read in its " +
				"log how many events it looks at, how long it takes, and how many hours it is behind."},
		{id: "SweepAbsent", namespace: "AWS/Lambda", metric: "Invocations", statistic: "Sum",
			dimension: "FunctionName", of: *r.sweep.FunctionName(), threshold: 1, minutes: 60,
			times: 3, below: true,
			description: "ticket: sweep has not run for some hours, so lost deliveries are not found. First check that its rule is enabled."},
		failures("AdminErrors", r.admin,
			"ticket: the API crashes or runs out of time; webhooks are not affected. First read the log of admin."),
		r.strangersAlarm(),
		// It has no alarms of its own for errors and throttles of receive: each of these is a 5xx.
		r.refusedByUs("Ingress5xx", 1, lasting,
			"page: partners get 5xx, and not all of them send again. First read the log of receive: it crashes, or answers 503 when SQS, "+
				"S3 or DynamoDB is down. If it has no such lines, look at the throttles of receive: Lambda has no concurrency left."),
		// If a relay receives one webhook an hour and all of them fail, the alarm above does not
		// fire.
		r.refusedByUs(
			"Ingress5xxRecurring", 60, recurring,
			"ticket: partners got 5xx in six of the last 24 hours. First do what the alarm Ingress5xx says.",
		),
	}
	actions := r.alarmActions()
	for _, a := range append(alarms, r.triggerAlarms()...) {
		r.addAlarm(a, actions)
	}
}

// alarmActions returns the SNS topics that alarms notify: the topic that the props name, and a
// topic of the stack for the e-mail address. It returns nil if the props have neither.
func (r *relay) alarmActions() *[]any {
	var topics []any
	if r.props.AlarmTopicARN != "" {
		topics = append(topics, r.props.AlarmTopicARN)
	}
	if r.props.AlarmEmail != "" {
		topics = append(topics, *r.addAlarmTopic().TopicArn())
	}
	if topics == nil {
		return nil
	}
	return &topics
}

// addAlarmTopic makes an SNS topic that mails the alarms of this account. The topic is not
// encrypted at rest: CloudWatch alarms cannot publish to a topic that uses the AWS managed key for
// SNS. An alarm's message contains only names and values of metrics.
func (r *relay) addAlarmTopic() awssns.Topic {
	topic := awssns.NewTopic(r.stack, new("Alarms"), &awssns.TopicProps{EnforceSSL: new(true)})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: list[awsiam.IPrincipal](awsiam.NewServicePrincipal(
			new("cloudwatch.amazonaws.com"), nil,
		)),
		Actions:   pointers([]string{"sns:Publish"}),
		Resources: list(topic.TopicArn()),
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": r.stack.Account()},
		},
	}))
	awssns.NewCfnSubscription(r.stack, new("AlarmMail"), &awssns.CfnSubscriptionProps{
		TopicArn: topic.TopicArn(), Protocol: new("email"), Endpoint: &r.props.AlarmEmail,
	})
	return topic
}

func visible(id string, queue awssqs.Queue, description string) alarm {
	return alarm{id: id, namespace: "AWS/SQS", metric: "ApproximateNumberOfMessagesVisible",
		statistic: "Maximum",
		dimension: "QueueName", of: *queue.QueueName(), threshold: 1, minutes: 1,
		description: description}
}

func age(id string, queue awssqs.Queue, minutes int, description string) alarm {
	return alarm{id: id, namespace: "AWS/SQS", metric: "ApproximateAgeOfOldestMessage",
		statistic: "Maximum",
		dimension: "QueueName", of: *queue.QueueName(), threshold: minutes * 60, minutes: 5,
		description: description}
}

// spell says in how many periods (times), out of how many (outOf), something must happen before an
// alarm fires.
type spell struct{ times, outOf int }

var (
	// lasting counts minutes. A momentary fault affects two minutes at most, so it does not fire.
	// If a message makes a function fail, it is received again within six minutes. So a single such
	// message causes failures in three of fifteen minutes, which fires.
	lasting = spell{times: 3, outOf: 15}
	// recurring counts hours. It is for errors that are too rare for lasting.
	recurring = spell{times: 6, outOf: 24}
	// twice counts hours. It is for work that the next hourly run repeats by itself.
	twice = spell{times: 2, outOf: 3}
)

// failures returns an alarm that fires when a function failed in three of the last fifteen minutes.
func failures(id string, f awslambda.Function, description string) alarm {
	return alarm{id: id, namespace: "AWS/Lambda", metric: "Errors", statistic: "Sum",
		dimension: "FunctionName", of: *f.FunctionName(), threshold: 1, minutes: 1,
		times: lasting.times, outOf: lasting.outOf,
		description: description}
}

// hourly changes an alarm for a function that runs once an hour. It fires when two of the last
// three hours were bad.
func hourly(a alarm) alarm {
	a.minutes, a.times, a.outOf = 60, twice.times, twice.outOf
	return a
}

// refusedByUs returns an alarm on 5xx answers of the ingress.
func (r *relay) refusedByUs(id string, minutes int, s spell, description string) alarm {
	return alarm{id: id, namespace: "AWS/ApiGateway", metric: "5xx", statistic: "Sum",
		dimension: "ApiId", of: *r.api.ApiId(), threshold: 1, minutes: minutes, times: s.times,
		outOf: s.outOf, description: description}
}

func (r *relay) addAlarm(a alarm, actions *[]any) {
	comparison, noData := "GreaterThanOrEqualToThreshold", "notBreaching"
	var onNoData *[]any
	if a.below {
		comparison, noData, onNoData = "LessThanThreshold", "missing", actions
	}
	times := max(1, a.times)
	p := &awscloudwatch.CfnAlarmProps{
		AlarmDescription:        &a.description,
		EvaluationPeriods:       number(max(times, a.outOf)),
		Threshold:               number(a.threshold),
		ComparisonOperator:      &comparison,
		TreatMissingData:        &noData,
		InsufficientDataActions: onNoData,
		AlarmActions:            actions,
		OkActions:               actions,
	}
	if a.outOf > times {
		p.DatapointsToAlarm = number(times)
	}
	p.Namespace, p.MetricName, p.Statistic, p.Period = &a.namespace, &a.metric, &a.statistic,
		number(60*a.minutes)
	p.Dimensions = list(&awscloudwatch.CfnAlarm_DimensionProperty{Name: &a.dimension, Value: &a.of})
	r.alarms = append(r.alarms, awscloudwatch.NewCfnAlarm(r.stack, &a.id, p))
}
