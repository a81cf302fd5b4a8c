package stack

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// egressZones is how many availability zones deliver runs in, each with a way out of its own: with
// a single one, the failure of its zone would look like that of every endpoint, and use up their
// attempts.
const egressZones = 2

// network is where a function runs whose addresses are fixed.
type network struct {
	vpc       awsec2.Vpc
	group     awsec2.SecurityGroup
	groups    *[]awsec2.ISecurityGroup // the same, as functions take it
	addresses []*string
}

// addNetwork makes the VPC that deliver runs in where its addresses are to be fixed. Nothing
// listens in it. What goes to DynamoDB and S3 passes by gateway endpoints, which cost nothing; all
// else, SQS, KMS and Scheduler too, by the NAT gateways. Their addresses are resources of their
// own, so that they stay when the network around them is replaced; an account has five in a region
// unless it asks for more.
func (r *relay) addNetwork() {
	if !r.props.FixedEgress {
		return
	}
	allocations := make([]*string, egressZones)
	for i := range allocations {
		address := awsec2.NewCfnEIP(
			r.stack, new(fmt.Sprintf("EgressAddress%c", 'A'+i)),
			&awsec2.CfnEIPProps{Domain: new("vpc")},
		)
		allocations[i] = address.AttrAllocationId()
		r.network.addresses = append(r.network.addresses, address.AttrPublicIp())
	}
	r.network.vpc = awsec2.NewVpc(r.stack, new("Egress"), &awsec2.VpcProps{
		MaxAzs: number(egressZones),
		NatGatewayProvider: awsec2.NatProvider_Gateway(&awsec2.NatGatewayProps{
			EipAllocationIds: &allocations,
		}),
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"DynamoDB": {Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB()},
			"S3":       {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
		},
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			// Only the NAT gateways are in it, which have addresses of their own.
			{
				Name: new("Public"), SubnetType: awsec2.SubnetType_PUBLIC,
				MapPublicIpOnLaunch: new(false),
			},
			{Name: new("Private"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		},
		// Emptying the default security group takes a function of the CDK's own; nothing here is in
		// that group.
		RestrictDefaultSecurityGroup: new(false),
	})
	r.network.group = awsec2.NewSecurityGroup(r.stack, new("EgressGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              r.network.vpc,
			Description:      new("deliver: HTTP and HTTPS out, nothing in"),
			AllowAllOutbound: new(false),
		})
	// those that the functions' own guard lets pass
	for _, port := range append([]uint16{80, 443}, r.props.EgressPorts...) {
		r.network.group.AddEgressRule(
			awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(number(int(port))), new("to endpoints and AWS"),
			nil,
		)
	}
	r.network.groups = list[awsec2.ISecurityGroup](r.network.group)
}
