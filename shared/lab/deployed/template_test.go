package deployed_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"webhook-relay/shared/lab/deployed"
)

// small is a minimal stack that starts: a function behind a queue and an API.
const small = `{"Resources": {
	"Queue12345678": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60,
		"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dlq", "Arn"]}, "maxReceiveCount": 5}}},
	"Dlq": {"Type": "AWS::SQS::Queue", "Properties": {}},
	"Role": {"Type": "AWS::IAM::Role", "Properties": {
		"AssumeRolePolicyDocument": {"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]},
		"Policies": [{"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": {"Fn::GetAtt": ["Queue12345678", "Arn"]}}]}}]}},
	"Function": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 10,
		"MemorySize": 128, "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Environment": {"Variables": {"URL": {"Ref": "Queue12345678"}}}}},
	"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"BatchSize": 10, "ScalingConfig": {"MaximumConcurrency": 2}, "FunctionName": {"Ref": "Function"},
		"EventSourceArn": {"Fn::GetAtt": ["Queue12345678", "Arn"]}}},
	"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP"}},
	"Stage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": true,
		"RouteSettings": {"ANY /in/{source}": {}}}},
	"Key": {"Type": "AWS::KMS::Key", "Properties": {"EnableKeyRotation": true}},
	"Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "Api"}, "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0",
		"IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]}}},
	"Route": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "Api"}, "AuthorizationType": "NONE", "RouteKey": "ANY /in/{source}",
		"Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}}},
	"Rule": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 hour)",
		"Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]}},
	"RulePermission": {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
		"FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}, "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
	"Permission": {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
		"FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
		"SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*/in/{source}"}}}
	}, "Outputs": {"Url": {"Value": {"Ref": "Queue12345678"}}, "Arn": {"Value": {"Fn::Sub": "${Queue12345678.Arn}/x"}}}}`

