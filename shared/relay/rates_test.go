package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

func eachSecond(n int) catalog.Rate { return catalog.Rate{Count: n, Per: time.Second} }

func (r *rig) setRates(tenant string, rates catalog.Rates) {
	r.t.Helper()
	if err := r.catalog.SetRates(r.t.Context(), tenant, rates); err != nil {
		r.t.Fatal(err)
	}
}

// toTenant makes the source "app" publish for the tenant acme, which has the given endpoints, and
// nobody else has any. change sets up the endpoints.
func (r *rig) toTenant(change func(*catalog.Endpoint), names ...string) {
	r.t.Helper()
	r.edit(func(c *catalog.Catalog) {
		c.Sources = slices.Clone(c.Sources)
		c.Sources[0].Tenant = &catalog.TenantOf{ID: "acme"}
	})
	var own catalog.Catalog
	for _, name := range names {
		e := catalog.Endpoint{
			Name: name, URL: "https://" + name + ".example.com/",
			Secrets: []string{endpointSecret}, Schedule: []time.Duration{},
		}
		change(&e)
		own.Endpoints = append(own.Endpoints, e)
		own.Subscriptions = append(
			own.Subscriptions, catalog.Subscription{Source: "app", Endpoint: name},
		)
	}
	if err := r.catalog.For("acme").ReplaceCatalog(r.t.Context(), own, 0); err != nil {
		r.t.Fatal(err)
	}
}

// TestTheRateOfATenantIsHeldAndUsedByAllInstancesTogether: its endpoints share it, and each keeps
// its own rate too.
func TestTheRateOfATenantIsHeldAndUsedByAllInstancesTogether(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tenant  catalog.Rate
		own     int // a second, of the endpoint "b"; 0: none
		waiting int // webhooks; each goes to both endpoints
		least   int // attempts at "b" within a minute
	}{
		"no rate but the tenant's":   {eachSecond(8), 0, 300, 100},
		"an endpoint has a lower":    {eachSecond(8), 2, 500, 50},
		"an endpoint has a higher":   {eachSecond(8), 50, 300, 100},
		"the tenant's is slow":       {catalog.Rate{Count: 50, Per: time.Minute}, 2, 60, 10},
		"both are the same":          {eachSecond(5), 5, 200, 60},
		"an endpoint's is very slow": {eachSecond(20), 1, 1300, 25},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, func(*catalog.Endpoint) {})
				c.toTenant(func(e *catalog.Endpoint) {
					if e.Name == "b" {
						e.RateLimit = tt.own
					}
				}, "a", "b")
				c.setRates("acme", catalog.Rates{Delivered: tt.tenant, Revision: 1})
				c.send("w", tt.waiting)
				began := time.Now()
				c.run(5, time.Minute)
				end := began.Add(time.Minute)
				a, b := c.within("a", began, end), c.within("b", began, end)
				want := float64(tt.tenant.Count) * time.Minute.Seconds() / tt.tenant.Per.Seconds()
				if got := float64(a + b); got < 0.9*want || got > want+float64(tt.tenant.Count)+1 {
					t.Errorf("%.0f attempts in a minute, allowed are %.0f", got, want)
				}
				if most := tt.own * 61; b < tt.least || tt.own > 0 && b > most {
					t.Errorf("%d attempts at b, want %d to %d", b, tt.least, most)
				}
				for d := time.Duration(0); d < time.Minute; d += time.Second {
					from := began.Add(d)
					n := c.within("a", from, from.Add(time.Second)) +
						c.within("b", from, from.Add(time.Second))
					if float64(n) > 2*float64(tt.tenant.Count)+1 {
						t.Errorf("%d attempts in the second after %s", n, d)
					}
				}
				holds, known := 0, map[gate.Hold]bool{gate.HeldTenantRate: true, gate.HeldRate: true}
				for _, r := range c.reports.attempted {
					if r.Held > 0 {
						holds++
					}
					if r.Held > 0 && !known[r.HeldBy] {
						t.Errorf("held by %q", r.HeldBy)
					}
				}
				if calls := c.calls["take quota rate#tenant#acme"]; holds > 4*tt.waiting ||
					calls > 3*tt.waiting {
					t.Errorf("%d holds and %d calls for 2 × %d deliveries", holds, calls, tt.waiting)
				}
			})
		})
	}
}

