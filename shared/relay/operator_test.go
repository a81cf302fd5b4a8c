package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// newOperatorRig returns a rig with the endpoint "a", and the endpoint "ops" that subscribes to the
// relay's own events of the given types.
func newOperatorRig(t *testing.T, schedule []time.Duration, types ...string) *rig {
	t.Helper()
	r := newRig(t, schedule, "a", "ops")
	r.edit(func(c *catalog.Catalog) {
		c.Subscriptions = []catalog.Subscription{
			{Source: "app", Endpoint: "a"}, {
				Source: catalog.OwnSource, Endpoint: "ops", Types: types,
			},
		}
	})
	return r
}

func (r *rig) notifier() *operate.Notifier {
	return operate.NewNotifier(relay.NewRouter(&r.catalog, nil, 0, time.Now), &r.ingest)
}

// notice is one of the relay's own events as an endpoint gets it.
type notice struct {
	ID   string
	Type string         `json:"type"`
	At   time.Time      `json:"timestamp"`
	Data map[string]any `json:"data"`
}

// notices returns the relay's own events that were POSTed to "ops", in order.
func (r *rig) notices() []notice {
	r.t.Helper()
	var got []notice
	for _, p := range r.poster.posts {
		if host(p) != "ops" {
			continue
		}
		n := notice{ID: p.Header["webhook-id"]}
		if err := json.Unmarshal(p.Body, &n); err != nil {
			r.t.Fatalf("%s: %v", p.Body, err)
		}
		want := map[string]string{
			relay.HeaderSource: catalog.OwnSource, relay.HeaderEventType: n.Type,
			relay.HeaderTrust: "verified", "content-type": "application/json",
		}
		for name, value := range want {
			if p.Header[name] != value {
				r.t.Errorf("%s: %s is %q, want %q", n.Type, name, p.Header[name], value)
			}
		}
		if n.At.IsZero() || p.Header["webhook-signature"] == "" {
			r.t.Errorf("%s at %s, signed %q", n.Type, n.At, p.Header["webhook-signature"])
		}
		got = append(got, n)
	}
	return got
}

func typesOf(notices []notice) []string {
	var types []string
	for _, n := range notices {
		types = append(types, n.Type)
	}
	return types
}

// hourly returns a schedule of n waits of an hour.
func hourly(n int) []time.Duration { return slices.Repeat([]time.Duration{time.Hour}, n) }

// life takes an endpoint through everything that the relay tells of, and returns what was told.
func life(t *testing.T) (string, []notice) {
	t.Helper()
	r := newOperatorRig(t, hourly(130))
	r.poster.failTimes("a", 1000)
	event := r.mustPost("1", "push", "{}")
	r.pump() // ten failures, a day of them, five days of them
	change, err := operate.EnableEndpoint(t.Context(), &r.states, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.notifier().TellChange(t.Context(), change); err != nil {
		t.Error(err)
	}
	time.Sleep(catalog.DefaultCacheTTL)
	r.poster.failTimes("a", 11)
	if err := r.replay(event, "a"); err != nil {
		t.Error(err)
	}
	r.pump()
	return event, r.notices()
}

func TestTheRelayTellsOfEachChangeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		event, got := life(t)
		want := []string{
			gate.EndpointOpened, gate.EndpointFailing, gate.EndpointDisabled, operate.DeliveryDead,
			gate.EndpointEnabled, gate.EndpointOpened,
			gate.EndpointRecovered,
		}
		if diff := cmp.Diff(want, typesOf(got)); diff != "" {
			t.Fatalf("told (-want +got):\n%s", diff)
		}
		if reason := got[0].Data["reason"]; reason != "10 attempts in a row failed, the last one with 503" {
			t.Errorf("opened: %v", reason)
		}
		ids := map[string]bool{}
		for _, n := range got {
			ids[n.ID] = true
		}
		if len(ids) != len(got) {
			t.Errorf("%d ids of %d events", len(ids), len(got))
		}
		reason, _ := got[2].Data["reason"].(string)
		// hours, and jitter decides how many
		if !strings.HasPrefix(reason, "every attempt failed for 12") {
			t.Errorf("disabled since %q", reason)
		}
		if n, _ := got[3].Data["attempts"].(float64); n < 100 {
			t.Errorf("dead after %v attempts", n)
		}
		delete(got[3].Data, "attempts")
		dead := map[string]any{
			"endpoint": "a", "reason": "endpoint_gone", "eventId": event, "source": "app",
			"eventType": "push", "error": "the endpoint is disabled: " + reason,
		}
		if diff := cmp.Diff(dead, got[3].Data); diff != "" {
			t.Errorf("delivery.dead (-want +got):\n%s", diff)
		}
		// five days after the first failure
		if at := "2000-01-06T00:00:00Z"; got[1].Data["disabledAt"] != at {
			t.Errorf("announced %v, want it disabled at %s", got[1].Data, at)
		}
	})
}

func TestARareWebhookThatFailsDisablesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRig(t, []time.Duration{})
		r.poster.failTimes("a", 1_000_000)
		for i := range breaker.OpenAfter {
			r.mustPost(fmt.Sprint(i), "push", "{}")
			r.pump()
			time.Sleep(30 * 24 * time.Hour)
		}
		for _, n := range r.notices() {
			if n.Type != operate.DeliveryDead {
				t.Errorf("told %s: %v", n.Type, n.Data)
			}
		}
		if s, _, _ := r.states.EndpointState(t.Context(), "a"); s.Phase(time.Now()) != breaker.Healthy {
			t.Errorf("%+v", s)
		}
	})
}

// The operator's endpoint always fails, for days, and has a circuit breaker. The relay tells
// nothing about deliveries of its own events.
func TestTheRelaysEventsNeverFeedOnThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRig(t, hourly(10))
		r.poster.failTimes("a", 1_000_000)
		r.poster.failTimes("ops", 1_000_000)
		for day := range 8 {
			for i := range 3 {
				r.mustPost(fmt.Sprint(day, i), "push", "{}")
			}
			time.Sleep(time.Until(time.Date(2000, 1, 2+day, 0, 0, 0, 0, time.UTC)))
			r.pump()
		}
		if s, _, _ := r.states.EndpointState(t.Context(), "ops"); s.DisabledAt.IsZero() {
			t.Errorf("the operator's endpoint only fails, and is %+v", s)
		}
		told := map[string]int{}
		for _, id := range r.reports.eventsOf(catalog.OwnSource) {
			record, _, err := r.ledger.Event(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			told[record.Type]++
			if !strings.Contains(string(record.Body), `"endpoint":"a"`) {
				t.Errorf("%s tells of the operator's own endpoint: %s", id, record.Body)
			}
		}
		want := map[string]int{
			gate.EndpointOpened: 1, gate.EndpointFailing: 1, gate.EndpointDisabled: 1,
			operate.DeliveryDead: 24,
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// eventsOf returns the ids of a source's routed events.
func (r *reports) eventsOf(source string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := map[string]bool{}
	for _, rep := range r.routed {
		if rep.Source == source {
			ids[rep.EventID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// failsOnce is a queue that refuses the next message, or accepts it and loses the answer.
type failsOnce struct {
	relay.Queue
	accepts bool
	failed  *bool
}

func (q failsOnce) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if *q.failed {
		return q.Queue.Send(ctx, msgs)
	}
	*q.failed = true
	if q.accepts {
		q.Queue.Send(ctx, msgs)
	}
	return slices.Repeat([]error{errInjected}, len(msgs))
}

func TestADeathIsToldBeforeItsMessageIsDone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wrap  func(ports, failsOnce) ports
		lost  bool // only the answer is lost
		dead  int  // messages in the dead queue
		twice int  // copies of the relay's event
	}{
		"the ingest queue is down": {func(p ports, q failsOnce) ports {
			q.Queue = p.ingest
			p.ingest = q
			return p
		}, false, 1, 0},
		"the ingest queue's answer is lost": {func(p ports, q failsOnce) ports {
			q.Queue = p.ingest
			p.ingest = q
			return p
		}, true, 1, 1},
		"the dead-letter queue is down": {func(p ports, q failsOnce) ports {
			q.Queue = p.dead
			p.dead = q
			return p
		}, false, 1, 1},
		"the dead-letter queue's answer too": {func(p ports, q failsOnce) ports {
			q.Queue = p.dead
			p.dead = q
			return p
		}, true, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRig(t, []time.Duration{})
				r.poster.failTimes("a", 1)
				event := r.mustPost("1", "push", "{}")
				r.build(func(p ports) ports {
					return tt.wrap(p, failsOnce{accepts: tt.lost, failed: new(false)})
				})
				r.pump()
				got := r.notices()
				if len(got) != 1 || got[0].Data["eventId"] != event ||
					got[0].Data["reason"] != "exhausted" || got[0].Data["statusCode"] != 503.0 {
					t.Errorf("told %+v", got)
				}
				if r.dead.Len() != tt.dead || r.reports.results()[relay.Duplicate] != tt.twice {
					t.Errorf("%d dead, %v", r.dead.Len(), r.reports.results())
				}
			})
		})
	}
}

