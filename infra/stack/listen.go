package stack

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

// listenRoleID is the id of the role of listeners in the template. It is short: CloudFormation
// shortens names of more than 64 characters, and admin names this one by its begin.
const listenRoleID = "Listen"

// listenPrefix returns with what the names of the temporary queues of listeners begin; "": nobody
// may listen.
func (r *relay) listenPrefix() string {
	if !r.props.listens() {
		return ""
	}
	return *r.stack.StackName() + "-listen-"
}

// listenQueues returns a grant on the queues of listeners, which have names of their own because
// they are made while the relay runs. It is empty if nobody may listen.
func (r *relay) listenQueues(actions ...string) []grant {
	if !r.props.listens() {
		return nil
	}
	return []grant{{actions: actions, resources: []*string{
		r.stack.FormatArn(&awscdk.ArnComponents{
			Service: new("sqs"), Resource: new(r.listenPrefix() + "*"),
			ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
		}),
	}}}
}

// sweepListeners lets sweep delete old queues, and change the list of listeners.
func (r *relay) sweepListeners() []grant {
	if !r.props.listens() {
		return nil
	}
	return append(r.listenQueues("sqs:DeleteQueue"), grant{
		actions:   []string{"dynamodb:UpdateItem"},
		resources: []*string{r.catalog.TableArn()},
		conditions: map[string]any{"ForAllValues:StringLike": map[string]any{
			"dynamodb:LeadingKeys": []string{"doc/listeners"},
		}},
	})
}

// assumeListenRole lets admin give out credentials of the role of listeners. admin's role is
// created before it, so the grant names it by its logical id, of which CloudFormation makes the
// name.
func (r *relay) assumeListenRole() []grant {
	if !r.props.listens() {
		return nil
	}
	return []grant{{actions: []string{"sts:AssumeRole"}, resources: []*string{
		r.stack.FormatArn(&awscdk.ArnComponents{
			Service: new("iam"), Region: new(""), Resource: new("role"),
			ResourceName: new(*r.stack.StackName() + "-" + listenRoleID + "*"),
		}),
	}}}
}

// addListenRole makes the role whose credentials admin gives to listeners. With each go the limits
// of the one queue, as a session policy. It returns the role's ARN.
func (r *relay) addListenRole(admin awsiam.IRole) *string {
	role := awsiam.NewRole(r.stack, new(listenRoleID), &awsiam.RoleProps{
		AssumedBy: awsiam.NewArnPrincipal(admin.RoleArn()),
		InlinePolicies: policies(slices.Concat(
			r.listenQueues(
				"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
			),
			r.dataKeyGrants("sqs"),
		)),
	})
	return role.RoleArn()
}
