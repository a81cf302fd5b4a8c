// Package operate is what is done about deliveries beside the stages: the Sweeper finds those whose message was lost, the Replayer sends
// some again, EnableEndpoint and DisableEndpoint override the circuit breaker, and the Notifier sends the relay's own events.
package operate
