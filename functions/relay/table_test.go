package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestTablesFitTheTerminal: times become short, columns are left out, and texts are cut, in that
// order. A table that goes elsewhere is whole.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	columns := []column{
		{title: "AT", time: true}, {title: "EVENT"}, {title: "SOURCE", spare: 2},
		{title: "TYPE", spare: 1}, {title: "WHY"},
	}
	for width, want := range map[int]string{
		0:  "AT                    EVENT  SOURCE  TYPE  WHY\n2026-01-02T12:00:00Z  evt_1  github  push  because of something\n",
		66: "AT                    EVENT  SOURCE  TYPE  WHY\n2026-01-02T12:00:00Z  evt_1  github  push  because of something\n",
		62: "AT           EVENT  SOURCE  TYPE  WHY\n01-02 12:00  evt_1  github  push  because of something\n",
		50: "AT           EVENT  TYPE  WHY\n01-02 12:00  evt_1  push  because of something\n",
		40: "AT           EVENT  WHY\n01-02 12:00  evt_1  because of something\n",
		32: "AT           EVENT  WHY\n01-02 12:00  evt_1  because of …\n",
		9:  "AT           EVENT  WHY\n01-02 12:00  evt_1  because…\n",
	} {
		var out bytes.Buffer
		inv := newInvocation(streams(&out))
		inv.Width = width
		inv.Env = func(name string) (string, bool) { return "1", name == "NO_COLOR" }
		if err := inv.table(columns, [][]cell{{
			text("2026-01-02T12:00:00Z"), text("evt_1"), text("github"), text("push"),
			text("because of something"),
		}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", width, diff)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); width > 9 && n > width {
				t.Errorf("a line of %d characters in %d columns: %q", n, width, line)
			}
		}
	}
	if got := shortTime("2026-01-02T12:00:00Z", noon); got != "12:00:00" {
		t.Errorf("a time of today: %s", got)
	}
}

// TestColours are shown on a terminal only, and not with NO_COLOR.
func TestColours(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]struct {
		width int
		env   string
	}{
		"N  STATE\na  dead\n":                                 {0, ""},
		"N  STATE \na  dead\n":                                {80, "NO_COLOR"},
		"N  \x1b[39mSTATE\x1b[39m\na  \x1b[31mdead\x1b[39m\n": {80, ""},
	} {
		var out bytes.Buffer
		inv := newInvocation(streams(&out))
		inv.Width = in.width
		inv.Env = func(name string) (string, bool) { return "1", name == in.env }
		if err := inv.table(
			[]column{{title: "N"}, {title: "STATE"}},
			[][]cell{{text("a"), {text: "dead", colour: red}}},
		); err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(want, " \n", "\n") != out.String() {
			t.Errorf("%+v: %q, want %q", in, out.String(), want)
		}
	}
}

// TestQuestions are asked on a terminal, and only yes goes on.
func TestQuestions(t *testing.T) {
	t.Parallel()
	for answer, code := range map[string]int{
		"y\n": 0, "YES\n": 0, "n\n": exitFailed, "\n": exitFailed, "": exitFailed,
		"yep\n": exitFailed,
	} {
		var out, questions output
		s := streams(&out)
		s.In, s.Err, s.Asks = strings.NewReader(answer), &questions, true
		dir := t.TempDir()
		if _, err := run(t, "tenants", "put", "acme", "--name=A", "--data", dir); err != nil {
			t.Fatal(err)
		}
		got := Main(t.Context(), []string{"tenants", "delete", "acme", "--data", dir}, s)
		if got != code || !strings.HasPrefix(
			questions.String(), "delete the tenant acme (A), its tokens and sessions? [y/N] ",
		) {
			t.Errorf("%q: exit status %d, want %d\n%s", answer, got, code, &questions)
		}
	}
}

// TestProgressOfASearch is shown on a terminal, and removed before anything else is printed.
func TestProgressOfASearch(t *testing.T) {
	t.Parallel()
	var shown output
	s := streams(&shown)
	s.Asks = true
	p := newScan(newInvocation(s))
	at := noon.Add(-time.Hour)
	p.report(12, coveredUntil(at, 2000))
	p.clear()
	p.clear()
	p.report(13, coveredUntil(at, 2000))
	want := "scanned 2,000, 12 found, back to 2026-01-02T11:00:00Z\r\x1b[K" +
		"scanned 4,000, 13 found, back to 2026-01-02T11:00:00Z"
	if shown.String() != want {
		t.Errorf("%q, want %q", shown.String(), want)
	}
}
