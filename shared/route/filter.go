package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Bounds of a filter.
const (
	// MaxFilterBytes is the longest filter that ParseFilter accepts; EventBridge's own bound is 2,048, on request 4,096.
	MaxFilterBytes = 4096
	// MaxFilterDepth is how deep its objects may be nested.
	MaxFilterDepth = 32
	// MaxAlternatives is how many filters without "$or" one with it may stand for. EventBridge's bound is 1,000, but there it is one of a few
	// hundred rules.
	MaxAlternatives = 100
)

// ErrFilter: a filter cannot be used. It comes as a *FilterError.
var ErrFilter = errors.New("route: filter")

// FilterError tells what is wrong with a filter, and where.
type FilterError struct {
	At      string // such as "data.repository.private[0]"; "" for the whole filter
	Problem string // what is wrong, and what is allowed
}

// Error implements error.
func (e *FilterError) Error() string {
	return strings.TrimSuffix(ErrFilter.Error()+": "+e.At, ": ") + ": " + e.Problem
}

// Unwrap returns ErrFilter.
func (e *FilterError) Unwrap() error { return ErrFilter }

// Filter is a condition on a whole event. It does not change, so it is safe for concurrent use.
type Filter struct {
	text         string
	alternatives []node // of which one must match
}

// node is a part of a filter: a field with conditions on its values, or an object with fields.
type node struct {
	name   string
	lists  []list // each must hold for one and the same value
	fields []node // by name; empty if there are lists
}

// The fields of the document that a filter is held against.
const (
	typeField    = "type"
	sourceField  = "source"
	trustField   = "trust"
	headersField = "headers"
	dataField    = "data"
)

// trusts are the values of the field trust.
var trusts = []string{"verified", "authenticated", "unverified"}