// If a change cannot be told, the delivery goes on.
func TestAChangeThatCannotBeTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRig(t, hourly(1), "endpoint.*")
		r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 410}, nil
		}
		event := r.mustPost("1", "push", "{}")
		r.build(func(p ports) ports { p.ingest = brokenQueue{}; return p })
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Attempts != 1 || d.Reason != relay.Declined ||
			len(r.notices()) != 0 {
			t.Errorf("told %v, record %+v", r.notices(), d)
		}
		if rep := r.reports.attempted[0]; rep.Change == nil ||
			rep.Change.Type != gate.EndpointDisabled {
			t.Errorf("reported %+v", rep)
		}
	})
}

// countedSubscriptions counts the reads.
type countedSubscriptions struct {
	subscriptions
	n *int
}

type subscriptions = catalog.Subscriptions

func (s countedSubscriptions) Subscriptions(
	ctx context.Context, g catalog.Generation, tenant, source string,
) ([]catalog.Subscription, error) {
	*s.n++
	return s.subscriptions.Subscriptions(ctx, g, tenant, source)
}

func TestWhatNobodyWantsIsNotSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		types []string
		want  []string
	}{
		"of these types": {[]string{"endpoint.*"}, []string{gate.EndpointDisabled}},
		"of this type": {
			[]string{operate.DeliveryDead}, []string{operate.DeliveryDead, operate.DeliveryDead},
		},
		"nobody at all": {[]string{"none"}, nil},
		"of whatever one": {
			nil, []string{gate.EndpointDisabled, operate.DeliveryDead, operate.DeliveryDead},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRig(t, nil, tt.types...)
				var asked int
				r.build(func(p ports) ports {
					p.subs = countedSubscriptions{p.subs, &asked}
					return p
				})
				r.mustPost("0", "push", "{}")
				r.pump()
				if asked != 1 {
					t.Errorf(
						"asked %d times for subscriptions while all is well, the fan-out's one included",
						asked,
					)
				}
				r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					return relay.Reply{StatusCode: 410}, nil
				}
				for i := range 2 {
					r.mustPost(fmt.Sprint(i+1), "push", "{}")
					r.consume(&r.ingest, nil, r.fanout.Process)
					r.consume(&r.delivery, nil, r.deliverer.Process)
				}
				r.pump()
				got := typesOf(r.notices())
				slices.Sort(got)
				slices.Sort(tt.want)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if n := len(r.reports.eventsOf(catalog.OwnSource)); n != len(tt.want) {
					t.Errorf("%d events of its own", n)
				}
			})
		})
	}
}

func TestNothingIsTakenFromOutsideForTheRelaysOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.edit(func(c *catalog.Catalog) {
		c.Sources = append(c.Sources, c.Sources[0])
		c.Sources[1].Name = catalog.OwnSource // written before the name was taken
	})
	in := inbound("1", "endpoint.disabled", "{}")
	in.Source = catalog.OwnSource
	if _, err := r.receiver.Receive(t.Context(), in); !errors.Is(err, catalog.ErrNotFound) ||
		r.ingest.Len() != 0 {
		t.Errorf("%v, %d messages", err, r.ingest.Len())
	}
}

// meddled is a store to which somebody else writes before each of the first writes.
type meddled struct {
	gate.EndpointStates
	times int
}

