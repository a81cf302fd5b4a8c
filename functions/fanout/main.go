// Command fanout is the Lambda function behind the ingest queue: it records events and sends a delivery for each endpoint that
// wants them.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/function"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/settings"
	"webhook-relay/shared/sqs"
)

func main() { function.Start(wire) }

func wire(s settings.Fanout, cfg aws.Config, reporter relay.Reporter) any {
	tables, queues := dynamodb.NewFromConfig(cfg), awssqs.NewFromConfig(cfg)
	return handler.Batch(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: dynamo.NewCatalog(tables, s.CatalogTable, nil), // subscriptions hold no secrets
		Events:        dynamo.NewLedger(tables, s.LedgerTable),
		Delivery:      sqs.New(queues, s.DeliveryQueueURL),
		Poison:        sqs.New(queues, s.PoisonQueueURL),
		Reporter:      reporter,
		Retention:     function.Days(s.RetentionDays),
		CacheTTL:      function.Seconds(s.CatalogCacheSeconds),
	}).Process)
}
