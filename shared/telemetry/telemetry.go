// Package telemetry tells of the relay's work: one wide log line for each request, routing and attempt, always with the same keys.
// Bodies, header values, secrets and URLs are never in it.
package telemetry

import (
	"context"
	"errors"
	"log/slog"

	"webhook-relay/shared/relay"
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

// Log is a relay.Reporter that writes to a logger.
type Log struct {
	Logger *slog.Logger
}

var _ relay.Reporter = Log{}

// Received logs a request at the ingress: accepted, refused (the partner's fault) or failed (ours).
func (l Log) Received(ctx context.Context, r relay.ReceiveReport) {
	level, outcome := slog.LevelInfo, "accepted"
	switch {
	case errors.Is(r.Err, relay.ErrUnavailable):
		level, outcome = slog.LevelError, "failed"
	case r.Err != nil:
		level, outcome = slog.LevelWarn, "refused"
	}
	l.log(ctx, level, "received", r.Err,
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyOutcome, outcome),
		slog.Int("bodyBytes", r.BodyBytes), slog.Int64(KeyDuration, r.Duration.Milliseconds()))
}

// Routed logs what became of an event at the fan-out.
func (l Log) Routed(ctx context.Context, r relay.RouteReport) {
	level := slog.LevelInfo
	if r.Err != nil || r.Result == relay.Poisoned {
		level = slog.LevelError
	}
	l.log(ctx, level, "routed", r.Err,
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyOutcome, string(r.Result)),
		slog.Int("deliveries", r.Endpoints))
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
	attrs := []slog.Attr{
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyEndpoint, r.Endpoint),
		slog.Int(KeyAttempt, r.Attempt.Number), slog.String(KeyOutcome, string(r.Attempt.Outcome)), slog.Int(KeyStatus, r.Attempt.StatusCode),
		slog.Int64(KeyDuration, r.Attempt.Duration.Milliseconds()), slog.String("delivery", string(r.Status)),
		slog.Int64("ageMs", r.Age.Milliseconds()),
	}
	if r.Wait > 0 {
		attrs = append(attrs, slog.Int64("retryInMs", r.Wait.Milliseconds()))
	}
	if r.Attempt.Error != "" {
		attrs = append(attrs, slog.String("attemptError", r.Attempt.Error))
	}
	l.log(ctx, level, "attempted", r.Err, attrs...)
}

func (l Log) log(ctx context.Context, level slog.Level, msg string, err error, attrs ...slog.Attr) {
	if err != nil {
		attrs = append(attrs, slog.String(KeyError, err.Error()))
	}
	l.Logger.LogAttrs(ctx, level, msg, attrs...)
}
