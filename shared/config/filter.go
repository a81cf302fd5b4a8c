package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"webhook-relay/shared/route"
)

// filter reads a subscription's filter and returns it as JSON, in the operator's order; "" if there is none, or it is wrong.
func (c *checker) filter(path string, node ast.Node) string {
	if node == nil {
		return ""
	}
	var b strings.Builder
	if misfit, problem := writeJSON(&b, node); misfit != nil {
		c.problems = append(c.problems, fmt.Errorf("%s:%d: %s: %s", c.name, misfit.GetToken().Position.Line, path, problem))
		return ""
	}
	_, err := route.ParseFilter([]byte(b.String()))
	if e, ok := errors.AsType[*route.FilterError](err); ok {
		at := strings.TrimSuffix(path+"."+e.At, ".")
		c.problems = append(c.problems, fmt.Errorf("%s:%d: %s: %s", c.name, c.line(strings.ReplaceAll(at, "$or", "'$or'")), at, e.Problem))
		return ""
	}
	return b.String()
}

const notJSON = "has YAML that a filter cannot have; write plain lists, maps, strings, numbers, true, false and null"

// writeJSON writes a node as JSON. Numbers stay as they are written, and all that looks like one is one (the decoder reads 1e2 and long
// integers as strings): going through Go's types would change both. If JSON has no word for a part of it, that comes back, and why.
func writeJSON(b *strings.Builder, node ast.Node) (misfit ast.Node, problem string) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return writeAll(b, "{}", n.Values, func(m *ast.MappingValueNode) (ast.Node, string) { return writeMember(b, m) })
	case *ast.MappingValueNode: // a map of one in lines of its own, in some places
		return writeJSON(b, ast.Mapping(n.GetToken(), false, n))
	case *ast.SequenceNode:
		return writeAll(b, "[]", n.Values, func(element ast.Node) (ast.Node, string) { return writeJSON(b, element) })
	case *ast.StringNode:
		if n.GetToken().Type == token.StringType && isNumber(n.Value) {
			b.WriteString(n.Value)
		} else {
			writeString(b, n.Value)
		}
	case *ast.LiteralNode:
		writeString(b, n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		if !isNumber(n.GetToken().Value) {
			return n, fmt.Sprintf("has the number %s, which is none in JSON", n.GetToken().Value)
		}
		b.WriteString(n.GetToken().Value)
	case *ast.BoolNode:
		fmt.Fprint(b, n.Value)
	case *ast.NullNode:
		b.WriteString("null")
	default:
		return n, notJSON
	}
	return nil, ""
}

// writeAll writes what is between brackets.
func writeAll[T any](b *strings.Builder, brackets string, elements []T, write func(T) (ast.Node, string)) (ast.Node, string) {
	b.WriteByte(brackets[0])
	for i, element := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		if misfit, problem := write(element); misfit != nil {
			return misfit, problem
		}
	}
	b.WriteByte(brackets[1])
	return nil, ""
}

func writeMember(b *strings.Builder, m *ast.MappingValueNode) (ast.Node, string) {
	if m.Key.IsMergeKey() {
		return m.Key, notJSON
	}
	writeString(b, m.Key.GetToken().Value)
	b.WriteByte(':')
	return writeJSON(b, m.Value)
}

func writeString(b *strings.Builder, s string) {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false) // numeric's < and > stay legible
	_ = e.Encode(s)        // a string can be encoded
	b.Write(bytes.TrimSpace(quoted.Bytes()))
}

// isNumber tells whether s is a number in JSON.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s[:1], "-0123456789") == "" && json.Valid([]byte(s))
}
