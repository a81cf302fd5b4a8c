package operate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/route"
	"webhook-relay/shared/verify"
)

func (y *yard) searcher() operate.Searcher {
	p := &struckPorts{yard: y}
	return operate.Searcher{
		Events: p, Deliveries: p, Records: p, Bodies: p, Endpoints: p.endpointsOf,
	}
}

// A search that is continued to its end finds each event and delivery once, whatever is recorded
// meanwhile, and whatever the size of its parts.
func TestSearch_PartsMakeAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, r := newYard(t), rand.New(rand.NewPCG(1, 2))
		record := func(i int) {
			y.event(
				[]string{"", "", "acme"}[r.IntN(3)], fmt.Sprintf("evt_%03d", i),
				[]string{"push", "pull.opened"}[r.IntN(2)], fmt.Sprintf(`{"x": %d}`, r.IntN(4)),
				[]relay.Status{relay.Delivered, relay.Dead}[r.IntN(2)],
				[]string{"a", "b", "c"}[:r.IntN(4)]...,
			)
			time.Sleep(time.Second)
		}
		for i := range 60 {
			record(i)
		}
		where := lab.Must(route.ParseFilter([]byte(`{"data": {"x": [1, 2]}}`)))
		for i, q := range []operate.EventSearch{
			{},
			{Search: operate.Search{Selection: operate.Selection{Tenant: "acme"}}},
			{Search: operate.Search{Selection: operate.Selection{Types: []string{"pull.*"}}}},
			{
				Search: operate.Search{
					Selection: operate.Selection{Sources: []string{"app"}, Where: where},
				},
			},
			{Search: operate.Search{
				From: time.Now().Add(-40 * time.Second), To: time.Now().Add(-9 * time.Second),
			}},
			{Statuses: []relay.Status{relay.Dead}},
			{Statuses: []relay.Status{relay.Waiting}, Unrouted: true},
			{Trusts: []verify.Trust{verify.Unverified}},
			{
				Trusts:   []verify.Trust{verify.Verified, ""},
				Statuses: []relay.Status{relay.Delivered},
			},
		} {
			until, known := time.Now(), len(y.events)
			takes := func(
				q operate.EventSearch, id, source, eventType string, at time.Time,
			) bool {
				body := ""
				e, deliveries, err := y.ledger.Event(t.Context(), id)
				if err == nil {
					body = string(e.Body)
				}
				status := func(s relay.Status) bool {
					return slices.ContainsFunc(deliveries, func(d relay.Delivery) bool {
						return d.Status == s
					})
				}
				return strings.HasPrefix(source, "acme/") == (q.Tenant == "acme") &&
					(len(q.Types) == 0 || eventType == "pull.opened") &&
					(q.Where == nil || strings.ContainsAny(body, "12")) &&
					(len(q.Trusts) == 0 || slices.Contains(q.Trusts, e.Trust)) &&
					(len(q.Statuses) == 0 || q.Unrouted && len(e.Endpoints) == 0 ||
						slices.ContainsFunc(q.Statuses, status)) &&
					!at.Before(q.From) && (q.To.IsZero() || at.Before(q.To)) && at.Before(until)
			}
			var want, got []string
			for _, k := range slices.Backward(y.events[:known]) {
				if takes(q, k.ID, k.Source, k.Type, k.ReceivedAt) {
					want = append(want, k.ID)
				}
			}
			q.Limit = 1 + i*2
			for more := true; more; more = q.Position != "" {
				found, err := y.searcher().SearchEvents(t.Context(), q)
				if err != nil || len(found.Items) > q.Limit {
					t.Fatalf("%d items, %v", len(found.Items), err)
				}
				for _, k := range found.Items {
					if k.ReceivedAt.Before(until) {
						got = append(got, k.ID)
					}
				}
				if q.Position == "" {
					record(100 + i)
				}
				q.Position = found.Next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events of %+v (-want +got):\n%s", q, diff)
			}
			want, got = nil, nil
			dead := operate.DeliverySearch{
				Search: q.Search, Statuses: []relay.Status{relay.Dead},
				Endpoints: []string{"c", "a"},
			}
			if i == 0 {
				dead.Statuses, dead.Reasons = nil, []relay.Reason{relay.Exhausted}
			}
			for _, endpoint := range []string{"a", "c"} {
				if q.Tenant != "" {
					endpoint = q.Tenant + "/" + endpoint
				}
				for _, k := range slices.Backward(y.keys) {
					d, err := y.ledger.Delivery(t.Context(), k)
					if err == nil && d.Endpoint == endpoint && d.Status == relay.Dead &&
						takes(
							operate.EventSearch{Search: dead.Search}, d.EventID, d.Source, d.Type,
							d.ReceivedAt,
						) {
						want = append(want, d.EventID+" "+endpoint)
					}
				}
			}
			for more := true; more; more = dead.Position != "" {
				found, err := y.searcher().SearchDeliveries(t.Context(), dead)
				if err != nil || len(found.Items) > dead.Limit {
					t.Fatalf("%d items, %v", len(found.Items), err)
				}
				for _, d := range found.Items {
					if d.ReceivedAt.Before(until) {
						got = append(got, d.EventID+" "+d.Endpoint)
					}
				}
				dead.Position = found.Next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("deliveries of %+v (-want +got):\n%s", dead, diff)
			}
		}
	})
}

