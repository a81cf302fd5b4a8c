package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"

	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/telemetry/metric"
)

const (
	// adminPath is the path of the API for operators and tenants.
	adminPath = "/v1/{proxy+}"
	// adminTimeoutSeconds is just below the 30 s after which API Gateway gives up.
	adminTimeoutSeconds = 29
	// adminMemoryMiB holds a large configuration and its copy. It also buys CPU for the cold start,
	// for which a person waits.
	adminMemoryMiB = 512
	// strangers is how many requests without a valid token in five minutes fire the alarm. A script
	// with a token that has expired makes as many, too.
	strangers = 100
)

// addAdmin makes the function that serves the API of operators and tenants.
func (r *relay) addAdmin() error {
	environment, err := settings.Environment(settings.Admin{
		CatalogTable:        *r.catalog.TableName(),
		LedgerTable:         *r.ledger.TableName(),
		BodiesBucket:        *r.bodies.BucketName(),
		SecretsKeyARN:       *r.secretsKey.KeyArn(),
		IngestQueueURL:      *r.ingest.QueueUrl(),
		DeliveryQueueURL:    *r.delivery.QueueUrl(),
		RetentionDays:       r.props.RetentionDays,
		CatalogCacheSeconds: r.props.CatalogCacheSeconds,
		Send:                r.props.Send,
	})
	if err != nil {
		return err
	}
	r.admin = r.addFunction(function{
		id: "Admin", name: adminName,
		description: "Serves the API by which operators and tenants run the relay",
		memoryMiB:   adminMemoryMiB, timeoutSeconds: adminTimeoutSeconds,
		environment: environment, grants: r.adminGrants(),
	})
	return nil
}

// addAdminRoute opens adminPath. Its throttle is that of all routes without their own.
func (r *relay) addAdminRoute() {
	options := &awsapigatewayv2.AddRoutesOptions{
		Path:    new(adminPath),
		Methods: list(awsapigatewayv2.HttpMethod_ANY),
		Integration: awsapigatewayv2integrations.NewHttpLambdaIntegration(
			new("Admin"), r.admin, nil,
		),
	}
	if r.props.IAM {
		options.Authorizer = awsapigatewayv2authorizers.NewHttpIamAuthorizer()
	}
	r.api.AddRoutes(options)
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
	return []grant{
		{
			// A change of one thing is a transaction. IAM checks its parts.
			actions: []string{
				"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
				"dynamodb:UpdateItem",
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
		// the audit log and kept answers
		r.count("doc/*"),
		{
			actions:   []string{"kms:Decrypt", "kms:Encrypt"},
			resources: []*string{r.secretsKey.KeyArn()},
			conditions: map[string]any{"StringLike": map[string]any{
				"kms:EncryptionContext:name": []string{"endpoint/*", "source/*"},
			}},
		},
		{actions: []string{"s3:GetObject"}, resources: []*string{r.bodies.ArnForObjects(new("*"))}},
		// Without this grant, S3 answers 403 and not 404 for a body that is gone.
		{actions: []string{"s3:ListBucket"}, resources: []*string{r.bodies.BucketArn()}},
		{
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{r.delivery.QueueArn(), r.ingest.QueueArn()},
		},
	}
}