// TestTheRateOfATenantConcernsNobodyElse: the operator's own endpoint and another tenant's get the
// webhooks at once.
func TestTheRateOfATenantConcernsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		r.setRates("acme", catalog.Rates{Delivered: eachSecond(1), Revision: 1})
		began := time.Now()
		for i := range 5 {
			for _, tenant := range []string{"acme", "beta"} {
				if _, err := r.postAs("app", tenant, fmt.Sprint(tenant, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		last := map[string]time.Duration{}
		r.poster.answers["acme"] = func(relay.Post) (relay.Reply, error) {
			last["acme"] = time.Since(began)
			return relay.Reply{StatusCode: 200}, nil
		}
		for _, name := range []string{"beta", "all"} {
			r.poster.answers[name] = func(relay.Post) (relay.Reply, error) {
				if since := time.Since(began); since > time.Second {
					t.Errorf("%s got a webhook after %s", name, since)
				}
				return relay.Reply{StatusCode: 200}, nil
			}
		}
		r.pump()
		if got := last["acme"]; got < 3*time.Second || got > 7*time.Second {
			t.Errorf("acme got its fifth webhook after %s, at 1 a second", got)
		}
	})
}

// TestADeliveryOverTheRateOfItsTenantWaits: it is on record as held, with the reason, without an
// attempt, and it is delivered later.
func TestADeliveryOverTheRateOfItsTenantWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.toTenant(func(*catalog.Endpoint) {}, "a")
		r.setRates("acme", catalog.Rates{
			Delivered: catalog.Rate{Count: 1, Per: time.Hour}, Revision: 1,
		})
		r.build(func(p ports) ports { return p })
		r.send("w", 3)
		for r.consume(&r.delivery, nil, r.deliverer.Process) {
		}
		waiting := openOf(t, &r.ledger, "acme/a", relay.Waiting)
		if len(waiting) < 1 || len(waiting)+len(r.poster.posts) != 3 {
			t.Fatalf("%d deliveries wait, and %d were sent", len(waiting), len(r.poster.posts))
		}
		for _, d := range waiting {
			if d.Held != gate.HeldTenantRate || d.Attempts != 0 || !d.Reserved ||
				!d.NextAt.After(time.Now()) {
				t.Errorf("%+v", d)
			}
		}
		r.pump()
		if len(r.poster.posts) != 3 || len(openOf(t, &r.ledger, "acme/a", relay.Waiting)) > 0 {
			t.Errorf("%d were sent", len(r.poster.posts))
		}
	})
}

// TestOrderIsKeptUnderTheRateOfATenant at an ordered endpoint.
func TestOrderIsKeptUnderTheRateOfATenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.toTenant(func(e *catalog.Endpoint) { e.Order.On = e.Name == "a" }, "a", "b")
		r.setRates("acme", catalog.Rates{Delivered: eachSecond(2), Revision: 1})
		r.build(func(p ports) ports { return p })
		var want, got []string
		for i := range 12 {
			want = append(want, r.mustPost(fmt.Sprint(i), "t", "{}"))
		}
		began := time.Now()
		r.pump()
		for _, p := range r.poster.posts {
			if host(p) == "a" {
				got = append(got, p.Header["webhook-id"])
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("delivered in the order %v, want %v", got, want)
		}
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("24 deliveries at 2 a second took %s", took)
		}
	})
}

// recorder counts the calls to ports.
type recorder struct {
	mu    sync.Mutex
	calls []string
}

func (c *recorder) strike(_ context.Context, what string, call func() error) error {
	c.mu.Lock()
	c.calls = append(c.calls, what)
	c.mu.Unlock()
	return call()
}

// TestATenantWithoutARateCostsNoCall: with a rate, the only further calls are those that take from
// it.
func TestATenantWithoutARateCostsNoCall(t *testing.T) {
	t.Parallel()
	calls := func(t *testing.T, rates catalog.Rates) (all, quotas int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := &recorder{}
			r := newRig(t, nil)
			r.toTenant(func(*catalog.Endpoint) {}, "a")
			if rates.Revision > 0 {
				r.setRates("acme", rates)
			}
			r.build(func(p ports) ports { return withFaults(c, p) })
			r.send("w", 3)
			r.pump()
			if len(r.poster.posts) != 3 {
				t.Errorf("%d were sent", len(r.poster.posts))
			}
			all = len(c.calls)
			for _, call := range c.calls {
				if strings.HasPrefix(call, "take quota") {
					quotas++
				}
			}
		})
		return all, quotas
	}
	all, quotas := calls(t, catalog.Rates{})
	if quotas != 0 {
		t.Errorf("%d reservations for a tenant without rates", quotas)
	}
	for name, rates := range map[string]catalog.Rates{
		"accepted":        {Accepted: eachSecond(100), Revision: 1},
		"delivered":       {Delivered: eachSecond(100), Revision: 1},
		"set and removed": {Revision: 2},
	} {
		with, reserved := calls(t, rates)
		if with-reserved != all || (reserved > 0) != (rates.Revision == 1) {
			t.Errorf("%s: %d calls, of which %d reserve; without a rate %d", name, with, reserved, all)
		}
	}
}

