package awsmodel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"webhook-relay/shared/relay"
)

// ErrThrottled says that no concurrency is left for an invocation.
var ErrThrottled = errors.New("awsmodel: throttled")

// Process handles a batch and returns an action for each message.
type Process func(ctx context.Context, msgs []relay.Message) []relay.Action

// Function is a Lambda function. Each instance handles one invocation at a time. It is safe for
// concurrent use. Do not change its fields after the first invocation.
type Function struct {
	New     func(instance int) Process // makes an instance's handler, with its own memory
	Timeout time.Duration              // of an invocation; 0: none
	// concurrent invocations, from all event sources together; 0: no limit
	Concurrency int
	ColdStart   time.Duration // before an instance's first invocation

	mu          sync.Mutex
	idle        []Process // the one that worked last is used first
	instances   int
	running     int
	invocations int
}

// Invoke handles a batch. ErrThrottled means that no instance received it.
func (f *Function) Invoke(ctx context.Context, msgs []relay.Message) ([]relay.Action, error) {
	process, cold, err := f.instance()
	if err != nil {
		return nil, err
	}
	if cold {
		time.Sleep(f.ColdStart)
	}
	if f.Timeout > 0 {
		bounded, cancel := context.WithTimeout(ctx, f.Timeout)
		defer cancel()
		ctx = bounded
	}
	actions := process(ctx, msgs)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	if ctx.Err() != nil { // Lambda kills the instance
		return nil, fmt.Errorf("awsmodel: invocation: %w", ctx.Err())
	}
	f.idle = append(f.idle, process)
	return actions, nil
}

// instance returns an idle instance, or a new one.
func (f *Function) instance() (process Process, cold bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Concurrency > 0 && f.running >= f.Concurrency {
		return nil, false, ErrThrottled
	}
	f.running++
	f.invocations++
	if n := len(f.idle); n > 0 {
		process = f.idle[n-1]
		f.idle = f.idle[:n-1]
		return process, false, nil
	}
	f.instances++
	return f.New(f.instances), true, nil
}

// Used returns the number of instances and invocations so far.
func (f *Function) Used() (instances, invocations int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.instances, f.invocations
}
