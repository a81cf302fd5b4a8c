// Command sweep is the Lambda function behind an hourly rule: it finds deliveries that a bug or an outage has lost, and puts them back.
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
	"webhook-relay/shared/telemetry"
)

func main() { function.Start(wire) }

func wire(s settings.Sweep, cfg aws.Config, log telemetry.Log) any {
	tables, queues := dynamodb.NewFromConfig(cfg), awssqs.NewFromConfig(cfg)
	ingest, ingestPoison := sqs.New(queues, s.IngestQueueURL), sqs.New(queues, s.IngestPoisonQueueURL)
	delivery, deliveryPoison := sqs.New(queues, s.DeliveryQueueURL), sqs.New(queues, s.DeliveryPoisonQueueURL)
	retry, slow := sqs.New(queues, s.RetryQueueURL), sqs.New(queues, s.SlowQueueURL)
	orderedIngest, orderedDelivery := sqs.New(queues, s.OrderedIngestQueueURL), sqs.New(queues, s.OrderedDeliveryQueueURL)
	catalog := dynamo.NewCatalog(tables, s.CatalogTable, nil) // what is read of it is no secret
	return handler.Sweep(relay.NewSweeper(relay.SweeperConfig{
		Names:             catalog,
		Subscriptions:     catalog,
		Ledger:            dynamo.NewLedger(tables, s.LedgerTable),
		Delivery:          delivery,
		Retry:             retry,
		OverdueMayLieIn:   []relay.Backlog{retry, slow, orderedDelivery, deliveryPoison},
		UnstartedMayLieIn: []relay.Backlog{ingest, orderedIngest, delivery, orderedDelivery, retry, slow, ingestPoison, deliveryPoison},
	}).Run, log.Swept)
}
