package route_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/route"
)

// The meaning of a filter, written directly after the formal rule of EventBridge's matcher. A
// document is a set of fields, each with the array elements that contain it. Every field of the
// filter must accept one of them, and no two of these may be in different elements of one array.

// leaf is a scalar of a document.
type leaf struct {
	path     string
	value    any
	elements map[string]int // by array
}

func leaves(v any, path, at string, elements map[string]int) []leaf {
	var out []leaf
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			out = append(out, leaves(member, path+"\x00"+name, at+"\x00"+name, elements)...)
		}
	case []any:
		for i, element := range v {
			inner := maps.Clone(elements)
			inner[at] = i
			out = append(out, leaves(element, path, fmt.Sprintf("%s\x01%d", at, i), inner)...)
		}
	default:
		out = append(out, leaf{path, v, elements})
	}
	return out
}

func consistent(a, b leaf) bool {
	for array, i := range a.elements {
		if j, both := b.elements[array]; both && i != j {
			return false
		}
	}
	return true
}

// conditions is a filter without "$or": for each path, the lists that must accept its value.
type conditions map[string][][]any

// expand expands a filter into alternatives.
func expand(filter map[string]any, path string) []conditions {
	product := []conditions{{}}
	for name, v := range filter {
		var sum []conditions
		switch v := v.(type) {
		case map[string]any:
			sum = expand(v, path+"\x00"+name)
		case []any:
			if name != "$or" {
				sum = []conditions{{path + "\x00" + name: {v}}}
				break
			}
			for _, alternative := range v {
				sum = append(sum, expand(alternative.(map[string]any), path)...)
			}
		}
		var next []conditions
		for _, a := range product {
			for _, b := range sum {
				both := maps.Clone(a)
				for path, lists := range b {
					both[path] = slices.Concat(both[path], lists)
				}
				next = append(next, both)
			}
		}
		product = next
	}
	return product
}

func (c conditions) match(document []leaf) bool {
	var try func(paths []string, chosen []leaf, absent []string) bool
	try = func(paths []string, chosen []leaf, absent []string) bool {
		fits := func(l leaf) bool {
			return !slices.ContainsFunc(chosen, func(c leaf) bool { return !consistent(c, l) })
		}
		if len(paths) == 0 {
			return !slices.ContainsFunc(document, func(l leaf) bool {
				return slices.Contains(absent, l.path) && fits(l)
			})
		}
		lists := c[paths[0]]
		every := func(holds func(list []any) bool) bool {
			return !slices.ContainsFunc(lists, func(list []any) bool { return !holds(list) })
		}
		for _, l := range document {
			if l.path == paths[0] && fits(l) && every(func(list []any) bool {
				return accepts(list, l.value)
			}) &&
				try(paths[1:], append(slices.Clip(chosen), l), absent) {
				return true
			}
		}
		return every(allowsAbsence) && try(paths[1:], chosen, append(slices.Clip(absent), paths[0]))
	}
	return try(slices.Sorted(maps.Keys(c)), nil, nil)
}

func allowsAbsence(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool {
		operator, ok := v.(map[string]any)
		return ok && operator["exists"] == false
	})
}

func accepts(list []any, value any) bool {
	return slices.ContainsFunc(list, func(v any) bool { return acceptsOne(v, value) })
}

func acceptsOne(wanted, value any) bool {
	operator, ok := wanted.(map[string]any)
	if !ok {
		return equal(wanted, value)
	}
	s, isString := value.(string)
	for name, operand := range operator {
		fold := func(s string) string { return s }
		if folded, ok := operand.(map[string]any); ok && (name == "prefix" || name == "suffix") {
			operand, fold = folded["equals-ignore-case"], strings.ToLower
		}
		if name == "equals-ignore-case" {
			fold = strings.ToLower
		}
		text, _ := operand.(string)
		switch name {
		case "prefix":
			return isString && strings.HasPrefix(fold(s), fold(text))
		case "suffix":
			return isString && strings.HasSuffix(fold(s), fold(text))
		case "equals-ignore-case":
			return isString && fold(s) == fold(text)
		case "wildcard":
			return isString && wild(text, s)
		case "cidr":
			block, _ := netip.ParsePrefix(text)
			address, err := netip.ParseAddr(s)
			return isString && err == nil && block.Contains(address.Unmap())
		case "exists":
			return operand == true
		case "numeric":
			n, isNumber := value.(json.Number)
			terms := operand.([]any)
			for i := 0; isNumber && i < len(terms); i += 2 {
				c := rational(n).Cmp(rational(terms[i+1].(json.Number)))
				isNumber = map[any]bool{
					"=": c == 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0,
				}[terms[i]]
			}
			return isNumber
		case "anything-but":
			return !refused(operand, value)
		}
	}
	panic(fmt.Sprint("unknown operator ", operator))
}

