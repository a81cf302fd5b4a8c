package relay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// stateTTL is how long an instance uses the state that it has read.
const stateTTL = 5 * time.Second

// crowd is several instances of the deliverer that work at the same time on the same ports, in
// virtual time.
type crowd struct {
	*rig
	// how long an endpoint takes to answer; nil: no time
	take func(endpoint string) time.Duration
	// further concurrent workers of each instance, as in the local host; with them kills is nil
	handlers int
	// whether the POST that begins kills its instance; nil: never
	kills func() bool
	wait  sync.WaitGroup

	mu      sync.Mutex
	posts   []posted
	current map[string]int // attempts in flight, by endpoint
	most    map[string]int
	calls   map[string]int // to ports
}

// posted is a finished POST.
type posted struct {
	endpoint   string
	began      time.Time
	took       time.Duration
	statusCode int
}

// newCrowd returns a rig without instances. change sets up its endpoints.
func newCrowd(t *testing.T, change func(*catalog.Endpoint), names ...string) *crowd {
	t.Helper()
	c := &crowd{rig: newRig(t, nil, names...), current: map[string]int{}, most: map[string]int{}}
	c.change(change)
	return c
}

// change changes the endpoints in the catalog.
func (r *rig) change(change func(*catalog.Endpoint)) {
	r.t.Helper()
	cat, revision, err := r.catalog.LoadCatalog(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	cat.Endpoints = slices.Clone(cat.Endpoints)
	for i := range cat.Endpoints {
		change(&cat.Endpoints[i])
	}
	if err := r.catalog.ReplaceCatalog(r.t.Context(), cat, revision); err != nil {
		r.t.Fatal(err)
	}
}

// send sends n webhooks, and routes them, so that their deliveries wait for the deliverer.
func (r *rig) send(prefix string, n int) {
	r.t.Helper()
	for i := range n {
		r.mustPost(fmt.Sprint(prefix, i), "t", "{}")
	}
	for r.consume(&r.ingest, &r.ingestDL, r.fanout.Process) {
	}
}

// start starts n instances, which work until a time.
func (c *crowd) start(n int, until time.Time) {
	for i := range n {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		m := &member{crowd: c}
		d := m.deliverer(random)
		for range c.handlers {
			c.wait.Go(func() { m.work(d, until) })
		}
		c.wait.Go(func() {
			m.work(d, until)
			for time.Now().Before(until) {
				next := &member{crowd: c} // replaces a killed one
				next.work(next.deliverer(random), until)
			}
		})
	}
}

// work handles one message after the other, until a time or until the instance is killed.
func (m *member) work(d *relay.Deliverer, until time.Time) {
	for !m.dead.Load() && time.Now().Before(until) {
		if !m.takeOne(&m.delivery, d) && !m.takeOne(&m.retry, d) {
			time.Sleep(m.nextPoll())
		}
	}
}

// nextPoll returns how long an instance waits after it found no message.
func (c *crowd) nextPoll() time.Duration {
	next := time.Second
	for _, q := range []*memory.Queue{&c.delivery, &c.retry} {
		if due, ok := q.Due(); ok {
			next = min(next, time.Until(due))
		}
	}
	return max(next, 20*time.Millisecond)
}

// run is start, and waits for the end.
func (c *crowd) run(n int, lasts time.Duration) {
	c.start(n, time.Now().Add(lasts))
	c.wait.Wait()
}

// member is one instance of a crowd, until it is killed.
type member struct {
	*crowd
	dead atomic.Bool
}

func (m *member) deliverer(random *rand.Rand) *relay.Deliverer {
	p := m.ports()
	p.poster = m
	p = withFaults(m, p)
	return lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: p.endpoints, Deliveries: p.deliveries, Bodies: p.bodies, Poster: p.poster,
		Retry: p.retry, Dead: p.dead,
		Poison: p.poison, Scheduler: p.scheduler, States: p.states, Quotas: p.quotas,
		Slots: p.slots, Failures: p.failures, Keeper: p.keeper, Reporter: &m.reports,
		Random: func() float64 {
			m.mu.Lock()
			defer m.mu.Unlock()
			return random.Float64()
		},
	}))
}

