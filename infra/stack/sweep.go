package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"webhook-relay/shared/settings"
)

const (
	// sweepTimeoutSeconds: the sweeper ends in time before it, and goes on with what was left in its next run.
	sweepTimeoutSeconds = 300
	// sweepMemoryMiB: it holds names and ids, and one event with a message for each of its endpoints. The rest buys CPU, to look at each
	// event of three hours.
	sweepMemoryMiB = 256

	eventsService = "events.amazonaws.com"
)

// addSweep makes the function that puts back what was lost, and the rule that starts it every hour, which is what the sweeper reckons with.
// A run that fails is made again by Lambda, a minute and then two minutes later.
func (r *relay) addSweep() error {
	environment, err := settings.Environment(settings.Sweep{
		CatalogTable:            *r.catalog.TableName(),
		LedgerTable:             *r.ledger.TableName(),
		IngestQueueURL:          *r.ingest.QueueUrl(),
		DeliveryQueueURL:        *r.delivery.QueueUrl(),
		RetryQueueURL:           *r.retry.QueueUrl(),
		SlowQueueURL:            *r.slow.QueueUrl(),
		OrderedIngestQueueURL:   *r.ordered.ingest.QueueUrl(),
		OrderedDeliveryQueueURL: *r.ordered.delivery.QueueUrl(),
		IngestPoisonQueueURL:    *r.ingestDLQ.QueueUrl(),
		DeliveryPoisonQueueURL:  *r.deliveryDLQ.QueueUrl(),
	})
	if err != nil {
		return err
	}
	r.sweep = r.addFunction(function{
		id: "Sweep", name: sweepName, description: "Puts deliveries that were lost back on their queue",
		memoryMiB: sweepMemoryMiB, timeoutSeconds: sweepTimeoutSeconds,
		environment: environment, grants: r.sweepGrants(),
	})
	hourly := awsevents.NewCfnRule(r.stack, new("Hourly"), &awsevents.CfnRuleProps{
		Description:        new("Starts the sweep of the webhook relay"),
		ScheduleExpression: new("rate(1 hour)"),
		Targets:            list(&awsevents.CfnRule_TargetProperty{Arn: r.sweep.FunctionArn(), Id: new("Sweep")}),
	})
	awslambda.NewCfnPermission(r.stack, new("HourlyMaySweep"), &awslambda.CfnPermissionProps{
		Action: new("lambda:InvokeFunction"), FunctionName: r.sweep.FunctionArn(),
		Principal: new(eventsService), SourceArn: hourly.AttrArn(),
	})
	return nil
}
