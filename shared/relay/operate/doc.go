// Package operate holds the operator's actions, beside the three stages of package relay.
//
//	report, err := sweeper.Run(ctx) // hourly
//
// The [Sweeper] finds deliveries whose message was lost. The [Replayer] sends deliveries again.
// [EnableEndpoint] and [DisableEndpoint] override the circuit breaker. The [Notifier] sends the
// relay's own events.
//
// A delivery that is sent again is recorded as waiting first, so that it is not lost if the
// function dies. A second POST of one attempt is possible only if two copies of a message are
// handled at the same time.
package operate
