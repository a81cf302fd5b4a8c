package gate

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// How the concurrency limit works. All instances share a semaphore for each endpoint: every attempt
// claims one of its slots. A delivery that finds no free slot makes a reservation in a queue, as at
// a rate limit. Reservations follow each other at the speed at which slots become free: the usual
// duration of an attempt, divided by the number of slots. If the estimated duration is too short, a
// delivery comes back once more, with a better estimate. So the first estimate is short: an
// estimate that is too long would leave slots unused.
const (
	// slotSpare is added to the endpoint's timeout for the time that a slot is claimed. A killed
	// instance's slot stays taken for that much longer.
	slotSpare = 15 * time.Second
	// slotTries is how many slots a delivery tries. If none of them is free, it takes all to be in
	// use.
	slotTries = 4
	// slotPatience is how long a delivery with a reservation waits for a slot. Queues deliver with
	// a precision of one second.
	slotPatience = time.Second
	slotPoll     = slotPatience / 4
	// slotsAhead is how far ahead reservations reach. It is less than for a rate limit, since an
	// endpoint's speed may change.
	slotsAhead = 6 * time.Hour
	// firstTook is the estimated duration of an attempt if nobody has measured one within
	// tookValid.
	firstTook = 100 * time.Millisecond
	tookValid = 10 * time.Minute
	// releaseTimeout is the time that an attempt has left to release its slot after its invocation
	// has ended.
	releaseTimeout = 2 * time.Second
)

// slot is one slot of an endpoint's semaphore.
type slot struct {
	number int
	holder string // unique to this claim
}

// semaphore is what this instance knows of an endpoint's slots.
type semaphore struct {
	queue  pieces        // this and the next two are guarded by the entry's lock
	took   time.Duration // average duration of attempts; recent ones weigh more
	tookAt time.Time     // when it was last updated

	mu   sync.Mutex
	busy map[int]bool // slots that this instance holds or is claiming
	last time.Time    // the latest reservation that this instance knows of
}

func (s *semaphore) queued(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = at
}

// hasQueue tells whether deliveries have reservations for slots, as far as this instance knows.
func (s *semaphore) hasQueue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(now)
}

// claim claims a slot, or returns nil if none is free. A delivery without a reservation does not
// overtake those that have one.
func (g *Gate) claim(ctx context.Context, ep Limits, e *entry, reserved bool) (*slot, error) {
	if !reserved && e.semaphore.hasQueue(g.now()) {
		return nil, nil //nolint:nilnil // none, and no error
	}
	for waited := time.Duration(0); ; waited += slotPoll {
		s, err := g.claimAny(ctx, ep, &e.semaphore)
		if s != nil || err != nil || !reserved || waited >= slotPatience {
			return s, err
		}
		if err := sleep(ctx, slotPoll); err != nil {
			return nil, err
		}
	}
}

// claimAny tries some of the endpoint's slots.
func (g *Gate) claimAny(ctx context.Context, ep Limits, sem *semaphore) (*slot, error) {
	tried := map[int]bool{}
	for len(tried) < slotTries {
		number, ok := sem.choose(ep.Concurrency, tried, g.random)
		if !ok {
			break
		}
		s := slot{number: number, holder: rand.Text()}
		got, err := g.slots.ClaimSlot(
			ctx, ep.Name, number, s.holder, g.now().Add(ep.Timeout+slotSpare),
		)
		if got {
			return &s, nil
		}
		if sem.leave(number); err != nil {
			return nil, err
		}
		tried[number] = true
	}
	return nil, nil //nolint:nilnil // none, and no error
}

// choose picks a random slot among those that this instance neither holds nor has tried. It returns
// false if none is left.
func (s *semaphore) choose(n int, tried map[int]bool, random func() float64) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var others []int
	for i := range n {
		if !s.busy[i] && !tried[i] {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return 0, false
	}
	i := others[int(random()*float64(len(others)))]
	if s.busy == nil {
		s.busy = map[int]bool{}
	}
	s.busy[i] = true
	return i, true
}

// leave forgets a slot that this instance released or did not get.
func (s *semaphore) leave(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, i)
}

// reserveSlot makes a reservation for a delivery that found no slot.
func (g *Gate) reserveSlot(ctx context.Context, ep Limits, e *entry) (Admission, error) {
	if err := e.acquire(ctx); err != nil {
		return Admission{}, err
	}
	defer e.release()
	now := g.now()
	interval := max(
		(g.estimate(ctx, ep.Name, e, now) / time.Duration(ep.Concurrency)).
			Truncate(time.Microsecond),
		time.Millisecond,
	)
	at, ok, err := e.semaphore.queue.take(
		ctx, g.quotas, "slots#"+ep.Name, interval, now.Add(interval), now.Add(slotsAhead),
	)
	if err != nil {
		return Admission{}, err
	}
	if !ok {
		return Admission{
			Held: g.spread(now.Add(slotsAhead/2), slotsAhead/2), By: HeldConcurrency,
		}, nil
	}
	e.semaphore.queued(at)
	return Admission{Held: at, By: HeldConcurrency, Reserved: true}, nil
}

// estimate returns how long an attempt at the endpoint takes. If this instance has no recent
// measurement, it reads the endpoint's state, where another instance may have written one, also if
// the endpoint is well. The caller holds the entry's lock.
func (g *Gate) estimate(
	ctx context.Context, endpoint string, e *entry, now time.Time,
) time.Duration {
	if now.Sub(e.semaphore.tookAt) < tookValid {
		return e.semaphore.took
	}
	if !now.Before(e.next) && g.reread(ctx, endpoint, e) != nil {
		e.next = now.Add(stateTTL)
	}
	if now.Sub(e.state.TookAt) < tookValid {
		return e.state.Took
	}
	return firstTook
}

// measured adds a measured duration and returns the new estimate.
func (s *semaphore) measured(took time.Duration, now time.Time) time.Duration {
	if now.Sub(s.tookAt) >= tookValid {
		s.took = took
	}
	s.took += (took - s.took) / 8
	s.tookAt = now
	return s.took
}

// outdated tells whether the duration in the shared state is wrong by a factor of two, or old.
func outdated(s breaker.State, took time.Duration, now time.Time) bool {
	return took > 2*s.Took || took < s.Took/2 || now.Sub(s.TookAt) > tookValid/2
}

// Release releases the slot that an attempt was admitted with. If that cannot be written, the slot
// becomes free when the time of its claim ends.
func (g *Gate) Release(ctx context.Context, endpoint string, a Admission) {
	if a.slot == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = g.slots.ReleaseSlot(ctx, endpoint, a.slot.number, a.slot.holder)
	g.entry(endpoint).semaphore.leave(a.slot.number)
}
