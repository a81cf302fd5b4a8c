package route

import (
	"math/bits"
	"net/netip"
	"slices"
	"sort"
)

// list is a list in a filter: alternatives, one of which must hold. Alternatives that can be sorted
// are, so that many of them cost little more than one.
type list struct {
	at      string         // its place in the filter, for people
	exact   []scalar       // sorted
	numbers []span         // sorted, without overlaps
	blocks  []netip.Prefix // sorted, without overlaps
	others  []condition
	absent  bool // {"exists": false} is in the list

	exactSteps, numberSteps, blockSteps int // cost of a search among these
}

// condition tells whether a value matches. It costs steps, plus the steps that holds spends itself.
type condition struct {
	steps int
	holds func(*meter, *datum) bool
}

// cut is a point between numbers: directly before a number, or directly after it.
type cut struct {
	at    scalar
	after bool
}

// The cuts below and above all numbers.
var (
	below = cut{at: scalar{kind: number, sign: -2}}
	above = cut{at: scalar{kind: number, sign: 2}}
)

func (c *cut) compare(o *cut) int {
	switch order := c.at.compare(o.at); {
	case order != 0 || c.after == o.after:
		return order
	case c.after:
		return 1
	}
	return -1
}

// span is the numbers between two cuts.
type span struct{ from, to cut }

// seal prepares a list for matching. Nothing may be added after it.
func (l *list) seal() {
	slices.SortFunc(l.exact, scalar.compare)
	l.exact = slices.Compact(l.exact)
	l.numbers = union(l.numbers)
	l.blocks = disjoint(l.blocks)

	longest := 0
	for _, s := range l.exact {
		longest = max(longest, len(s.text))
	}
	l.exactSteps = searchSteps(len(l.exact), longest)
	longest = 0
	for _, s := range l.numbers {
		longest = max(longest, len(s.from.at.text), len(s.to.at.text))
	}
	l.numberSteps = searchSteps(len(l.numbers), longest)
	l.blockSteps = searchSteps(len(l.blocks), 0)
}

// searchSteps is the cost of a binary search among n values of up to longest bytes.
func searchSteps(n, longest int) int {
	return bits.Len(uint(n)) * compareSteps(longest) //nolint:gosec // a length is not negative
}

// compareSteps is the cost of comparing n bytes.
func compareSteps(n int) int { return 1 + n/64 }

// union sorts spans and joins those that touch or overlap.
func union(spans []span) []span {
	sort.Slice(spans, func(i, j int) bool { return spans[i].from.compare(&spans[j].from) < 0 })
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined); n > 0 && s.from.compare(&joined[n-1].to) <= 0 {
			if last := &joined[n-1]; last.to.compare(&s.to) < 0 {
				last.to = s.to
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// disjoint sorts blocks and drops those that lie inside another.
func disjoint(blocks []netip.Prefix) []netip.Prefix {
	sort.Slice(blocks, func(i, j int) bool { return blocks[i].Compare(blocks[j]) < 0 })
	kept := blocks[:0]
	for _, b := range blocks {
		if n := len(kept); n == 0 || !kept[n-1].Contains(b.Addr()) {
			kept = append(kept, b)
		}
	}
	return kept
}

// isExact tells whether l lists only exact values, so that rules can be indexed by them.
func (l *list) isExact() bool {
	return len(l.others)+len(l.numbers)+len(l.blocks) == 0 && !l.absent
}

// holds tells whether one of the alternatives holds. The result has no meaning once m is used up.
func (l *list) holds(m *meter, d *datum) bool {
	if !m.spend(1 + l.exactSteps) {
		return false
	}
	if len(l.exact) > 0 {
		if _, listed := slices.BinarySearchFunc(l.exact, d.scalar, scalar.compare); listed {
			return true
		}
	}
	if l.numbers != nil && d.kind == number && l.holdsNumber(m, d) {
		return true
	}
	if l.blocks != nil && d.kind == text && l.holdsAddress(m, d) {
		return true
	}
	for i := range l.others {
		c := &l.others[i]
		if !m.spend(c.steps) {
			return false
		}
		if c.holds(m, d) {
			return true
		}
	}
	return false
}

func (l *list) holdsNumber(m *meter, d *datum) bool {
	m.spend(l.numberSteps)
	n := cut{at: d.scalar}
	i := sort.Search(len(l.numbers), func(i int) bool { return l.numbers[i].from.compare(&n) > 0 })
	return i > 0 && n.compare(&l.numbers[i-1].to) < 0
}

func (l *list) holdsAddress(m *meter, d *datum) bool {
	address := d.address()
	if !address.IsValid() {
		return false
	}
	m.spend(l.blockSteps)
	i := sort.Search(len(l.blocks), func(i int) bool {
		return l.blocks[i].Addr().Compare(address) > 0
	})
	return i > 0 && l.blocks[i-1].Contains(address)
}
