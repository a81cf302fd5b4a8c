package breaker

import "time"

// When an endpoint counts as slow. It is slow as long as its attempts would hold up what the instances
// have to do for other endpoints, and not because one attempt in a thousand takes long.
const (
	// SlowAttempts attempts that took long within SlowWindow, counted over all instances, make an
	// endpoint slow. One that stays below holds no more than three attempts at once for each ten
	// seconds that an attempt takes.
	SlowAttempts = 3
	SlowWindow   = 10 * time.Second
	// SlowFor is how long it is slow then. Further attempts that take long renew it, once half of it
	// is over: until then none of them is a write.
	SlowFor = time.Minute
)

// Slow tells whether the endpoint is slow at a time.
func (s State) Slow(now time.Time) bool { return now.Before(s.SlowUntil) }

// TookLong returns the state after an attempt that took long, whether or not it went well.
func (s State) TookLong(now time.Time) State {
	if s.SlowUntil.Sub(now) > SlowFor/2 {
		return s
	}
	if now.Sub(s.SlowAt) > SlowWindow {
		s.SlowAt, s.SlowSeen = now, 0
	}
	if s.SlowSeen++; s.SlowSeen >= SlowAttempts {
		s.SlowUntil, s.SlowAt, s.SlowSeen = now.Add(SlowFor), time.Time{}, 0
	}
	return s
}

// keepSlow takes over what another state says of slow attempts, as long as it matters.
func (s State) keepSlow(from State, now time.Time) State {
	if now.Before(from.SlowUntil) || now.Sub(from.SlowAt) < SlowFor {
		s.SlowUntil, s.SlowAt, s.SlowSeen = from.SlowUntil, from.SlowAt, from.SlowSeen
	}
	return s
}
