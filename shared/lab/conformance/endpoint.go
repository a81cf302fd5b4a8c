package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
)

// EndpointStates tests a gate.EndpointStates.
func EndpointStates(t *testing.T, fresh func(t *testing.T) gate.EndpointStates) {
	for name, test := range map[string]func(*testing.T, gate.EndpointStates){
		"an endpoint without a state has the zero one":   stateNew,
		"every field comes back, with the next revision": stateFields,
		"a write asks for the revision on record":        stateConditions,
		"of concurrent writes exactly one wins":          stateConcurrent,
		"those in trouble are listed":                    stateTroubled,
		"thousands in trouble are listed":                stateManyTroubled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// expectTroubled waits until the list is as wanted. The list may be a second late.
func expectTroubled(t *testing.T, states gate.EndpointStates, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, err := states.TroubledEndpoints(t.Context())
		must(t, "TroubledEndpoints", err)
		slices.Sort(got)
		if slices.Equal(want, got) {
			return
		}
		if time.Now().After(deadline) {
			equal(t, "endpoints in trouble", want, got)
		}
	}
}

func stateTroubled(t *testing.T, states gate.EndpointStates) {
	expectTroubled(t, states)
	at := now()
	kinds := map[string]breaker.State{
		"disabled": {
			DisabledAt: at, Reason: "gone",
		}, "failing": {
			Failures: 1, FailingSince: at,
		}, "open": {OpenUntil: at}, "paused": {PausedUntil: at},
		"recovering": {ClosedAt: at}, "unproven": {Unproven: "it answered 404"},
	}
	for name, s := range kinds {
		must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), name, s, 0))
	}
	proved := breaker.State{Proof: breaker.Proof{Of: "hash", At: at}}
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "well", proved, 0))
	expectTroubled(t, states, slices.Sorted(maps.Keys(kinds))...)

	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "open", proved, 1))
	delete(kinds, "open")
	expectTroubled(t, states, slices.Sorted(maps.Keys(kinds))...)
	expectState(t, states, "open", proved, 2)

	must(
		t, "SaveEndpointState",
		states.SaveEndpointState(t.Context(), "well", breaker.State{Failures: 1}, 1),
	)
	kinds["well"] = breaker.State{}
	expectTroubled(t, states, slices.Sorted(maps.Keys(kinds))...)
}

func stateManyTroubled(t *testing.T, states gate.EndpointStates) {
	var want []string
	for i := range 1200 {
		name := fmt.Sprintf("endpoint-%04d", i)
		must(
			t, "SaveEndpointState",
			states.SaveEndpointState(t.Context(), name, breaker.State{Failures: 1}, 0),
		)
		want = append(want, name)
	}
	expectTroubled(t, states, want...)
}

// trouble returns a state with every field set.
func trouble() breaker.State {
	at := func(n int) time.Time { return time.Date(2026, 1, 2, 3, n, 5, 678_000_000, time.UTC) }
	return breaker.State{Failures: 12, FailingSince: at(1), FailedAt: at(9), OpenUntil: at(2),
		Openings: 3, ClosedAt: at(4), PausedUntil: at(5),
		WarnedAt: at(6), DisabledAt: at(7), Reason: "é\"", Proof: breaker.Proof{
			Of: "hash", At: at(8), Rate: 120,
		}, Unproven: "<é>",
		SlowUntil: at(10), SlowAt: at(11), SlowSeen: 2}
}

func expectState(
	t *testing.T, states gate.EndpointStates, endpoint string, want breaker.State, revision int64,
) {
	t.Helper()
	got, r, err := states.EndpointState(t.Context(), endpoint)
	must(t, "EndpointState", err)
	equal(t, "state of "+endpoint, want, got)
	equal(t, "revision of "+endpoint, revision, r)
}

func stateNew(t *testing.T, states gate.EndpointStates) {
	expectState(t, states, "shipping", breaker.State{}, 0)
}

