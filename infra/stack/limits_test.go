package stack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"webhook-relay/infra/stack"
)

// longestRelay is the template of a relay with everything that can be asked for, and the longest
// stage, tags and lists that the props take.
var longestRelay = sync.OnceValues(func() (template, error) {
	longest := wholeProps()
	longest.Stage, longest.Tags = strings.Repeat("s", 20), manyTags(45)
	longest.EgressPorts = nil
	for port := range uint16(50) {
		longest.EgressPorts = append(longest.EgressPorts, 10_000+port)
	}
	for i := range 20 { // as many as are not refused: see TestPolicyThatGrewTooLargeIsRefused
		longest.Secrets = append(longest.Secrets, fmt.Sprint("shop/", i, "/"))
	}
	return synthesise(longest, nil)
})

func shapes(t *testing.T) map[string]template {
	t.Helper()
	return map[string]template{
		"least": defaults(t), "most": whole(t), "longest": done(t)(longestRelay()),
	}
}

// inEachShape runs a test on the least and the most that a relay can be, and on the longest.
func inEachShape(t *testing.T, f func(t *testing.T, tmpl template)) {
	t.Helper()
	for name, tmpl := range shapes(t) {
		t.Run(name, func(t *testing.T) { f(t, tmpl) })
	}
}

// nameLimits are how long a name may be that CloudFormation makes, by type. It shortens those of
// functions, roles, buckets and standard queues to what their service takes, and the other types
// take more than any stage needs. The name of a FIFO queue it shortens to 80 before it appends
// .fifo (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/280), and
// that those of schedule groups and rules are shortened nobody promises.
var nameLimits = map[string]int{
	"AWS::SQS::Queue": 80, "AWS::Scheduler::ScheduleGroup": 64, "AWS::Events::Rule": 64,
}

// A name is the stack's, the logical id and at most thirteen characters.
func TestGeneratedNamesFitForTheLongestStage(t *testing.T) {
	t.Parallel()
	const stackName = "webhook-relay-12345678901234567890"
	looked := 0
	inEachShape(t, func(t *testing.T, tmpl template) {
		for id, r := range tmpl.Resources {
			limit, limited := nameLimits[r.Type]
			if !limited || r.Type == "AWS::SQS::Queue" && !isFIFO(r) {
				continue
			}
			looked++
			suffix := "-ABCDEFGHIJKLM"
			if isFIFO(r) {
				suffix += ".fifo"
			}
			if name := stackName + "-" + id + suffix; len(name) > limit {
				t.Errorf("%s: %s has %d characters, %d at most", r.Type, name, len(name), limit)
			}
		}
	})
	if looked < 18 {
		t.Errorf("only %d names looked at", looked)
	}
}

// Of a template:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
func TestTemplateIsWithinCloudFormationsLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		for what, is := range map[string]struct{ n, most int }{
			"bytes":     {len(tmpl.text), 1_000_000},
			"resources": {len(tmpl.Resources), 500},
			"outputs":   {len(tmpl.Outputs), 200},
			"tags":      {len(tmpl.manifest.Tags), 50},
		} {
			if is.n > is.most {
				t.Errorf("%d %s, %d at most", is.n, what, is.most)
			}
		}
		for id := range tmpl.Resources {
			if len(id) > 255 {
				t.Errorf("logical id of %d characters", len(id))
			}
		}
	})
}

// pseudo are the longest values of CloudFormation's own parameters.
var pseudo = map[any]int{
	"AWS::Partition": len("aws-us-gov"), "AWS::Region": len("ap-southeast-1"), "AWS::AccountId": 12,
	"AWS::URLSuffix": len("amazonaws.com.cn"),
}

// size is that of a value as JSON without white space. A reference is counted as the longest ARN
// that it can stand for here, a FIFO queue's.
func size(v any) int {
	const longestReference = len("arn:aws-us-gov:sqs:ap-southeast-1:123456789012:") + 80
	switch v := v.(type) {
	case map[string]any:
		if n := pseudo[v["Ref"]]; n > 0 {
			return n
		}
		if len(v) == 1 && (v["Ref"] != nil || v["Fn::GetAtt"] != nil) {
			return longestReference
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			n := 0
			for _, part := range items(join[1]) {
				n += size(part)
			}
			return n
		}
		n := 2
		for name, of := range v {
			n += len(name) + 4 + size(of)
		}
		return n
	case []any:
		n := 2
		for _, item := range v {
			n += size(item) + 1
		}
		return n
	case string:
		return len(v)
	}
	text, _ := json.Marshal(v)
	return len(text)
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 10,240 characters for
// all inline policies of a role.
func TestPoliciesAreWithinIAMsLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::IAM::Role", func(t *testing.T, _ string, r resource) {
			n := 0
			for _, policy := range items(r.get("Policies")) {
				n += size(get(policy, "PolicyDocument"))
			}
			if n > 10_240 {
				t.Errorf("inline policies of about %d characters, 10240 at most", n)
			}
			if n := size(r.get("AssumeRolePolicyDocument")); n > 2048 {
				t.Errorf("trust of about %d characters, 2048 at most", n)
			}
			if n := len(render(r.get("Description"))); n > 1000 {
				t.Errorf("description of %d characters", n)
			}
		})
	})
}

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func TestFunctionsAreWithinLambdasLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, _ string, r resource) {
			if n := size(r.get("Environment", "Variables")); n > 4096 {
				t.Errorf("environment of about %d bytes, 4096 at most", n)
			}
			if n := len(render(r.get("Description"))); n > 256 {
				t.Errorf("description of %d characters", n)
			}
			if n := r.number("Timeout"); n < 1 || n > 900 {
				t.Errorf("timeout %d s", n)
			}
			if n := r.number("MemorySize"); n < 128 || n > 3008 { // new accounts have no more
				t.Errorf("memory %d MB", n)
			}
		})
		tmpl.each(t, "AWS::Lambda::EventSourceMapping", func(t *testing.T, _ string, r resource) {
			queue := tmpl.Resources[target(r.get("EventSourceArn"))]
			timeout := tmpl.Resources[target(r.get("FunctionName"))].number("Timeout")
			if visibility := queue.number("VisibilityTimeout"); visibility < 6*timeout ||
				visibility > 43_200 {
				t.Errorf("visibility timeout %d s, function timeout %d s", visibility, timeout)
			}
			if n := r.number("ScalingConfig", "MaximumConcurrency"); n < 2 || n > 1000 {
				t.Errorf("maximum concurrency %d", n)
			}
			if n := r.number("BatchSize"); n < 1 || n > 10 {
				t.Errorf(
					"batches of %d: above 10 there must be a window, and FIFO queues have none", n,
				)
			}
		})
	})
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
func TestQueuesAreWithinSQSsLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::SQS::Queue", func(t *testing.T, id string, r resource) {
			if n := r.number("MessageRetentionPeriod"); n < 60 || n > 14*24*60*60 {
				t.Errorf("keeps messages for %d s", n)
			}
			dlq := target(r.get("RedrivePolicy", "deadLetterTargetArn"))
			if dlq == "" {
				return
			}
			if n := r.number("RedrivePolicy", "maxReceiveCount"); n < 1 || n > 1000 {
				t.Errorf("%d receives", n)
			}
			if isFIFO(tmpl.Resources[dlq]) != isFIFO(r) {
				t.Error("its dead-letter queue is of the other kind")
			}
			if dlq == id {
				t.Error("is its own dead-letter queue")
			}
		})
	})
}

