package stack

import "github.com/aws/aws-cdk-go/awscdk/v2"

// addOutputs adds the outputs that people and the operator's command need. The keys are a contract:
// the command looks them up.
func (r *relay) addOutputs() {
	r.addOutput("IngressUrl", r.ingressURL(), "Partners POST to {IngressUrl}/in/{source}")
	r.addOutput("ApiUrl", new(*r.ingressURL()+"/v1"), "The API for operators and tenants")
	if !r.props.IAM {
		r.addOutput("ConsoleUrl", new(*r.ingressURL()+"/console"), "The console, for a browser")
	}
	r.addOutput("IngressApiId", r.api.ApiId(), "Id of the HTTP API")
	r.addOutput("CatalogTable", r.catalog.TableName(), "Sources, endpoints and subscriptions")
	r.addOutput("LedgerTable", r.ledger.TableName(), "Events and deliveries")
	r.addOutput("SecretsKeyArn", r.secretsKey.KeyArn(), "Encrypts the secrets of the catalog")
	r.addOutput("BodiesBucket", r.bodies.BucketName(), "Bodies too large for a message")
	r.addOutput("IngestQueueUrl", r.ingest.QueueUrl(), "Accepted events, for fanout")
	r.addOutput("DeliveryQueueUrl", r.delivery.QueueUrl(), "First attempts, for deliver")
	r.addOutput("RetryQueueUrl", r.retry.QueueUrl(), "Later attempts, for deliver")
	r.addOutput(
		"OrderedIngestQueueUrl", r.ordered.ingest.QueueUrl(),
		"Accepted events of sources with an ordered endpoint, for fanout",
	)
	r.addOutput(
		"OrderedDeliveryQueueUrl", r.ordered.delivery.QueueUrl(),
		"Deliveries of ordered endpoints, for deliver",
	)
	r.addOutput("DeadQueueUrl", r.dead.QueueUrl(), "Messages of dead deliveries")
	r.outputTriggers()
	if r.domain != nil {
		r.addOutput(
			"IngressDnsTarget", r.domain.AttrRegionalDomainName(),
			"The DNS record of "+r.props.DomainName+" points here",
		)
		r.addOutput(
			"IngressDnsZoneId", r.domain.AttrRegionalHostedZoneId(),
			"Hosted zone of IngressDnsTarget, for an alias record",
		)
	}
	if r.props.FixedEgress {
		r.addOutput(
			"EgressAddresses", awscdk.Fn_Join(new(","), &r.network.addresses),
			"POSTs to endpoints come from these addresses",
		)
	}
}

func (r *relay) addOutput(key string, value *string, description string) {
	awscdk.NewCfnOutput(
		r.stack, &key, &awscdk.CfnOutputProps{Value: value, Description: &description},
	)
}
