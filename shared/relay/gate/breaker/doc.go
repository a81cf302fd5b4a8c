// Package breaker decides when an endpoint in trouble gets requests. It is a state machine without a clock or a store: whoever keeps the
// State, for all instances of a function together, asks it what may be sent and tells it how that went.
//
//	closed ──OpenAfter failures in a row, or half of a window's attempts──▶ open ──its wait is over──▶ one probe
//	  ▲                                                                      ▲                           │
//	  └── recovering: slowly more, for RampTime ◀──────────2xx──────────────┼───────────────────────────┤
//	                                                                        └── fails: twice the wait ◀─┘
//
// While it is open deliveries are held: they wait and use up no attempt. Beside that an endpoint can ask for a pause (Retry-After, 429),
// and it is disabled when it says that it is gone or has done nothing but fail for DisableAfter.
//
// An endpoint can be asked to prove itself before it gets anything. To be asked is to be probed: what fails is tried again after the same
// waits, and what succeeds lets deliveries through slowly.
//
// A State that is all well is the zero State but for its Proof, so that an endpoint without trouble needs no record, and no write.
package breaker
