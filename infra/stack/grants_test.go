package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

// grants is every statement of every role, one action on one resource a line.
var grants = map[string][]string{
	"ReceiveRole": {
		"dynamodb:GetItem on {Catalog.Arn}",
		"dynamodb:GetItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[quota#accept#*]]]",
		"dynamodb:PutItem on {Catalog.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[learned */learned]]]",
		"dynamodb:Query on {Catalog.Arn}",
		"dynamodb:UpdateItem on {Catalog.Arn} if map[ForAllValues:StringEquals:map[dynamodb:Attributes:[pk sk learned]] ForAllValues:StringLike:map[dynamodb:LeadingKeys:[catalog */catalog]]]",
		"dynamodb:UpdateItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[doc/refused/* quota#accept#*]]]",
		"kms:Decrypt on {SecretsKey.Arn} if map[StringLike:map[kms:EncryptionContext:name:source/*]]",
		"kms:Encrypt on {SecretsKey.Arn} if map[StringLike:map[kms:EncryptionContext:name:source/*]]",
		"logs:CreateLogStream on {ReceiveLogs.Arn}",
		"logs:PutLogEvents on {ReceiveLogs.Arn}",
		"s3:PutObject on {Bodies.Arn}/*",
		"sqs:SendMessage on {Ingest.Arn}",
		"sqs:SendMessage on {OrderedIngest.Arn}",
	},
	"AdminRole": {
		"dynamodb:BatchGetItem on {Ledger.Arn}",
		"dynamodb:BatchWriteItem on {Catalog.Arn}",
		"dynamodb:DeleteItem on {Catalog.Arn}",
		"dynamodb:DeleteItem on {Ledger.Arn}",
		"dynamodb:GetItem on {Catalog.Arn}",
		"dynamodb:GetItem on {Ledger.Arn}",
		"dynamodb:PutItem on {Catalog.Arn}",
		"dynamodb:PutItem on {Ledger.Arn}",
		"dynamodb:Query on {Catalog.Arn}",
		"dynamodb:Query on {Ledger.Arn}",
		"dynamodb:Query on {Ledger.Arn}/index/events",
		"dynamodb:Query on {Ledger.Arn}/index/open",
		"dynamodb:Query on {Ledger.Arn}/index/troubled",
		"dynamodb:UpdateItem on {Catalog.Arn}",
		"dynamodb:UpdateItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[doc/* evt_*]]]",
		"kms:Decrypt on {SecretsKey.Arn} if map[StringLike:map[kms:EncryptionContext:name:[endpoint/* source/*]]]",
		"kms:Encrypt on {SecretsKey.Arn} if map[StringLike:map[kms:EncryptionContext:name:[endpoint/* source/*]]]",
		"lambda:InvokeFunction on " + named("Admin"),
		"logs:CreateLogStream on {AdminLogs.Arn}",
		"logs:PutLogEvents on {AdminLogs.Arn}",
		"s3:GetObject on {Bodies.Arn}/*",
		"s3:ListBucket on {Bodies.Arn}",
		"s3:PutObject on {Bodies.Arn}/exports/*",
		"sqs:CreateQueue on " + listenQueues,
		"sqs:DeleteQueue on " + listenQueues,
		"sqs:GetQueueAttributes on {Dead.Arn}",
		"sqs:GetQueueAttributes on {Delivery.Arn}",
		"sqs:GetQueueAttributes on {DeliveryDlq.Arn}",
		"sqs:GetQueueAttributes on {Ingest.Arn}",
		"sqs:GetQueueAttributes on {IngestDlq.Arn}",
		"sqs:GetQueueAttributes on {OrderedDelivery.Arn}",
		"sqs:GetQueueAttributes on {OrderedDeliveryDlq.Arn}",
		"sqs:GetQueueAttributes on {OrderedIngest.Arn}",
		"sqs:GetQueueAttributes on {OrderedIngestDlq.Arn}",
		"sqs:GetQueueAttributes on {Retry.Arn}",
		"sqs:GetQueueAttributes on {Slow.Arn}",
		"sqs:SendMessage on " + listenQueues,
		"sqs:SendMessage on {Delivery.Arn}",
		"sqs:SendMessage on {Ingest.Arn}",
		"sqs:SendMessage on {Retry.Arn}",
		"sts:AssumeRole on arn:{AWS::Partition}:iam::{AWS::AccountId}:role/webhook-relay-dev-" +
			name("Listen") + "*",
	},
	"FanoutRole": {
		"dynamodb:GetItem on {Catalog.Arn}",
		"dynamodb:GetItem on {Ledger.Arn}",
		"dynamodb:PutItem on {Ledger.Arn}",
		"dynamodb:Query on {Catalog.Arn}",
		"dynamodb:UpdateItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[failure#*]]]",
		"logs:CreateLogStream on {FanoutLogs.Arn}",
		"logs:PutLogEvents on {FanoutLogs.Arn}",
		"s3:GetObject on {Bodies.Arn}/*",
		"s3:PutObject on {Bodies.Arn}/*",
		"sqs:ChangeMessageVisibility on {Ingest.Arn}",
		"sqs:ChangeMessageVisibility on {OrderedIngest.Arn}",
		"sqs:DeleteMessage on {Ingest.Arn}",
		"sqs:DeleteMessage on {OrderedIngest.Arn}",
		"sqs:GetQueueAttributes on {Ingest.Arn}",
		"sqs:GetQueueAttributes on {OrderedIngest.Arn}",
		"sqs:ReceiveMessage on {Ingest.Arn}",
		"sqs:ReceiveMessage on {OrderedIngest.Arn}",
		"sqs:SendMessage on " + listenQueues,
		"sqs:SendMessage on {Delivery.Arn}",
		"sqs:SendMessage on {IngestDlq.Arn}",
		"sqs:SendMessage on {OrderedDelivery.Arn}",
	},
	"DeliverRole": {
		"dynamodb:GetItem on {Catalog.Arn}",
		"dynamodb:GetItem on {Ledger.Arn}",
		"dynamodb:PutItem on {Ledger.Arn}",
		"dynamodb:Query on {Catalog.Arn}",
		"dynamodb:Query on {Ledger.Arn}/index/troubled",
		"dynamodb:UpdateItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[evt_* failure#* quota#* slot#*]]]",
		"ec2:DeleteNetworkInterface on *",
		"ec2:DescribeNetworkInterfaces on *",
		"ec2:DescribeSubnets on *",
		"ec2:UnassignPrivateIpAddresses on *",
		"iam:PassRole on {SchedulesRole.Arn} if map[StringEquals:map[iam:PassedToService:scheduler.amazonaws.com]]",
		"kms:Decrypt on {SecretsKey.Arn} if map[StringLike:map[kms:EncryptionContext:name:endpoint/*]]",
		"logs:CreateLogStream on {DeliverLogs.Arn}",
		"logs:PutLogEvents on {DeliverLogs.Arn}",
		"not ec2:DeleteNetworkInterface on *" + itsOwnCode,
		"not ec2:DescribeNetworkInterfaces on *" + itsOwnCode,
		"not ec2:DescribeSubnets on *" + itsOwnCode,
		"not ec2:UnassignPrivateIpAddresses on *" + itsOwnCode,
		"s3:GetObject on {Bodies.Arn}/*",
		"s3:ListBucket on {Bodies.Arn}",
		"s3:PutObject on {Bodies.Arn}/claim/*",
		"scheduler:CreateSchedule on arn:{AWS::Partition}:scheduler:{AWS::Region}:{AWS::AccountId}:schedule/{Schedules}/*",
		"sqs:ChangeMessageVisibility on {Delivery.Arn}",
		"sqs:ChangeMessageVisibility on {OrderedDelivery.Arn}",
		"sqs:ChangeMessageVisibility on {Retry.Arn}",
		"sqs:ChangeMessageVisibility on {Slow.Arn}",
		"sqs:DeleteMessage on {Delivery.Arn}",
		"sqs:DeleteMessage on {OrderedDelivery.Arn}",
		"sqs:DeleteMessage on {Retry.Arn}",
		"sqs:DeleteMessage on {Slow.Arn}",
		"sqs:GetQueueAttributes on {Delivery.Arn}",
		"sqs:GetQueueAttributes on {OrderedDelivery.Arn}",
		"sqs:GetQueueAttributes on {Retry.Arn}",
		"sqs:GetQueueAttributes on {Slow.Arn}",
		"sqs:ReceiveMessage on {Delivery.Arn}",
		"sqs:ReceiveMessage on {OrderedDelivery.Arn}",
		"sqs:ReceiveMessage on {Retry.Arn}",
		"sqs:ReceiveMessage on {Slow.Arn}",
		"sqs:SendMessage on {Dead.Arn}",
		"sqs:SendMessage on {DeliveryDlq.Arn}",
		"sqs:SendMessage on {Ingest.Arn}",
		"sqs:SendMessage on {OrderedDelivery.Arn}",
		"sqs:SendMessage on {Retry.Arn}",
		"sqs:SendMessage on {Slow.Arn}",
	},
	"SweepRole": {
		"dynamodb:BatchGetItem on {Ledger.Arn}",
		"dynamodb:DeleteItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[doc/stats-tally doc/jobs-open doc/sources]]]",
		"dynamodb:GetItem on {Catalog.Arn}",
		"dynamodb:GetItem on {Ledger.Arn}",
		"dynamodb:PutItem on {Ledger.Arn}",
		"dynamodb:Query on {Catalog.Arn}",
		"dynamodb:Query on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[doc/stats-tally doc/jobs-open doc/sources]]]",
		"dynamodb:Query on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[hours]]]",
		"dynamodb:Query on {Ledger.Arn}/index/events",
		"dynamodb:Query on {Ledger.Arn}/index/open",
		"dynamodb:Query on {Ledger.Arn}/index/troubled",
		"dynamodb:UpdateItem on {Catalog.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[doc/listeners]]]",
		"dynamodb:UpdateItem on {Ledger.Arn} if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[evt_* doc/stats* doc/sources]]]",
		"lambda:InvokeFunction on {Admin.Arn}",
		"logs:CreateLogStream on {SweepLogs.Arn}",
		"logs:PutLogEvents on {SweepLogs.Arn}",
		"s3:GetObject on {Bodies.Arn}/*",
		"sqs:DeleteQueue on " + listenQueues,
		"sqs:SendMessage on {Delivery.Arn}",
		"sqs:SendMessage on {Ingest.Arn}",
		"sqs:SendMessage on {Retry.Arn}",
	},
	"Listen": {
		"sqs:ChangeMessageVisibility on " + listenQueues,
		"sqs:DeleteMessage on " + listenQueues,
		"sqs:ReceiveMessage on " + listenQueues,
	},
	"SchedulesRole": {
		"sqs:SendMessage on {Retry.Arn}",
	},
}

