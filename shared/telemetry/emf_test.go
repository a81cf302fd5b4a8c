package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/telemetry/metric"
	"webhook-relay/shared/verify"
)

const relayName = "webhook-relay-prod"

// deployed returns a log like a function's, except for where it writes.
func deployed(out io.Writer) telemetry.Log {
	handler := slog.NewJSONHandler(
		out, &slog.HandlerOptions{ReplaceAttr: lambdacontext.ReplaceAttr},
	)
	return telemetry.Log{Logger: slog.New(handler), Relay: relayName}
}

// sum returns the sum of a metric's values: a number, or up to 100 of them.
func sum(v any) (all float64, ok bool) {
	values, isList := v.([]any)
	if !isList {
		values = []any{v}
	}
	for _, value := range values {
		n, isNumber := value.(float64)
		if !isNumber {
			return 0, false
		}
		all += n
	}
	return all, len(values) > 0 && len(values) <= 100
}

// emf is a line in the form in which CloudWatch reads it.
type emf struct {
	AWS *struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []map[string]string
		}
	} `json:"_aws"`
}

// extract reads a line as CloudWatch does, and fails the test if CloudWatch would refuse the line
// according to its specification:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// It returns the metrics by name and the values of their dimensions, or nil if the line has none.
func extract(t *testing.T, line []byte) map[string]float64 {
	t.Helper()
	var document emf
	decoder := json.NewDecoder(bytes.NewReader(line))
	if err := decoder.Decode(&document); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if rest, _ := io.ReadAll(decoder.Buffered()); len(bytes.TrimSpace(rest)) > 0 {
		t.Errorf("trailing data %q", rest)
	}
	if document.AWS == nil {
		return nil
	}
	var root map[string]any
	if err := json.Unmarshal(line, &root); err != nil {
		t.Fatal(err)
	}
	if age := time.Since(time.UnixMilli(document.AWS.Timestamp)); age < -2*time.Hour ||
		age > 14*24*time.Hour {
		t.Errorf("timestamp %d is %v old", document.AWS.Timestamp, age)
	}
	values := map[string]float64{}
	for _, d := range document.AWS.CloudWatchMetrics {
		if n := len(d.Metrics); d.Namespace != metric.Namespace || n < 1 || n > 100 ||
			len(d.Dimensions) == 0 {
			t.Errorf(
				"namespace %q, %d metrics, %d sets of dimensions", d.Namespace, n,
				len(d.Dimensions),
			)
		}
		for _, set := range d.Dimensions {
			var of []string
			for _, dimension := range set {
				value, _ := root[dimension].(string)
				if value == "" || len(value) > 1024 || len(set) > 30 {
					t.Errorf("dimension %s is %v", dimension, root[dimension])
				}
				of = append(of, value)
			}
			for _, m := range d.Metrics {
				value, ok := sum(root[m["Name"]])
				if !ok || len(m) != 1 {
					t.Errorf("metric %v is %v", m, root[m["Name"]])
				}
				values[fmt.Sprint(m["Name"], of)] = value
			}
		}
	}
	return values
}

func one(name string) map[string]float64 {
	return map[string]float64{name + "[" + relayName + "]": 1}
}

func refusedFor(reason string) map[string]float64 {
	return map[string]float64{
		"Refused[" + relayName + "]": 1, "Refused[" + relayName + " " + reason + "]": 1,
	}
}