// refused tells whether the operand of anything-but includes value.
func refused(operand, value any) bool {
	switch operand := operand.(type) {
	case []any:
		return slices.ContainsFunc(operand, func(one any) bool { return refused(one, value) })
	case map[string]any:
		for name, inner := range operand {
			list, isList := inner.([]any)
			if !isList {
				list = []any{inner}
			}
			return slices.ContainsFunc(list, func(one any) bool {
				return acceptsOne(map[string]any{name: one}, value)
			})
		}
	}
	return equal(operand, value)
}

func equal(a, b any) bool {
	m, aNumber := a.(json.Number)
	n, bNumber := b.(json.Number)
	if aNumber && bNumber {
		return rational(m).Cmp(rational(n)) == 0
	}
	return a == b
}

func rational(n json.Number) *big.Rat {
	r, _ := new(big.Rat).SetString(n.String())
	return r
}

// wild is naive for wildcards, which have escapes.
func wild(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return wild(pattern[1:], s) || s != "" && wild(pattern, s[1:])
	case pattern[0] == '\\':
		pattern = pattern[1:]
	}
	return s != "" && s[0] == pattern[0] && wild(pattern[1:], s[1:])
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// meant tells whether a filter matches an event, by the definition. The body is JSON.
func meant(t testing.TB, filter string, e route.Event) bool {
	t.Helper()
	document := map[string]any{}
	for name, s := range map[string]string{"type": e.Type, "source": e.Source, "trust": e.Trust} {
		if s != "" {
			document[name] = s
		}
	}
	headers := map[string]any{}
	for name, s := range e.Header {
		headers[name] = s
	}
	document["headers"] = headers
	document["data"] = decoded(t, string(e.Data))
	found := leaves(document, "", "", map[string]int{})
	return slices.ContainsFunc(expand(
		decoded(t, filter).(map[string]any), "",
	), func(c conditions) bool {
		return c.match(found)
	})
}

// scribe writes random filters and bodies, small enough that many of them match.
type scribe struct{ *rand.Rand }

func pick[T any](s scribe, from ...T) T { return from[s.IntN(len(from))] }

func (s scribe) scalar() string {
	return pick(s, `"a"`, `"A"`, `"ab"`, `"ba"`, `"b"`, `""`, `"*"`, `"\u00e9"`, `"É"`,
		`"10.0.0.1"`, `"1"`, `"true"`, "1", "1.0", "10e-1", "2", "-2", "-20",
		"-1.5", "0", "-0.0", "true", "null",
		"9007199254740993", "9007199254740992")
}

func (s scribe) body(depth int) string {
	switch {
	case depth == 0 || s.IntN(4) == 0:
		return s.scalar()
	case s.IntN(2) == 0:
		return "[" + s.several(3, func() string { return s.body(depth - 1) }) + "]"
	}
	return "{" + s.several(4, func() string {
		return `"` + s.name() + `" : ` + s.body(depth-1)
	}) + "}"
}

func (s scribe) several(most int, one func() string) string {
	parts := make([]string, s.IntN(most))
	for i := range parts {
		parts[i] = one()
	}
	return strings.Join(parts, ", ")
}

func (s scribe) name() string { return pick(s, "a", "b", "c") }

func (s scribe) list() string {
	return "[" + s.condition() + strings.TrimSuffix(","+s.several(3, s.condition), ",") + "]"
}

func (s scribe) condition() string {
	if s.IntN(2) == 0 {
		return s.scalar()
	}
	return pick(s, `{"prefix": "a"}`, `{"suffix": "a"}`, `{"prefix": {"equals-ignore-case": "A"}}`,
		`{"suffix": {"equals-ignore-case": "B"}}`,
		`{"equals-ignore-case": "é"}`, `{"wildcard": "*a*"}`, `{"wildcard": "\\*"}`,
		`{"cidr": "10.0.0.0/24"}`, `{"numeric": [">", 0, "<=", 1]}`,
		`{"numeric": ["=", 9007199254740993]}`, `{"numeric": [">=", -2, "<", -0.5]}`,
		`{"prefix": "1"}`, `{"wildcard": "*"}`, `{"exists": true}`, `{"exists": false}`,
		`{"exists": false}`, `{"anything-but": "a"}`,
		`{"anything-but": ["a", 1, null]}`, `{"anything-but": {"prefix": "a"}}`,
		`{"anything-but": {"suffix": ["a", "b"]}}`)
}

func (s scribe) fields(depth int) string {
	parts := map[string]string{}
	for range 1 + s.IntN(3) {
		if depth == 0 || s.IntN(2) == 0 {
			parts[s.name()] = s.list()
		} else {
			parts[s.name()] = s.fields(depth - 1)
		}
	}
	if depth > 0 && s.IntN(4) == 0 {
		parts["$or"] = "[" + s.fields(depth-1) + ", " + s.fields(depth-1) + "]"
	}
	return object(parts)
}

