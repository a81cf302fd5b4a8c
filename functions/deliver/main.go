// Command deliver is the Lambda function behind the delivery, retry, slow and ordered queues: it
// POSTs deliveries to their endpoints.
package main

import (
	"io"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/awsconfig"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/scheduler"
	"webhook-relay/shared/aws/secretsmanager"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/transform/jq"
)

func main() {
	// net/http logs what an endpoint sends unasked on an idle connection, and that may be an echo
	// of our request.
	log.SetOutput(io.Discard)
	start.Function(wire)
}

func wire(s settings.Deliver, cfg aws.Config, reporter telemetry.Log) (any, error) {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	ledger := dynamo.NewLedger(tables, s.LedgerTable, nil) // deliver reads no events
	catalog := dynamo.NewCatalog(
		tables, s.CatalogTable, kms.New(cfg, s.SecretsKeyARN),
	)
	bucket := s3.NewBucket(cfg, s.BodiesBucket)
	delivery, retry := sqs.New(queues, s.DeliveryQueueURL), sqs.New(queues, s.RetryQueueURL)
	slow, ordered := sqs.New(queues, s.SlowQueueURL), sqs.New(queues, s.OrderedDeliveryQueueURL)
	deliverer, err := relay.NewDeliverer(relay.DelivererConfig{
		Endpoints:  catalog,
		Deliveries: ledger,
		States:     ledger,
		Quotas:     ledger,
		Secrets:    secretsmanager.New(cfg),
		Slots:      ledger,
		Failures:   ledger,
		Keeper:     ledger,
		Bodies:     s3.New(bucket),
		Claims:     s3.NewClaims(bucket, settings.ClaimPrefix, nil),
		Poster: egress.New(egress.Options{
			Ports: s.EgressPorts, Credentials: cfg.Credentials, Endpoint: awsconfig.Endpoint,
		}),
		Retry:   retry,
		Slow:    slow,
		Ordered: ordered,
		Dead:    sqs.New(queues, s.DeadQueueURL),
		Poison:  sqs.New(queues, s.PoisonQueueURL),
		Scheduler: scheduler.New(cfg, scheduler.Target{
			Group: s.ScheduleGroup, QueueURL: s.RetryQueueURL, RoleARN: s.ScheduleRoleARN,
		}),
		Operator: operate.NewNotifier(
			relay.NewRouter(catalog, nil, settings.Seconds(s.CatalogCacheSeconds), time.Now),
			sqs.New(queues, s.IngestQueueURL),
		),
		Reporter:  reporter,
		Retention: settings.Days(s.RetentionDays),
		CacheTTL:  settings.Seconds(s.CatalogCacheSeconds),
		Region:    cfg.Region,
		Origin:    s.Origin,
		JQ:        jq.New("", start.Beside("jq")),
	})
	if err != nil {
		return nil, err
	}
	return handler.Batch(reporter.Batched(deliverer.Process), delivery, retry, slow, ordered), nil
}
