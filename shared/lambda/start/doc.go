// Package start starts a Lambda function. It reads the settings, makes the AWS configuration and
// the log, calls the function's wire, and serves. It makes no call to AWS before the first
// invocation.
//
//	func main() { start.Function(wire) }
//
//	func wire(s settings.Fanout, cfg aws.Config, log telemetry.Log) (any, error) { … return handler.Batch(fanout.Process) }
package start
