// Package start starts a Lambda function: it reads the settings, makes the AWS configuration and the log, has the function
// wired, and serves. Nothing is called before the first invocation.
//
//	func main() { start.Function(wire) }
//
//	func wire(s settings.Fanout, cfg aws.Config, log telemetry.Log) (any, error) { … return handler.Batch(fanout.Process) }
package start
