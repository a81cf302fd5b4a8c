package relay

import (
	"context"
	"sync"
	"time"
)

const (
	// slotSpare is how much longer than one attempt a slot is claimed for, so that a queue of attempts can use it one after the other without a
	// write between them. So much longer than its attempt the slot of an instance that was killed stays lost.
	slotSpare = 15 * time.Second
	// slotMargin is what is left of it when an attempt has to have ended: the clocks of instances differ, and a POST is not cut off at once.
	slotMargin = 5 * time.Second
	// slotTries is how many slots an instance asks for before it takes them all to be in use, for the next slotPause.
	slotTries = 4
	slotPause = time.Second
	// slotPatience is how long an attempt waits for one of this instance's own slots. All that while the invocation costs its place, so
	// that with longer waits a slow endpoint would stand in the way of others.
	slotPatience = time.Second
	// releaseTimeout is what an attempt whose invocation is over has left for giving back its slot.
	releaseTimeout = 2 * time.Second
)

// slot is one of the places that an endpoint's concurrency consists of.
type slot struct {
	number int
	holder string // of this claim
	until  time.Time
}

// room is what this instance knows of the slots of one endpoint.
type room struct {
	mu        sync.Mutex
	busy      map[int]bool // slots that this instance has, or is asking for
	waiting   []chan slot  // attempts that wait for one of them, the longest first; closed: there is none to wait for
	fullUntil time.Time    // no slot is asked for before
	crowd     crowd
}

// closed tells whether it would be vain to ask for a slot, or to wait for one.
func (r *room) closed(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.busy) == 0 && now.Before(r.fullUntil)
}

// turnAway is when an attempt that found no slot is to come back.
func (r *room) turnAway(now time.Time) (from time.Time, over time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Add(slotPause), r.crowd.turnedAway(now)
}

// takeSlot takes one of the endpoint's slots, or waits for one that this instance has. None within slotPatience: nil.
func (g *gate) takeSlot(ctx context.Context, ep Endpoint, r *room) (*slot, error) {
	tried := map[int]bool{}
	for len(tried) < slotTries {
		s := slot{holder: randomID(), until: g.now().Add(ep.Timeout + slotSpare)}
		var ok bool
		if s.number, ok = r.choose(ep.Concurrency, tried, g.now(), g.random); !ok {
			break
		}
		got, err := g.slots.ClaimSlot(ctx, ep.Name, s.number, s.holder, s.until)
		if got {
			return &s, nil
		}
		if r.leave(s.number); err != nil {
			return nil, err
		}
		tried[s.number] = true
	}
	if len(tried) > 0 {
		r.isFull(g.now())
	}
	return g.waitForSlot(ctx, ep, r)
}

// choose picks a slot at random among those that this instance has nothing to do with; false: there is none left to try, or nobody is to
// ask now.
func (r *room) choose(n int, tried map[int]bool, now time.Time, random func() float64) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.fullUntil) {
		return 0, false
	}
	var others []int
	for i := range n {
		if !r.busy[i] && !tried[i] {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return 0, false
	}
	i := others[int(random()*float64(len(others)))]
	if r.busy == nil {
		r.busy = map[int]bool{}
	}
	r.busy[i] = true
	return i, true
}

// isFull notes that others have the slots.
func (r *room) isFull(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fullUntil = now.Add(slotPause)
	r.sendAway()
}

// sendAway ends the waiting of all if there is nothing to wait for. The caller holds the lock.
func (r *room) sendAway() {
	if len(r.busy) > 0 {
		return
	}
	for _, turn := range r.waiting {
		close(turn)
	}
	r.waiting = nil
}

// queue joins those who wait; nil: there is nothing to wait for.
func (r *room) queue() chan slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.busy) == 0 {
		return nil
	}
	turn := make(chan slot, 1)
	r.waiting = append(r.waiting, turn)
	return turn
}

// waitForSlot waits until another attempt of this instance hands its slot on.
func (g *gate) waitForSlot(ctx context.Context, ep Endpoint, r *room) (*slot, error) {
	turn := r.queue()
	if turn == nil {
		return nil, nil //nolint:nilnil // none, and no error
	}
	patience := slotPatience
	if deadline, ok := ctx.Deadline(); ok { // an attempt must have its time after it
		patience = min(patience, time.Until(deadline)-ep.Timeout-recordReserve)
	}
	var s slot
	var got bool
	select {
	case s, got = <-turn:
	case <-time.After(patience):
	case <-ctx.Done():
	}
	if !got && !r.giveUp(turn) {
		s, got = <-turn // it came at the last moment
	}
	if !got {
		return nil, ctx.Err()
	}
	return g.renew(ctx, ep, r, s)
}

// giveUp takes an attempt out of the queue; false: it is there no more.
func (r *room) giveUp(turn chan slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, w := range r.waiting {
		if w == turn {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// renew claims a slot that was handed on for longer, where what is left of its time is too short for an attempt. One that there is no more, since
// the limit was lowered, is given up.
func (g *gate) renew(ctx context.Context, ep Endpoint, r *room, s slot) (*slot, error) {
	if s.number >= ep.Concurrency {
		_ = g.slots.ReleaseSlot(ctx, ep.Name, s.number, s.holder)
		r.leave(s.number)
		return nil, nil //nolint:nilnil // none, and no error
	}
	now := g.now()
	if s.until.Sub(now) >= ep.Timeout+slotMargin {
		return &s, nil
	}
	s.until = now.Add(ep.Timeout + slotSpare)
	got, err := g.slots.ClaimSlot(ctx, ep.Name, s.number, s.holder, s.until)
	if !got {
		r.leave(s.number)
		return nil, err
	}
	return &s, nil
}

// leave forgets a slot that this instance has no more, or did not get.
func (r *room) leave(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, i)
	r.sendAway()
}

// handOn gives a slot to the attempt that has waited longest; false: nobody waits, and the slot is this instance's no more.
func (r *room) handOn(s slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) > 0 {
		r.waiting[0] <- s
		r.waiting = r.waiting[1:]
		return true
	}
	return false
}

// release ends an attempt's hold on the slot that it was admitted with. Where that cannot be written the slot is free once its time is over.
func (g *gate) release(ctx context.Context, endpoint string, p pass) {
	if p.slot == nil {
		return
	}
	r := &g.door(endpoint).room
	if r.handOn(*p.slot) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = g.slots.ReleaseSlot(ctx, endpoint, p.slot.number, p.slot.holder)
	r.leave(p.slot.number)
}
