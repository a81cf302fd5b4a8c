package telemetry

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"webhook-relay/shared/telemetry/metric"
)

// directive tells CloudWatch which members of a line are metrics, and which dimensions they have:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// All lines of a kind have the same directive. It is encoded with the first of them, because a
// function writes few kinds.
type directive func() slog.Attr

func newDirective(dimensions [][]string, names ...string) directive {
	return sync.OnceValue(func() slog.Attr {
		type definition struct{ Name string }
		type metricDirective struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []definition
		}
		d := metricDirective{Namespace: metric.Namespace, Dimensions: dimensions}
		for _, name := range names {
			d.Metrics = append(d.Metrics, definition{name})
		}
		encoded, _ := json.Marshal([]metricDirective{d}) // encoding strings cannot fail
		return slog.Any("CloudWatchMetrics", json.RawMessage(encoded))
	})
}

var (
	perRelay  = [][]string{{metric.Relay}}
	perReason = [][]string{{metric.Relay}, {metric.Relay, metric.Reason}}

	accepted    = newDirective(perRelay, metric.Accepted)
	refused     = newDirective(perReason, metric.Refused)
	unavailable = newDirective(perRelay, metric.Unavailable)
	uncertain   = newDirective(perRelay, metric.Unavailable, metric.Uncertain)
	delivered   = newDirective(perRelay, metric.EndpointMs, metric.DeliveryAgeMs)
	waiting     = newDirective(perRelay, metric.EndpointMs)
	dead        = newDirective(perRelay, metric.EndpointMs, metric.Dead)
	deadUnasked = newDirective(perRelay, metric.Dead)

	unauthorized = newDirective(perRelay, metric.Unauthorized)
)

// measure adds to a line's attributes what makes it metrics, if the log is a deployed relay's. The
// values must be those that d names.
func (l Log) measure(attrs []slog.Attr, d directive, values ...slog.Attr) []slog.Attr {
	if l.Relay == "" {
		return attrs
	}
	now := slog.Int64("Timestamp", time.Now().UnixMilli())
	attrs = append(
		attrs, slog.Attr{Key: "_aws", Value: slog.GroupValue(now, d())},
		slog.String(metric.Relay, l.Relay),
	)
	return append(attrs, values...)
}

func one(name string) slog.Attr { return slog.Int(name, 1) }