// assemble writes a cloud assembly of a template.
func assemble(t *testing.T, dir, template string) {
	t.Helper()
	for file, text := range map[string]string{
		"Relay.template.json": template,
		"manifest.json":       `{"artifacts": {"Relay": {"properties": {"stackName": "small"}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T, template string) (*deployed.Host, error) {
	t.Helper()
	dir := t.TempDir()
	assemble(t, dir, template)
	host, err := deployed.Start(t.Context(), dir, io.Discard)
	if err == nil {
		t.Cleanup(host.Close)
	}
	return host, err
}

func TestASmallStackStarts(t *testing.T) {
	t.Parallel()
	host, err := start(t, small)
	if err != nil {
		t.Fatal(err)
	}
	if url := host.Outputs["Url"]; url == "" || url != host.Queue("Queue") {
		t.Errorf("queue %q, output %q", host.Queue("Queue"), url)
	}
	if arn := host.Outputs["Arn"]; !strings.HasPrefix(
		arn, "arn:aws:sqs:eu-central-1:000000000000:queue-",
	) || !strings.HasSuffix(arn, "/x") {
		t.Errorf("ARN %q", arn)
	}
}

// A template that CloudFormation, Lambda or API Gateway would refuse, or that would not work, does
// not start.
func TestABrokenTemplateDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, new, fact string }{
		"no JSON": {`{"Resources"`, `"Resources"`, "invalid"},
		"a reference to nothing": {
			`{"Ref": "Queue12345678"}}}}}`, `{"Ref": "Queue"}}}}}`, "no resource Queue",
		},
		"an output of nothing": {
			`"Value": {"Ref": "Queue12345678"}`, `"Value": {"Ref": "Queue"}`, "output Url",
		},
		"an attribute that there is not": {`["Dlq", "Arn"]`, `["Dlq", "ARN"]`, "no attribute ARN"},
		"a circle": {
			`["Dlq", "Arn"]`, `["Queue12345678", "Arn"]`, "refers to itself",
		},
		"a function of CloudFormation's that is not played": {
			`{"Fn::Join": ["/",`, `{"Fn::Select": ["/",`, "Fn::Select",
		},
		"a queue that is visible again too soon": {
			`"VisibilityTimeout": 60`, `"VisibilityTimeout": 5`, "visible again after 5 s",
		},
		"a role that Lambda cannot take on": {
			`"lambda.amazonaws.com"`, `"events.amazonaws.com"`, "cannot take on",
		},
		"a mapping of no queue": {
			`"EventSourceArn": {"Fn::GetAtt": ["Queue12345678", "Arn"]}`, `"EventSourceArn": "x"`,
			`queue "x"`,
		},
		"a mapping for no function": {
			`"FunctionName": {"Ref": "Function"}`, `"FunctionName": "x"`, `function "x"`,
		},
		"a mapping that is not played": {
			`"BatchSize": 10`, `"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5`, "not played",
		},
		"one batch at a time": {
			`"MaximumConcurrency": 2`, `"MaximumConcurrency": 1`, "concurrency 1",
		},
		"more at once than there is": {
			`"MaximumConcurrency": 2`, `"MaximumConcurrency": 1001`, "concurrency 1001",
		},
		"pollers that are provisioned": {
			`"BatchSize": 10`, `"BatchSize": 10, "ProvisionedPollerConfig": {"MinimumPollers": 2}`,
			"ProvisionedPollerConfig",
		},
		"no concurrency at all": {
			`"Timeout": 10`, `"Timeout": 10, "ReservedConcurrentExecutions": 0`,
			"ReservedConcurrentExecutions",
		},
		"a function in a network": {
			`"Timeout": 10`, `"Timeout": 10, "VpcConfig": {"SubnetIds": ["subnet-1"]}`, "VpcConfig",
		},
		"a function's dead letters": {
			`"Timeout": 10`,
			`"Timeout": 10, "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dlq", "Arn"]}}`,
			"DeadLetterConfig",
		},
		"a layer": {
			`"Timeout": 10`, `"Timeout": 10, "Layers": ["arn:aws:lambda:eu-central-1:1:layer:a:1"]`,
			"Layers",
		},
		"hardly any memory": {`"MemorySize": 128`, `"MemorySize": 1`, "1 MB"},
		"more memory than there is": {
			`"MemorySize": 128`, `"MemorySize": 10241`, "10241 MB",
		},
		"a long time": {`"Timeout": 10`, `"Timeout": 901`, "901 s"},
		"no time":     {`"Timeout": 10`, `"Timeout": 0`, "0 s"},
		"a type that there is not": {
			`AWS::SQS::Queue", "Properties": {}`, `AWS::SQS::Que", "Properties": {}`,
			"AWS::SQS::Que",
		},
		"a type that is not played": {
			`AWS::KMS::Key`, `AWS::SNS::Topic`, "AWS::SNS::Topic, which is not played",
		},
		"a key that is off": {
			`"EnableKeyRotation": true`, `"Enabled": false`, "Enabled",
		},
		"a route with more": {
			`"RouteKey": "ANY`, `"ApiKeyNeeded": true, "RouteKey": "ANY`, "ApiKeyNeeded",
		},
		"a setting of no route": {
			`{"ANY /in/{source}": {}}`, `{"GET /in/{source}": {}}`,
			"route GET /in/{source}, which there is not",
		},
		"no stage": {
			`AWS::ApiGatewayV2::Stage`, `AWS::KMS::Alias`, "has no stage",
		},
		"a stage that waits": {
			`"StageName": "$default", "AutoDeploy": true`, `"StageName": "$default"`,
			"does not deploy by itself",
		},
		"a stage in the path": {`"$default"`, `"prod"`, "stage prod"},
		"a stage of another API": {
			`"ApiId": {"Ref": "Api"}, "StageName"`, `"ApiId": "x", "StageName"`, "no stage",
		},
		"another API's integration": {
			`"ApiId": {"Ref": "Api"}, "IntegrationType"`, `"ApiId": "x", "IntegrationType"`,
			"integration of x",
		},
		"an API of web sockets": {`"HTTP"`, `"WEBSOCKET"`, `speaks "WEBSOCKET"`},
		"a boundary of a role": {
			`"AssumeRolePolicyDocument"`, `"PermissionsBoundary": "x", "AssumeRolePolicyDocument"`,
			"PermissionsBoundary",
		},
		"a rule with an input": {
			`"Id": "a"`, `"Id": "a", "Input": "{}"`, "Input",
		},
		"a rule with a pattern": {
			`"rate(1 hour)"`, `"rate(1 hour)", "EventPattern": {}`, "EventPattern",
		},
		"another runtime": {`provided.al2023`, `go1.x`, "runtime go1.x"},
		"a route to nothing": {
			`["integrations", {"Ref": "Integration"}]`, `["integrations", "x"]`,
			"route ANY /in/{source}",
		},
		"a route with a guard that is not played": {`"NONE"`, `"AWS_IAM"`, "authorization AWS_IAM"},
		"a function that the API may not invoke": {
			`/*/*/in/{source}`, `/*/GET/in/{source}`, "no permission",
		},
		"a rule that is not played": {
			`rate(1 hour)`, `cron(0 * * * ? *)`, "rule Rule",
		},
		"a rule that is disabled": {
			`"rate(1 hour)"`, `"rate(1 hour)", "State": "DISABLED"`, "rule Rule",
		},
		"a rule for no function": {
			`"Id": "a", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}`, `"Id": "a", "Arn": "x"`,
			"rule Rule starts x",
		},
		"a function that the rule may not invoke": {
			`{"Fn::GetAtt": ["Rule", "Arn"]}`, `"x"`, "no permission for rule Rule",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(small, tt.old) {
				t.Fatalf("the template has no %s", tt.old)
			}
			_, err := start(t, strings.Replace(small, tt.old, tt.new, 1))
			if !errors.Is(err, deployed.ErrTemplate) || !strings.Contains(err.Error(), tt.fact) {
				t.Errorf("error %v, want ErrTemplate with %q", err, tt.fact)
			}
		})
	}
}

// If a function's binary cannot run, the API answers 500, as in AWS.
func TestAFunctionThatDoesNotStart(t *testing.T) {
	t.Parallel()
	host, err := start(
		t,
		strings.Replace(
			small, `"Value": {"Ref": "Queue12345678"}`,
			`"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}`, 1,
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(host.Outputs["Url"]+"/in/a", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
}
