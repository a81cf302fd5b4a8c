package relay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
)

// TestCopiesInOneBatchArePOSTedOnce gives the deliverer a message and its copy. The copy was sent
// because the answer to the first send was lost.
func TestCopiesInOneBatchArePOSTedOnce(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"the copy comes second": 0, "the copy comes first": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a")
				r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					return relay.Reply{StatusCode: 503}, nil
				}
				r.build(func(p ports) ports {
					answers := p.poster
					p.poster = posterFunc(func(
						ctx context.Context, post relay.Post,
					) (relay.Reply, error) {
						time.Sleep(time.Second)
						return answers.Post(ctx, post)
					})
					return p
				})
				r.mustPost("1", "", "{}")
				r.consume(&r.ingest, nil, r.fanout.Process)
				msgs, _ := r.delivery.Receive(t.Context(), 1)
				copied := msgs[0]
				copied.ID, copied.Resent = "copy", true
				batch := []relay.Message{msgs[0], copied}
				if first == 1 {
					batch[0], batch[1] = batch[1], batch[0]
				}
				for _, a := range r.deliverer.Process(t.Context(), batch) {
					if a.Retry {
						t.Error(a)
					}
				}
				if n := len(r.poster.posts); n != 1 {
					t.Errorf("%d POSTs", n)
				}
				if n := r.retry.Len(); n != 1 {
					t.Errorf("%d messages for the next attempt", n)
				}
			})
		})
	}
}

// TestAMessageThatComesAfterItsCopyIsNotPOSTed: the fan-out sent the copy because the answer to the
// first send was lost. The copy is marked as resent and the first message is not, and the queue
// hands out the first one last.
func TestAMessageThatComesAfterItsCopyIsNotPOSTed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		msgs, _ := r.delivery.Receive(t.Context(), 1)
		copied := msgs[0]
		copied.ID, copied.Resent = "copy", true
		for _, m := range []relay.Message{copied, msgs[0]} {
			time.Sleep(6 * time.Second)
			if a := r.deliverer.Process(t.Context(), []relay.Message{m})[0]; a.Retry {
				t.Error(a)
			}
		}
		if n := len(r.poster.posts); n != 1 {
			t.Errorf("%d POSTs", n)
		}
	})
}
