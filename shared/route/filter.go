package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a filter.
const (
	// MaxFilterBytes is the longest filter that ParseFilter accepts. EventBridge's own limit is
	// 2,048, on request 4,096.
	MaxFilterBytes = 4096
	// MaxFilterDepth is how deep a filter's objects may be nested.
	MaxFilterDepth = 32
	// MaxAlternatives limits the number of filters without "$or" into which a filter is expanded.
	// EventBridge's limit is 1,000, but it has only a few hundred rules.
	MaxAlternatives = 100
)

// ErrFilter says that a filter cannot be used. The error is a *FilterError.
var ErrFilter = errors.New("route: filter")

// FilterError says what is wrong with a filter, and where.
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
	alternatives []node // one of them must match
}

// node is a part of a filter: a field with conditions on its values, or an object with fields.
type node struct {
	name   string
	lists  []list // each must hold for the same value
	fields []node // sorted by name; empty if there are lists
}

// The fields of the document that a filter is matched against.
const (
	typeField    = "type"
	sourceField  = "source"
	trustField   = "trust"
	schemaField  = "schema"
	headersField = "headers"
	dataField    = "data"
)

// closed are the fields with a closed set of values.
var closed = map[string][]string{
	trustField:  {"verified", "authenticated", "unverified"},
	schemaField: {"passed", "failed", "unchecked"},
}

// ParseFilter reads a filter. It is a JSON object with any of the fields type, source, trust,
// schema, headers and data. A field inside these has either a list of allowed values, or an object
// of fields. A list may contain strings, numbers, true, false, null and these operators:
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
// An object may also have {"$or": [{…}, {…}]} among its fields. The error is a *FilterError.
func ParseFilter(text []byte) (*Filter, error) {
	if len(text) > MaxFilterBytes {
		return nil, &FilterError{
			Problem: fmt.Sprintf(
				"has %d bytes of JSON; at most %d are allowed", len(text), MaxFilterBytes,
			),
		}
	}
	if err := json.Unmarshal(text, new(map[string]json.RawMessage)); err != nil ||
		!utf8.Valid(text) {
		return nil, &FilterError{Problem: fmt.Sprint("is not a JSON object in UTF-8: ", err)}
	}
	document, failed := decode(&reader{text: string(text)})
	if failed != nil {
		return nil, failed
	}
	fields, _ := document.(map[string]any) // null is an object without fields
	alternatives, err := location{}.object(fields)
	if err != nil {
		return nil, err
	}
	return &Filter{text: string(text), alternatives: alternatives}, nil
}

// Headers returns the names of the headers that f uses. For each it gives the place of the first
// use, in the form of FilterError.At. The caller knows which headers of a request are kept.
func (f *Filter) Headers() map[string]string {
	places := map[string]string{}
	for _, alternative := range f.alternatives {
		for _, top := range alternative.fields {
			if top.name != headersField {
				continue
			}
			for _, header := range top.fields {
				if _, known := places[header.name]; !known {
					places[header.name] = header.lists[0].at
				}
			}
		}
	}
	return places
}

// location is a place in a filter.
type location struct {
	at    string // as shown to the operator
	names []string
	inOr  bool // within an "$or"
}

func (p location) field(name string) location {
	if strings.ContainsAny(name, `."[]`) {
		p.at = fmt.Sprintf("%s[%q]", p.at, name)
	} else {
		p.at = strings.TrimPrefix(p.at+"."+name, ".")
	}
	p.names = append(slices.Clip(p.names), name)
	return p
}

// element returns the location of an element of the list at p. names stays the same: an event's
// arrays do not appear in a filter.
func (p location) element(i int) location {
	p.at = fmt.Sprintf("%s[%d]", p.at, i)
	return p
}

