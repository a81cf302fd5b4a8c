package main

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
)

// leave writes a lost delivery into a directory that is configured as configFor says: an event on
// record, received at the given time, whose delivery has no message.
func leave(t *testing.T, dir, url string, receivedAt time.Time) (event string) {
	t.Helper()
	if _, err := run(
		t, "apply", writeFile(t, "relay.yaml", configFor(url)), "--data", dir,
	); err != nil {
		t.Fatal(err)
	}
	l, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.store.Close()
	e := relay.Event{
		ID: relay.EventID("", "app", "lost"), Receipt: "r", Source: "app",
		ReceivedAt: receivedAt.UTC().Truncate(time.Millisecond), Body: []byte("{}"),
	}
	_, err = relay.RecordEvent(t.Context(), l.store.Ledger(), relay.EventRecord{
		Event: e, MessageID: "m", Endpoints: []string{"target"},
		ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

func TestWhatWasLostIsPutBack(t *testing.T) {
	t.Parallel()
	target, dir := newReceiver(t, nil), t.TempDir()
	event := leave(
		t, dir, target.URL, time.Now().Add(-2*time.Hour).Truncate(time.Hour).Add(-30*time.Minute),
	)
	_, out := startLocal(t, "--data", dir, "--sweep-every", "50ms")
	eventually(t, "it is on record as delivered", func() bool {
		return recorded(t, dir, event)["target"].Status == relay.Delivered
	})
	eventually(t, "it is told", func() bool {
		return strings.Contains(out.String(), "swept     1 delivery that had been lost, sent again")
	})
}

func TestSweepingNeedsAnInterval(t *testing.T) {
	t.Parallel()
	if out, err := run(
		t, "local", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--sweep-every", "0s",
	); err == nil || !strings.Contains(err.Error(), "--sweep-every") {
		t.Errorf("%v\n%s", err, out)
	}
}
