package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Variables returns the names of the environment variables that a file refers to by env:NAME,
// sorted. A text that is no YAML has none.
func Variables(text []byte) []string {
	found := map[string]bool{}
	document, err := (&checker{}).document(text)
	if err != nil {
		return nil
	}
	collectVariables(document, found)
	return slices.Sorted(maps.Keys(found))
}

// verbatim are the keys whose values are taken as they are.
var verbatim = []string{"filter", "send", "schema", "example"}

// Files returns the names of the files that a file refers to, sorted: those of
// types: {openapi: NAME}.
func Files(text []byte) []string {
	document, err := (&checker{}).document(text)
	if err != nil {
		return nil
	}
	found := map[string]bool{}
	for _, source := range valueAt(document, "sources").Content {
		if name := valueAt(valueAt(source, "types"), "openapi").Value; name != "" {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// valueAt returns the value of a map under a key, or an empty node.
func valueAt(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return &yaml.Node{}
}

func collectVariables(n *yaml.Node, found map[string]bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if name, ok := strings.CutPrefix(n.Value, "env:"); ok {
			found[name] = true
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !slices.Contains(verbatim, n.Content[i].Value) {
				collectVariables(n.Content[i+1], found)
			}
		}
	default:
		for _, child := range n.Content {
			collectVariables(child, found)
		}
	}
}
