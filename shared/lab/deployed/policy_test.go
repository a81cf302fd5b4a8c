package deployed_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/deployed"
)

const roleProperties = `{
	"AssumeRolePolicyDocument": {"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"},
		"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000", "aws:SourceArn": ["group/a", "group/b"]}}}]},
	"Policies": [{"PolicyDocument": {"Statement": [
		{"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:Receive*"], "Resource": ["queue/a", "queue/b-?"]},
		{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "key", "Condition": {"StringLike": {"name": "source/*"}}},
		{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "role", "Condition": {"StringEquals": {"to": "scheduler/*"}}}
	]}}]}`

func newRole(t *testing.T) deployed.Role {
	t.Helper()
	r, err := deployed.NewRole("R", roleProperties)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARoleAllowsWhatItsPoliciesSay(t *testing.T) {
	t.Parallel()
	r := newRole(t)
	for name, tt := range map[string]struct {
		action, resource string
		context          map[string]string
		want             bool
	}{
		"an action on a resource":    {"sqs:SendMessage", "queue/a", nil, true},
		"an action in another case":  {"sqs:sendmessage", "queue/a", nil, true},
		"a wildcard in the action":   {"sqs:ReceiveMessage", "queue/a", nil, true},
		"a wildcard in the resource": {"sqs:SendMessage", "queue/b-1", nil, true},
		"of one character":           {"sqs:SendMessage", "queue/b-12", nil, false},
		"another action":             {"sqs:DeleteMessage", "queue/a", nil, false},
		"another resource":           {"sqs:SendMessage", "queue/ab", nil, false},
		"a resource in another case": {"sqs:SendMessage", "QUEUE/a", nil, false},
		"a condition that is met": {
			"kms:Decrypt", "key", map[string]string{"name": "source/a"}, true,
		},
		"one that is not": {
			"kms:Decrypt", "key", map[string]string{"name": "endpoint/a"}, false,
		},
		"one without its key": {"kms:Decrypt", "key", nil, false},
		"StringEquals knows no pattern": {
			"iam:PassRole", "role", map[string]string{"to": "scheduler/a"}, false,
		},
	} {
		if got := r.May(tt.action, tt.resource, tt.context); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatIsDeniedAndWhatIsNotNeededIsListed(t *testing.T) {
	t.Parallel()
	r := newRole(t)
	r.May("sqs:SendMessage", "queue/a", nil)
	r.May("kms:Decrypt", "key", map[string]string{"name": "x"})
	want := []string{"R: kms:Decrypt on key with map[name:x]"}
	if diff := cmp.Diff(want, r.Denied()); diff != "" {
		t.Errorf("denied (-want +got):\n%s", diff)
	}
	want = []string{
		"R: sqs:SendMessage on queue/b-?", "R: sqs:Receive* on queue/a",
		"R: sqs:Receive* on queue/b-?",
		"R: kms:Decrypt on key", "R: iam:PassRole on role",
	}
	if diff := cmp.Diff(want, r.Unused()); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestARoleIsTakenOnByWhomItTrusts(t *testing.T) {
	t.Parallel()
	source := func(arn string) map[string]string {
		return map[string]string{"aws:SourceAccount": "000000000000", "aws:SourceArn": arn}
	}
	for name, tt := range map[string]struct {
		service string
		context map[string]string
		want    bool
	}{
		"the service for its source": {"scheduler.amazonaws.com", source("group/b"), true},
		"the service for another's": {
			"scheduler.amazonaws.com", source("group/c"), false,
		},
		"the service without saying for what": {"scheduler.amazonaws.com", nil, false},
		"another service":                     {"lambda.amazonaws.com", source("group/a"), false},
	} {
		if got := newRole(t).Trusts(tt.service, tt.context); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatIsNotEvaluatedIsRefused(t *testing.T) {
	t.Parallel()
	statement := func(s string) string {
		return `{"Policies": [{"PolicyDocument": {"Statement": [` + s + `]}}]}`
	}
	for name, properties := range map[string]string{
		"another effect": statement(`{"Effect": "Maybe", "Action": "*", "Resource": "*"}`),
		"NotAction":      statement(`{"Effect": "Allow", "NotAction": "a:B", "Resource": "*"}`),
		"NotResource":    statement(`{"Effect": "Allow", "Action": "a:B", "NotResource": "*"}`),
		"another condition": statement(
			`{"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}`,
		),
		"a managed policy": `{"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}`,
	} {
		if _, err := deployed.NewRole("R", properties); !errors.Is(err, deployed.ErrTemplate) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestARoleMayBeLimitedToAttributes checks a ForAllValues condition: each value must meet it.
func TestARoleMayBeLimitedToAttributes(t *testing.T) {
	t.Parallel()
	r, err := deployed.NewRole("R",
		`{"Policies": [{"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "dynamodb:UpdateItem",
		"Resource": "table", "Condition": {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "learned"]}}}]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for attributes, want := range map[string]bool{
		"pk,sk,learned": true, "pk,sk,generation": false, "pk,sk,learned,generation": false,
		"": false,
	} {
		if got := r.May(
			"dynamodb:UpdateItem", "table", map[string]string{"dynamodb:Attributes": attributes},
		); got != want {
			t.Errorf("%q: %t, want %t", attributes, got, want)
		}
	}
}

func TestWhatIsDeniedIsNotAllowed(t *testing.T) {
	t.Parallel()
	r, err := deployed.NewRole("R", `{"Policies": [{"PolicyDocument": {"Statement": [
		{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
		{"Effect": "Deny", "Action": "ec2:DeleteNetworkInterface", "Resource": "*",
			"Condition": {"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:*"}}}]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	itself := map[string]string{
		"lambda:SourceFunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:deliver",
	}
	for name, tt := range map[string]struct {
		action  string
		context map[string]string
		want    bool
	}{
		"denied, if it is the code":    {"ec2:DeleteNetworkInterface", itself, false},
		"not denied, if it is not":     {"ec2:DeleteNetworkInterface", nil, true},
		"another action of the code's": {"ec2:DescribeSubnets", itself, true},
	} {
		if got := r.May(tt.action, "*", tt.context); got != tt.want {
			t.Errorf("%s: allowed %t", name, got)
		}
	}
	if unused := r.Unused(); len(unused) > 0 {
		t.Errorf("a denial is listed as a grant that nothing needed: %v", unused)
	}
}
