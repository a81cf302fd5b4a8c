package handler

import (
	"context"
	"webhook-relay/shared/relay/operate"
)

// Sweep returns the handler of a schedule, whose event says nothing that matters: it runs a sweeper and tells what came of it. It returns
// the run's error, so that Lambda counts the invocation as failed and makes it again, up to twice.
func Sweep(run func(context.Context) (operate.SweepReport, error), swept func(context.Context, operate.SweepReport, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		report, err := run(ctx)
		swept(ctx, report, err)
		return err
	}
}
