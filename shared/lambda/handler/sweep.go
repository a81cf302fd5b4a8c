package handler

import (
	"context"

	"webhook-relay/shared/relay/operate"
)

// Sweep returns the handler of a schedule. It ignores the event, runs a sweeper, and reports the
// result to swept. It returns the run's error, so Lambda counts the invocation as failed and
// retries it, up to twice.
func Sweep(
	run func(context.Context) (operate.SweepReport, error),
	swept func(context.Context, operate.SweepReport, error),
) func(context.Context) error {
	return func(ctx context.Context) error {
		report, err := run(ctx)
		swept(ctx, report, err)
		return err
	}
}
