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

// ErrPattern says that a text cannot be a pattern of event types. The message says why.
var ErrPattern = errors.New("route: pattern")

// Validate checks a pattern: not empty, at most MaxPatternBytes, no control characters. Its error
// is ErrPattern.
func Validate(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf(
			"%w is empty; leave the list of types out to match every event", ErrPattern,
		)
	case len(pattern) > MaxPatternBytes:
		return fmt.Errorf(
			"%w of %d bytes; at most %d are allowed", ErrPattern, len(pattern), MaxPatternBytes,
		)
	case strings.ContainsFunc(pattern, unicode.IsControl):
		return fmt.Errorf("%w %q has a control character", ErrPattern, pattern)
	}
	return nil
}

// typeIndex finds ids by type patterns. It is complete once it is sealed.
type typeIndex struct {
	all    []int            // match every event
	exact  map[string][]int // by the whole type
	prefix map[string][]int // by the text before the only "*", which is the last character
	sizes  []size           // the lengths of the keys of prefix, ascending
	globs  []patternGlob    // the other patterns
	others map[string][]int // the same, before seal
}

// size is a length of keys in prefix, and the last bytes of the keys of that length. Most patterns
// end in ".*", so one byte of the type is enough to skip the look-up for nearly every length.
type size struct {
	length int
	ends   [256]bool
}

type patternGlob struct {
	glob glob
	ids  []int
}

func newTypeIndex() *typeIndex {
	return &typeIndex{
		exact: map[string][]int{}, prefix: map[string][]int{}, others: map[string][]int{},
	}
}

// add adds id under each pattern. Without patterns every type finds it.
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
	for _, length := range slices.Sorted(maps.Keys(byLength)) {
		x.sizes = append(x.sizes, byLength[length])
	}
	for _, pattern := range slices.Sorted(maps.Keys(x.others)) {
		x.globs = append(
			x.globs, patternGlob{glob: strings.Split(pattern, "*"), ids: x.others[pattern]},
		)
	}
	x.others = nil
}

// find yields the lists of ids that match eventType, in no order. An id may be in several lists.
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

// leads tells whether eventType finds any id.
func (x *typeIndex) leads(eventType string) bool {
	for range x.find(eventType) {
		return true
	}
	return false
}

// glob is a pattern split at its stars.
type glob []string

// match tells whether s matches g.
func (g glob) match(s string) bool {
	middle, ok := g.ends(s)
	return ok && g.within(middle)
}

// ends tells whether s begins and ends as g does, and returns the text between.
func (g glob) ends(s string) (middle string, ok bool) {
	first, last := g[0], g[len(g)-1]
	if len(g) == 1 {
		return "", s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) ||
		!strings.HasSuffix(s, last) {
		return "", false
	}
	return s[len(first) : len(s)-len(last)], true
}

// within takes the first occurrence of each part between the ends of g. A later occurrence would
// only leave less text for the parts that follow.
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
