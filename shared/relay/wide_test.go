package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// The sizes of a wide event here: it has as many chunks as ten thousand endpoints have by default.
const (
	wideEndpoints = 1000
	wideChunk     = wideEndpoints * relay.DefaultChunk / relay.MaxEndpoints
)

// takingTime is a queue that takes time for each Send, and dies at one of them.
type takingTime struct {
	relay.OrderedQueue
	takes time.Duration
	sends int
	dies  int // which Send kills the process; 0: none
}

func (q *takingTime) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	time.Sleep(q.takes)
	if q.sends++; q.sends == q.dies {
		panic("killed")
	}
	return q.OrderedQueue.Send(ctx, msgs)
}

// killable runs an invocation of the fan-out, and tells whether the process was killed in it.
func killable(r *rig, msgs []relay.Message) (actions []relay.Action, killed bool) {
	defer func() { killed = killed || recover() != nil }()
	ctx, cancel := context.WithTimeout(context.Background(), fanoutTimeout)
	defer cancel()
	actions = r.fanout.Process(ctx, msgs)
	if ctx.Err() != nil {
		r.t.Error("the invocation ran into its deadline")
	}
	return actions, false
}

// wideRig returns a rig with a source and n endpoints, ordered or not, whose queue takes time.
func wideRig(t *testing.T, n int, order catalog.Order, q *takingTime) *rig {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("e%04d", i)
	}
	r := newRig(t, nil, names...)
	r.chunk = wideChunk
	if order.On {
		r.setOrder(order)
	}
	r.build(func(p ports) ports {
		if q.OrderedQueue = &r.delivery; order.On {
			q.OrderedQueue = &r.inLine.delivery
		}
		p.delivery, p.line = q, q
		return p
	})
	return r
}

// An event with more endpoints than one invocation can send to takes several invocations. Each
// continues where the last stopped. What a killed one sent is sent again.
func TestAFanOutToManyEndpointsGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	const chunks = wideEndpoints / wideChunk
	cases := map[string]*takingTime{
		"in one go": {takes: 100 * time.Millisecond}, "in many": {takes: 3 * time.Second},
		"a chunk each": {takes: 25 * time.Second},
	}
	for k := range chunks {
		cases[fmt.Sprintf("killed at chunk %d", k+1)] = &takingTime{
			takes: 3 * time.Second, dies: k + 1,
		}
	}
	for name, q := range cases {
		for _, order := range []catalog.Order{{}, {On: true}} {
			t.Run(fmt.Sprintf("%s, ordered %t", name, order.On), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					q := &takingTime{takes: q.takes, dies: q.dies}
					r := wideRig(t, wideEndpoints, order, q)
					from := &r.ingest
					if order.On {
						from = &r.inLine.ingest
					}
					first, second := r.mustPost("1", "t", "1"), r.mustPost("2", "t", "2")
					sent := fanOutAll(r, from)
					if q.dies == 0 && q.sends != 2*chunks {
						t.Errorf("%d chunks were sent of %d", q.sends, 2*chunks)
					}
					expectOnceEach(t, q, order.On, sent, first, second)
				})
			})
		}
	}
}

// An event may take more invocations than MaxReceives. It is no suspect, because each invocation
// made progress.
func TestAFanOutThatGetsOnIsNeverSetAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &takingTime{takes: 25 * time.Second}
		r := wideRig(t, wideEndpoints, catalog.Order{}, q)
		r.chunk = wideEndpoints / (relay.MaxReceives + 2*relay.MaxFailures)
		r.build(func(p ports) ports {
			p.delivery = q
			return p
		})
		event := r.mustPost("1", "t", "1")
		sent := fanOutAll(r, &r.ingest)
		if q.sends <= relay.MaxReceives+relay.MaxFailures {
			t.Errorf("it took no more than %d invocations", q.sends)
		}
		if n := r.ingestDL.Len(); n > 0 {
			t.Errorf("%d messages were set aside", n)
		}
		expectOnceEach(t, q, false, sent, event)
	})
}

