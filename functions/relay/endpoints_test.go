package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate/breaker"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestWhereAnEndpointStands(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]breaker.State{
		"healthy": {},
		"healthy, 3 failed in a row since 2026-01-02T11:59:00Z": {
			Failures: 3, FailingSince: noon.Add(-time.Minute),
		},
		"open until 2026-01-02T12:00:30Z, then a probe, 10 failed in a row since 2026-01-02T11:59:00Z": {
			Failures: 10, FailingSince: noon.Add(-time.Minute),
			OpenUntil: noon.Add(30 * time.Second), Openings: 1,
		},
		"open until 2026-01-02T12:00:30Z, then a probe, 99 failed in a row since 2026-01-01T11:00:00Z, to be disabled at 2026-01-06T11:00:00Z": {
			Failures: 99, FailingSince: noon.Add(-25 * time.Hour),
			OpenUntil: noon.Add(30 * time.Second), Openings: 9, WarnedAt: noon.Add(-time.Hour),
		},
		"open until 2026-01-02T12:00:30Z (10 attempts in a row failed, the last one with 502), then a probe": {
			OpenUntil: noon.Add(30 * time.Second), Openings: 1,
			Reason: "10 attempts in a row failed, the last one with 502",
		},
		"recovering until 2026-01-02T12:01:00Z": {
			ClosedAt: noon.Add(-time.Minute),
		},
		"paused until 2026-01-02T12:10:00Z, as it asked": {
			PausedUntil: noon.Add(10 * time.Minute),
		},
		"disabled since 2026-01-02T11:00:00Z: it moves house": {
			DisabledAt: noon.Add(-time.Hour), Reason: "it moves house", Failures: 3,
		},
		"unproven (it answered 404), asked again at 2026-01-02T12:00:30Z": {
			Unproven: "it answered 404", OpenUntil: noon.Add(30 * time.Second), Openings: 1,
		},
	} {
		if got := stateOf(s, noon); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", s, got, want)
		}
	}
}

func TestWhereADeliveryStands(t *testing.T) {
	t.Parallel()
	failed := []relay.Attempt{{Number: 1, At: noon, Outcome: relay.FailedAnswer, StatusCode: 503}}
	for want, d := range map[string]relay.Delivery{
		"held until 2026-01-02T13:00:00Z, then attempt 1": {
			Status: relay.Waiting, Held: true, NextAt: noon.Add(time.Hour),
		},
		"held until 2026-01-02T13:00:00Z, then attempt 2, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Waiting, Held: true, NextAt: noon.Add(time.Hour), Attempts: 1,
			History: failed,
		},
		"waiting for attempt 2 at 2026-01-02T13:00:00Z, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Waiting, NextAt: noon.Add(time.Hour), Attempts: 1, History: failed,
		},
		"dead, expired, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Dead, Reason: relay.Expired, Attempts: 1, History: failed,
		},
		// from before reasons were stored
		"dead, attempt 1 at 2026-01-02T12:00:00Z: 503": {
			Status: relay.Dead, Attempts: 1, History: failed,
		},
	} {
		if got := standingOf(d) + lastOf(d); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", d, got, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	failed := relay.Attempt{
		Number: 1, At: noon, Duration: 20 * time.Millisecond, Outcome: relay.FailedAnswer,
		StatusCode: 503, Response: []byte("<busy>\xff"),
	}
	refused := relay.Attempt{
		Number: 2, At: noon, Outcome: relay.Unreachable, Error: "connection refused",
	}
	waiting := relay.Delivery{
		EventID: "evt_1", Endpoint: "a", Source: "app", Status: relay.Waiting, Held: true,
		NextAt: noon.Add(time.Hour), UpdatedAt: noon,
		Attempts: 2, MessageID: "ours", History: []relay.Attempt{failed, refused},
	}
	event := relay.EventRecord{
		Event: relay.Event{
			ID: "evt_1", Source: "app", Type: "t", Trust: "verified", ReceivedAt: noon,
		},
	}
	event.Endpoints = []string{"a"}
	const delivery = `{"eventId":"evt_1","endpoint":"a","source":"app","status":"waiting","held":true,"nextAt":"2026-01-02T13:00:00Z",` +
		`"updatedAt":"2026-01-02T12:00:00Z","attempts":[` +
		`{"number":1,"at":"2026-01-02T12:00:00Z","durationMs":20,"outcome":"failed_answer","statusCode":503,"response":"<busy>` + "\ufffd" + `"},` +
		`{"number":2,"at":"2026-01-02T12:00:00Z","durationMs":0,"outcome":"unreachable","error":"connection refused"}]}`
	for want, document := range map[string]any{
		delivery: documentOf(waiting),
		`{"eventId":"evt_1","endpoint":"a","source":"app","type":"t","status":"dead","reason":"expired","updatedAt":"2026-01-02T12:00:00Z","attempts":[]}`: documentOf(
			relay.Delivery{
				EventID: "evt_1", Endpoint: "a", Source: "app", Type: "t", Status: relay.Dead,
				Reason: relay.Expired, Held: true, UpdatedAt: noon,
			}),
		`{"id":"evt_1","source":"app","type":"t","trust":"verified","receivedAt":"2026-01-02T12:00:00Z","endpoints":["a"],"deliveries":[` + delivery + `]}`: documentOfEvent(
			event, []relay.Delivery{waiting}),
		`{"id":"","source":"","trust":"","receivedAt":"0001-01-01T00:00:00Z","endpoints":[],"deliveries":[]}`: documentOfEvent(relay.EventRecord{}, nil),
		`{"name":"a","state":"healthy"}`: documentOfEndpoint(
			"a", breaker.State{PausedUntil: noon.Add(-time.Second)}, noon,
		),
		`{"name":"a","state":"open","nextProbeAt":"2026-01-02T12:00:30Z","failingSince":"2026-01-01T11:00:00Z","failures":99,"disableAt":"2026-01-06T11:00:00Z"}`: documentOfEndpoint(
			"a", breaker.State{
				Failures: 99, FailingSince: noon.Add(-25 * time.Hour),
				OpenUntil: noon.Add(30 * time.Second), Openings: 9, WarnedAt: noon.Add(-time.Hour),
			}, noon),
		`{"name":"a","state":"open","reason":"many failed","nextProbeAt":"2026-01-02T12:00:30Z"}`: documentOfEndpoint(
			"a", breaker.State{
				OpenUntil: noon.Add(30 * time.Second), Openings: 1, Reason: "many failed",
			}, noon),
		`{"name":"a","state":"paused","pausedUntil":"2026-01-02T12:10:00Z"}`: documentOfEndpoint(
			"a", breaker.State{PausedUntil: noon.Add(10 * time.Minute)}, noon,
		),
		`{"name":"a","state":"disabled","reason":"gone","disabledAt":"2026-01-02T12:00:00Z"}`: documentOfEndpoint(
			"a", breaker.State{
				DisabledAt: noon, Reason: "gone", OpenUntil: noon.Add(time.Minute), WarnedAt: noon,
			}, noon),
		`{"name":"a","state":"unproven","reason":"it answered 404","nextProbeAt":"2026-01-02T12:00:30Z"}`: documentOfEndpoint(
			"a", breaker.State{
				Unproven: "it answered 404", OpenUntil: noon.Add(30 * time.Second),
			}, noon),
	} {
		var out bytes.Buffer
		if err := writeDocument(&out, document); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want+"\n", out.String()); diff != "" {
			t.Error(diff)
		}
	}
}