func (m *meddled) SaveEndpointState(
	ctx context.Context, endpoint string, s breaker.State, prior int64,
) error {
	if m.times--; m.times >= 0 {
		if err := m.EndpointStates.SaveEndpointState(
			ctx, endpoint, breaker.State{Failures: m.times + 1}, prior,
		); err != nil {
			return err
		}
	}
	return m.EndpointStates.SaveEndpointState(ctx, endpoint, s, prior)
}

func TestEnableAndDisable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		ctx := t.Context()
		if c, err := operate.EnableEndpoint(ctx, &r.states, "a"); c != nil || err != nil {
			t.Errorf("one that is well: %+v, %v", c, err)
		}
		c, err := operate.DisableEndpoint(ctx, &meddled{&r.states, 2}, "a", "it moves house")
		if err != nil || c.Type != gate.EndpointDisabled || c.Reason != "it moves house" ||
			c.Revision != 3 || c.State.Failures != 1 {
			t.Errorf("while a function writes: %+v, %v", c, err)
		}
		if c, err := operate.DisableEndpoint(ctx, &r.states, "a", "again"); c != nil || err != nil {
			t.Errorf("twice: %+v, %v", c, err)
		}
		event := r.mustPost("1", "", "{}")
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Reason != relay.EndpointGone ||
			len(r.poster.posts) != 0 {
			t.Errorf("disabled, and yet %+v", d)
		}
		if c, err = operate.EnableEndpoint(ctx, &r.states, "a"); err != nil ||
			c.Type != gate.EndpointEnabled || c.Revision != 4 {
			t.Errorf("%+v, %v", c, err)
		}
		time.Sleep(catalog.DefaultCacheTTL)
		if err := r.replay(event, "a"); err != nil {
			t.Error(err)
		}
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered {
			t.Errorf("enabled, and yet %+v", d)
		}
		if _, err := operate.DisableEndpoint(
			ctx, &meddled{&r.states, 100}, "a", "",
		); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("written without end: %v", err)
		}
		if c, err := operate.DisableEndpoint(ctx, &r.states, "a", ""); err != nil ||
			c.State.Reason == "" {
			t.Errorf("without a reason: %+v, %v", c, err)
		}
	})
}

// TestPageOwnEvents checks the table of the relay's own events: it has every type, with the members
// of its data.
func TestPageOwnEvents(t *testing.T) {
	t.Parallel()
	documented := map[string][]string{}
	for _, row := range page.Rows(t, "../../docs/operating.md", "own-events") {
		eventType := page.Names(row[0])[0]
		// these have tests of their own for their members
		if eventType != operate.SourceSecretLearned && eventType != operate.SubscriptionFailing {
			documented[eventType] = page.Names(row[1])
		}
	}
	synctest.Test(t, func(t *testing.T) {
		_, told := life(t)
		r := newOperatorRig(t, []time.Duration{})
		r.poster.failTimes("a", 1)
		r.mustPost("1", "push", "{}")
		r.pump()
		told = append(told, r.notices()...)
		w := newWatched(t, time.Hour)
		w.hour(1)
		w.quietFor(2)
		w.hour(1)
		told = append(told, w.notices()...)
		w = newDrifting(t)
		w.orders(append(slices.Repeat([]string{fitting}, 10), "{}")...)
		w.quietFor(3)
		told = append(told, w.notices()...)
		r = newOperatorRig(t, nil)
		r.edit(func(c *catalog.Catalog) { c.Endpoints[0].Prove = catalog.ProvePing })
		r.poster.failTimes("a", 1)
		r.mustPost("1", "push", "{}")
		r.pump()
		seen := map[string]map[string]bool{}
		for _, n := range append(told, r.notices()...) {
			if seen[n.Type] == nil {
				seen[n.Type] = map[string]bool{}
			}
			for member := range n.Data {
				seen[n.Type][member] = true
				if !slices.Contains(documented[n.Type], member) {
					t.Errorf("%s has %s, which is not in the table", n.Type, member)
				}
			}
		}
		for eventType, members := range documented {
			for _, member := range members {
				if !seen[eventType][member] {
					t.Errorf("%s never has %s", eventType, member)
				}
			}
		}
	})
}
