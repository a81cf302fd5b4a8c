package relay_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// orderedRig returns a rig whose endpoint "line" has an order.
func orderedRig(t *testing.T, order catalog.Order, schedule []time.Duration) *rig {
	t.Helper()
	r := newRig(t, schedule, "line")
	r.setOrder(order)
	return r
}

// setOrder changes the endpoint's order, and starts new instances of the functions, which know it
// at once.
func (r *rig) setOrder(order catalog.Order) {
	r.t.Helper()
	c, revision, err := r.catalog.LoadCatalog(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	c.Sources, c.Endpoints, c.Subscriptions = slices.Clone(c.Sources), slices.Clone(c.Endpoints),
		slices.Clone(c.Subscriptions)
	for i := range c.Endpoints {
		c.Endpoints[i].Order = order
	}
	if err := r.catalog.ReplaceCatalog(r.t.Context(), c, revision); err != nil {
		r.t.Fatal(err)
	}
	r.build(func(p ports) ports { return p })
}

// sequence returns what was POSTed, as "body attempt", in order.
func (r *rig) sequence() []string {
	var all []string
	for _, p := range r.poster.posts {
		all = append(all, strings.TrimSpace(string(p.Body))+" "+p.Header[relay.HeaderAttempt])
	}
	return all
}

// failWhile makes the endpoint answer 503 to a body for as long as says is true.
func (r *rig) failWhile(says func(body, attempt string) bool) {
	r.poster.answers["line"] = func(p relay.Post) (relay.Reply, error) {
		if says(strings.TrimSpace(string(p.Body)), p.Header[relay.HeaderAttempt]) {
			return relay.Reply{StatusCode: 503}, nil
		}
		return relay.Reply{StatusCode: 200}, nil
	}
}

func (r *rig) expectSequence(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.sequence()); diff != "" {
		r.t.Errorf("POSTs (-want +got):\n%s", diff)
	}
}

func TestOneOrderForTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, []time.Duration{time.Second, time.Minute})
		r.failWhile(func(body, attempt string) bool {
			return body == "1" || body == "2" && attempt == "1"
		})
		for _, body := range []string{"1", "2", "3"} {
			r.mustPost(body, "t", body)
		}
		r.pump()
		r.expectSequence("1 1", "1 2", "1 3", "2 1", "2 2", "3 1")
		if r.retry.Len()+r.delivery.Len()+r.ingest.Len() > 0 || r.dead.Len() != 1 {
			t.Errorf("%d dead messages", r.dead.Len())
		}
	})
}

func TestAKeyThatFailsHoldsOnlyItselfBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true, Key: "data.id"}, []time.Duration{time.Hour})
		const a, b, number = `{"data":{"id":"a"}}`, `{"data":{"id":"b"}}`, `{"data":{"id":7}}`
		r.failWhile(func(body, attempt string) bool { return body == a && attempt == "1" })
		const behind = `{"data":{"id":"a","n":2}}`
		large := behind + strings.Repeat(" ", relay.DefaultInlineBodyBytes)
		for i, body := range []string{a, b, large, `{}`, number, `no JSON`, b} {
			r.mustPost(fmt.Sprint(i), "t", body)
		}
		r.pump()
		got := r.sequence()
		held := slices.Index(got, a+" 2")
		if len(got) != 8 || held < 0 ||
			!slices.Equal(got[held:], []string{a + " 2", behind + " 1"}) {
			t.Errorf("POSTs %q; the last two are to be those that waited", got)
		}
		if slices.Index(got, "{} 1") > slices.Index(got, "no JSON 1") {
			t.Errorf("POSTs %q; those without a key are in line with each other", got)
		}
	})
}

// A wait of several holds is not a failure, however often the message is received.
func TestWaitsAreNoFailuresOfOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// seven holds and two, in less time than disables an endpoint
		schedule := []time.Duration{80 * time.Hour, 30 * time.Hour}
		r := orderedRig(t, catalog.Order{On: true}, schedule)
		r.failWhile(func(body, attempt string) bool { return attempt != "3" })
		began := time.Now()
		event := r.mustPost("1", "t", "1")
		r.pump()
		d := r.deliveryOf(event, "line")
		if d.Status != relay.Delivered || d.Attempts != 3 || r.poison.Len() > 0 {
			t.Errorf("%s after %d attempts, %d put aside", d.Status, d.Attempts, r.poison.Len())
		}
		if took := time.Since(began); took < 110*time.Hour || took > 121*time.Hour {
			t.Errorf("it took %v", took)
		}
	})
}

