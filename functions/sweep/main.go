// Command sweep is the Lambda function behind an hourly rule: it finds deliveries that a bug or an
// outage has lost, and puts them back. It also lets admin go on with jobs that stand still.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
)

func main() { start.Function(wire) }

func wire(s settings.Sweep, cfg aws.Config, log telemetry.Log) (any, error) {
	tables, queues := dynamodb.NewFromConfig(cfg), awssqs.NewFromConfig(cfg)
	catalog := dynamo.NewCatalog(tables, s.CatalogTable, nil) // what is read of it is no secret
	ledger := dynamo.NewLedger(
		tables, s.LedgerTable, s3.New(s3.Client(cfg), s.BodiesBucket),
	)
	sweeper, err := operate.NewSweeper(operate.SweeperConfig{
		Names:         catalog,
		Subscriptions: catalog,
		States:        ledger,
		Ledger:        ledger,
		Deliveries:    ledger,
		Cursors:       ledger,
		Delivery:      sqs.New(queues, s.DeliveryQueueURL),
		Retry:         sqs.New(queues, s.RetryQueueURL),
		Documents:     dynamo.NewDocuments(tables, s.LedgerTable),
		Jobs:          lambda.NewStarter(cfg, s.AdminFunction),
	})
	if err != nil {
		return nil, err
	}
	return handler.Sweep(sweeper.Run, log.Swept), nil
}
