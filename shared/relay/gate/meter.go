package gate

import (
	"context"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
)

const (
	// meterPause is how long an instance rejects webhooks after the ledger has said that the rate
	// is reached. It bounds the calls in a flood to four a second for each instance. What is unused
	// meanwhile is not lost: a rate's unit, its burst, is longer.
	meterPause = 250 * time.Millisecond
	// meterTimeout is how long a webhook waits for the ledger. Then it is accepted.
	meterTimeout = time.Second
)

// Meter counts what tenants with a rate send, over all instances. It is the rate limiter without
// its queue: what comes too early is rejected, not held. It uses the same lines of time and
// reserves several pieces at once in the same way. In any time d it accepts at most
// rate × (d + unit) + 1 webhooks, where the unit is the second, minute or hour of the rate. It is
// safe for concurrent use.
type Meter struct {
	quotas Quotas
	now    func() time.Time

	mu      sync.Mutex
	tenants map[string]*counter
}

// counter is what this instance has of a tenant's budget.
type counter struct {
	lock     chan struct{} // of capacity 1
	budget   pieces
	reserved time.Time // when the ledger was last asked
	resumes  time.Time // until then it rejects
}

// NewMeter returns a Meter. It calls nothing yet.
func NewMeter(quotas Quotas, now func() time.Time) *Meter {
	return &Meter{quotas: quotas, now: now, tenants: map[string]*counter{}}
}

// Count counts a webhook of a tenant. If that is over the rate, it is not counted, and Count
// returns when to try again; zero: it was counted. After an error it was not, because the ledger
// does not answer.
func (m *Meter) Count(ctx context.Context, tenant string, r catalog.Rate) (time.Time, error) {
	c := m.counter(tenant)
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	now := m.now().UTC()
	if now.Before(c.resumes) {
		return c.resumes, nil
	}
	if c.budget.left == 0 {
		if now.Sub(c.reserved) > ratePart { // several pieces are for who needs them soon
			c.budget.part = 0
		}
		c.reserved = now
	}
	ctx, cancel := context.WithTimeout(ctx, meterTimeout)
	defer cancel()
	at, ok, err := c.budget.take(
		ctx, m.quotas, "accept#"+tenant, rateOf(r).interval(), now.Add(-r.Per), now,
	)
	if err != nil || ok {
		return time.Time{}, err
	}
	c.resumes = now.Add(meterPause)
	if at.After(c.resumes) {
		c.resumes = at
	}
	return c.resumes, nil
}

func (m *Meter) counter(tenant string) *counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.tenants[tenant]
	if c == nil {
		c = &counter{lock: make(chan struct{}, 1)}
		m.tenants[tenant] = c
	}
	return c
}
