package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Breaking returns what a receiver that relies on the schema before may stumble over in documents
// of the schema after: a member that is gone or no longer always there, a type or a value that is
// new. Each line begins with the place. It looks at type, enum, const, properties, required, items
// and prefixItems, through $ref and allOf. It does not compare other keywords.
func Breaking(before, after *Schema) []string {
	c := comparison{before: before, after: after, seen: map[[2]*jsonschema.Schema]bool{}}
	c.compare("", before.root, after.root)
	return c.lines
}

type comparison struct {
	before, after *Schema
	seen          map[[2]*jsonschema.Schema]bool
	lines         []string
}

func (c *comparison) tell(at, format string, args ...any) {
	if at == "" {
		at = "/"
	}
	c.lines = append(c.lines, at+": "+fmt.Sprintf(format, args...))
}

// flat is what the schemas say that apply to one value in any case.
type flat struct {
	types      []string // nil: any
	values     []string // of enum and const, as JSON; nil: any
	required   map[string]bool
	properties map[string]*jsonschema.Schema
	items      []*jsonschema.Schema // prefixItems, then items
}

// flatten follows $ref and allOf. The first schema that says something about a member counts.
func (s *Schema) flatten(of *jsonschema.Schema, into *flat) {
	types := of.Types
	if of.Type != "" {
		types = []string{of.Type}
	}
	if into.types == nil {
		into.types = types
	}
	values := of.Enum
	if of.Const != nil {
		values = []any{*of.Const}
	}
	if into.values == nil && values != nil {
		for _, v := range values {
			text, _ := json.Marshal(v) // it was read from JSON
			into.values = append(into.values, string(text))
		}
	}
	for _, name := range of.Required {
		into.required[name] = true
	}
	for name, one := range of.Properties {
		if into.properties[name] == nil {
			into.properties[name] = one
		}
	}
	if into.items == nil {
		into.items = of.PrefixItems
		if of.Items != nil {
			into.items = append(slices.Clip(into.items), of.Items)
		}
	}
	if to := s.refs[of]; to != nil {
		s.flatten(to, into)
	}
	for _, one := range of.AllOf {
		s.flatten(one, into)
	}
}

func (s *Schema) flat(of *jsonschema.Schema) flat {
	f := flat{required: map[string]bool{}, properties: map[string]*jsonschema.Schema{}}
	s.flatten(of, &f)
	return f
}

// end returns what a schema refers to in the end.
func (s *Schema) end(of *jsonschema.Schema) *jsonschema.Schema {
	for s.refs[of] != nil { // a circle of references was refused
		of = s.refs[of]
	}
	return of
}

func (c *comparison) compare(at string, was, is *jsonschema.Schema) {
	pair := [2]*jsonschema.Schema{c.before.end(was), c.after.end(is)}
	if c.seen[pair] {
		return
	}
	c.seen[pair] = true
	old, now := c.before.flat(was), c.after.flat(is)
	c.compareTypes(at, old.types, now.types)
	if more := missing(now.values, old.values); old.values != nil && now.values == nil {
		c.tell(at, "may have any value; it had %s", strings.Join(old.values, ", "))
	} else if old.values != nil && len(more) > 0 {
		c.tell(at, "may have the new values %s", strings.Join(more, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(old.properties)) {
		inner := at + "/" + escape(name)
		next := now.properties[name]
		switch {
		case next == nil:
			c.tell(inner, "is gone")
			continue
		case old.required[name] && !now.required[name]:
			c.tell(inner, "may be missing; it was always there")
		}
		c.compare(inner, old.properties[name], next)
	}
	for i := range min(len(old.items), len(now.items)) {
		c.compare(at+"/"+fmt.Sprint(i), old.items[i], now.items[i])
	}
}

func (c *comparison) compareTypes(at string, old, now []string) {
	switch {
	case old == nil:
	case now == nil:
		c.tell(at, "may have any type; it was %s", strings.Join(old, " or "))
	default:
		if slices.Contains(old, "number") {
			old = append(slices.Clip(old), "integer")
		}
		if more := missing(now, old); len(more) > 0 {
			c.tell(at, "may be %s; it was %s", strings.Join(more, " or "), strings.Join(old, " or "))
		}
	}
}

// missing returns the elements that the other list does not have.
func missing(all, other []string) (more []string) {
	for _, one := range all {
		if !slices.Contains(other, one) {
			more = append(more, one)
		}
	}
	return more
}
