package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
)

const schedulerService = "scheduler.amazonaws.com"

// addSchedules makes the schedule group for waits that are longer than a queue allows. It also
// makes the role that EventBridge Scheduler uses to end these waits. The role may only send to the
// retry queue, and only for schedules of this group.
func (r *relay) addSchedules() {
	r.schedules = awsscheduler.NewCfnScheduleGroup(r.stack, new("Schedules"), nil)
	r.schedulesRole = awsiam.NewRole(r.stack, new("SchedulesRole"), &awsiam.RoleProps{
		Description: new(
			"EventBridge Scheduler sends due deliveries of the webhook relay to its retry queue",
		),
		AssumedBy: awsiam.NewServicePrincipal(new(schedulerService), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{
				"aws:SourceAccount": r.stack.Account(),
				"aws:SourceArn":     r.schedules.AttrArn(),
			}},
		}),
		InlinePolicies: policies(append([]grant{{
			actions: []string{"sqs:SendMessage"}, resources: []*string{r.retry.QueueArn()},
		}}, r.dataKeyGrants("sqs")...)),
	})
}

// scheduleARN returns an ARN pattern that matches every schedule of the group.
func (r *relay) scheduleARN() *string {
	return r.stack.FormatArn(&awscdk.ArnComponents{
		Service: new("scheduler"), Resource: new("schedule"), ResourceName: new(
			*r.schedules.Ref() + "/*",
		),
	})
}
