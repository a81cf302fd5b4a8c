package relay_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
)

// callsOn returns the number of AWS calls behind the calls to ports, as deployed. A call to a queue
// sends up to ten messages.
func (c *countCalls) callsOn() (n int) {
	n = c.of("")
	n += c.of("source ") + c.of("endpoint ") // KMS decrypts what is sealed
	n += 3 * c.of("endpoints in trouble")    // a query for each shard
	return n - c.of("POST ") - c.of("receive")
}

// TestAThousandQuietEndpointsCostNoMoreThanABusyOne: each endpoint gets a webhook a minute, for ten
// minutes, in batches of ten. The instances begin with empty caches.
func TestAThousandQuietEndpointsCostNoMoreThanABusyOne(t *testing.T) {
	t.Parallel()
	const endpoints, minutes, batch = 1000, 10, 10
	synctest.Test(t, func(t *testing.T) {
		names := make([]string, endpoints)
		for i := range names {
			names[i] = fmt.Sprintf("e%03d", i)
		}
		r := newRig(t, nil, names...)
		r.edit(func(c *catalog.Catalog) {
			for i := range c.Subscriptions {
				c.Subscriptions[i].Types = []string{c.Subscriptions[i].Endpoint}
			}
		})
		var calls countCalls
		r.build(func(p ports) ports { return withFaults(&calls, p) })
		for minute := range minutes {
			for i, name := range names {
				r.mustPost(fmt.Sprint(minute, " ", i), name, "{}")
				if i%batch == batch-1 {
					r.pump()
				}
				time.Sleep(time.Minute / endpoints)
			}
		}
		if n := len(r.poster.posts); n != endpoints*minutes {
			t.Errorf("%d deliveries", n)
		}
		perEvent := float64(calls.callsOn()) / (endpoints * minutes)
		t.Logf("%.2f calls for an event", perEvent)
		if perEvent > 3.5 {
			t.Errorf("%.2f calls for an event: %v", perEvent, calls.kinds())
		}
		if n := calls.of("read state"); n > 0 {
			t.Errorf("the states of endpoints that are well were read %d times", n)
		}
		// what an instance has read and decrypted is good for as long as the catalog is unchanged
		for what, want := range map[string]int{
			"endpoint ": endpoints, "source ": 1, "subscriptions ": 1,
		} {
			if n := calls.of(what); n != want {
				t.Errorf("%q was read %d times in ten minutes, want %d", what, n, want)
			}
		}
		if n := calls.of("generation"); n > 3*minutes*int(time.Minute/catalog.DefaultCacheTTL) {
			t.Errorf("%d looks at the generation, of three functions", n)
		}
	})
}

// kinds counts calls by the first word.
func (c *countCalls) kinds() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	kinds := map[string]int{}
	for what, n := range c.n {
		var first string
		_, _ = fmt.Sscan(what, &first)
		kinds[first] += n
	}
	return kinds
}

// TestTroubleIsKnownWithinFiveSeconds: another instance, or the operator, writes the state of an
// endpoint that was quiet.
func TestTroubleIsKnownWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(now time.Time) breaker.State{
		"open": func(now time.Time) breaker.State {
			return breaker.State{OpenUntil: now.Add(time.Hour), Openings: 1}
		},
		"paused": func(now time.Time) breaker.State {
			return breaker.State{PausedUntil: now.Add(time.Hour)}
		},
		"disabled": func(now time.Time) breaker.State {
			return breaker.State{DisabledAt: now, Reason: "by the operator"}
		},
	} {
		// since the list was read; a change is known 5 s after it at the latest
		for _, after := range []time.Duration{
			0, time.Second, 3 * time.Second, 4500 * time.Millisecond,
		} {
			t.Run(fmt.Sprint(name, " after ", after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, nil, "a")
					r.mustPost("1", "", "{}")
					r.pump()
					time.Sleep(after)
					at := time.Now()
					if err := r.states.SaveEndpointState(
						t.Context(), "a", trouble(at.UTC().Truncate(time.Millisecond)), 0,
					); err != nil {
						t.Fatal(err)
					}
					r.mustPost("2", "", "{}")
					r.consume(&r.ingest, nil, r.fanout.Process)
					r.consume(&r.delivery, nil, r.deliverer.Process)
					time.Sleep(time.Until(at.Add(5 * time.Second)))
					before := len(r.poster.posts)
					r.mustPost("3", "", "{}")
					r.consume(&r.ingest, nil, r.fanout.Process)
					r.consume(&r.delivery, nil, r.deliverer.Process)
					if n := len(r.poster.posts) - before; n != 0 {
						t.Errorf("%d attempts five seconds after it was %s", n, name)
					}
				})
			})
		}
	}
}

// listFails is a store of states whose list of troubled endpoints cannot be read.
type listFails struct {
	gate.EndpointStates
	tries *int
}

func (s listFails) TroubledEndpoints(context.Context) ([]string, error) {
	*s.tries++
	return nil, errInjected
}

// TestWithoutTheListWhatIsKnownStands: unknown endpoints get their deliveries, and an endpoint
// known as disabled gets none.
func TestWithoutTheListWhatIsKnownStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second}, "well", "ill")
		tries := 0
		r.poster.answers["ill"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 410}, nil
		}
		r.build(func(p ports) ports { p.states = listFails{p.states, &tries}; return p })
		for i := range 50 {
			r.mustPost(fmt.Sprint(i), "", "{}")
			r.pump()
			time.Sleep(100 * time.Millisecond)
		}
		posts := map[string]int{}
		for _, p := range r.poster.posts {
			posts[host(p)]++
		}
		if posts["well"] != 50 || posts["ill"] != 1 {
			t.Errorf(
				"attempts %v, want 50 at the one that is well, and one at that which wants no more",
				posts,
			)
		}
		if tries > 6 {
			t.Errorf("%d tries to read the list in five seconds", tries)
		}
	})
}
