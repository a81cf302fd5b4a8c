package conformance

import (
	"errors"
	"testing"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// keeping is a ledger that can extend the retention of events.
type keeping interface {
	operate.Ledger
	relay.Events
	relay.EventKeeper
}

// EventKeeper tests a relay.EventKeeper.
func EventKeeper[L keeping](t *testing.T, fresh func(t *testing.T) L) {
	record := func(t *testing.T, l L, expires time.Time) string {
		t.Helper()
		id := relay.EventID("", "app", "")
		_, err := relay.RecordEvent(t.Context(), l, relay.EventRecord{
			Event: relay.Event{
				ID: id, Receipt: "r", Source: "app",
				ReceivedAt: time.Now().UTC().Truncate(time.Millisecond), Body: []byte("{}"),
			},
			MessageID: "m", RoutedAt: time.Now().UTC().Truncate(time.Millisecond),
			ExpiresAt: expires,
		})
		must(t, "RecordEvent", err)
		return id
	}
	soon := time.Now().UTC().Truncate(time.Second).Add(time.Hour)
	for name, tt := range map[string]struct{ expires, until, want time.Time }{
		"a later time counts":          {soon, soon.Add(time.Hour), soon.Add(time.Hour)},
		"an earlier time does not":     {soon, soon.Add(-time.Minute), soon},
		"what has expired is not kept": {soon.Add(-2 * time.Hour), soon, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := fresh(t)
			id := record(t, l, tt.expires)
			must(t, "KeepEvent", l.KeepEvent(t.Context(), id, tt.until))
			e, _, err := l.Event(t.Context(), id)
			if tt.want.IsZero() {
				if !errors.Is(err, catalog.ErrNotFound) {
					t.Errorf("Event: %v, want ErrNotFound", err)
				}
				return
			}
			must(t, "Event", err)
			equal(t, "expiry", tt.want, e.ExpiresAt)
			equal(t, "body", "{}", string(e.Body))
		})
	}
	t.Run("an event that there is not", func(t *testing.T) {
		t.Parallel()
		must(t, "KeepEvent", fresh(t).KeepEvent(t.Context(), "evt_none", soon))
	})
}