// decode reads the next value of valid JSON. It refuses an object that has a name twice.
func decode(r *reader) (any, *FilterError) {
	switch r.next() {
	case '{':
		return decodeObject(r)
	case '[':
		list := []any{}
		for r.at++; r.more(']'); {
			element, err := decode(r)
			if err != nil {
				return nil, err.within(fmt.Sprintf("[%d]", len(list)))
			}
			list = append(list, element)
		}
		return list, nil
	}
	switch token := r.skip(); token[0] {
	case '"':
		return unquote(token), nil
	case 't', 'f':
		return token == "true", nil
	case 'n':
		return nil, nil //nolint:nilnil // it is null
	default:
		return json.Number(token), nil
	}
}

func decodeObject(r *reader) (any, *FilterError) {
	object := map[string]any{}
	for r.at++; r.more('}'); {
		name := unquote(r.skip())
		r.next() // the colon
		r.at++
		if _, twice := object[name]; twice {
			return nil,
				&FilterError{At: name, Problem: "occurs twice; put all values into one list"}
		}
		value, err := decode(r)
		if err != nil {
			return nil, err.within(name)
		}
		object[name] = value
	}
	return object, nil
}

// within adds the field or element that contains e.At before it.
func (e *FilterError) within(at string) *FilterError {
	if !strings.HasPrefix(e.At, "[") {
		at += "."
	}
	return &FilterError{At: at + e.At, Problem: e.Problem}
}

func (p location) fail(format string, args ...any) error {
	return &FilterError{At: p.at, Problem: fmt.Sprintf(format, args...)}
}

// object reads an object of fields and expands its "$or"s: the result has none.
func (p location) object(fields map[string]any) ([]node, error) {
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
			return nil, p.fail(
				`has more than %d combinations of alternatives; split it into several subscriptions`,
				MaxAlternatives,
			)
		}
		if product, err = p.multiply(product, factor); err != nil {
			return nil, err
		}
	}
	return product, nil
}

// member reads a field or an "$or", and returns it as a list of alternatives.
func (p location) member(name string, value any) ([]node, error) {
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
		return nil, p.fail(bareOperator, name)
	}
	return nil,
		p.fail(
			"is a single value; write a list of the allowed values, even if there is only one: […]",
		)
}

const bareOperator = `is an operator without a list around it; write [{"%s": …}]`

// reserved are names, beside those of operators, that no field within an "$or" may have.
// EventBridge would read such an "$or" as a field with that name.
var reserved = []string{
	"exactly", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case",
	"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
	"ip-address-in-range", "ip-address-not-in-range",
}

// checkName refuses names of fields that were probably meant as operators.
func (p location) checkName(value any) error {
	name := p.names[len(p.names)-1]
	if p.inOr && (isOperator(name) || slices.Contains(reserved, name)) {
		return p.fail(
			`is the name of an operator, so it cannot be a field within $or; write {"field": [{"%s": …}]}`,
			name,
		)
	}
	switch {
	case len(p.names) == 1:
	case name == anythingButOperator, name == ignoreCaseOperator:
		return p.fail(bareOperator, name)
	case name == "numeric" && addNumbers(new(list), value) == nil:
		return p.fail(bareOperator, name)
	}
	return nil
}

// check checks the field at p with the given value against the fields that an event has.
func (p location) check(value any) error {
	_, isObject := value.(map[string]any)
	name := p.names[len(p.names)-1]
	switch top := p.names[0]; {
	case !slices.Contains(
		[]string{typeField, sourceField, trustField, schemaField, headersField, dataField}, top,
	):
		return p.fail(
			"is not a field of an event; the fields are type, source, trust, schema, headers and data",
		)
	case top == headersField && len(p.names) == 1 && !isObject:
		return p.fail("takes an object of headers, each with a list of values")
	case top == headersField && name != strings.ToLower(name):
		return p.fail(
			"must be in lower case: %q", strings.ToLower(name),
		)
	case top == headersField && len(p.names) > 1 && !isToken(name):
		return p.fail(
			"is not the name of a header; allowed are letters, digits and !#$%%&'*+-.^_`|~",
		)
	case top != dataField && isObject && (top != headersField || len(p.names) > 1):
		return p.fail("takes a list of values and operators: [{…}]")
	}
	return p.checkName(value)
}

