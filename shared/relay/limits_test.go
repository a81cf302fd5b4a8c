package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// backlogs and latenesses are the ones with which limits are tested.
var (
	backlogs   = []int{200, 400, 800, 1600, 3200}
	latenesses = []time.Duration{
		0, 9 * time.Second, 11 * time.Second, 30 * time.Second, 2 * time.Minute,
	}
)

// limited is an endpoint with a limit, a backlog of deliveries, and queues that deliver late.
type limited struct {
	limit    func(*catalog.Endpoint)
	takes    func(*rand.Rand) time.Duration // for an answer
	backlog  int
	lateness func(*rand.Rand) time.Duration
	// no message is received for so long, beginning when a third should be done
	jam time.Duration
}

// always returns a lateness, or a duration, that never changes.
func always(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

// upTo returns one that is random up to a maximum.
func upTo(d time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(d) + 1)) }
}

// outcome tells what became of the backlog.
type outcome struct {
	*crowd
	returns float64       // average returns of a delivery
	took    time.Duration // until the last POST began
}

// deliverAll works off the backlog with five instances. It runs in a bubble.
func (l limited) deliverAll(t *testing.T) outcome {
	t.Helper()
	c := newCrowd(t, l.limit, "a")
	if l.takes != nil {
		takes := rand.New(rand.NewPCG(1, 2)) // read with the crowd's lock held
		c.take = func(string) time.Duration { return l.takes(takes) }
	}
	c.send("w", l.backlog)
	late := rand.New(rand.NewPCG(1, 3)) // read with the queue's lock held
	c.retry.Late = func() time.Duration { return l.lateness(late) }
	began := time.Now()
	for round := 0; len(c.posts) < l.backlog; round++ {
		if round == 3000 {
			t.Fatalf("%d of %d were delivered in %s", len(c.posts), l.backlog, time.Since(began))
		}
		c.run(5, time.Minute)
		if l.jam > 0 && len(c.posts) >= l.backlog/3 {
			time.Sleep(l.jam)
			l.jam = 0
		}
	}
	holds := 0
	for _, r := range c.reports.attempted {
		if r.Held > 0 {
			holds++
		}
	}
	slices.SortFunc(c.posts, func(a, b posted) int { return a.began.Compare(b.began) })
	return outcome{c, float64(holds) / float64(l.backlog), c.posts[len(c.posts)-1].began.Sub(began)}
}

// mostIn returns the largest number of POSTs that began within a time.
func (o outcome) mostIn(window time.Duration) int {
	most, first := 0, 0
	for i, p := range o.posts {
		for p.began.Sub(o.posts[first].began) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// checkRate checks that every window has at most rate × window POSTs, plus the burst and one
// attempt.
func (o outcome) checkRate(t *testing.T, perSecond float64) {
	t.Helper()
	for _, window := range []time.Duration{
		100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute,
	} {
		most := perSecond*window.Seconds() + max(perSecond, 1) + 1
		if got := o.mostIn(window); float64(got) > most+0.001 {
			t.Errorf("%d POSTs within %s, allowed are %.1f", got, window, most)
		}
	}
}

// perSecond is a rate limit.
func perSecond(n int) func(*catalog.Endpoint) {
	return func(e *catalog.Endpoint) { e.RateLimit, e.RatePer = n, time.Second }
}

func TestARateIsUsedAndKeptHoweverLateMessagesCome(t *testing.T) {
	t.Parallel()
	perMinute := func(e *catalog.Endpoint) { e.RateLimit, e.RatePer = 1, time.Minute }
	for name, tt := range map[string]struct {
		limited
		perSecond float64
		slower    float64 // than the rate allows, at most
	}{
		"in time": {limited{perSecond(1), nil, 300, always(0), 0}, 1, 1.1},
		"9 s late": {
			limited{perSecond(1), nil, 300, always(9 * time.Second), 0}, 1, 1.2,
		},
		"11 s late": {
			limited{perSecond(1), nil, 300, always(11 * time.Second), 0}, 1, 1.2,
		},
		"2 min late": {
			limited{perSecond(1), nil, 300, always(2 * time.Minute), 0}, 1, 1.6,
		},
		"up to 2 min late": {
			limited{perSecond(1), nil, 600, upTo(2 * time.Minute), 0}, 1, 2.5,
		},
		"an hour late": {
			limited{perSecond(1), nil, 300, always(time.Hour), 0}, 1, 14,
		},
		"a jam": {
			limited{perSecond(1), nil, 300, always(time.Second), 5 * time.Minute}, 1, 3,
		},
		"a jam, 50 a second": {
			limited{perSecond(50), nil, 1600, upTo(2 * time.Second), time.Minute}, 50, 4,
		},
		"1,000 a second": {
			limited{perSecond(1000), nil, 1600, upTo(2 * time.Minute), 0}, 1000, 160,
		},
		"one a minute": {
			limited{perMinute, nil, 60, upTo(2 * time.Minute), 0}, 1.0 / 60, 2.5,
		},
		"together with concurrency": {limited{func(e *catalog.Endpoint) {
			perSecond(5)(e)
			e.Concurrency = 2
		}, always(100 * time.Millisecond), 600, always(11 * time.Second), 0}, 5, 1.8},
		"concurrency is lower still": {limited{func(e *catalog.Endpoint) {
			perSecond(5)(e)
			e.Concurrency = 2
		}, always(time.Second), 600, always(11 * time.Second), 0}, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := tt.deliverAll(t)
				o.checkRate(t, tt.perSecond)
				if longest := time.Duration(
					tt.slower * float64(tt.backlog) / tt.perSecond * float64(time.Second),
				); o.took-tt.jam > longest {
					t.Errorf("it took %s, at most %s were expected", o.took-tt.jam, longest)
				}
				t.Logf("%.2f returns, %s", o.returns, o.took)
				if o.returns > maxReturns {
					t.Errorf(
						"%.2f returns of a delivery, at most %d are allowed", o.returns, maxReturns,
					)
				}
			})
		})
	}
}

