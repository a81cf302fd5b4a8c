package stack

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"

	"webhook-relay/shared/lambda/settings"
)

// grant is one statement of a function's role. Grants are written out because the CDK's own grant
// methods allow more than the functions use.
type grant struct {
	deny       bool
	actions    []string
	resources  []*string
	conditions map[string]any
}

// AnyResource lists the actions that functions are granted on resource "*". Each has the reason why
// a narrower resource is not possible.
func AnyResource() map[string]string {
	const (
		noResources = "X-Ray has no resource that this action could be narrowed to"
		attaches    = "Lambda checks this right when it makes the function, before there is a network interface to name" +
			" (fixedEgress); the function itself may not"
		detaches = "After fixedEgress is turned off, Lambda deletes the function's network interfaces, when the stack has no network left" +
			" to name; the function itself may not"
	)
	reasons := map[string]string{
		"xray:PutTraceSegments": noResources, "xray:PutTelemetryRecords": noResources,
	}
	for _, action := range attach {
		reasons[action] = attaches
	}
	for _, action := range detach {
		reasons[action] = detaches
	}
	return reasons
}

// attach and detach are the actions of AWS's managed policy AWSLambdaVPCAccessExecutionRole. Lambda
// uses them, with the function's role, to manage the function's network interfaces in a VPC.
var (
	attach = []string{"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface"}
	detach = []string{
		"ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:UnassignPrivateIpAddresses",
	}
)

// everyFunction returns the grants that every function needs: to write to its own log group, and to
// send traces if tracing is on.
func (r *relay) everyFunction(logGroupARN *string) []grant {
	grants := []grant{
		{
			actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			resources: []*string{logGroupARN},
		},
	}
	if r.props.Tracing {
		grants = append(
			grants,
			grant{
				actions:   []string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"},
				resources: []*string{new("*")},
			},
		)
	}
	return grants
}

// consume returns the grant that Lambda needs, with the function's role, to pass a queue's messages
// to the function.
func consume(queueARNs ...*string) grant {
	return grant{
		actions:   []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
		resources: queueARNs,
	}
}

// hold lets a function change the visibility timeout of messages that it has received, so that they
// come back when it wants. It does this after a failure of our own, and for the first message of a
// group.
func hold(queueARNs ...*string) grant {
	return grant{actions: []string{"sqs:ChangeMessageVisibility"}, resources: queueARNs}
}

// count lets a function update items of the ledger, but only under the given keys.
func (r *relay) count(keys ...string) grant {
	return r.lead([]string{"dynamodb:UpdateItem"}, keys...)
}

// lead allows actions on items of the ledger under the given keys only.
func (r *relay) lead(actions []string, keys ...string) grant {
	return grant{actions: actions,
		resources: []*string{r.ledger.TableArn()},
		conditions: map[string]any{
			"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": keys},
		}}
}

// open lets a function decrypt the secrets of one kind of catalog item. Each secret is encrypted
// with the item's name as encryption context. So a function that verifies webhooks cannot read the
// secrets that sign deliveries, and the other way round.
func (r *relay) open(names string) grant {
	return grant{actions: []string{"kms:Decrypt"}, resources: []*string{r.secretsKey.KeyArn()},
		conditions: map[string]any{
			"StringLike": map[string]any{"kms:EncryptionContext:name": names},
		}}
}