// isToken tells whether s, in lower case, can be the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// or reads the list of an "$or" in the object parent.
func (p location) or(parent location, value any) ([]node, error) {
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
		term, err := location{at: p.element(i).at, names: parent.names, inOr: true}.object(fields)
		if err != nil {
			return nil, err
		}
		sum = append(sum, term...)
	}
	return sum, nil
}

func (p location) list(elements []any) (list, error) {
	if len(elements) == 0 {
		return list{}, p.fail(
			"is an empty list, so nothing can match; leave the field out to match every value",
		)
	}
	l := list{at: p.at}
	for i, element := range elements {
		if err := l.add(element); err != nil {
			return list{}, p.element(i).fail("%v", err)
		}
		if err := p.checkElement(i, element); err != nil {
			return list{}, err
		}
	}
	l.seal()
	values := closed[p.names[0]]
	holds := func(value string) bool { return allHold([]list{l}, textScalar(value)) }
	if values != nil && !l.absent && !slices.ContainsFunc(values, holds) {
		return list{},
			p.fail(
				"can match none of %s, and there are no other values", strings.Join(values, ", "),
			)
	}
	return l, nil
}

// checkElement refuses values that no event has outside of data, where every value is a string.
func (p location) checkElement(i int, element any) error {
	field := p.names[0]
	if field == dataField {
		return nil
	}
	p = p.element(i)
	switch e := element.(type) {
	case string:
		switch {
		case closed[field] != nil && !slices.Contains(closed[field], e):
			return p.fail("is never %q; the values are %s", e, strings.Join(closed[field], ", "))
		case field != headersField && e == "":
			return p.fail(`is never empty; write {"exists": false} for an event without a type`)
		case field == headersField && (strings.Trim(e, " \t") != e ||
			strings.ContainsFunc(e, isHeaderless)):
			return p.fail(
				"cannot be a header's value, which has no space at either end and no control character",
			)
		}
	case map[string]any:
		switch {
		case e["numeric"] != nil:
			return p.fail(
				"numeric compares numbers, but %s is always a string", p.names[len(p.names)-1],
			)
		case field == sourceField && e[existsOperator] == false:
			return p.fail("is never true: every event has a source")
		}
	default:
		return p.fail(
			"is not a string, but %s always is one; write it in quotes", p.names[len(p.names)-1],
		)
	}
	return nil
}

// isHeaderless tells whether a header's value cannot contain this character.
func isHeaderless(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// multiply returns every combination of an object of a with an object of b.
func (p location) multiply(a, b []node) ([]node, error) {
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

// merge combines a and b, which have the same name, into a field or object that requires both.
func (p location) merge(a, b node) (node, error) {
	both := node{name: a.name, lists: slices.Concat(a.lists, b.lists)}
	switch {
	case len(both.lists) > 0 && len(a.fields)+len(b.fields) > 0:
		return node{},
			p.fail("has a list in one place and an object in another; it can be only one of them")
	case !satisfiable(both.lists):
		return node{}, p.fail(
			"has two lists, one of them under $or, without a common value, so nothing can match",
		)
	}
	both.fields = slices.Clone(a.fields)
	for _, f := range b.fields {
		at, twice := slices.BinarySearchFunc(both.fields, f.name, func(n node, name string) int {
			return strings.Compare(n.name, name)
		})
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

// satisfiable tells whether one value can be in all the lists. It checks only lists of exact
// values; about others it cannot tell.
func satisfiable(lists []list) bool {
	for i := range lists {
		inAll := func(s scalar) bool { return allHold(lists, s) }
		if lists[i].isExact() && !slices.ContainsFunc(lists[i].exact, inAll) {
			return false
		}
	}
	return true
}

func allHold(lists []list, s scalar) bool {
	for i := range lists {
		if !lists[i].holds(&meter{BaseSteps}, &datum{scalar: s}) {
			return false
		}
	}
	return true
}
