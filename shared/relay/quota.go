package relay

import (
	"context"
	"time"
)

const (
	// rateBurst is how much of the time that nobody used may be made up for at once; of rates of less than one attempt in it, nothing.
	rateBurst = time.Second
	// ratePart is for how long a time an instance takes places at most, so that it need not ask for each, and leaves few unused.
	ratePart = 100 * time.Millisecond
	// rateAhead is how far ahead places are kept. What comes back by the queue's delay comes at its time; by the scheduler it would be late.
	rateAhead = MaxDelay - time.Minute
	// rateLapse is how late a delivery may come for its place: queues and functions take their time. After that it asks for another, lest an outage of
	// ours ends with all of them at once.
	rateLapse = 10 * time.Second
)

// places are what this instance has of the line in which an endpoint's attempts follow on each other at its rate.
type places struct {
	next  time.Time // when the next of them begins
	left  int
	part  int       // how many it takes at a time: twice as many where they are used up, half as many where they lapse
	full  time.Time // until then nothing can be had
	crowd crowd
}

// takePlace holds the endpoint's rate, its own or the one at which it recovers, over all instances together. Where there is none to be had now, one
// is kept for later, so that a delivery is held once as long as those before it take less than rateAhead: each return costs a message, a read and a write.
func (g *gate) takePlace(ctx context.Context, ep Endpoint, turn time.Time, d *door, now time.Time) (pass, error) {
	r, ahead, line, p := ep.rate(), rateAhead, "rate#"+ep.Name, &d.places
	if ramp := (rate{d.state.Rate(now), time.Second}); ramp.below(r) {
		// Soon there will be more. The places that were kept are closer together, and their line may be taken for minutes.
		r, ahead, line, p, turn = ramp, 0, "ramp#"+ep.Name, &d.ramp, time.Time{}
	}
	if r.attempts == 0 || !turn.IsZero() && now.Sub(turn) < rateLapse {
		return pass{}, nil
	}
	got, err := g.morePlaces(ctx, line, r, p, now, ahead)
	switch {
	case err != nil:
		return pass{}, err
	case !got && ahead > 0:
		return pass{held: g.spread(now.Add(ahead/2), ahead/2)}, nil
	case !got:
		return pass{held: g.spread(now.Truncate(rateBurst).Add(rateBurst), p.crowd.turnedAway(now))}, nil
	}
	turn = p.next
	p.left, p.next = p.left-1, turn.Add(r.interval())
	if turn.After(now) {
		return pass{held: turn, place: true}, nil
	}
	return pass{}, nil
}

// morePlaces sees to it that there is a place; false: there is none to be had.
func (g *gate) morePlaces(ctx context.Context, line string, r rate, p *places, now time.Time, ahead time.Duration) (bool, error) {
	lapsed := p.left > 0 && now.Sub(p.next) > 2*rateBurst
	switch {
	case p.left > 0 && !lapsed && !p.next.After(now.Add(ahead)):
		return true, nil
	case now.Before(p.full):
		return false, nil
	case lapsed:
		p.part /= 2
	default:
		p.part *= 2
	}
	p.part = max(1, min(p.part, int(ratePart/r.interval())))
	earliest := now
	if r.interval() < rateBurst {
		earliest = now.Add(-rateBurst)
	}
	pause := rateBurst // an instance that is refused asks again so much later: the line has enough to go on with
	if ahead == 0 {
		pause = ratePart
	}
	from, got, err := g.quotas.Reserve(ctx, line, time.Duration(p.part)*r.interval(), earliest, now.Add(ahead))
	if err != nil {
		return false, err
	}
	p.next, p.left = from, p.part
	if !got {
		p.left, p.full = 0, now.Add(pause)
		if free := from.Add(-ahead); free.After(p.full) {
			p.full = free
		}
	}
	return got, nil
}

// crowd is how long deliveries have been turned away from a limit. The longer, the further apart they come back: each return costs a write and a
// message.
type crowd struct {
	window time.Time // the last in which one was turned away
	streak int       // windows in a row
}

const (
	crowdWindow = time.Second
	crowdMost   = 64 * time.Second // over which they come back at most
)

// turnedAway returns over how long a time whoever is turned away now is to come back.
func (c *crowd) turnedAway(now time.Time) time.Duration {
	window := now.Truncate(crowdWindow)
	switch since := window.Sub(c.window); {
	case since == 0:
	case since <= 2*crowdWindow:
		c.streak++
	default:
		c.streak = 1
	}
	c.window = window
	return min(crowdWindow<<min(c.streak, 10), crowdMost)
}

// rate is so many attempts in so long a time; the zero rate is no limit.
type rate struct {
	attempts int
	per      time.Duration
}

func (ep Endpoint) rate() rate { return rate{ep.RateLimit, orDefault(ep.RatePer, time.Second)} }

// interval is the time that an attempt has to itself, in whole microseconds.
func (r rate) interval() time.Duration {
	return max((r.per / time.Duration(r.attempts)).Truncate(time.Microsecond), time.Microsecond)
}

// below tells whether r is a limit, and the lower one.
func (r rate) below(other rate) bool {
	return r.attempts > 0 && (other.attempts == 0 || r.interval() > other.interval())
}
