// Command deliver is the Lambda function behind the delivery and retry queues: it POSTs deliveries to their endpoints.
package main

import (
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awsscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/awsenv"
	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/s3"
	"webhook-relay/shared/scheduler"
	"webhook-relay/shared/settings"
	"webhook-relay/shared/sqs"
	"webhook-relay/shared/telemetry"
)

func main() {
	// net/http logs what an endpoint sends unasked on an idle connection, and that may be an echo of our request.
	log.SetOutput(io.Discard)
	logger := lambdacontext.NewLogger()
	deliverer, err := newDeliverer(logger)
	if err != nil {
		logger.Error("deliver cannot start", telemetry.KeyError, err)
		os.Exit(1)
	}
	lambda.Start(handler.Batch(deliverer.Process))
}

// newDeliverer wires the deliverer to AWS. It makes clients and calls nothing.
func newDeliverer(logger *slog.Logger) (*relay.Deliverer, error) {
	s, err := settings.Read[settings.Deliver]()
	if err != nil {
		return nil, err
	}
	aws, err := awsenv.Config()
	if err != nil {
		return nil, err
	}
	tables, queues := dynamodb.NewFromConfig(aws), awssqs.NewFromConfig(aws)
	return relay.NewDeliverer(relay.DelivererConfig{
		Endpoints:  dynamo.NewCatalog(tables, s.CatalogTable, kms.New(awskms.NewFromConfig(aws), s.SecretsKeyARN)),
		Deliveries: dynamo.NewLedger(tables, s.LedgerTable),
		Bodies:     s3.New(s3.Client(aws), s.BodiesBucket),
		Poster:     egress.New(egress.Options{}),
		Retry:      sqs.New(queues, s.RetryQueueURL),
		Dead:       sqs.New(queues, s.DeadQueueURL),
		Poison:     sqs.New(queues, s.PoisonQueueURL),
		Scheduler: scheduler.New(awsscheduler.NewFromConfig(aws), scheduler.Target{
			Group: s.ScheduleGroup, QueueURL: s.RetryQueueURL, RoleARN: s.ScheduleRoleARN,
		}),
		Reporter:    telemetry.Log{Logger: logger},
		Retention:   time.Duration(s.RetentionDays) * 24 * time.Hour,
		MaxReceives: s.MaxReceives,
		CacheTTL:    time.Duration(s.CatalogCacheSeconds) * time.Second,
	}), nil
}
