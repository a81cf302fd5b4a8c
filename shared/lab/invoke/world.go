package invoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"webhook-relay/events"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/lab/runtimeapi"
)

// The queues, in the order of the output.
const (
	ingest          = "ingest"
	delivery        = "delivery"
	retry           = "retry"
	orderedIngest   = "ordered-ingest"
	orderedDelivery = "ordered-delivery"
	slow            = "slow"
	dead            = "dead"
	ingestDLQ       = "ingest-dlq"
	deliveryDLQ     = "delivery-dlq"
)

var queueNames = []string{
	ingest, delivery, retry, slow, orderedIngest, orderedDelivery, dead, ingestDLQ, deliveryDLQ,
}

// Names that the emulators do not check.
const (
	secretsKey    = "arn:aws:kms:" + runtimeapi.DefaultRegion + ":000000000000:key/local"
	scheduleGroup = "local"
	scheduleRole  = "arn:aws:iam::000000000000:role/local"
)

// world is the emulated AWS for one invocation.
type world struct {
	services  emulator.Services
	secrets   *emulator.KMS
	schedules *emulator.Scheduler

	sqs    *awssqs.Client
	tables *dynamodb.Client
	s3     *awss3.Client

	queues       map[string]string // URLs, by the names above
	catalogTable string
	ledgerTable  string
	bucket       string
	catalog      *dynamo.Catalog
}

// newWorld makes a world with the demonstration's catalog. Close it.
func newWorld(ctx context.Context) (*world, error) {
	services, err := emulator.Run()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(rand.Text()) // the worlds of a process share the emulators
	w := &world{
		services: services, secrets: emulator.RunKMS(), schedules: emulator.RunScheduler(),
		queues: map[string]string{}, catalogTable: "catalog-" + name, ledgerTable: "ledger-" +
			name, bucket: "bodies-" + name,
	}
	w.sqs = awssqs.NewFromConfig(emulator.Config(services.SQS))
	w.tables = dynamodb.NewFromConfig(emulator.Config(services.DynamoDB))
	w.s3 = emulator.Buckets(emulator.Config(services.S3))
	sealer := kms.New(emulator.Config(w.secrets.URL), secretsKey)
	tables := dynamo.Client(emulator.Config(services.DynamoDB))
	w.catalog = dynamo.NewCatalog(tables, w.catalogTable, sealer)
	if err := errors.Join(
		w.createQueues(ctx, name), w.createStores(ctx), w.configure(ctx),
	); err != nil {
		w.close()
		return nil, fmt.Errorf("invoke: %w", err)
	}
	return w, nil
}

func (w *world) close() {
	w.secrets.Close()
	w.schedules.Close()
}

// pointTo adds the addresses of the services to a function's environment.
func (w *world) pointTo(env map[string]string) {
	env["AWS_ENDPOINT_URL_SQS"] = w.services.SQS
	env["AWS_ENDPOINT_URL_S3"] = w.services.S3
	env["AWS_ENDPOINT_URL_DYNAMODB"] = w.services.DynamoDB
	env["AWS_ENDPOINT_URL_KMS"] = w.secrets.URL
	env["AWS_ENDPOINT_URL_SCHEDULER"] = w.schedules.URL
}

func (w *world) createQueues(ctx context.Context, suffix string) error {
	for _, name := range queueNames {
		in := &awssqs.CreateQueueInput{QueueName: aws.String(name + "-" + suffix)}
		if name == orderedIngest || name == orderedDelivery {
			*in.QueueName += ".fifo"
			in.Attributes = map[string]string{"FifoQueue": "true"}
		}
		made, err := w.sqs.CreateQueue(ctx, in)
		if err != nil {
			return err
		}
		w.queues[name] = *made.QueueUrl
	}
	return nil
}

// createStores makes the tables and the bucket.
func (w *world) createStores(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	keys := [2]string{dynamo.PartitionKey, dynamo.SortKey}
	group.Go(func() error {
		return emulator.CreateTable(ctx, w.tables, w.catalogTable, keys, nil)
	})
	group.Go(func() error {
		return emulator.CreateTable(ctx, w.tables, w.ledgerTable, keys, map[string][2]string{
			dynamo.EventsIndex:   {dynamo.EventsPartitionKey, dynamo.EventsSortKey},
			dynamo.OpenIndex:     {dynamo.OpenPartitionKey, dynamo.SortKey},
			dynamo.TroubledIndex: {dynamo.TroubledPartitionKey, dynamo.TroubledSortKey},
		}, dynamo.Listed, dynamo.DueTime)
	})
	group.Go(func() error {
		_, err := w.s3.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &w.bucket})
		return err
	})
	return group.Wait()
}

// configure puts the demonstration's configuration into the catalog.
func (w *world) configure(ctx context.Context) error {
	catalog, err := events.Demo()
	if err != nil {
		return err
	}
	return w.catalog.ReplaceCatalog(ctx, catalog, 0)
}
