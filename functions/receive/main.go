// Command receive is the Lambda function behind the HTTP API: it verifies a webhook and puts it on the ingest queue.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/function"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/s3"
	"webhook-relay/shared/settings"
	"webhook-relay/shared/sqs"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/verify"
)

func main() { function.Start(wire) }

func wire(s settings.Receive, cfg aws.Config, reporter telemetry.Log) any {
	queues := awssqs.NewFromConfig(cfg)
	catalog := dynamo.NewCatalog(dynamodb.NewFromConfig(cfg), s.CatalogTable, kms.New(awskms.NewFromConfig(cfg), s.SecretsKeyARN))
	return handler.Receive(relay.NewReceiver(relay.ReceiverConfig{
		Sources:         catalog,
		Learned:         catalog,
		Ingest:          sqs.New(queues, s.IngestQueueURL),
		Ordered:         sqs.New(queues, s.OrderedIngestQueueURL),
		Bodies:          s3.New(s3.Client(cfg), s.BodiesBucket),
		Fetcher:         verify.Cached(egress.NewKeyFetcher(egress.Options{})),
		Reporter:        reporter,
		MaxBodyBytes:    s.MaxBodyBytes,
		InlineBodyBytes: s.InlineBodyBytes,
		Retention:       function.Days(s.RetentionDays),
		CacheTTL:        function.Seconds(s.CatalogCacheSeconds),
	}))
}
