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

// The functions' names are also the names of their folders in FunctionsDir.
const (
	receiveName = "receive"
	fanoutName  = "fanout"
	deliverName = "deliver"
	sweepName   = "sweep"
	adminName   = "admin"
)

var functionNames = []string{receiveName, fanoutName, deliverName, sweepName, adminName}

const (
	// receiveTimeoutSeconds is 10 because impatient providers hang up after 5 to 10 s. A later
	// answer helps nobody.
	receiveTimeoutSeconds = 10
	// fanoutTimeoutSeconds is enough for ten events. Each event needs a conditional put and one or
	// two batches of sends. When AWS has trouble, the SDK's retries come on top.
	fanoutTimeoutSeconds = 30
	// deliverTimeoutSeconds is enough for ten deliveries at once. An endpoint may take 30 s at
	// most. The other 30 s are for reading, recording and sending messages.
	deliverTimeoutSeconds = 60

	// receiveMemoryMiB is enough to hold a 4 MiB body three times (event, base64, bytes). The rest
	// buys CPU for TLS at the cold start.
	receiveMemoryMiB = 256
	// fanoutMemoryMiB is enough for ten messages of at most 1 MiB with the messages made from them.
	// It also holds one large body with the parts that a filter reads.
	fanoutMemoryMiB = 256
	// deliverMemoryMiB is enough for ten bodies of 4 MiB, read from S3 and signed. It also buys the
	// CPU for ten TLS handshakes at once.
	deliverMemoryMiB = 512
)

// function holds what differs between the functions.
type function struct {
	id, name, description     string
	memoryMiB, timeoutSeconds int
	environment               map[string]string
	grants                    []grant
	recursiveLoop             awslambda.RecursiveLoop
	network                   network // zero value: Lambda's own network
	// made before the function, of whatever needs the role to be there; nil: made of grants
	logs awslogs.LogGroup
	role awsiam.Role
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
	in := settings.Receive{
		CatalogTable:          *r.catalog.TableName(),
		LedgerTable:           *r.ledger.TableName(),
		IngestQueueURL:        *r.ingest.QueueUrl(),
		OrderedIngestQueueURL: *r.ordered.ingest.QueueUrl(),
		BodiesBucket:          *r.bodies.BucketName(),
		SecretsKeyARN:         *r.secretsKey.KeyArn(),
		MaxBodyBytes:          r.props.MaxBodyBytes,
		InlineBodyBytes:       r.props.InlineBodyBytes,
		RetentionDays:         r.props.RetentionDays,
		CatalogCacheSeconds:   r.props.CatalogCacheSeconds,
		Triggers:              r.triggerQueues(),
	}
	if r.triggersDLQ != nil {
		in.TriggersDLQURL = *r.triggersDLQ.QueueUrl()
	}
	environment, err := settings.Environment(in)
	if err != nil {
		return err
	}
	r.receive = r.addFunction(function{
		id: "Receive", name: receiveName,
		description: "Verifies a webhook and puts it on the ingest queue",
		memoryMiB:   receiveMemoryMiB, timeoutSeconds: receiveTimeoutSeconds,
		environment: environment, grants: r.receiveGrants(),
	})
	r.consumeTriggers()
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
		ListenPrefix:            r.listenPrefix(),
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
		description: "POSTs a delivery to its endpoint, records the attempt and schedules the next",
		memoryMiB:   deliverMemoryMiB, timeoutSeconds: deliverTimeoutSeconds,
		environment: environment, grants: r.deliverGrants(),
		// deliver sends retries to a queue that invokes it. This is intended. Without ALLOW, Lambda
		// would detect a recursive loop and stop it after 16 rounds.
		recursiveLoop: awslambda.RecursiveLoop_ALLOW,
		network:       r.network,
	})
	// Each queue has its own maximum concurrency. Therefore a flood of retries never delays a first
	// attempt, and a slow endpoint cannot use up the invocations of the others.
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
	if f.role == nil {
		f.logs, f.role = r.addRole(f.id, f.grants)
	}
	// Near GOMEMLIMIT, Go collects garbage more often. Without it, Lambda would kill the function
	// at its own limit. The remaining tenth is for memory that Go does not count.
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
		// The role contains only the grants above. Constructs cannot add to it.
		Role:                  f.role.WithoutPolicyUpdates(nil),
		RecursiveLoop:         f.recursiveLoop,
		Vpc:                   f.network.vpc,
		SecurityGroups:        f.network.groups,
		Tracing:               tracing,
		LogGroup:              f.logs,
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_INFO,
		SystemLogLevelV2:      platformLogs,
	})
}

// addRole makes the log group and the role of a function.
func (r *relay) addRole(id string, grants []grant) (awslogs.LogGroup, awsiam.Role) {
	logs := r.addLogs(id + "Logs")
	return logs, awsiam.NewRole(r.stack, new(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(new("lambda.amazonaws.com"), nil),
		InlinePolicies: policies(slices.Concat(
			r.everyFunction(logs.LogGroupArn()), grants, r.dataKeyGrants(dataServices...),
		)),
	})
}

// addLogs makes a log group that is deleted with the stack. The ledger, not the log, records what
// happened to a webhook.
func (r *relay) addLogs(id string) awslogs.LogGroup {
	return awslogs.NewLogGroup(r.stack, &id, &awslogs.LogGroupProps{
		Retention:     logRetentions[r.props.LogRetentionDays],
		EncryptionKey: r.dataKey,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// batchSize is the largest number of messages in a batch. It does not apply to ordered queues,
// where each batch is one message. In a larger batch, the messages of one group would delay each
// other's return to the queue. And each group would wait for the slowest one in the batch.
const batchSize = 10

// consume makes the queue invoke f. The function reports failures per message (partial batch
// responses). There is no batching window: it would add to the time of every delivery to save a few
// invocations, and under load batches are full anyway.
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
