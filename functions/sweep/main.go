// Command sweep is the Lambda function behind an hourly rule: it finds deliveries that a bug or an
// outage has lost, and puts them back. It also lets admin go on with jobs that stand still.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
)

func main() { start.Function(wire) }

func wire(s settings.Sweep, cfg aws.Config, log telemetry.Log) (any, error) {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	catalog := dynamo.NewCatalog(tables, s.CatalogTable, nil) // what is read of it is no secret
	ledger := dynamo.NewLedger(
		tables, s.LedgerTable, s3.New(s3.NewBucket(cfg, s.BodiesBucket)),
	)
	listeners, err := listenersOf(s, queues, tables, catalog)
	if err != nil {
		return nil, err
	}
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
		Listeners:     listeners,
		Catalogs:      catalog,
		Notifier: operate.NewNotifier(
			relay.NewRouter(catalog, nil, 0, time.Now), sqs.New(queues, s.IngestQueueURL),
		),
	})
	if err != nil {
		return nil, err
	}
	return handler.Sweep(sweeper.Run, log.Swept), nil
}

// listenersOf returns the listeners, to remove old ones; nil: nobody can listen.
func listenersOf(
	s settings.Sweep, queues, tables *signed.Client, marks *dynamo.Catalog,
) (operate.Listeners, error) {
	if s.ListenPrefix == "" {
		return nil, nil //nolint:nilnil // it is optional
	}
	return listen.New(listen.Config{
		Documents: dynamo.NewDocuments(tables, s.CatalogTable), Marks: marks,
		Queues: sqs.ListenQueues{
			Client: queues, Beside: s.DeliveryQueueURL, Prefix: s.ListenPrefix,
		},
	})
}
