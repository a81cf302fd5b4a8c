package route

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// MaxPatternBytes is the longest pattern that Validate accepts.
const MaxPatternBytes = 256

// ErrPattern: a pattern cannot be one of an event type; the message says why.
var ErrPattern = errors.New("route: pattern")

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

// typeIndex finds numbers by the patterns they were added with. It is complete once sealed.
type typeIndex struct {
	all    []int            // what takes every event
	exact  map[string][]int // by the whole type
	prefix map[string][]int // by what stands before the only "*", which is the last character
	sizes  []size           // which lengths of prefix to look up, ascending
	globs  []patternGlob    // the other patterns
	others map[string][]int // the same, until sealed
}

// size is a length that keys of prefix have, and the bytes they end in at that length. Most patterns end in ".*", so that
// looking at one byte of the type spares the look-up of nearly every length.
type size struct {
	length int
	ends   [256]bool
}

type patternGlob struct {
	glob glob
	ids  []int
}

func newTypeIndex() *typeIndex {
	return &typeIndex{exact: map[string][]int{}, prefix: map[string][]int{}, others: map[string][]int{}}
}

// add makes every type that one of the patterns matches lead to id; without patterns every type does.
func (x *typeIndex) add(patterns []string, id int) {
	if len(patterns) == 0 {
		x.all = append(x.all, id)
	}
	for _, pattern := range patterns {
		before, after, star := strings.Cut(pattern, "*")
		switch {
		case !star:
			x.exact[pattern] = append(x.exact[pattern], id)
		case strings.Trim(pattern, "*") == "":
			x.all = append(x.all, id)
		case after == "":
			x.prefix[before] = append(x.prefix[before], id)
		default:
			x.others[pattern] = append(x.others[pattern], id)
		}
	}
}

func (x *typeIndex) seal() {
	byLength := map[int]size{}
	for before := range x.prefix {
		s := byLength[len(before)]
		s.length = len(before)
		s.ends[before[len(before)-1]] = true
		byLength[s.length] = s
	}
	x.sizes = slices.SortedFunc(maps.Values(byLength), func(a, b size) int { return a.length - b.length })
	for _, pattern := range slices.Sorted(maps.Keys(x.others)) {
		x.globs = append(x.globs, patternGlob{strings.Split(pattern, "*"), x.others[pattern]})
	}
	x.others = nil
}

// find gives the lists of numbers that eventType leads to, in no order; one number may be in several.
func (x *typeIndex) find(eventType string) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		if len(x.all) > 0 && !yield(x.all) {
			return
		}
		if ids := x.exact[eventType]; ids != nil && !yield(ids) {
			return
		}
		for i := range x.sizes {
			size := &x.sizes[i]
			if size.length > len(eventType) {
				break
			}
			if size.ends[eventType[size.length-1]] {
				if ids := x.prefix[eventType[:size.length]]; ids != nil && !yield(ids) {
					return
				}
			}
		}
		for _, g := range x.globs {
			if g.glob.match(eventType) && !yield(g.ids) {
				return
			}
		}
	}
}

// leads tells whether eventType leads to any number.
func (x *typeIndex) leads(eventType string) bool {
	for range x.find(eventType) {
		return true
	}
	return false
}

// glob is a pattern split at its stars.
type glob []string

// match tells whether s is as g says.
func (g glob) match(s string) bool {
	middle, ok := g.ends(s)
	return ok && g.within(middle)
}

// ends tells whether s begins and ends as g does, and returns what is between.
func (g glob) ends(s string) (middle string, ok bool) {
	first, last := g[0], g[len(g)-1]
	if len(g) == 1 {
		return "", s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return "", false
	}
	return s[len(first) : len(s)-len(last)], true
}

// within takes each part between the ends of g at the first place it fits: any later place would
// leave less room for the parts that follow.
func (g glob) within(s string) bool {
	for i := 1; i < len(g)-1; i++ {
		_, rest, found := strings.Cut(s, g[i])
		if !found {
			return false
		}
		s = rest
	}
	return true
}
