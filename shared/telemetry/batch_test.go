package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/telemetry"
)

// What went well in a batch shares a line, which counts it. Everything else has a line of its own.
func TestABatchHasOneLineForWhatWentWell(t *testing.T) {
	t.Parallel()
	ok := relay.Attempt{Number: 1, Outcome: relay.Succeeded, StatusCode: 204, Duration: time.Second}
	for name, tt := range map[string]struct {
		reports func(context.Context, telemetry.Log)
		lines   int
		metrics map[string]float64
		finds   []string
	}{
		"nothing": {func(context.Context, telemetry.Log) {}, 0, map[string]float64{}, nil},
		"routed": {func(ctx context.Context, l telemetry.Log) {
			l.Routed(ctx, relay.RouteReport{
				EventID: "evt_1", Result: relay.Routed, Recorded: true, Endpoints: 2,
			})
			l.Routed(ctx, relay.RouteReport{
				EventID: "evt_2", Result: relay.Routed, Recorded: true, Endpoints: 1,
			})
			l.Routed(ctx, relay.RouteReport{EventID: "evt_3", Result: relay.Duplicate})
			l.Routed(ctx, relay.RouteReport{
				EventID: "evt_4", Source: catalog.OwnSource, Result: relay.Routed, Recorded: true,
				Endpoints: 1,
			})
			l.Routed(
				ctx, relay.RouteReport{EventID: "evt_5", Result: relay.Unrouted, Recorded: true},
			)
			l.Routed(ctx, relay.RouteReport{EventID: "evt_6", Result: relay.Routed, Endpoints: 7})
		}, 1, map[string]float64{"Routed": 2, "Deliveries": 4, "Duplicate": 1, "Unrouted": 1},
			[]string{"evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"}},
		"routed, not all well": {func(ctx context.Context, l telemetry.Log) {
			l.Routed(ctx, relay.RouteReport{EventID: "evt_1", Result: relay.Routed, Recorded: true})
			l.Routed(ctx, relay.RouteReport{EventID: "evt_2", Err: errors.New("down")})
			l.Routed(ctx, relay.RouteReport{
				EventID: "evt_3", Result: relay.Routed, Recorded: true, Endpoints: 1,
				Undecided: []string{"a"},
			})
			l.Routed(ctx, relay.RouteReport{Result: relay.Unreadable})
		}, 4, map[string]float64{"Unrouted": 1, "Routed": 1, "Deliveries": 1, "Unreadable": 1},
			[]string{"evt_1", "evt_2", "evt_3"}},
		"delivered": {func(ctx context.Context, l telemetry.Log) {
			for _, id := range []string{"evt_1", "evt_2"} {
				l.Attempted(ctx, relay.AttemptReport{
					EventID: id, Endpoint: "shop", Attempt: ok, Status: relay.Delivered,
					Age: 2 * time.Second,
				})
			}
		}, 1, map[string]float64{"EndpointMs": 2000, "DeliveryAgeMs": 4000},
			[]string{"evt_1", "evt_2", "shop", "204"}},
		"not all delivered": {func(ctx context.Context, l telemetry.Log) {
			l.Attempted(ctx, relay.AttemptReport{
				EventID: "evt_1", Attempt: ok, Status: relay.Delivered,
			})
			l.Attempted(ctx, relay.AttemptReport{
				EventID: "evt_2", Attempt: ok, Status: relay.Delivered,
				Change: &gate.Change{Type: "endpoint.closed"},
			})
			l.Attempted(
				ctx, relay.AttemptReport{EventID: "evt_3", Attempt: ok, Status: relay.Waiting},
			)
			l.Attempted(ctx, relay.AttemptReport{EventID: "evt_4", Held: time.Second})
			l.Attempted(ctx, relay.AttemptReport{
				EventID: "evt_5", Attempt: ok, Status: relay.Delivered, Err: errors.New("down"),
			})
			slow := ok
			slow.Duration = 2 * time.Second
			l.Attempted(ctx, relay.AttemptReport{
				EventID: "evt_6", Attempt: slow, Status: relay.Delivered,
			})
			l.Attempted(ctx, relay.AttemptReport{
				EventID: "evt_7", Attempt: ok, Status: relay.Delivered, Age: time.Hour,
			})
		}, 7, map[string]float64{"EndpointMs": 7000, "DeliveryAgeMs": 3_600_000},
			[]string{"evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6", "evt_7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			l := deployed(&out)
			l.Batched(func(ctx context.Context, _ []relay.Message) []relay.Action {
				tt.reports(ctx, l)
				return nil
			})(t.Context(), nil)
			got := map[string]float64{}
			for line := range bytes.Lines(out.Bytes()) {
				for metric, value := range extract(t, line) {
					got[strings.TrimSuffix(metric, "["+relayName+"]")] += value
				}
			}
			if diff := cmp.Diff(tt.metrics, got); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			if n := strings.Count(out.String(), "\n"); n != tt.lines {
				t.Errorf("%d lines, want %d:\n%s", n, tt.lines, out.String())
			}
			for _, text := range tt.finds {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%s is in no line:\n%s", text, out.String())
				}
			}
		})
	}
}

// Lines that were written before a panic would be lost with it.
func TestABatchIsLoggedEvenIfItPanics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := deployed(&out)
	defer func() {
		if recover() == nil || !strings.Contains(out.String(), "evt_1") {
			t.Errorf("logged: %s", out.String())
		}
	}()
	l.Batched(func(ctx context.Context, _ []relay.Message) []relay.Action {
		l.Routed(ctx, relay.RouteReport{EventID: "evt_1", Result: relay.Unrouted})
		panic("a bug")
	})(t.Context(), nil)
}
