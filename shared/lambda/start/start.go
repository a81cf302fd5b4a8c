package start

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/awsconfig"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/telemetry"
)

// Function serves the handler that wire returns, which must be one that lambda.Start takes. It does
// not return. If the environment is incomplete, it logs what is missing and ends the process with
// status 1, which Lambda reports as a failed init.
func Function[S settings.Receive | settings.Fanout | settings.Deliver | settings.Sweep |
	settings.Admin](
	wire func(s S, cfg aws.Config, log telemetry.Log) (any, error),
) {
	logger := lambdacontext.NewLogger()
	s, settingsErr := settings.Read[S]()
	cfg, awsErr := awsconfig.Config()
	if err := errors.Join(settingsErr, awsErr); err != nil {
		logger.Error("cannot start", telemetry.KeyError, err)
		os.Exit(1)
	}
	handler, err := wire(s, cfg, telemetry.Log{
		Logger: logger, Relay: os.Getenv(settings.RelayName), Refusals: &telemetry.RefusalLimiter{},
	})
	if err != nil {
		logger.Error("cannot start", telemetry.KeyError, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

// Beside returns the path of a program in the folder of this one. Without that folder it is looked
// for where Lambda unpacks functions.
func Beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return filepath.Join("/var/task", name)
	}
	return filepath.Join(filepath.Dir(self), name)
}