// A search that finds nothing reads no more than it may in one call, and says how far it got.
func TestSearch_IsBounded(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]time.Duration{
		"by reads": 0, "by time": 100 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t)
				start := time.Now().UTC().Add(-3 * time.Second)
				for i := range 3000 {
					y.events = append(y.events, operate.EventKey{
						ID: fmt.Sprintf("evt_%05d", i), Source: "app",
						ReceivedAt: start.Add(time.Duration(i) * time.Millisecond),
					})
				}
				y.strike = func(what string, call func() error) error {
					if what == "list events" {
						time.Sleep(slow)
					}
					return call()
				}
				q := operate.EventSearch{Search: operate.Search{
					Selection: operate.Selection{Types: []string{"none"}}, Limit: 50,
				}}
				calls, scanned := 0, 0
				for more := true; more; more = q.Position != "" {
					began := time.Now()
					found, err := y.searcher().SearchEvents(t.Context(), q)
					if err != nil || len(found.Items) > 0 {
						t.Fatalf("%+v, %v", found, err)
					}
					if found.Scanned > operate.MaxSearchReads+100 ||
						time.Since(began) > operate.MaxSearchTime+time.Second {
						t.Errorf("%d reads in %v", found.Scanned, time.Since(began))
					}
					calls, scanned = calls+1, scanned+found.Scanned
					if want := y.events[3000-scanned].ReceivedAt; !found.Until.Equal(want) {
						t.Errorf("until %v, want %v", found.Until, want)
					}
					q.Position = found.Next
				}
				if scanned != 3000 || calls < 2 {
					t.Errorf("%d calls read %d", calls, scanned)
				}
			})
		})
	}
}

func TestSearch_RefusesAForeignPosition(t *testing.T) {
	t.Parallel()
	for _, position := range []string{"x", `{"p": 1}`, `[]`} {
		q := operate.EventSearch{Search: operate.Search{Position: position, Limit: 1}}
		if _, err := newYard(t).searcher().SearchEvents(
			t.Context(), q,
		); !errors.Is(err, operate.ErrPosition) {
			t.Errorf("%s: %v", position, err)
		}
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	e := relay.Event{
		Source: "app", Type: "push", Body: []byte(`{"n": 1}`),
		Header: relay.Header{"content-type": "application/json"},
	}
	for name, test := range map[string]struct {
		subscription catalog.Subscription
		field        string // "": it matches
		alone        bool
	}{
		"takes all":      {catalog.Subscription{Source: "app"}, "", false},
		"another source": {catalog.Subscription{Source: "hub"}, "source", true},
		"another source and type": {
			catalog.Subscription{Source: "hub", Types: []string{"ping"}}, "source", false,
		},
		"another type": {
			catalog.Subscription{Source: "app", Types: []string{"ping"}}, "type", true,
		},
		"its data": {
			catalog.Subscription{Source: "app", Filter: `{"data": {"n": [1]}}`}, "", false,
		},
		"other data": {
			catalog.Subscription{Source: "app", Filter: `{"data": {"n": [2]}}`}, "data.n", true,
		},
	} {
		m, err := operate.Try(t.Context(), e, test.subscription, nil)
		if err != nil || (m == nil) != (test.field == "") ||
			m != nil && (m.Field != test.field || m.Alone != test.alone) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := operate.Try(
		t.Context(), e, catalog.Subscription{Filter: "{"}, nil,
	); !errors.Is(err, route.ErrFilter) {
		t.Errorf("a broken filter: %v", err)
	}
}
