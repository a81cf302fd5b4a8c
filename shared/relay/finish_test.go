package relay_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
)

// begun returns a rig with a delivery to "a" whose first attempt failed, and the message that made it, which was not acknowledged. From then on "a" is
// well.
func begun(t *testing.T, schedule ...time.Duration) (*rig, relay.Message) {
	t.Helper()
	r := newRig(t, schedule, "a")
	r.poster.failTimes("a", 1)
	r.mustPost("1", "", "{}")
	r.consume(&r.ingest, nil, r.fanout.Process)
	msgs, _ := r.delivery.Receive(t.Context(), 1)
	if err := r.deliverer.Process(t.Context(), msgs)[0]; err != nil {
		t.Fatal(err)
	}
	_ = r.delivery.Ack(t.Context(), msgs[0])
	return r, msgs[0]
}

// again hands a message out once more, to another instance.
func (r *rig) again(m relay.Message) {
	r.t.Helper()
	m.Receives++
	r.build(func(p ports) ports { return p })
	if err := r.deliverer.Process(r.t.Context(), []relay.Message{m})[0]; err != nil {
		r.t.Error(err)
	}
}

// TestNextMessageAndItsCopyComeApart: a function died after it had sent the next attempt's message and before its own was acknowledged. It comes again
// and sends another, which must not be in hand while the first is: they would make the attempt twice.
func TestNextMessageAndItsCopyComeApart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ wait, before time.Duration }{ // the next is due
		"soon after":                 {10 * time.Minute, 9 * time.Minute},
		"at the moment":              {10 * time.Minute, 0},
		"and has come":               {10 * time.Minute, -30 * time.Second},
		"late, by the scheduler":     {2 * time.Hour, time.Hour},
		"soon, by the scheduler":     {2 * time.Hour, 10 * time.Minute},
		"very soon by the scheduler": {2 * time.Hour, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, m := begun(t, tt.wait)
				time.Sleep(time.Until(r.deliveryOf(strings.Fields(deliveryOf(m))[0], "a").NextAt) - tt.before)
				r.again(m)
				if n := r.retry.Len(); tt.before > relay.MaxDelay && n != 1 {
					t.Errorf("the scheduler sends %d", n)
				}
				due, _ := r.retry.Due()
				time.Sleep(time.Until(due))
				first, _ := r.retry.Receive(t.Context(), 10)
				time.Sleep(relay.MaxEndpointTimeout)
				copies, _ := r.retry.Receive(t.Context(), 10)
				if len(first) != 1 || len(copies) > 0 && copies[0].ID != first[0].ID {
					t.Fatalf("%d messages at the same time, and %d while they may be in hand", len(first), len(copies))
				}
				r.pump()
				if n := len(r.poster.posts); n != 2 {
					t.Errorf("%d POSTs", n)
				}
			})
		})
	}
}

// TestMessageOfAnEarlierAttemptSendsNoOther: however late the next attempt is, it is not the first one's message that knows where its cycle stands.
func TestMessageOfAnEarlierAttemptSendsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, m := begun(t, time.Second, time.Minute)
		r.poster.failTimes("a", 1)
		time.Sleep(2 * time.Second)
		r.consume(&r.retry, nil, r.deliverer.Process)
		lose(&r.retry)
		time.Sleep(time.Hour)
		m.ID, m.Resent = "redriven", true
		if r.again(m); r.retry.Len() != 0 {
			t.Errorf("it sent %d", r.retry.Len())
		}
	})
}