// fanOutAll makes invocations with one message each until the queue is empty.
func fanOutAll(r *rig, from *memory.Queue) []relay.Message {
	r.t.Helper()
	for range 200 {
		msgs, _ := from.Receive(context.Background(), 1)
		if len(msgs) == 0 {
			if from.Len() == 0 {
				break
			}
			time.Sleep(time.Minute)
			continue
		}
		actions, killed := killable(r, msgs)
		switch {
		case killed:
		case !actions[0].Retry:
			_ = from.Ack(context.Background(), msgs[0])
		case !errors.Is(actions[0].Err, relay.ErrUnfinished):
			r.t.Error(actions[0])
		}
	}
	if from.Len() > 0 {
		r.t.Error("it never ends")
	}
	if r.inLine.delivery.Len() > 0 {
		return r.inLine.delivery.List()
	}
	return r.delivery.List()
}

// expectOnceEach checks that every endpoint has one message of each event, in order if it is
// ordered. It may have more only if the process was killed.
func expectOnceEach(
	t *testing.T, q *takingTime, ordered bool, sent []relay.Message, events ...string,
) {
	t.Helper()
	got := map[string][]string{} // by endpoint
	for _, m := range sent {
		task := decodeSent(t, m.Body)
		got[task.Endpoint] = append(got[task.Endpoint], task.Event.ID)
	}
	if len(got) != wideEndpoints {
		t.Errorf("%d endpoints have messages", len(got))
	}
	for name, ids := range got {
		seen := map[string]bool{}
		for i, id := range ids {
			if seen[id] && q.dies == 0 || ordered && !seen[id] && id != events[len(seen)] {
				t.Fatalf("%s has %v, want %v (message %d)", name, ids, events, i)
			}
			seen[id] = true
		}
		if len(seen) != len(events) {
			t.Fatalf("%s has %v, want %v", name, ids, events)
		}
	}
}

// decodeSent reads the fields of a delivery's message that a test needs.
func decodeSent(t *testing.T, body []byte) (m struct {
	Endpoint string
	Event    struct{ ID string }
}) {
	t.Helper()
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Events with few deliveries do not wait for one with many in their batch.
func TestTheSmallEventsOfABatchComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &takingTime{takes: 25 * time.Second}
		r := wideRig(t, wideEndpoints, catalog.Order{}, q)
		r.edit(func(c *catalog.Catalog) {
			for i := range c.Subscriptions[1:] {
				c.Subscriptions[1+i].Types = []string{"all"}
			}
		})
		r.mustPost("wide", "all", "")
		narrow := r.mustPost("narrow", "one", "")
		msgs, _ := r.ingest.Receive(t.Context(), 10)
		actions, _ := killable(r, msgs)
		if !errors.Is(actions[0].Err, relay.ErrUnfinished) || actions[1].Retry {
			t.Errorf("%v", actions)
		}
		if first := decodeSent(t, r.delivery.List()[0].Body); first.Event.ID != narrow {
			t.Errorf("the first message is of %s, want the event to one endpoint", first.Event.ID)
		}
		if rep := r.reports.routed[0]; rep.Result != relay.Unfinished || rep.Err != nil ||
			rep.Endpoints != wideEndpoints || !rep.Recorded {
			t.Errorf("report %+v", rep)
		}
	})
}

// To replay one dead delivery of an event to many endpoints costs as much as one delivery, not as
// all of them.
func TestAReplayReadsOneDeliveryOfMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{}, "a", "b")
		r.poster.failTimes("b", 1)
		event := r.mustPost("1", "", "{}")
		r.pump()
		replay := r.replayer()
		replay.Ledger = noDeliveries{replay.Ledger}
		if err := replay.Replay(t.Context(), event, "b"); err != nil {
			t.Error(err)
		}
		r.pump()
		if d := r.deliveryOf(event, "b"); d.Status != relay.Delivered {
			t.Errorf("%+v", d)
		}
	})
}

// noDeliveries is a ledger that cannot read all deliveries of an event.
type noDeliveries struct{ operate.Ledger }

func (noDeliveries) Event(context.Context, string) (relay.EventRecord, []relay.Delivery, error) {
	return relay.EventRecord{}, nil, errInjected
}