// strike counts the calls, and makes none for a killed instance.
func (m *member) strike(_ context.Context, what string, call func() error) error {
	if m.dead.Load() {
		return errKilled
	}
	m.mu.Lock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	kind, _, _ := strings.Cut(what, " evt_")
	m.calls[kind]++
	m.mu.Unlock()
	return call()
}

// takeOne makes one invocation for a queue. It returns false if there was nothing to do.
func (m *member) takeOne(q *memory.Queue, d *relay.Deliverer) bool {
	ctx, cancel := context.WithTimeout(context.Background(), deliverTimeout)
	defer cancel()
	msgs, _ := q.Receive(ctx, 10)
	if errs := d.Process(ctx, msgs); !m.dead.Load() {
		settle(q, msgs, errs)
	}
	return len(msgs) > 0
}

// Post answers as the rig's endpoints do, and records the POST. If the instance is killed, the
// endpoint may still work on it for its whole timeout.
func (m *member) Post(ctx context.Context, p relay.Post) (relay.Reply, error) {
	name, began := host(p), time.Now()
	m.mu.Lock()
	m.current[name]++
	m.most[name] = max(m.most[name], m.current[name])
	takes := m.takes(name)
	killed := m.kills != nil && m.kills()
	m.mu.Unlock()
	if killed {
		m.dead.Store(true)
		time.AfterFunc(p.Timeout, func() { m.ended(posted{name, began, p.Timeout, 0}) })
		return relay.Reply{}, errKilled
	}
	time.Sleep(takes)
	reply, err := m.poster.Post(ctx, p)
	m.ended(posted{name, began, time.Since(began), reply.StatusCode})
	return reply, err
}

func (c *crowd) takes(endpoint string) time.Duration {
	if c.take == nil {
		return 0
	}
	return c.take(endpoint)
}

func (c *crowd) ended(p posted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current[p.endpoint]--
	c.posts = append(c.posts, p)
}

// within returns how many POSTs to an endpoint began between two times.
func (c *crowd) within(endpoint string, from, to time.Time) int {
	n := 0
	for _, p := range c.posts {
		if p.endpoint == endpoint && !p.began.Before(from) && p.began.Before(to) {
			n++
		}
	}
	return n
}

func TestRateLimitIsHeldAndUsedByAllInstancesTogether(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit     int
		per, span time.Duration // span: the time over which the rate must hold
		waiting   int
	}{
		"8 a second":     {8, time.Second, time.Minute, 600},
		"90 a minute":    {90, time.Minute, time.Minute, 150},
		"50 a minute":    {50, time.Minute, time.Minute, 100},
		"1,300 a minute": {1300, time.Minute, time.Minute, 1450},
		"600 an hour":    {600, time.Hour, 10 * time.Minute, 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, func(e *catalog.Endpoint) {
					e.RateLimit, e.RatePer = tt.limit, tt.per
				}, "a")
				c.send("w", tt.waiting)
				began := time.Now()
				c.run(5, tt.span)
				want := float64(tt.limit) * tt.span.Seconds() / tt.per.Seconds()
				if got := float64(c.within("a", began, began.Add(tt.span))); got < 0.9*want ||
					got > 1.1*want {
					t.Errorf("%.0f attempts in %s, allowed are %.0f", got, tt.span, want)
				}
				holds := 0
				for _, r := range c.reports.attempted {
					if r.Held > 0 {
						holds++
					}
				}
				if calls := c.calls["take quota rate#a"]; holds > tt.waiting || calls > tt.waiting {
					t.Errorf(
						"%d holds and %d calls for %d deliveries: each has a place kept for it",
						holds, calls, tt.waiting,
					)
				}
			})
		})
	}
}