func (r *relay) receiveGrants() []grant {
	return append(r.triggerGrants(), []grant{
		// The query finds the subscriptions to a source, if there are ordered endpoints.
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		r.open("source/*"),
		// Some providers send a secret in their handshake. This secret is the only thing that
		// receive writes into the catalog. It has its own partition, for each tenant. receive also
		// counts it, in the item that points to the catalog in force. receive may change nothing
		// else of that item.
		{actions: []string{"dynamodb:PutItem"}, resources: []*string{r.catalog.TableArn()},
			conditions: map[string]any{"ForAllValues:StringLike": map[string]any{
				"dynamodb:LeadingKeys": []string{"learned", "*/learned"},
			}}},
		{actions: []string{"dynamodb:UpdateItem"}, resources: []*string{r.catalog.TableArn()},
			conditions: map[string]any{
				"ForAllValues:StringLike": map[string]any{
					"dynamodb:LeadingKeys": []string{"catalog", "*/catalog"},
				},
				"ForAllValues:StringEquals": map[string]any{
					"dynamodb:Attributes": []string{"pk", "sk", "learned"},
				},
			}},
		{actions: []string{"kms:Encrypt"}, resources: []*string{r.secretsKey.KeyArn()},
			conditions: map[string]any{
				"StringLike": map[string]any{"kms:EncryptionContext:name": "source/*"},
			}},
		// receive writes two things into the ledger: refused requests, and what it has accepted of
		// tenants with a rate. When such a rate is reached, it reads when it is free again.
		r.count("doc/refused/*", "quota#accept#*"),
		r.lead([]string{"dynamodb:GetItem"}, "quota#accept#*"),
		{actions: []string{"s3:PutObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.ingest.QueueArn(), r.ordered.ingest.QueueArn()},
		},
	}...)
}

func (r *relay) fanoutGrants() []grant {
	return slices.Concat(r.listenQueues("sqs:SendMessage"), []grant{
		consume(r.ingest.QueueArn(), r.ordered.ingest.QueueArn()),
		hold(r.ingest.QueueArn(), r.ordered.ingest.QueueArn()),
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:PutItem"},
			resources: []*string{r.ledger.TableArn()},
		},
		r.count("failure#*"),
		// fanout reads a large body if a filter needs it. A missing body is a failure of our own
		// here. So it does not matter that S3 answers 403 and not 404 for it. It stores the bodies
		// of a batch of events together.
		{actions: []string{"s3:GetObject", "s3:PutObject"},
			resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{actions: []string{"sqs:SendMessage"}, resources: []*string{
			r.delivery.QueueArn(), r.ordered.delivery.QueueArn(), r.ingestDLQ.QueueArn()}},
	})
}

func (r *relay) deliverGrants() []grant {
	return slices.Concat(r.networkGrants(), r.authGrants(), []grant{
		consume(
			r.delivery.QueueArn(), r.retry.QueueArn(), r.slow.QueueArn(),
			r.ordered.delivery.QueueArn(),
		),
		hold(
			r.delivery.QueueArn(), r.retry.QueueArn(), r.slow.QueueArn(),
			r.ordered.delivery.QueueArn(),
		),
		// The query finds the subscriptions to the relay's own events. These events are sent to the
		// ingest queue.
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:PutItem"},
			resources: []*string{r.ledger.TableArn()},
		},
		{actions: []string{"dynamodb:Query"}, resources: []*string{r.indexARN(troubledIndex)}},
		// deliver updates four kinds of items. It counts the quotas of endpoints with limits and
		// our own failures. It claims the slots of endpoints with a limited concurrency. It extends
		// the retention of events.
		r.count("evt_*", "failure#*", "quota#*", "slot#*"),
		r.open("endpoint/*"),
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		// deliver stores what is too large for a destination, and signs URLs for its consumers. Who
		// signs needs the right to get it.
		{
			actions:   []string{"s3:PutObject"},
			resources: []*string{r.bodies.ArnForObjects(new(settings.ClaimPrefix + "*"))},
		},
		// Without this grant, S3 answers 403 and not 404 for a body that is gone. That would look
		// like a failure of our own.
		{actions: []string{"s3:ListBucket"}, resources: []*string{r.bodies.BucketArn()}},
		{actions: []string{"sqs:SendMessage"},
			resources: []*string{r.retry.QueueArn(), r.slow.QueueArn(),
				r.ordered.delivery.QueueArn(), r.dead.QueueArn(),
				r.deliveryDLQ.QueueArn(), r.ingest.QueueArn()}},
		{actions: []string{"scheduler:CreateSchedule"}, resources: []*string{r.scheduleARN()}},
		{actions: []string{"iam:PassRole"}, resources: []*string{r.schedulesRole.RoleArn()},
			conditions: map[string]any{
				"StringEquals": map[string]any{"iam:PassedToService": schedulerService},
			}},
	})
}

func (r *relay) sweepGrants() []grant {
	return slices.Concat(r.sweepListeners(), []grant{
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		// sweep writes only deliveries that are due now, and its own progress.
		{actions: []string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"},
			resources: []*string{r.ledger.TableArn()}},
		// When sweep puts a delivery back, it extends the retention of its event, and reads its
		// body. It also writes the statistics, notes which hours it has to count again, and keeps
		// what it knows of the sources. It looks up which hours have events.
		r.count("evt_*", "doc/stats*", "doc/sources"),
		r.lead(
			[]string{"dynamodb:DeleteItem", "dynamodb:Query"}, "doc/stats-tally", "doc/jobs-open",
			"doc/sources",
		),
		r.lead([]string{"dynamodb:Query"}, "hours"),
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{
			actions: []string{"dynamodb:Query"},
			resources: []*string{
				r.indexARN(eventsIndex), r.indexARN(openIndex), r.indexARN(troubledIndex),
			},
		},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.delivery.QueueArn(), r.retry.QueueArn(), r.ingest.QueueArn()},
		},
		// admin works on jobs
		{actions: []string{"lambda:InvokeFunction"}, resources: []*string{r.admin.FunctionArn()}},
	})
}

// indexARN returns the ARN of one of the ledger's indexes.
func (r *relay) indexARN(name string) *string {
	return new(*r.ledger.TableArn() + "/index/" + name)
}

