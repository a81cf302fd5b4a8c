package breaker_test

import (
	"testing"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// failing returns a state after n failures, a second apart, and the time of the last.
func failing(n int) (breaker.State, time.Time) {
	var s breaker.State
	now := start
	for range n {
		now = now.Add(time.Second)
		s = s.Failed(now, breaker.Failure{Attempts: 1})
	}
	return s, now
}

func TestFailuresInARowOpen(t *testing.T) {
	t.Parallel()
	s, now := failing(breaker.OpenAfter - 1)
	if p := s.Phase(now); p != breaker.Healthy {
		t.Fatalf("%s after %d failures", p, s.Failures)
	}
	s = s.Succeeded(now).Failed(now, breaker.Failure{Attempts: breaker.OpenAfter - 1})
	if p := s.Phase(now); p != breaker.Healthy {
		t.Fatalf("%s though there was a success between", p)
	}
	s = s.Failed(now, breaker.Failure{Attempts: 1})
	if p, until := s.Phase(now),
		s.HeldUntil(now); p != breaker.Open || !until.Equal(now.Add(breaker.FirstWait)) {
		t.Fatalf("%s until %s", p, until)
	}
}

func TestHalfOfManyOpens(t *testing.T) {
	t.Parallel()
	if p := (breaker.State{}).Failed(
		start, breaker.Failure{Attempts: 1, Half: true},
	).Phase(start); p != breaker.Open {
		t.Errorf("%s", p)
	}
}

func TestWhyTheBreakerIsOpen(t *testing.T) {
	t.Parallel()
	inARow := breaker.State{}.Failed(
		start, breaker.Failure{Attempts: breaker.OpenAfter, Why: "502"},
	)
	now := inARow.OpenUntil
	for want, s := range map[string]breaker.State{
		"10 attempts in a row failed, the last one with 502": inARow,
		"half of 20 attempts or more within a minute failed, the last one with timeout": breaker.State{}.Failed(start,
			breaker.Failure{Attempts: 1, Half: true, Why: "timeout"}),
		"the probe failed with 503": inARow.Probe(now, time.Minute).Failed(
			now, breaker.Failure{Attempts: 1, Probe: true, Why: "503"},
		),
	} {
		if s.Reason != want {
			t.Errorf("%q, want %q", s.Reason, want)
		}
	}
	if s := inARow.Succeeded(now); s.Reason != "" {
		t.Errorf("closed: %q", s.Reason)
	}
	if s := inARow.Disable(now, "it moves house"); s.Reason != "it moves house" ||
		s.Succeeded(now).Reason != s.Reason {
		t.Errorf("disabled: %q", s.Reason)
	}
}

func TestOneProbeAtATimeAndLongerWaits(t *testing.T) {
	t.Parallel()
	s, now := failing(breaker.OpenAfter)
	wait := breaker.FirstWait
	for range 10 {
		if s.NeedsProbe(now) {
			t.Fatalf("a probe before its time: %+v", s)
		}
		if now = s.OpenUntil; !s.NeedsProbe(now) {
			t.Fatalf("no probe in time: %+v", s)
		}
		s = s.Probe(now, time.Minute)
		if s.NeedsProbe(now) || s.HeldUntil(now).IsZero() {
			t.Fatalf("a second probe beside the first: %+v", s)
		}
		if late := s.Failed(
			now, breaker.Failure{Attempts: 3},
		); !late.OpenUntil.Equal(s.OpenUntil) || late.Openings != s.Openings {
			t.Fatalf("attempts that were under way move the breaker: %+v", late)
		}
		s = s.Failed(now, breaker.Failure{Attempts: 1, Probe: true})
		if wait = min(2*wait, breaker.MaxWait); !s.OpenUntil.Equal(now.Add(wait)) {
			t.Fatalf("open for %s after %d probes, want %s", s.OpenUntil.Sub(now), s.Openings, wait)
		}
	}
	if wait != breaker.MaxWait {
		t.Errorf("never reached the longest wait: %s", wait)
	}
	now = s.OpenUntil
	if s = s.Probe(now, time.Minute); !s.NeedsProbe(now.Add(time.Minute)) {
		t.Error("a probe that nothing is heard of is the last one")
	}
}

func TestASuccessfulProbeClosesAndReleasesSlowly(t *testing.T) {
	t.Parallel()
	s, _ := failing(breaker.OpenAfter)
	now := s.OpenUntil
	s = s.Probe(now, time.Minute).Succeeded(now)
	if p := s.Phase(now); p != breaker.Recovering || !s.HeldUntil(now).IsZero() {
		t.Fatalf("%s: %+v", p, s)
	}
	if rate := s.Rate(now.Add(-time.Hour)); rate != breaker.RampStart {
		t.Errorf("%d a second by a clock that is behind", rate)
	}
	before := 0
	for age := time.Duration(0); age < breaker.RampTime; age += breaker.RampDouble {
		rate := s.Rate(now.Add(age))
		if rate != max(breaker.RampStart, 2*before) {
			t.Fatalf("%d a second after %s, %d before", rate, age, before)
		}
		before = rate
	}
	if now = now.Add(breaker.RampTime); s.Rate(now) != 0 || s.Phase(now) != breaker.Healthy {
		t.Errorf("%s, %d a second, after the ramp", s.Phase(now), s.Rate(now))
	}
	if s = s.Succeeded(now); s != (breaker.State{}) {
		t.Errorf("not the zero state when all is well: %+v", s)
	}
}

func TestAFailureWhileRecoveringIsOneOfTen(t *testing.T) {
	t.Parallel()
	s, _ := failing(breaker.OpenAfter)
	now := s.OpenUntil
	s = s.Succeeded(now).Failed(now, breaker.Failure{Attempts: 1})
	if p := s.Phase(now); p != breaker.Recovering {
		t.Errorf("%s", p)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := breaker.State{}.Pause(start, start.Add(time.Minute)).Pause(start, start.Add(time.Second))
	if p, until := s.Phase(start),
		s.HeldUntil(start); p != breaker.Paused || !until.Equal(start.Add(time.Minute)) {
		t.Errorf("%s until %s", p, until)
	}
	if s := s.Succeeded(start.Add(time.Second)); s.HeldUntil(start.Add(time.Second)).IsZero() {
		t.Error("an answer that was under way ends the pause")
	}
	if s := s.Succeeded(start.Add(time.Minute)); s != (breaker.State{}) {
		t.Errorf("not the zero state after the pause: %+v", s)
	}
	if s := (breaker.State{}).Pause(
		start, start.Add(1000*time.Hour),
	); !s.PausedUntil.Equal(start.Add(breaker.MaxPause)) {
		t.Errorf("paused until %s", s.PausedUntil)
	}
}

func TestHeldDeliveriesComeBackSpread(t *testing.T) {
	t.Parallel()
	for held, want := range map[time.Duration]time.Duration{
		time.Second: breaker.MinSpread, 10 * time.Second: 10 * time.Second,
		5 * time.Minute: 5 * time.Minute, time.Hour: breaker.MaxWait,
	} {
		if got := (breaker.State{OpenUntil: start.Add(held)}).Spread(start); got != max(
			want, breaker.FirstWait,
		) {
			t.Errorf("open for %s, spread over %s", held, got)
		}
		if got := (breaker.State{PausedUntil: start.Add(held)}).Spread(start); got != want {
			t.Errorf("held for %s, spread over %s, want %s", held, got, want)
		}
	}
	if got := (breaker.State{}).Spread(start); got != 0 {
		t.Errorf("not held, spread over %s", got)
	}
}

// failUntil returns the state after failures an hour apart, from one time to another, both
// included. The operator is warned when that is due.
func failUntil(s breaker.State, from, to time.Time) breaker.State {
	for now := from; ; now = now.Add(time.Hour) {
		if now.After(to) {
			now = to
		}
		if s = s.Failed(now, breaker.Failure{Attempts: 1, Probe: true}); s.NeedsWarning(now) {
			s = s.Warned(now)
		}
		if now.Equal(to) {
			return s
		}
	}
}

func TestNothingButFailures(t *testing.T) {
	t.Parallel()
	since := start
	at := since.Add(breaker.WarnAfter - time.Second)
	s := failUntil(breaker.State{}, since, at)
	if s.NeedsWarning(at) || !s.WarnedAt.IsZero() || !s.DisableAt().IsZero() {
		t.Error("warned too early")
	}
	at = since.Add(breaker.WarnAfter)
	if !s.NeedsWarning(at) || s.Warned(at).NeedsWarning(at) {
		t.Error("not warned once")
	}
	disabled := since.Add(breaker.DisableAfter)
	if s = s.Warned(at); !s.DisableAt().Equal(disabled) {
		t.Errorf("to be disabled at %s, want %s", s.DisableAt(), disabled)
	}
	s = failUntil(s, at, disabled.Add(-time.Second))
	if s.Phase(disabled) == breaker.Disabled {
		t.Error("disabled too early")
	}
	at = disabled
	s = s.Failed(at, breaker.Failure{Attempts: 1, Probe: true})
	if s.Phase(at) != breaker.Disabled || s.Reason != "nothing but failures for 120h0m0s" ||
		s.NeedsProbe(at.Add(time.Hour)) {
		t.Errorf("not disabled: %+v", s)
	}
	if again := s.Disable(at.Add(time.Hour), "other"); again != s {
		t.Errorf("disabled a second time: %+v", again)
	}
	if s.Succeeded(at).Phase(at) != breaker.Disabled {
		t.Error("an attempt that was under way enables it")
	}
	if s = s.Enable(at); s.Phase(at) != breaker.Recovering || s.Failures != 0 {
		t.Errorf("not enabled: %+v", s)
	}
}

func TestNoEndpointIsDisabledWithoutNotice(t *testing.T) {
	t.Parallel()
	at := start.Add(breaker.DisableAfter - time.Second)
	s := failUntil(breaker.State{}, start, at)
	for name, warned := range map[string]time.Time{
		"it was not warned": {}, "it was warned a moment ago": at,
	} {
		s.WarnedAt = warned
		if after := s.Failed(
			at.Add(time.Minute), breaker.Failure{Attempts: 1},
		); !after.DisabledAt.IsZero() {
			t.Errorf("%s: %+v", name, after)
		}
	}
	if late := at.Add(breaker.Notice); failUntil(s, at, late).DisabledAt.IsZero() {
		t.Error("never disabled")
	}
}

func TestARunOfFailuresBeginsAnewAfterADayOfSilence(t *testing.T) {
	t.Parallel()
	s := failUntil(breaker.State{}, start, start.Add(breaker.WarnAfter)) // warned
	last := s.FailedAt
	if on := s.Failed(
		last.Add(breaker.Silence), breaker.Failure{Attempts: 1},
	); !on.FailingSince.Equal(start) || on.WarnedAt.IsZero() {
		t.Errorf("anew after no more than a day: %+v", on)
	}
	late := last.Add(breaker.Silence + time.Second)
	if s = s.Failed(late, breaker.Failure{Attempts: 1}); !s.FailingSince.Equal(late) ||
		s.Failures != 1 || !s.WarnedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	rare := breaker.State{}
	for day := range 60 {
		at := start.Add(time.Duration(day) * 48 * time.Hour)
		if rare = rare.Failed(at, breaker.Failure{Attempts: 1}); rare.NeedsWarning(at) ||
			rare.Phase(at) != breaker.Healthy {
			t.Fatalf("after %d failures, one every other day: %+v", day+1, rare)
		}
	}
}

func TestAProofIsAProbe(t *testing.T) {
	t.Parallel()
	s := breaker.State{}.Probe(start, time.Minute)
	s = s.NotProven(start, breaker.Failure{Attempts: 1, Probe: true}, "it answered 404")
	if p, until := s.Phase(start), s.HeldUntil(start); p != breaker.Unproven ||
		!until.Equal(start.Add(breaker.FirstWait)) || s.Unproven == "" {
		t.Fatalf("%s until %s: %+v", p, until, s)
	}
	now := s.OpenUntil
	s = s.Probe(now, time.Minute).NotProven(
		now, breaker.Failure{Attempts: 1, Probe: true}, "it answered 405",
	)
	if until := s.HeldUntil(now); !until.Equal(now.Add(2*breaker.FirstWait)) ||
		s.Unproven != "it answered 405" {
		t.Fatalf("until %s: %+v", until, s)
	}
	now = s.OpenUntil
	proof := breaker.Proof{Of: "a", At: now, Rate: 3}
	if s = s.Probe(now, time.Minute).Proved(now, proof); s.Phase(now) != breaker.Recovering ||
		s.Proof != proof || s.Unproven != "" {
		t.Fatalf("%s: %+v", s.Phase(now), s)
	}
	later := now.Add(breaker.RampTime)
	if s = s.Succeeded(later); !s.Well() || s.Phase(later) != breaker.Healthy || s.Proof != proof {
		t.Errorf("not well: %+v", s)
	}
	if s = s.Enable(later); s.Proof != proof {
		t.Errorf("enabling forgets the proof: %+v", s)
	}
	if s = s.Failed(later, breaker.Failure{Attempts: 1}); s.Well() {
		t.Errorf("well: %+v", s)
	}
}

// An endpoint that no longer has to give a proof is probed with a delivery.
func TestAProbeEndsBeingUnproved(t *testing.T) {
	t.Parallel()
	unproven := breaker.State{}.Probe(start, time.Minute).NotProven(
		start, breaker.Failure{Attempts: 1, Probe: true}, "it answered 404",
	)
	now := unproven.OpenUntil
	for name, s := range map[string]breaker.State{
		"that succeeds": unproven.Probe(now, time.Minute).Succeeded(now),
		"that fails": unproven.Probe(now, time.Minute).Failed(
			now, breaker.Failure{Attempts: 1, Probe: true},
		),
	} {
		if s.Unproven != "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := unproven.Failed(now, breaker.Failure{Attempts: 1}); s.Unproven == "" {
		t.Errorf("so does an attempt that was under way: %+v", s)
	}
}
