// Command infra synthesises the relay's CloudFormation template. It works with the CDK's command
// line and without it:
//
//	cdk deploy -c stage=prod
//	CDK_OUTDIR=cdk.out go run ./infra
//
// Run it in the repository's root. It needs the built functions (make build-lambda) and Node. It
// needs no AWS account and no network. Props in package stack lists what can be set. Without the
// command line, pass the context as JSON in CDK_CONTEXT_JSON.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"webhook-relay/infra/stack"
)

func main() {
	err := synthesise()
	stack.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func synthesise() error {
	app := awscdk.NewApp(&awscdk.AppProps{
		// The CDK's command line sets this context too. SAM CLI uses this metadata to find a
		// function and its code. The CDK's usage reporting (AnalyticsReporting) is off, so that the
		// template is the same everywhere.
		Context: &map[string]any{
			"aws:cdk:enable-path-metadata":  true,
			"aws:cdk:enable-asset-metadata": true,
		},
		AnalyticsReporting: new(false),
	})
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	props, err := stack.PropsFromContext(context)
	if err != nil {
		return err
	}
	if _, err := stack.New(app, "Relay", props); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}