// listenQueues are the temporary queues of listeners.
const listenQueues = "arn:{AWS::Partition}:sqs:{AWS::Region}:{AWS::AccountId}:" +
	"webhook-relay-dev-listen-*"

// named is how a role names a function that is created after it, by its logical id in the template.
func named(id string) string {
	return "arn:{AWS::Partition}:lambda:{AWS::Region}:{AWS::AccountId}:function:webhook-relay-dev-" +
		name(id) + "*"
}

// itsOwnCode is what the credentials of a function's code carry, and Lambda's own calls do not.
const itsOwnCode = " if map[ArnLike:map[lambda:SourceFunctionArn:map[Fn::Join:" +
	"[ [arn: map[Ref:AWS::Partition] :lambda: map[Ref:AWS::Region] : map[Ref:AWS::AccountId] :function:*]]]]]"

// networkGrants is what deliver's role has besides where egress is fixed: Lambda may, the
// function's own code may not.
var networkGrants = []string{
	"ec2:AssignPrivateIpAddresses on *", "not ec2:AssignPrivateIpAddresses on *" + itsOwnCode,
	"ec2:CreateNetworkInterface on *", "not ec2:CreateNetworkInterface on *" + itsOwnCode,
}

// dataKeyGrants is what each role has besides where the data is encrypted with keys of the
// operator's.
func dataKeyGrants(services ...string) (lines []string) {
	var by []string
	for _, service := range services {
		by = append(
			by, "map[Fn::Join:[ ["+service+". map[Ref:AWS::Region] . map[Ref:AWS::URLSuffix]]]]",
		)
	}
	via := " if map[StringEquals:map[kms:ViaService:[" + strings.Join(by, " ") + "]]]"
	for _, action := range []string{
		"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo",
	} {
		lines = append(lines, "kms:"+action+" on "+dataKey+via)
	}
	return append(lines, "kms:Decrypt on "+formerDataKey+via)
}

