package breaker

import (
	"fmt"
	"time"
)

// The breaker's numbers. They follow what receivers of webhooks report about outages: a deployment
// takes a minute or two, and ten failures in a row are no accident.
const (
	// OpenAfter is the number of failures in a row, over all instances, that opens the breaker.
	OpenAfter = 10
	// RateWindow is the time over which one instance counts attempts. The breaker also opens if
	// there are MinAttempts in it and half of them failed.
	RateWindow  = time.Minute
	MinAttempts = 20
	// FirstWait is how long the breaker stays open before the first probe. Each failed probe
	// doubles the wait, up to MaxWait.
	FirstWait = 30 * time.Second
	MaxWait   = 15 * time.Minute
	// RampTime is how long the rate is limited after the breaker closes. It begins with RampStart
	// requests a second and doubles every RampDouble.
	RampTime   = 2 * time.Minute
	RampStart  = 5
	RampDouble = 10 * time.Second
	// MinSpread is the shortest time over which deliveries come back after a pause, however short
	// the pause was.
	MinSpread = 5 * time.Second
	// MaxPause is the longest pause that an endpoint may ask for.
	MaxPause = time.Hour
	// WarnAfter and DisableAfter count the time in which every attempt failed. After WarnAfter the
	// operator is warned. After DisableAfter, and at least Notice after the warning, the endpoint
	// is disabled. Standard Webhooks recommends to disable after several days, and to announce it.
	WarnAfter    = 24 * time.Hour
	DisableAfter = 5 * 24 * time.Hour
	Notice       = 24 * time.Hour
	// Silence is the longest time between two failures of one run. So single failures of a rare
	// webhook do not add up.
	Silence = 24 * time.Hour
)

// State is what is known about an endpoint's failures. Times are UTC.
type State struct {
	Failures     int       // failed attempts in a row
	FailingSince time.Time // when the first of them ended; zero: the last attempt succeeded
	FailedAt     time.Time // when the last of them was told
	OpenUntil    time.Time // no request before then, one probe afterwards; zero: closed
	Openings     int       // how often in a row the breaker opened
	ClosedAt     time.Time // when it last closed
	PausedUntil  time.Time // no request before then, as the endpoint asked
	StoppedAt    time.Time // when the operator paused it, until it is enabled; zero: not paused
	WarnedAt     time.Time // when the operator was warned of this run of failures
	DisabledAt   time.Time // zero: enabled
	Reason       string    // why it is disabled or open
	Proof        Proof     // the proof that it gave; zero: none, or none was needed
	// average duration of an attempt, whole milliseconds; zero: not needed
	Took      time.Duration
	TookAt    time.Time // when Took was measured
	Unproven  string    // why it last failed to give its proof; "": it did not fail
	SlowUntil time.Time // it is slow until then
	SlowAt    time.Time // start of the count below
	SlowSeen  int       // slow attempts since then
}

// Proof is the proof that an endpoint gave.
type Proof struct {
	Of   string    // names what was proved, in the caller's words; another name needs another proof
	At   time.Time // when
	Rate int       // requests a minute that the endpoint allows; 0: no limit
}

// Phase is an endpoint's state in a word. The set is closed.
type Phase string

// The phases of an endpoint.
const (
	// the breaker is closed: nothing is wrong, or not enough to act
	Healthy    Phase = "healthy"
	Open       Phase = "open"       // deliveries are held until the next probe
	Recovering Phase = "recovering" // it was open a moment ago: the rate is limited
	Paused     Phase = "paused"     // the endpoint asked for a pause, or the operator made one
	Disabled   Phase = "disabled"   // until the operator enables it
	Unproven   Phase = "unproven"   // it did not give its proof: deliveries are held until it does
)

// Phase returns the endpoint's phase at a time.
func (s State) Phase(now time.Time) Phase {
	switch {
	case !s.DisabledAt.IsZero():
		return Disabled
	case !s.StoppedAt.IsZero():
		return Paused
	case s.Unproven != "":
		return Unproven
	case !s.OpenUntil.IsZero():
		return Open
	case now.Before(s.PausedUntil):
		return Paused
	case now.Before(s.ClosedAt.Add(RampTime)):
		return Recovering
	}
	return Healthy
}

// HeldUntil returns when held deliveries may come back, or zero if none are held. A breaker whose
// wait is over holds nothing: the delivery that claims the probe goes ahead, see Probe.
func (s State) HeldUntil(now time.Time) time.Time {
	held := s.PausedUntil
	if !s.StoppedAt.IsZero() && held.Before(now.Add(MaxWait)) { // they come back to look again
		held = now.Add(MaxWait)
	}
	if s.OpenUntil.After(held) {
		held = s.OpenUntil
	}
	if !held.After(now) {
		return time.Time{}
	}
	return held
}

// NeedsProbe tells whether the breaker is open and its wait is over. Then exactly one request may
// be made.
func (s State) NeedsProbe(now time.Time) bool {
	return !s.OpenUntil.IsZero() && !now.Before(s.OpenUntil) && s.DisabledAt.IsZero() &&
		s.StoppedAt.IsZero()
}

