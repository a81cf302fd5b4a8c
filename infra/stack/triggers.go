package stack

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

// triggerKinds are what a trigger can be, by the service in its ARN: the provider that its source
// has in the catalog, and the principal that sends to its queue.
var triggerKinds = map[string]struct{ provider, principal string }{
	"events": {"eventbridge", eventsService},
	"s3":     {"s3", "s3.amazonaws.com"},
	"sns":    {"sns-topic", "sns.amazonaws.com"},
}

// trigger is a source that a service in AWS feeds.
type trigger struct {
	source, arn string
	id          string // of its constructs
	queue       awssqs.Queue
}

func (t trigger) service() string  { return strings.Split(t.arn, ":")[2] }
func (t trigger) provider() string { return triggerKinds[t.service()].provider }

// addTriggers makes the queues of the sources that the props name. Each has a queue of its own,
// because the queue says which source a message is of: nothing in a message is asked for that. They
// share a dead-letter queue. SQS knows where the messages that it moves there came from.
func (r *relay) addTriggers() {
	if len(r.props.Triggers) == 0 {
		return
	}
	r.triggersDLQ = r.addDeadLetters("TriggersDlq")
	for _, source := range slices.Sorted(maps.Keys(r.props.Triggers)) {
		t := trigger{source: source, arn: r.props.Triggers[source], id: "Trigger" + camel(source)}
		t.queue = r.addQueue(t.id, receiveTimeoutSeconds, r.triggersDLQ)
		r.letIn(t)
		r.connect(t)
		r.triggers = append(r.triggers, t)
	}
}

// letIn lets one rule, topic or bucket send to the queue, and nobody else. The ARN of a bucket does
// not say whose it is. So the bucket must be of this account: somebody else could take the name of
// one that was deleted.
func (r *relay) letIn(t trigger) {
	from := map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": r.sender(t)}}
	if t.service() == "s3" {
		from["StringEquals"] = map[string]any{"aws:SourceAccount": r.stack.Account()}
	}
	t.queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: list[awsiam.IPrincipal](awsiam.NewServicePrincipal(
			new(triggerKinds[t.service()].principal), nil,
		)),
		Actions:    pointers([]string{"sqs:SendMessage"}),
		Resources:  list(t.queue.QueueArn()),
		Conditions: &from,
	}))
}

// sender returns the ARN that AWS gives as the sender: for a bus, that of the stack's own rule.
func (r *relay) sender(t trigger) *string {
	if !t.isBus() {
		return &t.arn
	}
	rule := awsevents.NewCfnRule(r.stack, new(t.id+"Rule"), &awsevents.CfnRuleProps{
		Description:  new("Passes the events of the bus to the source " + t.source),
		EventBusName: &t.arn,
		// every event has a source
		EventPattern: map[string]any{"source": []any{map[string]any{"prefix": ""}}},
		Targets: list(&awsevents.CfnRule_TargetProperty{
			Arn: t.queue.QueueArn(), Id: new("Relay"),
		}),
	})
	return rule.AttrArn()
}

func (t trigger) isBus() bool { return strings.Contains(t.arn, ":event-bus/") }

// connect subscribes the queue to a topic. A rule and a bucket are the operator's: CloudFormation
// can add nothing to them.
func (r *relay) connect(t trigger) {
	if t.service() != "sns" {
		return
	}
	awssns.NewCfnSubscription(r.stack, new(t.id+"Subscription"), &awssns.CfnSubscriptionProps{
		TopicArn: &t.arn, Region: new(strings.Split(t.arn, ":")[3]),
		Protocol: new("sqs"), Endpoint: t.queue.QueueArn(), RawMessageDelivery: new(false),
	})
}

// triggerQueues returns the sources by the names of their queues, for receive.
func (r *relay) triggerQueues() map[string]string {
	var queues map[string]string // nil: no variable
	for _, t := range r.triggers {
		if queues == nil {
			queues = map[string]string{}
		}
		queues[*t.queue.QueueName()] = t.source
	}
	return queues
}

// triggerProviders returns the providers by source, for admin.
func (r *relay) triggerProviders() map[string]string {
	var providers map[string]string // nil: no variable
	for _, t := range r.triggers {
		if providers == nil {
			providers = map[string]string{}
		}
		providers[t.source] = t.provider()
	}
	return providers
}

// triggerGrants returns what receive needs for its queues.
func (r *relay) triggerGrants() []grant {
	if len(r.triggers) == 0 {
		return nil
	}
	var queues []*string
	for _, t := range r.triggers {
		queues = append(queues, t.queue.QueueArn())
	}
	return []grant{
		consume(queues...),
		{actions: []string{"sqs:SendMessage"}, resources: []*string{r.triggersDLQ.QueueArn()}},
	}
}

// consumeTriggers makes the queues invoke receive. Their concurrency leaves the rest of it to
// partners.
func (r *relay) consumeTriggers() {
	for _, t := range r.triggers {
		r.consume(t.id+"ToReceive", t.queue, r.receive, batchSize, triggerMaxConcurrency)
	}
}

// triggerMaxConcurrency limits the invocations for one queue. With batches of ten it is thousands
// of events a second.
const triggerMaxConcurrency = 20

// triggerAlarms returns the alarms of the queues.
func (r *relay) triggerAlarms() (alarms []alarm) {
	for _, t := range r.triggers {
		alarms = append(alarms, age("TriggerAge"+camel(t.source), t.queue, 15,
			"page: messages from AWS wait too long for receive. First read its log: the catalog has no source of this name, or SQS, S3 or "+
				"DynamoDB is down. If it has no errors, look at its throttles."))
	}
	if len(alarms) > 0 {
		alarms = append(alarms, visible("TriggersDlqNotEmpty", r.triggersDLQ,
			"page: receive could not read messages from AWS, or tried them for hours. First read the error in the log of receive. Repair "+
				"it, then redrive the queue."))
	}
	return alarms
}

// outputTriggers tells the ARN of each queue, to which the operator's rule or bucket sends.
func (r *relay) outputTriggers() {
	for _, t := range r.triggers {
		r.addOutput(
			t.id+"QueueArn", t.queue.QueueArn(), "Messages for the source "+t.source,
		)
	}
}

// camel returns a name such as order-events as OrderEvents, for the ids of constructs.
func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}