// authGrants is what deliver's role has besides where endpoints may refer to secrets and call what
// is in AWS.
var authGrants = []string{
	"events:PutEvents on " + sentBus,
	"execute-api:Invoke on " + invokedAPI,
	"firehose:PutRecord on " + sentDelivery,
	"kinesis:PutRecord on " + sentStream,
	"kms:Decrypt on " + otherKey + " if map[StringEquals:map[kms:ViaService:" +
		"map[Fn::Join:[ [secretsmanager. map[Ref:AWS::Region] . map[Ref:AWS::URLSuffix]]]]]]",
	"lambda:InvokeFunction on " + sentFunction,
	"lambda:InvokeFunction on " + invokedFunction +
		" if map[Bool:map[lambda:InvokedViaFunctionUrl:true]]",
	"lambda:InvokeFunctionUrl on " + invokedFunction,
	"logs:CreateLogStream on " + sentGroup + ":*",
	"logs:PutLogEvents on " + sentGroup + ":*",
	"s3:PutObject on " + sentBucket + "/*",
	"sns:Publish on " + sentTopic,
	"sqs:SendMessage on " + sentQueue,
	"states:StartExecution on " + sentMachine,
	"states:StartSyncExecution on " + sentMachine,
	"sts:AssumeRole on " + sentRole,
	"secretsmanager:GetSecretValue on " + otherSecret,
	"secretsmanager:GetSecretValue on arn:{AWS::Partition}:secretsmanager:{AWS::Region}:{AWS::AccountId}:secret:relay/*",
}

