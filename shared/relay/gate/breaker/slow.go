package breaker

import "time"

// When an endpoint counts as slow. It must be slow enough to use up capacity that the instances
// need for other endpoints. One slow attempt in a thousand is not enough.
const (
	// SlowAttempts slow attempts within SlowWindow, over all instances, make an endpoint slow. An
	// endpoint below that has at most three attempts in flight at once for each ten seconds that an
	// attempt takes.
	SlowAttempts = 3
	SlowWindow   = 10 * time.Second
	// SlowFor is how long the endpoint then counts as slow. Further slow attempts renew it after
	// half of that time. Before, they cause no write.
	SlowFor = time.Minute
)

// Slow tells whether the endpoint is slow at a time.
func (s State) Slow(now time.Time) bool { return now.Before(s.SlowUntil) }

// TookLong returns the state after a slow attempt, successful or not.
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

// keepSlow copies the count of slow attempts from another state, as long as it matters.
func (s State) keepSlow(from State, now time.Time) State {
	if now.Before(from.SlowUntil) || now.Sub(from.SlowAt) < SlowFor {
		s.SlowUntil, s.SlowAt, s.SlowSeen = from.SlowUntil, from.SlowAt, from.SlowSeen
	}
	return s
}
