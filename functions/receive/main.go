// Command receive is the Lambda function behind the HTTP API, and behind the queues of triggers: it
// verifies a webhook and puts it on the ingest queue.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/verify"
)

func main() { start.Function(wire) }

func wire(s settings.Receive, cfg aws.Config, reporter telemetry.Log) (any, error) {
	queues := sqs.Client(cfg)
	tables := dynamo.Client(cfg)
	catalog := dynamo.NewCatalog(
		tables, s.CatalogTable,
		kms.New(cfg, s.SecretsKeyARN),
	)
	ingest := sqs.New(queues, s.IngestQueueURL)
	receiver, err := relay.NewReceiver(relay.ReceiverConfig{
		Aside:           sqs.New(queues, s.TriggersDLQURL),
		Sources:         catalog,
		Subscriptions:   catalog,
		Learned:         catalog,
		Ingest:          ingest,
		Operator:        operate.NewNotifier(nil, ingest),
		Refusals:        operate.NewRefused(dynamo.NewDocuments(tables, s.LedgerTable), time.Now),
		Ordered:         sqs.New(queues, s.OrderedIngestQueueURL),
		Bodies:          s3.New(s3.NewBucket(cfg, s.BodiesBucket)),
		Quotas:          dynamo.NewLedger(tables, s.LedgerTable, nil),
		Fetcher:         verify.Cached(egress.NewKeyFetcher(egress.Options{})),
		Reporter:        reporter,
		MaxBodyBytes:    s.MaxBodyBytes,
		InlineBodyBytes: s.InlineBodyBytes,
		Retention:       settings.Days(s.RetentionDays),
		CacheTTL:        settings.Seconds(s.CatalogCacheSeconds),
	})
	if err != nil {
		return nil, err
	}
	if len(s.Triggers) > 0 {
		return handler.Triggered(receiver, handler.Receive(receiver), s.Triggers), nil
	}
	return handler.Receive(receiver), nil
}
