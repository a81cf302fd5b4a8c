package relay

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// maxConcurrent bounds the work on one batch. Lambda's batches here are of ten, so none waits for another.
const maxConcurrent = 64

// eachMessage runs work for each message, concurrently, and returns one error for each. A panic becomes the error of the message
// that caused it: one bad message fails alone.
func eachMessage(msgs []Message, work func(i int) error) []error {
	errs := make([]error, len(msgs))
	if len(msgs) == 1 {
		errs[0] = recovered(func() error { return work(0) })
		return errs
	}
	var g errgroup.Group
	g.SetLimit(maxConcurrent)
	for i := range msgs {
		g.Go(func() error {
			errs[i] = recovered(func() error { return work(i) })
			return nil
		})
	}
	_ = g.Wait()
	return errs
}

func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("relay: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
