package stack

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

// grant is a statement of a function's role, written out: the CDK's own grant methods allow more
// than is used here.
type grant struct {
	deny       bool
	actions    []string
	resources  []*string
	conditions map[string]any
}

// AnyResource lists the actions that functions are granted on resource "*", each with the reason
// why nothing narrower will do.
func AnyResource() map[string]string {
	const (
		noResources = "X-Ray has no resource that this action could be narrowed to"
		attaches    = "Lambda asks whether it may before there is an interface that could be named, and refuses to make the function if not" +
			" (fixedEgress); the function itself may not"
		detaches = "Lambda deletes the function's network interfaces after fixedEgress was turned off, when there is no network of the" +
			" stack's left that could be named; the function itself may not"
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

// attach and detach are together what Lambda does, in a function's name, with its network
// interfaces in a VPC: the actions of AWS's managed policy AWSLambdaVPCAccessExecutionRole.
var (
	attach = []string{"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface"}
	detach = []string{
		"ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:UnassignPrivateIpAddresses",
	}
)

// everyFunction is what any function needs to be seen: its own log group, and traces if they are
// wanted.
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

// consume is what Lambda needs, in a function's name, to hand it a queue's messages.
func consume(queueARNs ...*string) grant {
	return grant{
		actions:   []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
		resources: queueARNs,
	}
}

// hold lets a function say when messages that it has in hand come again: after a failure of ours,
// and at the head of a group.
func hold(queueARNs ...*string) grant {
	return grant{actions: []string{"sqs:ChangeMessageVisibility"}, resources: queueARNs}
}

// count lets a function count in the ledger, under these keys and no others.
func (r *relay) count(keys ...string) grant {
	return grant{actions: []string{"dynamodb:UpdateItem"},
		resources: []*string{r.ledger.TableArn()},
		conditions: map[string]any{
			"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": keys},
		}}
}

// open lets a function open the secrets of one kind of catalog item. Each is sealed under the
// item's name as encryption context, so that who verifies webhooks cannot read what signs
// deliveries, nor the other way round.
func (r *relay) open(names string) grant {
	return grant{actions: []string{"kms:Decrypt"}, resources: []*string{r.secretsKey.KeyArn()},
		conditions: map[string]any{
			"StringLike": map[string]any{"kms:EncryptionContext:name": names},
		}}
}

func (r *relay) receiveGrants() []grant {
	return []grant{
		{actions: []string{"dynamodb:GetItem"}, resources: []*string{r.catalog.TableArn()}},
		r.open("source/*"),
		// A secret that a provider hands over in its handshake is the one thing that receive writes
		// into the catalog, in a partition of its own. It is counted beside the pointer to the
		// catalog in force, of which receive may change nothing else.
		{actions: []string{"dynamodb:PutItem"}, resources: []*string{r.catalog.TableArn()},
			conditions: map[string]any{
				"ForAllValues:StringEquals": map[string]any{"dynamodb:LeadingKeys": "learned"},
			}},
		{actions: []string{"dynamodb:UpdateItem"}, resources: []*string{r.catalog.TableArn()},
			conditions: map[string]any{"ForAllValues:StringEquals": map[string]any{
				"dynamodb:LeadingKeys": "catalog",
				"dynamodb:Attributes":  []string{"pk", "sk", "learned"}}}},
		{actions: []string{"kms:Encrypt"}, resources: []*string{r.secretsKey.KeyArn()},
			conditions: map[string]any{
				"StringLike": map[string]any{"kms:EncryptionContext:name": "source/*"},
			}},
		{actions: []string{"s3:PutObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.ingest.QueueArn(), r.ordered.ingest.QueueArn()},
		},
	}
}

func (r *relay) fanoutGrants() []grant {
	return []grant{
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
		// A large body, where a filter looks at it. One that is gone is a failure here, so that S3
		// may say 403 of it.
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{actions: []string{"sqs:SendMessage"}, resources: []*string{
			r.delivery.QueueArn(), r.ordered.delivery.QueueArn(), r.ingestDLQ.QueueArn()}},
	}
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
		// The query is for who subscribed to the relay's own events, which go to the ingest queue.
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:PutItem"},
			resources: []*string{r.ledger.TableArn()},
		},
		{actions: []string{"dynamodb:Query"}, resources: []*string{r.indexARN(troubledIndex)}},
		// The quotas of endpoints with limits and our failures are all that is counted, slots of a
		// concurrency all that is claimed, and events all that is kept for longer.
		r.count("evt_*", "failure#*", "quota#*", "slot#*"),
		r.open("endpoint/*"),
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		// Without it S3 answers 403 and not 404 for a body that is gone, which would look like a
		// failure of ours.
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
	return []grant{
		{
			actions:   []string{"dynamodb:GetItem", "dynamodb:Query"},
			resources: []*string{r.catalog.TableArn()},
		},
		// What it writes are deliveries that are due now, and how far it has got.
		{actions: []string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"},
			resources: []*string{r.ledger.TableArn()}},
		// The events of what it puts back are kept for longer.
		r.count("evt_*"),
		{
			actions: []string{"dynamodb:Query"},
			resources: []*string{
				r.indexARN(eventsIndex), r.indexARN(openIndex), r.indexARN(troubledIndex),
			},
		},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.delivery.QueueArn(), r.retry.QueueArn()},
		},
	}
}

// indexARN is one of the ledger's indexes.
func (r *relay) indexARN(name string) *string {
	return new(*r.ledger.TableArn() + "/index/" + name)
}

// authGrants are for what the auth of endpoints refers to and calls, as far as the props name it.
func (r *relay) authGrants() (grants []grant) {
	var secrets, functions, apis []*string
	for _, name := range r.props.Secrets {
		if !strings.HasPrefix(name, "arn:") {
			// a secret's ARN has six more characters than its name
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
	if len(apis) > 0 {
		grants = append(grants, grant{actions: []string{"execute-api:Invoke"}, resources: apis})
	}
	if len(functions) > 0 { // a function URL asks for both
		grants = append(grants,
			grant{actions: []string{"lambda:InvokeFunctionUrl"}, resources: functions},
			grant{actions: []string{"lambda:InvokeFunction"}, resources: functions,
				conditions: map[string]any{
					"Bool": map[string]any{"lambda:InvokedViaFunctionUrl": "true"},
				}})
	}
	return grants
}

func (r *relay) secretARN(name string) *string {
	return r.stack.FormatArn(&awscdk.ArnComponents{
		Service: new("secretsmanager"), Resource: new("secret"), ResourceName: &name,
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

// networkGrants lets Lambda attach deliver to the VPC, where there is one, and detach it always:
// turning fixedEgress off changes the role before the function, and Lambda deletes the interfaces
// up to half an hour after that. Without the right to, the subnets could not be deleted and the
// update would fail.
//
// Nobody else may: the credentials that the function's own code gets carry
// lambda:SourceFunctionArn, as Lambda's calls to EC2 do not, so whatever becomes of the code, it
// cannot touch the network.
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
func (r *relay) networkGrants() []grant {
	anywhere := []*string{new("*")}
	// the role is deliver's alone, and comes before the function that could be named
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

// policies returns grants as a role's one inline policy: it exists with the role, so that no
// function runs before it may.
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
		// The statements stay as they are written above, whatever the feature flag for merging them
		// says.
		"relay": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &statements, Minimize: new(false),
		}),
	}
}
