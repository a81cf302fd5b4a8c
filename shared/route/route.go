package route

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Rule says which events a subscription takes.
type Rule struct {
	Types  []string // patterns, one of which must match; empty: every event
	Filter *Filter  // must match as well; nil: every event
}

// Table is a set of rules that is ready for matching. It does not change, so it is safe for
// concurrent use.
type Table struct {
	plain *typeIndex // rules without a filter

	entries  []entry
	byType   *typeIndex // entries whose keys are their types
	always   []int      // entries without a key
	wanted   want       // the places that filters name, with the other keys
	needBody *typeIndex // entries with a condition on data
}

// entry is one alternative of a filter, for all rules with that filter and the same types.
type entry struct {
	types   []glob  // one must match; empty: every event
	context []check // all fields but data
	data    []check // the field data, if it is named
	rules   []int
}

// Result is the result of a match. The slices are the caller's. Their indexes ascend, each once.
type Result struct {
	Rules []int // match the event
	// Undecided are rules for which the result is unknown. They are not in Rules. Either the event
	// is Opaque and matches them in everything except data, or their filters need more steps than
	// the event has.
	Undecided []int
	// Steps is the cost of the filters: at most BaseSteps, plus StepsPerByte for each byte of
	// Event.Data.
	Steps int
}

// New returns a Table of the rules. It does not check patterns: call Validate where they are read.
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

// Match returns the rules that match e. It is deterministic.
func (t *Table) Match(e Event) Result {
	var out Result
	for rules := range t.plain.find(e.Type) {
		out.Rules = append(out.Rules, rules...)
	}
	if len(t.entries) > 0 {
		t.filter(&out, e)
	}
	slices.Sort(out.Rules)
	out.Rules = slices.Compact(out.Rules)
	slices.Sort(out.Undecided)
	out.Undecided = slices.DeleteFunc(slices.Compact(out.Undecided), func(rule int) bool {
		_, listed := slices.BinarySearch(out.Rules, rule)
		return listed
	})
	return out
}

// NeedsBody tells whether Match needs the body of an event of this type: whether a rule for that
// type has a filter on data.
func (t *Table) NeedsBody(eventType string) bool { return t.needBody.leads(eventType) }

// filter adds the rules with filters. The entries that are tried share e's steps equally. Steps
// that some do not use go to those that need more.
func (t *Table) filter(out *Result, e Event) {
	needed := t.NeedsBody(e.Type)
	opaque := needed && e.Opaque
	var r reader
	document := r.event(&t.wanted, e, needed && !opaque && len(e.Data) > 0)
	open := t.open(e.Type, r.entries)
	if opaque { // no key in data can be found, so try all entries
		open = make([]int, len(t.entries))
		for i := range open {
			open[i] = i
		}
	}
	left := BaseSteps + StepsPerByte*len(e.Data)
	for range 2 {
		if len(open) == 0 {
			break
		}
		share := left / len(open)
		rest := open[:0]
		for _, i := range open {
			m := meter{share}
			entry := &t.entries[i]
			switch entry.match(&m, e.Type, document, opaque) {
			case matches:
				out.Rules = append(out.Rules, entry.rules...)
			case undecided:
				rest = append(rest, i)
			case differs:
			}
			left -= share - max(m.left, 0)
		}
		open = rest
	}
	for _, i := range open {
		out.Undecided = append(out.Undecided, t.entries[i].rules...)
	}
	out.Steps = BaseSteps + StepsPerByte*len(e.Data) - left
}

// verdict is the result of an entry for an event.
type verdict int

const (
	differs verdict = iota
	matches
	undecided
)

func (e *entry) match(m *meter, eventType string, document object, opaque bool) verdict {
	fits := e.takes(m, eventType) && matchFields(m, e.context, document) != no
	if fits && !opaque {
		fits = matchFields(m, e.data, document) != no
	}
	switch {
	case m.exceeded() || fits && opaque && e.data != nil:
		return undecided
	case fits:
		return matches
	}
	return differs
}