func object(parts map[string]string) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(parts)) {
		fmt.Fprintf(&b, "%s%q: %s", strings.Repeat(", ", min(i, 1)), name, parts[name])
	}
	return "{" + b.String() + "}"
}

func (s scribe) filter() string {
	parts := map[string]string{}
	if s.IntN(6) > 0 {
		parts["data"] = pick(s, s.fields(2), s.list())
	}
	if s.IntN(3) == 0 || len(parts) == 0 {
		parts["trust"] = pick(s, `["verified"]`, `["unverified", {"prefix": "a"}]`)
	}
	if s.IntN(4) == 0 {
		parts["headers"] = `{"x-a": [` + pick(
			s, `"a"`, `{"prefix": "b"}`, `{"cidr": "10.0.0.0/24"}`, `{"anything-but": ["a", 1]}`,
			`{"exists": false}`, `"b", {"exists": false}`,
		) + "]}"
	}
	if s.IntN(6) == 0 {
		parts["$or"] = `[{"type": ["a"]}, {"data": ` + s.fields(1) + "}]"
	}
	return object(parts)
}

func (s scribe) event() route.Event {
	e := route.Event{
		Type: pick(s, "a", "ab", "b", ""), Source: "src",
		Trust: pick(s, "verified", "unverified", "authenticated"), Data: []byte(s.body(4)),
	}
	if s.IntN(2) == 0 {
		e.Header = map[string]string{"x-a": pick(s, "a", "b", "10.0.0.1"), "x-b": "b"}
	}
	return e
}

// TestTablesAgreeWithTheDefinition compares tables of random filters with the definition. The
// tables find their filters in all possible ways.
func TestTablesAgreeWithTheDefinition(t *testing.T) {
	t.Parallel()
	s := scribe{rand.New(rand.NewPCG(1, 2))}
	outcomes := map[bool]int{}
	for range 150 {
		var rules []route.Rule
		var texts []string
		for len(rules) < 12 {
			text := s.filter()
			filter, err := route.ParseFilter([]byte(text))
			if err != nil {
				// a field that is a list here and an object there, or too many alternatives
				continue
			}
			types := pick(s, nil, nil, []string{"a"}, []string{"a*", "b"}, []string{"*b*"})
			for range 1 + s.IntN(2) {
				rules, texts = append(rules, route.Rule{Types: types, Filter: filter}),
					append(texts, text)
			}
		}
		table := route.New(rules)
		for range 20 {
			e := s.event()
			var want []int
			for i, rule := range rules {
				matches := meant(t, texts[i], e) &&
					route.New([]route.Rule{{Types: rule.Types}}).Match(e).Rules != nil
				if outcomes[matches]++; matches {
					want = append(want, i)
				}
			}
			got := table.Match(e).Rules
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf(
					"event %+v, body %s, filters\n%s\n(-want +got):\n%s", e, e.Data,
					strings.Join(texts, "\n"), diff,
				)
			}
		}
	}
	if outcomes[true] < 3000 || outcomes[false] < 3000 {
		t.Errorf("%v: too one-sided to tell anything", outcomes)
	}
}

func FuzzFilterAgreesWithTheDefinition(f *testing.F) {
	f.Add([]byte(`{"data": {"a": [{"b": ["x", {"prefix": "y"}]}]}}`), []byte(`{"a": [{"b": "x"}]}`))
	f.Add(
		[]byte(`{"$or": [{"data": {"a": [1]}}, {"data": {"b": [{"exists": false}]}}]}`),
		[]byte(`{"a": 1.0, "a": 2}`),
	)
	f.Add(
		[]byte(`{"data": [{"numeric": [">", 1e400]}, {"wildcard": "*a*b"}]}`),
		[]byte(`[[1e401, "\ud800\u0000"], []]`),
	)
	f.Add(
		[]byte(`{"data": {"": [{"anything-but": {"suffix": "\\"}}]}}`),
		[]byte(" {\"\":\"\\\\\"}\n"),
	)
	f.Fuzz(func(t *testing.T, text, body []byte) {
		filter, err := route.ParseFilter(text)
		if err != nil || !json.Valid(body) || !utf8.Valid(body) {
			return
		}
		const most = 80 // the definition takes exponential time
		e := route.Event{Type: "a", Trust: "verified", Data: body}
		got := route.New([]route.Rule{{Filter: filter}}).Match(e).Rules != nil
		if len(text) > most || len(body) > most || opinion.Match(text) || opinion.Match(body) {
			return
		}
		if want := meant(t, string(text), e); got != want {
			t.Errorf("filter %s, body %q: got %v, want %v", text, body, got, want)
		}
	})
}

// opinion matches texts that the functions of the definition read differently: text that is not
// ASCII or not valid (its cases and replacements), and exponents (big.Rat writes all their digits).
var opinion = regexp.MustCompile(`[^\x00-\x7e]|\\u|[0-9][eE]`)
