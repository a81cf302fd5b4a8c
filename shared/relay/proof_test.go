package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
)

// newProver returns a rig whose only endpoint must give a proof.
func newProver(t *testing.T, kind catalog.ProofKind, schedule ...time.Duration) *rig {
	t.Helper()
	r := newRig(t, schedule, "shipping")
	r.edit(func(c *catalog.Catalog) { c.Endpoints[0].Prove = kind })
	return r
}

// isProof tells a request that asks for proof from a delivery.
func isProof(p relay.Post) bool { return p.Header[relay.HeaderSource] == catalog.OwnSource }

// proofs returns the numbers of requests for proof and of deliveries so far.
func (r *rig) proofs() (proofs, deliveries int) {
	r.poster.mu.Lock()
	defer r.poster.mu.Unlock()
	for _, p := range r.poster.posts {
		if isProof(p) {
			proofs++
		} else {
			deliveries++
		}
	}
	return proofs, deliveries
}

// answerProof makes the endpoint answer requests for proof with the given answer, and deliveries
// with 200.
func (r *rig) answerProof(answer func(relay.Post) (relay.Reply, error)) {
	r.poster.answers["shipping"] = func(p relay.Post) (relay.Reply, error) {
		if isProof(p) {
			return answer(p)
		}
		return relay.Reply{StatusCode: 200}, nil
	}
}

func (r *rig) state() breaker.State {
	r.t.Helper()
	s, _, err := r.states.EndpointState(r.t.Context(), "shipping")
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// changes lists the changes of endpoints that the operator was told.
func (r *reports) changes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, a := range r.attempted {
		if a.Change != nil {
			out = append(out, strings.TrimSpace(a.Change.Type+" "+a.Change.Reason))
		}
	}
	return out
}

// step makes the functions handle what is due now, and waits for nothing.
func (r *rig) step() {
	for r.consume(&r.ingest, &r.ingestDL, r.fanout.Process) ||
		r.consume(&r.delivery, nil, r.deliverer.Process) ||
		r.consume(&r.retry, nil, r.deliverer.Process) {
	}
}

func TestAnEndpointGetsNothingBeforeItHasProvedItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		fails := 3
		r.answerProof(func(relay.Post) (relay.Reply, error) {
			if fails--; fails >= 0 {
				return relay.Reply{StatusCode: 404}, nil
			}
			return relay.Reply{StatusCode: 204}, nil
		})
		var ids []string
		for i := range 5 {
			ids = append(ids, r.mustPost(fmt.Sprint(i), "push", "{}"))
		}
		r.step()
		now := time.Now()
		if proofs, deliveries := r.proofs(); proofs != 1 || deliveries != 0 {
			t.Errorf("%d requests for proof and %d deliveries at first", proofs, deliveries)
		}
		if s := r.state(); s.Phase(now) != breaker.Unproven || s.Unproven != "it answered 404" ||
			s.HeldUntil(now) != now.UTC().Add(breaker.FirstWait) {
			t.Errorf("state %+v", s)
		}
		if d := r.deliveryOf(ids[0], "shipping"); d.Status != relay.Waiting || d.Attempts != 0 {
			t.Errorf("delivery %+v", d)
		}
		r.pump()
		if proofs, deliveries := r.proofs(); proofs != 4 || deliveries != len(ids) {
			t.Errorf("%d requests for proof and %d deliveries", proofs, deliveries)
		}
		for _, p := range r.poster.posts[:4] {
			if !isProof(p) {
				t.Error("a delivery before the proof")
			}
		}
		for _, id := range ids {
			if d := r.deliveryOf(id, "shipping"); d.Status != relay.Delivered || d.Attempts != 1 {
				t.Errorf("delivery %+v", d)
			}
		}
		if got := strings.Join(
			r.reports.changes(), ", ",
		); got != "endpoint.unproven it answered 404, endpoint.proved" {
			t.Errorf("told: %s", got)
		}
		time.Sleep(time.Hour)
		r.mustPost("later", "push", "{}")
		r.pump()
		if proofs, _ := r.proofs(); proofs != 4 {
			t.Error("it had to prove itself again")
		}
		if s := r.state(); !s.Well() {
			t.Errorf("not well: %+v", s)
		}
	})
}

func TestAPingIsADelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		r.edit(func(c *catalog.Catalog) {
			c.Endpoints[0].Header = map[string]string{"authorization": "Bearer x"}
		})
		r.mustPost("1", "push", "{}")
		r.pump()
		ping, delivery := r.poster.posts[0], r.poster.posts[1]
		if ping.Method != "" || ping.URL != delivery.URL || ping.Timeout != delivery.Timeout ||
			!verifies(t, endpointSecret, ping) {
			t.Errorf("ping %+v", ping)
		}
		if id := ping.Header["webhook-id"]; !strings.HasPrefix(id, "evt_") ||
			id == delivery.Header["webhook-id"] {
			t.Errorf("webhook-id %s", id)
		}
		for name, want := range map[string]string{
			"content-type": "application/json", "relay-event-type": relay.PingType,
			"authorization": "Bearer x", "webhook-request-origin": "",
		} {
			if got := ping.Header[name]; got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		var body struct {
			Type      string
			Timestamp time.Time
			Data      struct{ Endpoint string }
		}
		err := json.Unmarshal(ping.Body, &body)
		if err != nil || body.Type != relay.PingType || time.Since(body.Timestamp) > time.Hour ||
			body.Data.Endpoint != "shipping" {
			t.Errorf("%s: %v", ping.Body, err)
		}
	})
}

// slowEndpoints takes a millisecond to read an endpoint.
type slowEndpoints struct{ catalog.Endpoints }

func (s slowEndpoints) Endpoint(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Endpoint, error) {
	time.Sleep(time.Millisecond) // virtual: all concurrent reads have begun by then
	return s.Endpoints.Endpoint(ctx, g, name)
}

// TestOneAsksForProof has ten deliveries arrive at once, while the endpoint takes a second to
// answer.
func TestOneAsksForProof(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]int{"of ten instances": 1, "of a batch": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newProver(t, catalog.ProvePing)
				slow := func(p ports) ports {
					p.endpoints = slowEndpoints{p.endpoints}
					p.poster = posterFunc(func(
						ctx context.Context, post relay.Post,
					) (relay.Reply, error) {
						time.Sleep(time.Second)
						return r.poster.Post(ctx, post)
					})
					return p
				}
				for i := range 10 {
					r.mustPost(fmt.Sprint(i), "push", "{}")
				}
				r.consume(&r.ingest, &r.ingestDL, r.fanout.Process)
				var instances sync.WaitGroup
				for range 10 / batch {
					msgs, _ := r.delivery.Receive(t.Context(), batch)
					r.build(slow)
					deliverer := r.deliverer
					instances.Go(func() {
						for i, a := range deliverer.Process(t.Context(), msgs) {
							if a.Retry {
								t.Error(a)
							}
							_ = r.delivery.Ack(t.Context(), msgs[i])
						}
					})
				}
				instances.Wait()
				if proofs, deliveries := r.proofs(); proofs != 1 || deliveries != 0 {
					t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
				}
				began := time.Now()
				r.pump()
				if proofs, deliveries := r.proofs(); proofs != 1 || deliveries != 10 {
					t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
				}
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("the last came %s later", took)
				}
			})
		})
	}
}

// stateReads counts the reads of states.
type stateReads struct {
	gate.EndpointStates
	n *int
}

func (s stateReads) EndpointState(
	ctx context.Context, endpoint string,
) (breaker.State, int64, error) {
	*s.n++
	return s.EndpointStates.EndpointState(ctx, endpoint)
}

// TestAProvedEndpointCostsNoMoreThanAnother delivers a webhook a second for five minutes.
func TestAProvedEndpointCostsNoMoreThanAnother(t *testing.T) {
	t.Parallel()
	reads := func(kind catalog.ProofKind) (n int) {
		synctest.Test(t, func(t *testing.T) {
			r := newProver(t, kind)
			r.build(func(p ports) ports {
				p.states = stateReads{p.states, &n}
				return p
			})
			r.mustPost("first", "push", "{}")
			r.pump()
			time.Sleep(breaker.RampTime)
			r.mustPost("second", "push", "{}") // its success ends the recorded recovery
			r.pump()
			n = 0
			for i := range 300 {
				time.Sleep(time.Second)
				r.mustPost(fmt.Sprint(i), "push", "{}")
				r.pump()
			}
		})
		return n
	}
	if with, without := reads(catalog.ProvePing), reads(catalog.ProveNothing); with > without+1 {
		t.Errorf("the state is read %d times, %d where nothing is to be proved", with, without)
	}
}

func TestWhatMustBeProvedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*catalog.Endpoint)
		again  bool
	}{
		"nothing": {func(*catalog.Endpoint) {}, false},
		"other secrets": {func(e *catalog.Endpoint) {
			e.Secrets = []string{endpointSecret, endpointSecret}
		}, false},
		"another URL":  {func(e *catalog.Endpoint) { e.URL += "hooks" }, true},
		"another kind": {func(e *catalog.Endpoint) { e.Prove = catalog.ProveOptions }, true},
		"no proof": {func(e *catalog.Endpoint) {
			e.Prove, e.URL = catalog.ProveNothing, e.URL+"hooks"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newProver(t, catalog.ProvePing)
				r.answerProof(func(relay.Post) (relay.Reply, error) {
					return relay.Reply{
						StatusCode: 200, Header: relay.Header{"webhook-allowed-origin": "*"},
					}, nil
				})
				r.mustPost("1", "push", "{}")
				r.pump()
				r.edit(func(c *catalog.Catalog) { tt.change(&c.Endpoints[0]) })
				time.Sleep(catalog.DefaultCacheTTL)
				r.mustPost("2", "push", "{}")
				r.pump()
				if proofs, deliveries := r.proofs(); proofs != map[bool]int{false: 1, true: 2}[tt.again] || deliveries != 2 {
					t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
				}
			})
		})
	}
}

// TestAnInstanceThatKnowsTheOldURL must not ask for the proof of the old URL, in turns with
// instances that know the new one.
func TestAnInstanceThatKnowsTheOldURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		r.mustPost("1", "push", "{}")
		r.pump()
		old := r.deliverer
		r.edit(func(c *catalog.Catalog) { c.Endpoints[0].URL += "hooks" })
		r.build(func(p ports) ports { return p })
		r.mustPost("2", "push", "{}")
		r.pump()
		// the old instance reads the state again, but not yet the catalog
		time.Sleep(10 * time.Second)
		r.deliverer = old
		r.mustPost("3", "push", "{}")
		r.pump()
		if proofs, deliveries := r.proofs(); proofs != 2 || deliveries != 3 {
			t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
		}
	})
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	const origin = "hooks.example.com"
	allows := func(headers ...string) relay.Reply {
		reply := relay.Reply{StatusCode: 200, Header: relay.Header{}}
		for i := 0; i < len(headers); i += 2 {
			reply.Header[headers[i]] = headers[i+1]
		}
		return reply
	}
	const allowedOrigin, allowedRate = "webhook-allowed-origin", "webhook-allowed-rate"
	for name, tt := range map[string]struct {
		reply relay.Reply
		err   error
		rate  int
		why   string // "": it gives its proof
	}{
		"our origin":            {allows(allowedOrigin, origin, allowedRate, "*"), nil, 0, ""},
		"any origin and a rate": {allows(allowedOrigin, "*", allowedRate, "120"), nil, 120, ""},
		"names have no case": {
			allows(allowedOrigin, "Hooks.Example.COM", allowedRate, "1"), nil, 1, "",
		},
		"no rate":   {allows(allowedOrigin, origin), nil, 0, ""},
		"no header": {allows(), nil, 0, "its answer has no WebHook-Allowed-Origin"},
		"another origin": {
			allows(allowedOrigin, "example.com"), nil, 0,
			"its WebHook-Allowed-Origin is another than hooks.example.com",
		},
		"a rate of none": {
			allows(allowedOrigin, origin, allowedRate, "0"), nil, 0,
			"its WebHook-Allowed-Rate is neither * nor a number from 1 on",
		},
		"a rate that is none": {
			allows(allowedOrigin, origin, allowedRate, "1/s"), nil, 0,
			"its WebHook-Allowed-Rate is neither * nor a number from 1 on",
		},
		"OPTIONS is not allowed": {
			relay.Reply{StatusCode: 405, Header: relay.Header{allowedOrigin: "*"}}, nil, 0,
			"it answered 405",
		},
		"no answer": {
			relay.Reply{},
			&relay.PostError{Outcome: relay.Unreachable, Err: errors.New("nobody there")}, 0,
			"unreachable: nobody there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newProver(t, catalog.ProveOptions)
				r.origin = origin
				r.edit(func(c *catalog.Catalog) {
					c.Endpoints[0].RateLimit, c.Endpoints[0].RatePer = 100, time.Hour
				})
				r.build(func(p ports) ports { return p })
				r.answerProof(func(relay.Post) (relay.Reply, error) { return tt.reply, tt.err })
				r.mustPost("1", "push", "{}")
				r.step()
				asked := r.poster.posts[0]
				if asked.Method != "OPTIONS" || len(asked.Body) > 0 ||
					asked.Header["webhook-request-origin"] != origin ||
					asked.Header["webhook-request-rate"] != "2" {
					t.Errorf("asked by %+v", asked)
				}
				s := r.state()
				if s.Unproven != tt.why || s.Proof.Rate != tt.rate ||
					(s.Proof.Of != "") != (tt.why == "") {
					t.Errorf("state %+v", s)
				}
				if tt.why != "" {
					return
				}
				r.pump()
				if p := r.poster.posts[1]; p.Method != "" ||
					p.Header["webhook-request-origin"] != origin ||
					p.Header["webhook-request-rate"] != "" {
					t.Errorf("delivered by %+v", p)
				}
			})
		})
	}
}

