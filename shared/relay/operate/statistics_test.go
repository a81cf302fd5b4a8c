package operate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// mill is a sweeper over a ledger with events of two tenants and of the operator.
type mill struct {
	*yard
	catalog memory.Catalog
	posts   memory.Queue
}

func newMill(t *testing.T) *mill {
	t.Helper()
	return &mill{yard: newYard(t)}
}

func (m *mill) AllTenants(context.Context) ([]string, error) { return nil, nil }

func (m *mill) Names(context.Context, string) (sources, endpoints []string, err error) {
	return nil, slices.Clone(m.endpoints), nil
}

// outcomes is the ledger of the sweeper.
type outcomes struct {
	*memory.Ledger
	struck *struckPorts
}

func (o outcomes) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (next relay.Page, err error) {
	err = o.struck.do("outcomes", func() (err error) {
		next, err = o.Ledger.Outcomes(ctx, t, from, each)
		return err
	})
	return next, err
}

func (o outcomes) SweepCursor(ctx context.Context) (operate.SweepCursor, error) {
	return o.Ledger.SweepCursor(ctx)
}

func (o outcomes) SaveSweepCursor(ctx context.Context, c operate.SweepCursor) error {
	return o.struck.do("save cursor", func() error { return o.Ledger.SaveSweepCursor(ctx, c) })
}

func (m *mill) sweep(ctx context.Context) error {
	struck := &struckPorts{yard: m.yard}
	ledger := outcomes{&m.ledger, struck}
	_, err := lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: m, Subscriptions: &m.catalog, Ledger: ledger, Deliveries: &m.ledger,
		Cursors: ledger, Delivery: &m.posts, Retry: &m.posts, Documents: struck,
	})).Run(ctx)
	return err
}

// grow records n random events within an hour.
func (m *mill) grow(r *rand.Rand, n int) {
	hour := time.Now().Truncate(time.Hour)
	for i := range n {
		tenant := []string{"", "", "acme", "globex"}[r.IntN(4)]
		var endpoints []string
		endpoints = append(endpoints, []string{"a", "b", "c"}[:r.IntN(4)]...)
		status := []relay.Status{
			relay.Delivered, relay.Delivered, relay.Dead, relay.Waiting,
		}[r.IntN(4)]
		time.Sleep(time.Duration(r.IntN(20)) * time.Second)
		m.event(tenant, fmt.Sprintf("evt_%s_%03d", hour.Format("15"), i),
			[]string{"push", "ping", ""}[r.IntN(3)], "{}", status, endpoints...)
	}
	time.Sleep(time.Until(hour.Add(time.Hour)))
}

// truth counts what is on record, directly.
func (m *mill) truth(tenant string, by operate.StatsBy) map[string]operate.Counts {
	want := map[string]operate.Counts{}
	for _, k := range m.events {
		record, deliveries, err := m.ledger.Event(m.t.Context(), k.ID)
		if err != nil {
			m.t.Fatal(err)
		}
		owner, source := "", k.Source
		if of, plain, qualified := strings.Cut(k.Source, "/"); qualified {
			owner, source = of, plain
		}
		hour := k.ReceivedAt.Format("15") + " "
		add := func(name string, change func(*operate.Counts)) {
			c := want[hour+name]
			change(&c)
			want[hour+name] = c
		}
		deliver := func(d relay.Delivery) func(*operate.Counts) {
			return func(c *operate.Counts) {
				c.Deliveries++
				c.Attempts += d.Attempts
				switch d.Status {
				case relay.Delivered, relay.Unneeded:
					c.Delivered++
				case relay.Dead:
					c.Dead++
				case relay.Waiting:
					c.Waiting++
				}
			}
		}
		if by == operate.StatsByEndpoint {
			for _, d := range deliveries {
				if owner == tenant {
					add(strings.TrimPrefix(d.Endpoint, tenant+"/"), deliver(d))
				}
			}
			continue
		}
		if owner != tenant && (tenant != "" || by != operate.StatsTotal) {
			continue
		}
		name := map[operate.StatsBy]string{
			operate.StatsTotal: "", operate.StatsBySource: source, operate.StatsByType: k.Type,
		}[by]
		add(name, func(c *operate.Counts) {
			c.Accepted++
			if len(record.Endpoints) == 0 {
				c.Unrouted++
			} else {
				c.Routed++
			}
		})
		for _, d := range deliveries {
			add(name, deliver(d))
		}
	}
	return want
}

