package console

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestHiddenCharactersAreShownByName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"invoice.paid":          "invoice.paid",
		"a\u202egnp.exe":        "a<U+202E>gnp.exe",
		"\u2066x\u2069":         "<U+2066>x<U+2069>",
		"zero\u200bwidth\ufeff": "zero<U+200B>width<U+FEFF>",
		"a\x00b\x1b[31m":        "a<U+0000>b<U+001B>[31m",
		"bad\xffbyte":           "bad<0xFF>byte",
		"line\nbreak\ttab":      "line\nbreak\ttab",
		"\ufffd":                "<U+FFFD>",
		"grüße 👍🏽 日本":           "grüße 👍🏽 日本",
		"\U000e0041":            "<U+E0041>",
		"":                      "",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPrettyChangesNothingButSpace(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":12345678901234567890.10,"b":[1,2],"c":{},"d":[ ]}`: "{\n  \"a\": 12345678901234567890.10,\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": {},\n  \"d\": []\n}",
		`{"x":"a,b{c}\":[\u0041"}`:                               "{\n  \"x\": \"a,b{c}\\\":[\\u0041\"\n}",
		`plain, text: {}`:                                        `plain, text: {}`,
		`{"cut":"off`:                                            "{\n  \"cut\": \"off",
		"[1e400,-0]":                                             "[\n  1e400,\n  -0\n]",
	} {
		if got := pretty(in); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", in, got, want)
		}
	}
}

// FuzzPretty: without white space outside of strings, what is shown is what came.
func FuzzPretty(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":"c\"d"}]}`, `[]]]}}`, `{"a`, "[\xff\"\\", "{,:}"} {
		f.Add(s)
	}
	bare := func(s string) string {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '"':
				end := endOfString(s, i)
				b.WriteString(s[i:end])
				i = end - 1
			case ' ', '\t', '\r', '\n':
			default:
				b.WriteByte(s[i])
			}
		}
		return b.String()
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := pretty(s); got != s && bare(got) != bare(s) {
			t.Errorf("%q became %q", s, got)
		}
		p := payloadOf([]byte(s))
		if !utf8.ValidString(p.text) {
			t.Errorf("%q is shown as what is no text", s)
		}
		var all strings.Builder
		for _, part := range spans(s) {
			all.WriteString(part.text)
		}
		if !utf8.ValidString(all.String()) {
			t.Errorf("%q has parts that are no text", s)
		}
	})
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", shownBytes) // twice as many bytes
	if p := payloadOf([]byte("x" + long)); p.binary || !p.cut || len(p.text) != shownBytes-1 ||
		p.size != 2*shownBytes+1 {
		t.Errorf("a long text: %d bytes shown, %+v", len(p.text), p.cut)
	}
	if p := payloadOf([]byte{0, 1, 'a', 0xff}); !p.binary || p.cut ||
		p.text != "000000  00 01 61 ff                                      ..a.\n" {
		t.Errorf("binary: %q", p.text)
	}
	if p := payloadOf(make([]byte, 1<<20)); !p.binary || !p.cut || len(p.text) > 20*hexBytes {
		t.Errorf("long binary: %d bytes shown", len(p.text))
	}
	deep := strings.Repeat("[", shownBytes)
	if p := payloadOf([]byte(deep)); p.text != deep {
		t.Errorf("deep nesting: %d bytes shown", len(p.text))
	}
}

func TestWordsForPeople(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(-1234567): "-1,234,567",
		count(100000):                      "100,000",
		ago(now, now.Add(-90*time.Second)): "1 min ago",
		ago(now, now.Add(3*time.Hour)):     "in 3 h 0 min",
		spanText(49 * time.Hour):           "2 d 1 h",
		number(1, "delivery"):              "1 delivery",
		number(1200, "delivery"):           "1,200 deliveries",
		number(2, "event"):                 "2 events", size(1023): "1023 B", size(1536): "1.5 KiB",
		size(5 << 20): "5.0 MiB", shorten("aéé", 2): "a…", timeText(now): "2026-01-02 03:04:05 UTC",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatLastsOfAPage(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"":                                 "",
		"<p>as it is</p>":                  "<p>as it is</p>",
		"a <time a>1</time>":               "a >1</time>",
		"<time a>1</time><time b>2</time>": ">1</time>>2</time>",
		`<a href="/e?next=x&back=y">`:      `<a href="/e?&">`,
		"it ends with next=":               "it ends with ",
	} {
		if got := string(lasting([]byte(page))); got != want {
			t.Errorf("%s: %s, want %s", page, got, want)
		}
	}
}
