package stack

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"webhook-relay/shared/lambda/settings"
)

// The functions' names: of their folders in FunctionsDir.
const (
	receiveName = "receive"
	fanoutName  = "fanout"
	deliverName = "deliver"
	sweepName   = "sweep"
)

var functionNames = []string{receiveName, fanoutName, deliverName, sweepName}

const (
	// receiveTimeoutSeconds: the impatient among the providers hang up after 5 to 10 s, an answer
	// later than that helps nobody.
	receiveTimeoutSeconds = 10
	// fanoutTimeoutSeconds: ten events, each a conditional put and a batch or two of sends, and the
	// SDK's retries on a bad day.
	fanoutTimeoutSeconds = 30
	// deliverTimeoutSeconds: ten deliveries at once, each at most an endpoint's 30 s, and as long
	// again to read, record and send on.
	deliverTimeoutSeconds = 60

	// receiveMemoryMiB: a 4 MiB body is there three times (event, base64, bytes); the rest buys CPU
	// for the cold start's TLS.
	receiveMemoryMiB = 256
	// fanoutMemoryMiB: ten messages of at most 1 MiB and what they become, and one large body with
	// what a filter wants of it.
	fanoutMemoryMiB = 256
	// deliverMemoryMiB: ten bodies of 4 MiB, read from S3 and signed, and the CPU for ten TLS
	// handshakes at once.
	deliverMemoryMiB = 512
)

// function is what tells one function from another.
type function struct {
	id, name, description     string
	memoryMiB, timeoutSeconds int
	environment               map[string]string
	grants                    []grant
	recursiveLoop             awslambda.RecursiveLoop
	network                   network // zero: Lambda's own
}

func (r *relay) addFunctions() error {
	if err := r.addReceive(); err != nil {
		return err
	}
	if err := r.addFanout(); err != nil {
		return err
	}
	return r.addDeliver()
}

func (r *relay) addReceive() error {
	environment, err := settings.Environment(settings.Receive{
		CatalogTable:          *r.catalog.TableName(),
		IngestQueueURL:        *r.ingest.QueueUrl(),
		OrderedIngestQueueURL: *r.ordered.ingest.QueueUrl(),
		BodiesBucket:          *r.bodies.BucketName(),
		SecretsKeyARN:         *r.secretsKey.KeyArn(),
		MaxBodyBytes:          r.props.MaxBodyBytes,
		InlineBodyBytes:       r.props.InlineBodyBytes,
		RetentionDays:         r.props.RetentionDays,
		CatalogCacheSeconds:   r.props.CatalogCacheSeconds,
	})
	if err != nil {
		return err
	}
	r.receive = r.addFunction(function{
		id: "Receive", name: receiveName,
		description: "Verifies a webhook and puts it on the ingest queue",
		memoryMiB:   receiveMemoryMiB, timeoutSeconds: receiveTimeoutSeconds,
		environment: environment, grants: r.receiveGrants(),
	})
	return nil
}

func (r *relay) addFanout() error {
	environment, err := settings.Environment(settings.Fanout{
		CatalogTable:            *r.catalog.TableName(),
		LedgerTable:             *r.ledger.TableName(),
		BodiesBucket:            *r.bodies.BucketName(),
		IngestQueueURL:          *r.ingest.QueueUrl(),
		OrderedIngestQueueURL:   *r.ordered.ingest.QueueUrl(),
		DeliveryQueueURL:        *r.delivery.QueueUrl(),
		OrderedDeliveryQueueURL: *r.ordered.delivery.QueueUrl(),
		PoisonQueueURL:          *r.ingestDLQ.QueueUrl(),
		RetentionDays:           r.props.RetentionDays,
		CatalogCacheSeconds:     r.props.CatalogCacheSeconds,
	})
	if err != nil {
		return err
	}
	r.fanout = r.addFunction(function{
		id: "Fanout", name: fanoutName,
		description: "Records an event and queues a delivery for each endpoint it is routed to",
		memoryMiB:   fanoutMemoryMiB, timeoutSeconds: fanoutTimeoutSeconds,
		environment: environment, grants: r.fanoutGrants(),
	})
	r.consume("IngestToFanout", r.ingest, r.fanout, batchSize, r.props.FanoutMaxConcurrency)
	r.consume("OrderedIngestToFanout", r.ordered.ingest, r.fanout, 1, r.props.FanoutMaxConcurrency)
	return nil
}

