package relay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// sentTo returns what was sent to a queue, as "body attempt", in order.
func (r *rig) sentTo() (all []string) {
	r.t.Helper()
	for _, p := range r.poster.posts {
		got := sqsBody(r.t, p)
		all = append(all, got.MessageBody+" "+got.MessageAttributes["relay-attempt"].StringValue)
	}
	return all
}

// TestADestinationKeepsTheOrder: a delivery that failed holds back the later ones.
func TestADestinationKeepsTheOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second}, "a")
		r.aim(aQueue, destination.Options{})
		r.setOrder(catalog.Order{On: true})
		r.answering(
			verdict(200, destination.Failed, "X"), verdict(200, destination.Accepted, ""),
		)
		r.mustPost("1", "t", "1")
		r.mustPost("2", "t", "2")
		r.pump()
		if got := strings.Join(r.sentTo(), ", "); got != "1 1, 1 2, 2 1" {
			t.Error(got)
		}
	})
}

// TestADestinationHasARate, as any endpoint.
func TestADestinationHasARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second}, "a")
		r.aim(aQueue, destination.Options{})
		r.edit(func(c *catalog.Catalog) {
			c.Endpoints[0].RateLimit, c.Endpoints[0].RatePer = 1, time.Minute
		})
		var at []time.Time
		r.poster.answers["sqs.eu-central-1.amazonaws.com/"] = func(
			relay.Post,
		) (relay.Reply, error) {
			at = append(at, time.Now())
			return verdict(200, destination.Accepted, ""), nil
		}
		for _, id := range []string{"1", "2", "3"} {
			r.mustPost(id, "t", id)
		}
		r.pump()
		if len(at) != 3 || at[2].Sub(at[0]) < 2*time.Minute-time.Second {
			t.Errorf("sent at %v", at)
		}
	})
}

// TestADestinationThatFailsIsLeftAlone: its circuit breaker opens after as many failures.
func TestADestinationThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newAimedRig(t, aQueue, destination.Options{}, time.Hour)
		r.answering(verdict(200, destination.Failed, "InternalError"))
		for i := range breaker.OpenAfter + 5 {
			r.mustPost(string(rune('a'+i)), "t", "{}")
			for r.consume(&r.ingest, &r.ingestDL, r.fanout.Process) {
			}
			for r.consume(&r.delivery, &r.poison, r.deliverer.Process) {
			}
		}
		if n := len(r.poster.posts); n != breaker.OpenAfter {
			t.Errorf("%d requests, want %d", n, breaker.OpenAfter)
		}
		s, _, err := r.states.EndpointState(t.Context(), "a")
		if err != nil || !s.OpenUntil.After(time.Now()) {
			t.Errorf("%v, state %+v", err, s)
		}
	})
}

// TestAPingToADestination is an event like any other.
func TestAPingToADestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newAimedRig(t, aBus, destination.Options{}, time.Hour)
		r.answering(verdict(200, destination.Accepted, ""))
		id, err := operate.Pinger{Events: &r.ledger, Delivery: &r.delivery}.Ping(
			t.Context(), "a", time.Now(),
		)
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		if d := r.deliveryOf(id, "a"); d.Status != relay.Delivered || len(r.poster.posts) != 1 {
			t.Fatalf("%+v, %d requests", d, len(r.poster.posts))
		}
		var body struct {
			Entries []struct{ DetailType, Source string }
		}
		if err := json.Unmarshal(r.poster.posts[0].Body, &body); err != nil {
			t.Fatal(err)
		}
		if e := body.Entries[0]; e.DetailType != relay.PingType ||
			e.Source != "relay."+catalog.OwnSource {
			t.Errorf("%+v", e)
		}
	})
}