// ParseFilter reads a filter, which is JSON: an object with any of the fields type, source, trust, headers and data, within which a field
// has a list of the values that it may have, or an object of fields. In a list stand strings, numbers, true, false and null as they are, and
//
//	{"prefix": "a"}                          strings that begin so
//	{"prefix": {"equals-ignore-case": "a"}}  the same, upper and lower case alike
//	{"suffix": "a"}                          strings that end so, and with "equals-ignore-case" as well
//	{"equals-ignore-case": "a"}              strings, upper and lower case alike
//	{"wildcard": "a*b"}                      strings in which * is any run of characters; \* is a star
//	{"cidr": "10.0.0.0/24"}                  strings that are an address of the block, of IPv4 or IPv6
//	{"numeric": [">", 0, "<=", 5]}           numbers; =, <, <=, > and >=, one or a range
//	{"anything-but": "a"}                    any value but this; a list, or prefix, suffix, equals-ignore-case or wildcard with one or a list
//	{"exists": true}                         any value; false: none
//
// An object may have {"$or": [{…}, {…}]} among its fields. The error is a *FilterError.
func ParseFilter(text []byte) (*Filter, error) {
	if len(text) > MaxFilterBytes {
		return nil, &FilterError{Problem: fmt.Sprintf("%d bytes of JSON, allowed are %d", len(text), MaxFilterBytes)}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var document map[string]any
	if err := d.Decode(&document); err != nil {
		return nil, &FilterError{Problem: "is not a JSON object: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &FilterError{Problem: "goes on after its end"}
	}
	alternatives, err := place{}.object(document)
	if err != nil {
		return nil, err
	}
	return &Filter{string(text), alternatives}, nil
}

// place is where in a filter something stands.
type place struct {
	at    string // for the operator
	names []string
}

func (p place) field(name string) place {
	return place{strings.TrimPrefix(p.at+"."+name, "."), append(slices.Clip(p.names), name)}
}

// element is an element of the list at p. It is no deeper: an event's arrays are none in a filter.
func (p place) element(i int) place { return place{fmt.Sprintf("%s[%d]", p.at, i), p.names} }

func (p place) fail(format string, args ...any) error {
	return &FilterError{p.at, fmt.Sprintf(format, args...)}
}

// object reads an object of fields and multiplies its "$or"s out: what it returns has none.
func (p place) object(fields map[string]any) ([]node, error) {
	switch {
	case len(fields) == 0:
		return nil, p.fail("is empty; name the fields that matter")
	case len(p.names) >= MaxFilterDepth:
		return nil, p.fail("is nested deeper than %d objects", MaxFilterDepth)
	}
	product := []node{{}}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		factor, err := p.member(name, fields[name])
		if err != nil {
			return nil, err
		}
		if len(product)*len(factor) > MaxAlternatives {
			return nil, p.fail(`multiplies out to more than %d alternatives; make several subscriptions of it`, MaxAlternatives)
		}
		if product, err = p.multiply(product, factor); err != nil {
			return nil, err
		}
	}
	return product, nil
}

// member reads a field, or an "$or", and returns the objects that it alone amounts to.
func (p place) member(name string, value any) ([]node, error) {
	if name == "$or" {
		return p.field(name).or(p, value)
	}
	p = p.field(name)
	if err := p.check(value); err != nil {
		return nil, err
	}
	switch value := value.(type) {
	case []any:
		l, err := p.list(value)
		return []node{{fields: []node{{name: name, lists: []list{l}}}}}, err
	case map[string]any:
		inner, err := p.object(value)
		for i, n := range inner {
			inner[i] = node{fields: []node{{name: name, fields: n.fields}}}
		}
		return inner, err
	}
	if len(p.names) > 1 && isOperator(name) {
		return nil, p.fail(`is an operator without a list around it; write [{"%s": …}]`, name)
	}
	return nil, p.fail("is a single value; what is allowed stands in a list, even if it is one: […]")
}

// check holds the field at p, of the given value, against the document that an event is.
func (p place) check(value any) error {
	_, isObject := value.(map[string]any)
	name := p.names[len(p.names)-1]
	switch top := p.names[0]; {
	case !slices.Contains([]string{typeField, sourceField, trustField, headersField, dataField}, top):
		return p.fail("is no field of an event; there are type, source, trust, headers and data")
	case top == headersField && len(p.names) == 1 && !isObject:
		return p.fail("takes an object of headers, each with a list of values")
	case top == headersField && name != strings.ToLower(name):
		return p.fail("is not in lower case, as the names of headers are here: %q", strings.ToLower(name))
	case top != dataField && isObject && (top != headersField || len(p.names) > 1):
		return p.fail("takes a list of values, in which operators stand: [{…}]")
	}
	return nil
}

// or reads the list of an "$or" among the fields of parent.
func (p place) or(parent place, value any) ([]node, error) {
	alternatives, _ := value.([]any)
	if len(alternatives) < 2 {
		return nil, p.fail("takes a list of two or more objects")
	}
	var sum []node
	for i, a := range alternatives {
		fields, isObject := a.(map[string]any)
		if !isObject {
			return nil, p.element(i).fail("is not an object; $or takes a list of two or more")
		}
		term, err := place{p.element(i).at, parent.names}.object(fields)
		if err != nil {
			return nil, err
		}
		sum = append(sum, term...)
	}
	return sum, nil
}

func (p place) list(elements []any) (list, error) {
	if len(elements) == 0 {
		return list{}, p.fail("is an empty list, which nothing matches; leave the field out to take every value")
	}
	var l list
	for i, element := range elements {
		if err := l.add(element); err != nil {
			return list{}, p.element(i).fail("%v", err)
		}
	}
	for _, s := range l.exact {
		if value := strings.TrimPrefix(string(s), `"`); p.names[0] == trustField && !slices.Contains(trusts, value) {
			return list{}, p.fail("is never %q; there are %s", value, strings.Join(trusts, ", "))
		}
	}
	return l, nil
}

// multiply returns the objects that are one of a and one of b.
func (p place) multiply(a, b []node) ([]node, error) {
	var product []node
	for _, x := range a {
		for _, y := range b {
			both, err := p.merge(x, y)
			if err != nil {
				return nil, err
			}
			product = append(product, both)
		}
	}
	return product, nil
}

// merge returns the field or object that is both a and b, which have one name.
func (p place) merge(a, b node) (node, error) {
	both := node{name: a.name, lists: slices.Concat(a.lists, b.lists)}
	if len(both.lists) > 0 && len(a.fields)+len(b.fields) > 0 {
		return node{}, p.fail("is given a list in one place and an object in another, and cannot be both")
	}
	both.fields = slices.Clone(a.fields)
	for _, f := range b.fields {
		at, twice := slices.BinarySearchFunc(both.fields, f.name, func(n node, name string) int { return strings.Compare(n.name, name) })
		if !twice {
			both.fields = slices.Insert(both.fields, at, f)
			continue
		}
		merged, err := p.field(f.name).merge(both.fields[at], f)
		if err != nil {
			return node{}, err
		}
		both.fields[at] = merged
	}
	return both, nil
}

// outcome is what comes of holding a part of a filter against a part of an event.
type outcome int

const (
	no     outcome = iota
	absent         // nothing of what it names is there, and it allows that
	found          // it matches, in values that are there
)

// match holds n against what an event has in its place. The elements of an array that it matches in are the same for all its fields, and
// what it wants absent must be absent from these; from all, if it wants nothing else.
func (n *node) match(v value) outcome {
	switch {
	case len(n.lists) > 0 && len(v.scalars) > 0:
		if slices.ContainsFunc(v.scalars, n.holds) {
			return found
		}
		return no
	case len(n.lists) > 0:
		if slices.ContainsFunc(n.lists, func(l list) bool { return !l.absent }) {
			return no
		}
		return absent
	case len(v.objects) == 0:
		return n.matchObject(nil)
	}
	best := absent
	for _, o := range v.objects {
		switch n.matchObject(o) {
		case found:
			return found
		case no:
			best = no
		case absent:
		}
	}
	return best
}

func (n *node) matchObject(o object) outcome {
	best := absent
	for i := range n.fields {
		f := &n.fields[i]
		switch f.match(o.member(f.name)) {
		case no:
			return no
		case found:
			best = found
		case absent:
		}
	}
	return best
}

func (n *node) holds(s scalar) bool {
	for i := range n.lists {
		if !n.lists[i].holds(s) {
			return false
		}
	}
	return true
}
