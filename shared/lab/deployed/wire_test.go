package deployed_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	awssecretsmanager "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/lab/emulator"
)

// TestCallsAreReadFromTheWire makes each call with the SDK. The server reads it and returns nothing
// useful.
func TestCallsAreReadFromTheWire(t *testing.T) {
	t.Parallel()
	const (
		queue = "https://sqs.eu-central-1.amazonaws.com/000000000000/q"
		table = "arn:aws:dynamodb:eu-central-1:000000000000:table/"
		key   = "arn:aws:kms:eu-central-1:000000000000:key/k"
	)
	for name, tt := range map[string]struct {
		call func(context.Context, aws.Config) error
		want []string
	}{
		"SQS": {func(ctx context.Context, c aws.Config) error {
			_, err := awssqs.NewFromConfig(c).ReceiveMessage(
				ctx, &awssqs.ReceiveMessageInput{QueueUrl: aws.String(queue)},
			)
			return err
		}, []string{"sqs:ReceiveMessage on arn:aws:sqs:eu-central-1:000000000000:q"}},
		"SQS, a batch, which is no action of its own": {func(
			ctx context.Context, c aws.Config,
		) error {
			_, err := awssqs.NewFromConfig(c).DeleteMessageBatch(ctx,
				&awssqs.DeleteMessageBatchInput{
					QueueUrl: aws.String(queue), Entries: []sqstypes.DeleteMessageBatchRequestEntry{
						{Id: aws.String("0"), ReceiptHandle: aws.String("r")},
					},
				})
			return err
		}, []string{"sqs:DeleteMessage on arn:aws:sqs:eu-central-1:000000000000:q"}},
		"Secrets Manager, by name": {func(ctx context.Context, c aws.Config) error {
			_, err := awssecretsmanager.NewFromConfig(c).GetSecretValue(
				ctx, &awssecretsmanager.GetSecretValueInput{SecretId: aws.String("a/b")},
			)
			return err
		}, []string{
			"secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:000000000000:secret:a/b-AbCdEf",
		}},
		"DynamoDB, a table": {func(ctx context.Context, c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).Query(
				ctx, &dynamodb.QueryInput{TableName: aws.String("t")},
			)
			return err
		}, []string{"dynamodb:Query on " + table + "t"}},
		"DynamoDB, a partition of a table": {func(ctx context.Context, c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).Query(ctx, &dynamodb.QueryInput{
				TableName:              aws.String("t"),
				KeyConditionExpression: aws.String("pk = :pk AND sk >= :from"),
				ExpressionAttributeValues: map[string]dynamotypes.AttributeValue{
					":pk":   &dynamotypes.AttributeValueMemberS{Value: "doc/a"},
					":from": &dynamotypes.AttributeValueMemberS{Value: "b"},
				},
			})
			return err
		}, []string{"dynamodb:Query on " + table + "t with map[dynamodb:LeadingKeys:doc/a]"}},
		"DynamoDB, an index": {func(ctx context.Context, c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).Query(
				ctx, &dynamodb.QueryInput{TableName: aws.String("t"), IndexName: aws.String("i")},
			)
			return err
		}, []string{"dynamodb:Query on " + table + "t/index/i"}},
		"DynamoDB, a batch over two tables": {func(ctx context.Context, c aws.Config) error {
			keys := dynamotypes.KeysAndAttributes{Keys: []map[string]dynamotypes.AttributeValue{{}}}
			_, err := dynamodb.NewFromConfig(c).BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]dynamotypes.KeysAndAttributes{"t": keys, "s": keys},
			})
			return err
		}, []string{
			"dynamodb:BatchGetItem on " + table + "s", "dynamodb:BatchGetItem on " + table + "t",
		}},
		"DynamoDB, no table": {func(ctx context.Context, c aws.Config) error {
			_, err := dynamodb.NewFromConfig(c).ListTables(ctx, nil)
			return err
		}, nil},
		"S3, put": {func(ctx context.Context, c aws.Config) error {
			_, err := emulator.Buckets(c).PutObject(
				ctx,
				&awss3.PutObjectInput{
					Bucket: aws.String("b"), Key: aws.String("a/k"), Body: strings.NewReader("x"),
				},
			)
			return err
		}, []string{"s3:PutObject on arn:aws:s3:::b/a/k"}},
		"S3, get": {func(ctx context.Context, c aws.Config) error {
			_, err := emulator.Buckets(c).GetObject(
				ctx, &awss3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")},
			)
			return err
		}, []string{"s3:GetObject on arn:aws:s3:::b/k"}},
		"S3, a bucket": {func(ctx context.Context, c aws.Config) error {
			_, err := emulator.Buckets(c).ListObjectsV2(
				ctx, &awss3.ListObjectsV2Input{Bucket: aws.String("b")},
			)
			return err
		}, nil},
		"KMS": {func(ctx context.Context, c aws.Config) error {
			_, err := awskms.NewFromConfig(c).Decrypt(ctx, &awskms.DecryptInput{
				KeyId: aws.String(key), CiphertextBlob: []byte("x"),
				EncryptionContext: map[string]string{"name": "source/a"},
			})
			return err
		}, []string{"kms:Decrypt on " + key + " with map[kms:EncryptionContext:name:source/a]"}},
		"Lambda": {func(ctx context.Context, c aws.Config) error {
			return lambda.NewStarter(c, "f").StartJob(ctx, "", "job_1")
		}, []string{
			"lambda:InvokeFunction on arn:aws:lambda:eu-central-1:000000000000:function:f",
		}},
		"Scheduler, which is handed a role": {func(ctx context.Context, c aws.Config) error {
			_, err := scheduler.NewFromConfig(c).CreateSchedule(ctx, &scheduler.CreateScheduleInput{
				Name: aws.String("n"), GroupName: aws.String("g"),
				ScheduleExpression: aws.String("at(2030-01-01T00:00:00)"),
				FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{
					Mode: schedulertypes.FlexibleTimeWindowModeOff,
				},
				Target: &schedulertypes.Target{Arn: aws.String("a"), RoleArn: aws.String("r")},
			})
			return err
		}, []string{"scheduler:CreateSchedule on arn:aws:scheduler:eu-central-1:000000000000:schedule/g/n",
			"iam:PassRole on r with map[iam:PassedToService:scheduler.amazonaws.com]"}},
		"another service": {func(ctx context.Context, c aws.Config) error {
			_, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, nil)
			return err
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var unread error
			server := httptest.NewServer(http.HandlerFunc(func(
				w http.ResponseWriter, r *http.Request,
			) {
				got, unread = deployed.Calls(r)
				w.WriteHeader(http.StatusForbidden)
			}))
			defer server.Close()
			err := tt.call(t.Context(), aws.Config{
				Region: "eu-central-1", BaseEndpoint: &server.URL,
				Credentials: credentials.NewStaticCredentialsProvider("A", "B", ""),
			})
			if err == nil {
				t.Fatal("no error from a server that forbids everything")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || (unread == nil) != (tt.want != nil) {
				t.Errorf("error %v, calls (-want +got):\n%s", unread, diff)
			}
		})
	}
}

func TestAnUnsignedRequestIsNoCall(t *testing.T) {
	t.Parallel()
	if got, err := deployed.Calls(httptest.NewRequest(http.MethodGet, "/b/k", nil)); err == nil {
		t.Errorf("read as %v", got)
	}
}