// open returns the entries to try for an event, each once: those found by its values, those found
// by its type, and those without a key.
func (t *Table) open(eventType string, found []int) []int {
	found = append(found, t.always...)
	for entries := range t.byType.find(eventType) {
		found = append(found, entries...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (e *entry) takes(m *meter, eventType string) bool {
	return len(e.types) == 0 || slices.ContainsFunc(e.types, func(g glob) bool {
		return m.spend(compareSteps(len(eventType))) && g.match(eventType)
	})
}

// builder collects rules with filters and chooses the keys of each.
type builder struct {
	groups []group
	at     map[string]int // index of a group, by types and filter
}

// group is a set of rules with the same types and filter.
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

// key is a value of a field by which entries can be found.
type key struct {
	field *want
	value scalar
}

func (b *builder) build(t *Table) {
	types := want{} // stands for the type, so that patterns are counted like values
	shared := map[key]int{}
	for _, g := range b.groups {
		for j := range g.Filter.alternatives {
			pattern := &g.Filter.alternatives[j]
			for _, keys := range pattern.keys(&t.wanted, typeKeys(&types, g.Types)) {
				for _, k := range keys {
					shared[k]++
				}
			}
		}
	}
	for _, g := range b.groups {
		for j := range g.Filter.alternatives {
			pattern := &g.Filter.alternatives[j]
			i := len(t.entries)
			e := entry{types: globs(g.Types), rules: g.rules}
			e.context, e.data = t.wanted.checks(pattern)
			t.entries = append(t.entries, e)
			if e.data != nil {
				t.needBody.add(g.Types, i)
			}
			t.index(
				i, g.Types, &types,
				narrowest(pattern.keys(&t.wanted, typeKeys(&types, g.Types)), shared),
			)
		}
	}
}

// typeKeys returns the keys of type patterns: none if there are no patterns.
func typeKeys(types *want, patterns []string) [][]key {
	var keys []key
	for _, pattern := range patterns {
		keys = append(keys, key{field: types, value: textScalar(pattern)})
	}
	if keys == nil {
		return nil
	}
	return [][]key{keys}
}

// keys appends one set of keys for each list of exact values in n, and adds the places that n names
// to w. An event that matches n has a key of each set.
func (n *node) keys(w *want, sets [][]key) [][]key {
	for i := range n.lists {
		l := &n.lists[i]
		w.scalars = true
		if !l.isExact() {
			continue
		}
		var set []key
		for _, s := range l.exact {
			set = append(set, key{field: w, value: s})
		}
		sets = append(sets, set)
	}
	for i := range n.fields {
		sets = n.fields[i].keys(w.field(n.fields[i].name), sets)
	}
	return sets
}

// narrowest returns the set of keys that the fewest entries share, the first if there are several,
// and nil if there is none.
func narrowest(sets [][]key, shared map[key]int) []key {
	var best []key
	fewest := math.MaxInt
	for _, set := range sets {
		n := 0
		for _, k := range set {
			n = max(n, shared[k])
		}
		if n < fewest {
			best, fewest = set, n
		}
	}
	return best
}

// index adds an entry to the index under its keys.
func (t *Table) index(i int, patterns []string, types *want, keys []key) {
	switch {
	case keys == nil:
		t.always = append(t.always, i)
	case keys[0].field == types:
		t.byType.add(patterns, i)
	default:
		for _, k := range keys {
			if k.field.found == nil {
				k.field.found = map[scalar]*bucket{}
			}
			if k.field.found[k.value] == nil {
				k.field.found[k.value] = new(bucket)
			}
			k.field.found[k.value].entries = append(k.field.found[k.value].entries, i)
		}
	}
}

// checks prepares an alternative of a filter: its conditions on data, and the others.
func (w *want) checks(pattern *node) (context, data []check) {
	for _, c := range w.compile(pattern).fields {
		if c.member == w.field(dataField).number {
			data = append(data, c)
		} else {
			context = append(context, c)
		}
	}
	return context, data
}

func (w *want) compile(n *node) check {
	c := check{member: w.number, lists: n.lists}
	for i := range n.fields {
		c.fields = append(c.fields, w.field(n.fields[i].name).compile(&n.fields[i]))
	}
	return c
}

func globs(patterns []string) []glob {
	out := make([]glob, len(patterns))
	for i, pattern := range patterns {
		out[i] = strings.Split(pattern, "*")
	}
	return out
}
