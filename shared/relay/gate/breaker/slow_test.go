package breaker_test

import (
	"testing"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

func TestSlow(t *testing.T) {
	t.Parallel()
	const s = time.Second
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		tookLong []time.Duration // when slow attempts were counted
		at       time.Duration
		want     bool
	}{
		"no attempt took long":        {nil, 0, false},
		"two in a row":                {[]time.Duration{0, s}, s, false},
		"three within ten seconds":    {[]time.Duration{0, 5 * s, 10 * s}, 10 * s, true},
		"three within eleven seconds": {[]time.Duration{0, 5 * s, 11 * s}, 11 * s, false},
		"within a minute":             {[]time.Duration{0, 0, 0}, 59 * s, true},
		"after a minute":              {[]time.Duration{0, 0, 0}, 60 * s, false},
		"renewed in the second half of it": {
			[]time.Duration{0, 0, 0, 40 * s, 41 * s, 42 * s}, 100 * s, true,
		},
		"not renewed by fewer": {[]time.Duration{0, 0, 0, 40 * s, 41 * s}, 70 * s, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var state breaker.State
			for _, at := range c.tookLong {
				state = state.TookLong(began.Add(at))
			}
			if got := state.Slow(began.Add(c.at)); got != c.want {
				t.Errorf("slow: %t, want %t (%+v)", got, c.want, state)
			}
		})
	}
}

// TestTookLongIsNoWriteWhileTheEndpointIsSlow: a state that stays the same is not written.
func TestTookLongIsNoWriteWhileTheEndpointIsSlow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	slow := breaker.State{}.TookLong(now).TookLong(now).TookLong(now)
	if later := slow.TookLong(now.Add(breaker.SlowFor/2 - 1)); later != slow {
		t.Errorf("%+v became %+v", slow, later)
	}
}

// TestASuccessSaysNothingOfSlowness: a slow endpoint succeeds. The counts of slow attempts expire,
// so that a well endpoint has the zero state.
func TestASuccessSaysNothingOfSlowness(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	counted := breaker.State{}.TookLong(now)
	slow := counted.TookLong(now).TookLong(now)
	for name, s := range map[string]breaker.State{"counted": counted, "slow": slow} {
		if got := s.Succeeded(now.Add(time.Second)); got != s {
			t.Errorf("%s: %+v became %+v", name, s, got)
		}
		if got := s.Succeeded(now.Add(breaker.SlowFor)); !got.Well() {
			t.Errorf("%s: %+v is left", name, got)
		}
	}
}
