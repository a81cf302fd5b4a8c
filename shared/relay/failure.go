package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/retry"
)

const (
	// MaxFailures is how often our handling of a message may fail. Then it is set aside in a dead-letter queue.
	MaxFailures = 5
	// MaxReceives is how often a message may be received without any effect before it is suspected of killing the process, which
	// leaves nobody to count a failure. SQS also counts receives that reach no function (Lambda throttles, a deployment is
	// broken), so that a suspect is tried all the same, and each try is counted before it begins.
	MaxReceives = 25
	// holdReserve is what an invocation keeps of its time to have messages held that it could not finish.
	holdReserve = 2 * time.Second
)

// failureWaits are the waits after the first, second, third and fourth failure of ours, to which retry.Jitter adds. Most of
// our faults pass in seconds. One that lasts sets nothing aside before half an hour has passed.
var failureWaits = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 25 * time.Minute}

// Action is what the queue is to do with a message that a stage is done with. The zero Action acknowledges it: it was worked on, or set aside.
type Action struct {
	Retry bool          // it is handed out again
	After time.Duration // then: it is hidden for so long
	Err   error         // then: our own failure; nil: it only waits
}

// errSetAside: a message was set aside without a try.
var errSetAside = errors.New("relay: set aside")

// failures decides what becomes of messages whose handling has failed.
type failures struct {
	counts Failures
	random func() float64
}

// decide returns the Action for a message whose handling ended with one, or with an error, which is a failure of ours. A failure is counted by the message's id.
// One that cannot be counted sets nothing aside: the store is down, and the message has no part in it. setAside moves the message to a
// dead-letter queue.
func (f failures) decide(ctx context.Context, m Message, a Action, err error, setAside func(context.Context) error) Action {
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

// wait is how long a message is hidden after its nth failure.
func (f failures) wait(n int) time.Duration {
	i := min(max(n, 1), len(failureWaits)) - 1
	return retry.Jitter(failureWaits[i], f.random)
}

// beforeDeadline returns a context that ends so much before ctx's deadline that what is unfinished can still be held.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-holdReserve))
}

// suspect returns an error for a message that is to be set aside without a try: it was received too often to no effect, and
// MaxFailures tries of it have begun since, or failed before.
func (f failures) suspect(ctx context.Context, m Message, receives int) error {
	if receives <= MaxReceives {
		return nil
	}
	n, err := f.counts.CountFailure(ctx, m.ID)
	if err != nil || n <= MaxFailures {
		return nil //nolint:nilerr // what cannot be counted is tried
	}
	return fmt.Errorf("%w: received %d times to no effect, and tried %d times", errSetAside, receives, n-1)
}

// survived takes back that a try of a suspect was counted before it began: it ended, if not with the message. An event with many
// deliveries is received as often as it takes, and so is one that had no time left beside such.
func (f failures) survived(ctx context.Context, m Message, a Action) {
	if m.Receives > MaxReceives && a.Retry && a.Err != nil {
		_ = f.counts.ForgetFailures(ctx, m.ID) // else the next try that survives does
	}
}