// check compares all statistics with what is on record.
func (m *mill) check(from, to time.Time, when string) {
	m.t.Helper()
	stats := operate.Statistics{Documents: &m.documents}
	for _, tenant := range []string{"", "acme", "globex"} {
		for _, by := range []operate.StatsBy{
			operate.StatsTotal, operate.StatsBySource, operate.StatsByEndpoint,
			operate.StatsByType,
		} {
			items, err := stats.Stats(m.t.Context(), operate.StatsQuery{
				Tenant: tenant, By: by, From: from, To: to,
			})
			if err != nil {
				m.t.Fatal(err)
			}
			got := map[string]operate.Counts{}
			for _, i := range items {
				if i.Unaccounted() != 0 || i.Partial || i.AsOf.IsZero() ||
					i.Settled && i.Waiting > 0 {
					m.t.Errorf("%s: %s of %q: %+v", when, by, tenant, i)
				}
				got[i.At.Format("15")+" "+i.Name] = i.Counts
			}
			if diff := cmp.Diff(
				m.truth(tenant, by), got, cmpopts.IgnoreFields(operate.Counts{}, "Ages"),
			); diff != "" {
				m.t.Fatalf("%s: %s of %q (-want +got):\n%s", when, by, tenant, diff)
			}
		}
	}
}

// end ends all waiting deliveries.
func (m *mill) end() {
	for _, k := range m.keys {
		d, err := m.ledger.Delivery(m.t.Context(), k)
		if err != nil {
			m.t.Fatal(err)
		}
		if d.Status == relay.Waiting {
			d.Status, d.Attempts, d.UpdatedAt = relay.Delivered, 4, time.Now().UTC()
			if err := m.ledger.SaveDelivery(m.t.Context(), d, 3); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func TestStatistics_AreExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMill(t), rand.New(rand.NewPCG(1, 2))
		start := time.Now()
		for range 3 {
			m.grow(r, 40)
		}
		time.Sleep(2 * time.Hour)
		if err := m.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.check(start, start.Add(3*time.Hour), "after the first look")
		m.end()
		for range 24 {
			time.Sleep(time.Hour)
			if err := m.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		m.check(start, start.Add(3*time.Hour), "when all has ended")
		if left, _, err := m.documents.DocumentsIn(t.Context(), "stats-tally",
			operate.DocumentRange{
				From: "again/", Before: "again/~", Limit: 100,
			}); err != nil || len(left) > 0 {
			t.Errorf("%d hours are still to be counted again, %v", len(left), err)
		}
	})
}

// TestStatistics_AnyCallMayFail fails each call of the sweeps in turn, and kills the sweep there or
// lets it go on. In the end the statistics are exact.
func TestStatistics_AnyCallMayFail(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"before", "after", "killed before", "killed after"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for k, more := 1, true; more; k += 1 + k/40 { // each call at first, then some
				synctest.Test(t, func(t *testing.T) {
					m, n := newMill(t), 0
					start := time.Now()
					r := rand.New(rand.NewPCG(1, 2))
					m.grow(r, 6)
					m.grow(r, 6)
					more = false
					m.strike = func(_ string, call func() error) error {
						if n++; n != k {
							return call()
						}
						more = true
						if strings.HasSuffix(mode, "after") {
							_ = call()
						}
						if strings.HasPrefix(mode, "killed") {
							return errKilled
						}
						return errFault
					}
					time.Sleep(time.Hour)
					for i := range 14 {
						time.Sleep(time.Hour)
						if err := m.sweep(t.Context()); err != nil && !errors.Is(err, errFault) {
							t.Fatal(err)
						}
						if i == 2 {
							m.end()
						}
					}
					m.check(start, start.Add(2*time.Hour), fmt.Sprintf("call %d", k))
				})
			}
		})
	}
}

