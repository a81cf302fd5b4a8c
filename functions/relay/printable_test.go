package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
)

// hostile contains a line break, colours, cursor movements, a change of text direction, and ends
// with half a character.
const hostile = "x\r\n12:00:00.000 delivered evt_forged \x1b[31m\x1b]0;title\a\u009b2J\u202e\u2066\x7f\xff\xc3"

// checkPrinted fails the test if the output contains anything that a terminal would interpret, or
// too many lines.
func checkPrinted(t *testing.T, what, printed string, lines int) {
	t.Helper()
	obeyed := func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
	}
	if strings.ContainsFunc(printed, obeyed) || !utf8.ValidString(printed) {
		t.Errorf("%s: a terminal would obey %q", what, printed)
	}
	if n := strings.Count(printed, "\n"); n != lines {
		t.Errorf("%s: %d lines, want %d: %q", what, n, lines, printed)
	}
}

func TestNothingForeignReachesTheTerminal(t *testing.T) {
	t.Parallel()
	ctx, failed := t.Context(), errors.New(hostile)
	attempt := relay.Attempt{Number: 1, Outcome: relay.Outcome(hostile), Error: hostile}
	told := map[string]func(c *console){
		"refused source": func(c *console) {
			c.Received(ctx, relay.ReceiveReport{Source: hostile, Err: failed})
		},
		"accepted type": func(c *console) {
			c.Received(ctx, relay.ReceiveReport{Source: "s", EventID: "e", Type: hostile})
		},
		"unrouted type": func(c *console) {
			c.Routed(
				ctx,
				relay.RouteReport{
					EventID: "e", Type: hostile, Source: hostile, Result: relay.Unrouted,
				},
			)
		},
		"fault at fan-out": func(c *console) {
			c.Routed(ctx, relay.RouteReport{EventID: "e", Err: failed})
		},
		"attempt": func(c *console) {
			c.Attempted(
				ctx, relay.AttemptReport{Status: relay.Dead, Reason: hostile, Attempt: attempt},
			)
		},
		"change of endpoint": func(c *console) {
			c.Attempted(
				ctx,
				relay.AttemptReport{
					Change: &gate.Change{
						Type: "endpoint.opened", Endpoint: hostile, Reason: hostile,
					},
				},
			)
		},
		"sweep": func(c *console) { c.swept(operate.SweepReport{}, failed) },
	}
	for what, tell := range told {
		var out bytes.Buffer
		c := newConsole(&out)
		tell(c)
		c.flush()
		checkPrinted(t, what, out.String(), 1)
	}
	delivery := admin.DeliveryView{
		Event: "e", Endpoint: hostile, Source: hostile, Type: hostile, Status: "dead",
		Reason: hostile, Attempts: []admin.Attempt{{
			Number: 1, Outcome: hostile, Error: hostile, Response: hostile,
		}},
	}
	var out bytes.Buffer
	inv := newInvocation(streams(&out))
	story := admin.EventStory{
		ID: "e", Type: hostile, Source: hostile, Endpoints: []string{"a" + hostile},
		Deliveries: []admin.DeliveryView{delivery}, Subscriptions: []admin.Tried{{
			Subscription: hostile, Endpoint: hostile, Mismatch: &admin.Mismatch{
				Field: hostile, Wanted: hostile, Found: []string{hostile},
			},
		}},
	}
	if err := inv.story(story); err != nil {
		t.Fatal(err)
	}
	checkPrinted(t, "events get", out.String(), 6)
	out.Reset()
	if err := inv.document(story); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v: %q is no JSON", err, out.String())
	}
	checkPrinted(t, "events get --json", out.String(), 1)
	for _, width := range []int{0, 40, 80, 200} {
		out.Reset()
		inv.Width = width
		inv.Env = func(name string) (string, bool) { return "1", name == "NO_COLOR" }
		if err := inv.table(
			[]column{{title: "A"}, {title: "B", spare: 1}, {title: "C"}},
			[][]cell{{text(hostile), text(hostile), text(hostile)}},
		); err != nil {
			t.Fatal(err)
		}
		checkPrinted(t, "a table", out.String(), 2)
	}
	out.Reset()
	_ = writeDocument(inv.err, problemOf(failed))
	checkPrinted(t, "an error as JSON", out.String(), 1)
	out.Reset()
	_, _ = fmt.Fprintln(inv.err, textOf(&admin.Problem{
		Title: hostile, Detail: hostile, Errors: []admin.FieldError{{
			Pointer: hostile, Detail: hostile,
		}},
	}))
	checkPrinted(t, "a problem", out.String(), 3)
}

