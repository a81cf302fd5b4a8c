package route

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Cause tells in which way a rule does not match an event. The set is closed.
type Cause string

// The causes of a Mismatch.
const (
	Differs    Cause = "differs"    // the event has no value there that is wanted
	Unreadable Cause = "unreadable" // the event is Opaque, and the rule wants something of its data
	// the filter needs more steps than the event has; or it would take too many to find the list
	TooCostly Cause = "costly"
)

// MaxFound is how many values Mismatch.Found holds. MaxFoundBytes is how long each may be.
const (
	MaxFound      = 10
	MaxFoundBytes = 200
)

// Mismatch says why a rule does not match an event: which list of the rule fails, and on what.
type Mismatch struct {
	Cause Cause
	// Field is the place in the event, such as "data.repository.private". A name with a dot is in
	// quotes: data["a.b"]. "": TooCostly.
	Field string
	// At is the place of the list in the filter. It differs from Field within "$or":
	// "$or[0].data.a". "types": the rule's types.
	At string
	// Wanted is that list, as JSON.
	Wanted string
	// Found are the event's values in Field, as JSON and with the event's own digits: of all
	// elements if there are arrays, at most MaxFound, each cut to MaxFoundBytes. "{…}" is an
	// object, "[]" an empty array. None: there is nothing.
	Found []string
	// Alone tells that the rest of the rule matches: the rule would match if it took every value in
	// this place. If no list of the rule is alone, the first one is given that does not match
	// together with those before it.
	Alone bool
}

// Explain says why r does not match e. It returns nil if it does. It is deterministic. It costs as
// much as some dozens of matches.
//
// The rule is the one of Table.Match: nil means that a table with r alone has it in Result.Rules.
// The cause is never Differs if the table has it in Result.Undecided. A filter with "$or" is
// explained by an alternative in which a single list fails, if there is one, and by its first
// alternative otherwise.
func Explain(r Rule, e Event) *Mismatch {
	result := New([]Rule{r}).Match(e)
	if len(result.Rules) > 0 {
		return nil
	}
	if len(result.Undecided) > 0 && !e.Opaque {
		return &Mismatch{Cause: TooCostly}
	}
	var best *Mismatch
	x := explanation{event: e, left: meter{4 * (BaseSteps + StepsPerByte*len(e.Data))}}
	if r.Filter != nil {
		x.text = r.Filter.text
		for i := range r.Filter.alternatives {
			m := x.alternative(&r.Filter.alternatives[i])
			if m == nil { // so the types fail
				best = nil
				break
			}
			if best == nil || best.rank() < m.rank() {
				best = m
			}
		}
	}
	if x.left.exceeded() {
		best = &Mismatch{Cause: TooCostly}
	}
	if len(r.Types) == 0 || slices.ContainsFunc(globs(r.Types), func(g glob) bool {
		return g.match(e.Type)
	}) {
		return best
	}
	byType := &Mismatch{Cause: Differs, Field: typeField, At: "types", Wanted: toJSON(r.Types)}
	byType.Alone = best == nil
	if e.Type != "" {
		byType.Found = []string{shown(toJSON(e.Type))}
	}
	return byType
}

// rank tells how much a mismatch says: more for one that matters alone.
func (m *Mismatch) rank() int {
	switch {
	case m.Cause == Unreadable:
		return 2
	case m.Alone:
		return 1
	}
	return 0
}

// explanation explains one filter.
type explanation struct {
	event Event
	text  string // the filter
	left  meter  // for all trials together
}

// leaf is a list of an alternative, ready to be tried.
type leaf struct {
	path []string // its field in the event
	list *list    // of a check that is the explanation's own
}

// free is a list that holds for every value, and for none.
var free = list{
	absent: true,
	others: []condition{{holds: func(*meter, *datum) bool { return true }}},
}

// alternative explains an alternative of the filter, nil if it matches. A list that is replaced by
// free can only make more events match: so there is a first list that fails.
func (x *explanation) alternative(pattern *node) *Mismatch {
	var w want
	pattern.keys(&w, nil)
	root := w.compile(pattern)
	var r reader
	document := r.event(&w, x.event, !x.event.Opaque && len(x.event.Data) > 0)
	all := leaves(pattern, &root, nil)
	context := all
	if x.event.Opaque {
		context = slices.DeleteFunc(slices.Clone(all), func(l leaf) bool {
			return l.path[0] == dataField
		})
		for _, l := range all {
			if l.path[0] == dataField {
				*l.list = list{at: l.list.at, absent: true, others: free.others}
			}
		}
	}
	matches := func() bool {
		return matchFields(&x.left, root.fields, document) != no && !x.left.exceeded()
	}
	if failed := firstFailing(context, matches); failed != nil {
		return x.differs(failed.leaf, failed.alone && len(context) == len(all))
	}
	if len(context) == len(all) {
		return nil
	}
	data := slices.IndexFunc(all, func(l leaf) bool { return l.path[0] == dataField })
	m := x.differs(all[data], len(all)-len(context) == 1)
	m.Cause = Unreadable
	return m
}

