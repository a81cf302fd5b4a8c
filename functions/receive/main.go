// Command receive is the Lambda function behind the HTTP API: it verifies a webhook and puts it on the ingest queue.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/awsenv"
	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/s3"
	"webhook-relay/shared/settings"
	"webhook-relay/shared/sqs"
	"webhook-relay/shared/telemetry"
)

func main() {
	logger := lambdacontext.NewLogger()
	receiver, err := newReceiver(logger)
	if err != nil {
		logger.Error("receive cannot start", telemetry.KeyError, err)
		os.Exit(1)
	}
	lambda.Start(handler.Receive(receiver))
}

// newReceiver wires the receiver to AWS. It makes clients and calls nothing.
func newReceiver(logger *slog.Logger) (*relay.Receiver, error) {
	s, err := settings.Read[settings.Receive]()
	if err != nil {
		return nil, err
	}
	aws, err := awsenv.Config()
	if err != nil {
		return nil, err
	}
	return relay.NewReceiver(relay.ReceiverConfig{
		Sources:         dynamo.NewCatalog(dynamodb.NewFromConfig(aws), s.CatalogTable, kms.New(awskms.NewFromConfig(aws), s.SecretsKeyARN)),
		Ingest:          sqs.New(awssqs.NewFromConfig(aws), s.IngestQueueURL),
		Bodies:          s3.New(s3.Client(aws), s.BodiesBucket),
		Reporter:        telemetry.Log{Logger: logger},
		MaxBodyBytes:    s.MaxBodyBytes,
		InlineBodyBytes: s.InlineBodyBytes,
		CacheTTL:        time.Duration(s.CatalogCacheSeconds) * time.Second,
	}), nil
}
