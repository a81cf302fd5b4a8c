package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// The limits of schemas.
const (
	MaxBytes = 128 << 10
	// maxInstructions limits the compiled form of a pattern. The work for a text is its length
	// times this.
	maxInstructions = 2000
)

// ErrSchema means that a text is no schema that this package can use. The message names the place
// in the schema, and how to correct it.
var ErrSchema = errors.New("schema")

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	root     *jsonschema.Schema
	at       map[string]*jsonschema.Schema // by JSON pointer, and by "#" and an anchor
	refs     map[*jsonschema.Schema]*jsonschema.Schema
	patterns map[string]pattern
	tracks   bool // unevaluatedItems or unevaluatedProperties is used
	size     int
}

type pattern struct {
	*regexp.Regexp
	instructions int
}

// Bytes returns the approximate memory that the schema takes.
func (s *Schema) Bytes() int { return 512 + 16*s.size }

// Compile reads a schema. Error: ErrSchema.
func Compile(text []byte) (*Schema, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%w: has %d bytes; there can be %d", ErrSchema, len(text), MaxBytes)
	}
	s := &Schema{
		root: &jsonschema.Schema{}, at: map[string]*jsonschema.Schema{},
		refs:     map[*jsonschema.Schema]*jsonschema.Schema{},
		patterns: map[string]pattern{}, size: len(text),
	}
	if err := json.Unmarshal(text, s.root); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrSchema, strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := s.walk("", s.root); err != nil {
		return nil, err
	}
	for _, at := range slices.Sorted(maps.Keys(s.at)) {
		if err := s.resolve(at, s.at[at]); err != nil {
			return nil, err
		}
	}
	return s, s.checkCycles()
}

func wrong(at, format string, args ...any) error {
	if at == "" {
		at = "/"
	}
	return fmt.Errorf("%w: %s: %s", ErrSchema, at, fmt.Sprintf(format, args...))
}

// walk checks a schema and those within it, and notes where they are.
func (s *Schema) walk(at string, of *jsonschema.Schema) error {
	if of == nil {
		return wrong(at, "is null; a schema is an object, true or false")
	}
	s.at[at] = of
	if of.Anchor != "" {
		s.at["#"+of.Anchor] = of
	}
	if err := s.checkKeywords(at, of); err != nil {
		return err
	}
	for _, c := range children(of) {
		if err := s.walk(at+c.at, c.schema); err != nil {
			return err
		}
	}
	return nil
}

// annotations are keywords of OpenAPI that assert nothing.
var annotations = []string{"discriminator", "example", "externalDocs", "xml"}

