package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// Status tells how a document relates to a schema. The set is closed.
type Status string

// The statuses.
const (
	Passed    Status = "passed"
	Failed    Status = "failed"
	Unchecked Status = "unchecked" // the document is too large, too deep, or takes too long
)

// Result is the result of a check.
type Result struct {
	Status  Status
	At      string // Failed: the JSON pointer of the place; "": the whole document
	Problem string // Failed or Unchecked: what is wrong; it contains no value of the document
}

// The limits of a check.
const (
	MaxDocument = 1 << 20 // bytes
	maxDepth    = 200
	maxSteps    = 1_000_000
)

var types = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

// Check checks a document. A text that is not JSON, and the empty one, have failed.
func (s *Schema) Check(document []byte) Result {
	if len(document) > MaxDocument {
		return Result{
			Status:  Unchecked,
			Problem: fmt.Sprintf("has %d bytes; %d are checked", len(document), MaxDocument),
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return Result{Status: Failed, Problem: "is not JSON"}
	}
	r := &run{Schema: s, left: maxSteps}
	found, _ := r.check(s.root, value, nil)
	switch {
	case r.left < 0 || r.deep:
		return Result{Status: Unchecked, Problem: "takes too long to check"}
	case found != nil:
		return Result{Status: Failed, At: found.at.String(), Problem: found.problem}
	}
	return Result{Status: Passed}
}

// run is one check.
type run struct {
	*Schema
	left  int  // steps
	deep  bool // the document has too many levels
	quiet int  // above 0: nobody reads the problem
}

// path is a place in the document.
type path struct {
	up    *path
	key   string
	level int
}

func (p *path) in(key string) *path {
	level := 1
	if p != nil {
		level = p.level + 1
	}
	return &path{up: p, key: key, level: level}
}

// String returns the JSON pointer.
func (p *path) String() string {
	if p == nil {
		return ""
	}
	return p.up.String() + "/" + escape(p.key)
}

// violation is what is wrong; nil: nothing is.
type violation struct {
	at      *path
	problem string
}

var failed = &violation{}

func (r *run) wrong(at *path, format string, args ...any) *violation {
	if r.quiet > 0 {
		return failed
	}
	return &violation{at: at, problem: fmt.Sprintf(format, args...)}
}

// evaluated are the members and elements that a schema has looked at. It is kept only if the schema
// asks for it.
type evaluated struct {
	members  map[string]bool
	elements map[int]bool
}

func (e *evaluated) add(other evaluated) {
	for name := range other.members {
		e.member(name)
	}
	for i := range other.elements {
		e.element(i)
	}
}

func (e *evaluated) member(name string) {
	if e.members == nil {
		e.members = map[string]bool{}
	}
	e.members[name] = true
}

func (e *evaluated) element(i int) {
	if e.elements == nil {
		e.elements = map[int]bool{}
	}
	e.elements[i] = true
}

// check checks a value. It ends early when the bounds are reached; its result does not count then.
func (r *run) check(s *jsonschema.Schema, v any, at *path) (*violation, evaluated) {
	var seen evaluated
	if r.left--; r.left < 0 {
		return nil, seen
	}
	if at != nil && at.level > maxDepth {
		r.deep = true
		return nil, seen
	}
	if found := r.plain(s, v, at); found != nil {
		return found, seen
	}
	if found := r.logic(s, v, at, &seen); found != nil {
		return found, seen
	}
	switch v := v.(type) {
	case []any:
		return r.array(s, v, at, &seen), seen
	case map[string]any:
		return r.object(s, v, at, &seen), seen
	}
	return nil, seen
}

// holds tells whether a value fits, where nobody reads why it does not.
func (r *run) holds(s *jsonschema.Schema, v any, at *path) (bool, evaluated) {
	r.quiet++
	found, seen := r.check(s, v, at)
	r.quiet--
	return found == nil, seen
}

// plain checks the keywords that look at a single value.
func (r *run) plain(s *jsonschema.Schema, v any, at *path) *violation {
	wanted := s.Types
	if s.Type != "" {
		wanted = []string{s.Type}
	}
	if wanted != nil && !slices.ContainsFunc(wanted, func(t string) bool { return isOf(v, t) }) {
		return r.wrong(at, "is %s, not %s", article(typeOf(v)), strings.Join(wanted, " or "))
	}
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(e any) bool { return r.equal(e, v) }) {
		return r.wrong(at, "is none of the %d allowed values", len(s.Enum))
	}
	if s.Const != nil && !r.equal(*s.Const, v) {
		return r.wrong(at, "is not the only allowed value")
	}
	switch v := v.(type) {
	case json.Number:
		return r.number(s, v, at)
	case string:
		return r.text(s, v, at)
	}
	return nil
}

