package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
)

// ingressPath is where sources are, one path segment each. No source can take another path,
// whatever its name: /v1, /console and /health are kept for the operator.
const ingressPath = "/in/{source}"

// Routes that have no throttle of their own, none so far, are for the operator: a person or a
// script.
const (
	otherRatePerSecond = 20
	otherBurst         = 40
)

// addAPI makes the API, so far without a route: functions know the relay by its name.
func (r *relay) addAPI() {
	r.api = awsapigatewayv2.NewHttpApi(r.stack, new("Ingress"), &awsapigatewayv2.HttpApiProps{
		ApiName:            r.stack.StackName(), // a label; the API is known by its id
		CreateDefaultStage: new(false),          // made below, with throttling and the access log

		DisableExecuteApiEndpoint: whenTrue(r.props.DisableDefaultEndpoint),
	})
}

// addIngress opens ingressPath to the world. Every method goes to receive, which answers 405 where
// it should; any other path is the gateway's own 404.
func (r *relay) addIngress() {
	routes := r.api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path:    new(ingressPath),
		Methods: list(awsapigatewayv2.HttpMethod_ANY),
		Integration: awsapigatewayv2integrations.NewHttpLambdaIntegration(
			new("Receive"), r.receive, nil,
		),
	})
	stage := awsapigatewayv2.NewCfnStage(r.stack, new("IngressStage"),
		&awsapigatewayv2.CfnStageProps{
			ApiId:      r.api.ApiId(),
			StageName:  new("$default"),
			AutoDeploy: new(true),
			DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
				ThrottlingRateLimit:  number(otherRatePerSecond),
				ThrottlingBurstLimit: number(otherBurst),
			},
			// Not of the type above: the CDK writes what CloudFormation takes as JSON as it is,
			// and that type's names begin small.
			RouteSettings: map[string]any{"ANY " + ingressPath: map[string]any{
				"ThrottlingRateLimit":  r.props.ThrottleRatePerSecond,
				"ThrottlingBurstLimit": r.props.ThrottleBurst,
			}},
		})
	if r.props.AccessLog {
		stage.SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: r.addLogs("IngressLogs").LogGroupArn(),
			Format:         accessLogFormat(r.stack),
		})
	}
	for _, route := range *routes {
		if resource, ok := route.Node().DefaultChild().(awsapigatewayv2.CfnRoute); ok {
			// the settings of a route that is not there yet are refused
			stage.AddResourceDependency(resource, nil)
		}
	}
	if r.props.DomainName != "" {
		r.addDomain(stage)
	}
}

// addDomain serves a stage under the operator's own name, by TLS 1.2 at least. The API's own name
// goes on working beside it.
func (r *relay) addDomain(stage awsapigatewayv2.CfnStage) {
	r.domain = awsapigatewayv2.NewCfnDomainName(r.stack, new("IngressDomain"),
		&awsapigatewayv2.CfnDomainNameProps{
			DomainName: &r.props.DomainName,
			DomainNameConfigurations: list(&awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{
				CertificateArn: &r.props.CertificateARN,
				EndpointType:   new("REGIONAL"),
				SecurityPolicy: new("TLS_1_2"),

				OwnershipVerificationCertificateArn: ifSet(&r.props.OwnershipCertificateARN),
			}),
		})
	if r.props.TruststoreURI != "" {
		r.domain.SetMutualTlsAuthentication(
			&awsapigatewayv2.CfnDomainName_MutualTlsAuthenticationProperty{
				TruststoreUri: &r.props.TruststoreURI,
			},
		)
	}
	awsapigatewayv2.NewCfnApiMapping(r.stack, new(
		"IngressDomainToStage",
	), &awsapigatewayv2.CfnApiMappingProps{
		ApiId:      r.api.ApiId(),
		DomainName: r.domain.Ref(),
		Stage:      stage.Ref(),
	})
}

// ingressURL is where partners POST to, without /in/{source}.
func (r *relay) ingressURL() *string {
	if r.domain != nil {
		return new("https://" + r.props.DomainName)
	}
	return r.api.ApiEndpoint()
}

// ingressHost is the host of ingressURL.
func (r *relay) ingressHost() string {
	if r.props.DomainName != "" {
		return r.props.DomainName
	}
	return *r.api.ApiId() + ".execute-api." + *r.stack.Region() + "." + *r.stack.UrlSuffix()
}

// accessLogFormat is a JSON line for each request. It has no query string, no header and no body:
// there may be secrets in them.
func accessLogFormat(s awscdk.Stack) *string {
	return s.ToJsonString(map[string]string{
		"requestId":        "$context.requestId",
		"time":             "$context.requestTime",
		"ip":               "$context.identity.sourceIp",
		"method":           "$context.httpMethod",
		"path":             "$context.path",
		"statusCode":       "$context.status",
		"responseBytes":    "$context.responseLength",
		"durationMs":       "$context.responseLatency",
		"integrationError": "$context.integrationErrorMessage",
	}, nil)
}
