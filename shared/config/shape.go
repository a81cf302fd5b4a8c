package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document returns the file's only document, or an empty map if the file is empty.
func (c *checker) document(text []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	} else if err != nil {
		return nil, c.yamlError(err)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, fmt.Errorf(
			"%w:\n%s:%d: a second document begins; a configuration is a single YAML document",
			ErrInvalid, c.name, second.Line,
		)
	case !errors.Is(err, io.EOF):
		return nil, c.yamlError(err)
	}
	return first.Content[0], nil
}

// yamlError adds the file's name and the line to a parser's error. shape has already reported
// values of the wrong type, so a constructor error can only come from a merge (<<). Its own text is
// dropped, because it repeats the value, which may be a secret.
func (c *checker) yamlError(err error) error {
	e, ok := errors.AsType[*yaml.LoadError](err)
	switch {
	case !ok || e.Mark.Line == 0:
		return fmt.Errorf("%w:\n%s: %w", ErrInvalid, c.name, err)
	case e.Stage == yaml.ConstructorStage:
		return fmt.Errorf(
			"%w:\n%s:%d: merges (<<) a value that does not fit here", ErrInvalid, c.name,
			e.Mark.Line,
		)
	}
	return fmt.Errorf("%w:\n%s:%d: %s", ErrInvalid, c.name, e.Mark.Line, e.Message)
}

// nodeType is the type of a filter, which may have any shape.
var nodeType = reflect.TypeFor[yaml.Node]()

// misfits are the messages for a value that does not fit a type of the kind.
var misfits = map[reflect.Kind]string{
	reflect.String: "is not a single value", reflect.Int: "is not a whole number",
	reflect.Float64: "is not a number", reflect.Bool: "is neither true nor false",
	reflect.Int64: "is not a duration such as 15s or 5m",
	reflect.Slice: "is not a list such as [a, b]", reflect.Map: "is not a map such as {key: value}",
}

// shape checks that a node fits the type it is for, and records the line of each value in it. The
// decoder would check types too, but its errors name Go's types and not the file's keys.
func (c *checker) shape(path string, n *yaml.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode && t != nodeType {
		n = n.Alias
	}
	if t == reflect.TypeFor[types]() && n.Kind == yaml.SequenceNode {
		t = reflect.TypeFor[[]eventType]()
	}
	switch scalar := n.Kind == yaml.ScalarNode; {
	case scalar && t == reflect.TypeFor[order]():
		t = reflect.TypeFor[bool]()
	case scalar && t == reflect.TypeFor[tenantOf]():
		t = reflect.TypeFor[string]()
	}
	switch {
	case n.Kind == yaml.MappingNode && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		c.members(path, n, t)
	case n.Kind == yaml.SequenceNode && (t.Kind() == reflect.Slice || t == nodeType):
		c.elements(path, n, t)
	case t == nodeType || n.ShortTag() == "!!null":
	case t.Kind() == reflect.Struct:
		c.fail(path, "is not a map; its keys are %s", keysOf(t))
	case n.Load(reflect.New(t).Interface()) != nil:
		c.fail(path, "%s", misfits[t.Kind()])
	}
}

func (c *checker) elements(path string, n *yaml.Node, t reflect.Type) {
	if t != nodeType {
		t = t.Elem()
	}
	for i, value := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.lines[at] = value.Line
		c.shape(at, value, t)
	}
}

func (c *checker) members(path string, n *yaml.Node, t reflect.Type) {
	first := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		member, known := memberOf(t, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.failAt(key.Line, path, "has a key that is not a single value")
		case key.ShortTag() == "!!merge":
			continue // checked where the map is defined, and by the decoder
		case first[key.Value] != 0:
			c.failAt(key.Line, at, "is given twice, first on line %d", first[key.Value])
		case !known:
			c.failAt(key.Line, at, "is not a known key; the keys here are %s", keysOf(t))
		default:
			first[key.Value], c.lines[at] = key.Line, value.Line
			c.shape(at, value, member)
		}
	}
}

// memberOf returns the type of the value that t has under a key.
func memberOf(t reflect.Type, key string) (reflect.Type, bool) {
	switch {
	case t == nodeType:
		return t, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	}
	for field := range t.Fields() {
		if field.Tag.Get("yaml") == key {
			return field.Type, true
		}
	}
	return nil, false
}

// keysOf lists the keys of a struct.
func keysOf(t reflect.Type) string {
	var keys []string
	for field := range t.Fields() {
		if key := field.Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ", ")
}
