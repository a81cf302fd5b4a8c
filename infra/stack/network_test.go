package stack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A network costs money while idle: nobody gets one who has not asked.
func TestNoNetworkByDefault(t *testing.T) {
	t.Parallel()
	for id, r := range defaults(t).Resources {
		if strings.HasPrefix(r.Type, "AWS::EC2::") {
			t.Errorf("%s is a %s", id, r.Type)
		}
	}
}

func TestOnlyDeliverIsInTheNetwork(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
		var subnets []string
		for _, subnet := range items(r.get("VpcConfig", "SubnetIds")) {
			subnets = append(subnets, name(target(subnet)))
		}
		if name(id) != "Deliver" {
			if subnets != nil {
				t.Errorf("is in %v", subnets)
			}
			return
		}
		if diff := cmp.Diff(
			[]string{"EgressPrivateSubnet1Subnet", "EgressPrivateSubnet2Subnet"}, subnets,
		); diff != "" {
			t.Errorf("subnets (-want +got):\n%s", diff)
		}
		if groups := items(r.get("VpcConfig", "SecurityGroupIds")); len(groups) != 1 ||
			name(target(groups[0])) != "EgressGroup" {
			t.Errorf("security groups %v", groups)
		}
	})
}

// The guard in front of each POST lets ports 80 and 443 pass, and those asked for; so does the
// network, and nothing gets in.
func TestTheNetworkLetsOutHTTPAlone(t *testing.T) {
	t.Parallel()
	whole(t).each(t, "AWS::EC2::SecurityGroup", func(t *testing.T, _ string, r resource) {
		var got []string
		for _, rule := range items(r.get("SecurityGroupEgress")) {
			got = append(
				got,
				fmt.Sprint(
					get(rule, "IpProtocol"), " ", get(rule, "FromPort"), "-", get(rule, "ToPort"),
					" ", get(rule, "CidrIp"),
				),
			)
		}
		if diff := cmp.Diff(
			[]string{"tcp 80-80 0.0.0.0/0", "tcp 443-443 0.0.0.0/0", "tcp 8443-8443 0.0.0.0/0"},
			got,
		); diff != "" {
			t.Errorf("egress (-want +got):\n%s", diff)
		}
		if r.get("SecurityGroupIngress") != nil {
			t.Errorf("admits %v", r.get("SecurityGroupIngress"))
		}
	})
}

// Each zone has its own way out, by an address that is a resource of its own and an output.
func TestEgressAddresses(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	var addresses []string
	tmpl.each(t, "AWS::EC2::NatGateway", func(t *testing.T, _ string, r resource) {
		addresses = append(addresses, "{"+target(r.get("AllocationId"))+".PublicIp}")
	})
	slices.Sort(addresses)
	if got := render(tmpl.Outputs["EgressAddresses"].Value); len(addresses) != 2 ||
		got != strings.Join(addresses, ",") {
		t.Errorf("output %s, NAT gateways have %v", got, addresses)
	}
	ways := map[string]bool{} // NAT gateways that a default route leads to
	for _, r := range tmpl.Resources {
		if gateway := target(r.get("NatGatewayId")); r.Type == "AWS::EC2::Route" && gateway != "" {
			ways[gateway] = r.get("DestinationCidrBlock") == "0.0.0.0/0"
		}
	}
	if len(ways) != 2 {
		t.Errorf("default routes lead to %v, want one to each of two NAT gateways", ways)
	}
}

// What passes NAT is billed by the GB; bodies and ledger need not.
func TestTablesAndBodiesPassByNoNAT(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	var private []string
	for id, r := range tmpl.Resources {
		if r.Type == "AWS::EC2::RouteTable" && strings.HasPrefix(id, "EgressPrivate") {
			private = append(private, id)
		}
	}
	services := map[string]bool{}
	tmpl.each(t, "AWS::EC2::VPCEndpoint", func(t *testing.T, _ string, r resource) {
		services[render(r.get("ServiceName"))] = true
		if r.get("VpcEndpointType") != "Gateway" {
			t.Errorf("is a %v, which costs money", r.get("VpcEndpointType"))
		}
		tables := items(r.get("RouteTableIds"))
		for _, id := range private {
			if !slices.ContainsFunc(tables, func(table any) bool { return target(table) == id }) {
				t.Errorf("%s does not lead there", id)
			}
		}
	})
	want := map[string]bool{
		"com.amazonaws.{AWS::Region}.dynamodb": true, "com.amazonaws.{AWS::Region}.s3": true,
	}
	if diff := cmp.Diff(want, services); diff != "" || len(private) != 2 {
		t.Errorf("%d private route tables, endpoints (-want +got):\n%s", len(private), diff)
	}
}