// A sweep whose time is up goes on in the next run, and nothing is counted twice.
func TestStatistics_OfAnHourThatTakesSeveralRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMill(t), rand.New(rand.NewPCG(1, 2))
		start := time.Now()
		m.grow(r, 40)
		time.Sleep(2 * time.Hour)
		m.strike = func(what string, call func() error) error {
			if what == "outcomes" {
				time.Sleep(time.Second)
			}
			return call()
		}
		runs := 0
		for done := false; !done; runs++ {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			if err := m.sweep(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			c, err := m.ledger.SweepCursor(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done = !c.Hour.Before(start.Add(time.Hour))
		}
		if runs < 3 {
			t.Errorf("only %d runs", runs)
		}
		m.strike = func(_ string, call func() error) error { return call() }
		m.check(start, start.Add(time.Hour), "after several runs")
	})
}

func TestStats_StepsNamesAndRecentHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMill(t), rand.New(rand.NewPCG(3, 4))
		start := time.Now()
		for range 4 {
			m.grow(r, 20)
		}
		if err := m.sweep(t.Context()); err != nil { // it looks at the first two hours
			t.Fatal(err)
		}
		now := time.Now()
		stats := operate.Statistics{Documents: &m.documents, Events: &struckPorts{yard: m.yard}}
		all, err := stats.Stats(t.Context(), operate.StatsQuery{
			By: operate.StatsBySource, From: start, To: now, Step: 4 * time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for _, k := range m.events {
			if k.Source == "app" {
				own++
			}
		}
		if len(all) != 1 || all[0].Name != "app" || all[0].Accepted != own || !all[0].Partial ||
			all[0].Settled || !all[0].At.Equal(start) {
			t.Errorf("%d events, got %+v", own, all)
		}
		for name, want := range map[string]int{"ping": 2, "none": 0} {
			some, err := stats.Stats(t.Context(), operate.StatsQuery{
				By: operate.StatsByType, From: start, To: start.Add(2 * time.Hour),
				Names: []string{name},
			})
			if err != nil || len(some) != want {
				t.Errorf("%s: %+v, %v", name, some, err)
			}
		}
	})
}

func TestStats_RefusesWhatItCannotAnswer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, q := range map[string]operate.StatsQuery{
		"by":    {By: "colour", From: now.Add(-time.Hour), To: now},
		"order": {By: operate.StatsTotal, From: now, To: now.Add(-time.Hour)},
		"range": {By: operate.StatsTotal, From: now.Add(-2 * operate.MaxStatsRange), To: now},
		"step":  {By: operate.StatsTotal, From: now.Add(-time.Hour), To: now, Step: time.Minute},
	} {
		s := operate.Statistics{Documents: &memory.Documents{}}
		if _, err := s.Stats(t.Context(), q); !errors.Is(err, operate.ErrStats) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Quantile is within a bucket of the true value.
func TestAgeCount_Quantile(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		ages := make([]time.Duration, 1+r.IntN(500))
		counts := operate.Counts{}
		for i := range ages {
			ages[i] = time.Duration(r.ExpFloat64() * float64(time.Minute))
			counts.Ages.Count(ages[i])
		}
		slices.Sort(ages)
		for _, share := range []float64{0.5, 0.95, 1} {
			exact := ages[max(0, min(len(ages)-1, int(share*float64(len(ages))+0.999)-1))]
			got := counts.Ages.Quantile(share)
			if got > 10*time.Millisecond && (got > exact*18/10 || got < exact*10/18) {
				t.Errorf("%v of %d: got %v, exactly %v", share, len(ages), got, exact)
			}
		}
	}
	if got := (operate.AgeCount{}).Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
