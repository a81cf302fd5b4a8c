package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/route"
)

// unquoted matches a name with a dot in a place in a filter: data["a.b"]. The file's lines are kept
// under data.a.b.
var unquoted = pattern.Lazy(`\["([^"]*)"\]`)

// filter returns a subscription's filter as JSON, with its members in the file's order. It returns
// "" if there is no filter or the filter is wrong.
func (c *checker) filter(path, source string, node *yaml.Node) string {
	if node.IsZero() {
		return ""
	}
	var b strings.Builder
	if misfit, problem := writeJSON(&b, node); misfit != nil {
		c.failAt(misfit.Line, path, "%s", problem)
		return ""
	}
	filter, err := route.ParseFilter([]byte(b.String()))
	if e, ok := errors.AsType[*route.FilterError](err); ok {
		c.fail(
			strings.TrimSuffix(path+"."+unquoted().ReplaceAllString(e.At, ".$1"), "."), "%s",
			e.Problem,
		)
		return ""
	}
	headers := filter.Headers()
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if !relay.Keeps(name) || slices.Contains(c.signatures[source], name) {
			c.fail(path+"."+headers[name],
				"is never kept with an event, so no filter can match it; the relay drops"+
					" credentials, signatures and headers of the connection")
		}
	}
	return b.String()
}

const notJSON = "has YAML that a filter cannot have; use only plain lists, maps, strings, numbers, true, false and null"

// writeJSON writes a node as JSON. Numbers stay as they are written, because converting them to
// Go's types would change them. If a part of the node has no form in JSON, writeJSON returns that
// part and the reason.
func writeJSON(b *strings.Builder, n *yaml.Node) (misfit *yaml.Node, problem string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return n, notJSON
	case n.Kind == yaml.MappingNode:
		return writeMap(b, n.Content)
	case n.Kind == yaml.SequenceNode:
		return writeList(b, n.Content)
	}
	switch n.Tag {
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return n, fmt.Sprintf("has the number %s, which is not a number in JSON", n.Value)
		}
		b.WriteString(n.Value)
	case "!!bool":
		b.WriteString(strings.ToLower(n.Value))
	case "!!null":
		b.WriteString("null")
	default: // a date, too, is a string in JSON
		writeString(b, n.Value)
	}
	return nil, ""
}

func writeList(b *strings.Builder, elements []*yaml.Node) (misfit *yaml.Node, problem string) {
	b.WriteByte('[')
	for i, element := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		if misfit, problem := writeJSON(b, element); misfit != nil {
			return misfit, problem
		}
	}
	b.WriteByte(']')
	return nil, ""
}

func writeMap(b *strings.Builder, members []*yaml.Node) (misfit *yaml.Node, problem string) {
	b.WriteByte('{')
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		key := members[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return key, notJSON
		}
		writeString(b, key.Value)
		b.WriteByte(':')
		if misfit, problem := writeJSON(b, members[i+1]); misfit != nil {
			return misfit, problem
		}
	}
	b.WriteByte('}')
	return nil, ""
}

func writeString(b *strings.Builder, s string) {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false) // keep < and > of the operator numeric readable
	_ = e.Encode(s)        // encoding a string cannot fail
	b.Write(bytes.TrimSpace(quoted.Bytes()))
}
