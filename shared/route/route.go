package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// MaxPatternBytes is the longest pattern that Validate accepts.
const MaxPatternBytes = 256

// ErrPattern: a pattern cannot be one of an event type; the message says why.
var ErrPattern = errors.New("route: pattern")

// Rule says which events a subscription wants.
type Rule struct {
	Types []string // patterns, of which one must match; empty: every event
}

// Table is a set of rules made ready for matching. It does not change, so it is safe for concurrent use.
type Table struct {
	all    []int            // rules that match every event
	exact  map[string][]int // by the whole type
	prefix map[string][]int // by what stands before the only "*", which is the last character
	sizes  []size           // which lengths of prefix to look up, ascending
	globs  []glob           // the other patterns
}

// size is a length that keys of prefix have, and the bytes they end in at that length. Most patterns end in ".*", so that
// looking at one byte of the type spares the look-up of nearly every length.
type size struct {
	length int
	ends   [256]bool
}

// glob is a pattern split at its "*" (two parts at least), and the rules that have it.
type glob struct {
	parts []string
	rules []int
}

// New returns a Table of the rules. It takes patterns as they are; Validate belongs where they come from.
func New(rules []Rule) *Table {
	t := &Table{exact: map[string][]int{}, prefix: map[string][]int{}}
	others := map[string][]int{}
	for i, rule := range rules {
		if len(rule.Types) == 0 {
			t.all = append(t.all, i)
		}
		for _, pattern := range rule.Types {
			before, after, star := strings.Cut(pattern, "*")
			switch {
			case !star:
				t.exact[pattern] = append(t.exact[pattern], i)
			case strings.Trim(pattern, "*") == "":
				t.all = append(t.all, i)
			case after == "":
				t.prefix[before] = append(t.prefix[before], i)
			default:
				others[pattern] = append(others[pattern], i)
			}
		}
	}
	t.sizes = sizes(t.prefix)
	for _, pattern := range slices.Sorted(maps.Keys(others)) {
		t.globs = append(t.globs, glob{strings.Split(pattern, "*"), others[pattern]})
	}
	return t
}

func sizes(prefix map[string][]int) []size {
	byLength := map[int]size{}
	for before := range prefix {
		s := byLength[len(before)]
		s.length = len(before)
		s.ends[before[len(before)-1]] = true
		byLength[s.length] = s
	}
	return slices.SortedFunc(maps.Values(byLength), func(a, b size) int { return a.length - b.length })
}

// Match returns the indexes, ascending and each once, of the rules that match eventType; nil if none does. The slice is the
// caller's.
func (t *Table) Match(eventType string) []int {
	var matched []int
	matched = append(matched, t.all...)
	matched = append(matched, t.exact[eventType]...)
	for i := range t.sizes {
		size := &t.sizes[i]
		if size.length > len(eventType) {
			break
		}
		if size.ends[eventType[size.length-1]] {
			matched = append(matched, t.prefix[eventType[:size.length]]...)
		}
	}
	for _, g := range t.globs {
		if g.match(eventType) {
			matched = append(matched, g.rules...)
		}
	}
	slices.Sort(matched)
	return slices.Compact(matched)
}

// match takes each part at the first place it fits: any later place would leave less room for the parts that follow.
func (g glob) match(s string) bool {
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		_, rest, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = rest
	}
	return true
}

// Validate checks a pattern: not empty, at most MaxPatternBytes, no control characters; else ErrPattern.
func Validate(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("%w is empty; leave the list of types out to match every event", ErrPattern)
	case len(pattern) > MaxPatternBytes:
		return fmt.Errorf("%w of %d bytes, allowed are %d", ErrPattern, len(pattern), MaxPatternBytes)
	case strings.ContainsFunc(pattern, unicode.IsControl):
		return fmt.Errorf("%w %q has a control character", ErrPattern, pattern)
	}
	return nil
}
