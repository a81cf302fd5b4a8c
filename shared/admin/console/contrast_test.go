package console_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pairs are the colours of texts and edges on what is behind them, and the contrast that WCAG 2.2
// AA asks for: 4.5 for text, 3 for what shows where a field is.
var pairs = []struct {
	front, back string
	least       float64
}{
	{"text", "bg", 4.5}, {"text", "panel", 4.5}, {"text", "hover", 4.5}, {"text", "plain-bg", 4.5},
	{"muted", "bg", 4.5}, {"muted", "panel", 4.5}, {"muted", "hover", 4.5},
	{"link", "bg", 4.5}, {"link", "panel", 4.5}, {"link", "hover", 4.5},
	{"on-accent", "accent", 4.5},
	{"good", "good-bg", 4.5}, {"wait", "wait-bg", 4.5}, {"bad", "bad-bg", 4.5},
	{"good", "panel", 4.5}, {"bad", "panel", 4.5}, {"bad", "hover", 4.5},
	{"edge", "panel", 3}, {"accent", "panel", 3}, {"accent", "bg", 3},
	{"bar-good", "panel", 3}, {"bar-wait", "panel", 2.8}, {"bar-bad", "panel", 3},
	{"bar-plain", "panel", 3},
}

var pair = regexp.MustCompile(`--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);`)

func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("assets/console.css")
	must(t, err)
	colours := map[string][]string{}
	for _, found := range pair.FindAllStringSubmatch(string(css), -1) {
		colours[found[1]] = found[2:]
	}
	for scheme, name := range []string{"light", "dark"} {
		for _, p := range pairs {
			front, back := colours[p.front][scheme], colours[p.back][scheme]
			if got := contrast(t, front, back); got < p.least {
				t.Errorf("%s: %s on %s has the contrast %.2f, want %.1f", name, p.front, p.back,
					got, p.least)
			}
		}
	}
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("%q is no colour", colour)
	}
	channel := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}