// A message whose handling fails is set aside, and the order goes on. After a redrive it goes to
// the end of its group.
func TestPoisonIsPutAsideAndTheOrderGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(
			t, catalog.Order{On: true}, []time.Duration{time.Second, time.Second, time.Second},
		)
		panics := true
		r.poster.answers["line"] = func(p relay.Post) (relay.Reply, error) {
			switch attempt := p.Header[relay.HeaderAttempt]; {
			case string(p.Body) == "1" && attempt == "3" && panics:
				panic("a bug")
			case string(p.Body) == "1" && attempt != "3":
				return relay.Reply{StatusCode: 500}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		event := r.mustPost("1", "t", "1")
		r.mustPost("2", "t", "2")
		r.pump()
		r.expectSequence("1 1", "1 2", "1 3", "1 3", "1 3", "1 3", "1 3", "2 1")
		if d := r.deliveryOf(event, "line"); d.Status != relay.Waiting || d.Attempts != 2 ||
			r.poison.Len() != 1 {
			t.Fatalf("%s after %d attempts, %d put aside", d.Status, d.Attempts, r.poison.Len())
		}
		panics = false
		r.poison.Move(&r.delivery)
		r.pump()
		if d := r.deliveryOf(event, "line"); d.Status != relay.Delivered || d.Attempts != 3 {
			t.Errorf("%s after %d attempts", d.Status, d.Attempts)
		}
	})
}

// awayEndpoints cannot be read the next n times.
type awayEndpoints struct {
	catalog.Endpoints
	n int
}

func (f *awayEndpoints) Endpoint(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Endpoint, error) {
	if f.n--; f.n >= 0 {
		return catalog.Endpoint{}, errInjected
	}
	return f.Endpoints.Endpoint(ctx, g, name)
}

// A passing fault of ours delays a group for seconds, not for the queue's visibility timeout. A
// lasting fault sets nothing aside within half an hour.
func TestAFaultOfOursHoldsUpALineAsLongAsItLasts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults, poison int
		least, most    time.Duration
	}{
		"one":              {1, 0, time.Second, 10 * time.Second},
		"two":              {2, 0, 10 * time.Second, time.Minute},
		"as many as count": {relay.MaxFailures, 1, 30 * time.Minute, 35 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := orderedRig(t, catalog.Order{On: true}, nil)
				r.build(func(p ports) ports {
					p.endpoints = &awayEndpoints{p.endpoints, tt.faults}
					return p
				})
				began := time.Now()
				for _, body := range []string{"1", "2"} {
					r.mustPost(body, "t", body)
				}
				r.pump()
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("it took %v, want %v to %v", took, tt.least, tt.most)
				}
				if n := len(r.poster.posts); n != 2-tt.poison || r.poison.Len() != tt.poison {
					t.Errorf("%d POSTs, %d put aside", n, r.poison.Len())
				}
			})
		})
	}
}

// unsaved deliveries cannot be recorded the next n times.
type unsaved struct {
	relay.Deliveries
	n int
}

func (f *unsaved) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	if f.n--; f.n >= 0 {
		return errInjected
	}
	return f.Deliveries.SaveDelivery(ctx, d, prior)
}

// An attempt that could not be recorded does not count as recorded.
func TestAnOutageOfTheLedgerSetsNothingOfALineAsideSooner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, nil)
		r.build(func(p ports) ports {
			p.deliveries = &unsaved{p.deliveries, relay.MaxFailures}
			return p
		})
		began := time.Now()
		r.mustPost("1", "t", "1")
		r.pump()
		if took, least := time.Since(began), 30*time.Minute; took < least || r.poison.Len() != 1 {
			t.Errorf("%d put aside after %v, want 1 after %v", r.poison.Len(), took, least)
		}
	})
}

// An ordered queue remembers names for minutes. A message that is set aside and redriven within
// that time has the same name.
func TestWhatIsRedrivenTwiceInMinutesGetsInLineTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, nil)
		event := r.mustPost("1", "t", "1")
		r.consume(&r.inLine.ingest, nil, r.fanout.Process)
		for range 2 {
			worn, _ := r.inLine.delivery.Receive(t.Context(), 1)
			if len(worn) != 1 {
				t.Fatalf("%d in line", len(worn))
			}
			_ = r.inLine.delivery.Ack(t.Context(), worn[0])
			r.poster.answers["line"] = func(relay.Post) (relay.Reply, error) { panic("a bug") }
			for range relay.MaxFailures {
				r.deliverer.Process(t.Context(), worn)
			}
			delete(r.poster.answers, "line")
			r.poison.Move(&r.delivery)
			r.consume(&r.delivery, nil, r.deliverer.Process)
		}
		r.pump()
		if d := r.deliveryOf(event, "line"); d.Status != relay.Delivered {
			t.Errorf("%s", d.Status)
		}
	})
}

