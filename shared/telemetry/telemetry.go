package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry/metric"
)

// Keys of the log lines. They are camelCase, like the Lambda runtime's requestId.
const (
	KeyEvent    = "eventId"
	KeySource   = "source"
	KeyTenant   = "tenant" // to whom the event belongs, if to a tenant
	KeyType     = "eventType"
	KeyEndpoint = "endpoint"
	KeyAttempt  = "attempt"
	KeyStatus   = "statusCode"
	KeyOutcome  = "outcome"
	KeyDuration = "durationMs"
	KeyError    = "error"

	KeyDeliveryID = "deliveryId" // the provider's own id of a webhook
	// the id is not signed, and came before with other signed bytes
	KeyReused = "deliveryIdReused"
	// the tenant's rate could not be checked; the webhook was accepted
	KeyUnmetered = "unmetered"
)

// Log is a relay.Reporter that writes to a logger. It is safe for concurrent use if the logger is.
type Log struct {
	Logger *slog.Logger // must write JSON if Relay is set
	// the deployed relay's name, under which its lines are metrics too; "": no metrics
	Relay string

	Refusals *RefusalLimiter // nil: every refused request has a line
}

var _ relay.Reporter = Log{}

// requestResult tells how a request from a partner ended. The set is closed.
type requestResult string

const (
	requestAccepted  requestResult = "accepted"
	requestRefused   requestResult = "refused" // the partner's fault: it got a 4xx
	requestHandshake requestResult = "handshake"
	// a handshake that brought the source's secret
	secretLearned      requestResult = "secret_learned"
	requestUnavailable requestResult = "unavailable" // our fault: the partner got 503
)

// Received logs a request at the ingress. Not every refused request has a line: see RefusalLimiter.
func (l Log) Received(ctx context.Context, r relay.ReceiveReport) {
	defer l.tellRefusals(ctx)
	line := func(outcome requestResult) []slog.Attr {
		return append(originOf(r.Source, r.Tenant), slog.String(KeyEvent, r.EventID),
			slog.String(KeyType, r.Type), slog.String(KeyOutcome, string(outcome)),
			slog.Int("bodyBytes", r.BodyBytes), slog.Int64(KeyDuration, r.Duration.Milliseconds()))
	}
	switch {
	case errors.Is(r.Err, relay.ErrUncertain):
		l.log(
			ctx, slog.LevelError, "received", r.Err,
			l.measure(
				line(requestUnavailable), uncertain, one(metric.Unavailable),
				one(metric.Uncertain),
			),
		)
	case errors.Is(r.Err, relay.ErrUnavailable):
		l.log(
			ctx, slog.LevelError, "received", r.Err,
			l.measure(line(requestUnavailable), unavailable, one(metric.Unavailable)),
		)
	case r.Err != nil:
		reason := string(relay.RefusalOf(r.Err))
		if !l.Refusals.hasLine(reason) {
			return
		}
		attrs := append(line(requestRefused), slog.String(metric.Reason, reason))
		l.log(
			ctx, slog.LevelWarn, "received", r.Err, l.measure(attrs, refused, one(metric.Refused)),
		)
	case r.Learned && r.Untold != nil:
		l.log(ctx, slog.LevelError, "received", r.Untold, line(secretLearned))
	case r.Learned: // whoever sent the secret can sign from now on, so the operator should see it
		l.log(ctx, slog.LevelWarn, "received", nil, line(secretLearned))
	case r.Handshake:
		l.log(ctx, slog.LevelInfo, "received", nil, line(requestHandshake))
	default:
		attrs, level := line(requestAccepted), slog.LevelInfo
		if r.DeliveryID != "" {
			attrs = append(attrs, slog.String(KeyDeliveryID, r.DeliveryID))
		}
		if r.Reused { // a line is enough, because a metric of its own would be billed
			attrs, level = append(attrs, slog.Bool(KeyReused, true)), slog.LevelWarn
		}
		if r.Unmetered != nil {
			attrs, level = append(attrs, slog.Bool(KeyUnmetered, true)), slog.LevelWarn
		}
		l.log(ctx, level, "received", r.Unmetered, l.measure(attrs, accepted, one(metric.Accepted)))
	}
}

// originOf returns the attributes of an event's source and tenant, with room for others.
func originOf(source, tenant string) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, room), slog.String(KeySource, source))
	if tenant != "" {
		attrs = append(attrs, slog.String(KeyTenant, tenant))
	}
	return attrs
}

// Routed logs the result of routing an event. See Batched.
func (l Log) Routed(ctx context.Context, r relay.RouteReport) {
	level := slog.LevelInfo
	if r.Err != nil || r.Result == relay.Unreadable {
		level = slog.LevelError
	}
	if level == slog.LevelInfo && len(r.Undecided) == 0 && addRouted(ctx, r) {
		return
	}
	attrs := append(originOf(r.Source, r.Tenant), slog.String(KeyEvent, r.EventID),
		slog.String(KeyType, r.Type), slog.String(KeyOutcome, string(r.Result)),
		slog.Int("deliveries", r.Endpoints))
	if len(r.Undecided) > 0 {
		level = max(level, slog.LevelWarn)
		const some = 20 // keeps the line short
		attrs = append(attrs, slog.Int("undecided", len(r.Undecided)),
			slog.Any("undecidedEndpoints", r.Undecided[:min(some, len(r.Undecided))]))
	}
	l.log(ctx, level, "routed", r.Err, l.measureSums(attrs, routeCounts(r)))
}

