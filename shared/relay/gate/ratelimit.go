package gate

import (
	"context"
	"time"
)

// How the rate limit works. Each endpoint has two lines of time, which all instances share. They
// reserve pieces of them; a piece is as long as the interval between two attempts.
//
//   - The budget. Every attempt takes a piece of it when it is made. The piece must have begun, or
//     begin within a moment, and its start must not be further back than the burst. So in any time
//     d there are at most rate × (d + burst) + 1 attempts, however late deliveries come.
//   - The queue. A delivery that would be too early reserves one piece of it, and comes back when
//     that piece begins. However late it comes, it is admitted if the budget has a piece: nobody
//     else has used its time. Only if many deliveries come late at once, after a jam, does the
//     budget reject some. Those reserve again, behind the others.
//
// A reservation is a time to come back, not a permission. So the limit holds whenever a message
// really arrives.
const (
	// rateBurst is how much unused capacity may be used later: one second of it, or one attempt at
	// rates below one a second.
	rateBurst = time.Second
	// ratePart is the longest time for which an instance reserves pieces at once. It saves a call
	// for each piece, and leaves few pieces unused.
	ratePart = 100 * time.Millisecond
	// ratePatience is how long a delivery with a reservation waits here for its piece of the
	// budget. Queues deliver with a precision of one second.
	ratePatience = time.Second
	// rateAhead is how far ahead reservations reach. A delivery that gets none within it comes back
	// after a random time between half of it and all of it.
	rateAhead = 24 * time.Hour
)

// limiter is what this instance has of an endpoint's lines.
type limiter struct {
	budget, recovery, queue pieces // recovery is the budget while the endpoint recovers
	rejections              rejections
}

// reserve makes a reservation for a delivery. It returns the zero Admission if the reserved piece
// has begun already.
func (g *Gate) reserve(
	ctx context.Context, endpoint string, e *entry, r rate, earliest, now time.Time,
) (Admission, error) {
	line := "queue#" + endpoint + "#" + r.interval().String() // another rate has another queue
	at, ok, err := e.limiter.queue.take(
		ctx, g.quotas, line, r.interval(), earliest, now.Add(rateAhead),
	)
	switch {
	case err != nil:
		return Admission{}, err
	case !ok:
		return Admission{Held: g.spread(now.Add(rateAhead/2), rateAhead/2)}, nil
	case at.After(now):
		return Admission{Held: at, Reserved: true}, nil
	}
	return Admission{}, nil
}

// take takes a piece of the endpoint's budget, or says when the delivery is to come back.
func (g *Gate) take(
	ctx context.Context, ep Limits, e *entry, reserved bool, now time.Time,
) (a Admission, wait time.Duration, err error) {
	r, recovering := e.rate(ep, now)
	if r.attempts == 0 {
		return Admission{}, 0, nil
	}
	budget, line := &e.limiter.budget, "rate#"+ep.Name
	if recovering {
		budget, line = &e.limiter.recovery, "ramp#"+ep.Name
	}
	patience := ratePart
	if reserved {
		patience = ratePatience
	}
	at, ok, err := budget.take(
		ctx, g.quotas, line, r.interval(), now.Add(-r.burst()), now.Add(patience),
	)
	switch {
	case err != nil:
		return Admission{}, 0, err
	case ok:
		return Admission{}, max(at.Sub(now), 0), nil
	case recovering:
		return Admission{
			Held: g.spread(
				now.Truncate(rateBurst).Add(rateBurst), e.limiter.rejections.spread(now),
			),
		}, 0, nil
	}
	a, err = g.reserve(ctx, ep.Name, e, r, at, now)
	if err == nil && a.Held.IsZero() {
		a = Admission{Held: at, Reserved: true}
	}
	return a, 0, err
}

// pieces are the pieces of a line that this instance has reserved and not given to deliveries yet.
type pieces struct {
	interval time.Duration
	next     time.Time // when the first of them begins
	left     int
	// how many to reserve at once: doubled after all were used, halved after some lapsed
	part int
	free time.Time // nothing of the line is free before this time
}

// take returns when the next piece begins, which is not before earliest. If that would be after
// latest, it takes none and returns false.
func (p *pieces) take(
	ctx context.Context, q Quotas, line string, interval time.Duration, earliest, latest time.Time,
) (time.Time, bool, error) {
	had := p.left > 0
	if p.interval != interval {
		*p = pieces{interval: interval}
	}
	for p.left > 0 && p.next.Before(earliest) {
		p.left, p.next = p.left-1, p.next.Add(interval)
	}
	if p.left == 0 {
		if latest.Before(p.free) {
			return p.free, false, nil
		}
		if p.part *= 2; had {
			p.part /= 4
		}
		p.part = max(1, min(p.part, int(ratePart/interval)))
		from, ok, err := q.Reserve(ctx, line, time.Duration(p.part)*interval, earliest, latest)
		if err != nil {
			return time.Time{}, false, err
		}
		if !ok {
			p.free = from
			return from, false, nil
		}
		p.next, p.left = from, p.part
	}
	if p.next.After(latest) {
		return p.next, false, nil
	}
	at := p.next
	p.left, p.next = p.left-1, at.Add(interval)
	return at, true, nil
}

// rejections tell how long a recovering endpoint has been rejecting deliveries. The longer it has,
// the more time passes until they come back: each return costs a write and a message.
type rejections struct {
	window time.Time // the last window with a rejection
	streak int       // windows in a row
}

const (
	rejectionWindow = time.Second
	maxSpread       = 64 * time.Second // the longest spread
)

// spread returns the window over which rejected deliveries spread their next try.
func (r *rejections) spread(now time.Time) time.Duration {
	window := now.Truncate(rejectionWindow)
	switch since := window.Sub(r.window); {
	case since == 0:
	case since <= 2*rejectionWindow:
		r.streak++
	default:
		r.streak = 1
	}
	r.window = window
	return min(rejectionWindow<<min(r.streak, 10), maxSpread)
}

// rate is a number of attempts in a time. The zero rate is no limit.
type rate struct {
	attempts int
	per      time.Duration
}

// rate returns the endpoint's own rate, or the rate at which it recovers if that is lower.
func (e *entry) rate(ep Limits, now time.Time) (r rate, recovering bool) {
	r = ep.rate(e.state.Proof.Rate)
	if ramp := (rate{attempts: e.state.Rate(now), per: time.Second}); ramp.below(r) {
		return ramp, true
	}
	return r, false
}

// interval returns the time between two attempts, in whole microseconds.
func (r rate) interval() time.Duration {
	return max((r.per / time.Duration(r.attempts)).Truncate(time.Microsecond), time.Microsecond)
}

// burst returns how much unused capacity an attempt may use: one second, or one interval if that is
// longer. Otherwise an attempt that is a little late would make the next one too early.
func (r rate) burst() time.Duration { return max(rateBurst, r.interval()) }

// fresh is burst for a delivery that has not waited yet: at rates of one a second or slower it is
// 0, so that the first two attempts do not come together.
func (r rate) fresh() time.Duration {
	if r.interval() < rateBurst {
		return rateBurst
	}
	return 0
}

// below tells whether r is a limit, and lower than other.
func (r rate) below(other rate) bool {
	return r.attempts > 0 && (other.attempts == 0 || r.interval() > other.interval())
}

// sleep waits for d, or until ctx ends. Its error is that of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
