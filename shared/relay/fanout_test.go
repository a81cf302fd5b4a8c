package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// subscribe replaces the rig's subscriptions.
func (r *rig) subscribe(subs ...catalog.Subscription) {
	r.t.Helper()
	cat, revision, err := r.catalog.LoadCatalog(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range subs {
		subs[i].Source = "app"
	}
	cat.Subscriptions = subs
	if err := r.catalog.ReplaceCatalog(r.t.Context(), cat, revision); err != nil {
		r.t.Fatal(err)
	}
}

// countedBodies counts the reads of bodies, and how many run at a time.
type countedBodies struct {
	relay.Bodies
	reads, inHand, most atomic.Int32
}

func (c *countedBodies) Get(ctx context.Context, key string) ([]byte, error) {
	c.reads.Add(1)
	c.most.Store(max(c.most.Load(), c.inHand.Add(1)))
	defer c.inHand.Add(-1)
	time.Sleep(time.Millisecond) // virtual: all concurrent reads have begun by then
	return c.Bodies.Get(ctx, key)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	large := `{"padding": "` + strings.Repeat(
		"x", relay.DefaultInlineBodyBytes,
	) + `", "repository": {"private": false}}`
	tests := map[string]struct {
		types     []string
		filter    string
		body      string
		endpoints []string // that the event is routed to, beside "all"
		reads     int32    // of large bodies
	}{
		"matches": {
			nil, `{"trust": ["authenticated"], "data": {"repository": {"private": [false]}}}`,
			`{"repository": {"private": false}}`, []string{"some"}, 0,
		},
		"does not": {
			nil, `{"data": {"repository": {"private": [true]}}}`,
			`{"repository": {"private": false}}`, nil, 0,
		},
		"of the source and a header": {
			nil,
			`{"source": ["app"], "type": ["t"], "headers": {"content-type": [{"prefix": "application/"}]}}`,
			"", []string{"some"}, 0,
		},
		"another type": {[]string{"other"}, `{"source": ["app"]}`, "", nil, 0},
		"credentials are not kept": {
			nil, `{"headers": {"authorization": [{"exists": true}]}}`, "", nil, 0,
		},
		"a large body": {
			nil, `{"data": {"repository": {"private": [false]}}}`, large, []string{"some"}, 1,
		},
		"a large body, of no interest": {
			nil, `{"trust": ["authenticated"]}`, large, []string{"some"}, 0,
		},
		"a large body of another type": {
			[]string{"other"}, `{"data": {"repository": {"private": [false]}}}`, large, nil, 0,
		},
		"a large body that is no object": {
			nil, `{"data": {"repository": [{"exists": false}]}}`, large + "x", []string{"some"}, 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "all", "some")
				bodies := &countedBodies{Bodies: &r.bodies}
				r.subscribe(
					catalog.Subscription{Endpoint: "some", Types: tt.types, Filter: tt.filter},
					catalog.Subscription{Endpoint: "all"},
				)
				r.build(func(p ports) ports { p.bodies = bodies; return p })
				event := r.mustPost("1", "t", tt.body)
				r.consume(&r.ingest, nil, r.fanout.Process)
				record, _, err := r.ledger.Event(t.Context(), event)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(
					append(slices.Clone(tt.endpoints), "all"), record.Endpoints,
				); diff != "" {
					t.Errorf("endpoints (-want +got):\n%s", diff)
				}
				if got := bodies.reads.Load(); got != tt.reads {
					t.Errorf("%d large bodies read, want %d", got, tt.reads)
				}
			})
		})
	}
}

func TestEventThatEveryFilterRefusesIsUnrouted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a", "b")
		r.subscribe(
			catalog.Subscription{Endpoint: "a", Filter: `{"trust": ["verified"]}`},
			catalog.Subscription{Endpoint: "b", Filter: `{"data": {"x": [1]}}`},
		)
		event := r.mustPost("1", "t", `{"x": 2}`)
		r.mustPost("2", "t", `{"x": 1.0}`)
		r.pump()
		record, deliveries, err := r.ledger.Event(t.Context(), event)
		if err != nil || len(record.Endpoints) != 0 || len(deliveries) != 0 {
			t.Errorf("on record: %+v, %+v, %v", record, deliveries, err)
		}
		if diff := cmp.Diff(
			map[relay.RouteResult]int{relay.Unrouted: 1, relay.Routed: 1}, r.reports.results(),
		); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestUndecidedSubscriptionsAreReported: an event has one filter more than it may cost. It goes to