// A message that fails once comes back by itself, at the latest after the queue's visibility
// timeout.
func TestALineThatCannotBeHeldGoesOnByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, nil)
		r.build(func(p ports) ports {
			p.endpoints = &awayEndpoints{p.endpoints, 1}
			return p
		})
		r.mustPost("1", "t", "1")
		r.pump()
		r.expectSequence("1 1")
	})
}

func TestTheUnreadableIsPutAsideAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, nil)
		for _, q := range []*memory.Queue{&r.inLine.ingest, &r.inLine.delivery} {
			if err := q.Send(
				t.Context(), []relay.Outgoing{{Body: []byte("?"), Group: "g", Once: "1"}},
			)[0]; err != nil {
				t.Fatal(err)
			}
		}
		r.pump()
		if r.ingestDL.Len() != 1 || r.poison.Len() != 1 {
			t.Errorf("%d and %d put aside", r.ingestDL.Len(), r.poison.Len())
		}
	})
}

// SQS deletes a message after a time. So a delivery that has waited too long in its group dies
// while its message is still there.
func TestWhatStandsInLineForTooLongDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, []time.Duration{2 * time.Hour})
		r.failWhile(func(string, string) bool { return true })
		now := time.Now()
		for name, tt := range map[string]struct {
			sentAt time.Time
			want   relay.Status
			reason relay.Reason
			posts  int
		}{
			"now":       {now, relay.Waiting, "", 1},
			"not known": {time.Time{}, relay.Waiting, "", 1},
			"with no time left for the next": {
				now.Add(-13*24*time.Hour + time.Hour), relay.Dead, relay.Expired, 1,
			},
			"with no time left for this either": {
				now.Add(-13*24*time.Hour - time.Second), relay.Dead, relay.Expired, 0,
			},
		} {
			r.poster.posts = nil
			event := r.mustPost(name, "t", "1")
			r.consume(&r.inLine.ingest, nil, r.fanout.Process)
			msgs, _ := r.inLine.delivery.Receive(t.Context(), 1)
			in := msgs[0]
			in.SentAt = tt.sentAt
			r.deliverer.Process(t.Context(), []relay.Message{in})
			if d := r.deliveryOf(event, "line"); d.Status != tt.want || d.Reason != tt.reason ||
				len(r.poster.posts) != tt.posts {
				t.Errorf(
					"sent %s: %s, %s after %d POSTs", name, d.Status, d.Reason, len(r.poster.posts),
				)
			}
			_ = r.inLine.delivery.Ack(t.Context(), msgs[0])
		}
	})
}

// Messages in flight are understood in either queue.
func TestAChangeOfTheOrderLosesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, after catalog.Order }{
		"from none":      {catalog.Order{}, catalog.Order{On: true}},
		"to none":        {catalog.Order{On: true}, catalog.Order{}},
		"to another key": {catalog.Order{On: true, Key: "a"}, catalog.Order{On: true, Key: "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := orderedRig(t, tt.before, []time.Duration{time.Minute, 3 * time.Hour})
				r.failWhile(func(body, attempt string) bool {
					return strings.Contains(body, "fails") && attempt != "3"
				})
				var events []string
				post := func(bodies ...string) {
					for _, body := range bodies {
						events = append(events, r.mustPost(fmt.Sprint(len(events)), "t", body))
					}
				}
				post(`{"a":1,"b":1,"n":"fails"}`, `{"a":1,"b":2}`)
				r.fanOut()
				r.consume(&r.delivery, nil, r.deliverer.Process)
				r.consume(&r.inLine.delivery, nil, r.deliverer.Process) // the first waits
				post(`{"a":2,"b":1}`)
				r.fanOut()
				post(`{"a":1,"b":1,"n":4}`) // this one is still at the ingest
				r.setOrder(tt.after)
				post(`{"a":1,"b":1,"n":"also fails"}`, `{"a":1,"b":1,"n":6}`)
				r.pump()
				for i, event := range events {
					d := r.deliveryOf(event, "line")
					if want := map[bool]int{true: 3, false: 1}[i == 0 ||
						i == 4]; d.Status != relay.Delivered || d.Attempts != want {
						t.Errorf("webhook %d is %s after %d attempts", i+1, d.Status, d.Attempts)
					}
				}
				if got := r.sequence(); tt.after.On && slices.Index(
					got, `{"a":1,"b":1,"n":"also fails"} 3`,
				) > slices.Index(got, `{"a":1,"b":1,"n":6} 1`) {
					t.Errorf("what came after the change is not in order: %q", got)
				}
				if len(r.poster.posts) != len(events)+4 {
					t.Errorf("%d POSTs: %q", len(r.poster.posts), r.sequence())
				}
			})
		})
	}
}