// authGrants returns the grants for the auth of endpoints: to read the secrets and to call the
// functions and APIs that the props name.
func (r *relay) authGrants() (grants []grant) {
	var secrets, functions, apis []*string
	for _, name := range r.props.Secrets {
		if !strings.HasPrefix(name, "arn:") {
			// a secret's ARN ends with six more characters than its name
			name = *r.secretARN(strings.TrimSuffix(name, "*") + "*")
		}
		secrets = append(secrets, &name)
	}
	for _, name := range r.props.Invoke {
		if strings.Contains(name, ":lambda:") {
			functions = append(functions, &name)
		} else {
			apis = append(apis, &name)
		}
	}
	if len(secrets) > 0 {
		grants = append(
			grants, grant{actions: []string{"secretsmanager:GetSecretValue"}, resources: secrets},
		)
	}
	if len(r.props.SecretsManagerKeys) > 0 {
		grants = append(grants, grant{actions: []string{"kms:Decrypt"}, resources: *pointers(
			r.props.SecretsManagerKeys,
		),
			conditions: map[string]any{"StringEquals": map[string]any{
				"kms:ViaService": "secretsmanager." + *r.stack.Region() + "." +
					*r.stack.UrlSuffix()}}})
	}
	grants = append(grants, r.sendGrants()...)
	if len(apis) > 0 {
		grants = append(grants, grant{actions: []string{"execute-api:Invoke"}, resources: apis})
	}
	if len(functions) > 0 { // a function URL needs both
		grants = append(grants,
			grant{actions: []string{"lambda:InvokeFunctionUrl"}, resources: functions},
			grant{actions: []string{"lambda:InvokeFunction"}, resources: functions,
				conditions: map[string]any{
					"Bool": map[string]any{"lambda:InvokedViaFunctionUrl": "true"},
				}})
	}
	return grants
}

// sendActions are what deliver does with a destination or a role, by the service in its ARN.
var sendActions = []struct {
	service string
	within  string // added to the ARN: what the actions are on
	actions []string
}{
	{service: "events", actions: []string{"events:PutEvents"}},
	{service: "firehose", actions: []string{"firehose:PutRecord"}},
	{service: "iam", actions: []string{"sts:AssumeRole"}},
	{service: "kinesis", actions: []string{"kinesis:PutRecord"}},
	{service: "lambda", actions: []string{"lambda:InvokeFunction"}},
	{
		service: "logs", within: ":*",
		actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
	},
	{service: "s3", within: "/*", actions: []string{"s3:PutObject"}},
	{service: "sns", actions: []string{"sns:Publish"}},
	{service: "sqs", actions: []string{"sqs:SendMessage"}},
	{
		service: "states",
		actions: []string{"states:StartExecution", "states:StartSyncExecution"},
	},
}

// sendGrants returns the grants for the destinations and roles that the props name.
func (r *relay) sendGrants() (grants []grant) {
	for _, of := range sendActions {
		var resources []*string
		for _, arn := range r.props.Send {
			if strings.Split(arn, ":")[2] == of.service {
				resources = append(resources, new(arn+of.within))
			}
		}
		if len(resources) > 0 {
			grants = append(grants, grant{actions: of.actions, resources: resources})
		}
	}
	return grants
}

func (r *relay) secretARN(name string) *string {
	return r.stack.FormatArn(&awscdk.ArnComponents{
		Service: new("secretsmanager"), Resource: new("secret"), ResourceName: &name,
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

// networkGrants lets Lambda attach deliver to the VPC, if there is one. It always lets Lambda
// detach deliver. When fixedEgress is turned off, CloudFormation changes the role before the
// function. Lambda deletes the network interfaces up to half an hour after that. Without the right
// to delete them, the subnets could not be deleted and the update would fail.
//
// Only Lambda may use these grants. The credentials of the function's own code carry
// lambda:SourceFunctionArn; Lambda's own calls to EC2 do not. So even if an attacker controls the
// code, it cannot change the network.
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
func (r *relay) networkGrants() []grant {
	anywhere := []*string{new("*")}
	// Only deliver has this role. The role is created before the function, so the function's ARN is
	// not known yet.
	anyFunction := r.stack.FormatArn(&awscdk.ArnComponents{
		Service: new("lambda"), Resource: new("function"), ResourceName: new("*"),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	actions := detach
	if r.props.FixedEgress {
		actions = slices.Concat(attach, detach)
	}
	return []grant{
		{actions: actions, resources: anywhere},
		{deny: true, actions: actions, resources: anywhere,
			conditions: map[string]any{
				"ArnLike": map[string]any{"lambda:SourceFunctionArn": anyFunction},
			}},
	}
}

// policies returns the grants as the role's only inline policy. An inline policy is created
// together with the role, so no function runs before it has its permissions.
func policies(grants []grant) *map[string]awsiam.PolicyDocument {
	statements := make([]awsiam.PolicyStatement, len(grants))
	for i, g := range grants {
		effect := awsiam.Effect_ALLOW
		if g.deny {
			effect = awsiam.Effect_DENY
		}
		statements[i] = awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Effect: effect, Actions: pointers(g.actions), Resources: &g.resources,
			Conditions: &g.conditions,
		})
	}
	return &map[string]awsiam.PolicyDocument{
		// Minimize is off so that the statements stay as they are written above. Otherwise a
		// feature flag of the CDK could merge them.
		"relay": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &statements, Minimize: new(false),
		}),
	}
}
