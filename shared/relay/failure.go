package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/retry"
)

const (
	// MaxFailures is how often our handling of a message may fail. With that failure the message is
	// set aside in a dead-letter queue.
	MaxFailures = 5
	// MaxReceives is how often a message may be received without effect before it becomes a
	// suspect: it may kill the process, which then cannot count a failure. SQS also counts receives
	// that reach no function, because Lambda throttles or a deployment is broken. So a suspect is
	// still tried, and each try is counted before it begins.
	MaxReceives = 25
	// holdReserve is the time that an invocation reserves to hold the messages that it could not
	// finish.
	holdReserve = 2 * time.Second
)

// failureWaits are the waits after our first, second, third and fourth failure; retry.Jitter makes
// them longer. Most of our faults pass in seconds. A fault that lasts sets no message aside in the
// first half hour.
var failureWaits = []time.Duration{
	5 * time.Second, 30 * time.Second, 5 * time.Minute, 25 * time.Minute,
}

// Action tells what the queue does with a message that a stage has handled. The zero Action
// acknowledges it: it is finished, or was set aside.
type Action struct {
	Retry bool          // the message is to be received again
	After time.Duration // with Retry: it is hidden for this long
	Err   error         // with Retry: why it comes again; nil: it only waits
}

// errSetAside means that a message was set aside without a try.
var errSetAside = errors.New("relay: moved to the dead-letter queue")

// failures decides what happens to a message whose handling failed.
type failures struct {
	counts Failures
	random func() float64
}

// decide returns the Action for a message whose handling ended with the Action a, or with err,
// which is our own failure. Failures are counted by the message's id. If the count cannot be
// written, the message is not set aside: the store is down, and that is not the message's fault.
// setAside moves the message to a dead-letter queue.
func (f failures) decide(
	ctx context.Context, m Message, a Action, err error, setAside func(context.Context) error,
) Action {
	if err == nil {
		f.survived(ctx, m, a)
		return a
	}
	n, countErr := f.counts.CountFailure(ctx, m.ID)
	if countErr != nil {
		return Action{Retry: true, After: min(f.wait(m.Receives), MaxDelay), Err: err}
	}
	if n < MaxFailures {
		return Action{Retry: true, After: f.wait(n), Err: err}
	}
	if asideErr := setAside(ctx); asideErr != nil {
		return Action{Retry: true, After: f.wait(n), Err: errors.Join(err, asideErr)}
	}
	return Action{}
}

// wait returns how long a message is hidden after its nth failure.
func (f failures) wait(n int) time.Duration {
	i := min(max(n, 1), len(failureWaits)) - 1
	return retry.Jitter(failureWaits[i], f.random)
}

// beforeDeadline returns a context that ends holdReserve before the deadline of ctx. That leaves
// the time to hold the unfinished messages.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-holdReserve))
}

// suspect returns an error if a message is to be set aside without a try. That is so if it was
// received too often without effect, and MaxFailures tries have begun since then or failed before.
func (f failures) suspect(ctx context.Context, m Message, receives int) error {
	if receives <= MaxReceives {
		return nil
	}
	n, err := f.counts.CountFailure(ctx, m.ID)
	if err != nil || n <= MaxFailures {
		return nil //nolint:nilerr // what cannot be counted is tried
	}
	return fmt.Errorf(
		"%w: received %d times without effect, tried %d times", errSetAside, receives, n-1,
	)
}

// survived resets the count that suspect raised before a try. The try did not kill the process,
// although the message is not finished. An event with many deliveries needs many receives, and so
// does a message that had no time left beside such an event.
func (f failures) survived(ctx context.Context, m Message, a Action) {
	if m.Receives > MaxReceives && a.Retry && a.Err != nil {
		_ = f.counts.ForgetFailures(ctx, m.ID) // if it fails, the next surviving try does it
	}
}
