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
	// refusalWindow is how long a reason's allowance of lines is for.
	refusalWindow = time.Minute
	// refusalLines is how many refusals for one reason have a line of their own in a window. It shows who sends what.
	refusalLines = 10
	// refusalBatch is how many refusals without a line are told in one.
	refusalBatch = 100
)

// RefusalLimiter bounds the log lines of refused requests, which anybody can cause: in each minute the first ten for a reason have a line each, and of
// the others a hundred have one line together, or as many as there were in the minute. That line counts as many in the metric Refused. What is
// not yet told when a process ends, 99 for a reason at most, is not counted.
//
// The zero value is ready. It is safe for concurrent use.
type RefusalLimiter struct {
	Now func() time.Time // nil: time.Now

	mu      sync.Mutex
	reasons map[string]refusals
}

// refusals are those of one reason in a window.
type refusals struct {
	began   time.Time
	lines   int
	counted int // without a line, and not yet told
}

func (l *RefusalLimiter) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// hasLine tells whether a refusal gets a line of its own. If not, it is counted.
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

// due returns what is to be told now, and forgets it: how many refusals there were without a line, by reason.
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

// tellRefusals logs the refusals that had no line of their own, where it is time to.
func (l Log) tellRefusals(ctx context.Context) {
	due := l.Refusals.due()
	for _, reason := range slices.Sorted(maps.Keys(due)) {
		attrs := append(make([]slog.Attr, 0, room),
			slog.String(KeyOutcome, "refused"), slog.String(metric.Reason, reason), slog.Int("requests", due[reason]))
		l.log(ctx, slog.LevelWarn, "received many", nil, l.measure(attrs, refused, slog.Int(metric.Refused, due[reason])))
	}
}
