package conformance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/relay"
)

// EndpointStates tests a relay.EndpointStates.
func EndpointStates(t *testing.T, fresh func(t *testing.T) relay.EndpointStates) {
	for name, test := range map[string]func(*testing.T, relay.EndpointStates){
		"an endpoint without a state has the zero one":   stateNew,
		"every field comes back, with the next revision": stateFields,
		"a write asks for the revision on record":        stateConditions,
		"of concurrent writes exactly one wins":          stateConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// trouble has every field set.
func trouble() breaker.State {
	at := func(n int) time.Time { return time.Date(2026, 1, 2, 3, n, 5, 678_000_000, time.UTC) }
	return breaker.State{Failures: 12, FailingSince: at(1), OpenUntil: at(2), Openings: 3, ClosedAt: at(4), PausedUntil: at(5),
		WarnedAt: at(6), DisabledAt: at(7), Reason: "é\""}
}

func expectState(t *testing.T, states relay.EndpointStates, endpoint string, want breaker.State, revision int64) {
	t.Helper()
	got, r, err := states.EndpointState(t.Context(), endpoint)
	must(t, "EndpointState", err)
	equal(t, "state of "+endpoint, want, got)
	equal(t, "revision of "+endpoint, revision, r)
}

func stateNew(t *testing.T, states relay.EndpointStates) {
	expectState(t, states, "shipping", breaker.State{}, 0)
}

func stateFields(t *testing.T, states relay.EndpointStates) {
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "shipping", trouble(), 0))
	expectState(t, states, "shipping", trouble(), 1)
	expectState(t, states, "ship", breaker.State{}, 0)
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "shipping", breaker.State{}, 1))
	expectState(t, states, "shipping", breaker.State{}, 2)
}

func stateConditions(t *testing.T, states relay.EndpointStates) {
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "shipping", trouble(), 0))
	for _, prior := range []int64{0, 2, -1} {
		err := states.SaveEndpointState(t.Context(), "shipping", breaker.State{}, prior)
		if !errors.Is(err, relay.ErrConflict) {
			t.Errorf("over revision %d: %v, want ErrConflict", prior, err)
		}
	}
	if err := states.SaveEndpointState(t.Context(), "other", trouble(), 1); !errors.Is(err, relay.ErrConflict) {
		t.Errorf("over a state that is not there: %v, want ErrConflict", err)
	}
	expectState(t, states, "shipping", trouble(), 1)
}

func stateConcurrent(t *testing.T, states relay.EndpointStates) {
	for prior := range int64(3) {
		errs := make(chan error, 5)
		for i := range cap(errs) {
			s := breaker.State{Failures: i + 1}
			go func() { errs <- states.SaveEndpointState(t.Context(), "shipping", s, prior) }()
		}
		won := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, relay.ErrConflict):
				t.Errorf("%v, want ErrConflict", err)
			}
		}
		equal(t, fmt.Sprint("writes over revision ", prior, " that won"), 1, won)
	}
}

// Quotas tests a relay.Quotas.
func Quotas(t *testing.T, fresh func(t *testing.T) relay.Quotas) {
	for name, test := range map[string]func(*testing.T, relay.Quotas){
		"no more is taken than there is":       quotaLimit,
		"windows and names are apart":          quotaWindows,
		"concurrent takers keep to it as well": quotaConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func expectTake(t *testing.T, quotas relay.Quotas, name string, window time.Time, n, limit int, want bool) {
	t.Helper()
	got, err := quotas.Take(t.Context(), name, window, n, limit)
	must(t, "Take", err)
	equal(t, fmt.Sprintf("%d of %d of %s", n, limit, name), want, got)
}

func quotaLimit(t *testing.T, quotas relay.Quotas) {
	window := now().Truncate(time.Second)
	expectTake(t, quotas, "a", window, 6, 5, false)
	expectTake(t, quotas, "a", window, 3, 5, true)
	expectTake(t, quotas, "a", window, 3, 5, false)
	expectTake(t, quotas, "a", window, 2, 5, true)
	expectTake(t, quotas, "a", window, 1, 5, false)
}

func quotaWindows(t *testing.T, quotas relay.Quotas) {
	window := now().Truncate(time.Second)
	expectTake(t, quotas, "a", window, 1, 1, true)
	expectTake(t, quotas, "b", window, 1, 1, true)
	expectTake(t, quotas, "a", window.Add(time.Second), 1, 1, true)
	expectTake(t, quotas, "a", window.Add(time.Second), 1, 1, false)
}

func quotaConcurrent(t *testing.T, quotas relay.Quotas) {
	window := now().Truncate(time.Second)
	got := make(chan bool, 20)
	for range cap(got) {
		go func() {
			ok, err := quotas.Take(t.Context(), "a", window, 2, 10)
			if err != nil {
				t.Error(err)
			}
			got <- ok
		}()
	}
	taken := 0
	for range cap(got) {
		if <-got {
			taken += 2
		}
	}
	equal(t, "taken", 10, taken)
}
