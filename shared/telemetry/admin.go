package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"webhook-relay/shared/telemetry/metric"
)

// Administration is a request to the API of operators and tenants.
type Administration struct {
	RequestID string
	Route     string // its id; "": none
	Status    int
	Kind, By  string // who sent it: token and its id, or iam and the ARN; "": a stranger
	Tenant    string
	Duration  time.Duration
	Err       error // why it was refused or failed
}

// Administered logs a request to the API, and counts those of strangers.
func (l Log) Administered(ctx context.Context, a Administration) {
	attrs := append(make([]slog.Attr, 0, room),
		slog.String("apiRequestId", a.RequestID), slog.String("route", a.Route),
		slog.Int(KeyStatus, a.Status), slog.Int64(KeyDuration, a.Duration.Milliseconds()))
	if a.By != "" {
		attrs = append(attrs, slog.String("by", a.Kind+" "+a.By))
	}
	if a.Tenant != "" {
		attrs = append(attrs, slog.String("tenant", a.Tenant))
	}
	level := slog.LevelInfo
	switch {
	case a.Status == http.StatusUnauthorized:
		level = slog.LevelWarn
		attrs = l.measure(attrs, unauthorized, one(metric.Unauthorized))
	case a.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	l.log(ctx, level, "administered", a.Err, attrs)
}
