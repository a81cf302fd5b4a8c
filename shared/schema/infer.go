package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
)

// Inference proposes a schema from documents. The zero value has seen none.
type Inference struct {
	seen  int
	types map[string]bool
	// by member: of the documents that are objects
	members map[string]*Inference
	objects int
	element *Inference // of all elements of all lists
}

// Add looks at a document. It returns false if it is not JSON.
func (f *Inference) Add(document []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if len(document) > MaxDocument || decoder.Decode(&value) != nil {
		return false
	}
	f.add(value, 0)
	return true
}

func (f *Inference) add(value any, level int) {
	if f.types == nil {
		f.types, f.members = map[string]bool{}, map[string]*Inference{}
	}
	f.seen++
	f.types[typeOf(value)] = true
	if level == maxDepth {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		f.objects++
		for name, one := range value {
			if f.members[name] == nil {
				f.members[name] = &Inference{}
			}
			f.members[name].add(one, level+1)
		}
	case []any:
		if f.element == nil {
			f.element = &Inference{}
		}
		for _, one := range value {
			f.element.add(one, level+1)
		}
	}
}

// mostMembers is how many members an object with fixed names has at most. One with more is taken
// for a table whose names are data, such as ids.
const mostMembers = 200

// Schema returns the schema: the types that were seen, the members of objects, and as required
// those that every object has. nil: no document was seen.
func (f *Inference) Schema() map[string]any {
	if f == nil || f.seen == 0 {
		return nil
	}
	out := map[string]any{}
	if f.types["number"] {
		delete(f.types, "integer") // a number may be whole
	}
	types := slices.Sorted(maps.Keys(f.types))
	if out["type"] = types; len(types) == 1 {
		out["type"] = types[0]
	}
	if inner := f.element.Schema(); inner != nil {
		out["items"] = inner
	}
	if len(f.members) == 0 || len(f.members) > mostMembers {
		return out
	}
	properties, required := map[string]any{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		properties[name] = f.members[name].Schema()
		if f.members[name].seen == f.objects {
			required = append(required, name)
		}
	}
	if out["properties"] = properties; len(required) > 0 {
		out["required"] = required
	}
	return out
}

// Unseen returns the JSON pointers of the members that a schema describes and that no document had,
// sorted. What is below such a member is left out. Members that only anyOf, oneOf or conditions
// describe are not looked for.
func (f *Inference) Unseen(s *Schema) []string { return s.unseen("", s.root, f) }

func (s *Schema) unseen(at string, of *jsonschema.Schema, f *Inference) (all []string) {
	flat := s.flat(of)
	for _, name := range slices.Sorted(maps.Keys(flat.properties)) {
		inner := at + "/" + escape(name)
		switch member := f.members[name]; {
		case member != nil:
			all = append(all, s.unseen(inner, flat.properties[name], member)...)
		case f.objects > 0:
			all = append(all, inner)
		}
	}
	if f.element != nil && len(flat.items) > 0 {
		all = append(all, s.unseen(at+"/0", flat.items[len(flat.items)-1], f.element)...)
	}
	return all
}
