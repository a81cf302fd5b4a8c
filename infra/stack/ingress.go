package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
)

// ingressPaths are the paths of a source and of a tenant's source. A name is one path segment. No
// source can use another path, whatever its name: /v1 is the API, and /console, /portal and /health
// are reserved for the operator.
var ingressPaths = []string{"/in/{source}", "/in/{tenant}/{source}"}

// This throttle applies to routes without their own throttle. They are for the operator: a person
// or a script.
const (
	otherRatePerSecond = 20
	otherBurst         = 40
)

// addAPI makes the API, still without routes. It comes before the functions because deliver's
// settings can contain its host name.
func (r *relay) addAPI() {
	r.api = awsapigatewayv2.NewHttpApi(r.stack, new("Ingress"), &awsapigatewayv2.HttpApiProps{
		ApiName:            r.stack.StackName(), // only a label; the API is identified by its id
		CreateDefaultStage: new(false),          // made below, with throttling and the access log

		DisableExecuteApiEndpoint: whenTrue(r.props.DisableDefaultEndpoint),
	})
}

// addIngress opens ingressPaths to the public. Requests of every method go to receive, which
// answers 405 where a method is not allowed. For any other path, API Gateway answers 404 itself.
func (r *relay) addIngress() {
	receive := awsapigatewayv2integrations.NewHttpLambdaIntegration(new("Receive"), r.receive, nil)
	var routes []awsapigatewayv2.HttpRoute
	throttles := map[string]any{}
	for _, path := range ingressPaths {
		routes = append(routes, *r.api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: &path, Methods: list(awsapigatewayv2.HttpMethod_ANY), Integration: receive,
		})...)
		throttles["ANY "+path] = map[string]any{
			"ThrottlingRateLimit":  r.props.ThrottleRatePerSecond,
			"ThrottlingBurstLimit": r.props.ThrottleBurst,
		}
	}
	r.addAdminRoutes()
	stage := awsapigatewayv2.NewCfnStage(r.stack, new("IngressStage"),
		&awsapigatewayv2.CfnStageProps{
			ApiId:      r.api.ApiId(),
			StageName:  new("$default"),
			AutoDeploy: new(true),
			DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
				ThrottlingRateLimit:  number(otherRatePerSecond),
				ThrottlingBurstLimit: number(otherBurst),
			},
			// This is a map and not the type above. CloudFormation takes this property as JSON, and
			// the CDK writes such a value unchanged. The type's names begin with a small letter,
			// which would be wrong here.
			RouteSettings: throttles,
		})
	if r.props.AccessLog {
		stage.SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: r.addLogs("IngressLogs").LogGroupArn(),
			Format:         accessLogFormat(r.stack),
		})
	}
	for _, route := range routes {
		if resource, ok := route.Node().DefaultChild().(awsapigatewayv2.CfnRoute); ok {
			// API Gateway refuses settings for a route that does not exist yet.
			stage.AddResourceDependency(resource, nil)
		}
	}
	if r.props.DomainName != "" {
		r.addDomain(stage)
	}
}

// addDomain serves the stage under the operator's own domain name, with TLS 1.2 or later. The API's
// default host name still works, unless DisableDefaultEndpoint is set.
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

// ingressURL is the URL that partners POST to, without /in/{source}.
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

// accessLogFormat is the format of the access log: one JSON line per request. It leaves out the
// query string, the headers and the body, because they may contain secrets.
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
