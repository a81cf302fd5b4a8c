package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/telemetry/metric"
)

// Process is the work of fanout and deliver on a batch of messages.
type Process = func(ctx context.Context, msgs []relay.Message) []relay.Action

// Batched returns process with fewer log lines: all messages of a batch that went well share one
// line, with the sums of their metrics. Log lines are billed by their bytes.
func (l Log) Batched(process Process) Process {
	return func(ctx context.Context, msgs []relay.Message) []relay.Action {
		b := &batch{}
		defer l.logBatch(ctx, b)
		return process(context.WithValue(ctx, batchKey{}, b), msgs)
	}
}

type batchKey struct{}

// batch collects what went well in a batch of messages.
type batch struct {
	mu        sync.Mutex
	routed    []routedEntry
	attempted []attemptedEntry

	sums  map[string]int     // of metrics
	times map[string][]int64 // values of metrics
}

// routedEntry is an event in the line of a batch. Its source and type are in the line received.
type routedEntry struct {
	EventID    string `json:"eventId"`
	Outcome    string `json:"outcome"`
	Deliveries int    `json:"deliveries"`
}

// attemptedEntry is a delivery in the line of a batch.
type attemptedEntry struct {
	EventID    string `json:"eventId"`
	Endpoint   string `json:"endpoint"`
	Attempt    int    `json:"attempt"`
	StatusCode int    `json:"statusCode"`
	DurationMs int64  `json:"durationMs"`
	AgeMs      int64  `json:"ageMs"`
}

// What is slower, or later, has a line of its own: an operator searches for it.
const (
	slowAttempt  = 2 * time.Second
	lateDelivery = time.Hour
)

// wentWell tells whether there is nothing to say of a delivery but that it was delivered.
func wentWell(r relay.AttemptReport) bool {
	return r.Err == nil && r.Status == relay.Delivered && r.Change == nil &&
		r.Attempt.Duration < slowAttempt && r.Age < lateDelivery
}

// addRouted adds a report to the batch of ctx. It returns false if there is none.
func addRouted(ctx context.Context, r relay.RouteReport) bool {
	b, ok := ctx.Value(batchKey{}).(*batch)
	if !ok {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routed = append(b.routed, routedEntry{
		EventID: r.EventID, Outcome: string(r.Result), Deliveries: r.Endpoints,
	})
	for name, n := range routeCounts(r) {
		if b.sums == nil {
			b.sums = map[string]int{}
		}
		b.sums[name] += n
	}
	return true
}

// addAttempted adds the report of a delivered delivery to the batch of ctx. It returns false if
// there is none.
func addAttempted(ctx context.Context, r relay.AttemptReport) bool {
	b, ok := ctx.Value(batchKey{}).(*batch)
	if !ok {
		return false
	}
	took, age := r.Attempt.Duration.Milliseconds(), r.Age.Milliseconds()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempted = append(b.attempted, attemptedEntry{
		EventID: r.EventID, Endpoint: r.Endpoint, Attempt: r.Attempt.Number,
		StatusCode: r.Attempt.StatusCode, DurationMs: took, AgeMs: age,
	})
	if b.times == nil {
		b.times = map[string][]int64{}
	}
	b.times[metric.EndpointMs] = append(b.times[metric.EndpointMs], took)
	b.times[metric.DeliveryAgeMs] = append(b.times[metric.DeliveryAgeMs], age)
	return true
}

// routeCounts returns what the result of routing an event adds to the metrics. It counts an event
// when it is recorded, whatever happens to its message afterwards. It does not count the event
// again when a copy of the message continues where the first one failed. The relay's own events
// were never received, so neither side of the sum counts them. Their deliveries are counted.
func routeCounts(r relay.RouteReport) map[string]int {
	switch own := r.Source == catalog.OwnSource; {
	case own && r.Recorded && r.Endpoints > 0:
		return map[string]int{metric.Deliveries: r.Endpoints}
	case own:
		return nil
	case r.Recorded && r.Endpoints > 0:
		return map[string]int{metric.Routed: 1, metric.Deliveries: r.Endpoints}
	case r.Recorded:
		return map[string]int{metric.Unrouted: 1}
	case r.Result == relay.Duplicate:
		return map[string]int{metric.Duplicate: 1}
	case r.Result == relay.Unreadable:
		return map[string]int{metric.Unreadable: 1}
	}
	return nil
}

// logBatch writes the lines of a batch. CloudWatch takes 100 values of a metric in a line, and
// Lambda's batches have ten messages.
func (l Log) logBatch(ctx context.Context, b *batch) {
	if len(b.routed) > 0 {
		attrs := []slog.Attr{slog.Any("events", b.routed)}
		l.log(ctx, slog.LevelInfo, "routed", nil, l.measureSums(attrs, b.sums))
	}
	if len(b.attempted) == 0 {
		return
	}
	attrs := []slog.Attr{slog.Any("deliveries", b.attempted)}
	l.log(ctx, slog.LevelInfo, "attempted", nil, l.measure(
		attrs, delivered,
		slog.Any(metric.EndpointMs, b.times[metric.EndpointMs]),
		slog.Any(metric.DeliveryAgeMs, b.times[metric.DeliveryAgeMs]),
	))
}
