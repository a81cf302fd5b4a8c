package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/schema"
)

// maxTypes is how many bytes all types of a source may have, because they are stored with it.
const maxTypes = 256 << 10

// types are a source's event types: a list, or a map that says where they are.
type types struct {
	List    []eventType `yaml:"-"`
	OpenAPI string      `yaml:"openapi"`
}

type eventType struct {
	Name        string    `yaml:"name"`
	Description string    `yaml:"description"`
	Schema      yaml.Node `yaml:"schema"`
	Example     yaml.Node `yaml:"example"`
	Deprecated  bool      `yaml:"deprecated"`
}

// UnmarshalYAML reads either form.
func (t *types) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Load(&t.List)
	}
	type elsewhere types // without this method
	return n.Load((*elsewhere)(t))
}

const tenantsTypes = "is for sources of the operator: all tenants share the stage that checks schemas"

// validations are the values of validate.
var validations = []catalog.Validation{catalog.Flag, catalog.Refuse, catalog.Reject}

// ownProviders are the providers of senders that are one's own applications.
var ownProviders = []string{"basic", "bearer"}

// types reads a source's types, and what happens to events that do not fit them.
func (c *checker) types(path string, s source, out *catalog.Source) {
	out.Validation = catalog.Validation(s.Validate)
	switch {
	case s.Validate == "":
	case !slices.Contains(validations, out.Validation):
		c.fail(
			path+".validate", "%q is not known; there are %s, %s and %s", s.Validate,
			catalog.Flag, catalog.Refuse, catalog.Reject,
		)
	case s.Types == nil:
		c.fail(path+".validate", "has no effect without types")
	case out.Validation == catalog.Reject && !slices.Contains(ownProviders, s.Provider):
		c.fail(
			path+".validate", "reject is for the providers %s, whose senders are your own; another "+
				"sender would repeat the webhook for days, or turn it off: use refuse",
			strings.Join(ownProviders, " and "),
		)
	}
	if s.Types == nil {
		return
	}
	path += ".types"
	switch {
	case c.tenant != "":
		c.fail(path, "%s", tenantsTypes)
		return
	case s.Types.OpenAPI != "":
		out.Types = c.imported(path+".openapi", s.Types.OpenAPI)
	default:
		out.Types = c.listed(path, s.Types.List)
	}
	sort.Slice(out.Types, func(i, j int) bool { return out.Types[i].Name < out.Types[j].Name })
	if text, err := json.Marshal(out.Types); err == nil && len(text) > maxTypes {
		c.fail(path, "has %d bytes as JSON; there can be %d", len(text), maxTypes)
	}
}

// ReadTypes reads the types of all sources in the file at path, by source, and nothing else of it:
// variables need not be set. Error: ErrInvalid.
func ReadTypes(path string) (map[string][]catalog.EventType, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c := &checker{name: path, open: FilesBeside(path), lines: map[string]int{}}
	document, err := c.document(text)
	if err != nil {
		return nil, err
	}
	all := map[string][]catalog.EventType{}
	var f file
	if c.load(document, &f) {
		for i, s := range f.Sources {
			var out catalog.Source
			c.types(fmt.Sprintf("sources[%d]", i), s, &out)
			all[s.Name] = out.Types
		}
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(c.problems...))
	}
	return all, nil
}

// listed reads the types in the file.
func (c *checker) listed(path string, list []eventType) (all []catalog.EventType) {
	seen := map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case t.Name == "" || len(t.Name) > 256:
			c.fail(at+".name", "is missing, or has more than 256 bytes")
		case seen[t.Name]:
			c.fail(at+".name", "%q is a type of this source already", t.Name)
		}
		seen[t.Name] = true
		all = append(all, c.checkType(at, at+".schema", catalog.EventType{
			Name: t.Name, Description: t.Description, Deprecated: t.Deprecated,
			Schema:  c.json(at+".schema", &t.Schema),
			Example: c.json(at+".example", &t.Example),
		}))
	}
	return all
}

// json returns a node as JSON; "": there is none, or it is wrong.
func (c *checker) json(path string, node *yaml.Node) string {
	if node.IsZero() {
		return ""
	}
	var b strings.Builder
	if misfit, problem := writeJSON(&b, node); misfit != nil {
		c.failAt(misfit.Line, path, "%s", strings.ReplaceAll(problem, "a filter", "JSON"))
		return ""
	}
	return b.String()
}

// checkType checks a type's schema, and its example by the schema.
func (c *checker) checkType(path, schemaPath string, t catalog.EventType) catalog.EventType {
	if t.Schema == "" {
		return t
	}
	compiled, err := schema.Compile([]byte(t.Schema))
	if err != nil {
		c.failSchema(schemaPath, err)
		return t
	}
	if t.Example == "" {
		return t
	}
	if found := compiled.Check([]byte(t.Example)); found.Status == schema.Failed {
		c.fail(
			path+".example", "does not fit the schema: %s",
			strings.TrimSpace(found.At+" "+found.Problem),
		)
	}
	return t
}

// failSchema reports what is wrong with a schema, at its place in the file.
func (c *checker) failSchema(path string, err error) {
	text := strings.TrimPrefix(err.Error(), schema.ErrSchema.Error()+": ")
	if at, problem, located := strings.Cut(text, ": "); located && strings.HasPrefix(at, "/") {
		inner := strings.ReplaceAll(strings.Trim(at, "/"), "/", ".")
		path, text = strings.TrimSuffix(path+"."+inner, "."), problem
	}
	c.fail(path, "%w", errors.New(text))
}

func (x *exporter) types(all []catalog.EventType) (*types, error) {
	if len(all) == 0 {
		return nil, nil //nolint:nilnil // none, and no error
	}
	out := &types{}
	for _, t := range all {
		schema, err := yamlOf(t.Schema)
		if err != nil {
			return nil, err
		}
		example, err := yamlOf(t.Example)
		if err != nil {
			return nil, err
		}
		out.List = append(out.List, eventType{
			Name: t.Name, Description: t.Description, Schema: schema, Example: example,
			Deprecated: t.Deprecated,
		})
	}
	return out, nil
}
