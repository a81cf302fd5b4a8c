package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"

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

	KeyDeliveryID = "deliveryId"       // the provider's own id of a webhook
	KeyReused     = "deliveryIdReused" // it is not signed, and came with other signed bytes before
)

// Log is a relay.Reporter that writes to a logger. It is safe for concurrent use if the logger is.
type Log struct {
	Logger *slog.Logger // of JSON, if Relay is set
	Relay  string       // the deployed relay's name, under which its lines are metrics too; "": they are lines alone

	Refusals *RefusalLimiter // nil: each refused request has a line
}

var _ relay.Reporter = Log{}

// Received logs a request at the ingress: accepted, a handshake, refused (the partner's fault) or failed (ours). Of many that are refused not
// each has a line (RefusalLimiter).
func (l Log) Received(ctx context.Context, r relay.ReceiveReport) {
	defer l.tellRefusals(ctx)
	line := func(outcome string) []slog.Attr {
		return append(make([]slog.Attr, 0, room),
			slog.String(KeySource, r.Source), slog.String(KeyEvent, r.EventID), slog.String(KeyType, r.Type), slog.String(KeyOutcome, outcome),
			slog.Int("bodyBytes", r.BodyBytes), slog.Int64(KeyDuration, r.Duration.Milliseconds()))
	}
	switch {
	case errors.Is(r.Err, relay.ErrUncertain):
		l.log(ctx, slog.LevelError, "received", r.Err, l.measure(line("failed"), uncertain, one(metric.Failed), one(metric.Uncertain)))
	case errors.Is(r.Err, relay.ErrUnavailable):
		l.log(ctx, slog.LevelError, "received", r.Err, l.measure(line("failed"), failed, one(metric.Failed)))
	case r.Err != nil:
		reason := reasonOf(r.Err)
		if !l.Refusals.hasLine(reason) {
			return
		}
		attrs := append(line("refused"), slog.String(metric.Reason, reason))
		l.log(ctx, slog.LevelWarn, "received", r.Err, l.measure(attrs, refused, one(metric.Refused)))
	case r.Learned && r.Untold != nil:
		l.log(ctx, slog.LevelError, "received", r.Untold, line("secret learned"))
	case r.Learned: // whoever sent it signs from now on: the operator should see who that was
		l.log(ctx, slog.LevelWarn, "received", nil, line("secret learned"))
	case r.Handshake:
		l.log(ctx, slog.LevelInfo, "received", nil, line("handshake"))
	default:
		attrs, level := line("accepted"), slog.LevelInfo
		if r.DeliveryID != "" {
			attrs = append(attrs, slog.String(KeyDeliveryID, r.DeliveryID))
		}
		if r.Reused { // a line is enough: a metric of its own would be billed
			attrs, level = append(attrs, slog.Bool(KeyReused, true)), slog.LevelWarn
		}
		l.log(ctx, level, "received", nil, l.measure(attrs, accepted, one(metric.Accepted)))
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
	if len(r.Undecided) > 0 {
		level = max(level, slog.LevelWarn)
		const some = 20 // a line has an end
		attrs = append(attrs, slog.Int("undecided", len(r.Undecided)),
			slog.Any("undecidedEndpoints", r.Undecided[:min(some, len(r.Undecided))]))
	}
	l.log(ctx, level, "routed", r.Err, l.measureRouted(attrs, r))
}

// measureRouted counts what became of an event: when it is put on record, whatever becomes of its message then, and not again when a copy of the
// message goes on where the first got stuck. The relay's own events were never received: they are left out of both sides of the sum, and
// their deliveries of neither.
func (l Log) measureRouted(attrs []slog.Attr, r relay.RouteReport) []slog.Attr {
	deliveries := slog.Int(metric.Deliveries, r.Endpoints)
	switch own := r.Source == catalog.OwnSource; {
	case own && r.Recorded && r.Endpoints > 0:
		return l.measure(attrs, ownRouted, deliveries)
	case own:
		return attrs
	case r.Recorded && r.Endpoints > 0:
		return l.measure(attrs, routed, one(metric.Routed), deliveries)
	case r.Recorded:
		return l.measure(attrs, unrouted, one(metric.Unrouted))
	case r.Result == relay.Duplicate:
		return l.measure(attrs, duplicate, one(metric.Duplicate))
	case r.Result == relay.Poisoned:
		return l.measure(attrs, poisoned, one(metric.Poisoned))
	}
	return attrs
}

// Attempted logs an attempt.
func (l Log) Attempted(ctx context.Context, r relay.AttemptReport) {
	level := slog.LevelInfo
	switch {
	case r.Err != nil:
		level = slog.LevelError
	case r.Status != relay.Delivered && r.Status != "": // else it was held, or had the endpoint prove itself
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
	if r.Held > 0 {
		attrs = append(attrs, slog.Int64("heldMs", r.Held.Milliseconds()))
	}
	if r.Reason != "" {
		attrs = append(attrs, slog.String("deathReason", string(r.Reason)))
	}
	if r.Change != nil {
		attrs = append(attrs, slog.String("endpointChange", r.Change.Type), slog.String("changeReason", r.Change.Reason))
	}
	if r.Attempt.Error != "" {
		attrs = append(attrs, slog.String("attemptError", r.Attempt.Error))
	}
	l.log(ctx, level, "attempted", r.Err, l.measureAttempt(attrs, r))
}

// measureAttempt counts what is on record: an attempt that is not, for our own failure, is reported again.
func (l Log) measureAttempt(attrs []slog.Attr, r relay.AttemptReport) []slog.Attr {
	took := slog.Int64(metric.EndpointMs, r.Attempt.Duration.Milliseconds())
	asked := !slices.Contains([]relay.Outcome{relay.Removed, relay.Withheld, relay.Blocked, relay.AuthFailed}, r.Attempt.Outcome)
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

// Swept logs a run of the sweeper, and the error that it ended with.
func (l Log) Swept(ctx context.Context, r operate.SweepReport, err error) {
	level := slog.LevelInfo
	switch {
	case err != nil:
		level = slog.LevelError
	case r.Stranded() > 0 || r.Unaccounted() != 0 || r.Partial:
		level = slog.LevelWarn
	}
	attrs := append(make([]slog.Attr, 0, room),
		slog.Int("events", r.Events), slog.Int("deliveries", r.Deliveries), slog.Int("delivered", r.Delivered), slog.Int("dead", r.Dead),
		slog.Int("waiting", r.Waiting), slog.Int("missing", r.Missing), slog.Int("left", r.Left), slog.Int("overdue", r.Overdue),
		slog.Int("putBack", r.PutBack), slog.Bool("partial", r.Partial), slog.Int("behind", r.Behind),
		slog.Int64(KeyDuration, r.Duration.Milliseconds()))
	l.log(ctx, level, "swept", err, l.measureSweep(attrs, r))
}

// measureSweep counts what a run found. A metric without a value in a month costs nothing: those of which there was nothing are
// left out.
func (l Log) measureSweep(attrs []slog.Attr, r operate.SweepReport) []slog.Attr {
	partial := 0
	if r.Partial {
		partial = 1
	}
	var names []string
	var values []slog.Attr
	for _, m := range []struct {
		name  string
		value int
	}{
		{metric.SweptEvents, r.Events},
		{metric.Stranded, r.Stranded()},
		{metric.PutBack, r.PutBack},
		{metric.Unaccounted, r.Unaccounted()},
		{metric.Partial, partial},
	} {
		if m.value != 0 {
			names, values = append(names, m.name), append(values, slog.Int(m.name, m.value))
		}
	}
	if len(names) == 0 {
		return attrs
	}
	return l.measure(attrs, newDirective(perRelay, names...), values...)
}

// room is for all attributes that a line can have, so that they are allocated once.
const room = 24

func (l Log) log(ctx context.Context, level slog.Level, msg string, err error, attrs []slog.Attr) {
	if err != nil {
		attrs = append(attrs, slog.String(KeyError, err.Error()))
	}
	l.Logger.LogAttrs(ctx, level, msg, attrs...)
}