// metrics are the metrics that each report counts as.
var metrics = map[string]struct {
	report func(telemetry.Log)
	want   map[string]float64
}{
	"accepted":  {receive("evt_1", nil), one("Accepted")},
	"handshake": {receive("", nil), nil},
	"unavailable": {
		receive("", fmt.Errorf("%w: table down", relay.ErrUnavailable)), one("Unavailable"),
	},
	"failed, or not": {receive(
		"", fmt.Errorf("%w: %w: queue down", relay.ErrUnavailable, relay.ErrUncertain),
	),
		map[string]float64{"Unavailable[" + relayName + "]": 1, "Uncertain[" + relayName + "]": 1}},

	"refused: no such source": {receive("", catalog.ErrNotFound), refusedFor("source")},
	"refused: method":         {receive("", verify.ErrMethod), refusedFor("method")},
	"refused: too large":      {receive("", relay.ErrTooLarge), refusedFor("size")},
	"refused: address":        {receive("", verify.ErrAddress), refusedFor("address")},
	"refused: no window": {
		receive("", fmt.Errorf("%w; run", catalog.ErrNotOpen)), refusedFor("secret"),
	},
	"refused: a schema":      {receive("", relay.ErrSchema), refusedFor("misfit")},
	"refused: the rate":      {receive("", relay.ErrRate), refusedFor("rate")},
	"refused: 2nd handshake": {receive("", verify.ErrSecondHandshake), refusedFor("mismatch")},
	"refused: no secret yet": {receive("", verify.ErrNoSecret), refusedFor("secret")},
	"refused: missing":       {receive("", verify.ErrMissing), refusedFor("missing")},
	"refused: malformed":     {receive("", verify.ErrMalformed), refusedFor("malformed")},
	"refused: repeated":      {receive("", verify.ErrRepeated), refusedFor("malformed")},
	"refused: mismatch": {
		receive("", fmt.Errorf("%w: of 2", verify.ErrMismatch)), refusedFor("mismatch"),
	},
	"refused: stale":         {receive("", verify.ErrStale), refusedFor("timestamp")},
	"refused: future":        {receive("", verify.ErrFuture), refusedFor("timestamp")},
	"refused: anything else": {receive("", errors.New("new")), refusedFor("other")},

	"routed": {route(relay.RouteReport{Result: relay.Routed, Recorded: true, Endpoints: 3}),
		map[string]float64{"Routed[" + relayName + "]": 1, "Deliveries[" + relayName + "]": 3}},
	"routed before": {route(relay.RouteReport{Result: relay.Routed, Endpoints: 3}), nil},
	"unrouted": {
		route(relay.RouteReport{Result: relay.Unrouted, Recorded: true}), one("Unrouted"),
	},
	"unrouted before": {route(relay.RouteReport{Result: relay.Unrouted}), nil},
	"duplicate":       {route(relay.RouteReport{Result: relay.Duplicate}), one("Duplicate")},
	"unreadable":      {route(relay.RouteReport{Result: relay.Unreadable}), one("Unreadable")},
	"failed": {
		route(relay.RouteReport{
			Result: relay.RouteFailed, Endpoints: 3, Err: errors.New("table down"),
		}),
		nil,
	},
	"recorded, and failed then": {route(relay.RouteReport{
		Result: relay.RouteFailed, Recorded: true, Endpoints: 3, Err: errors.New("queue down"),
	}),
		map[string]float64{"Routed[" + relayName + "]": 1, "Deliveries[" + relayName + "]": 3}},

	"the relay's own, routed": {routeOwn(relay.RouteReport{
		Result: relay.Routed, Recorded: true, Endpoints: 2,
	}),
		map[string]float64{"Deliveries[" + relayName + "]": 2}},
	"the relay's own, unrouted": {
		routeOwn(relay.RouteReport{Result: relay.Unrouted, Recorded: true}), nil,
	},
	"the relay's own, twice": {routeOwn(relay.RouteReport{Result: relay.Duplicate}), nil},

	"delivered": {attempt(relay.Delivered, relay.Succeeded, nil),
		map[string]float64{
			"EndpointMs[" + relayName + "]": 5, "DeliveryAgeMs[" + relayName + "]": 1000,
		}},
	"to be retried": {
		attempt(relay.Waiting, relay.FailedAnswer, nil),
		map[string]float64{"EndpointMs[" + relayName + "]": 5},
	},
	"dead": {attempt(relay.Dead, relay.TimedOut, nil),
		map[string]float64{"EndpointMs[" + relayName + "]": 5, "Dead[" + relayName + "]": 1}},
	"dead without a POST":          {attempt(relay.Dead, relay.Skipped, nil), one("Dead")},
	"dead, and disabled before":    {attempt(relay.Dead, relay.Skipped, nil), one("Dead")},
	"to be retried without a POST": {attempt(relay.Waiting, relay.Blocked, nil), nil},
	"an attempt not on record":     {attempt("", relay.Succeeded, errors.New("table down")), nil},
	"recorded, and more to do": {attempt(
		relay.Waiting, relay.FailedAnswer, errors.New("queue down"),
	),
		map[string]float64{"EndpointMs[" + relayName + "]": 5}},

	"a clean sweep": {
		sweep(
			operate.SweepReport{Events: 2, Deliveries: 5, Delivered: 3, Dead: 1, Waiting: 1}, nil,
		),
		sweepOf(2, 0, 0, 0, 0),
	},
	"a sweep that found something": {sweep(
		operate.SweepReport{Events: 1, Deliveries: 2, Missing: 2, Overdue: 3, PutBack: 2}, nil,
	),
		sweepOf(1, 5, 2, 0, 0)},
	"a sweep in which the sum was wrong": {
		sweep(operate.SweepReport{Events: 1, Deliveries: 3, Delivered: 1}, nil),
		sweepOf(1, 0, 0, 2, 0),
	},
	"a sweep that left something": {sweep(
		operate.SweepReport{Events: 1, Deliveries: 3, Delivered: 1, Missing: 2, NotSent: 1},
		errors.New("queue down"),
	),
		sweepOf(1, 2, 0, 1, 0)},
	"a sweep of an idle relay": {sweep(operate.SweepReport{}, nil), nil},
	"a sweep that did not get through": {
		sweep(operate.SweepReport{Events: 1, Partial: true}, nil), sweepOf(1, 0, 0, 0, 1),
	},
	"a sweep that failed": {
		sweep(operate.SweepReport{Overdue: 1}, errors.New("queue down")), sweepOf(0, 1, 0, 0, 0),
	},
}

