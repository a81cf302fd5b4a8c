package breaker_test

import (
	"testing"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// TestAnOperatorsPauseLastsUntilTheEndpointIsEnabled: neither a success nor the end of the wait for
// a probe ends it.
func TestAnOperatorsPauseLastsUntilTheEndpointIsEnabled(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	open := breaker.State{Failures: 10, FailingSince: now, OpenUntil: now, Openings: 1}
	for name, s := range map[string]breaker.State{"healthy": {}, "open": open} {
		s = s.Stop(now)
		if again := s.Stop(now.Add(time.Hour)); again != s {
			t.Errorf("%s: paused twice: %+v", name, again)
		}
		later := now.Add(24 * time.Hour)
		for what, s := range map[string]breaker.State{
			"as it was": s, "after a success": s.Succeeded(later),
			"after a failure": s.Failed(later, breaker.Failure{Attempts: 1, Why: "500"}),
		} {
			held := s.HeldUntil(later)
			if s.Phase(later) != breaker.Paused || s.NeedsProbe(later) || s.Well() ||
				held.Before(later.Add(breaker.MaxWait)) || held.After(later.Add(breaker.MaxWait)) {
				t.Errorf("%s, %s: %s, held until %s, %+v", name, what, s.Phase(later), held, s)
			}
		}
		if s = s.Enable(later); s.Phase(later) != breaker.Recovering ||
			!s.HeldUntil(later).IsZero() {
			t.Errorf("%s, enabled: %s, %+v", name, s.Phase(later), s)
		}
	}
	if p := (breaker.State{}).Stop(now).Disable(now, "gone").Phase(now); p != breaker.Disabled {
		t.Errorf("disabled too: %s", p)
	}
}
