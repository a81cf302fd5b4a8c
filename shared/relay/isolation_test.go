package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
)

// TestABatchIsNotDelayedByItsWorst delivers a batch to ten endpoints. One hangs for its whole
// timeout, one resets the connection, and one answers 500 at once. The POSTs to the other seven
// must end as early as without these three.
func TestABatchIsNotDelayedByItsWorst(t *testing.T) {
	t.Parallel()
	const answersAfter = 100 * time.Millisecond
	ends := func(
		t *testing.T, ill map[string]func(relay.Post) (relay.Reply, error),
	) (last time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var names []string
			for i := range 10 {
				names = append(names, fmt.Sprintf("e%d", i))
			}
			r := newRig(t, nil, names...)
			began := time.Now()
			var mu sync.Mutex
			r.build(func(p ports) ports {
				p.poster = posterFunc(func(
					ctx context.Context, post relay.Post,
				) (relay.Reply, error) {
					if answer := ill[host(post)]; answer != nil {
						return answer(post)
					}
					time.Sleep(answersAfter)
					mu.Lock()
					defer mu.Unlock()
					last = max(last, time.Since(began))
					return relay.Reply{StatusCode: 200}, nil
				})
				return p
			})
			r.mustPost("1", "push", "{}")
			r.consume(&r.ingest, &r.ingestDL, r.fanout.Process)
			r.consume(&r.delivery, nil, r.deliverer.Process)
		})
		return last
	}
	without := ends(t, nil)
	with := ends(t, map[string]func(relay.Post) (relay.Reply, error){
		"e3": func(p relay.Post) (relay.Reply, error) {
			time.Sleep(p.Timeout)
			return relay.Reply{}, &relay.PostError{Outcome: relay.TimedOut, Err: errSlow}
		},
		"e0": func(relay.Post) (relay.Reply, error) {
			return relay.Reply{}, &relay.PostError{Outcome: relay.Broken, Err: errReset}
		},
		"e9": func(relay.Post) (relay.Reply, error) { return relay.Reply{StatusCode: 500}, nil },
	})
	if without != answersAfter || with != without {
		t.Errorf(
			"the last of the others ended after %s, and after %s where three are ill", without,
			with,
		)
	}
}

// posterFunc is a function as a Poster.
type posterFunc func(context.Context, relay.Post) (relay.Reply, error)

func (f posterFunc) Post(ctx context.Context, p relay.Post) (relay.Reply, error) {
	return f(ctx, p)
}