func TestConcurrencyIsHeldAndUsedByAllInstancesTogether(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit, instances, waiting int
		least, most               time.Duration // of an attempt
		// one in this many attempts kills its instance; 0: none
		kills int
	}{
		"one at a time": {
			1, 4, 200, 100 * time.Millisecond, 300 * time.Millisecond, 0,
		},
		"more instances than slots":  {3, 8, 250, 100 * time.Millisecond, time.Second, 0},
		"more slots than a batch":    {15, 4, 500, 200 * time.Millisecond, 2 * time.Second, 0},
		"slow attempts":              {5, 8, 100, 5 * time.Second, 10 * time.Second, 0},
		"many handlers in a process": {3, 2, 500, 100 * time.Millisecond, time.Second, 0},
		"instances are killed":       {4, 6, 300, 100 * time.Millisecond, time.Second, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const lasts = 40 * time.Second
				c := newCrowd(t, func(e *catalog.Endpoint) { e.Concurrency = tt.limit }, "a")
				random := rand.New(rand.NewPCG(1, 2))
				c.take = func(string) time.Duration {
					return tt.least + time.Duration(random.Int64N(int64(tt.most-tt.least)))
				}
				if tt.instances == 2 {
					c.handlers = 15
				}
				if tt.kills > 0 {
					c.kills = func() bool { return random.IntN(tt.kills) == 0 }
				}
				c.send("w", tt.waiting)
				end := time.Now().Add(lasts)
				c.run(tt.instances, lasts)
				time.Sleep(time.Minute) // the attempts of killed instances end
				if c.most["a"] != tt.limit {
					t.Errorf("%d attempts at once, allowed are %d", c.most["a"], tt.limit)
				}
				var busy time.Duration
				for _, p := range c.posts {
					busy += min(p.took, end.Sub(p.began))
				}
				// Waiting deliveries come back at random times, so a slot is unused until one
				// comes. A killed instance's slot stays taken for as long again as its attempt
				// took.
				if used := busy.Seconds() / (float64(tt.limit) * lasts.Seconds()); used < 0.4 {
					t.Errorf("used to %.2f", used)
				}
			})
		})
	}
}

// Attempts in one process pass their slots on to each other, except the slots that no longer exist.
func TestAConcurrencyThatIsLoweredIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(e *catalog.Endpoint) { e.Concurrency = 6 }, "a")
		c.handlers = 10
		c.take = func(string) time.Duration { return time.Second }
		c.send("w", 500)
		began := time.Now()
		c.start(1, began.Add(80*time.Second))
		mostIs := func(want int) {
			t.Helper()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.most["a"] != want {
				t.Errorf("%d attempts at once, allowed are %d", c.most["a"], want)
			}
			c.most["a"] = c.current["a"]
		}
		time.Sleep(10 * time.Second)
		mostIs(6)
		c.change(func(e *catalog.Endpoint) { e.Concurrency = 2 })
		time.Sleep(catalog.DefaultCacheTTL + 5*time.Second)
		mostIs(6)
		c.wait.Wait()
		mostIs(2)
	})
}