// maxReturns is the largest average number of returns of a delivery, for any backlog and any
// lateness.
const maxReturns = 3

func TestReturnsUnderAConcurrencyDoNotGrowWithTheBacklog(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]func(*rand.Rand) time.Duration{
		"quick": always(
			100 * time.Millisecond,
		), "slow": always(10 * time.Second), "uneven": upTo(2 * time.Second),
	} {
		for _, slots := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s, %d slots", name, slots), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := limited{func(e *catalog.Endpoint) {
						e.Concurrency = slots
					}, takes, 400, upTo(2 * time.Second), 0}.deliverAll(t)
					var busy time.Duration
					for _, p := range o.posts {
						busy += p.took
					}
					used := busy.Seconds() / float64(slots) / o.took.Seconds()
					t.Logf("%.2f returns, %s, used to %.2f", o.returns, o.took, used)
					if o.most["a"] > slots || o.returns > maxReturns {
						t.Errorf(
							"%d attempts at once, %.2f returns of a delivery", o.most["a"],
							o.returns,
						)
					}
				})
			})
		}
	}
}

// simulate runs a test in virtual time within a benchmark.
func simulate(b *testing.B, run func(t *testing.T)) {
	b.Helper()
	all := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) {
		synctest.Test(t, run)
	}}}) {
		b.Fail()
	}
}

// BenchmarkReturns shows how often a delivery comes back from a limit, on average. All are at most
// maxReturns.
func BenchmarkReturns(b *testing.B) {
	for name, limit := range map[string]func(*catalog.Endpoint){
		"limit=rate": perSecond(1), "limit=concurrency": func(e *catalog.Endpoint) {
			e.Concurrency = 5
		},
	} {
		for _, backlog := range backlogs {
			for _, late := range latenesses {
				b.Run(fmt.Sprintf(
					"%s/backlog=%d/late=%s", name, backlog, late,
				), func(b *testing.B) {
					var returns float64
					for b.Loop() {
						simulate(b, func(t *testing.T) {
							o := limited{
								limit, always(500 * time.Millisecond), backlog, always(late), 0,
							}.deliverAll(t)
							returns = o.returns
							if returns > maxReturns {
								t.Errorf(
									"%.2f returns of a delivery, at most %d are allowed", returns,
									maxReturns,
								)
							}
						})
					}
					b.ReportMetric(returns, "returns/delivery")
				})
			}
		}
	}
}
