// Command fanout is the Lambda function behind the ingest queues: it records events and sends a
// delivery for each endpoint that wants them.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/telemetry"
)

func main() { start.Function(wire) }

func wire(s settings.Fanout, cfg aws.Config, reporter telemetry.Log) (any, error) {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	bodies := s3.New(s3.NewBucket(cfg, s.BodiesBucket))
	ledger := dynamo.NewLedger(tables, s.LedgerTable, bodies)
	listeners, err := listenersOf(s, queues, tables, bodies, reporter)
	if err != nil {
		return nil, err
	}
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
		Listeners:     listeners,
		Reporter:      reporter,
		Retention:     settings.Days(s.RetentionDays),
		CacheTTL:      settings.Seconds(s.CatalogCacheSeconds),
	})
	if err != nil {
		return nil, err
	}
	return handler.Batch(reporter.Batched(fanout.Process), ingest, ordered), nil
}

// listenersOf returns what copies events to listeners; nil: nobody can listen.
func listenersOf(
	s settings.Fanout, queues, tables *signed.Client, bodies relay.Bodies,
	log telemetry.Log,
) (relay.Listeners, error) {
	if s.ListenPrefix == "" {
		return nil, nil //nolint:nilnil // it is optional
	}
	return listen.NewCopier(listen.CopierConfig{
		Documents: dynamo.NewDocuments(tables, s.CatalogTable),
		Sender: sqs.ListenQueues{
			Client: queues, Beside: s.IngestQueueURL, Prefix: s.ListenPrefix,
		},
		Bodies: bodies, Dropped: log.CopiesDropped,
	})
}