// receivers returns n instances of receive for the tenant acme with a rate.
func receivers(r *rig, n int, rate catalog.Rate, quotas gate.Quotas) []*relay.Receiver {
	r.toTenant(func(*catalog.Endpoint) {}, "a")
	r.setRates("acme", catalog.Rates{Accepted: rate, Revision: 1})
	all := make([]*relay.Receiver, n)
	for i := range all {
		all[i] = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: &r.catalog, Subscriptions: &r.catalog, Ingest: &r.ingest, Bodies: &r.bodies,
			Ordered: &r.ordered.ingest, Quotas: quotas, Reporter: &r.reports,
		}))
	}
	return all
}

// countedQuotas counts the calls.
type countedQuotas struct {
	gate.Quotas
	mu    sync.Mutex
	calls int
}

func (q *countedQuotas) Reserve(
	ctx context.Context, line string, d time.Duration, earliest, latest time.Time,
) (time.Time, bool, error) {
	q.mu.Lock()
	q.calls++
	q.mu.Unlock()
	return q.Quotas.Reserve(ctx, line, d, earliest, latest)
}

// TestTheRateOfAcceptedWebhooksIsHeldByAllInstancesTogether: a flood gets what the rate allows, and
// no more.
func TestTheRateOfAcceptedWebhooksIsHeldByAllInstancesTogether(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rate      catalog.Rate
		instances int
		every     time.Duration // how often an instance gets a webhook
		lasts     time.Duration
	}{
		"one instance":      {eachSecond(50), 1, 5 * time.Millisecond, 20 * time.Second},
		"five instances":    {eachSecond(50), 5, 20 * time.Millisecond, 20 * time.Second},
		"fifty instances":   {eachSecond(50), 50, 100 * time.Millisecond, 20 * time.Second},
		"a fast rate":       {eachSecond(1000), 20, 10 * time.Millisecond, 10 * time.Second},
		"a rate per minute": {catalog.Rate{Count: 60, Per: time.Minute}, 5, time.Second, 5 * time.Minute},
		"a rate per hour":   {catalog.Rate{Count: 30, Per: time.Hour}, 3, 20 * time.Second, 4 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				quotas := &countedQuotas{Quotas: &r.quotas}
				var mu sync.Mutex
				var accepted []time.Time
				refused := 0
				var wait sync.WaitGroup
				began := time.Now()
				for i, receiver := range receivers(r, tt.instances, tt.rate, quotas) {
					wait.Go(func() {
						time.Sleep(tt.every * time.Duration(i) / time.Duration(tt.instances))
						for n := 0; time.Since(began) < tt.lasts; n++ {
							answer, err := receiver.Receive(
								t.Context(), inbound(fmt.Sprint(i, "-", n), "t", "{}"),
							)
							mu.Lock()
							switch {
							case err == nil:
								accepted = append(accepted, time.Now())
							case !errors.Is(err, relay.ErrRate) || answer.EventID != "" ||
								answer.RetryAfter < time.Second ||
								answer.RetryAfter%time.Second != 0 ||
								answer.RetryAfter > tt.rate.Per:
								t.Errorf("error %v, answer %+v", err, answer)
							default:
								refused++
							}
							mu.Unlock()
							time.Sleep(tt.every)
						}
					})
				}
				wait.Wait()
				allowed := float64(tt.rate.Count) * (tt.lasts + tt.rate.Per).Seconds() /
					tt.rate.Per.Seconds()
				if got := float64(len(accepted)); got < 0.95*allowed || got > allowed+1 {
					t.Errorf("%.0f webhooks in %s, allowed are %.0f", got, tt.lasts, allowed)
				}
				for i, from := range accepted { // in any unit at most twice the rate, and one
					if next := i + 2*tt.rate.Count + 1; next < len(accepted) &&
						accepted[next].Sub(from) < tt.rate.Per {
						t.Fatalf("%d webhooks in %s", 2*tt.rate.Count+2, accepted[next].Sub(from))
					}
				}
				if most := len(accepted) + tt.instances*(int(4*tt.lasts/time.Second)+1); refused ==
					0 || quotas.calls > most {
					t.Errorf("%d calls for %d accepted and %d refused webhooks, want at most %d",
						quotas.calls, len(accepted), refused, most)
				}
				if n := r.ingest.Len(); n != len(accepted) {
					t.Errorf("%d messages for %d accepted webhooks", n, len(accepted))
				}
				t.Logf("%d accepted, %d refused, %d calls", len(accepted), refused, quotas.calls)
			})
		})
	}
}

