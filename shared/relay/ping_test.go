package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// TestAPingIsAnAttemptOnRecord: it reaches one endpoint, once, whatever that answers.
func TestAPingIsAnAttemptOnRecord(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]relay.Status{"well": relay.Delivered, "ill": relay.Dead} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, hourly(3), "a", "b")
			if answer == "ill" {
				r.poster.failTimes("a", 100)
			}
			id, err := operate.Pinger{Events: &r.ledger, Delivery: &r.delivery}.Ping(
				t.Context(), "a", time.Now(),
			)
			if err != nil {
				t.Fatal(err)
			}
			r.pump()
			d := r.deliveryOf(id, "a")
			if d.Status != want || d.Attempts != 1 || d.Source != catalog.OwnSource ||
				d.Type != relay.PingType {
				t.Errorf("%s: %+v", answer, d)
			}
			if n := len(r.poster.posts); n != 1 {
				t.Errorf("%s: %d requests", answer, n)
			}
			if _, err := (operate.Pinger{Events: &r.ledger, Delivery: &r.delivery}).Ping(
				t.Context(), "a", time.Now(),
			); err != nil {
				t.Errorf("a second one: %v", err)
			}
		})
	}
}

// TestAPingThatCannotBeSentIsAnError: it is on record, and the sweep sends it.
func TestAPingThatCannotBeSentIsAnError(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "a")
	if _, err := (operate.Pinger{Events: &r.ledger, Delivery: brokenQueue{}}).Ping(
		t.Context(), "a", time.Now(),
	); err == nil {
		t.Error("no error")
	}
}

// TestAnOperatorsPauseHoldsDeliveries until the endpoint is enabled. They use up no attempts.
func TestAnOperatorsPauseHoldsDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hourly(3), "a")
		if changed, err := operate.PauseEndpoint(t.Context(), &r.states, "a"); !changed ||
			err != nil {
			t.Fatalf("%t, %v", changed, err)
		}
		if changed, err := operate.PauseEndpoint(t.Context(), &r.states, "a"); changed ||
			err != nil {
			t.Errorf("again: %t, %v", changed, err)
		}
		time.AfterFunc(3*time.Hour, func() {
			if n := len(r.poster.posts); n != 0 {
				t.Errorf("%d requests while it is paused", n)
			}
			if _, err := operate.EnableEndpoint(t.Context(), &r.states, "a"); err != nil {
				t.Error(err)
			}
		})
		event := r.mustPost("1", "push", "{}")
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	})
}