func (r *run) number(s *jsonschema.Schema, n json.Number, at *path) *violation {
	if s.MultipleOf == nil && s.Minimum == nil && s.Maximum == nil &&
		s.ExclusiveMinimum == nil && s.ExclusiveMaximum == nil {
		return nil
	}
	f := float(n)
	switch {
	case s.MultipleOf != nil && !isWhole(f / *s.MultipleOf):
		return r.wrong(at, "is not a multiple of %v", *s.MultipleOf)
	case s.Minimum != nil && f < *s.Minimum:
		return r.wrong(at, "is less than %v", *s.Minimum)
	case s.Maximum != nil && f > *s.Maximum:
		return r.wrong(at, "is more than %v", *s.Maximum)
	case s.ExclusiveMinimum != nil && f <= *s.ExclusiveMinimum:
		return r.wrong(at, "is not more than %v", *s.ExclusiveMinimum)
	case s.ExclusiveMaximum != nil && f >= *s.ExclusiveMaximum:
		return r.wrong(at, "is not less than %v", *s.ExclusiveMaximum)
	}
	return nil
}

func (r *run) text(s *jsonschema.Schema, text string, at *path) *violation {
	if s.MinLength != nil || s.MaxLength != nil {
		n := utf8.RuneCountInString(text)
		if s.MinLength != nil && n < *s.MinLength {
			return r.wrong(at, "has %d characters; at least %d are needed", n, *s.MinLength)
		}
		if s.MaxLength != nil && n > *s.MaxLength {
			return r.wrong(at, "has %d characters; at most %d are allowed", n, *s.MaxLength)
		}
	}
	if s.Pattern != "" && !r.matches(s.Pattern, text) {
		return r.wrong(at, "does not match the pattern %s", s.Pattern)
	}
	return nil
}

// matches tells whether a text matches a pattern. Its work counts as steps.
func (r *run) matches(text, value string) bool {
	p := r.patterns[text]
	if r.left -= len(value) * p.instructions / 256; r.left < 0 {
		return true
	}
	return p.MatchString(value)
}

// logic checks the keywords that apply schemas to the same value.
func (r *run) logic(s *jsonschema.Schema, v any, at *path, seen *evaluated) *violation {
	also := s.AllOf
	if to := r.refs[s]; to != nil {
		also = append([]*jsonschema.Schema{to}, also...)
	}
	if s.If != nil {
		if ok, looked := r.holds(s.If, v, at); ok {
			seen.add(looked)
			also = appendSchema(also, s.Then)
		} else {
			also = appendSchema(also, s.Else)
		}
	}
	if object, is := v.(map[string]any); is {
		for name, one := range s.DependentSchemas {
			if _, there := object[name]; there {
				also = appendSchema(also, one)
			}
		}
	}
	for _, one := range also {
		found, looked := r.check(one, v, at)
		if found != nil {
			return found
		}
		seen.add(looked)
	}
	if s.AnyOf != nil && r.count(s.AnyOf, v, at, seen) == 0 {
		return r.wrong(at, "fits none of the %d alternatives of anyOf", len(s.AnyOf))
	}
	if s.OneOf != nil {
		if n := r.count(s.OneOf, v, at, seen); n != 1 {
			return r.wrong(at, "fits %d of the %d alternatives of oneOf, not one", n, len(s.OneOf))
		}
	}
	if s.Not != nil {
		if ok, _ := r.holds(s.Not, v, at); ok {
			return r.wrong(at, "%s", forbidden(s))
		}
	}
	return nil
}