// TestNothingUnderTheRateIsRefused, whether webhooks come evenly or all at once.
func TestNothingUnderTheRateIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rate      catalog.Rate
		instances int
		at        func(i int) time.Duration // when the i-th webhook of an instance comes
		each      int
	}{
		"evenly, 90 % of the rate": {eachSecond(100), 9, func(i int) time.Duration {
			return time.Duration(i) * 100 * time.Millisecond
		}, 200},
		"at once, each second": {eachSecond(100), 90, func(i int) time.Duration {
			return time.Duration(i) * time.Second
		}, 20},
		"a run, then a pause": {eachSecond(100), 2, func(i int) time.Duration {
			return time.Duration(i/40)*time.Second + time.Duration(i%40)*2*time.Millisecond
		}, 400},
		"a minute's at once": {catalog.Rate{Count: 60, Per: time.Minute}, 6, func(i int) time.Duration {
			return time.Duration(i/10) * 61 * time.Second
		}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var wait sync.WaitGroup
				quotas := &countedQuotas{Quotas: &r.quotas}
				began := time.Now()
				for i, receiver := range receivers(r, tt.instances, tt.rate, quotas) {
					wait.Go(func() {
						for n := range tt.each {
							time.Sleep(tt.at(n) - time.Since(began))
							if _, err := receiver.Receive(
								t.Context(), inbound(fmt.Sprint(i, "-", n), "t", "{}"),
							); err != nil {
								t.Errorf("after %s: %v", time.Since(began), err)
							}
						}
					})
				}
				wait.Wait()
				t.Logf("%d calls for %d webhooks", quotas.calls, tt.instances*tt.each)
			})
		})
	}
}

// TestAnOutageOfTheLedgerCostsNoWebhook: whoever has a rate is not limited meanwhile, and that is
// reported.
func TestAnOutageOfTheLedgerCostsNoWebhook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, quotas := range map[string]gate.Quotas{
			"it fails": brokenQuotas{}, "it hangs": hangingQuotas{},
		} {
			r := newRig(t, nil)
			receiver := receivers(r, 1, eachSecond(1), quotas)[0]
			for i := range 5 {
				began := time.Now()
				if _, err := receiver.Receive(
					t.Context(), inbound(fmt.Sprint(i), "t", "{}"),
				); err != nil || time.Since(began) > 2*time.Second {
					t.Errorf("%s: error %v after %s", name, err, time.Since(began))
				}
			}
			for _, report := range r.reports.received {
				if report.Unmetered == nil {
					t.Errorf("%s: %+v", name, report)
				}
			}
			if r.ingest.Len() != 5 || len(r.reports.received) != 5 {
				t.Errorf("%s: %d accepted, %d reported", name, r.ingest.Len(), len(r.reports.received))
			}
		}
	})
}

type brokenQuotas struct{}

func (brokenQuotas) Reserve(
	context.Context, string, time.Duration, time.Time, time.Time,
) (time.Time, bool, error) {
	return time.Time{}, false, errInjected
}

type hangingQuotas struct{}

func (hangingQuotas) Reserve(
	ctx context.Context, _ string, _ time.Duration, _, _ time.Time,
) (time.Time, bool, error) {
	<-ctx.Done()
	return time.Time{}, false, ctx.Err()
}

// refusedRequests are those that were noted.
type refusedRequests []relay.RefusedRequest

func (r *refusedRequests) NoteRefused(_ context.Context, request relay.RefusedRequest) {
	*r = append(*r, request)
}

// TestAWebhookOverTheRateIsListedAsRefused: it has a reason of its own. One that does not prove
// itself counts for nothing, and another tenant's is accepted.
func TestAWebhookOverTheRateIsListedAsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTenantsRig(t)
		r.setRates("acme", catalog.Rates{
			Accepted: catalog.Rate{Count: 1, Per: time.Hour}, Revision: 1,
		})
		var noted refusedRequests
		r.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: &r.catalog, Ingest: &r.ingest, Bodies: &r.bodies, Quotas: &r.quotas,
			Refusals: &noted, Reporter: &r.reports,
		}))
		forged := inbound("forged", "push", "{}")
		forged.Header["authorization"], forged.Header["webhook-tenant"] = "Bearer wrong", "acme"
		for range 10 {
			_, err := r.receiver.Receive(t.Context(), forged)
			if err == nil || errors.Is(err, relay.ErrRate) {
				t.Errorf("forged: %v", err)
			}
		}
		noted = nil
		for i, source := range []string{"app", "acme/billing", "app", "acme/billing"} {
			tenant := map[string]string{"app": "acme"}[source]
			_, err := r.postAs(source, tenant, fmt.Sprint(i))
			if want := i >= 2; errors.Is(err, relay.ErrRate) != want {
				t.Errorf("webhook %d: %v, want it refused: %v", i, err, want)
			}
		}
		if _, err := r.postAs("app", "beta", "other"); err != nil {
			t.Errorf("another tenant's: %v", err)
		}
		if len(noted) != 2 || noted[0].Reason != relay.RefusedRate || noted[1].Source != "acme/billing" {
			t.Errorf("refused: %+v", noted)
		}
		if n := r.ingest.Len(); n != 3 {
			t.Errorf("%d webhooks were accepted", n)
		}
	})
}