// A well endpoint without limits costs no write. The gate reads only the list of troubled
// endpoints.
func TestNoWriteForADeliveryWhenAllIsWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
		c.send("w", 200)
		c.run(4, time.Second)
		want := map[string]int{
			"generation": 4, "endpoint a": 4, "endpoints in trouble": 4, "POST": 200,
			"save delivery": 200,
		}
		if diff := cmp.Diff(want, c.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestTheBreakerIsOneForAllInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a", "b")
		began := time.Now()
		heals := began.Add(6 * time.Minute)
		c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			if time.Now().Before(heals) {
				return relay.Reply{StatusCode: 500}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		c.take = func(string) time.Duration { return 100 * time.Millisecond }
		c.send("w", 400)
		c.run(5, 40*time.Minute)

		var probes, after []posted
		early := 0
		for _, p := range c.posts {
			switch {
			case p.endpoint == "b":
			case p.began.Before(began.Add(5 * time.Second)):
				early++
			case p.statusCode == 500 || len(after)+len(probes) == 0:
				probes = append(probes, p)
			default:
				after = append(after, p)
			}
		}
		// Each instance has a batch in flight at the beginning, and one more until it learns of the
		// others' failures.
		if early < breaker.OpenAfter || early > 2*5*10 {
			t.Errorf("%d attempts before all knew that the breaker was open", early)
		}
		wait := breaker.FirstWait
		for i, p := range probes {
			last := began
			if i > 0 {
				last = probes[i-1].began
			}
			if since := p.began.Sub(last); since < wait || since > 2*wait+breaker.FirstWait {
				t.Errorf(
					"probe %d came %s after what was before it, due after %s", i+1, since, wait,
				)
			}
			wait = min(2*wait, breaker.MaxWait)
		}
		if len(probes) < 3 || len(after) == 0 {
			t.Fatalf("%d probes, %d attempts after them", len(probes), len(after))
		}
		healed := after[0].began.Add(after[0].took) // the successful probe
		for i := range 3 {
			from := healed.Add(time.Duration(i) * breaker.RampDouble)
			allowed := breaker.RampStart << i * int(breaker.RampDouble/time.Second)
			if n := c.within("a", from, from.Add(breaker.RampDouble)); n > allowed*11/10 {
				t.Errorf(
					"%d attempts from %s after it recovered on, allowed are %d", n,
					from.Sub(healed), allowed,
				)
			}
		}
		for _, endpoint := range []string{"a", "b"} {
			waiting := openOf(t, &c.ledger, endpoint, relay.Waiting)
			dead := openOf(t, &c.ledger, endpoint, relay.Dead)
			if len(waiting)+len(dead) > 0 {
				t.Errorf("%s: %d wait, %d are dead", endpoint, len(waiting), len(dead))
			}
		}
		if n := c.within("b", began, began.Add(5*time.Second)); n != 400 {
			t.Errorf("the endpoint that is well got %d of 400 at once", n)
		}
	})
}

// expectRamp runs an endpoint that is well for a second and then fails for half a minute. It checks
// the rate at which the waiting deliveries are released, while fresh new ones arrive each second.
func (c *crowd) expectRamp(instances, waiting, fresh int) {
	c.t.Helper()
	began := time.Now()
	c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
		if since := time.Since(began); since > time.Second && since < breaker.FirstWait {
			return relay.Reply{StatusCode: 500}, nil
		}
		return relay.Reply{StatusCode: 200}, nil
	}
	c.send("w", waiting)
	c.start(instances, began.Add(80*time.Second))
	for second := range 60 {
		time.Sleep(time.Second)
		c.send(fmt.Sprint("fresh ", second, " "), fresh)
	}
	c.wait.Wait()
	healed := began.Add(time.Hour)
	for _, p := range c.posts {
		if p.statusCode == 200 && p.began.After(began.Add(breaker.FirstWait)) &&
			p.began.Before(healed) {
			healed = p.began
		}
	}
	for i := range 3 {
		from := healed.Add(time.Duration(i) * breaker.RampDouble)
		allowed := breaker.RampStart << i * int(breaker.RampDouble/time.Second)
		if n := c.within("a", from, from.Add(breaker.RampDouble)); n > allowed*12/10 ||
			n < allowed/2 {
			c.t.Errorf(
				"%d attempts from %s after it recovered on, allowed are %d", n, from.Sub(healed),
				allowed,
			)
		}
	}
}

func TestPlacesThatWereKeptDoNotPassTheRamp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(e *catalog.Endpoint) { e.RateLimit = 50 }, "a")
		c.expectRamp(2, 2000, 0)
	})
}

func TestWhatComesAllAtOnceKeepsToTheRamp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
		c.expectRamp(2, 20, 30)
	})
}

