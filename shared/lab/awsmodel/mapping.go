package awsmodel

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/relay"
)

// How an event source mapping scales.
const (
	firstBatches  = 5           // concurrent batches at the start, and the minimum
	scaleInterval = time.Second // 300 a minute
	scaleStep     = 5
	longPoll      = 20 * time.Second
	// a poller waits so long after a throttled invocation; not documented
	throttleDelay = time.Second
)

// Mapping is an event source mapping with ReportBatchItemFailures. It hands a queue's messages to a
// function. Do not change its fields after Run is called.
type Mapping struct {
	Queue          *Queue
	Function       *Function
	BatchSize      int           // 0: 10
	Window         time.Duration // how long it waits for a batch to fill
	MaxConcurrency int           // 2 to 1000; 0: 1000
	// starts at its maximum and stays there: an ideal mapping, not AWS's
	Ready bool

	mu      sync.Mutex
	pollers []*poller
	working int // concurrent invocations
	peak    int
}

// poller receives one batch after the other.
type poller struct {
	*Mapping
	stop context.CancelFunc
	idle bool // waits for messages
}

// Run runs the mapping until ctx ends, and returns when all invocations have ended.
func (m *Mapping) Run(ctx context.Context) {
	if m.BatchSize == 0 {
		m.BatchSize = 10
	}
	if m.MaxConcurrency == 0 {
		m.MaxConcurrency = 1000
	}
	var polling sync.WaitGroup
	defer polling.Wait()
	if m.Ready {
		m.add(ctx, m.MaxConcurrency, &polling)
		<-ctx.Done()
		return
	}
	m.add(ctx, firstBatches, &polling)
	tick := time.NewTicker(scaleInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if m.Queue.Counts().Visible > 0 {
			m.add(ctx, scaleStep, &polling)
		} else {
			m.scaleBack()
		}
	}
}

func (m *Mapping) add(ctx context.Context, n int, polling *sync.WaitGroup) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range min(n, m.MaxConcurrency-len(m.pollers)) {
		own, stop := context.WithCancel(ctx)
		p := &poller{Mapping: m, stop: stop}
		m.pollers = append(m.pollers, p)
		polling.Go(func() { p.run(ctx, own) })
	}
}

// scaleBack stops an idle poller if more than half of them are idle. How fast AWS does this is not
// documented.
func (m *Mapping) scaleBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pollers) <= firstBatches || 2*m.working > len(m.pollers) {
		return
	}
	if i := slices.IndexFunc(m.pollers, func(p *poller) bool { return p.idle }); i >= 0 {
		m.pollers[i].stop()
		m.pollers = slices.Delete(m.pollers, i, i+1)
	}
}

// Peak returns the largest number of concurrent invocations so far.
func (m *Mapping) Peak() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}

// run hands out batches until the poller is stopped.
func (p *poller) run(ctx, own context.Context) {
	defer p.stop()
	for own.Err() == nil {
		if batch := p.receive(own); len(batch) > 0 {
			p.note(func() { p.working++; p.peak = max(p.peak, p.working) })
			p.invoke(ctx, batch)
			p.note(func() { p.working-- })
		}
	}
}

func (p *poller) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// receive receives a batch. The poller can be stopped while it waits for the first message.
func (p *poller) receive(ctx context.Context) []Received {
	p.note(func() { p.idle = true })
	batch := p.Queue.Receive(ctx, p.BatchSize, longPoll)
	p.note(func() { p.idle = false })
	if len(batch) == 0 {
		return nil
	}
	for full := time.Now().Add(p.Window); len(batch) < p.BatchSize && time.Now().Before(full); {
		more := p.Queue.Receive(ctx, p.BatchSize-len(batch), time.Until(full))
		batch = append(batch, more...)
	}
	return batch
}

// invoke invokes the function and deletes the messages that are done. The others become visible
// again.
func (p *poller) invoke(ctx context.Context, batch []Received) {
	msgs := make([]relay.Message, len(batch))
	for i, r := range batch {
		msgs[i] = r.Message
	}
	actions, err := p.Function.Invoke(context.WithoutCancel(ctx), msgs)
	if errors.Is(err, ErrThrottled) {
		time.Sleep(throttleDelay)
	}
	if err != nil {
		return
	}
	var done []Received
	for i, r := range batch {
		if a := actions[i]; a.Retry { // like package handler
			p.Queue.ChangeVisibility(r, a.After)
		} else {
			done = append(done, r)
		}
	}
	p.Queue.Delete(done)
}
