package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
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
	counts := func(n int, want string, args ...string) bool {
		t.Helper()
		out, err := run(t, append(args, "--data", dir)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(out, want) == n
	}
	eventually(t, "three dead", func() bool {
		return counts(3, "dead, exhausted", "deliveries", "--endpoint", "target")
	})
	if !says("attempt 1 at ", "events", "get", event) ||
		!says("target  dead", "events", "get", event) ||
		!says("target  dead", "deliveries", "get", event, "target") {
		t.Error("the event's attempts are not told")
	}
	if !says("dead, exhausted            1: 500", "deliveries", "--endpoint", "target") ||
		!counts(0, "dead", "deliveries", "--endpoint", "target", "--reason", "expired") {
		t.Error("why they died is not told")
	}
	if !says(
		`{"id":"`+event+`","source":"app","trust":"`, "events", "get", event, "--json",
	) ||
		!says(
			`"endpoint":"target","source":"app","status":"dead","reason":"exhausted"`, "deliveries",
			"--endpoint", "target", "--json",
		) ||
		!says(`{"name":"target","url":"`+target.URL+`","state":"healthy"`, "endpoints", "--json") ||
		says("NAME", "endpoints", "--json") {
		t.Error("not told in JSON")
	}
	if !counts(0, "dead", "deliveries", "--endpoint", "target", "--until", "1h") ||
		!counts(
			3, "dead,", "deliveries", "--endpoint", "target", "--since", "1h", "--source", "app",
		) {
		t.Error("not chosen by age and source")
	}
	if !says(
		"(no type) from app to target, exhausted", "redrive", "--endpoint", "target", "--dry-run",
	) ||
		!says(
			"3 dead deliveries to send again", "redrive", "--endpoint", "target", "--yes",
			"--dry-run",
		) ||
		!says("nothing to do", "redrive", "--endpoint", "target", "--type", "user.*") ||
		!counts(3, "dead,", "deliveries", "--endpoint", "target") {
		t.Error("what would be sent is not told, or was sent")
	}
	mended.Store(true)
	fails(t, exitUsage, "relay jobs run job_", "redrive", "--endpoint", "target", "--data", dir)
	if !says(
		"1 delivery to target sent to the queue again", "replay", "--endpoint", "target", "--event",
		event,
	) {
		t.Error("one replay")
	}
	eventually(t, "one delivered", func() bool {
		return says("target  delivered", "events", "get", event)
	})
	if !says(
		"done, done 2, failed 0, skipped 0 of 2", "redrive", "--endpoint", "target", "--yes",
		"--rate", "1000",
	) {
		t.Error("all replayed")
	}
	if !says("nothing to do", "redrive", "--endpoint", "target", "--yes") {
		t.Error("sent twice what is under way")
	}
	eventually(t, "all delivered", func() bool {
		n, all := target.count()
		return n == 3 && all == 6
	})
	for _, args := range [][]string{
		{"events", "get", "evt_none"}, {"deliveries", "get", "evt_none", "target"},
		{"replay", "--endpoint", "target", "--event", "evt_none"},
		{"replay", "--event", "evt_none"}, {"find", "evt_none"}, {"find", "nothing"},
	} {
		fails(t, exitNotFound, "", append(args, "--data", dir)...)
	}
	for _, args := range [][]string{
		{"deliveries", "--endpoint", "a", "--status", "new"}, {"deliveries", "--limit=-1"},
		{"deliveries", "--endpoint", "a", "--since", "yesterday"}, {"find"},
		{"find", "evt_x", "--type", "a"}, {"replay"}, {"redrive"},
		{"replay", "--endpoint=target", "--event", event, "--reason", "expired"},
		{"redrive", "--endpoint", "target", "--reason", "boredom"},
		{"redrive", "--endpoint", "target", "--rate", "0"}, {"tail", "--until", "1h"},
	} {
		fails(t, exitUsage, "", append(args, "--data", dir)...)
	}
	fails(t, exitFailed, "/filter/types", "redrive", "--endpoint", "target", "--type",
		strings.Repeat("x", 1000), "--data", dir)
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
		return says("no subscription matched it", "events", "get", event)
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
		return says("target  delivered", "events", "get", event)
	})
}