// The gateway takes an access log format of 3 KB, and a throttle only up to the account's: in the
// smallest regions 2,500 a second with a burst of 1,250.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
func TestIngressIsWithinEveryRegionsLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::ApiGatewayV2::Stage", func(t *testing.T, _ string, r resource) {
			if n := len(render(r.get(
				"AccessLogSettings", "Format",
			))); r.get("AccessLogSettings") != nil && n > 3072 {
				t.Errorf("log format of %d bytes", n)
			}
			settings := items(r.get("DefaultRouteSettings"))
			if routes, ok := r.get("RouteSettings").(map[string]any); ok {
				for _, of := range routes {
					settings = append(settings, of)
				}
			}
			for _, s := range settings {
				rate, _ := get(s, "ThrottlingRateLimit").(float64)
				burst, _ := get(s, "ThrottlingBurstLimit").(float64)
				if rate <= 0 || rate > 2500 || burst <= 0 || burst > 1250 {
					t.Errorf("%v a second, burst %v", rate, burst)
				}
			}
		})
	})
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: a
// description has 1,024 characters; an alarm looks back a day, or a week where its periods are
// hours.
func TestAlarmsAreWithinCloudWatchsLimits(t *testing.T) {
	t.Parallel()
	inEachShape(t, func(t *testing.T, tmpl template) {
		tmpl.each(t, "AWS::CloudWatch::Alarm", func(t *testing.T, _ string, r resource) {
			if n := len(render(r.get("AlarmDescription"))); n > 1024 {
				t.Errorf("description of %d characters", n)
			}
			m := r.Properties
			period, _ := m["Period"].(float64)
			looksBack := int(period) * r.number("EvaluationPeriods")
			if most := 24 * 60 * 60; period < 60 || looksBack > most {
				t.Errorf("%v s of period, %d s back", period, looksBack)
			}
			if n := len(items(r.get("AlarmActions"))); n > 5 {
				t.Errorf("%d actions, 5 at most", n)
			}
		})
	})
}

// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
func TestNetworkIsWithinVPCsLimits(t *testing.T) {
	t.Parallel()
	for name, tmpl := range shapes(t) {
		if name == "least" {
			continue
		}
		addresses := 0
		for id, r := range tmpl.Resources {
			switch r.Type {
			case "AWS::EC2::SecurityGroup":
				var rules []string
				for _, rule := range items(r.get("SecurityGroupEgress")) {
					rules = append(
						rules,
						fmt.Sprint(
							get(rule, "IpProtocol"), get(rule, "FromPort"), get(rule, "CidrIp"),
						),
					)
				}
				slices.Sort(rules)
				if n := len(rules); n > 60 || len(slices.Compact(rules)) < n {
					t.Errorf("%s %s: %d rules, 60 at most, and none twice", name, id, n)
				}
			case "AWS::EC2::EIP":
				addresses++
			case "AWS::EC2::Subnet":
				if r.get("MapPublicIpOnLaunch") == true {
					t.Errorf("%s %s gives everything in it a public address", name, id)
				}
			}
			if own, all := len(items(r.get("Tags"))), len(tmpl.manifest.Tags); own+all > 50 {
				t.Errorf(
					"%s %s: %d tags of its own and %d of the stack, 50 at most", name, id, own, all,
				)
			}
		}
		if addresses > 5 {
			t.Errorf("%s: %d addresses, an account has 5", name, addresses)
		}
	}
}

// What is asked for in lists is bounded by the size of a role's policy: a list that is too long is
// refused before CloudFormation would.
func TestPolicyThatGrewTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	p := stack.Props{}
	for i := range 150 {
		p.Invoke = append(p.Invoke, fmt.Sprintf("%s-%d", invokedFunction, i))
	}
	if _, err := synthesise(p, nil); err == nil || !strings.Contains(err.Error(), "10240") {
		t.Errorf("error %v, want one that says how large a policy may be", err)
	}
}
