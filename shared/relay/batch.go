package relay

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// maxConcurrent bounds the work on one batch. Lambda's batches here are of ten, so none waits for another.
const maxConcurrent = 64

// eachMessage runs work for each message, concurrently, and returns one error for each. A panic becomes the error of the message
// that caused it: one bad message fails alone. The messages of a group, which an ordered queue gives, are worked on one after the other, and
// behind one that failed none of them.
func eachMessage(msgs []Message, work func(i int) error) []error {
	errs := make([]error, len(msgs))
	if len(msgs) == 1 {
		errs[0] = recovered(func() error { return work(0) })
		return errs
	}
	var g errgroup.Group
	g.SetLimit(maxConcurrent)
	for i := range msgs {
		if before(msgs, i) >= 0 {
			continue // its turn comes with its group's
		}
		g.Go(func() error {
			errs[i] = recovered(func() error { return work(i) })
			for last, k := i, i+1; k < len(msgs); k++ {
				if before(msgs, k) != last {
					continue
				}
				if errs[last] == nil {
					errs[k] = recovered(func() error { return work(k) })
				} else {
					errs[k] = &Again{Err: errBehind}
				}
				last = k
			}
			return nil
		})
	}
	_ = g.Wait()
	return errs
}

// before is the index of the last message of the same group before one; -1 if there is none.
func before(msgs []Message, i int) int {
	if msgs[i].Group == "" {
		return -1
	}
	for k := i - 1; k >= 0; k-- {
		if msgs[k].Group == msgs[i].Group {
			return k
		}
	}
	return -1
}

func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("relay: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
