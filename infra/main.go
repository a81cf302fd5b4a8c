// Command infra synthesises the relay's CloudFormation template, for the CDK's command line and
// without it:
//
//	cdk deploy -c stage=prod
//	CDK_OUTDIR=cdk.out go run ./infra
//
// It runs in the repository's root and needs the built functions (make build-lambda) and Node, but
// no AWS account and no network. What can be set is in package stack's Props; without the command
// line, context is given as JSON in CDK_CONTEXT_JSON.
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
		// As the command line does: SAM CLI finds a function and its code by this metadata. No
		// reporting of the constructs used: the template is the same everywhere.
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
