package relay_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// The queues by which a message comes to the deliverer, and the endpoint's order.
var deliveryQueues = map[string]catalog.Order{"without order": {}, "in order": {On: true}}

// receiveInVain receives everything in the rig's queues n times without handling it, as while
// Lambda throttles.
func (r *rig) receiveInVain(times int) {
	for range times {
		for _, q := range r.queues() {
			if _, err := q.Receive(r.t.Context(), 1000); err != nil {
				r.t.Fatal(err)
			}
		}
		time.Sleep(visibilityFactor * deliverTimeout)
	}
}

// queues returns the queues that functions consume.
func (r *rig) queues() []*memory.Queue {
	return []*memory.Queue{&r.ingest, &r.delivery, &r.retry, &r.inLine.ingest, &r.inLine.delivery}
}

// Lambda throttles, or a deployment is broken, for half an hour, for a night, or for two days. No
// message is set aside without a try.
func TestReceivesThatReachNoFunctionSetNothingAside(t *testing.T) {
	t.Parallel()
	for name, order := range deliveryQueues {
		for _, receives := range []int{5, relay.MaxReceives + 1, 500} {
			t.Run(fmt.Sprintf("%s, %d receives", name, receives), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := orderedRig(t, order, []time.Duration{time.Minute})
					r.failWhile(func(_, attempt string) bool { return attempt == "1" })
					const backlog = 12
					for i := range backlog {
						r.mustPost(fmt.Sprint(i), "t", fmt.Sprint(i))
					}
					r.receiveInVain(receives) // by fanout
					r.fanOut()
					r.receiveInVain(receives) // by deliver, first attempts
					r.consume(&r.delivery, nil, r.deliverer.Process)
					time.Sleep(2 * time.Minute)
					r.receiveInVain(receives) // later attempts
					r.pump()
					delivered := 0
					for _, rep := range r.reports.attempted {
						if rep.Status == relay.Delivered {
							delivered++
						}
					}
					if delivered != backlog || r.poison.Len()+r.ingestDL.Len() > 0 {
						t.Errorf(
							"%d of %d delivered, set aside %d and %d", delivered, backlog,
							r.ingestDL.Len(), r.poison.Len(),
						)
					}
				})
			})
		}
	}
}

// brokenEvents cannot record.
type brokenEvents struct{ relay.Events }

func (brokenEvents) RecordEvents(_ context.Context, records []relay.EventRecord) []relay.Recorded {
	return slices.Repeat([]relay.Recorded{{Err: errInjected}}, len(records))
}

// A message whose handling fails is set aside after the fifth failure, and not within the first
// half hour.
func TestAMessageThatFailsFiveTimesIsSetAside(t *testing.T) {
	t.Parallel()
	for name, order := range deliveryQueues {
		for stage, wrap := range map[string]func(ports) ports{
			"fanout":  func(p ports) ports { p.events = brokenEvents{}; return p },
			"deliver": func(p ports) ports { p.poster = panicking{}; return p },
		} {
			t.Run(stage+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := orderedRig(t, order, nil)
					r.build(wrap)
					began := time.Now()
					r.mustPost("1", "t", "{}")
					r.pump()
					failed := 0
					for _, rep := range r.reports.routed {
						if rep.Err != nil {
							failed++
						}
					}
					for _, rep := range r.reports.attempted {
						if rep.Err != nil {
							failed++
						}
					}
					aside := r.poison.Len() + r.ingestDL.Len()
					if took := time.Since(began); failed != relay.MaxFailures || aside != 1 ||
						took < 30*time.Minute || took > 40*time.Minute {
						t.Errorf("set aside %d after %d failures and %s", aside, failed, took)
					}
				})
			})
		}
	}
}

// failsTimes is a port that fails n times.
type failsTimes struct {
	n    int
	kind string
}

func (f *failsTimes) strike(_ context.Context, what string, call func() error) error {
	if f.n > 0 && (f.kind == "" || what == f.kind) {
		f.n--
		return errInjected
	}
	return call()
}