func receive(eventID string, err error) func(telemetry.Log) {
	return func(l telemetry.Log) {
		l.Received(context.Background(), relay.ReceiveReport{
			Source: "hub", EventID: eventID, Type: "push", Handshake: eventID == "" &&
				err == nil, BodyBytes: 7, Duration: 3 * time.Millisecond, Err: err,
		})
	}
}

func route(r relay.RouteReport) func(telemetry.Log) {
	r.EventID, r.Source, r.Type = "evt_1", "hub", "push"
	return func(l telemetry.Log) { l.Routed(context.Background(), r) }
}

// routeOwn is a report about the relay's own event, which was never received.
func routeOwn(r relay.RouteReport) func(telemetry.Log) {
	r.Source = catalog.OwnSource
	return func(l telemetry.Log) { l.Routed(context.Background(), r) }
}

func attempt(status relay.Status, outcome relay.Outcome, err error) func(telemetry.Log) {
	return func(l telemetry.Log) {
		l.Attempted(context.Background(), relay.AttemptReport{EventID: "evt_1", Source: "hub",
			Type: "push", Endpoint: "a", Status: status,
			Age: time.Second, Err: err, Attempt: relay.Attempt{
				Number: 1, Outcome: outcome, StatusCode: 204, Duration: 5 * time.Millisecond,
			}})
	}
}

func sweep(r operate.SweepReport, err error) func(telemetry.Log) {
	return func(l telemetry.Log) { l.Swept(context.Background(), r, err) }
}

// sweepOf returns the metrics of a sweep that are not zero.
func sweepOf(events, lateOrMissing, putBack, unaccounted, partial float64) map[string]float64 {
	all := map[string]float64{
		"SweptEvents[" + relayName + "]": events, "LateOrMissing[" + relayName +
			"]": lateOrMissing, "PutBack[" + relayName + "]": putBack,
		"Unaccounted[" + relayName + "]": unaccounted, "Partial[" + relayName + "]": partial,
	}
	maps.DeleteFunc(all, func(_ string, value float64) bool { return value == 0 })
	return all
}

func TestLinesAreMetrics(t *testing.T) {
	t.Parallel()
	for name, tt := range metrics {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var line bytes.Buffer
			tt.report(deployed(&line))
			if diff := cmp.Diff(tt.want, extract(t, line.Bytes())); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

// Every metric that is written has a name for the dashboard, and every name is written.
func TestReasonsAreAllNamed(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, tt := range metrics {
		var line bytes.Buffer
		tt.report(deployed(&line))
		var members struct{ Reason string }
		if err := json.Unmarshal(line.Bytes(), &members); err != nil {
			t.Fatal(err)
		}
		written[members.Reason] = members.Reason != ""
	}
	for reason, is := range written {
		if is && !slices.Contains(metric.Reasons, reason) {
			t.Errorf("reason %s is not named", reason)
		}
	}
	for _, reason := range metric.Reasons {
		if !written[reason] {
			t.Errorf("reason %s is never given", reason)
		}
	}
}

// A local relay's lines contain no metrics.
func TestWithoutANameThereAreNoMetrics(t *testing.T) {
	t.Parallel()
	for name, tt := range metrics {
		var line bytes.Buffer
		tt.report(telemetry.Log{Logger: slog.New(slog.NewJSONHandler(&line, nil))})
		if got := extract(t, line.Bytes()); got != nil ||
			bytes.Contains(line.Bytes(), []byte(`"Relay"`)) {
			t.Errorf("%s: %s", name, line.Bytes())
		}
	}
}

// BenchmarkLine compares the line of an attempt with and without metrics. bytes/line is what
// CloudWatch Logs bills.
func BenchmarkLine(b *testing.B) {
	for name, relay := range map[string]string{"plain": "", "metrics": relayName} {
		b.Run(name, func(b *testing.B) {
			var out count
			log := deployed(&out)
			log.Relay = relay
			report := metrics["delivered"].report
			b.ReportAllocs()
			for b.Loop() {
				report(log)
			}
			b.ReportMetric(float64(out)/float64(b.N), "bytes/line")
		})
	}
}

type count int

func (c *count) Write(p []byte) (int, error) {
	*c += count(len(p))
	return len(p), nil
}
