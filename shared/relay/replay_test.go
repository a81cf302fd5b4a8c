package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

func (r *rig) replayer() operate.Replayer {
	return operate.Replayer{
		Ledger: &r.ledger, Deliveries: &r.ledger, Retry: &r.retry,
		Router: relay.NewRouter(&r.catalog, &r.bodies, 0, time.Now),
	}
}

func (r *rig) replay(event, endpoint string) error {
	return r.replayer().Replay(r.t.Context(), event, endpoint)
}

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
		if err := r.replay(event, "a"); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a few minutes late: %v", err)
		}
		time.Sleep(20 * time.Minute)
		if err := r.replay(event, "a"); err != nil {
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
		if err := r.replay(event, "a"); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("before the first attempt: %v", err)
		}
		r.consume(&r.delivery, nil, r.deliverer.Process)
		if err := r.replay(event, "a"); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("while it waits: %v", err)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Dead {
			t.Fatalf("record %+v", d)
		}
		if err := r.replay(event, "a"); err != nil {
			t.Error(err)
		}
		if d := r.deliveryOf(event, "a"); d.Status != relay.Waiting || d.Reason != "" ||
			!d.NextAt.Equal(time.Now()) {
			t.Errorf("under way, and on record as %+v", d)
		}
		if err := r.replay(event, "a"); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("an impatient operator: %v", err)
		}
		r.poster.failTimes("a", 1)
		r.pump()
		d := r.deliveryOf(event, "a")
		if d.Status != relay.Delivered || d.Attempts != 4 || len(r.poster.posts) != 4 ||
			string(r.poster.posts[3].Body) != large {
			t.Errorf("after replay: %d POSTs, record %+v", len(r.poster.posts), d)
		}
		if err := r.replay("evt_none", "a"); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("unknown event: %v", err)
		}
	})
}

// Two operators have listed the same dead deliveries. The second sends none of those that the first
// has sent, whatever became of them since.
func TestReplayOfTheDeadAsListed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failures  int                // before and after the first replay
		meanwhile func(*rig, string) // between the second listing and its replay
		status    relay.Status
		posts     int
		err       error
	}{
		"still dead": {1, func(*rig, string) {}, relay.Waiting, 1, nil},
		"on its way": {1, (*rig).mustReplay, relay.Waiting, 1, catalog.ErrConflict},
		"delivered": {1, func(r *rig, event string) {
			r.mustReplay(event)
			r.pump()
		}, relay.Delivered, 2, catalog.ErrConflict},
		"dead once more": {2, func(r *rig, event string) {
			r.mustReplay(event)
			r.pump()
		}, relay.Dead, 2, catalog.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{}, "a")
				r.poster.failTimes("a", tt.failures)
				event := r.mustPost("1", "", "{}")
				r.pump()
				listed := r.deliveryOf(event, "a")
				tt.meanwhile(r, event)
				if err := r.replayer().ReplayDead(
					t.Context(), event, "a", listed.Attempts,
				); !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				if d := r.deliveryOf(event, "a"); d.Status != tt.status ||
					len(r.poster.posts) != tt.posts {
					t.Errorf("%d POSTs, record %+v", len(r.poster.posts), d)
				}
			})
		})
	}
}

func (r *rig) mustReplay(event string) {
	if err := r.replay(event, "a"); err != nil {
		r.t.Error(err)
	}
}

// If the queue refuses a replay's message, the delivery stays as it was. If the replay is cut off,
// the delivery waits, and the sweeper finds it.
func TestReplayThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{}, "a")
		r.poster.failTimes("a", 1)
		event := r.mustPost("1", "", "{}")
		r.pump()
		before := r.deliveryOf(event, "a")
		broken := r.replayer()
		broken.Retry = brokenQueue{}
		if err := broken.Replay(t.Context(), event, "a"); !errors.Is(err, errInjected) {
			t.Errorf("the queue is down: %v", err)
		}
		if diff := cmp.Diff(before, r.deliveryOf(event, "a")); diff != "" {
			t.Errorf("after it (-before +after):\n%s", diff)
		}
		if err := r.replay(event, "a"); err != nil {
			t.Error(err)
		}
		lose(&r.retry)
		time.Sleep(3 * time.Hour)
		if report := r.sweep(); report.Overdue != 1 || report.PutBack != 1 {
			t.Errorf("the message is lost: %+v", report)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 2 {
			t.Errorf("record %+v", d)
		}
	})
}

func TestRouteAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // at midnight
		r := newRig(t, []time.Duration{time.Minute}, "a")
		early := r.mustPost("1", "user.created", `{"plan": "free"}`)
		r.consume(&r.ingest, nil, r.fanout.Process)
		if _, err := r.replayer().Route(t.Context(), early); err != nil {
			t.Error(err)
		}
		if r.retry.Len() != 0 {
			t.Error("routed again to where it is on its way")
		}
		r.pump()
		r.edit(func(c *catalog.Catalog) {
			for name, sub := range map[string]catalog.Subscription{
				"late": {
					Types: []string{"user.*"}, Filter: `{"data": {"plan": ["free"]}}`,
				}, "other": {Types: []string{"order.*"}},
			} {
				ep := c.Endpoints[0]
				ep.Name, ep.URL = name, "https://"+name+".example.com/"
				sub.Source, sub.Endpoint = "app", name
				c.Endpoints, c.Subscriptions = append(c.Endpoints, ep), append(c.Subscriptions, sub)
			}
		})
		time.Sleep(catalog.DefaultCacheTTL)
		r.poster.failTimes("late", 1)
		for _, want := range [][]string{{"late"}, nil} { // an impatient operator
			if names, err := r.replayer().Route(t.Context(), early); err != nil ||
				!slices.Equal(names, want) {
				t.Errorf("routed to %v, %v, want %v", names, err, want)
			}
		}
		lose(&r.retry)
		time.Sleep(3 * time.Hour)
		if report := r.sweep(); report.Overdue != 1 || report.PutBack != 1 {
			t.Errorf("the message is lost: %+v", report)
		}
		r.pump()
		if d := r.deliveryOf(early, "late"); d.Status != relay.Delivered ||
			len(r.poster.posts) != 3 {
			t.Errorf("%d POSTs, record %+v", len(r.poster.posts), d)
		}
		if names, err := r.replayer().Route(t.Context(), early); err != nil || len(names) > 0 {
			t.Errorf("and then to %v, %v", names, err)
		}
		time.Sleep(4 * time.Hour)
		if report := r.sweep(); report.Unaccounted() != 0 {
			t.Errorf("the sum of what it was routed to first: %+v", report)
		}
		if _, err := r.replayer().Route(t.Context(), "evt_none"); !errors.Is(
			err, catalog.ErrNotFound,
		) {
			t.Errorf("unknown event: %v", err)
		}
	})
}