// Attempted logs an attempt. See Batched.
func (l Log) Attempted(ctx context.Context, r relay.AttemptReport) {
	if wentWell(r) && addAttempted(ctx, r) {
		return
	}
	level := slog.LevelInfo
	switch {
	case r.Err != nil:
		level = slog.LevelError
	case r.Status != relay.Delivered && r.Status != relay.Unneeded && r.Status != "":
		// without a status it was held, or the endpoint had to prove itself
		level = slog.LevelWarn
	}
	attrs := append(make([]slog.Attr, 0, room),
		slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID),
		slog.String(KeyType, r.Type), slog.String(KeyEndpoint, r.Endpoint),
		slog.Int(
			KeyAttempt, r.Attempt.Number,
		), slog.String(KeyOutcome, string(r.Attempt.Outcome)), slog.Int(
			KeyStatus, r.Attempt.StatusCode,
		),
		slog.Int64(KeyDuration, r.Attempt.Duration.Milliseconds()), slog.String(
			"delivery", string(r.Status),
		),
		slog.Int64("ageMs", r.Age.Milliseconds()))
	if r.Wait > 0 {
		attrs = append(attrs, slog.Int64("retryInMs", r.Wait.Milliseconds()))
	}
	if r.Held > 0 {
		attrs = append(attrs, slog.Int64("heldMs", r.Held.Milliseconds()),
			slog.String("heldBy", string(r.HeldBy)))
	}
	if r.Reason != "" {
		attrs = append(attrs, slog.String("deathReason", string(r.Reason)))
	}
	if r.Change != nil {
		attrs = append(
			attrs, slog.String("endpointChange", r.Change.Type),
			slog.String("changeReason", r.Change.Reason),
		)
	}
	if r.Attempt.Error != "" {
		attrs = append(attrs, slog.String("attemptError", r.Attempt.Error))
	}
	l.log(ctx, level, "attempted", r.Err, l.measureAttempt(attrs, r))
}

// measureAttempt counts attempts that are recorded. An attempt that could not be recorded, because
// the relay itself failed, is reported again.
func (l Log) measureAttempt(attrs []slog.Attr, r relay.AttemptReport) []slog.Attr {
	took := slog.Int64(metric.EndpointMs, r.Attempt.Duration.Milliseconds())
	asked := !slices.Contains(
		[]relay.Outcome{relay.Skipped, relay.Blocked, relay.AuthFailed},
		r.Attempt.Outcome,
	)
	switch {
	case r.Status == relay.Delivered:
		return l.measure(
			attrs, delivered, took, slog.Int64(metric.DeliveryAgeMs, r.Age.Milliseconds()),
		)
	case r.Status == relay.Dead && asked:
		return l.measure(attrs, dead, took, one(metric.Dead))
	case r.Status == relay.Dead:
		return l.measure(attrs, deadUnasked, one(metric.Dead))
	case r.Status == relay.Waiting && asked:
		return l.measure(attrs, waiting, took)
	}
	return attrs
}

// Swept logs a run of the sweeper, and the error with which it ended.
func (l Log) Swept(ctx context.Context, r operate.SweepReport, err error) {
	level := slog.LevelInfo
	switch {
	case err != nil:
		level = slog.LevelError
	case r.LateOrMissing() > 0 || r.Unaccounted() != 0 || r.Partial:
		level = slog.LevelWarn
	}
	attrs := append(make([]slog.Attr, 0, room),
		slog.Int("events", r.Events), slog.Int(
			"deliveries", r.Deliveries,
		), slog.Int(
			"delivered", r.Delivered,
		), slog.Int("unneeded", r.Unneeded), slog.Int("dead", r.Dead),
		slog.Int("waiting", r.Waiting), slog.Int("missing", r.Missing),
		slog.Int("notSent", r.NotSent),
		slog.Int("overdue", r.Overdue),
		slog.Int("putBack", r.PutBack), slog.Bool("partial", r.Partial),
		slog.Int("behind", r.Behind),
		slog.Int64(KeyDuration, r.Duration.Milliseconds()))
	l.log(ctx, level, "swept", err, l.measureSweep(attrs, r))
}

// measureSweep counts what a sweep found.
func (l Log) measureSweep(attrs []slog.Attr, r operate.SweepReport) []slog.Attr {
	partial := 0
	if r.Partial {
		partial = 1
	}
	return l.measureSums(attrs, map[string]int{
		metric.SweptEvents:   r.Events,
		metric.LateOrMissing: r.LateOrMissing(),
		metric.PutBack:       r.PutBack,
		metric.Unaccounted:   r.Unaccounted(),
		metric.Partial:       partial,
	})
}

// measureSums is measure for counts. Zeros are not written, because a metric without a value in a
// month costs nothing.
func (l Log) measureSums(attrs []slog.Attr, sums map[string]int) []slog.Attr {
	var names []string
	var values []slog.Attr
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if sums[name] != 0 {
			names, values = append(names, name), append(values, slog.Int(name, sums[name]))
		}
	}
	if len(names) == 0 {
		return attrs
	}
	return l.measure(attrs, newDirective(perRelay, names...), values...)
}

// room is enough for all attributes of a line, so they are allocated once.
const room = 24

func (l Log) log(ctx context.Context, level slog.Level, msg string, err error, attrs []slog.Attr) {
	if err != nil {
		attrs = append(attrs, slog.String(KeyError, err.Error()))
	}
	l.Logger.LogAttrs(ctx, level, msg, attrs...)
}