// One passing fault of ours costs seconds on every queue, not the queue's visibility timeout.
func TestAFaultOfOursDelaysAMessageByThatMuch(t *testing.T) {
	t.Parallel()
	for name, order := range deliveryQueues {
		for port, attempts := range map[string]int{
			"subscriptions of app": 1, "endpoint line": 1, "endpoint line, later": 2,
		} {
			t.Run(port+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := orderedRig(t, order, []time.Duration{time.Second})
					f := &failsTimes{1, port}
					if attempts == 2 {
						f.n = 0
						r.failWhile(func(_, attempt string) bool {
							// at the second attempt, in another instance
							f.n, f.kind = 1, "endpoint line"
							return attempt == "1"
						})
					}
					r.build(func(p ports) ports { return withFaults(f, p) })
					began := time.Now()
					event := r.mustPost("1", "t", "{}")
					r.fanOut()
					time.Sleep(10 * time.Second)
					r.fanOut()
					r.consume(&r.delivery, nil, r.deliverer.Process)
					r.consume(&r.inLine.delivery, nil, r.deliverer.Process)
					r.build(func(p ports) ports { return withFaults(f, p) })
					r.pump()
					if d := r.deliveryOf(event, "line"); d.Status != relay.Delivered ||
						d.Attempts != attempts {
						t.Errorf("%s after %d attempts", d.Status, d.Attempts)
					}
					if took := time.Since(began); took > 25*time.Second {
						t.Errorf("it took %s", took)
					}
				})
			})
		}
	}
}

// A message that cannot be held comes back after the visibility timeout. If failures cannot be
// counted, no message is set aside.
func TestFaultsWhileAFaultIsHandledLoseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		f := &failsTimes{8, ""}
		event := r.mustPost("1", "t", "{}")
		r.fanOut()
		r.build(func(p ports) ports {
			faulty := withFaults(f, p)
			p.endpoints, p.failures = faulty.endpoints, faulty.failures
			return p
		})
		msgs, _ := r.delivery.Receive(t.Context(), 10)
		r.deliverer.Process(t.Context(), msgs) // and is not held
		began := time.Now()
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || r.poison.Len() > 0 {
			t.Errorf("%s, %d set aside", d.Status, r.poison.Len())
		}
		if took := time.Since(began); took < visibilityFactor*deliverTimeout {
			t.Errorf("what was not held came back before the visibility timeout, after %s", took)
		}
	})
}

// killed is a process that dies at a POST. From then on no call to any port is made.
type killed struct{ dead bool }

func (k *killed) strike(_ context.Context, what string, call func() error) error {
	if k.dead = k.dead || strings.HasPrefix(what, "POST"); k.dead {
		return errKilled
	}
	return call()
}

// A message that kills the process is set aside, although the dead process cannot count a failure.
func TestAMessageThatKillsTheProcessIsSetAside(t *testing.T) {
	t.Parallel()
	for name, order := range deliveryQueues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := orderedRig(t, order, nil)
				r.mustPost("1", "t", "killer")
				r.fanOut()
				tries := 0
				for range 100 {
					for _, q := range []*memory.Queue{&r.delivery, &r.inLine.delivery} {
						msgs, _ := q.Receive(t.Context(), 10)
						if len(msgs) == 0 {
							continue
						}
						var process killed
						r.build(func(p ports) ports { return withFaults(&process, p) })
						errs := r.deliverer.Process(t.Context(), msgs)
						if process.dead {
							tries++
						} else {
							acknowledge(q, msgs, errs)
						}
					}
					time.Sleep(visibilityFactor * deliverTimeout)
				}
				if tries < relay.MaxReceives || tries > relay.MaxReceives+2*relay.MaxFailures ||
					r.poison.Len() != 1 {
					t.Errorf("%d tries, %d set aside", tries, r.poison.Len())
				}
			})
		})
	}
}

