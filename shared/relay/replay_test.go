package relay_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
)

func TestReplayOfADeliveryWhoseMessageIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Hour}, "a")
		r.poster.failTimes("a", 1)
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		time.Sleep(70 * time.Minute)
		lost, _ := r.retry.Receive(t.Context(), 1)
		_ = r.retry.Ack(t.Context(), lost[0])
		if err := relay.Replay(t.Context(), &r.ledger, &r.retry, event, "a"); !errors.Is(err, relay.ErrConflict) {
			t.Errorf("a few minutes late: %v", err)
		}
		time.Sleep(20 * time.Minute)
		if err := relay.Replay(t.Context(), &r.ledger, &r.retry, event, "a"); err != nil {
			t.Errorf("overdue: %v", err)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 2 {
			t.Errorf("record %+v", d)
		}
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Minute}, "a")
		r.poster.failTimes("a", 3)
		large := strings.Repeat("x", 100_000)
		event := r.mustPost("1", "", large)
		r.consume(&r.ingest, nil, r.fanout.Process)
		ctx := t.Context()
		if err := relay.Replay(ctx, &r.ledger, &r.retry, event, "a"); !errors.Is(err, relay.ErrNotFound) {
			t.Errorf("before the first attempt: %v", err)
		}
		r.consume(&r.delivery, nil, r.deliverer.Process)
		if err := relay.Replay(ctx, &r.ledger, &r.retry, event, "a"); !errors.Is(err, relay.ErrConflict) {
			t.Errorf("while it waits: %v", err)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Dead {
			t.Fatalf("record %+v", d)
		}
		for range 2 { // an impatient operator
			if err := relay.Replay(ctx, &r.ledger, &r.retry, event, "a"); err != nil {
				t.Error(err)
			}
		}
		r.poster.failTimes("a", 1)
		for range 2 { // one after the other
			msgs, _ := r.retry.Receive(ctx, 1)
			if errs := r.deliverer.Process(ctx, msgs); errs[0] != nil {
				t.Error(errs[0])
			}
			_ = r.retry.Ack(ctx, msgs[0])
		}
		r.pump()
		d := r.deliveryOf(event, "a")
		if d.Status != relay.Delivered || d.Attempts != 4 || len(r.poster.posts) != 4 || string(r.poster.posts[3].Body) != large {
			t.Errorf("after replay: %d POSTs, record %+v", len(r.poster.posts), d)
		}
		if err := relay.Replay(ctx, &r.ledger, &r.retry, "evt_none", "a"); !errors.Is(err, relay.ErrNotFound) {
			t.Errorf("unknown event: %v", err)
		}
	})
}