// Probe returns the state while a probe is in flight. If its result is not told within lease,
// another probe may be made.
func (s State) Probe(now time.Time, lease time.Duration) State {
	s.OpenUntil = now.Add(lease)
	return s
}

// Spread returns the time after HeldUntil over which the held deliveries come back, so that they do
// not come all at once. It is as long as they waited. While the breaker is open it is at least
// FirstWait, so that most of them come after the probe has ended.
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

// Rate returns how many requests a second are allowed while the endpoint recovers; 0: no limit.
func (s State) Rate(now time.Time) int {
	if s.Phase(now) != Recovering {
		return 0
	}
	// the clocks of instances differ, and may go back
	return RampStart << (max(now.Sub(s.ClosedAt), 0) / RampDouble)
}

// Succeeded returns the state after a 2xx. The run of failures ends, and an open breaker closes.
func (s State) Succeeded(now time.Time) State {
	next := State{
		ClosedAt: s.ClosedAt, DisabledAt: s.DisabledAt, Proof: s.Proof, Took: s.Took,
		TookAt: s.TookAt, StoppedAt: s.StoppedAt,
	}
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
	Attempts int    // how many failed, at least one
	Probe    bool   // the last of them was the probe
	Half     bool   // this instance counted MinAttempts within RateWindow, of which half failed
	Why      string // how the last of them failed: a status code or an outcome
}

// opens returns why f opens the breaker, after so many failures in a row.
func (f Failure) opens(failures int) string {
	switch {
	case f.Probe:
		return "the probe failed with " + f.Why
	case failures >= OpenAfter:
		return fmt.Sprintf("%d attempts in a row failed, the last one with %s", failures, f.Why)
	}
	return fmt.Sprintf(
		"half of %d attempts or more within a minute failed, the last one with %s", MinAttempts,
		f.Why,
	)
}

// Failed returns the state after a failure. If the breaker is open, only the failure of the probe
// makes the wait longer: other attempts were in flight when it opened.
func (s State) Failed(now time.Time, f Failure) State {
	if s.FailingSince.IsZero() || now.Sub(s.FailedAt) > Silence {
		s.Failures, s.FailingSince, s.WarnedAt = 0, now, time.Time{}
	}
	s.Failures += f.Attempts
	s.FailedAt = now
	open := !s.OpenUntil.IsZero()
	if f.Probe {
		s.Unproven = ""
	}
	switch {
	case !s.DisabledAt.IsZero():
		return s
	case !s.WarnedAt.IsZero() && !now.Before(s.DisableAt()):
		return s.Disable(
			now, "every attempt failed for "+now.Sub(s.FailingSince).Truncate(time.Hour).String(),
		)
	case open && f.Probe, !open && (f.Half || s.Failures >= OpenAfter):
		s.Openings++
		s.OpenUntil = now.Add(wait(s.Openings))
		s.ClosedAt = time.Time{}
		s.Reason = f.opens(s.Failures)
	}
	return s
}

// Proved returns the state after a probe that proved p.
func (s State) Proved(now time.Time, p Proof) State {
	s = s.Succeeded(now)
	s.Proof = p
	return s
}

// NotProven returns the state after a probe that did not prove anything.
func (s State) NotProven(now time.Time, f Failure, why string) State {
	s = s.Failed(now, f)
	s.Unproven = why
	return s
}

// Well tells whether nothing is wrong: s is the zero State, except for its Proof and the duration
// of attempts.
func (s State) Well() bool { return s == State{Proof: s.Proof, Took: s.Took, TookAt: s.TookAt} }

// wait returns how long the breaker stays open the nth time in a row.
func wait(n int) time.Duration {
	if n > 16 { // far above MaxWait, and below an overflow
		return MaxWait
	}
	return min(FirstWait<<(n-1), MaxWait)
}

// NeedsWarning tells whether the operator must now be warned that the endpoint will be disabled.
func (s State) NeedsWarning(now time.Time) bool {
	return s.DisabledAt.IsZero() && s.WarnedAt.IsZero() && !s.FailingSince.IsZero() &&
		now.Sub(s.FailingSince) >= WarnAfter
}

// DisableAt returns when the endpoint will be disabled if every attempt fails until then; zero: the
// operator was not warned yet.
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

// Pause returns the state after the endpoint asked for a pause, which is at most MaxPause. Of
// several pauses the longest counts.
func (s State) Pause(now, until time.Time) State {
	if latest := now.Add(MaxPause); until.After(latest) {
		until = latest
	}
	if until.After(s.PausedUntil) {
		s.PausedUntil = until
	}
	return s
}

// Stop returns the state after the operator paused the endpoint: its deliveries are held until it
// is enabled. They come back every MaxWait to look.
func (s State) Stop(now time.Time) State {
	if s.StoppedAt.IsZero() {
		s.StoppedAt = now
	}
	return s
}

// Disable returns the state of a disabled endpoint: it gets no deliveries until it is enabled.
func (s State) Disable(now time.Time, reason string) State {
	if s.DisabledAt.IsZero() {
		s.DisabledAt, s.Reason = now, reason
	}
	return s
}

// Enable returns the state after the operator enabled the endpoint: it recovers at a limited rate.
func (s State) Enable(now time.Time) State { return State{ClosedAt: now, Proof: s.Proof} }