// TestTheLowerRateHolds delivers for five minutes, after the endpoint has recovered.
func TestTheLowerRateHolds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit   int // a second
		allowed string
		want    int // a minute
	}{
		"the allowed one": {100, "60", 60},
		"where none else": {0, "60", 60},
		"the limit":       {1, "600", 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newProver(t, catalog.ProveOptions)
				r.edit(func(c *catalog.Catalog) { c.Endpoints[0].RateLimit = tt.limit })
				r.answerProof(func(relay.Post) (relay.Reply, error) {
					return relay.Reply{
						StatusCode: 200,
						Header: relay.Header{
							"webhook-allowed-origin": "*", "webhook-allowed-rate": tt.allowed,
						},
					}, nil
				})
				r.mustPost("first", "push", "{}")
				r.pump()
				time.Sleep(breaker.RampTime)
				minutes := map[int]int{}
				began := time.Now().Truncate(time.Minute).Add(time.Minute)
				deliver := r.poster.answers["shipping"]
				r.poster.answers["shipping"] = func(p relay.Post) (relay.Reply, error) {
					minutes[int(time.Since(began).Minutes())]++
					return deliver(p)
				}
				time.Sleep(time.Until(began))
				for i := range 5 * tt.want {
					r.mustPost(fmt.Sprint(i), "push", "{}")
				}
				r.pump()
				for minute, n := range minutes {
					if n > tt.want*11/10 {
						t.Errorf("%d deliveries in minute %d, allowed are %d", n, minute, tt.want)
					}
				}
			})
		})
	}
}

func TestAnEndpointThatSaysThatItIsGoneWhenAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		r.answerProof(func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 410}, nil
		})
		id := r.mustPost("1", "push", "{}")
		r.pump()
		if d := r.deliveryOf(id, "shipping"); d.Status != relay.Dead ||
			d.Reason != relay.EndpointGone {
			t.Errorf("delivery %+v", d)
		}
		if proofs, deliveries := r.proofs(); proofs != 1 || deliveries != 0 {
			t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
		}
	})
}

// TestAnEndpointThatNeverProvesItself is asked less and less often, and is disabled in the end.
func TestAnEndpointThatNeverProvesItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		r.answerProof(func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 500}, nil
		})
		id := r.mustPost("1", "push", "{}")
		began := time.Now()
		r.pump()
		if took := time.Since(began); took < breaker.DisableAfter ||
			took > breaker.DisableAfter+time.Hour {
			t.Errorf("given up after %s", took)
		}
		if d := r.deliveryOf(id, "shipping"); d.Status != relay.Dead || d.Attempts != 1 ||
			d.History[0].Outcome != relay.Skipped {
			t.Errorf("delivery %+v", d)
		}
		if proofs, deliveries := r.proofs(); deliveries != 0 ||
			proofs > int(breaker.DisableAfter/breaker.MaxWait)+10 {
			t.Errorf("%d requests for proof, %d deliveries", proofs, deliveries)
		}
		want := []string{
			"endpoint.unproven it answered 500", "endpoint.failing",
			"endpoint.disabled nothing but failures",
		}
		got := r.reports.changes()
		for i, w := range want {
			if len(got) != len(want) || !strings.HasPrefix(got[i], w) {
				t.Fatalf("told %q, want %q", got, want)
			}
		}
	})
}

func TestOurOwnFailureProvesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newProver(t, catalog.ProvePing)
		failed := false
		r.answerProof(func(relay.Post) (relay.Reply, error) {
			if !failed {
				failed = true
				return relay.Reply{}, context.DeadlineExceeded
			}
			return relay.Reply{StatusCode: 200}, nil
		})
		id := r.mustPost("1", "push", "{}")
		r.step()
		if s := r.state(); s.Failures != 0 || s.Unproven != "" {
			t.Errorf("state %+v", s)
		}
		r.pump()
		if d := r.deliveryOf(id, "shipping"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("delivery %+v", d)
		}
	})
}
