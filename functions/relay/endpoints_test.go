package main

import (
	"testing"
	"time"

	"webhook-relay/shared/admin"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestWhereAnEndpointStands(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	for want, s := range map[string]admin.StateView{
		"healthy": {State: "healthy"},
		"healthy, 3 failed in a row since 2026-01-02T11:59:00Z": {
			State: "healthy", Failures: 3, FailingSince: at(-time.Minute),
		},
		"open until 2026-01-02T12:00:30Z, then a probe, 10 failed in a row since 2026-01-02T11:59:00Z": {
			State: "open", Failures: 10, FailingSince: at(-time.Minute),
			NextProbeAt: at(30 * time.Second),
		},
		"open until 2026-01-02T12:00:30Z, then a probe, 99 failed in a row since 2026-01-01T11:00:00Z, to be disabled at 2026-01-06T11:00:00Z": {
			State: "open", Failures: 99, FailingSince: at(-25 * time.Hour),
			NextProbeAt: at(30 * time.Second), Warned: true,
			DisableAt: at(4*24*time.Hour - time.Hour),
		},
		"open until 2026-01-02T12:00:30Z (10 attempts in a row failed, the last one with 502), then a probe": {
			State: "open", NextProbeAt: at(30 * time.Second),
			Reason: "10 attempts in a row failed, the last one with 502",
		},
		"recovering until 2026-01-02T12:01:00Z": {
			State: "recovering", Recovering: at(time.Minute),
		},
		"paused until 2026-01-02T12:10:00Z, as it asked": {
			State: "paused", PausedUntil: at(10 * time.Minute),
		},
		"paused by its operator since 2026-01-02T11:00:00Z": {
			State: "paused", PausedAt: at(-time.Hour),
		},
		"disabled since 2026-01-02T11:00:00Z: it moves house": {
			State: "disabled", DisabledAt: at(-time.Hour), Reason: "it moves house", Failures: 3,
		},
		"unproven (it answered 404), asked again at 2026-01-02T12:00:30Z": {
			State: "unproven", Reason: "it answered 404", NextProbeAt: at(30 * time.Second),
		},
	} {
		if got := describeState(s); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", s, got, want)
		}
	}
}

func TestWhereADeliveryStands(t *testing.T) {
	t.Parallel()
	failed := []admin.Attempt{{Number: 1, At: noon, Outcome: "failed_answer", StatusCode: 503}}
	later := new(noon.Add(time.Hour))
	for want, d := range map[string]admin.DeliveryView{
		"held until 2026-01-02T13:00:00Z by the rate of the tenant, then attempt 1": {
			Status: "waiting", Held: "tenant_rate", NextAt: later,
		},
		"held until 2026-01-02T13:00:00Z by the rate limit, then attempt 2, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: "waiting", Held: "rate", NextAt: later, Attempts: failed,
		},
		"waiting for attempt 2 at 2026-01-02T13:00:00Z, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: "waiting", NextAt: later, Attempts: failed,
		},
		"dead, expired, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: "dead", Reason: "expired", Attempts: failed,
		},
		// from before reasons were stored
		"dead, attempt 1 at 2026-01-02T12:00:00Z: 503": {Status: "dead", Attempts: failed},
		"dead, exhausted, attempt 1 at 2026-01-02T12:00:00Z: unreachable (connection refused)": {
			Status: "dead", Reason: "exhausted", Attempts: []admin.Attempt{{
				Number: 1, At: noon, Outcome: "unreachable", Error: "connection refused",
			}},
		},
	} {
		if got := standing(d) + lastAttempt(d); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", d, got, want)
		}
	}
}