// nextOf returns the times at which the waiting deliveries of the endpoint "a" come back, in order.
func (r *rig) nextOf() []time.Time {
	r.t.Helper()
	var at []time.Time
	for page, next := relay.Page(""), true; next; next = page != "" {
		waiting, more, err := r.ledger.ListDeliveries(r.t.Context(), operate.Query{
			Endpoint: "a", Statuses: []relay.Status{relay.Waiting},
		}, page)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, d := range waiting {
			at = append(at, d.NextAt)
		}
		page = more
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

func TestHeldDeliveriesComeBackOneByOne(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		state  func(now time.Time) breaker.State
		spread time.Duration
	}{
		"after a pause": {func(now time.Time) breaker.State {
			return breaker.State{PausedUntil: now.Add(10 * time.Minute)}
		}, 10 * time.Minute},
		"after a breaker that was open": {func(now time.Time) breaker.State {
			return breaker.State{OpenUntil: now.Add(time.Second)}
		}, breaker.FirstWait},
		"after a pause of a few moments": {func(now time.Time) breaker.State {
			return breaker.State{PausedUntil: now.Add(time.Second)}
		}, breaker.MinSpread},
		"after the longest pause that is": {func(now time.Time) breaker.State {
			return breaker.State{PausedUntil: now.Add(time.Hour)}
		}, breaker.MaxWait},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
				s := tt.state(time.Now())
				if err := c.states.SaveEndpointState(t.Context(), "a", s, 0); err != nil {
					t.Fatal(err)
				}
				m := &member{crowd: c}
				d := m.deliverer(rand.New(rand.NewPCG(1, 2)))
				c.send("w", 200)
				for m.takeOne(&m.delivery, d) {
				}
				quarters := map[time.Duration]int{}
				for _, at := range c.nextOf() {
					quarters[at.Sub(s.HeldUntil(time.Now()))*4/tt.spread]++
				}
				for i := range time.Duration(4) {
					if quarters[i] < 30 || len(quarters) != 4 {
						t.Fatalf("of 200, in each quarter of %s: %v", tt.spread, quarters)
					}
				}
			})
		})
	}
}

// Deliveries with the same Retry-After come back at different times, and none before it.
func TestRetryAfterIsSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
		c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 400, Header: relay.Header{"retry-after": "600"}}, nil
		}
		m := &member{crowd: c}
		c.send("w", breaker.OpenAfter-1)
		m.takeOne(&m.delivery, m.deliverer(rand.New(rand.NewPCG(1, 2))))
		at := c.nextOf()
		first, last := time.Until(at[0]), time.Until(at[len(at)-1])
		if len(at) != breaker.OpenAfter-1 || first < 10*time.Minute || last > 11*time.Minute ||
			last-first < 20*time.Second {
			t.Errorf("%d come back after %s to %s", len(at), first, last)
		}
	})
}

// opened returns how often the breaker opened.
func (c *crowd) opened() int {
	n := 0
	for _, r := range c.reports.attempted {
		if r.Change != nil && r.Change.Type == gate.EndpointOpened {
			n++
		}
	}
	return n
}

func TestWhatOpensTheBreaker(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails    func(post int) bool // post counts from 1
		handlers int
		waiting  int
		want     int
	}{
		"every 20th attempt fails": {func(post int) bool {
			return post%20 == 0
		}, 4, 1500, 0},
		"every other attempt fails": {func(post int) bool {
			return post%2 == 0 && post <= breaker.MinAttempts
		}, 1, 60, 1},
		"every third of many attempts fails": {func(post int) bool {
			return post%3 == 0
		}, 1, 200, 0},
		"ten in a row, and one once it is well again": {func(post int) bool {
			return post <= breaker.OpenAfter || post == breaker.MinAttempts
		}, 1, 40, 1},
		"nine in a row, and again nine after a success": {func(post int) bool {
			return post%breaker.OpenAfter != 0 && post < breaker.MinAttempts-1
		}, 1, 19, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
				post := 0
				c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					if post++; tt.fails(post) {
						return relay.Reply{StatusCode: 500}, nil
					}
					return relay.Reply{StatusCode: 200}, nil
				}
				c.take = func(string) time.Duration { return 160 * time.Millisecond }
				c.send("w", tt.waiting)
				c.handlers = tt.handlers - 1
				c.run(1, 2*time.Minute)
				if post < tt.waiting || c.opened() != tt.want {
					t.Errorf("opened %d times in %d attempts, want %d", c.opened(), post, tt.want)
				}
			})
		})
	}
}

