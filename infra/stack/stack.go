package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
)

// relay is the stack while it is built. Each step reads what the steps before it made.
type relay struct {
	stack awscdk.Stack
	props Props

	secretsKey                   awskms.IKey
	dataKey                      awskms.IKey // nil if Props.DataKeyARN is empty
	catalog, ledger              awsdynamodb.Table
	bodies                       awss3.Bucket
	ingest, delivery             awssqs.Queue
	retry, slow                  awssqs.Queue
	ingestDLQ, deliveryDLQ, dead awssqs.Queue
	ordered                      orderedQueues
	triggers                     []trigger
	triggersDLQ                  awssqs.Queue // nil without triggers
	schedules                    awsscheduler.CfnScheduleGroup
	schedulesRole                awsiam.Role
	receive, fanout, deliver     awslambda.Function
	sweep, admin                 awslambda.Function
	api                          awsapigatewayv2.HttpApi
	domain                       awsapigatewayv2.CfnDomainName // nil if Props.DomainName is empty
	network                      network                       // zero unless Props.FixedEgress
	alarms                       []awscloudwatch.CfnAlarm
}

// New adds a relay to scope, for any account and region. If the props are wrong, it adds nothing
// and returns an error that wraps ErrProps and names everything wrong with them.
func New(scope constructs.Construct, id string, p Props) (awscdk.Stack, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &relay{props: p, stack: awscdk.NewStack(scope, &id, &awscdk.StackProps{
		StackName: new("webhook-relay-" + p.Stage),
		Description: new(
			"Webhook relay: receives webhooks, fans them out to subscribed endpoints, delivers and retries them",
		),
		Tags: pointerMap(p.tags()),

		TerminationProtection: whenTrue(p.protected()),
	})}
	r.addSecretsKey()
	r.addDataKey()
	r.addTables()
	r.addBodies()
	r.addQueues()
	r.addTriggers()
	r.addSchedules()
	r.addNetwork()
	r.addAPI()
	if err := r.addFunctions(); err != nil {
		return nil, err
	}
	if err := r.addAdmin(); err != nil {
		return nil, err
	}
	if err := r.addSweep(); err != nil {
		return nil, err
	}
	r.addIngress()
	r.addAlarms()
	if r.props.Dashboard {
		r.addDashboard()
	}
	r.addOutputs()
	return r.stack, nil
}