func (r *relay) addDeliver() error {
	environment, err := settings.Environment(settings.Deliver{
		CatalogTable:            *r.catalog.TableName(),
		LedgerTable:             *r.ledger.TableName(),
		BodiesBucket:            *r.bodies.BucketName(),
		SecretsKeyARN:           *r.secretsKey.KeyArn(),
		IngestQueueURL:          *r.ingest.QueueUrl(),
		DeliveryQueueURL:        *r.delivery.QueueUrl(),
		RetryQueueURL:           *r.retry.QueueUrl(),
		SlowQueueURL:            *r.slow.QueueUrl(),
		OrderedDeliveryQueueURL: *r.ordered.delivery.QueueUrl(),
		DeadQueueURL:            *r.dead.QueueUrl(),
		PoisonQueueURL:          *r.deliveryDLQ.QueueUrl(),
		ScheduleGroup:           *r.schedules.Ref(),
		ScheduleRoleARN:         *r.schedulesRole.RoleArn(),
		RetentionDays:           r.props.RetentionDays,
		CatalogCacheSeconds:     r.props.CatalogCacheSeconds,
		EgressPorts:             r.props.EgressPorts,
		Origin:                  r.ingressHost(),
	})
	if err != nil {
		return err
	}
	r.deliver = r.addFunction(function{
		id: "Deliver", name: deliverName,
		description: "POSTs a delivery to its endpoint, records the attempt and arranges the next",
		memoryMiB:   deliverMemoryMiB, timeoutSeconds: deliverTimeoutSeconds,
		environment: environment, grants: r.deliverGrants(),
		// It sends retries to the queue that starts it, on purpose; Lambda would take that for a
		// runaway and stop it after 16 rounds.
		recursiveLoop: awslambda.RecursiveLoop_ALLOW,
		network:       r.network,
	})
	// Each queue has its own share of deliver, so that a mass of retries never delays a first
	// attempt, and no endpoint that takes long to answer uses up the invocations of the others.
	r.consume("DeliveryToDeliver", r.delivery, r.deliver, batchSize, r.props.DeliveryMaxConcurrency)
	r.consume("RetryToDeliver", r.retry, r.deliver, batchSize, r.props.RetryMaxConcurrency)
	r.consume("SlowToDeliver", r.slow, r.deliver, batchSize, r.props.SlowMaxConcurrency)
	r.consume(
		"OrderedDeliveryToDeliver", r.ordered.delivery, r.deliver, 1,
		r.props.DeliveryMaxConcurrency,
	)
	return nil
}

func (r *relay) addFunction(f function) awslambda.Function {
	logs := r.addLogs(f.id + "Logs")
	role := awsiam.NewRole(r.stack, new(f.id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(new("lambda.amazonaws.com"), nil),
		InlinePolicies: policies(slices.Concat(
			r.everyFunction(logs.LogGroupArn()), f.grants, r.dataKeyGrants(dataServices...),
		)),
	})
	// Near this limit Go collects harder, where Lambda would kill at its own; the tenth between is
	// for what Go does not count.
	f.environment["GOMEMLIMIT"] = fmt.Sprintf("%dMiB", f.memoryMiB*9/10)
	f.environment[settings.RelayName] = *r.stack.StackName()
	tracing, platformLogs := awslambda.Tracing_DISABLED, awslambda.SystemLogLevel_WARN
	if r.props.Tracing {
		tracing = awslambda.Tracing_ACTIVE
	}
	if r.props.PlatformLogs {
		platformLogs = awslambda.SystemLogLevel_INFO
	}
	return awslambda.NewFunction(r.stack, &f.id, &awslambda.FunctionProps{
		Description:  &f.description,
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(),
		Handler:      new("bootstrap"),
		Code: awslambda.Code_FromAsset(
			new(filepath.Join(r.props.FunctionsDir, f.name)), nil,
		),
		MemorySize:  number(f.memoryMiB),
		Timeout:     seconds(f.timeoutSeconds),
		Environment: pointerMap(f.environment),
		// the role says what its grants say, and nothing that a construct adds
		Role:                  role.WithoutPolicyUpdates(nil),
		RecursiveLoop:         f.recursiveLoop,
		Vpc:                   f.network.vpc,
		SecurityGroups:        f.network.groups,
		Tracing:               tracing,
		LogGroup:              logs,
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_INFO,
		SystemLogLevelV2:      platformLogs,
	})
}

// addLogs makes a log group, which goes with the stack: what must be remembered of a webhook is in
// the ledger.
func (r *relay) addLogs(id string) awslogs.LogGroup {
	return awslogs.NewLogGroup(r.stack, &id, &awslogs.LogGroupProps{
		Retention:     logRetentions[r.props.LogRetentionDays],
		EncryptionKey: r.dataKey,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// batchSize is how many messages a function gets at once, but for those of ordered queues, which
// come one by one: the messages of a group would hold up each other's return to the queue, and each
// group would wait for the slowest in the batch.
const batchSize = 10

// consume starts f with a queue's messages, each answered for on its own. It waits for no batch to
// fill: that would add to every delivery's time what it saves in invocations, and under load
// batches are full anyway.
func (r *relay) consume(
	id string, queue awssqs.Queue, f awslambda.Function, batchSize, maxConcurrency int,
) {
	awslambda.NewEventSourceMapping(r.stack, &id, &awslambda.EventSourceMappingProps{
		Target:                  f,
		EventSourceArn:          queue.QueueArn(),
		BatchSize:               number(batchSize),
		MaxConcurrency:          number(maxConcurrency),
		ReportBatchItemFailures: new(true),
	})
}
