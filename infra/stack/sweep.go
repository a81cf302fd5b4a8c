package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"webhook-relay/shared/lambda/settings"
)

const (
	// sweepTimeoutSeconds is the function's timeout. The sweeper stops before it, and continues in
	// its next run.
	sweepTimeoutSeconds = 900
	// sweepMemoryMiB is the memory that comes with one full processor. The sweep of a busy hour is
	// limited by the processor. With less memory it would take longer and cost the same.
	sweepMemoryMiB = 1769

	eventsService = "events.amazonaws.com"
)

// addSweep makes the function that puts lost deliveries back on their queue, and the rule that
// starts it every hour. Lambda repeats a failed run one minute later and again two minutes later. A
// run that does not finish is continued by the next one.
func (r *relay) addSweep() error {
	environment, err := settings.Environment(settings.Sweep{
		CatalogTable:     *r.catalog.TableName(),
		BodiesBucket:     *r.bodies.BucketName(),
		LedgerTable:      *r.ledger.TableName(),
		DeliveryQueueURL: *r.delivery.QueueUrl(),
		RetryQueueURL:    *r.retry.QueueUrl(),
		IngestQueueURL:   *r.ingest.QueueUrl(),
		AdminFunction:    *r.admin.FunctionName(),
		ListenPrefix:     r.listenPrefix(),
	})
	if err != nil {
		return err
	}
	r.sweep = r.addFunction(function{
		id: "Sweep", name: sweepName,
		description: "Finds lost deliveries and sends them again",
		memoryMiB:   sweepMemoryMiB, timeoutSeconds: sweepTimeoutSeconds,
		environment: environment, grants: r.sweepGrants(),
	})
	hourly := awsevents.NewCfnRule(r.stack, new("Hourly"), &awsevents.CfnRuleProps{
		Description:        new("Starts the sweep of the webhook relay"),
		ScheduleExpression: new("rate(1 hour)"),
		Targets: list(&awsevents.CfnRule_TargetProperty{
			Arn: r.sweep.FunctionArn(), Id: new("Sweep"),
		}),
	})
	awslambda.NewCfnPermission(r.stack, new("HourlyMaySweep"), &awslambda.CfnPermissionProps{
		Action: new("lambda:InvokeFunction"), FunctionName: r.sweep.FunctionArn(),
		Principal: new(eventsService), SourceArn: hourly.AttrArn(),
	})
	return nil
}