// failing is a list that fails.
type failing struct {
	leaf
	alone bool
}

// firstFailing returns the first leaf that fails alone, or else the first that does not match
// together with those before it; nil if all match.
func firstFailing(all []leaf, matches func() bool) *failing {
	if matches() {
		return nil
	}
	original := make([]list, len(all))
	for i, l := range all {
		original[i] = *l.list
	}
	for i, l := range all {
		*l.list = free
		alone := matches()
		*l.list = original[i]
		if alone {
			return &failing{leaf: l, alone: true}
		}
	}
	for _, l := range all {
		*l.list = free
	}
	for i, l := range all {
		*l.list = original[i]
		if !matches() {
			return &failing{leaf: l}
		}
	}
	return nil // not reached: with all lists in place it does not match
}

// leaves returns the lists of n in order. It makes those of c, its compiled form, c's own.
func leaves(n *node, c *check, path []string) []leaf {
	var out []leaf
	c.lists = slices.Clone(c.lists)
	for i := range c.lists {
		out = append(out, leaf{path: path, list: &c.lists[i]})
	}
	for i := range n.fields {
		inner := append(slices.Clip(path), n.fields[i].name)
		out = append(out, leaves(&n.fields[i], &c.fields[i], inner)...)
	}
	return out
}

func (x *explanation) differs(l leaf, alone bool) *Mismatch {
	var at location
	for _, name := range l.path {
		at = at.field(name)
	}
	return &Mismatch{
		Cause: Differs, Field: at.at, At: l.list.at, Wanted: wanted(x.text, l.list.at),
		Found: x.found(l.path), Alone: alone,
	}
}

// wanted returns the list at a place of a filter, as JSON.
func wanted(filter, at string) string {
	document, _ := decode(&reader{text: filter})
	return listAt(location{}, document, at)
}

func listAt(p location, v any, at string) string {
	switch v := v.(type) {
	case []any:
		if p.at == at {
			return toJSON(v)
		}
		for i, element := range v { // of an "$or"
			if found := listAt(p.element(i), element, at); found != "" {
				return found
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if found := listAt(p.field(name), v[name], at); found != "" {
				return found
			}
		}
	}
	return ""
}

func toJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings, numbers, lists and maps of them
	return strings.TrimSuffix(b.String(), "\n")
}

// found returns the event's values in a place.
func (x *explanation) found(path []string) []string {
	text := ""
	switch e := x.event; path[0] {
	case typeField:
		text = e.Type
	case sourceField:
		text = e.Source
	case trustField:
		text = e.Trust
	case schemaField:
		text = e.Schema
	case headersField:
		text = e.Header[path[1]]
	default:
		if e.Opaque || len(e.Data) == 0 {
			return nil
		}
		r := reader{text: string(e.Data)}
		return r.collect(path[1:], nil)
	}
	if text == "" {
		return nil
	}
	return []string{shown(toJSON(text))}
}

// collect reads the next value and adds what is at path within it, of every element of an array. Of
// a name that an object has twice the last counts.
func (r *reader) collect(path, found []string) []string {
	switch r.next() {
	case '[':
		if r.at++; !r.more(']') {
			if len(path) == 0 {
				return add(found, "[]")
			}
			return found
		}
		for found = r.collect(path, found); r.more(']'); {
			found = r.collect(path, found)
		}
		return found
	case '{':
		if len(path) == 0 {
			r.skip()
			return add(found, "{…}")
		}
		at := -1
		for r.at++; r.more('}'); r.skip() {
			name := unquote(r.skip())
			r.next() // the colon
			r.at++
			if name == path[0] {
				at = r.at
			}
		}
		if at >= 0 {
			member := reader{text: r.text, at: at}
			found = member.collect(path[1:], found)
		}
		return found
	}
	token := r.skip()
	if len(path) > 0 {
		return found
	}
	return add(found, shown(token))
}

// add adds a value, each once.
func add(found []string, value string) []string {
	if len(found) >= MaxFound || slices.Contains(found, value) {
		return found
	}
	return append(found, value)
}

// shown cuts a value to MaxFoundBytes, at the end of a character.
func shown(value string) string {
	if len(value) <= MaxFoundBytes {
		return value
	}
	return strings.ToValidUTF8(value[:MaxFoundBytes], "") + "…"
}