// An endpoint is changed, or removed and restored, before any cache notices. No delivery dies of
// the state in between.
func TestNoDeliveryDiesOfWhatACacheKeeps(t *testing.T) {
	t.Parallel()
	const later = catalog.DefaultCacheTTL / 2
	for name, tt := range map[string]struct {
		between func(*catalog.Catalog) // the change for a moment
		answer  relay.Reply            // of the endpoint's first attempt
		want    relay.Status
	}{
		"removed and restored": {func(c *catalog.Catalog) {
			c.Endpoints, c.Subscriptions = nil, nil
		}, relay.Reply{StatusCode: 200}, relay.Delivered},
		"a max_age": {func(c *catalog.Catalog) {
			c.Endpoints[0].MaxAge = time.Second
		}, relay.Reply{StatusCode: 200}, relay.Delivered},
		"a shorter schedule": {func(c *catalog.Catalog) {
			c.Endpoints[0].Schedule = []time.Duration{}
		}, relay.Reply{StatusCode: 503}, relay.Waiting},
		"a final status": {func(c *catalog.Catalog) {
			c.Endpoints[0].Final = []string{"503"}
		}, relay.Reply{StatusCode: 503}, relay.Waiting},
		"410 from its old URL": {func(c *catalog.Catalog) {
			c.Endpoints[0].URL = "https://old.example.com/"
		}, relay.Reply{StatusCode: 410}, relay.Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Hour}, "a")
				r.mustPost("0", "t", "{}")
				r.fanOut()
				r.edit(tt.between)
				// the cache keeps the state of this moment
				r.consume(&r.delivery, nil, r.deliverer.Process)
				r.edit(func(c *catalog.Catalog) {
					*c = catalog.Catalog{Sources: c.Sources, Endpoints: []catalog.Endpoint{{
						Name: "a", URL: "https://a.example.com/", Secrets: []string{endpointSecret},
						Schedule: []time.Duration{time.Hour},
					}}, Subscriptions: []catalog.Subscription{{Source: "app", Endpoint: "a"}}}
				})
				for _, name := range []string{"a", "old"} {
					r.poster.answers[name] = func(relay.Post) (relay.Reply, error) {
						return tt.answer, nil
					}
				}
				event := r.mustPost("1", "t", "{}")
				r.fanOut()
				time.Sleep(later)
				r.consume(&r.delivery, nil, r.deliverer.Process)
				if d := r.deliveryOf(event, "a"); d.Status != tt.want {
					t.Errorf("%s (%s) after %d POSTs", d.Status, d.Reason, len(r.poster.posts))
				}
				if s, _, _ := r.states.EndpointState(t.Context(), "a"); !s.DisabledAt.IsZero() {
					t.Error("the endpoint is disabled")
				}
			})
		})
	}
}

// While the catalog, or a disabled endpoint's state, cannot be read, no delivery dies.
func TestNothingDiesWhileTheCatalogCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]string{
		"the catalog": "endpoint a", "the state": "read state of a",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Hour}, "a")
				f := &failsTimes{0, port}
				r.build(func(p ports) ports { return withFaults(f, p) })
				first := r.mustPost("1", "t", "{}")
				r.fanOut()
				state, revision, _ := r.states.EndpointState(t.Context(), "a")
				disabled := state.Disable(time.Now(), "for a moment")
				if port == "endpoint a" {
					r.edit(func(c *catalog.Catalog) { c.Endpoints, c.Subscriptions = nil, nil })
				} else if err := r.states.SaveEndpointState(
					t.Context(), "a", disabled, revision,
				); err != nil {
					t.Fatal(err)
				}
				// now the instance has it in its cache
				r.consume(&r.delivery, nil, r.deliverer.Process)
				if d := r.deliveryOf(first, "a"); d.Status != relay.Dead {
					t.Fatalf("%s", d.Status)
				}
				if port == "endpoint a" {
					r.edit(func(c *catalog.Catalog) {
						c.Endpoints = []catalog.Endpoint{
							{
								Name: "a", URL: "https://a.example.com/",
								Secrets: []string{endpointSecret},
							},
						}
						c.Subscriptions = []catalog.Subscription{{Source: "app", Endpoint: "a"}}
					})
				} else if err := r.states.SaveEndpointState(
					t.Context(), "a", state, revision+1,
				); err != nil {
					t.Fatal(err)
				}
				second := r.mustPost("2", "t", "{}")
				time.Sleep(catalog.DefaultCacheTTL)
				r.fanOut()
				f.n = 2
				r.pump()
				if d := r.deliveryOf(second, "a"); d.Status != relay.Delivered {
					t.Errorf("%s (%s)", d.Status, d.Reason)
				}
			})
		})
	}
}

