package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/verify"
)

// line returns the one line that report logs, without its time.
func line(t *testing.T, report func(telemetry.Log)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	report(telemetry.Log{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	delete(got, "time")
	return got
}

func TestOneLineForEach(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tests := map[string]struct {
		report func(telemetry.Log)
		want   map[string]any
	}{
		"accepted": {
			func(l telemetry.Log) {
				l.Received(
					ctx,
					relay.ReceiveReport{
						Source: "hub", EventID: "evt_1", Type: "push", BodyBytes: 7,
						Duration: 3 * time.Millisecond,
					},
				)
			},
			map[string]any{"level": "INFO", "msg": "received", "source": "hub", "eventId": "evt_1",
				"eventType": "push",
				"outcome":   "accepted", "bodyBytes": 7.0, "durationMs": 3.0},
		},
		"accepted with a delivery id that came with other bytes": {
			func(l telemetry.Log) {
				l.Received(
					ctx,
					relay.ReceiveReport{
						Source: "hub", EventID: "evt_1", Type: "push", DeliveryID: "103",
						Reused: true,
					},
				)
			},
			map[string]any{"level": "WARN", "msg": "received", "source": "hub", "eventId": "evt_1",
				"eventType": "push",
				"outcome":   "accepted", "bodyBytes": 0.0, "durationMs": 0.0, "deliveryId": "103",
				"deliveryIdReused": true},
		},
		"accepted, and the tenant's rate could not be checked": {
			func(l telemetry.Log) {
				l.Received(ctx, relay.ReceiveReport{
					Source: "hub", Tenant: "acme", EventID: "evt_1", Type: "push",
					Unmetered: context.DeadlineExceeded,
				})
			},
			map[string]any{"level": "WARN", "msg": "received", "source": "hub", "tenant": "acme",
				"eventId": "evt_1", "eventType": "push", "outcome": "accepted", "bodyBytes": 0.0,
				"durationMs": 0.0, "unmetered": true, "error": "context deadline exceeded"},
		},
		"refused over the tenant's rate": {
			func(l telemetry.Log) {
				l.Received(ctx, relay.ReceiveReport{Source: "hub", Err: relay.ErrRate})
			},
			map[string]any{"level": "WARN", "msg": "received", "source": "hub", "eventId": "",
				"eventType": "", "outcome": "refused", "reason": "rate", "bodyBytes": 0.0,
				"durationMs": 0.0, "error": relay.ErrRate.Error()},
		},
		"refused is the partner's fault": {
			func(l telemetry.Log) {
				l.Received(ctx, relay.ReceiveReport{Source: "hub", Err: verify.ErrMismatch})
			},
			map[string]any{"level": "WARN", "msg": "received", "source": "hub", "eventId": "",
				"eventType": "",
				"outcome":   "refused", "reason": "mismatch", "bodyBytes": 0.0, "durationMs": 0.0,
				"error": verify.ErrMismatch.Error()},
		},
		"unavailable is ours": {
			func(l telemetry.Log) {
				l.Received(ctx, relay.ReceiveReport{Source: "hub", Err: relay.ErrUnavailable})
			},
			map[string]any{"level": "ERROR", "msg": "received", "source": "hub", "eventId": "",
				"eventType": "",
				"outcome":   "unavailable", "bodyBytes": 0.0, "durationMs": 0.0,
				"error": relay.ErrUnavailable.Error()},
		},
		"routed": {
			func(l telemetry.Log) {
				l.Routed(
					ctx,
					relay.RouteReport{
						EventID: "evt_1", Source: "hub", Type: "push", Result: relay.Routed,
						Endpoints: 2,
					},
				)
			},
			map[string]any{"level": "INFO", "msg": "routed", "source": "hub", "eventId": "evt_1",
				"eventType": "push",
				"outcome":   "routed", "deliveries": 2.0},
		},
		"filters that could not be told of": {
			func(l telemetry.Log) {
				l.Routed(
					ctx,
					relay.RouteReport{
						EventID: "evt_1", Source: "hub", Type: "push", Result: relay.Routed,
						Endpoints: 2, Undecided: []string{"a", "b"},
					},
				)
			},
			map[string]any{"level": "WARN", "msg": "routed", "source": "hub", "eventId": "evt_1",
				"eventType": "push",
				"outcome":   "routed", "deliveries": 2.0, "undecided": 2.0,
				"undecidedEndpoints": []any{"a", "b"}},
		},
		"poison": {
			func(l telemetry.Log) { l.Routed(ctx, relay.RouteReport{Result: relay.Unreadable}) },
			map[string]any{"level": "ERROR", "msg": "routed", "source": "", "eventId": "",
				"eventType": "",
				"outcome":   "unreadable", "deliveries": 0.0},
		},
		"delivered": {
			func(l telemetry.Log) {
				l.Attempted(ctx, relay.AttemptReport{EventID: "evt_1", Source: "hub", Type: "push",
					Endpoint: "a", Status: relay.Delivered, Age: time.Second,
					Attempt: relay.Attempt{
						Number: 1, Outcome: relay.Succeeded, StatusCode: 204,
						Duration: 5 * time.Millisecond, Response: []byte("body"),
					}})
			},
			map[string]any{"level": "INFO", "msg": "attempted", "source": "hub", "eventId": "evt_1",
				"eventType": "push", "endpoint": "a",
				"attempt": 1.0, "outcome": "succeeded", "statusCode": 204.0, "durationMs": 5.0,
				"delivery": "delivered", "ageMs": 1000.0},
		},
		"to be retried": {
			func(l telemetry.Log) {
				l.Attempted(ctx, relay.AttemptReport{EventID: "evt_1", Endpoint: "a",
					Status: relay.Waiting, Wait: time.Minute,
					Attempt: relay.Attempt{
						Number: 2, Outcome: relay.TimedOut, Error: "no answer within 15s",
					}})
			},
			map[string]any{"level": "WARN", "msg": "attempted", "source": "", "eventId": "evt_1",
				"eventType": "", "endpoint": "a",
				"attempt": 2.0, "outcome": "timeout", "statusCode": 0.0, "durationMs": 0.0,
				"delivery": "waiting", "ageMs": 0.0,
				"retryInMs": 60000.0, "attemptError": "no answer within 15s"},
		},
		"held": {
			func(l telemetry.Log) {
				l.Attempted(
					ctx, relay.AttemptReport{
						EventID: "evt_1", Endpoint: "a", Held: time.Minute,
						HeldBy: gate.HeldTenantRate,
					},
				)
			},
			map[string]any{"level": "INFO", "msg": "attempted", "source": "", "eventId": "evt_1",
				"eventType": "", "endpoint": "a",
				"attempt": 0.0, "outcome": "", "statusCode": 0.0, "durationMs": 0.0, "delivery": "",
				"ageMs": 0.0, "heldMs": 60000.0, "heldBy": "tenant_rate"},
		},
		"dead, and the endpoint disabled": {
			func(l telemetry.Log) {
				l.Attempted(ctx, relay.AttemptReport{EventID: "evt_1", Endpoint: "a",
					Status: relay.Dead, Reason: relay.Declined,
					Attempt: relay.Attempt{
						Number: 1, Outcome: relay.FailedAnswer, StatusCode: 410,
					}, Change: &gate.Change{
						Type: gate.EndpointDisabled, Reason: "it answered 410 Gone",
					}})
			},
			map[string]any{"level": "WARN", "msg": "attempted", "source": "", "eventId": "evt_1",
				"eventType": "", "endpoint": "a",
				"attempt": 1.0, "outcome": "failed_answer", "statusCode": 410.0, "durationMs": 0.0,
				"delivery": "dead", "ageMs": 0.0,
				"deathReason": "declined", "endpointChange": "endpoint.disabled",
				"changeReason": "it answered 410 Gone"},
		},
		"our own failure": {
			func(l telemetry.Log) {
				l.Attempted(
					ctx,
					relay.AttemptReport{
						EventID: "evt_1", Endpoint: "a", Err: errors.New("table down"),
					},
				)
			},
			map[string]any{"level": "ERROR", "msg": "attempted", "source": "", "eventId": "evt_1",
				"eventType": "", "endpoint": "a",
				"attempt": 0.0, "outcome": "", "statusCode": 0.0, "durationMs": 0.0, "delivery": "",
				"ageMs": 0.0, "error": "table down"},
		},
		"a sweep that found nothing": {
			func(l telemetry.Log) {
				l.Swept(
					ctx,
					operate.SweepReport{
						Events: 2, Deliveries: 4, Delivered: 2, Dead: 1, Waiting: 1,
						Duration: time.Second,
					},
					nil,
				)
			},
			map[string]any{"level": "INFO", "msg": "swept", "events": 2.0, "deliveries": 4.0,
				"delivered": 2.0, "dead": 1.0, "waiting": 1.0,
				"missing": 0.0, "notSent": 0.0, "overdue": 0.0, "putBack": 0.0, "behind": 0.0,
				"unneeded": 0.0,
				"partial":  false, "durationMs": 1000.0},
		},
		"a sweep that had no time": {
			func(l telemetry.Log) { l.Swept(ctx, operate.SweepReport{Partial: true}, nil) },
			map[string]any{"level": "WARN", "msg": "swept", "events": 0.0, "deliveries": 0.0,
				"delivered": 0.0, "dead": 0.0, "waiting": 0.0,
				"missing": 0.0, "notSent": 0.0, "overdue": 0.0, "putBack": 0.0, "behind": 0.0,
				"unneeded": 0.0,
				"partial":  true, "durationMs": 0.0},
		},
		"a sweep that failed": {
			func(l telemetry.Log) {
				l.Swept(ctx, operate.SweepReport{Overdue: 1}, errors.New("queue down"))
			},
			map[string]any{"level": "ERROR", "msg": "swept", "events": 0.0, "deliveries": 0.0,
				"delivered": 0.0, "dead": 0.0, "waiting": 0.0,
				"missing": 0.0, "notSent": 0.0, "overdue": 1.0, "putBack": 0.0, "behind": 0.0,
				"unneeded": 0.0,
				"partial":  false, "durationMs": 0.0, "error": "queue down"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, line(t, tt.report)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
