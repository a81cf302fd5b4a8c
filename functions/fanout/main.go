// Command fanout is the Lambda function behind the ingest queue: it records events and sends a delivery for each endpoint that
// wants them.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/awsenv"
	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/settings"
	"webhook-relay/shared/sqs"
	"webhook-relay/shared/telemetry"
)

func main() {
	logger := lambdacontext.NewLogger()
	fanout, err := newFanout(logger)
	if err != nil {
		logger.Error("fanout cannot start", telemetry.KeyError, err)
		os.Exit(1)
	}
	lambda.Start(handler.Batch(fanout.Process))
}

// newFanout wires the fan-out to AWS. It makes clients and calls nothing.
func newFanout(logger *slog.Logger) (*relay.Fanout, error) {
	s, err := settings.Read[settings.Fanout]()
	if err != nil {
		return nil, err
	}
	aws, err := awsenv.Config()
	if err != nil {
		return nil, err
	}
	tables, queues := dynamodb.NewFromConfig(aws), awssqs.NewFromConfig(aws)
	return relay.NewFanout(relay.FanoutConfig{
		Subscriptions: dynamo.NewCatalog(tables, s.CatalogTable, nil), // subscriptions hold no secrets
		Events:        dynamo.NewLedger(tables, s.LedgerTable),
		Delivery:      sqs.New(queues, s.DeliveryQueueURL),
		Poison:        sqs.New(queues, s.PoisonQueueURL),
		Reporter:      telemetry.Log{Logger: logger},
		Retention:     time.Duration(s.RetentionDays) * 24 * time.Hour,
		CacheTTL:      time.Duration(s.CatalogCacheSeconds) * time.Second,
	}), nil
}
