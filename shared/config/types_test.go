package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

const typed = `sources:
  - name: shop
    provider: bearer
    secrets: [token]
    validate: reject
    types:
      - name: order.created
        description: An order was placed.
        schema: {type: object, required: [id], properties: {id: {type: integer}, total: {minimum: 0.5}}}
        example: {id: 12345678901234567890, note: "env:HOME"}
      - {name: order.closed, deprecated: true}
`

func TestTypes(t *testing.T) {
	t.Parallel()
	cat, err := config.Parse("relay.yaml", []byte(typed), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.EventType{
		{Name: "order.closed", Deprecated: true},
		{
			Name: "order.created", Description: "An order was placed.",
			Schema: `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},` +
				`"total":{"minimum":0.5}}}`,
			Example: `{"id":12345678901234567890,"note":"env:HOME"}`,
		},
	}
	if diff := cmp.Diff(want, cat.Sources[0].Types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if cat.Sources[0].Validation != catalog.Reject {
		t.Errorf("validation %q", cat.Sources[0].Validation)
	}
	if names := config.Variables([]byte(typed)); len(names) != 0 {
		t.Errorf("variables %v: an example may have any text", names)
	}
	exported, err := config.Export(cat, access.Tenant{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse("relay.yaml", exported, func(string) (string, bool) {
		return "token", true
	})
	if err != nil || len(config.Changes(cat, again, time.Now())) != 0 {
		t.Errorf("exported:\n%s\n%v, %v", exported, err, config.Changes(cat, again, time.Now()))
	}
}

func TestTypesAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, told string }{
		"a wrong schema": {
			`types: [{name: a, schema: {properties: {b: {type: txt}}}}]`,
			`sources[0].types[0].schema.properties.b.type: "txt" is no type`,
		},
		"a schema of another kind": {`types: [{name: a, schema: [1]}]`, "types[0].schema: "},
		"an example that does not fit": {
			`types: [{name: a, schema: {required: [b]}, example: {c: 1}}]`,
			"types[0].example: does not fit the schema: /b is missing",
		},
		"a type twice": {`types: [{name: a}, {name: a}]`, `types[1].name: "a" is a type of this source`},
		"no name":      {`types: [{description: x}]`, "types[0].name: is missing"},
		"an unknown key": {
			`types: [{name: a, scheme: {}}]`, "types[0].scheme: is not a known key",
		},
		"an unknown validation": {
			`validate: always, types: [{name: a}]`,
			`validate: "always" is not known; there are flag, refuse and reject`,
		},
		"a validation of nothing": {`validate: refuse`, "validate: has no effect without types"},
		"reject for a provider": {
			`validate: reject, types: [{name: a}]`,
			"validate: reject is for the providers basic and bearer",
		},
		"too much": {
			`types: [{name: a, description: "` + strings.Repeat("x", 257<<10) + `"}]`,
			"there can be 262144",
		},
		"a file": {`types: {openapi: openapi.yaml}`, "types.openapi: names a file, which cannot be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "sources: [{name: s, provider: none, " + tt.source + "}]"
			_, err := config.Parse("relay.yaml", []byte(text), nil)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.told) {
				t.Errorf("error %.300v, want %q", err, tt.told)
			}
		})
	}
	_, _, err := config.ParseFor("acme", "x", []byte(typed), config.Relay{}, nil, nil)
	if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), "sources of the operator") {
		t.Errorf("a tenant's types: %v", err)
	}
	err = config.CheckTenants(catalog.SourceResource(catalog.Source{
		Types: []catalog.EventType{{Name: "a"}},
	}))
	if found := config.Problems(err); len(found) != 1 || found[0].Path != "types" {
		t.Errorf("a tenant's resource: %v", err)
	}
}

const described = `openapi: 3.1.0
info: {title: Shop, version: "1"}
webhooks:
  order.created:
    post:
      summary: An order was placed.
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Order"}
            examples: {first: {$ref: "#/components/examples/first"}}
  order.closed:
    $ref: "#/components/pathItems/closed"
  plain:
    post: {deprecated: true, description: Without a body}
components:
  examples: {first: {value: {id: 1, lines: [{sku: x, parts: []}]}}}
  pathItems:
    closed: {post: {requestBody: {$ref: "#/components/requestBodies/closed"}}}
  requestBodies:
    closed: {content: {application/json: {schema: {type: object}, example: {}}}}
  schemas:
    Order:
      type: object
      required: [id]
      properties: {id: {type: integer}, lines: {type: array, items: {$ref: "#/components/schemas/Line"}}}
    Line: {type: object, properties: {parts: {items: {$ref: "#/components/schemas/Line"}}, sku: {type: string}}}
    Unused: {type: nonsense}
`

// fileWith returns a configuration beside an OpenAPI document.
func fileWith(t *testing.T, openAPI string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.yaml")
	for name, text := range map[string]string{
		"openapi.yaml": openAPI,
		"relay.yaml":   "sources: [{name: s, provider: none, types: {openapi: openapi.yaml}}]",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestTypesOfAnOpenAPIDocument(t *testing.T) {
	t.Parallel()
	path := fileWith(t, described)
	cat, err := config.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.EventType{
		{Name: "order.closed", Schema: `{"type":"object"}`, Example: `{}`},
		{
			Name: "order.created", Description: "An order was placed.",
			Schema: `{"$defs":{"Line":{"properties":{"parts":{"items":{"$ref":"#/$defs/Line"}},` +
				`"sku":{"type":"string"}},"type":"object"},"Order":{"properties":{"id":{"type":"integer"},` +
				`"lines":{"items":{"$ref":"#/$defs/Line"},"type":"array"}},"required":["id"],` +
				`"type":"object"}},"$ref":"#/$defs/Order"}`,
			Example: `{"id":1,"lines":[{"parts":[],"sku":"x"}]}`,
		},
		{Name: "plain", Description: "Without a body", Deprecated: true},
	}
	if diff := cmp.Diff(want, cat.Sources[0].Types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(path)
	if got := config.Files(text); err != nil || !cmp.Equal(got, []string{"openapi.yaml"}) {
		t.Errorf("files %v, %v", got, err)
	}
}

func TestOpenAPIDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, told string }{
		"an old version":    {"openapi: 3.0.3", `is of OpenAPI "3.0.3"; webhooks are of 3.1`},
		"nothing in it":     {"openapi: 3.1.0", "openapi.yaml has no webhooks"},
		"no YAML":           {"{", "openapi.yaml"},
		"a dangling schema": {strings.Replace(described, "    Line:", "    Other:", 1), `"#/components/schemas/Line" refers to nothing`},
		"a wrong schema": {
			strings.Replace(described, "sku: {type: string}", "sku: {type: text}", 1),
			`"text" is no type`,
		},
		"a wrong example": {
			strings.Replace(described, "{id: 1, lines", "{lines", 1), "/id is missing",
		},
		"references without end": {
			strings.Replace(described, "closed: {post: {requestBody", `closed: {$ref: "#/components/pathItems/closed", x: {requestBody`, 1),
			"more than 16 references",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Read(fileWith(t, tt.text), nil)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.told) {
				t.Errorf("error %v, want %q", err, tt.told)
			}
		})
	}
}
