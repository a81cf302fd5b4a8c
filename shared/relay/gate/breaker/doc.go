// Package breaker is the circuit breaker of an endpoint. It is a state machine without a clock or a
// store. The caller stores the [State], which all instances of a function share, asks it what may
// be sent ([State.HeldUntil], [State.NeedsProbe]), and tells it each result ([State.Succeeded],
// [State.Failed]).
//
//	closed ──OpenAfter failures in a row, or half of a window's attempts──▶ open ──its wait is over──▶ one probe
//	  ▲                                                                      ▲                           │
//	  └── recovering: slowly more, for RampTime ◀──────────2xx──────────────┼───────────────────────────┤
//	                                                                        └── fails: twice the wait ◀─┘
//
// While the breaker is open, deliveries are held: they wait and use up no attempt. An endpoint can
// also ask for a pause (Retry-After, 429). An endpoint is disabled when it says that it is gone, or
// when every attempt has failed for DisableAfter.
//
// An endpoint may have to give a proof before its first delivery. The request for the proof is a
// probe: after a failure it is repeated with the same waits, and after a success deliveries begin
// at a limited rate.
//
// The State of an endpoint without trouble is the zero State, except for its Proof and the duration
// of its attempts. So such an endpoint needs no record and no write.
package breaker
