// Command fanout is the Lambda function behind the ingest queues: it records events and sends a
// delivery for each endpoint that wants them.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/telemetry"
)

func main() { start.Function(wire) }

func wire(s settings.Fanout, cfg aws.Config, reporter telemetry.Log) (any, error) {
	tables, queues := dynamodb.NewFromConfig(cfg), awssqs.NewFromConfig(cfg)
	bodies := s3.New(s3.Client(cfg), s.BodiesBucket)
	ledger := dynamo.NewLedger(tables, s.LedgerTable, bodies)
	ingest, ordered := sqs.New(queues, s.IngestQueueURL), sqs.New(queues, s.OrderedIngestQueueURL)
	catalog := dynamo.NewCatalog(tables, s.CatalogTable, nil) // no secret is read
	fanout, err := relay.NewFanout(relay.FanoutConfig{
		Subscriptions: catalog,
		Types:         catalog,
		Events:        ledger,
		Failures:      ledger,
		Bodies:        bodies,
		Delivery:      sqs.New(queues, s.DeliveryQueueURL),
		Ordered:       sqs.New(queues, s.OrderedDeliveryQueueURL),
		Poison:        sqs.New(queues, s.PoisonQueueURL),
		Reporter:      reporter,
		Retention:     settings.Days(s.RetentionDays),
		CacheTTL:      settings.Seconds(s.CatalogCacheSeconds),
	})
	if err != nil {
		return nil, err
	}
	return handler.Batch(reporter.Batched(fanout.Process), ingest, ordered), nil
}
