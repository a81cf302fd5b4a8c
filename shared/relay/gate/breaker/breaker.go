package breaker

import (
	"fmt"
	"time"
)

// How the breaker moves. The figures follow what receivers of webhooks report of outages: a deployment takes a minute or two, and ten
// failures in a row are no accident.
const (
	// OpenAfter failures in a row, counted over all instances, open the breaker.
	OpenAfter = 10
	// RateWindow is the time over which one instance counts attempts: MinAttempts of which half failed open the breaker as well.
	RateWindow  = time.Minute
	MinAttempts = 20
	// FirstWait is how long the breaker stays open before the first probe; each probe that fails doubles it, up to MaxWait.
	FirstWait = 30 * time.Second
	MaxWait   = 15 * time.Minute
	// RampTime is how long after closing requests are let through slowly: RampStart a second at first, twice as many every RampDouble.
	RampTime   = 2 * time.Minute
	RampStart  = 5
	RampDouble = 10 * time.Second
	// MinSpread is over how long a time deliveries come back after a pause, however short it was.
	MinSpread = 5 * time.Second
	// MaxPause bounds the pause that an endpoint may ask for.
	MaxPause = time.Hour
	// WarnAfter and DisableAfter are how long nothing but failures is suffered: then the operator is warned, and then the endpoint
	// is disabled, Notice after the warning at the soonest. Standard Webhooks recommends several days, and to announce it.
	WarnAfter    = 24 * time.Hour
	DisableAfter = 5 * 24 * time.Hour
	Notice       = 24 * time.Hour
	// Silence is how long after a failure the next one belongs to the same run: single failures of a rare webhook do not add up.
	Silence = 24 * time.Hour
)

// State is what is known of an endpoint's trouble. Times are UTC.
type State struct {
	Failures     int           // attempts in a row that failed
	FailingSince time.Time     // when the first of them ended; zero: the last attempt went well
	FailedAt     time.Time     // when the last of them was told
	OpenUntil    time.Time     // no request before, then one probe; zero: closed
	Openings     int           // how often in a row the breaker opened
	ClosedAt     time.Time     // when it closed after the last time it was open
	PausedUntil  time.Time     // no request before: the endpoint asked for it
	WarnedAt     time.Time     // when the operator was warned of this run of failures
	DisabledAt   time.Time     // zero: enabled
	Reason       string        // why it is disabled, or else open
	Proof        Proof         // what it has shown before it got deliveries; zero: nothing, or nobody asked
	Took         time.Duration // by an attempt, about, in whole milliseconds; zero: nobody needed to know
	TookAt       time.Time     // when that was measured
	Unproved     string        // why the last try to have it shown failed; "": it did not
	SlowUntil    time.Time     // its attempts took long: it is slow until then
	SlowAt       time.Time     // when the attempts below began to be counted
	SlowSeen     int           // attempts since then that took long
}

// Proof is what an endpoint that must prove itself has shown.
type Proof struct {
	Of   string    // names what was proved, in the asker's own words: under another name it must be proved again
	At   time.Time // when
	Rate int       // requests a minute that the endpoint allows; 0: as many as there are
}

// Phase names where an endpoint stands. The set is closed.
type Phase string

// The phases of an endpoint.
const (
	Closed     Phase = "closed"     // all is well, or not bad enough
	Open       Phase = "open"       // deliveries are held until the next probe
	Recovering Phase = "recovering" // it was open a moment ago: deliveries are let through slowly
	Paused     Phase = "paused"     // the endpoint asked for a pause
	Disabled   Phase = "disabled"   // until the operator enables it
	Unproved   Phase = "unproved"   // it was asked to prove itself, and failed: deliveries are held until it does
)

// Phase tells where the endpoint stands at a time.
func (s State) Phase(now time.Time) Phase {
	switch {
	case !s.DisabledAt.IsZero():
		return Disabled
	case s.Unproved != "":
		return Unproved
	case !s.OpenUntil.IsZero():
		return Open
	case now.Before(s.PausedUntil):
		return Paused
	case now.Before(s.ClosedAt.Add(RampTime)):
		return Recovering
	}
	return Closed
}

// HeldUntil is until when deliveries wait: zero where they need not. A breaker whose time is over holds nothing: whoever has claimed the
// probe goes ahead, see Probe.
func (s State) HeldUntil(now time.Time) time.Time {
	held := s.PausedUntil
	if s.OpenUntil.After(held) {
		held = s.OpenUntil
	}
	if !held.After(now) {
		return time.Time{}
	}
	return held
}

// NeedsProbe tells whether the breaker is open and its wait is over: one request, and no more, may go through.
func (s State) NeedsProbe(now time.Time) bool {
	return !s.OpenUntil.IsZero() && !now.Before(s.OpenUntil) && s.DisabledAt.IsZero()
}

// Probe returns the state while a probe is under way, for lease at most: if nothing is heard of it by then, there is another.
func (s State) Probe(now time.Time, lease time.Duration) State {
	s.OpenUntil = now.Add(lease)
	return s
}

// Spread is over how long a time after HeldUntil the held deliveries are to come back, so that they do not come all at once: as long as they
// waited, and after a breaker that is open until they know whether the probe went well.
func (s State) Spread(now time.Time) time.Duration {
	held := s.HeldUntil(now)
	if held.IsZero() {
		return 0
	}
	least := MinSpread
	if !s.OpenUntil.IsZero() {
		least = FirstWait
	}
	return min(max(held.Sub(now), least), MaxWait)
}