// statements writes a role's statements as grants does, what is denied with a "not".
func statements(role resource) []string {
	var lines []string
	for _, policy := range items(role.get("Policies")) {
		for _, s := range items(get(policy, "PolicyDocument", "Statement")) {
			effect, known := map[string]string{
				"Allow": "", "Deny": "not ",
			}[render(get(s, "Effect"))]
			if !known {
				effect = "?? "
			}
			for _, action := range items(get(s, "Action")) {
				for _, on := range items(get(s, "Resource")) {
					line := effect + render(action) + " on " + render(on)
					if condition := get(s, "Condition"); condition != nil {
						line += " if " + render(condition)
					}
					lines = append(lines, line)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestGrants(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	defaults(t).each(t, "AWS::IAM::Role", func(t *testing.T, id string, r resource) {
		got[name(id)] = statements(r)
		if r.get("ManagedPolicyArns") != nil {
			t.Errorf(
				"has managed policies %v, whose content is not ours to see",
				r.get("ManagedPolicyArns"),
			)
		}
	})
	if diff := cmp.Diff(grants, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

// What can be asked for adds the queues of triggers to the grants of receive and admin, the network, secrets and
// what is called to deliver's, and the keys of what is stored to all. It puts another key in the
// place of the stack's, and changes nothing else.
func TestGrantsOfAWholeRelay(t *testing.T) {
	t.Parallel()
	want := maps.Clone(grants)
	want["ReceiveRole"] = slices.Concat(grants["ReceiveRole"], triggerGrants())
	want["AdminRole"] = append(
		slices.Clone(grants["AdminRole"]), "sqs:GetQueueAttributes on {TriggersDlq.Arn}",
	)
	want["DeliverRole"] = slices.Concat(grants["DeliverRole"], networkGrants, authGrants)
	for role := range want {
		services := []string{"dynamodb", "s3", "sqs"}
		if role == "SchedulesRole" || role == "Listen" {
			services = []string{"sqs"}
		}
		want[role] = slices.Concat(want[role], dataKeyGrants(services...))
	}
	for role, lines := range want {
		if role != "SchedulesRole" && role != "Listen" {
			lines = append(
				slices.Clip(lines), "xray:PutTelemetryRecords on *", "xray:PutTraceSegments on *",
			)
		}
		want[role] = slices.Clone(lines)
		for i := range lines {
			want[role][i] = strings.NewReplacer(
				"{SecretsKey.Arn}", secretsKey, ":webhook-relay-dev-", ":webhook-relay-prod-",
				"/webhook-relay-dev-", "/webhook-relay-prod-",
			).Replace(lines[i])
		}
		slices.Sort(want[role])
	}
	got := map[string][]string{}
	whole(t).each(t, "AWS::IAM::Role", func(t *testing.T, id string, r resource) {
		got[name(id)] = statements(r)
		if r.get("ManagedPolicyArns") != nil {
			t.Errorf(
				"has managed policies %v, whose content is not ours to see",
				r.get("ManagedPolicyArns"),
			)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

// What a role may do is in the role alone: no policy is attached to it from elsewhere.
func TestNoPolicyOutsideTheRoles(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tmpl template) {
		for id, r := range tmpl.Resources {
			if strings.HasPrefix(r.Type, "AWS::IAM::") && r.Type != "AWS::IAM::Role" {
				t.Errorf("%s is a %s", id, r.Type)
			}
		}
	})
}

func TestAnyResourceIsGrantedOnlyWithAReason(t *testing.T) {
	t.Parallel()
	reasons, used := stack.AnyResource(), map[string]bool{}
	whole(t).each(t, "AWS::IAM::Role", func(t *testing.T, _ string, r resource) {
		for _, line := range statements(r) {
			line, _, _ := strings.Cut(line, " if ")
			action, on, _ := strings.Cut(line, " on ")
			if strings.Contains(action, "*") {
				t.Errorf("%s: an action with a wildcard", line)
			}
			if on != "*" || strings.HasPrefix(action, "not ") {
				continue
			}
			used[action] = true
			if reasons[action] == "" {
				t.Errorf("%s: no reason given", line)
			}
		}
	})
	for action := range reasons {
		if !used[action] {
			t.Errorf("a reason is given for %s, which nobody is granted", action)
		}
	}
}

func TestRolesAreForOneServiceEach(t *testing.T) {
	t.Parallel()
	const conditions = "map[StringEquals:" +
		"map[aws:SourceAccount:map[Ref:AWS::AccountId] aws:SourceArn:map[Fn::GetAtt:[Schedules Arn]]]]"
	want := map[string][]string{
		"ReceiveRole":   {"lambda.amazonaws.com"},
		"FanoutRole":    {"lambda.amazonaws.com"},
		"DeliverRole":   {"lambda.amazonaws.com"},
		"SweepRole":     {"lambda.amazonaws.com"},
		"AdminRole":     {"lambda.amazonaws.com"},
		"SchedulesRole": {"scheduler.amazonaws.com if " + conditions},
		"Listen":        {"{AdminRole.Arn}"},
	}
	got := map[string][]string{}
	defaults(t).each(t, "AWS::IAM::Role", func(_ *testing.T, id string, r resource) {
		for _, s := range items(r.get("AssumeRolePolicyDocument", "Statement")) {
			line := render(get(s, "Principal", "Service"))
			if get(s, "Principal", "Service") == nil {
				line = render(get(s, "Principal", "AWS"))
			}
			if condition := get(s, "Condition"); condition != nil {
				line += " if " + render(condition)
			}
			got[name(id)] = append(got[name(id)], line)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trust (-want +got):\n%s", diff)
	}
}

// CloudFormation changes the role before the function that has it, and Lambda deletes the
// function's interfaces long after: the right to must be there before, while and after fixedEgress
// is turned off.
func TestFixedEgressCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	on := with(stack.Props{FixedEgress: true})(t)
	for step, tmpl := range map[string]template{"off": defaults(t), "on": on} {
		for id, r := range tmpl.Resources {
			if name(id) != "DeliverRole" {
				continue
			}
			granted := statements(r)
			for _, action := range []string{
				"ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
			} {
				if !slices.Contains(granted, action+" on *") {
					t.Errorf("%s: Lambda may not %s", step, action)
				}
				if !slices.Contains(granted, "not "+action+" on *"+itsOwnCode) {
					t.Errorf("%s: the function's own code may %s", step, action)
				}
			}
		}
	}
	// Nor is it another role that the function gets, since Lambda uses the one that it has.
	for id, r := range on.Resources {
		if r.Type == "AWS::Lambda::Function" &&
			target(r.get("Role")) != target(defaults(t).Resources[id].get("Role")) {
			t.Errorf("%s has another role with fixedEgress", id)
		}
	}
}
