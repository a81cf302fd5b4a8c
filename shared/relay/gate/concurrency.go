package gate

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// How an endpoint's concurrency is kept, over all instances together: each attempt claims one of as many slots. A delivery that
// finds none free reserves a place in a queue, as for a rate. Places follow on each other as slots become free: an attempt's
// usual time, divided by the number of slots. Where that is estimated too short a delivery comes back once more, with a better
// estimate; so the first guess is short, since one that is too long leaves slots unused.
const (
	// slotSpare is how much longer than one attempt a slot is claimed for. So much longer than its attempt the slot of an
	// instance that was killed stays lost.
	slotSpare = 15 * time.Second
	// slotTries is how many slots are tried before a delivery takes them all to be in use.
	slotTries = 4
	// slotPatience is how long a delivery with a reservation waits for a slot: queues keep whole seconds.
	slotPatience = time.Second
	slotPoll     = slotPatience / 4
	// slotsAhead is how far ahead the queue reaches: less than a rate's, since an endpoint's speed may change.
	slotsAhead = 6 * time.Hour
	// firstTook is the guess where nobody has measured for tookValid.
	firstTook = 100 * time.Millisecond
	tookValid = 10 * time.Minute
	// releaseTimeout is what an attempt whose invocation is over has left for giving back its slot.
	releaseTimeout = 2 * time.Second
)

// slot is one of those that an endpoint's concurrency consists of.
type slot struct {
	number int
	holder string // of this claim
}

// semaphore is what this instance knows of the slots of one endpoint.
type semaphore struct {
	queue  pieces        // guarded by the entry's lock, as what follows
	took   time.Duration // by attempts, the last ones more than those before
	tookAt time.Time     // when the last one ended

	mu   sync.Mutex
	busy map[int]bool // slots that this instance has, or is asking for
	last time.Time    // the last place in the queue that this instance knows of
}

func (s *semaphore) queued(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = at
}

// hasQueue tells whether deliveries wait for slots, as far as this instance knows.
func (s *semaphore) hasQueue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(now)
}

// claim claims a slot; nil: there is none free. A delivery without a reservation does not get ahead of those that wait.
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
		s := slot{number, rand.Text()}
		got, err := g.slots.ClaimSlot(ctx, ep.Name, number, s.holder, g.now().Add(ep.Timeout+slotSpare))
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

// choose picks a slot at random among those that this instance has nothing to do with; false: there is none left to try.
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

// leave forgets a slot that this instance has no more, or did not get.
func (s *semaphore) leave(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, i)
}

// reserveSlot gives a delivery that found no slot its place in the queue.
func (g *Gate) reserveSlot(ctx context.Context, ep Limits, e *entry) (Admission, error) {
	if err := e.acquire(ctx); err != nil {
		return Admission{}, err
	}
	defer e.release()
	now := g.now()
	interval := max((g.estimate(ctx, ep.Name, e, now) / time.Duration(ep.Concurrency)).Truncate(time.Microsecond), time.Millisecond)
	at, ok, err := e.semaphore.queue.take(ctx, g.quotas, "slots#"+ep.Name, interval, now.Add(interval), now.Add(slotsAhead))
	if err != nil {
		return Admission{}, err
	}
	if !ok {
		return Admission{Held: g.spread(now.Add(slotsAhead/2), slotsAhead/2)}, nil
	}
	e.semaphore.queued(at)
	return Admission{Held: at, Reserved: true}, nil
}

// estimate is how long an attempt takes at the endpoint, as far as anybody knows. Where this instance has not measured it, the
// others may have: their state is read then, also of an endpoint that is well. The caller holds the entry's lock.
func (g *Gate) estimate(ctx context.Context, endpoint string, e *entry, now time.Time) time.Duration {
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

// measured takes note of how long an attempt took and returns the estimate.
func (s *semaphore) measured(took time.Duration, now time.Time) time.Duration {
	if now.Sub(s.tookAt) >= tookValid {
		s.took = took
	}
	s.took += (took - s.took) / 8
	s.tookAt = now
	return s.took
}

// outdated tells whether what the other instances know of how long attempts take is off by half, or old.
func outdated(s breaker.State, took time.Duration, now time.Time) bool {
	return took > 2*s.Took || took < s.Took/2 || now.Sub(s.TookAt) > tookValid/2
}

// Release gives back the slot that an attempt was admitted with. Where that cannot be written the slot is free once its time is
// over.
func (g *Gate) Release(ctx context.Context, endpoint string, a Admission) {
	if a.slot == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = g.slots.ReleaseSlot(ctx, endpoint, a.slot.number, a.slot.holder)
	g.entry(endpoint).semaphore.leave(a.slot.number)
}
