package main

import (
	"testing"
	"time"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/relay"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestWhereAnEndpointStands(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]breaker.State{
		"closed": {},
		"closed, failing since 2026-01-02T11:59:00Z (3 attempts)": {Failures: 3, FailingSince: noon.Add(-time.Minute)},
		"open until 2026-01-02T12:00:30Z, then a probe, failing since 2026-01-02T11:59:00Z (10 attempts)": {
			Failures: 10, FailingSince: noon.Add(-time.Minute), OpenUntil: noon.Add(30 * time.Second), Openings: 1,
		},
		"open until 2026-01-02T12:00:30Z, then a probe, failing since 2026-01-01T11:00:00Z (99 attempts), to be disabled at 2026-01-06T11:00:00Z": {
			Failures: 99, FailingSince: noon.Add(-25 * time.Hour), OpenUntil: noon.Add(30 * time.Second), Openings: 9, WarnedAt: noon.Add(-time.Hour),
		},
		"recovering until 2026-01-02T12:01:00Z":                           {ClosedAt: noon.Add(-time.Minute)},
		"paused until 2026-01-02T12:10:00Z, as it asked":                  {PausedUntil: noon.Add(10 * time.Minute)},
		"disabled since 2026-01-02T11:00:00Z: it moves house":             {DisabledAt: noon.Add(-time.Hour), Reason: "it moves house", Failures: 3},
		"unproved (it answered 404), asked again at 2026-01-02T12:00:30Z": {Unproved: "it answered 404", OpenUntil: noon.Add(30 * time.Second), Openings: 1},
	} {
		if got := stateOf(s, noon); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", s, got, want)
		}
	}
}

func TestWhereADeliveryStands(t *testing.T) {
	t.Parallel()
	failed := []relay.Attempt{{Number: 1, At: noon, Outcome: relay.Rejected, StatusCode: 503}}
	for want, d := range map[string]relay.Delivery{
		"held until 2026-01-02T13:00:00Z, then attempt 1": {Status: relay.Waiting, Held: true, NextAt: noon.Add(time.Hour)},
		"held until 2026-01-02T13:00:00Z, then attempt 2, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Waiting, Held: true, NextAt: noon.Add(time.Hour), Attempts: 1, History: failed,
		},
		"waiting for attempt 2 at 2026-01-02T13:00:00Z, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Waiting, NextAt: noon.Add(time.Hour), Attempts: 1, History: failed,
		},
		"dead, expired, attempt 1 at 2026-01-02T12:00:00Z: 503": {Status: relay.Dead, Reason: relay.Expired, Attempts: 1, History: failed},
		"dead, attempt 1 at 2026-01-02T12:00:00Z: 503":          {Status: relay.Dead, Attempts: 1, History: failed}, // of before reasons were kept
	} {
		if got := standingOf(d) + lastOf(d); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", d, got, want)
		}
	}
}