func (s *Schema) checkKeywords(at string, of *jsonschema.Schema) error {
	for _, keyword := range slices.Sorted(maps.Keys(of.Extra)) {
		switch {
		case strings.HasPrefix(keyword, "x-") || slices.Contains(annotations, keyword):
		case keyword == "nullable":
			return wrong(at+"/nullable", "is of OpenAPI 3.0; write type: [string, \"null\"]")
		default:
			return wrong(at+"/"+escape(keyword), "is no keyword of JSON Schema 2020-12")
		}
	}
	const draft = "https://json-schema.org/draft/2020-12/schema"
	switch {
	case of.Schema != "" && strings.TrimSuffix(of.Schema, "#") != draft:
		return wrong(at+"/$schema", "%q is not read; only %s is", of.Schema, draft)
	case of.ID != "" && at != "":
		return wrong(at+"/$id", "is not read within a schema; remove it")
	case of.DynamicRef != "" || of.DynamicAnchor != "":
		return wrong(at, "has $dynamicRef or $dynamicAnchor, which are not read; use $ref")
	case of.ItemsArray != nil || of.AdditionalItems != nil:
		return wrong(at+"/items", "is a list, as before 2020-12; write prefixItems")
	case of.DependencySchemas != nil || of.DependencyStrings != nil:
		return wrong(
			at+"/dependencies", "is of draft 7; write dependentRequired or dependentSchemas",
		)
	case of.MultipleOf != nil && !(*of.MultipleOf > 0):
		return wrong(at+"/multipleOf", "must be above 0")
	}
	for _, t := range append(slices.Clone(of.Types), of.Type) {
		if t != "" && !slices.Contains(types, t) {
			return wrong(at+"/type", "%q is no type; there are %s", t, strings.Join(types, ", "))
		}
	}
	s.tracks = s.tracks || of.UnevaluatedItems != nil || of.UnevaluatedProperties != nil
	if of.Pattern != "" {
		if err := s.addPattern(at+"/pattern", of.Pattern); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(of.PatternProperties)) {
		if err := s.addPattern(at+"/patternProperties/"+escape(p), p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) addPattern(at, text string) error {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return wrong(at, "is no pattern: %v", errors.Unwrap(err))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return wrong(at, "is no pattern: %v", err)
	}
	if n := len(program.Inst); n > maxInstructions {
		return wrong(at, "takes %d instructions; there can be %d", n, maxInstructions)
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return wrong(at, "is no pattern: %v", err)
	}
	s.patterns[text] = pattern{Regexp: compiled, instructions: len(program.Inst)}
	return nil
}

// resolve finds what a $ref refers to.
func (s *Schema) resolve(at string, of *jsonschema.Schema) error {
	if of.Ref == "" {
		return nil
	}
	fragment, local := strings.CutPrefix(of.Ref, "#")
	if !local {
		return wrong(
			at+"/$ref", "%q is outside of the schema; copy what it refers to into $defs", of.Ref,
		)
	}
	target := fragment
	if decoded, err := url.PathUnescape(fragment); err == nil {
		target = decoded
	}
	if target != "" && target[0] != '/' {
		target = "#" + target
	}
	to := s.at[target]
	if to == nil {
		return wrong(at+"/$ref", "%q refers to nothing in the schema", of.Ref)
	}
	s.refs[of] = to
	return nil
}

// checkCycles refuses a schema that applies to a value again because it applies to it: that would
// not end.
func (s *Schema) checkCycles() error {
	const open, done = 1, 2
	state := map[*jsonschema.Schema]int{}
	var visit func(of *jsonschema.Schema) bool
	visit = func(of *jsonschema.Schema) bool {
		switch state[of] {
		case open:
			return false
		case done:
			return true
		}
		state[of] = open
		for _, c := range s.inPlace(of) {
			if !visit(c) {
				return false
			}
		}
		state[of] = done
		return true
	}
	for _, at := range slices.Sorted(maps.Keys(s.at)) {
		if !visit(s.at[at]) {
			return wrong(at, "refers to itself for the same value, which has no end")
		}
	}
	return nil
}

// inPlace returns the schemas that apply to the same value as of does.
func (s *Schema) inPlace(of *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat(of.AllOf, of.AnyOf, of.OneOf)
	for _, one := range []*jsonschema.Schema{s.refs[of], of.Not, of.If, of.Then, of.Else} {
		if one != nil {
			all = append(all, one)
		}
	}
	return slices.AppendSeq(all, maps.Values(of.DependentSchemas))
}

// child is a schema within a schema.
type child struct {
	at     string
	schema *jsonschema.Schema
}

// children returns the schemas within a schema.
func children(of *jsonschema.Schema) (all []child) {
	for name, list := range map[string][]*jsonschema.Schema{
		"prefixItems": of.PrefixItems, "allOf": of.AllOf, "anyOf": of.AnyOf, "oneOf": of.OneOf,
	} {
		for i, one := range list {
			all = append(all, child{"/" + name + "/" + strconv.Itoa(i), one})
		}
	}
	for name, group := range map[string]map[string]*jsonschema.Schema{
		"$defs": of.Defs, "definitions": of.Definitions, "properties": of.Properties,
		"patternProperties": of.PatternProperties, "dependentSchemas": of.DependentSchemas,
	} {
		for key, one := range group {
			all = append(all, child{"/" + name + "/" + escape(key), one})
		}
	}
	for name, one := range map[string]*jsonschema.Schema{
		"items": of.Items, "contains": of.Contains, "unevaluatedItems": of.UnevaluatedItems,
		"additionalProperties": of.AdditionalProperties, "propertyNames": of.PropertyNames,
		"unevaluatedProperties": of.UnevaluatedProperties, "not": of.Not, "if": of.If,
		"then": of.Then, "else": of.Else,
	} {
		if one != nil {
			all = append(all, child{"/" + name, one})
		}
	}
	return all
}

// escape writes a name as a part of a JSON pointer (RFC 6901).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
