package gate

import (
	"context"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// How the rate limits work. Each endpoint with a limit has two lines of time, and so has each
// tenant with a limit for all of its endpoints together. All instances share the lines. They
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
//
// An attempt needs a piece of the endpoint's budget and a piece of the tenant's. If the tenant has
// none, the endpoint's goes back. A delivery waits in one queue at a time: first in the endpoint's,
// then in the tenant's. A delivery that has waited in either goes straight to the budgets.
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

// limiter is what this instance has of the lines of an endpoint or a tenant.
type limiter struct {
	budget, recovery, queue pieces // recovery is the budget while the endpoint recovers
	rejections              rejections
}

// tenantOwner names a tenant's lines and entry. No endpoint's name contains a "#".
func tenantOwner(tenant string) string { return "tenant#" + tenant }

// reserve makes a reservation for a delivery at the limit of an endpoint or a tenant, the owner. It
// returns the zero Admission if the reserved piece has begun already.
func (g *Gate) reserve(
	ctx context.Context, owner string, e *entry, r rate, by Hold, earliest, now time.Time,
) (Admission, error) {
	line := "queue#" + owner + "#" + r.interval().String() // another rate has another queue
	at, ok, err := e.limiter.queue.take(
		ctx, g.quotas, line, r.interval(), earliest, now.Add(rateAhead),
	)
	switch {
	case err != nil:
		return Admission{}, err
	case !ok:
		return Admission{Held: g.spread(now.Add(rateAhead/2), rateAhead/2), By: by}, nil
	case at.After(now):
		return Admission{Held: at, By: by, Reserved: true}, nil
	}
	return Admission{}, nil
}

// reserveShared makes a reservation at the limit of the endpoint's tenant, if it has one.
func (g *Gate) reserveShared(
	ctx context.Context, ep Limits, now time.Time,
) (Admission, error) {
	r := rateOf(ep.TenantRate)
	if r.attempts == 0 {
		return Admission{}, nil
	}
	owner := tenantOwner(ep.Tenant)
	e := g.entry(owner)
	if err := e.acquire(ctx); err != nil {
		return Admission{}, err
	}
	defer e.release()
	return g.reserve(ctx, owner, e, r, HeldTenantRate, now.Add(-r.fresh()), now)
}

// taken is a piece of a budget. The zero value is none.
type taken struct {
	from *pieces
	at   time.Time // when it begins
}

// wait returns how long it takes until the piece begins.
func (t taken) wait(now time.Time) time.Duration {
	if t.from == nil {
		return 0
	}
	return max(t.at.Sub(now), 0)
}

// giveBack gives the piece back to this instance, as nothing was attempted in it. Nobody may have
// taken another one meanwhile.
func (t taken) giveBack() {
	if t.from != nil {
		t.from.next, t.from.left = t.at, t.from.left+1
	}
}

// takeOwn takes a piece of the endpoint's budget, or says when the delivery is to come back.
func (g *Gate) takeOwn(
	ctx context.Context, ep Limits, e *entry, reserved bool, now time.Time,
) (taken, Admission, error) {
	r, recovering := e.rate(ep, now)
	if !recovering {
		return g.take(ctx, ep.Name, e, r, HeldRate, reserved, now)
	}
	budget := &e.limiter.recovery
	at, ok, err := g.takePiece(ctx, budget, "ramp#"+ep.Name, r, reserved, now)
	switch {
	case err != nil:
		return taken{}, Admission{}, err
	case ok:
		return taken{from: budget, at: at}, Admission{}, nil
	}
	return taken{}, Admission{
		Held: g.spread(
			now.Truncate(rateBurst).Add(rateBurst), e.limiter.rejections.spread(now),
		),
		By: HeldRecovering,
	}, nil
}

// takeShared takes a piece of the budget of the endpoint's tenant, if it has one.
func (g *Gate) takeShared(
	ctx context.Context, ep Limits, reserved bool, now time.Time,
) (taken, Admission, error) {
	if ep.TenantRate.Count == 0 {
		return taken{}, Admission{}, nil
	}
	owner := tenantOwner(ep.Tenant)
	e := g.entry(owner)
	if err := e.acquire(ctx); err != nil {
		return taken{}, Admission{}, err
	}
	defer e.release()
	return g.take(ctx, owner, e, rateOf(ep.TenantRate), HeldTenantRate, reserved, now)
}

// take takes a piece of the budget of an endpoint or a tenant, the owner. If that begins too late,
// it reserves a piece of the queue.
func (g *Gate) take(
	ctx context.Context, owner string, e *entry, r rate, by Hold, reserved bool, now time.Time,
) (taken, Admission, error) {
	if r.attempts == 0 {
		return taken{}, Admission{}, nil
	}
	budget := &e.limiter.budget
	at, ok, err := g.takePiece(ctx, budget, "rate#"+owner, r, reserved, now)
	switch {
	case err != nil:
		return taken{}, Admission{}, err
	case ok:
		return taken{from: budget, at: at}, Admission{}, nil
	}
	a, err := g.reserve(ctx, owner, e, r, by, at, now)
	if err == nil && a.Held.IsZero() {
		a = Admission{Held: at, By: by, Reserved: true}
	}
	return taken{}, a, err
}

// takePiece takes a piece of a budget that begins in time for a delivery.
func (g *Gate) takePiece(
	ctx context.Context, budget *pieces, line string, r rate, reserved bool, now time.Time,
) (time.Time, bool, error) {
	patience := ratePart
	if reserved {
		patience = ratePatience
	}
	return budget.take(
		ctx, g.quotas, line, r.interval(), now.Add(-r.burst()), now.Add(patience),
	)
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

func rateOf(r catalog.Rate) rate { return rate{attempts: r.Count, per: r.Per} }

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
