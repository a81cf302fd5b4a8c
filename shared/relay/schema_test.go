package relay_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/schema"
)

// newTypedRig returns a rig with the endpoints a and b, which gets only what fails. Events of the
// type order have an integer id.
func newTypedRig(t *testing.T, v catalog.Validation) *rig {
	t.Helper()
	r := newRig(t, []time.Duration{time.Minute}, "a", "b")
	r.edit(func(c *catalog.Catalog) {
		c.Sources[0].Validation = v
		c.Sources[0].Types = []catalog.EventType{
			{Name: "order", Schema: `{"required":["id"],"properties":{"id":{"type":"integer"}}}`},
			{Name: "plain", Description: "has no schema"},
		}
		for i := range c.Subscriptions {
			if c.Subscriptions[i].Endpoint == "b" {
				c.Subscriptions[i].Filter = `{"schema":["failed"]}`
			}
		}
	})
	return r
}

func TestEventsAreFlagged(t *testing.T) {
	t.Parallel()
	large := `{"id":"` + strings.Repeat("x1", 400<<10) + `"}`
	for name, tt := range map[string]struct {
		eventType, body string
		want            *relay.SchemaResult
		posts           int // to a, and to b if it failed
	}{
		"it fits": {
			"order", `{"id":1}`, &relay.SchemaResult{Status: schema.Passed}, 1,
		},
		"it does not": {
			"order", `{"id":"x"}`, &relay.SchemaResult{
				Status: schema.Failed, At: "/id", Problem: "is a string, not integer",
			}, 2,
		},
		"it does not, in the bucket": {
			"order", large, &relay.SchemaResult{
				Status: schema.Failed, At: "/id", Problem: "is a string, not integer",
			}, 2,
		},
		"it is too large": {
			"order", large + strings.Repeat(" ", 400<<10), &relay.SchemaResult{
				Status: schema.Unchecked, Problem: "is too large to be checked",
			}, 1,
		},
		"it is no JSON": {
			"order", "hello", &relay.SchemaResult{
				Status: schema.Failed, Problem: "is not JSON",
			}, 2,
		},
		"a type without a schema":      {"plain", `{}`, nil, 1},
		"a type that is not described": {"other", `{}`, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTypedRig(t, "")
				id := r.mustPost("1", tt.eventType, tt.body)
				r.pump()
				record, err := r.ledger.EventRecord(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				got := record.Schema
				if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
					t.Errorf("%+v, want %+v", got, tt.want)
				}
				if len(r.poster.posts) != tt.posts {
					t.Errorf("%d posts, want %d", len(r.poster.posts), tt.posts)
				}
			})
		})
	}
}

// TestRefusedEventsDieAfterTheirAcceptance: and a replay sends them.
func TestRefusedEventsDieAfterTheirAcceptance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTypedRig(t, catalog.Refuse)
		id := r.mustPost("1", "order", `{}`)
		r.pump()
		if n := len(r.poster.posts); n != 0 {
			t.Errorf("%d posts, want none", n)
		}
		d := r.deliveryOf(id, "a")
		if d.Status != relay.Dead || d.Reason != relay.SchemaFailed || d.Attempts != 1 ||
			d.History[0].Outcome != relay.Skipped || d.History[0].Error != "/id is missing" {
			t.Fatalf("%+v, want it dead", d)
		}
		replayer := operate.Replayer{
			Ledger: &r.ledger, Deliveries: &r.ledger, Retry: &r.retry,
			Router: relay.NewRouter(&r.catalog, nil, 0, time.Now),
		}
		if err := replayer.Replay(t.Context(), id, "a"); err != nil {
			t.Fatal(err)
		}
		r.pump()
		if d := r.deliveryOf(id, "a"); d.Status != relay.Delivered || len(r.poster.posts) != 1 {
			t.Errorf("%+v after a replay", d)
		}
	})
}

func TestRejectedWebhooksAreNotAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTypedRig(t, catalog.Reject)
		_, err := r.post("1", "order", `{"id":1.5}`)
		if !errors.Is(err, relay.ErrSchema) ||
			!strings.HasSuffix(err.Error(), ": /id is a number, not integer") {
			t.Errorf("error %v", err)
		}
		if relay.RefusalOf(err) != relay.RefusedMisfit {
			t.Errorf("refused as %s", relay.RefusalOf(err))
		}
		r.mustPost("2", "order", `{"id":1}`)
		r.mustPost("3", "other", `{}`)
		r.pump()
		if n := len(r.poster.posts); n != 2 {
			t.Errorf("%d posts, want 2", n)
		}
	})
}

// downTypes are the types of a catalog that cannot be read.
type downTypes struct{ catalog.Types }

func (downTypes) EventTypes(
	context.Context, catalog.Generation, string,
) (catalog.EventTypes, error) {
	return catalog.EventTypes{}, errors.New("down")
}

// TestTypesThatCannotBeReadLoseNothing: the event is not routed unchecked, it is routed later.
func TestTypesThatCannotBeReadLoseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTypedRig(t, "")
		r.types = downTypes{&r.catalog}
		r.build(func(p ports) ports { return p })
		id := r.mustPost("1", "order", `{"id":1}`)
		r.consume(&r.ingest, &r.ingestDL, r.fanout.Process)
		if n := len(r.poster.posts); n != 0 || r.ingest.Len() != 1 {
			t.Fatalf("%d posts, %d messages; want the message to wait", n, r.ingest.Len())
		}
		r.types = nil
		r.build(func(p ports) ports { return p })
		r.pump()
		if d := r.deliveryOf(id, "a"); d.Status != relay.Delivered {
			t.Errorf("%+v, want it delivered", d)
		}
	})
}

// countedPointers counts how often the pointer of a catalog is read.
type countedPointers struct {
	*memory.Catalog
	reads atomic.Int64
}

func (c *countedPointers) State(ctx context.Context, tenant string) (catalog.State, error) {
	c.reads.Add(1)
	return c.Catalog.State(ctx, tenant)
}

// TestTypesAndRoutesReadOnePointer: an instance of fan-out reads the pointer of the operator's
// catalog once in the life of its cache, not once for each of its caches.
func TestTypesAndRoutesReadOnePointer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTypedRig(t, catalog.Flag)
		counted := &countedPointers{Catalog: &r.catalog}
		r.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
			Subscriptions: counted, Types: counted, Events: &r.ledger, Bodies: &r.bodies,
			Delivery: &r.delivery, Poison: &memory.Queue{}, Failures: &memory.Failures{},
			Reporter: discard{},
		}))
		for _, id := range []string{"1", "2"} {
			r.mustPost(id, "order", `{"id":1}`)
			r.consume(&r.ingest, nil, r.fanout.Process)
		}
		if n := counted.reads.Load(); n != 1 {
			t.Errorf("the pointer was read %d times", n)
		}
	})
}
