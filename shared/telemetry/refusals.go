package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/telemetry/metric"
)

const (
	// refusalWindow is the time for which refusalLines counts.
	refusalWindow = time.Minute
	// refusalLines is the number of refusals for one reason in a window that get a line of their
	// own. These lines show who sends what.
	refusalLines = 10
	// refusalBatch is the number of refusals without a line that are logged together in one line.
	refusalBatch = 100
)

// RefusalLimiter limits the log lines of refused requests, which anybody can cause. In each minute
// the first ten refusals for a reason have a line each. Of the others, a hundred share one line, or
// as many as there were in the minute. That line adds their number to the metric Refused. Refusals
// that are not yet logged when a process ends are not counted: at most 99 for a reason.
//
// The zero value is ready to use. It is safe for concurrent use.
type RefusalLimiter struct {
	Now func() time.Time // nil: time.Now

	mu      sync.Mutex
	reasons map[string]refusals
}

// refusals are the refusals for one reason in a window.
type refusals struct {
	began   time.Time
	lines   int
	counted int // without a line, and not yet logged
}

func (l *RefusalLimiter) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// hasLine reports whether a refusal gets a line of its own. If not, it is counted.
func (l *RefusalLimiter) hasLine(reason string) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reasons == nil {
		l.reasons = map[string]refusals{}
	}
	r := l.reasons[reason]
	if now := l.now(); now.Sub(r.began) >= refusalWindow {
		r = refusals{began: now, counted: r.counted}
	}
	own := r.lines < refusalLines
	if own {
		r.lines++
	} else {
		r.counted++
	}
	l.reasons[reason] = r
	return own
}

// due returns how many refusals without a line are to be logged now, by reason, and resets their
// count.
func (l *RefusalLimiter) due() map[string]int {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var due map[string]int
	for reason, r := range l.reasons {
		if r.counted >= refusalBatch || r.counted > 0 && l.now().Sub(r.began) >= refusalWindow {
			if due == nil {
				due = map[string]int{}
			}
			due[reason] = r.counted
			r.counted = 0
			l.reasons[reason] = r
		}
	}
	return due
}

// tellRefusals logs the refusals without a line of their own that are due.
func (l Log) tellRefusals(ctx context.Context) {
	due := l.Refusals.due()
	for _, reason := range slices.Sorted(maps.Keys(due)) {
		attrs := append(make([]slog.Attr, 0, room),
			slog.String(KeyOutcome, string(requestRefused)), slog.String(metric.Reason, reason), slog.Int(
				"requests", due[reason],
			))
		l.log(
			ctx, slog.LevelWarn, "received many", nil,
			l.measure(attrs, refused, slog.Int(metric.Refused, due[reason])),
		)
	}
}