// Rate is how many requests a second may go through while the endpoint recovers; 0: as many as there are.
func (s State) Rate(now time.Time) int {
	if s.Phase(now) != Recovering {
		return 0
	}
	return RampStart << (max(now.Sub(s.ClosedAt), 0) / RampDouble) // clocks of instances differ, and step back
}

// Succeeded returns the state after a 2xx: the run of failures is over, and an open breaker closes.
func (s State) Succeeded(now time.Time) State {
	next := State{ClosedAt: s.ClosedAt, DisabledAt: s.DisabledAt, Proof: s.Proof, Took: s.Took, TookAt: s.TookAt}
	if !s.DisabledAt.IsZero() {
		next.Reason = s.Reason
	}
	if now.Before(s.PausedUntil) {
		next.PausedUntil = s.PausedUntil
	}
	if !s.OpenUntil.IsZero() {
		next.ClosedAt = now
	}
	if !now.Before(next.ClosedAt.Add(RampTime)) {
		next.ClosedAt = time.Time{}
	}
	return next.keepSlow(s, now)
}

// Failure is what happened since the state was last told.
type Failure struct {
	Attempts int    // that failed, at least one
	Probe    bool   // the last of them was the probe
	Half     bool   // this instance saw MinAttempts within RateWindow, half of which failed
	Why      string // the last of them failed: a status, or an outcome in a word
}

// opens says why f opens the breaker, after so many failures in a row.
func (f Failure) opens(failures int) string {
	switch {
	case f.Probe:
		return "the probe failed with " + f.Why
	case failures >= OpenAfter:
		return fmt.Sprintf("%d attempts in a row failed, the last one with %s", failures, f.Why)
	}
	return fmt.Sprintf("half of %d attempts or more within a minute failed, the last one with %s", MinAttempts, f.Why)
}

// Failed returns the state after a failure. One that was under way when the breaker opened tells nothing new: only the probe's makes
// the wait longer.
func (s State) Failed(now time.Time, f Failure) State {
	if s.FailingSince.IsZero() || now.Sub(s.FailedAt) > Silence {
		s.Failures, s.FailingSince, s.WarnedAt = 0, now, time.Time{}
	}
	s.Failures += f.Attempts
	s.FailedAt = now
	open := !s.OpenUntil.IsZero()
	if f.Probe {
		s.Unproved = ""
	}
	switch {
	case !s.DisabledAt.IsZero():
		return s
	case !s.WarnedAt.IsZero() && !now.Before(s.DisableAt()):
		return s.Disable(now, "nothing but failures for "+now.Sub(s.FailingSince).Truncate(time.Hour).String())
	case open && f.Probe, !open && (f.Half || s.Failures >= OpenAfter):
		s.Openings++
		s.OpenUntil = now.Add(wait(s.Openings))
		s.ClosedAt = time.Time{}
		s.Reason = f.opens(s.Failures)
	}
	return s
}

// Proved returns the state after a probe that has proved what p names.
func (s State) Proved(now time.Time, p Proof) State {
	s = s.Succeeded(now)
	s.Proof = p
	return s
}

// NotProved returns the state after a probe that has proved nothing.
func (s State) NotProved(now time.Time, f Failure, why string) State {
	s = s.Failed(now, f)
	s.Unproved = why
	return s
}

// Well tells whether nothing is the matter: s is the zero State but for its Proof and how long attempts take.
func (s State) Well() bool { return s == State{Proof: s.Proof, Took: s.Took, TookAt: s.TookAt} }

// wait is how long the breaker stays open the nth time in a row.
func wait(n int) time.Duration {
	if n > 16 { // far beyond MaxWait, and before any overflow
		return MaxWait
	}
	return min(FirstWait<<(n-1), MaxWait)
}

// NeedsWarning tells whether the operator is to be warned that the endpoint will be disabled.
func (s State) NeedsWarning(now time.Time) bool {
	return s.DisabledAt.IsZero() && s.WarnedAt.IsZero() && !s.FailingSince.IsZero() && now.Sub(s.FailingSince) >= WarnAfter
}

// DisableAt is when the endpoint will be disabled if it goes on failing; zero: nobody was warned yet.
func (s State) DisableAt() time.Time {
	at, soonest := s.FailingSince.Add(DisableAfter), s.WarnedAt.Add(Notice)
	switch {
	case s.WarnedAt.IsZero():
		return time.Time{}
	case at.Before(soonest):
		return soonest
	}
	return at
}

// Warned returns the state after the operator was warned.
func (s State) Warned(now time.Time) State {
	s.WarnedAt = now
	return s
}

// Pause returns the state after the endpoint asked for a pause, of MaxPause at most. The longest one asked for counts.
func (s State) Pause(now, until time.Time) State {
	if latest := now.Add(MaxPause); until.After(latest) {
		until = latest
	}
	if until.After(s.PausedUntil) {
		s.PausedUntil = until
	}
	return s
}

// Disable returns the state of an endpoint that gets nothing until it is enabled.
func (s State) Disable(now time.Time, reason string) State {
	if s.DisabledAt.IsZero() {
		s.DisabledAt, s.Reason = now, reason
	}
	return s
}

// Enable returns the state of an endpoint that the operator has enabled: it recovers slowly.
func (s State) Enable(now time.Time) State { return State{ClosedAt: now, Proof: s.Proof} }