// the endpoints whose filters take it, and the others are reported.
func TestUndecidedSubscriptionsAreReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "all", "costly", "both", "cheap")
		var conditions []string
		for i := range 150 {
			conditions = append(conditions, fmt.Sprintf(`{"wildcard": "*a*%d*"}`, i))
		}
		costly := `{"data": {"n": [` + strings.Join(conditions, ", ") + "]}}"
		r.subscribe(catalog.Subscription{Endpoint: "all"}, catalog.Subscription{
			Endpoint: "costly", Filter: costly,
		},
			catalog.Subscription{
				Endpoint: "both", Filter: costly,
			}, catalog.Subscription{Endpoint: "both"},
			catalog.Subscription{
				Endpoint: "cheap", Filter: `{"data": {"m": [{"numeric": [">", 0]}]}}`,
			})
		event := r.mustPost("1", "t", `{"m": 1, "n": "`+strings.Repeat("ab", 1<<19)+`"}`)
		r.consume(&r.ingest, nil, r.fanout.Process)
		record, _, err := r.ledger.Event(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"all", "both", "cheap"}, record.Endpoints); diff != "" {
			t.Errorf("endpoints (-want +got):\n%s", diff)
		}
		if got := r.reports.routed[0]; got.Result != relay.Routed ||
			!slices.Equal(got.Undecided, []string{"costly"}) {
			t.Errorf("reported %+v", got)
		}
	})
}

// TestCopyAtTheFanOutWaits: the copy sends again what the first message may have sent, after the
// first one has ended.
func TestCopyAtTheFanOutWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.mustPost("1", "", "{}")
		msgs, _ := r.ingest.Receive(t.Context(), 1)
		process := func(id string, sent int) error {
			t.Helper()
			lose(&r.delivery)
			m := msgs[0]
			m.ID = id
			a := r.fanout.Process(t.Context(), []relay.Message{m})[0]
			if got := r.delivery.Len(); got != sent {
				t.Errorf("%d deliveries sent, want %d", got, sent)
			}
			return a.Err
		}
		original := msgs[0].ID
		if err := errors.Join(process(original, 1), process(original, 1)); err != nil {
			t.Errorf("the message itself, come again: %v", err)
		}
		time.Sleep(catalog.MaxEndpointTimeout)
		if err := process("copy", 0); err == nil {
			t.Error("a copy is taken for done while the first may be in hand")
		}
		time.Sleep(15 * time.Second)
		if err := process("copy", 1); err != nil || !r.delivery.List()[0].Resent {
			t.Errorf("a copy after the first: %v", err)
		}
	})
}

func TestLargeBodiesAreMatchedOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		bodies := &countedBodies{Bodies: &r.bodies}
		r.subscribe(catalog.Subscription{
			Endpoint: "a", Filter: `{"data": {"x": [{"exists": false}]}}`,
		})
		r.build(func(p ports) ports { p.bodies = bodies; return p })
		for _, id := range []string{"1", "2", "3"} {
			r.mustPost(id, "t", strings.Repeat("x", 100_000))
		}
		r.consume(&r.ingest, nil, r.fanout.Process)
		if got := r.delivery.Len(); got != 3 || bodies.reads.Load() != 3 ||
			bodies.most.Load() != 1 {
			t.Errorf(
				"%d deliveries, %d reads, %d at a time; want 3, 3, 1", got, bodies.reads.Load(),
				bodies.most.Load(),
			)
		}
	})
}

func TestEventStaysInTheQueueWhileItCannotBeMatched(t *testing.T) {
	t.Parallel()
	const private = `{"data": {"repository": {"private": [true]}}}`
	tests := map[string]struct {
		filter string
		bodies relay.Bodies
		want   error
	}{
		"the body is out of reach": {private, brokenBodies{}, errInjected},
		"the body is gone":         {private, &memory.Bodies{}, catalog.ErrNotFound},
		"the filter is of another time": {
			`{"data": {"a": [{"regex": "x"}]}}`, &memory.Bodies{}, route.ErrFilter,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a")
				r.subscribe(catalog.Subscription{Endpoint: "a", Filter: tt.filter})
				event := r.mustPost("1", "t", strings.Repeat("x", 100_000))
				r.build(func(p ports) ports { p.bodies = tt.bodies; return p })
				r.consume(&r.ingest, nil, r.fanout.Process)
				if _, _, err := r.ledger.Event(t.Context(), event); !errors.Is(
					err, catalog.ErrNotFound,
				) || r.ingest.Len() != 1 {
					t.Errorf("on record: %v; %d messages left, want 1", err, r.ingest.Len())
				}
				if got := r.reports.routed[0]; got.Result != relay.RouteFailed ||
					!errors.Is(got.Err, tt.want) {
					t.Errorf("reported %+v, want %v", got, tt.want)
				}
			})
		})
	}
}
