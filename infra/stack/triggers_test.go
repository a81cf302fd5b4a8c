package stack_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

// isTrigger tells whether a resource belongs to the trigger of one source.
func isTrigger(id string) bool {
	return strings.HasPrefix(id, "Trigger") && !strings.HasPrefix(id, "TriggersDlq")
}

// triggerAlarms are the alarms of the triggers of a whole relay.
var triggerAlarms = map[string]bool{
	"TriggersDlqNotEmpty": true, "TriggerAgeNews": true, "TriggerAgeRule": true,
	"TriggerAgeShop": true, "TriggerAgeUploads": true,
}

// triggerGrants are what receive's role has besides in a whole relay.
func triggerGrants() []string {
	lines := []string{"sqs:SendMessage on {TriggersDlq.Arn}"}
	for _, queue := range []string{"News", "Rule", "Shop", "Uploads"} {
		for _, action := range []string{"DeleteMessage", "GetQueueAttributes", "ReceiveMessage"} {
			lines = append(lines, "sqs:"+action+" on {Trigger"+queue+".Arn}")
		}
	}
	return lines
}

// Only the one service may send to a trigger's queue, and only for the one ARN: so nobody else can
// make an event of the source.
func TestWhoMaySendToTheQueueOfATrigger(t *testing.T) {
	t.Parallel()
	account := map[string]any{"Ref": "AWS::AccountId"}
	equals := func(arn any) map[string]any {
		return map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": arn}}
	}
	tmpl := whole(t)
	rule := ""
	for id, r := range tmpl.Resources {
		if r.Type == "AWS::Events::Rule" && isTrigger(id) {
			rule = id
		}
	}
	bucket := equals(triggerBucket)
	bucket["StringEquals"] = map[string]any{"aws:SourceAccount": account}
	want := map[string]map[string]any{
		"TriggerNews": {"sns.amazonaws.com": equals(triggerTopic)},
		"TriggerRule": {"events.amazonaws.com": equals(triggerRule)},
		"TriggerShop": {"events.amazonaws.com": equals(map[string]any{
			"Fn::GetAtt": []any{rule, "Arn"},
		})},
		"TriggerUploads": {"s3.amazonaws.com": bucket},
	}
	got := map[string]map[string]any{}
	tmpl.each(t, "AWS::SQS::QueuePolicy", func(t *testing.T, id string, r resource) {
		if !isTrigger(id) {
			return
		}
		queue := name(target(items(r.get("Queues"))[0]))
		for _, s := range items(r.get("PolicyDocument", "Statement")) {
			if get(s, "Effect") == "Deny" {
				continue // plain HTTP
			}
			if get(s, "Action") != "sqs:SendMessage" {
				t.Errorf("%s allows %v", queue, get(s, "Action"))
			}
			got[queue] = map[string]any{
				render(get(s, "Principal", "Service")): get(s, "Condition"),
			}
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

func TestTriggersAreConnected(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	tmpl.each(t, "AWS::SNS::Subscription", func(t *testing.T, id string, r resource) {
		if !isTrigger(id) {
			return
		}
		if r.get("TopicArn") != triggerTopic || r.get("Region") != "us-east-1" ||
			r.get("Protocol") != "sqs" || r.get("RawMessageDelivery") != false ||
			name(target(r.get("Endpoint"))) != "TriggerNews" {
			t.Errorf("subscription %v", r.Properties)
		}
	})
	rules := 0
	tmpl.each(t, "AWS::Events::Rule", func(t *testing.T, id string, r resource) {
		if !isTrigger(id) {
			return
		}
		rules++
		if r.get("EventBusName") != triggerBus ||
			render(r.get("EventPattern")) != "map[source:[map[prefix:]]]" ||
			name(target(get(r.get("Targets"), 0, "Arn"))) != "TriggerShop" ||
			get(r.get("Targets"), 0, "InputPath") != nil ||
			get(r.get("Targets"), 0, "InputTransformer") != nil {
			t.Errorf("rule %v", r.Properties)
		}
	})
	if rules != 1 {
		t.Errorf("%d rules of the stack, want one: for the bus", rules)
	}
	for _, output := range []string{
		"TriggerNewsQueueArn", "TriggerRuleQueueArn", "TriggerShopQueueArn", "TriggerUploadsQueueArn",
	} {
		if _, there := tmpl.Outputs[output]; !there {
			t.Errorf("there is no output %s", output)
		}
	}
	tmpl.each(t, "AWS::Lambda::EventSourceMapping", func(t *testing.T, id string, r resource) {
		queue := target(r.get("EventSourceArn"))
		if !isTrigger(queue) {
			return
		}
		q := tmpl.Resources[queue]
		if name(target(r.get("FunctionName"))) != "Receive" ||
			name(target(q.get("RedrivePolicy", "deadLetterTargetArn"))) != "TriggersDlq" ||
			q.number("RedrivePolicy", "maxReceiveCount") != 1000 ||
			q.number("VisibilityTimeout") != 60 {
			t.Errorf("%s: mapping %v of queue %v", id, r.Properties, q.Properties)
		}
	})
}

func TestTriggersAreRefused(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for _, c := range "abcdefghijk" {
		many[string(c)] = triggerTopic
	}
	for name, tt := range map[string]struct {
		triggers map[string]string
		told     string
	}{
		"a queue":        {map[string]string{"a": sentQueue}, "is not the ARN of an EventBridge bus"},
		"any topic":      {map[string]string{"a": triggerTopic + "*"}, "is not the ARN"},
		"a FIFO topic":   {map[string]string{"a": triggerTopic + ".fifo"}, "keep no order"},
		"a wrong name":   {map[string]string{"acme/a": triggerTopic}, "is not the name of a source"},
		"names alike":    {map[string]string{"a-b": triggerTopic, "a--b": triggerTopic}, "rename one"},
		"too many":       {many, "at most 10"},
		"a bucket's key": {map[string]string{"a": triggerBucket + "/in"}, "is not the ARN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := synthesise(stack.Props{Triggers: tt.triggers}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.told) {
				t.Errorf("error %v, want %q", err, tt.told)
			}
		})
	}
}