// fanOut runs the fan-out only.
func (r *rig) fanOut() {
	for r.consume(&r.ingest, &r.ingestDL, r.fanout.Process) ||
		r.consume(&r.inLine.ingest, &r.ingestDL, r.fanout.Process) {
	}
}

// In a batch with several messages of a group, none is handled behind one that failed. Other groups
// are not affected.
func TestBehindAFailureNothingOfItsGroupIsWorkedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true, Key: "k"}, []time.Duration{time.Hour})
		r.failWhile(func(body, _ string) bool { return strings.HasPrefix(body, `{"k":1`) })
		for i, body := range []string{`{"k":1}`, `{"k":1,"n":2}`, `{"k":2}`, `{"k":1,"n":3}`} {
			r.mustPost(fmt.Sprint(i), "t", body)
		}
		r.fanOut()
		msgs, _ := r.inLine.delivery.Receive(t.Context(), 10)
		failed := map[string]int{}
		for i, a := range r.deliverer.Process(t.Context(), msgs) {
			if a.Retry {
				failed[msgs[i].Group]++
			}
		}
		if got := r.sequence(); len(msgs) != 4 || len(failed) != 1 || len(got) != 2 ||
			failed[msgs[0].Group] != 3 && failed[msgs[3].Group] != 3 {
			t.Errorf("%d messages, failed %v, POSTs %q", len(msgs), failed, got)
		}
	})
}

// refusing is a queue that refuses one message.
type refusing struct {
	relay.OrderedQueue
	n int
}

func (q *refusing) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if q.n--; q.n == 0 {
		return brokenQueue{}.Send(ctx, msgs)
	}
	return q.OrderedQueue.Send(ctx, msgs)
}

// An event whose deliveries could not be sent is fanned out again before those behind it.
func TestTheFanOutGoesNoFurtherThanWhatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := orderedRig(t, catalog.Order{On: true}, nil)
		r.build(func(p ports) ports {
			p.line = &refusing{p.line, 1}
			return p
		})
		for _, body := range []string{"1", "2", "3"} {
			r.mustPost(body, "t", body)
		}
		msgs, _ := r.inLine.ingest.Receive(t.Context(), 10)
		for i, a := range r.fanout.Process(t.Context(), msgs) {
			if !a.Retry {
				t.Errorf("message %d was acknowledged", i+1)
			}
		}
		r.pump()
		r.expectSequence("1 1", "2 1", "3 1")
	})
}

// The same holds if the deliveries of an event are sent in parts.
func TestTheFanOutGoesNoFurtherThanAPartThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names := make([]string, 501) // one more than are sent at once
		for i := range names {
			names[i] = fmt.Sprintf("e%d", i)
		}
		r := newRig(t, nil, names...)
		r.setOrder(catalog.Order{On: true})
		r.build(func(p ports) ports {
			p.line = &refusing{p.line, 1}
			return p
		})
		r.mustPost("1", "t", "1")
		r.mustPost("2", "t", "2")
		msgs, _ := r.inLine.ingest.Receive(t.Context(), 10)
		r.fanout.Process(t.Context(), msgs)
		if n := r.inLine.delivery.Len(); n != 0 {
			t.Errorf("%d deliveries in line, want none behind what failed", n)
		}
	})
}

// If a fan-out runs twice, or a provider sends a webhook twice, there is no second POST.
func TestCopiesInLineArePostedOnce(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]time.Duration{
		"at once": 0, "when the queue has forgotten their names": 10 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := orderedRig(t, catalog.Order{On: true}, []time.Duration{time.Minute})
				r.failWhile(func(body, attempt string) bool { return attempt == "1" })
				r.mustPost("1", "t", "1")
				msgs, _ := r.inLine.ingest.Receive(t.Context(), 1)
				r.fanout.Process(t.Context(), msgs) // and its acknowledgement is lost
				time.Sleep(apart)
				r.pump()
				r.mustPost("1", "t", "1")
				r.pump()
				r.expectSequence("1 1", "1 2")
			})
		})
	}
}

// A source without an ordered endpoint makes the same calls to ports, whether or not other sources
// have one.
func TestSourcesWithoutOrderTouchNoOrderedQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second, time.Hour}, "plain")
		r.build(func(p ports) ports {
			p.ingestLine, p.line = nil, nil
			return p
		})
		r.poster.failTimes("plain", 2)
		event := r.mustPost("1", "t", "1")
		r.pump()
		if d := r.deliveryOf(event, "plain"); d.Status != relay.Delivered || d.Attempts != 3 {
			t.Errorf("%s after %d attempts", d.Status, d.Attempts)
		}
	})
}
