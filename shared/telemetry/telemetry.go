package telemetry

import (
	"context"
	"errors"
	"log/slog"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/telemetry/metric"
)

// Keys of the log lines, camelCase as the Lambda runtime's requestId.
const (
	KeyEvent    = "eventId"
	KeySource   = "source"
	KeyType     = "eventType"
	KeyEndpoint = "endpoint"
	KeyAttempt  = "attempt"
	KeyStatus   = "statusCode"
	KeyOutcome  = "outcome"
	KeyDuration = "durationMs"
	KeyError    = "error"
)

// Log is a relay.Reporter that writes to a logger. It is safe for concurrent use if the logger is.
type Log struct {
	Logger *slog.Logger // of JSON, if Relay is set
	Relay  string       // the deployed relay's name, under which its lines are metrics too; "": they are lines alone
}

var _ relay.Reporter = Log{}

// Received logs a request at the ingress: accepted, a handshake, refused (the partner's fault) or failed (ours).
func (l Log) Received(ctx context.Context, r relay.ReceiveReport) {
	line := func(outcome string) []slog.Attr {
		return append(make([]slog.Attr, 0, room),
			slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyOutcome, outcome),
			slog.Int("bodyBytes", r.BodyBytes), slog.Int64(KeyDuration, r.Duration.Milliseconds()))
	}
	switch {
	case errors.Is(r.Err, relay.ErrUnavailable):
		l.log(ctx, slog.LevelError, "received", r.Err, l.measure(line("failed"), failed, one(metric.Failed)))
	case r.Err != nil:
		attrs := append(line("refused"), slog.String(metric.Reason, reasonOf(r.Err)))
		l.log(ctx, slog.LevelWarn, "received", r.Err, l.measure(attrs, refused, one(metric.Refused)))
	case r.Handshake:
		l.log(ctx, slog.LevelInfo, "received", nil, line("handshake"))
	default:
		l.log(ctx, slog.LevelInfo, "received", nil, l.measure(line("accepted"), accepted, one(metric.Accepted)))
	}
}

// Routed logs what became of an event at the fan-out.
func (l Log) Routed(ctx context.Context, r relay.RouteReport) {
	level := slog.LevelInfo
	if r.Err != nil || r.Result == relay.Poisoned {
		level = slog.LevelError
	}
	attrs := append(make([]slog.Attr, 0, room),
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyOutcome, string(r.Result)),
		slog.Int("deliveries", r.Endpoints))
	switch r.Result {
	case relay.Routed:
		attrs = l.measure(attrs, routed, one(metric.Routed), slog.Int(metric.Deliveries, r.Endpoints))
	case relay.Unrouted:
		attrs = l.measure(attrs, unrouted, one(metric.Unrouted))
	case relay.Duplicate:
		attrs = l.measure(attrs, duplicate, one(metric.Duplicate))
	case relay.Poisoned:
		attrs = l.measure(attrs, poisoned, one(metric.Poisoned))
	case relay.RouteAgain: // it will be reported again
	}
	l.log(ctx, level, "routed", r.Err, attrs)
}

// Attempted logs an attempt.
func (l Log) Attempted(ctx context.Context, r relay.AttemptReport) {
	level := slog.LevelInfo
	switch {
	case r.Err != nil:
		level = slog.LevelError
	case r.Status != relay.Delivered:
		level = slog.LevelWarn
	}
	attrs := append(make([]slog.Attr, 0, room),
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyEndpoint, r.Endpoint),
		slog.Int(KeyAttempt, r.Attempt.Number), slog.String(KeyOutcome, string(r.Attempt.Outcome)), slog.Int(KeyStatus, r.Attempt.StatusCode),
		slog.Int64(KeyDuration, r.Attempt.Duration.Milliseconds()), slog.String("delivery", string(r.Status)),
		slog.Int64("ageMs", r.Age.Milliseconds()))
	if r.Wait > 0 {
		attrs = append(attrs, slog.Int64("retryInMs", r.Wait.Milliseconds()))
	}
	if r.Attempt.Error != "" {
		attrs = append(attrs, slog.String("attemptError", r.Attempt.Error))
	}
	l.log(ctx, level, "attempted", r.Err, l.measureAttempt(attrs, r))
}

// measureAttempt counts what is on record: an attempt that is not, for our own failure, is reported again.
func (l Log) measureAttempt(attrs []slog.Attr, r relay.AttemptReport) []slog.Attr {
	took := slog.Int64(metric.EndpointMs, r.Attempt.Duration.Milliseconds())
	asked := r.Attempt.Outcome != relay.Removed && r.Attempt.Outcome != relay.Blocked
	switch {
	case r.Status == relay.Delivered:
		return l.measure(attrs, delivered, took, slog.Int64(metric.DeliveryAgeMs, r.Age.Milliseconds()))
	case r.Status == relay.Dead && asked:
		return l.measure(attrs, dead, took, one(metric.Dead))
	case r.Status == relay.Dead:
		return l.measure(attrs, deadUnasked, one(metric.Dead))
	case r.Status == relay.Waiting && asked:
		return l.measure(attrs, waiting, took)
	}
	return attrs
}

// room is for all attributes that a line can have, so that they are allocated once.
const room = 20

func (l Log) log(ctx context.Context, level slog.Level, msg string, err error, attrs []slog.Attr) {
	if err != nil {
		attrs = append(attrs, slog.String(KeyError, err.Error()))
	}
	l.Logger.LogAttrs(ctx, level, msg, attrs...)
}