// forbidden says what a schema with not means. The schema false is {"not": {}}.
func forbidden(s *jsonschema.Schema) string {
	if text, err := json.Marshal(s); err == nil && (string(text) == "false" ||
		string(text) == `{"not":true}` || string(text) == `{"not":{}}`) {
		return "is not allowed"
	}
	return "is what the schema excludes (not)"
}

func appendSchema(all []*jsonschema.Schema, one *jsonschema.Schema) []*jsonschema.Schema {
	if one == nil {
		return all
	}
	return append(slices.Clip(all), one)
}

// count returns how many schemas a value fits.
func (r *run) count(all []*jsonschema.Schema, v any, at *path, seen *evaluated) (n int) {
	for _, one := range all {
		if ok, looked := r.holds(one, v, at); ok {
			n++
			seen.add(looked)
		}
	}
	return n
}

func (r *run) array(s *jsonschema.Schema, v []any, at *path, seen *evaluated) *violation {
	switch n := len(v); {
	case s.MinItems != nil && n < *s.MinItems:
		return r.wrong(at, "has %d elements; at least %d are needed", n, *s.MinItems)
	case s.MaxItems != nil && n > *s.MaxItems:
		return r.wrong(at, "has %d elements; at most %d are allowed", n, *s.MaxItems)
	case s.UniqueItems && !r.unique(v):
		return r.wrong(at, "has the same element twice")
	}
	for i, value := range v {
		one := s.Items
		if i < len(s.PrefixItems) {
			one = s.PrefixItems[i]
		}
		if found := r.element(one, i, value, at, seen); found != nil {
			return found
		}
	}
	if found := r.contains(s, v, at, seen); found != nil {
		return found
	}
	for i, value := range v {
		if s.UnevaluatedItems == nil || seen.elements[i] {
			continue
		}
		if found := r.element(s.UnevaluatedItems, i, value, at, seen); found != nil {
			return found
		}
	}
	return nil
}

func (r *run) element(
	s *jsonschema.Schema, i int, value any, at *path, seen *evaluated,
) *violation {
	if s == nil {
		return nil
	}
	if r.tracks {
		seen.element(i)
	}
	found, _ := r.check(s, value, at.in(strconv.Itoa(i)))
	return found
}

func (r *run) contains(s *jsonschema.Schema, v []any, at *path, seen *evaluated) *violation {
	if s.Contains == nil {
		return nil
	}
	n := 0
	for i, value := range v {
		if ok, _ := r.holds(s.Contains, value, at.in(strconv.Itoa(i))); ok {
			n++
			if r.tracks {
				seen.element(i)
			}
		}
	}
	least := 1
	if s.MinContains != nil {
		least = *s.MinContains
	}
	switch {
	case n < least:
		return r.wrong(at, "has %d elements as contains asks for; at least %d are needed", n, least)
	case s.MaxContains != nil && n > *s.MaxContains:
		return r.wrong(
			at, "has %d elements as contains asks for; at most %d are allowed", n, *s.MaxContains,
		)
	}
	return nil
}

func (r *run) object(
	s *jsonschema.Schema, v map[string]any, at *path, seen *evaluated,
) *violation {
	if found := r.members(s, v, at); found != nil {
		return found
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names) // the first problem is always the same one
	for _, name := range names {
		if found := r.member(s, name, v[name], at, seen); found != nil {
			return found
		}
	}
	for _, name := range names {
		if s.UnevaluatedProperties == nil || seen.members[name] {
			continue
		}
		seen.member(name)
		if found, _ := r.check(s.UnevaluatedProperties, v[name], at.in(name)); found != nil {
			return found
		}
	}
	return nil
}

