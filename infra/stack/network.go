package stack

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// egressZones is how many availability zones deliver runs in. Each zone has its own NAT gateway.
// With a single zone, a failure of that zone would look like a failure of every endpoint, and would
// use up their attempts.
const egressZones = 2

// network is the VPC of a function whose outgoing addresses are fixed.
type network struct {
	vpc       awsec2.Vpc
	group     awsec2.SecurityGroup
	groups    *[]awsec2.ISecurityGroup // group as a list, as functions take it
	addresses []*string
}

// addNetwork makes the VPC that deliver runs in when Props.FixedEgress is set. Nothing listens in
// the VPC. Traffic to DynamoDB and S3 goes through gateway endpoints, which cost nothing. All other
// traffic, including that to SQS, KMS and Scheduler, goes through the NAT gateways.
//
// The addresses of the NAT gateways are resources of their own, so they stay when the network
// around them is replaced. An account has five such addresses in a region unless it asks for more.
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
			// This subnet holds only the NAT gateways, which have their own addresses.
			{
				Name: new("Public"), SubnetType: awsec2.SubnetType_PUBLIC,
				MapPublicIpOnLaunch: new(false),
			},
			{Name: new("Private"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		},
		// To empty the default security group, the CDK would add a function of its own. Nothing
		// here uses that group.
		RestrictDefaultSecurityGroup: new(false),
	})
	r.network.group = awsec2.NewSecurityGroup(r.stack, new("EgressGroup"),
		&awsec2.SecurityGroupProps{
			Vpc:              r.network.vpc,
			Description:      new("deliver: HTTP and HTTPS out, nothing in"),
			AllowAllOutbound: new(false),
		})
	// the ports that the functions' own guard allows
	for _, port := range append([]uint16{80, 443}, r.props.EgressPorts...) {
		r.network.group.AddEgressRule(
			awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(number(int(port))), new("to endpoints and AWS"),
			nil,
		)
	}
	r.network.groups = list[awsec2.ISecurityGroup](r.network.group)
}
