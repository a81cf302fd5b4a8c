package stack

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/telemetry/metric"
)

const (
	// adminID is the function's id in the template.
	adminID = "Admin"
	// adminPath is the path of the API for operators and tenants.
	adminPath = "/v1/{proxy+}"
	// adminTimeoutSeconds is just below the 30 s after which API Gateway gives up. A step of a job
	// takes some 20 s.
	adminTimeoutSeconds = 29
	// adminMemoryMiB holds a large configuration and its copy, or the events of an export's file.
	// It also buys CPU for the cold start, for which a person waits.
	adminMemoryMiB = 512
	// strangers is how many requests without a valid token in five minutes fire the alarm. A script
	// with a token that has expired makes as many, too.
	strangers = 100
)

// consolePaths are the paths of the console, and of the portals of tenants.
var consolePaths = []string{"/console", "/console/{proxy+}", "/portal/{proxy+}"}

// addAdmin makes the function that serves the API and the console, and works on jobs.
func (r *relay) addAdmin() error {
	logs, role := r.addRole(adminID, r.adminGrants())
	listenRole, dataKey := "", ""
	if r.props.listens() {
		listenRole, dataKey = *r.addListenRole(role), r.props.DataKeyARN
	}
	environment, err := settings.Environment(settings.Admin{
		CatalogTable:        *r.catalog.TableName(),
		LedgerTable:         *r.ledger.TableName(),
		BodiesBucket:        *r.bodies.BucketName(),
		SecretsKeyARN:       *r.secretsKey.KeyArn(),
		IngestQueueURL:      *r.ingest.QueueUrl(),
		DeliveryQueueURL:    *r.delivery.QueueUrl(),
		RetryQueueURL:       *r.retry.QueueUrl(),
		RetentionDays:       r.props.RetentionDays,
		CatalogCacheSeconds: r.props.CatalogCacheSeconds,
		Send:                r.props.Send,
		ListenPrefix:        r.listenPrefix(),
		ListenRoleARN:       listenRole,
		DataKeyARN:          dataKey,
		Triggers:            r.triggerProviders(),
		Queues:              r.queueNames(),
	})
	if err != nil {
		return err
	}
	r.admin = r.addFunction(function{
		id: adminID, name: adminName,
		description: "Serves the API and the console to operators and tenants, and works on jobs",
		memoryMiB:   adminMemoryMiB, timeoutSeconds: adminTimeoutSeconds,
		environment: environment, logs: logs, role: role,
		// A step of a job ends by invoking the function for the next one. This is intended.
		recursiveLoop: awslambda.RecursiveLoop_ALLOW,
	})
	return nil
}

// addAdminRoutes opens adminPath and the paths of the console. Their throttle is that of all routes
// without their own. A browser cannot sign requests for IAM: with it there is no console and no
// portal.
func (r *relay) addAdminRoutes() {
	integration := awsapigatewayv2integrations.NewHttpLambdaIntegration(new("Admin"), r.admin, nil)
	open := func(path string, authorizer awsapigatewayv2.IHttpRouteAuthorizer) {
		r.api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: &path, Methods: list(awsapigatewayv2.HttpMethod_ANY), Integration: integration,
			Authorizer: authorizer,
		})
	}
	if r.props.IAM {
		open(adminPath, awsapigatewayv2authorizers.NewHttpIamAuthorizer())
		return
	}
	for _, path := range append([]string{adminPath}, consolePaths...) {
		open(path, nil)
	}
}

// strangersAlarm fires when many requests to the API have no valid token.
func (r *relay) strangersAlarm() alarm {
	return alarm{
		id: "ApiUnauthorized", namespace: metric.Namespace, metric: metric.Unauthorized,
		statistic: "Sum", dimension: metric.Relay, of: *r.stack.StackName(),
		threshold: strangers, minutes: 5,
		description: "ticket: somebody sends many requests to the API without a valid token: a script whose token has expired, or an attacker. " +
			"First see in the log of admin why they are refused (docs/runbook.md).",
	}
}

func (r *relay) adminGrants() []grant {
	return slices.Concat([]grant{
		{
			// A change of one thing is a transaction, of which IAM checks the parts. A file is
			// applied in batches.
			actions: []string{
				"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
				"dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
			},
			resources: []*string{r.catalog.TableArn()},
		},
		{
			actions: []string{
				"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
				"dynamodb:PutItem", "dynamodb:Query",
			},
			resources: []*string{r.ledger.TableArn()},
		},
		{
			actions: []string{"dynamodb:Query"},
			resources: []*string{
				r.indexARN(eventsIndex), r.indexARN(openIndex), r.indexARN(troubledIndex),
			},
		},
		// The audit log, kept answers and jobs. A delivery that is sent again keeps its event.
		r.count("doc/*", "evt_*"),
		{
			actions:   []string{"kms:Decrypt", "kms:Encrypt"},
			resources: []*string{r.secretsKey.KeyArn()},
			conditions: map[string]any{"StringLike": map[string]any{
				"kms:EncryptionContext:name": []string{"endpoint/*", "source/*"},
			}},
		},
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		{
			actions:   []string{"s3:PutObject"},
			resources: []*string{r.bodies.ArnForObjects(new("exports/*"))},
		},
		// Without this grant, S3 answers 403 and not 404 for a body that is gone.
		{actions: []string{"s3:ListBucket"}, resources: []*string{r.bodies.BucketArn()}},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.delivery.QueueArn(), r.ingest.QueueArn(), r.retry.QueueArn()},
		},
		{actions: []string{"sqs:GetQueueAttributes"}, resources: r.queueARNs()},
		{actions: []string{"lambda:InvokeFunction"}, resources: []*string{r.adminARN()}},
	}, r.listenQueues("sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SendMessage"),
		r.assumeListenRole())
}

// adminARN returns the ARN of admin for its own role, which is created before the function, so that
// it is not known yet: CloudFormation names a function after the stack and the logical id.
func (r *relay) adminARN() *string {
	return r.stack.FormatArn(&awscdk.ArnComponents{
		Service: new("lambda"), Resource: new("function"),
		ResourceName: new(*r.stack.StackName() + "-" + adminID + "*"),
		ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}
