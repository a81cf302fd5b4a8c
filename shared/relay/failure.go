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

// Again is the error of a message that is to be handed out again.
type Again struct { //nolint:errname // it says when, and need not be a failure
	After time.Duration // from now on
	Err   error         // our own failure; nil: it waits at the head of its group, which is none
}

func (a *Again) Error() string {
	if a.Err == nil {
		return fmt.Sprintf("relay: to be handed out again after %s", a.After)
	}
	return a.Err.Error()
}

func (a *Again) Unwrap() error { return a.Err }

// errSetAside: a message was set aside without a try.
var errSetAside = errors.New("relay: set aside")

// failures decides what becomes of messages whose handling has failed.
type failures struct {
	counts Failures
	random func() float64
}

// settle returns nil for a message that is done with or set aside, else an *Again. A failure is counted by the message's id.
// One that cannot be counted sets nothing aside: the store is down, and the message has no part in it. What a stage returned
// as *Again is no failure of the message's and stays as it is.
func (f failures) settle(ctx context.Context, m Message, err error, setAside func(context.Context) error) error {
	var again *Again
	switch {
	case err == nil:
		return nil
	case errors.As(err, &again):
		f.survived(ctx, m, again)
		return again
	}
	n, countErr := f.counts.CountFailure(ctx, m.ID)
	if countErr != nil {
		return &Again{After: min(f.wait(m.Receives), MaxDelay), Err: err}
	}
	if n < MaxFailures {
		return &Again{After: f.wait(n), Err: err}
	}
	if asideErr := setAside(ctx); asideErr != nil {
		return &Again{After: f.wait(n), Err: errors.Join(err, asideErr)}
	}
	return nil
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
func (f failures) survived(ctx context.Context, m Message, again *Again) {
	if m.Receives > MaxReceives && again.Err != nil {
		_ = f.counts.ForgetFailures(ctx, m.ID) // else the next try that survives does
	}
}
