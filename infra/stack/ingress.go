package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
)

// addIngress opens /in/{source} to the world. Every method goes to receive, which answers 405 where it should; any other path is
// the gateway's own 404.
func (r *relay) addIngress() {
	r.api = awsapigatewayv2.NewHttpApi(r.stack, new("Ingress"), &awsapigatewayv2.HttpApiProps{
		ApiName:            r.stack.StackName(), // a label; the API is known by its id
		CreateDefaultStage: new(false),          // made below, with throttling and the access log
	})
	r.api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path:        new("/in/{source}"),
		Methods:     list(awsapigatewayv2.HttpMethod_ANY),
		Integration: awsapigatewayv2integrations.NewHttpLambdaIntegration(new("Receive"), r.receive, nil),
	})
	awsapigatewayv2.NewCfnStage(r.stack, new("IngressStage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      r.api.ApiId(),
		StageName:  new("$default"),
		AutoDeploy: new(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit:  number(r.props.ThrottleRatePerSecond),
			ThrottlingBurstLimit: number(r.props.ThrottleBurst),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: r.addLogs("IngressLogs").LogGroupArn(),
			Format:         accessLogFormat(r.stack),
		},
	})
}

// accessLogFormat is a JSON line for each request. It has no query string, no header and no body: there may be secrets in them.
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
