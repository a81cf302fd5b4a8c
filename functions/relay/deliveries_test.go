package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"webhook-relay/shared/relay/catalog"
)

func TestDeadDeliveriesAreListedAndSentAgain(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	target := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	dir := t.TempDir()
	text := strings.ReplaceAll(configFor(target.URL), "1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s", "")
	addr, _ := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", text))
	var event string
	for i := range 3 {
		var err error
		if event, err = postTo(t.Context(), http.DefaultClient, addr, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	says := func(want string, args ...string) bool {
		t.Helper()
		out, err := run(t, append(args, "--data", dir)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(out, want)
	}
	eventually(t, "three dead", func() bool {
		return says("3 dead at target", "deliveries", "--endpoint", "target")
	})
	if !says("attempt 1 at ", "deliveries", "--event", event) ||
		!says("target  dead", "deliveries", "--event", event) {
		t.Error("the event's attempts are not told")
	}
	if !says("dead, exhausted, attempt 1 at ", "deliveries", "--endpoint", "target") ||
		!says("0 dead", "deliveries", "--endpoint", "target", "--reason", "expired") {
		t.Error("why they died is not told")
	}
	if !says(
		`{"id":"`+event+`","source":"app","trust":"`, "deliveries", "--event", event, "--json",
	) ||
		!says(
			`"endpoint":"target","source":"app","status":"dead","reason":"exhausted"`, "deliveries",
			"--endpoint", "target", "--json",
		) ||
		!says(`{"name":"target","state":"healthy"`, "endpoints", "--json") ||
		says("1 endpoint\n", "endpoints", "--json") {
		t.Error("not told in JSON")
	}
	if !says("0 dead", "deliveries", "--endpoint", "target", "--until", "1h") ||
		!says("3 dead", "deliveries", "--endpoint", "target", "--since", "1h", "--source", "app") {
		t.Error("not chosen by age and source")
	}
	if !says("3  (no type) from app, dead, exhausted", "replay", "target") ||
		!says("3 deliveries would be sent", "replay", "target", "--yes", "--dry-run") ||
		!says("0 deliveries would be sent", "replay", "target", "--type", "user.*") ||
		!says("3 dead", "deliveries", "--endpoint", "target") {
		t.Error("what would be sent is not told, or was sent")
	}
	mended.Store(true)
	if !says("1 delivery to target sent to the queue again", "replay", "target", "--event", event) {
		t.Error("one replay")
	}
	eventually(t, "one delivered", func() bool {
		return says("target  delivered", "deliveries", "--event", event)
	})
	if !says(
		"2 deliveries to target sent to the queue again", "replay", "target", "--yes", "--rate",
		"1000",
	) {
		t.Error("all replayed")
	}
	if !says("0 deliveries to target sent to the queue again", "replay", "target", "--yes") {
		t.Error("sent twice what is under way")
	}
	eventually(t, "all delivered", func() bool {
		n, all := target.count()
		return n == 3 && all == 6
	})
	for _, args := range [][]string{
		{"deliveries", "--event", "evt_none"}, {"replay", "target", "--event", "evt_none"},
		{"replay", "--event", "evt_none"},
	} {
		if out, err := run(t, append(args, "--data", dir)...); !errors.Is(
			err, catalog.ErrNotFound,
		) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	for _, args := range [][]string{
		{"deliveries"}, {"deliveries", "--endpoint", "a", "--event", "b"}, {
			"deliveries", "--endpoint", "a", "--status", "new",
		},
		{"deliveries", "--event", "evt_x", "--since", "1h"}, {
			"deliveries", "--endpoint", "a", "--since", "yesterday",
		},
		{"replay"}, {"replay", "target", "--event", event, "--reason", "expired"}, {
			"replay", "target", "--reason", "boredom",
		},
		{"replay", "target", "--rate", "0"}, {
			"replay", "target", "--type", strings.Repeat("x", 1000),
		},
	} {
		if out, err := run(t, append(args, "--data", dir)...); err == nil {
			t.Errorf("%v: no error\n%s", args, out)
		}
	}
}

func TestAnEventGoesToWhoSubscribedLater(t *testing.T) {
	t.Parallel()
	target := newReceiver(t, nil)
	dir := t.TempDir()
	text := configFor(target.URL)
	early, _, _ := strings.Cut(text, "subscriptions:")
	addr, _ := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", early))
	event, err := postTo(t.Context(), http.DefaultClient, addr, "1")
	if err != nil {
		t.Fatal(err)
	}
	says := func(want string, args ...string) bool {
		t.Helper()
		out, err := run(t, append(args, "--data", dir)...)
		return err == nil && strings.Contains(out, want)
	}
	eventually(t, "it is unrouted", func() bool {
		return says("no subscription matched it", "deliveries", "--event", event)
	})
	if !says("nobody has subscribed", "replay", "--event", event) {
		t.Error("sent to somebody")
	}
	if _, err := run(t, "apply", writeFile(t, "relay.yaml", text), "--data", dir); err != nil {
		t.Fatal(err)
	}
	if !says("sent to the queue for target", "replay", "--event", event) {
		t.Error("not sent")
	}
	eventually(t, "it is delivered", func() bool {
		return says("target  delivered", "deliveries", "--event", event)
	})
}