func stateFields(t *testing.T, states gate.EndpointStates) {
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "shipping", trouble(), 0))
	expectState(t, states, "shipping", trouble(), 1)
	expectState(t, states, "ship", breaker.State{}, 0)
	must(
		t, "SaveEndpointState",
		states.SaveEndpointState(t.Context(), "shipping", breaker.State{}, 1),
	)
	expectState(t, states, "shipping", breaker.State{}, 2)
}

func stateConditions(t *testing.T, states gate.EndpointStates) {
	must(t, "SaveEndpointState", states.SaveEndpointState(t.Context(), "shipping", trouble(), 0))
	for _, prior := range []int64{0, 2, -1} {
		err := states.SaveEndpointState(t.Context(), "shipping", breaker.State{}, prior)
		if !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("over revision %d: %v, want ErrConflict", prior, err)
		}
	}
	if err := states.SaveEndpointState(t.Context(), "other", trouble(), 1); !errors.Is(
		err, catalog.ErrConflict,
	) {
		t.Errorf("over a state that is not there: %v, want ErrConflict", err)
	}
	expectState(t, states, "shipping", trouble(), 1)
}

func stateConcurrent(t *testing.T, states gate.EndpointStates) {
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
			case !errors.Is(err, catalog.ErrConflict):
				t.Errorf("%v, want ErrConflict", err)
			}
		}
		equal(t, fmt.Sprint("writes over revision ", prior, " that won"), 1, won)
	}
}

