package route

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Rule says which events a subscription wants.
type Rule struct {
	Types  []string // patterns, of which one must match; empty: every event
	Filter *Filter  // must match as well; nil: every event
}

// Table is a set of rules made ready for matching. It does not change, so it is safe for concurrent use.
type Table struct {
	plain *typeIndex // rules without a filter

	entries  []entry
	byType   *typeIndex // entries whose way in is their types
	always   []int      // entries that have no way in
	wanted   want       // what filters name, and the other ways in
	needBody *typeIndex // entries that name something in data
}

// entry is an alternative of a filter, for the rules that share it and their types.
type entry struct {
	types   []glob // to be looked at where they are not the way in; empty: every event
	pattern *node
	rules   []int
}

// New returns a Table of the rules. It takes patterns as they are; Validate belongs where they come from.
func New(rules []Rule) *Table {
	t := &Table{plain: newTypeIndex(), byType: newTypeIndex(), needBody: newTypeIndex()}
	var b builder
	for i, rule := range rules {
		if rule.Filter == nil {
			t.plain.add(rule.Types, i)
		} else {
			b.add(rule, i)
		}
	}
	b.build(t)
	t.plain.seal()
	t.byType.seal()
	t.needBody.seal()
	return t
}

// Match returns the indexes, ascending and each once, of the rules that match e; nil if none does. The slice is the caller's.
func (t *Table) Match(e Event) []int {
	var matched []int
	for rules := range t.plain.find(e.Type) {
		matched = append(matched, rules...)
	}
	if len(t.entries) > 0 {
		matched = t.filter(matched, e)
	}
	slices.Sort(matched)
	return slices.Compact(matched)
}

// NeedsBody tells whether Match has to see the body of an event of this type: whether a rule that takes the type has a filter on data.
func (t *Table) NeedsBody(eventType string) bool { return t.needBody.leads(eventType) }

// filter adds the rules with filters that e matches.
func (t *Table) filter(matched []int, e Event) []int {
	var r reader
	document := r.event(&t.wanted, e, t.NeedsBody(e.Type))
	for _, i := range t.open(e.Type, r.entries) {
		entry := &t.entries[i]
		if entry.takes(e.Type) && entry.pattern.matchObject(document) != no {
			matched = append(matched, entry.rules...)
		}
	}
	return matched
}

// open returns the entries to be held against an event, each once: those found by its values, and by its type, and the others.
func (t *Table) open(eventType string, found []int) []int {
	found = append(found, t.always...)
	for entries := range t.byType.find(eventType) {
		found = append(found, entries...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (e *entry) takes(eventType string) bool {
	return len(e.types) == 0 || slices.ContainsFunc(e.types, func(g glob) bool { return g.match(eventType) })
}

// builder gathers rules with filters and chooses the way in for each.
type builder struct {
	groups []group
	at     map[string]int // of a group, by types and filter
}

// group is rules alike.
type group struct {
	Rule
	rules []int
}

func (b *builder) add(rule Rule, i int) {
	key := fmt.Sprintf("%q %s", rule.Types, rule.Filter.text)
	at, known := b.at[key]
	if !known {
		if b.at == nil {
			b.at = map[string]int{}
		}
		at, b.at[key] = len(b.groups), len(b.groups)
		b.groups = append(b.groups, group{Rule: rule})
	}
	b.groups[at].rules = append(b.groups[at].rules, i)
}

// door is a value of a place, by which entries can be found.
type door struct {
	place *want
	value scalar
}

func (b *builder) build(t *Table) {
	types := want{} // as a place: patterns are counted like values
	shared := map[door]int{}
	for _, g := range b.groups {
		for j := range g.Filter.alternatives {
			pattern := &g.Filter.alternatives[j]
			for _, doors := range pattern.doors(&t.wanted, typeDoors(&types, g.Types)) {
				for _, d := range doors {
					shared[d]++
				}
			}
		}
	}
	for _, g := range b.groups {
		for j := range g.Filter.alternatives {
			pattern := &g.Filter.alternatives[j]
			i := len(t.entries)
			t.entries = append(t.entries, entry{globs(g.Types), pattern, g.rules})
			if pattern.names(dataField) {
				t.needBody.add(g.Types, i)
			}
			t.admit(i, g.Types, &types, narrowest(pattern.doors(&t.wanted, typeDoors(&types, g.Types)), shared))
		}
	}
}

// typeDoors are the doors that patterns of types are: none if there are no patterns.
func typeDoors(types *want, patterns []string) [][]door {
	var doors []door
	for _, pattern := range patterns {
		doors = append(doors, door{types, textScalar(pattern)})
	}
	if doors == nil {
		return nil
	}
	return [][]door{doors}
}

// doors adds to those that there are one set for each list of exact values in n, and puts what n names into w. Whatever matches n comes through
// a door of each set.
func (n *node) doors(w *want, sets [][]door) [][]door {
	for i := range n.lists {
		l := &n.lists[i]
		w.scalars = true
		if !l.isExact() {
			continue
		}
		var set []door
		for _, s := range l.exact {
			set = append(set, door{w, s})
		}
		sets = append(sets, set)
	}
	for i := range n.fields {
		sets = n.fields[i].doors(w.field(n.fields[i].name), sets)
	}
	return sets
}

// narrowest returns the set of doors that fewest entries share, the first of several; nil if there is none.
func narrowest(sets [][]door, shared map[door]int) []door {
	var best []door
	fewest := math.MaxInt
	for _, set := range sets {
		n := 0
		for _, d := range set {
			n = max(n, shared[d])
		}
		if n < fewest {
			best, fewest = set, n
		}
	}
	return best
}

// admit makes an entry be found through doors.
func (t *Table) admit(i int, patterns []string, types *want, doors []door) {
	switch {
	case doors == nil:
		t.always = append(t.always, i)
	case doors[0].place == types:
		t.byType.add(patterns, i)
	default:
		for _, d := range doors {
			if d.place.found == nil {
				d.place.found = map[scalar]*way{}
			}
			if d.place.found[d.value] == nil {
				d.place.found[d.value] = new(way)
			}
			d.place.found[d.value].entries = append(d.place.found[d.value].entries, i)
		}
	}
}

// names tells whether n, a whole filter, has a field of that name.
func (n *node) names(field string) bool {
	return slices.ContainsFunc(n.fields, func(f node) bool { return f.name == field })
}

func globs(patterns []string) []glob {
	out := make([]glob, len(patterns))
	for i, pattern := range patterns {
		out[i] = strings.Split(pattern, "*")
	}
	return out
}