// Every delivery that waits, or lies in the dead queue, is recorded together with its event,
// however short the retention is.
func TestARetentionShorterThanTheScheduleKeepsTheRecord(t *testing.T) {
	t.Parallel()
	for name, order := range deliveryQueues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := orderedRig(t, order, nil) // the default schedule, 75 hours
				r.retention = 24 * time.Hour
				r.build(func(p ports) ports { return p })
				r.failWhile(func(string, string) bool { return true })
				event := r.mustPost("1", "t", "{}")
				check := func(status relay.Status, want int) {
					t.Helper()
					if listed := openOf(t, &r.ledger, "line", status); len(listed) != want {
						t.Errorf("%d are listed as %s, want %d", len(listed), status, want)
					}
					if _, _, err := r.ledger.Event(t.Context(), event); err != nil && want > 0 {
						t.Errorf("the event of a delivery that is %s: %v", status, err)
					}
				}
				r.fanOut()
				r.consume(&r.delivery, nil, r.deliverer.Process)
				r.consume(&r.inLine.delivery, nil, r.deliverer.Process)
				for range 30 {
					time.Sleep(time.Hour)
					r.consume(&r.retry, nil, r.deliverer.Process)
					r.consume(&r.inLine.delivery, nil, r.deliverer.Process)
					check(relay.Waiting, 1)
				}
				r.pump()
				if len(r.poster.posts) != 10 || r.dead.Len() != 1 {
					t.Fatalf("%d POSTs, %d in the dead queue", len(r.poster.posts), r.dead.Len())
				}
				check(relay.Dead, 1)
				// it may lie in the dead queue for as long
				time.Sleep(relay.MaxQueueTime - time.Hour)
				check(relay.Dead, 1)
				time.Sleep(2 * time.Hour)
				check(relay.Dead, 0)
			})
		})
	}
}

// A delivery that is replayed at the end of a short retention, or routed after it, is recorded
// together with its event while it waits.
func TestWhatOutlivesAShortRetentionKeepsItsEvent(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]func(r *rig) (event string){
		"replayed": func(r *rig) string {
			event := r.mustPost("1", "t", "{}")
			r.pump()
			time.Sleep(23*time.Hour + 30*time.Minute)
			if err := r.replayer().Replay(r.t.Context(), event, "line"); err != nil {
				r.t.Fatal(err)
			}
			return event
		},
		"routed late": func(r *rig) string {
			event := r.mustPost("1", "t", "{}")
			r.failWhile(func(string, string) bool { return true })
			time.Sleep(30 * time.Hour)
			r.fanOut()
			r.consume(&r.delivery, nil, r.deliverer.Process)
			return event
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{2 * time.Hour, 2 * time.Hour}, "line")
				r.retention = 24 * time.Hour
				r.build(func(p ports) ports { return p })
				event := late(r)
				time.Sleep(time.Hour) // the replay's message is still in its queue
				if d := r.deliveryOf(event, "line"); d.Status != relay.Waiting {
					t.Errorf("%+v", d)
				}
				if _, err := r.ledger.EventRecord(t.Context(), event); err != nil {
					t.Errorf("the event of a delivery that waits: %v", err)
				}
			})
		})
	}
}