// members checks the keywords that look at the names of all members.
func (r *run) members(s *jsonschema.Schema, v map[string]any, at *path) *violation {
	for _, name := range s.Required {
		if _, there := v[name]; !there {
			return r.wrong(at.in(name), "is missing")
		}
	}
	switch n := len(v); {
	case s.MinProperties != nil && n < *s.MinProperties:
		return r.wrong(at, "has %d members; at least %d are needed", n, *s.MinProperties)
	case s.MaxProperties != nil && n > *s.MaxProperties:
		return r.wrong(at, "has %d members; at most %d are allowed", n, *s.MaxProperties)
	}
	for name, needed := range s.DependentRequired {
		if _, there := v[name]; !there {
			continue
		}
		for _, other := range needed {
			if _, there := v[other]; !there {
				return r.wrong(at.in(other), "is missing, which %s needs", name)
			}
		}
	}
	return nil
}

func (r *run) member(
	s *jsonschema.Schema, name string, value any, at *path, seen *evaluated,
) *violation {
	if s.PropertyNames != nil {
		if ok, _ := r.holds(s.PropertyNames, name, at); !ok {
			return r.wrong(at.in(name), "has a name that is not allowed")
		}
	}
	var schemas []*jsonschema.Schema
	if one := s.Properties[name]; one != nil {
		schemas = append(schemas, one)
	}
	for p, one := range s.PatternProperties {
		if r.matches(p, name) {
			schemas = append(schemas, one)
		}
	}
	if len(schemas) == 0 && s.AdditionalProperties != nil {
		schemas = append(schemas, s.AdditionalProperties)
	}
	for _, one := range schemas {
		if r.tracks {
			seen.member(name)
		}
		if found, _ := r.check(one, value, at.in(name)); found != nil {
			return found
		}
	}
	return nil
}

// equal compares a value of the schema with one of the document. Numbers are equal if they have the
// same value.
func (r *run) equal(wanted, v any) bool {
	r.left--
	switch v := v.(type) {
	case json.Number:
		f, is := wanted.(float64)
		return is && f == float(v)
	case []any:
		list, is := wanted.([]any)
		return is && slices.EqualFunc(list, v, r.equal)
	case map[string]any:
		object, is := wanted.(map[string]any)
		if !is || len(object) != len(v) {
			return false
		}
		for name, one := range object {
			if other, there := v[name]; !there || !r.equal(one, other) {
				return false
			}
		}
		return true
	}
	return wanted == v
}

// unique tells whether no two elements are equal.
func (r *run) unique(v []any) bool {
	seen := make(map[string]bool, len(v))
	for _, value := range v {
		key := string(r.canonical(nil, value))
		if seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// canonical writes a value so that equal ones have the same form.
func (r *run) canonical(b []byte, v any) []byte {
	r.left--
	switch v := v.(type) {
	case json.Number:
		return strconv.AppendFloat(b, float(v), 'g', -1, 64)
	case []any:
		b = append(b, '[')
		for _, one := range v {
			b = append(r.canonical(b, one), ',')
		}
		return append(b, ']')
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		b = append(b, '{')
		for _, name := range names {
			b = append(strconv.AppendQuote(b, name), ':')
			b = append(r.canonical(b, v[name]), ',')
		}
		return append(b, '}')
	case string:
		return strconv.AppendQuote(b, v)
	}
	return fmt.Append(b, v) // true, false or null
}

// float returns the value of a number, to 53 bits. A number beyond that is infinite.
func float(n json.Number) float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

func isWhole(f float64) bool { return math.Trunc(f) == f && !math.IsInf(f, 0) }

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if isWhole(float(v)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}

func isOf(v any, wanted string) bool {
	is := typeOf(v)
	return is == wanted || is == "integer" && wanted == "number"
}

func article(word string) string {
	switch word[0] {
	case 'a', 'i', 'o':
		return "an " + word
	case 'n':
		if word == "null" {
			return word
		}
	}
	return "a " + word
}