// These successes were in flight when ten others failed. Only the probe shows the present state.
func TestAnAttemptThatWasUnderWayDoesNotCloseTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = 20 * time.Second
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
		began := time.Now()
		c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			if time.Since(began) < slow {
				return relay.Reply{StatusCode: 500}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		took := slow
		c.take = func(string) time.Duration {
			defer func() { took = 0 }()
			return took
		}
		c.send("w", 2*breaker.OpenAfter)
		c.start(2, began.Add(time.Minute))
		time.Sleep(slow + time.Second)
		c.send("x", breaker.OpenAfter)
		c.wait.Wait()
		if n := c.within("a", began.Add(slow), began.Add(breaker.FirstWait)); n > 0 {
			t.Errorf("%d attempts before the probe", n)
		}
		if n := c.within("a", began.Add(breaker.FirstWait), began.Add(time.Minute)); n == 0 {
			t.Error("no probe")
		}
	})
}

// releasing is a store of slots that reports whether a slot is released with a context that has
// ended, or has no deadline.
type releasing struct {
	gate.Slots
	t        *testing.T
	released *int
}

func (s releasing) ReleaseSlot(
	ctx context.Context, endpoint string, number int, holder string,
) error {
	*s.released++
	if _, ends := ctx.Deadline(); ctx.Err() != nil || !ends {
		s.t.Errorf("released with a context that is over (%v), or never ends", ctx.Err())
	}
	return s.Slots.ReleaseSlot(ctx, endpoint, number, holder)
}

func TestASlotIsReleasedWhenTheInvocationIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.change(func(e *catalog.Endpoint) { e.Concurrency = 1 })
		r.send("w", 1)
		ctx, cancel := context.WithTimeout(t.Context(), deliverTimeout)
		r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			cancel()
			return relay.Reply{StatusCode: 200}, nil
		}
		released := 0
		r.build(func(p ports) ports { p.slots = releasing{p.slots, t, &released}; return p })
		msgs, _ := r.delivery.Receive(ctx, 1)
		r.deliverer.Process(ctx, msgs)
		if released != 1 {
			t.Errorf("released %d times", released)
		}
	})
}

// A pause that one delivery is told holds for all deliveries, on all instances.
func TestAPauseIsForAllInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
		began := time.Now()
		paused := began.Add(5 * time.Minute)
		c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			if time.Now().Before(paused) {
				return relay.Reply{StatusCode: 429, Header: relay.Header{"retry-after": "300"}}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		c.send("w", 300)
		c.run(4, 15*time.Minute)
		if n := c.within("a", began.Add(time.Second), paused); n > 0 {
			t.Errorf("%d attempts in the pause", n)
		}
		waiting := openOf(t, &c.ledger, "a", relay.Waiting)
		if len(waiting) > 0 {
			t.Errorf(
				"%d wait still, the first until %s", len(waiting), waiting[0].NextAt.Sub(began),
			)
		}
	})
}

// One answer asks for the pause. Instances that know the endpoint as well learn of the pause while
// it lasts.
func TestAPauseThatIsAskedForOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, func(*catalog.Endpoint) {}, "a")
				began := time.Now()
				asked := began.Add(time.Second)
				said := false
				c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					if !said && !time.Now().Before(asked) {
						said = true
						return relay.Reply{
							StatusCode: status, Header: relay.Header{"retry-after": "20"},
						}, nil
					}
					return relay.Reply{StatusCode: 200}, nil
				}
				var instances []*relay.Deliverer
				m := &member{crowd: c}
				for range 4 {
					instances = append(instances, m.deliverer(rand.New(rand.NewPCG(1, 2))))
				}
				for second := range 30 {
					for i, d := range instances {
						c.send(fmt.Sprint(second, i, " "), 1)
						m.takeOne(&m.delivery, d)
					}
					time.Sleep(time.Second)
				}
				paused := asked.Add(20 * time.Second)
				if n := c.within("a", asked.Add(stateTTL), paused); n > 0 {
					t.Errorf("%d attempts in the pause", n)
				}
				if n := c.within("a", paused, began.Add(time.Minute)); n < 4*5 {
					t.Errorf("%d attempts after it", n)
				}
			})
		})
	}
}
