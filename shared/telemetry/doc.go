// Package telemetry logs the relay's work: one wide log line for each request, routing, attempt and
// sweep, always with the same keys. The lines never contain bodies, header values, secrets or URLs.
//
//	reporter := telemetry.Log{Logger: lambdacontext.NewLogger(), Relay: os.Getenv(settings.RelayName)}
//
// Anybody can send requests that are refused, as many as the gateway lets through. RefusalLimiter
// keeps them from filling the log.
//
// The lines of a deployed relay are also its metrics, in CloudWatch's embedded metric format.
// Package metric names them. So a metric costs no call and no second line, and its counts agree
// with the log exactly. The format adds 185 to 235 bytes to a line. If CloudWatch receives a line
// twice, which happens, it counts the line twice.
package telemetry
