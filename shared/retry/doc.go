// Package retry says how long to wait before a delivery is tried again.
//
// A schedule is a list of waits: the first is the wait after the first failed attempt, the second after the second, and so on. An
// endpoint gets one attempt more than its schedule has entries.
//
//	wait, again := retry.Wait(retry.DefaultSchedule, step, rand.Float64)
//	if !again {
//		// out of attempts
//	}
//
// Each wait is lengthened at random by up to a tenth, so that deliveries that failed together do not come back together. It is
// never shortened: an endpoint is left alone for at least as long as the schedule says, and the waits of a schedule in which
// each entry is at least a tenth longer than the one before, as in [DefaultSchedule], keep their order.
//
// [Exponential] makes such a list of a first wait and a factor. [RetryAfter] reads what an endpoint asks for, which may lengthen a wait
// but never shorten it:
//
//	if asked, ok := retry.RetryAfter(header, time.Now()); ok {
//		wait = max(wait, retry.Jitter(asked, rand.Float64))
//	}
//
// The package keeps no state and reads no clock. It is safe for concurrent use if the source of randomness is.
package retry
