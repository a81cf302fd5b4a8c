package relay

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// maxConcurrent bounds the work on one batch. Lambda's batches here are of ten, so none waits for another.
const maxConcurrent = 64

// handled is how the handling of one message ended.
type handled struct {
	action Action
	err    error // our own failure
}

// open tells whether the message is not done with.
func (h handled) open() bool { return h.action.Retry || h.err != nil }

// eachMessage runs work for each message, concurrently. A panic becomes the error of the message
// that caused it: one bad message fails alone. The messages of a group, which an ordered queue gives, are worked on one after the other, and
// behind one that is not done with none of them.
func eachMessage(msgs []Message, work func(i int) (Action, error)) []handled {
	ends := make([]handled, len(msgs))
	if len(msgs) == 1 {
		ends[0] = recovered(func() (Action, error) { return work(0) })
		return ends
	}
	var g errgroup.Group
	g.SetLimit(maxConcurrent)
	for i := range msgs {
		if before(msgs, i) >= 0 {
			continue // it follows those before it in its group
		}
		g.Go(func() error {
			ends[i] = recovered(func() (Action, error) { return work(i) })
			for last, k := i, i+1; k < len(msgs); k++ {
				if before(msgs, k) != last {
					continue
				}
				if ends[last].open() {
					ends[k] = handled{action: Action{Retry: true, Err: errBehind}}
				} else {
					ends[k] = recovered(func() (Action, error) { return work(k) })
				}
				last = k
			}
			return nil
		})
	}
	_ = g.Wait()
	return ends
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

func recovered(work func() (Action, error)) (h handled) {
	defer func() {
		if p := recover(); p != nil {
			h.err = fmt.Errorf("relay: panic: %v\n%s", p, debug.Stack())
		}
	}()
	h.action, h.err = work()
	return h
}
