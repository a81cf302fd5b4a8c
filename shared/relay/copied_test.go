package relay_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// copies notes what is copied, and how many deliveries were in the queue by then.
type copies struct {
	r          *rig
	got        []string
	deliveries []int
	panics     bool
}

func (c *copies) Copy(_ context.Context, events []relay.Event) {
	for _, e := range events {
		c.got = append(c.got, e.ID)
		c.deliveries = append(c.deliveries, c.r.delivery.Len())
	}
	if c.panics {
		panic("the listeners fail")
	}
}

// reluctant is a queue that refuses its first messages.
type reluctant struct {
	relay.Queue
	times int
}

func (q *reluctant) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if q.times--; q.times >= 0 {
		return slices.Repeat([]error{errors.New("refused")}, len(msgs))
	}
	return q.Queue.Send(ctx, msgs)
}

// TestEventsAreCopied: once each, after their deliveries were sent, also those that nobody has
// subscribed to, and only while somebody listens. A duplicate is not copied. What fails there
// changes nothing for deliveries.
func TestEventsAreCopied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "shop")
		r.subscribe(catalog.Subscription{Endpoint: "shop", Types: []string{"order"}})
		c, flaky := &copies{r: r}, &reluctant{Queue: &r.delivery}
		r.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
			Subscriptions: &r.catalog, Events: &r.ledger, Bodies: &r.bodies, Delivery: flaky,
			Ordered: &r.ordered.delivery, Poison: &r.ingestDL, Failures: &r.failures,
			Reporter: &r.reports, Listeners: c,
		}))
		route := func(ids ...string) {
			t.Helper()
			c.got, c.deliveries = nil, nil
			for r.consume(&r.ingest, &r.ingestDL, r.fanout.Process) {
			}
			slices.Sort(c.got)
			slices.Sort(ids)
			if !slices.Equal(c.got, ids) {
				t.Errorf("copied %v, want %v", c.got, ids)
			}
		}
		r.mustPost("unheard", "order", "{}")
		route()
		if err := r.catalog.MarkListening(t.Context(), catalog.Listening{
			Until: time.Now().Add(time.Hour), Revision: 1,
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(catalog.DefaultCacheTTL)
		before := r.delivery.Len()
		route(r.mustPost("1", "order", "{}"))
		if !slices.Equal(c.deliveries, []int{before + 1}) {
			t.Errorf("%v deliveries in the queue, want %d", c.deliveries, before+1)
		}
		r.mustPost("1", "order", "{}")
		route()
		route(r.mustPost("2", "order", "{}"), r.mustPost("3", "other", "{}"))

		flaky.times = 1
		late := r.mustPost("4", "order", "{}")
		route()
		time.Sleep(time.Minute)
		route(late)

		c.panics = true
		route(r.mustPost("5", "order", "{}"))
		if n := r.ingest.Len(); n != 0 {
			t.Errorf("%d messages left", n)
		}
		time.Sleep(time.Hour)
		route()
		r.mustPost("6", "order", "{}")
		route()
		c.panics = false
		r.pump()
		if got := r.poster.attempts(); len(got) != 6 {
			t.Errorf("delivered: %v", got)
		}
	})
}
