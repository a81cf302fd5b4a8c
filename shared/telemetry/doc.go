// Package telemetry tells of the relay's work: one wide log line for each request, routing, attempt and sweep, always with the same keys.
// Bodies, header values, secrets and URLs are never in it.
//
//	reporter := telemetry.Log{Logger: lambdacontext.NewLogger(), Relay: os.Getenv(settings.RelayName)}
//
// Requests that are refused anybody can send, as many as the gateway lets through: RefusalLimiter keeps them from filling the log.
//
// The lines of a deployed relay are its metrics as well, in CloudWatch's embedded metric format: package metric names them. So a metric
// costs no call and no second line, and counts what the log tells, no more and no less. The format adds 185 to 235 bytes to a line.
// CloudWatch counts a line that it was handed twice, which happens, twice.
package telemetry