// Anybody who can reach the port chooses a request's path and method; an endpoint chooses its
// answer.
func TestNothingForeignReachesTheTerminalOfALocalRelay(t *testing.T) {
	t.Parallel()
	addr, out := startLocal(t, "--demo", "--data", t.TempDir())
	for _, path := range []string{
		"/in/x%0A12:00:00.000%20delivered%20evt_forged%1B%5B31m", "/in/%C2%9B2J%E2%80%AE",
	} {
		req, err := http.NewRequestWithContext(
			t.Context(), http.MethodPost, "http://"+addr+path, nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	eventually(t, "both refusals", func() bool {
		return strings.Count(out.String(), "refused ") == 2
	})
	printed := out.String()
	checkPrinted(t, "relay local", printed, strings.Count(printed, "\n"))
	if strings.Contains(printed, "\n12:00:00.000") {
		t.Errorf("a line was forged:\n%s", printed)
	}
}

func TestAnAnswerToASampleIsPrintedOnOneLine(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(hostile))
		}))
		t.Cleanup(server.Close)
		out, err := run(t, "send", "github", "--to", server.URL+"/in/github?token=hunter2")
		printed := out
		if err != nil {
			printed += err.Error() + "\n"
		}
		checkPrinted(t, fmt.Sprint(status), printed, 2)
		if strings.Contains(printed, "hunter2") {
			t.Errorf("a token of the URL is printed: %s", printed)
		}
	}
}

func TestACharacterMayComeInParts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &printableWriter{to: &out}
	for _, b := range []byte("zäh 日本 \U0001f600\u202e\n") {
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if want := "zäh 日本 \U0001f600\\u202e\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestVersionIsTold(t *testing.T) {
	t.Parallel()
	out, err := command(t.Context(), "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "relay ") ||
		!strings.Contains(string(out), "go1.") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%q, %v", out, err)
	}
}

func TestMomentsAreNamedAsOperatorsDo(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, ago := range map[string]time.Duration{
		"36h": 36 * time.Hour, "2d": 2 * day, "1w": 7 * day, "1w2d": 9 * day,
		"1d12h": 36 * time.Hour, "1d1h30m": 25*time.Hour + 30*time.Minute,
		"0s": 0, "90m": 90 * time.Minute, "1.5h": 90 * time.Minute,
	} {
		var m moment
		before := time.Now()
		if err := m.UnmarshalText([]byte(text)); err != nil || m.Before(before.Add(-ago)) ||
			m.After(time.Now().Add(-ago)) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
		var s span
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != ago {
			t.Errorf("%s: %v, %v", text, time.Duration(s), err)
		}
	}
	for text, want := range map[string]string{
		"2026-11-30": "2026-11-30T00:00:00Z", "2026-11-30T12:00:00+01:00": "2026-11-30T11:00:00Z",
	} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil ||
			m.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	for _, text := range []string{
		"", "d", "2", "-2d", "-36h", "2d1w", "2 d", "2x", "1M", "99999w", "yesterday",
	} {
		if err := new(moment).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestEveryCutOfATextIsPrintedAlike(t *testing.T) {
	t.Parallel()
	for _, text := range []string{hostile, "日本", "\xf0\x9f", "a\tb"} {
		for at := range len(text) {
			var out bytes.Buffer
			w := &printableWriter{to: &out}
			for _, part := range []string{text[:at], text[at:], "\n"} {
				if _, err := w.Write([]byte(part)); err != nil {
					t.Fatal(err)
				}
			}
			checkPrinted(t, "written", out.String(), strings.Count(text, "\n")+1)
		}
		checkPrinted(t, "quoted", name(text), 0)
	}
}
