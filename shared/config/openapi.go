package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"webhook-relay/shared/relay/catalog"
)

// openAPI is a description of webhooks in OpenAPI 3.1, as JSON values.
type openAPI struct{ document any }

// imported reads the types in the webhooks of an OpenAPI document. The key of a webhook is the name
// of the type.
func (c *checker) imported(path, name string) (all []catalog.EventType) {
	if c.open == nil {
		c.fail(path, "names a file, which cannot be read here; list the types themselves")
		return nil
	}
	text, err := c.open(name)
	if err != nil {
		c.fail(path, "%w", err)
		return nil
	}
	document, err := c.openAPI(name, text)
	if err != nil {
		c.fail(path, "%s: %w", name, err)
		return nil
	}
	webhooks, _ := document.at("webhooks").(map[string]any)
	if len(webhooks) == 0 {
		c.fail(path, "%s has no webhooks", name)
	}
	for _, key := range slices.Sorted(maps.Keys(webhooks)) {
		t, err := document.eventType(key, webhooks[key])
		if err != nil {
			c.fail(path, "%s: webhooks.%s: %w", name, key, err)
			continue
		}
		inFile := fmt.Sprintf("%s: %s: webhooks.%s", path, name, key)
		all = append(all, c.checkType(inFile, inFile+".schema", t))
	}
	return all
}

func (c *checker) openAPI(name string, text []byte) (openAPI, error) {
	node, err := (&checker{name: name}).document(text)
	if err != nil {
		return openAPI{}, err
	}
	var b strings.Builder
	if misfit, _ := writeJSON(&b, node); misfit != nil {
		return openAPI{}, fmt.Errorf("line %d has YAML that has no form in JSON", misfit.Line)
	}
	var document any
	if err := json.Unmarshal([]byte(b.String()), &document); err != nil {
		return openAPI{}, err
	}
	d := openAPI{document: document}
	if version, _ := d.at("openapi").(string); !strings.HasPrefix(version, "3.1") {
		return d, fmt.Errorf("is of OpenAPI %q; webhooks are of 3.1", version)
	}
	return d, nil
}

// at returns the value under some keys, nil if there is none.
func (d openAPI) at(keys ...string) any { return under(d.document, keys...) }

func under(value any, keys ...string) any {
	for _, key := range keys {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// maxReferences is how many references may follow each other.
const maxReferences = 16

// follow returns what a value refers to with $ref, if it does.
func (d openAPI) follow(value any) (any, error) {
	for range maxReferences {
		ref, is := under(value, "$ref").(string)
		if !is {
			return value, nil
		}
		if value = d.target(ref); value == nil {
			return nil, fmt.Errorf("%q refers to nothing in the file", ref)
		}
	}
	return nil, fmt.Errorf("more than %d references follow each other", maxReferences)
}

// target returns what a reference such as #/components/schemas/Order refers to.
func (d openAPI) target(ref string) any {
	path, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	keys := strings.Split(path, "/")
	for i := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(keys[i])
	}
	return d.at(keys...)
}

// eventType returns the type that a webhook describes, by the JSON body of its POST.
func (d openAPI) eventType(name string, webhook any) (t catalog.EventType, err error) {
	t.Name = name
	webhook, err = d.follow(webhook)
	if err != nil {
		return t, err
	}
	operation := under(webhook, "post")
	for _, key := range []string{"description", "summary"} {
		for _, of := range []any{webhook, operation} {
			if text, is := under(of, key).(string); is && (t.Description == "" || of == operation) {
				t.Description = text
			}
		}
		if t.Description != "" {
			break
		}
	}
	t.Deprecated, _ = under(operation, "deprecated").(bool)
	body, err := d.follow(under(operation, "requestBody"))
	if err != nil {
		return t, err
	}
	content := under(body, "content", "application/json")
	if of := under(content, "schema"); of != nil {
		if t.Schema, err = d.bundle(of); err != nil {
			return t, err
		}
	}
	t.Example, err = d.example(content)
	return t, err
}

// example returns the first example of a body.
func (d openAPI) example(content any) (string, error) {
	if one := under(content, "example"); one != nil {
		return written(one), nil
	}
	all, _ := under(content, "examples").(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		one, err := d.follow(all[key])
		if err != nil {
			return "", err
		}
		if value := under(one, "value"); value != nil {
			return written(value), nil
		}
	}
	return "", nil
}

// bundle returns a schema that contains all it refers to, in $defs.
func (d openAPI) bundle(of any) (string, error) {
	b := bundling{openAPI: d, defs: map[string]any{}}
	root, err := b.copy(of)
	if err != nil {
		return "", err
	}
	if len(b.defs) == 0 {
		return written(root), nil
	}
	object, _ := root.(map[string]any)
	if _, taken := object["$defs"]; taken {
		return written(map[string]any{"allOf": []any{root}, "$defs": b.defs}), nil
	}
	object["$defs"] = b.defs
	return written(object), nil
}

type bundling struct {
	openAPI
	defs map[string]any
}

const components = "#/components/schemas/"

// copy returns a value in which references to components are references to $defs, and notes those.
func (b bundling) copy(value any) (any, error) {
	switch value := value.(type) {
	case []any:
		out := make([]any, len(value))
		for i, one := range value {
			var err error
			if out[i], err = b.copy(one); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		return b.copyObject(value)
	}
	return value, nil
}

func (b bundling) copyObject(value map[string]any) (any, error) {
	out := make(map[string]any, len(value))
	for key, one := range value {
		ref, isText := one.(string)
		name, isComponent := strings.CutPrefix(ref, components)
		if key != "$ref" || !isText || !isComponent {
			var err error
			if out[key], err = b.copy(one); err != nil {
				return nil, err
			}
			continue
		}
		name = strings.ReplaceAll(name, "/", "-") // it may be a place within a component
		out[key] = "#/$defs/" + name
		if err := b.define(name, ref); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// define copies a component into the definitions, once.
func (b bundling) define(name, ref string) error {
	if _, known := b.defs[name]; known {
		return nil
	}
	target := b.target(ref)
	if target == nil {
		return fmt.Errorf("%q refers to nothing in the file", ref)
	}
	b.defs[name] = nil // so that a schema may refer to itself
	copied, err := b.copy(target)
	b.defs[name] = copied
	return err
}

func written(value any) string {
	text, _ := json.Marshal(value) // what was read from JSON can be written
	return string(text)
}
