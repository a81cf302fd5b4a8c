// Package retry computes how long to wait before the next attempt of a delivery.
//
// A schedule is a list of waits. The first is the wait after the first failed attempt, the second
// the wait after the second, and so on. A delivery gets one attempt more than its schedule has
// entries.
//
//	wait, again := retry.Wait(retry.DefaultSchedule, step, rand.Float64)
//	if !again {
//		// out of attempts
//	}
//
// Each wait is lengthened by a random part of up to a tenth (jitter), so that deliveries which
// failed together are not retried together. A wait is never shortened: the endpoint is not called
// for at least as long as the schedule says. If each entry of a schedule is at least a tenth longer
// than the one before, as in [DefaultSchedule], the waits keep their order.
//
// [Exponential] makes a schedule from a first wait and a factor. [RetryAfter] reads the wait that
// an endpoint asks for. That may lengthen a wait but never shorten it:
//
//	if asked, ok := retry.RetryAfter(header, time.Now()); ok {
//		wait = max(wait, retry.Jitter(asked, rand.Float64))
//	}
//
// The package keeps no state and reads no clock. It is safe for concurrent use if the source of
// randomness is.
package retry
