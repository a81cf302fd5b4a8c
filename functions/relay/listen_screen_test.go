package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"webhook-relay/shared/relay"
)

// newScreenRig returns the list in a terminal of a width, with some events.
func newScreenRig(width int) *screen {
	l := newListening(&box{}, &output{}, listenCommand{Pause: 30 * time.Second})
	l.forward = &forwarder{target: &url.URL{Scheme: "http", Host: "localhost:3000"}, signedBy: "signed"}
	s := &screen{listening: l}
	s.Update(tea.WindowSizeMsg{Width: width, Height: 14})
	for i, r := range []result{
		{Status: 204, Took: 12 * time.Millisecond}, {Status: 500, Response: []byte("oops\x1b[2J")},
		{Err: errors.New("connection refused")},
	} {
		s.Update(heard{
			Event: relay.Event{
				ID: fmt.Sprintf("evt_%d", i), Source: "github", Type: fmt.Sprintf("type.%d\x1b[31m", i),
				Header: relay.Header{"x-evil": "a\x1b]0;title\x07"},
			},
			result: r, Content: []byte(fmt.Sprintf(`{"n": %d, "evil": "`+"\x1b[2J"+`"}`, i)),
			At: noon, Attempts: 1, Done: r.Status == 204, Failed: r.Status != 204,
		})
	}
	return s
}

// press presses keys.
func press(s *screen, keys ...string) {
	for _, key := range keys {
		m := tea.KeyPressMsg{Text: key}
		switch key {
		case "down":
			m = tea.KeyPressMsg{Code: tea.KeyDown}
		case "enter":
			m = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			m = tea.KeyPressMsg{Code: tea.KeyEscape}
		default:
			m.Code = []rune(key)[0]
		}
		s.Update(m)
	}
}

// seen returns what the screen shows, without styles.
func seen(t *testing.T, s *screen) string {
	t.Helper()
	text := s.View().Content
	for _, line := range strings.Split(text, "\n") {
		if w := len([]rune(unstyled(line))); w > s.width {
			t.Errorf("a line has %d characters of %d: %q", w, s.width, line)
		}
	}
	if got := strings.Count(text, "\n") + 1; got != s.height {
		t.Errorf("%d lines of %d", got, s.height)
	}
	text = unstyled(text)
	if strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("control characters of a webhook reach the terminal: %q", text)
	}
	return text
}

// unstyled removes what the styles add: sequences that end with m.
func unstyled(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		codes, rest, _ := strings.Cut(after, "m")
		if strings.Trim(codes, "0123456789;") != "" {
			return b.String() + "\x1b" // no style
		}
		text = rest
	}
}

// TestTheListOnATerminal: the newest is first, and each event shows how it ended. No line is wider
// than the terminal, and control characters are escaped.
func TestTheListOnATerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80, 200} {
		s := newScreenRig(width)
		text := seen(t, s)
		for _, want := range []string{"all sources", "204  12 ms", "500  0 ms", "ERR"} {
			if width >= 80 && !strings.Contains(text, want) {
				t.Errorf("%d columns: no %q in\n%s", width, want, text)
			}
		}
		if width == 200 && strings.Index(text, "evt_2") > strings.Index(text, "evt_0") {
			t.Errorf("the newest is not first:\n%s", text)
		}
		press(s, "down", "down", "enter")
		text = seen(t, s)
		if !strings.Contains(text, "evt_0") || strings.Contains(text, "evt_1") {
			t.Errorf("%d columns: details of another:\n%s", width, text)
		}
	}
}

// TestKeysOfTheList: filter, details and their end, pause.
func TestKeysOfTheList(t *testing.T) {
	t.Parallel()
	s := newScreenRig(120)
	press(s, "/", "r", "e", "f", "u", "s", "enter")
	if text := seen(t, s); strings.Contains(text, "evt_0") || !strings.Contains(text, "evt_2") ||
		!strings.Contains(text, "filter: refus") {
		t.Errorf("filtered:\n%s", text)
	}
	press(s, "esc", "p")
	if text := seen(t, s); !s.paused.Load() || !strings.Contains(text, "paused") ||
		!strings.Contains(text, "evt_0") {
		t.Errorf("paused:\n%s", text)
	}
	press(s, "p", "down", "enter")
	text := seen(t, s)
	if s.paused.Load() || !strings.Contains(text, `x-evil: a\u001b]0;title`) {
		t.Errorf("details:\n%s", text)
	}
	press(s, "down", "down", "down", "down", "down", "down")
	if text := seen(t, s); !strings.Contains(text, `oops\u001b[2J`) {
		t.Errorf("scrolled:\n%s", text)
	}
	press(s, "esc")
	if text := seen(t, s); !strings.Contains(text, "evt_0") {
		t.Errorf("the list again:\n%s", text)
	}
	s.Update(heard{Event: relay.Event{ID: "evt_1"}, result: result{Status: 204}, Attempts: 2})
	if text := seen(t, s); len(s.rows) != 3 || strings.Contains(text, "500") {
		t.Errorf("a further attempt:\n%s", text)
	}
	if _, quits := s.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); quits == nil {
		t.Error("Ctrl-C does not end it")
	}
}
