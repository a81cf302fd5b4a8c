package relay

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// maxConcurrent limits how many messages of one batch are handled at once. Lambda's batches have
// ten, so none of them waits.
const maxConcurrent = 64

// handled is the result of handling one message.
type handled struct {
	action Action
	err    error // our own failure
}

// open tells whether the message is to be received again, or failed.
func (h handled) open() bool { return h.action.Retry || h.err != nil }

// eachMessage calls work for each message, concurrently. A panic becomes the error of its message:
// one bad message fails alone. The messages of a group, which come from an ordered queue, are
// handled one after the other. If one of them is to come again, those behind it are not handled,
// and come again too.
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
			continue // handled after those before it in its group
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

// before returns the index of the previous message of the same group, or -1 if there is none.
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