// Quotas tests a gate.Quotas.
func Quotas(t *testing.T, fresh func(t *testing.T) gate.Quotas) {
	for name, test := range map[string]func(*testing.T, gate.Quotas){
		"pieces follow on each other":           quotaFollow,
		"time that nobody took is over":         quotaBegins,
		"nothing is reserved too late":          quotaEnds,
		"of concurrent takers each has its own": quotaConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// expectPiece reserves one second, not before start and within ten seconds of it. want is the
// beginning of the reservation, relative to start; negative: there must be none.
func expectPiece(
	t *testing.T, quotas gate.Quotas, line string, start time.Time, want time.Duration,
) {
	t.Helper()
	from, ok, err := quotas.Reserve(
		t.Context(), line, time.Second, start, start.Add(10*time.Second),
	)
	must(t, "Reserve", err)
	got := time.Duration(-1)
	if ok {
		got = from.Sub(start)
	}
	equal(t, "piece of "+line, want, got)
}

func quotaFollow(t *testing.T, quotas gate.Quotas) {
	start := now()
	expectPiece(t, quotas, "a", start, 0)
	expectPiece(t, quotas, "b", start, 0)
	expectPiece(t, quotas, "a", start, time.Second)
	from, ok, err := quotas.Reserve(
		t.Context(), "a", 1500*time.Microsecond, start, start.Add(time.Hour),
	)
	if want := start.Add(2 * time.Second); err != nil || !ok || !from.Equal(want) {
		t.Errorf("%s, %t, %v, want %s", from, ok, err, want)
	}
	expectPiece(t, quotas, "a", start, 2*time.Second+1500*time.Microsecond)
}

func quotaBegins(t *testing.T, quotas gate.Quotas) {
	start := now()
	expectPiece(t, quotas, "a", start, 0)
	expectPiece(t, quotas, "a", start.Add(time.Minute), 0)
	expectPiece(t, quotas, "a", start.Add(time.Minute+200*time.Millisecond), 800*time.Millisecond)
}

func quotaEnds(t *testing.T, quotas gate.Quotas) {
	start := now()
	for i := range 11 {
		expectPiece(t, quotas, "a", start, time.Duration(i)*time.Second)
	}
	expectPiece(t, quotas, "a", start, -1)
	from, ok, err := quotas.Reserve(t.Context(), "a", time.Second, start, start.Add(10*time.Second))
	if want := start.Add(11 * time.Second); err != nil || ok || !from.Equal(want) {
		t.Errorf("of a line that is full: %s, %t, %v, want %s", from, ok, err, want)
	}
	expectPiece(t, quotas, "a", start.Add(time.Second), 10*time.Second)
}

func quotaConcurrent(t *testing.T, quotas gate.Quotas) {
	start := now()
	got := make(chan time.Duration, 10)
	for range cap(got) {
		go func() {
			from, ok, err := quotas.Reserve(
				t.Context(), "a", time.Second, start, start.Add(time.Hour),
			)
			if err != nil || !ok {
				t.Errorf("%t, %v", ok, err)
			}
			got <- from.Sub(start)
		}()
	}
	seen := map[time.Duration]bool{}
	for range cap(got) {
		from := <-got
		if seen[from] || from < 0 || from >= time.Duration(cap(got))*time.Second ||
			from%time.Second != 0 {
			t.Errorf("a piece begins after %s", from)
		}
		seen[from] = true
	}
}

// Slots tests a gate.Slots.
func Slots(t *testing.T, fresh func(t *testing.T) gate.Slots) {
	for name, test := range map[string]func(*testing.T, gate.Slots){
		"a slot has one holder at a time":         slotOneHolder,
		"a slot is free once its time is over":    slotExpires,
		"who holds a slot may hold it for longer": slotRenewed,
		"only its holder can release a slot":      slotReleased,
		"of concurrent claims exactly one wins":   slotConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func expectClaim(
	t *testing.T, slots gate.Slots, endpoint string, number int, holder string, lasts time.Duration,
	want bool,
) {
	t.Helper()
	got, err := slots.ClaimSlot(t.Context(), endpoint, number, holder, time.Now().Add(lasts))
	must(t, "ClaimSlot", err)
	equal(t, fmt.Sprintf("slot %d of %s for %s", number, endpoint, holder), want, got)
}

func slotOneHolder(t *testing.T, slots gate.Slots) {
	expectClaim(t, slots, "shipping", 0, "a", time.Hour, true)
	expectClaim(t, slots, "shipping", 0, "b", time.Hour, false)
	expectClaim(t, slots, "shipping", 1, "b", time.Hour, true)
	expectClaim(t, slots, "shipping", 10, "b", time.Hour, true)
	expectClaim(t, slots, "billing", 0, "b", time.Hour, true)
}

func slotExpires(t *testing.T, slots gate.Slots) {
	expectClaim(t, slots, "shipping", 0, "a", -time.Millisecond, true)
	expectClaim(t, slots, "shipping", 0, "b", time.Hour, true)
	must(t, "ReleaseSlot of the former holder", slots.ReleaseSlot(t.Context(), "shipping", 0, "a"))
	expectClaim(t, slots, "shipping", 0, "a", time.Hour, false)
}

func slotRenewed(t *testing.T, slots gate.Slots) {
	expectClaim(t, slots, "shipping", 0, "a", time.Hour, true)
	expectClaim(t, slots, "shipping", 0, "a", -time.Millisecond, true)
	expectClaim(t, slots, "shipping", 0, "b", time.Hour, true)
	expectClaim(t, slots, "shipping", 0, "a", time.Hour, false)
}

func slotReleased(t *testing.T, slots gate.Slots) {
	must(
		t, "ReleaseSlot of a slot that nobody ever held",
		slots.ReleaseSlot(t.Context(), "shipping", 0, "a"),
	)
	expectClaim(t, slots, "shipping", 0, "a", time.Hour, true)
	must(t, "ReleaseSlot of another's slot", slots.ReleaseSlot(t.Context(), "shipping", 0, "b"))
	expectClaim(t, slots, "shipping", 0, "b", time.Hour, false)
	for range 2 {
		must(t, "ReleaseSlot", slots.ReleaseSlot(t.Context(), "shipping", 0, "a"))
	}
	expectClaim(t, slots, "shipping", 0, "b", time.Hour, true)
}

func slotConcurrent(t *testing.T, slots gate.Slots) {
	got := make(chan bool, 10)
	for i := range cap(got) {
		go func() {
			ok, err := slots.ClaimSlot(
				t.Context(), "shipping", 0, fmt.Sprint("holder ", i), time.Now().Add(time.Hour),
			)
			if err != nil {
				t.Error(err)
			}
			got <- ok
		}()
	}
	won := 0
	for range cap(got) {
		if <-got {
			won++
		}
	}
	equal(t, "claims that won", 1, won)
}
