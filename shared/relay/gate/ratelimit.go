package gate

import (
	"context"
	"time"
)

// How an endpoint's rate is kept, over all instances together. Each endpoint has two lines of time, of which instances reserve
// pieces, an attempt's interval each:
//
//   - The budget. Every attempt spends a piece of it, when it is made: one that has begun, or begins within a moment, and not
//     longer ago than the burst. So in no time d are there more than rate × (d + burst) + 1 attempts, whoever comes late.
//   - The queue. A delivery that would be too early reserves a piece of it, once, and comes back when that begins. However late
//     it comes, it is admitted if the budget has a piece: the time that it did not use is nobody else's. Only if many come
//     late at the same time, after a jam, the budget turns some away: they reserve again, behind those that wait.
//
// Reservations place the returns. They are no permission, so that nothing depends on when a message comes.
const (
	// rateBurst is how much of the time that nobody used may be made up for at once; of slower rates one attempt.
	rateBurst = time.Second
	// ratePart is for how long a time an instance takes pieces at most, so that it need not ask for each, and leaves few unused.
	ratePart = 100 * time.Millisecond
	// ratePatience is how long a delivery with a reservation waits here for its piece of the budget: queues keep whole seconds.
	ratePatience = time.Second
	// rateAhead is how far ahead the queue reaches. A delivery that finds no place within it comes back in half the time or more.
	rateAhead = 24 * time.Hour
)

// limiter is what this instance has of an endpoint's lines.
type limiter struct {
	budget, recovery, queue pieces // recovery: the budget while the endpoint recovers
	rejections              rejections
}

// reserve gives a delivery its place in the queue; the zero admission where that has begun.
func (g *Gate) reserve(ctx context.Context, endpoint string, e *entry, r rate, earliest, now time.Time) (Admission, error) {
	line := "queue#" + endpoint + "#" + r.interval().String() // under another rate the places are others
	at, ok, err := e.limiter.queue.take(ctx, g.quotas, line, r.interval(), earliest, now.Add(rateAhead))
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

// take spends a piece of the endpoint's budget, or says when the delivery is to come back.
func (g *Gate) take(ctx context.Context, ep Limits, e *entry, reserved bool, now time.Time) (a Admission, wait time.Duration, err error) {
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
	at, ok, err := budget.take(ctx, g.quotas, line, r.interval(), now.Add(-r.burst()), now.Add(patience))
	switch {
	case err != nil:
		return Admission{}, 0, err
	case ok:
		return Admission{}, max(at.Sub(now), 0), nil
	case recovering:
		return Admission{Held: g.spread(now.Truncate(rateBurst).Add(rateBurst), e.limiter.rejections.spread(now))}, 0, nil
	}
	a, err = g.reserve(ctx, ep.Name, e, r, at, now)
	if err == nil && a.Held.IsZero() {
		a = Admission{Held: at, Reserved: true}
	}
	return a, 0, err
}

// pieces are what this instance has taken of a line of time and not given to deliveries yet.
type pieces struct {
	interval time.Duration
	next     time.Time // when the next of them begins
	left     int
	part     int       // how many it takes at a time: twice as many where they are used up, half as many where they lapse
	free     time.Time // before it nothing of the line is free
}

// take returns when the next piece begins: not before earliest. If that would be after latest it takes none and returns false.
func (p *pieces) take(ctx context.Context, q Quotas, line string, interval time.Duration, earliest, latest time.Time) (time.Time, bool, error) {
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

// rejections are how long deliveries have been turned away from an endpoint that recovers. The longer, the further apart they
// come back: each return costs a write and a message.
type rejections struct {
	window time.Time // the last in which one was turned away
	streak int       // windows in a row
}

const (
	rejectionWindow = time.Second
	maxSpread       = 64 * time.Second // over which they come back at most
)

// spread returns over how long a time whoever is turned away now is to come back.
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

// rate is so many attempts in so long a time; the zero rate is no limit.
type rate struct {
	attempts int
	per      time.Duration
}

// rate is the endpoint's own rate, or the one at which it recovers if that is lower.
func (e *entry) rate(ep Limits, now time.Time) (r rate, recovering bool) {
	r = ep.rate(e.state.Proof.Rate)
	if ramp := (rate{e.state.Rate(now), time.Second}); ramp.below(r) {
		return ramp, true
	}
	return r, false
}

// interval is the time that an attempt has to itself, in whole microseconds.
func (r rate) interval() time.Duration {
	return max((r.per / time.Duration(r.attempts)).Truncate(time.Microsecond), time.Microsecond)
}

// burst is how much unused time an attempt may make up for: a second, or an attempt's interval where that is longer, lest one
// that is a little late makes the next one too early.
func (r rate) burst() time.Duration { return max(rateBurst, r.interval()) }

// fresh is the same for a delivery that has not waited yet: at slow rates the first two do not come together.
func (r rate) fresh() time.Duration {
	if r.interval() < rateBurst {
		return rateBurst
	}
	return 0
}

// below tells whether r is a limit, and the lower one.
func (r rate) below(other rate) bool {
	return r.attempts > 0 && (other.attempts == 0 || r.interval() > other.interval())
}

// sleep waits; its error is the context's.
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
