package schema_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"webhook-relay/shared/schema"
)

// suite returns the folder of the official test suite (json-schema-org/JSON-Schema-Test-Suite),
// which is a part of the module jsonschema-go.
func suite(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(
		t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/jsonschema-go",
	).Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "jsonschema/testdata/draft2020-12")
}

// refused are the parts of the suite whose schemas Compile refuses, as the package says.
var refused = []string{"$dynamicRef", "outside of the schema", "$id", "refers to nothing"}

// TestSuite runs the official suite. A schema that is refused must be so for a documented reason.
func TestSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(suite(t) + "/*.json")
	if err != nil || len(files) < 40 {
		t.Fatal(len(files), err)
	}
	checked, left := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []struct {
			Description string
			Schema      json.RawMessage
			Tests       []struct {
				Description string
				Data        json.RawMessage
				Valid       bool
			}
		}
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			name := filepath.Base(file) + ": " + group.Description
			s, err := schema.Compile(group.Schema)
			if err != nil {
				left++
				if !isRefused(err) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			for _, test := range group.Tests {
				checked++
				got := s.Check(test.Data)
				if (got.Status == schema.Passed) != test.Valid || got.Status == schema.Unchecked {
					t.Errorf("%s: %s: %+v, want valid: %v", name, test.Description, got, test.Valid)
				}
			}
		}
	}
	if checked < 950 || left > 70 {
		t.Errorf("%d tests, %d groups left out", checked, left)
	}
}

func isRefused(err error) bool {
	for _, reason := range refused {
		if strings.Contains(err.Error(), reason) {
			return errors.Is(err, schema.ErrSchema)
		}
	}
	return false
}

const order = `{
  "type": "object", "required": ["id", "lines"], "additionalProperties": false,
  "properties": {
    "id": {"type": "string", "pattern": "^ord_", "maxLength": 20},
    "total": {"type": "number", "minimum": 0},
    "status": {"enum": ["open", "paid"]},
    "a/b": {"type": ["string", "null"]},
    "lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
    "method": {"anyOf": [{"const": "card"}, {"type": "object"}]}
  },
  "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"qty": {"type": "integer"}}}}
}`

func compile(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCheckNamesThePlace: the place and what is wrong, and no value of the document.
func TestCheckNamesThePlace(t *testing.T) {
	t.Parallel()
	s := compile(t, order)
	for document, want := range map[string]string{
		`{"id":"ord_1","lines":[{"sku":"x"}]}`:                           "passed",
		`{"id":"ord_1","lines":[{"sku":"x","qty":1.0}],"status":"open"}`: "passed",
		`{"lines":[{"sku":"x"}]}`:                                        "/id: is missing",
		`[]`:                                                             ": is an array, not object",
		`{"id":"ord_1","lines":[]}`:                                      "/lines: has 0 elements; at least 1 are needed",
		`{"id":"ord_1","lines":[{"sku":"x"},{"qty":1}]}`:                 "/lines/1/sku: is missing",
		`{"id":"ord_1","lines":[{"sku":"x","qty":1.5}]}`:                 "/lines/0/qty: is a number, not integer",
		`{"id":"ord_1","lines":[{"sku":"x"}],"total":-1}`:                "/total: is less than 0",
		`{"id":"hunter2","lines":[{"sku":"x"}]}`:                         "/id: does not match the pattern ^ord_",
		`{"id":"ord_1","lines":[{"sku":"x"}],"status":"hunter2"}`:        "/status: is none of the 2 allowed values",
		`{"id":"ord_1","lines":[{"sku":"x"}],"hunter2":1}`:               "/hunter2: is not allowed",
		`{"id":"ord_1","lines":[{"sku":"x"}],"a/b":1}`:                   "/a~1b: is an integer, not string or null",
		`{"id":"ord_1","lines":[{"sku":"x"}],"method":"cash"}`:           "/method: fits none of the 2 alternatives of anyOf",
		`{"id":`: ": is not JSON",
		``:       ": is not JSON",
	} {
		got := s.Check([]byte(document))
		text := got.At + ": " + got.Problem
		if got.Status == schema.Passed {
			text = "passed"
		}
		if text != want {
			t.Errorf("%s: %s, want %s", document, text, want)
		}
		if strings.Contains(got.Problem, "hunter2") {
			t.Errorf("%s: a value is told: %s", document, got.Problem)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type": "strin"}`:                                       `/type: "strin" is no type; there are null, boolean`,
		`{"properties": {"a": {"requird": ["b"]}}}`:               "/properties/a/requird: is no keyword",
		`{"properties": {"a": {"nullable": true}}}`:               "/properties/a/nullable: is of OpenAPI 3.0",
		`{"pattern": "(?=a)"}`:                                    "/pattern: is no pattern",
		`{"pattern": "((a{50}){50}){50}"}`:                        "/pattern: ",
		`{"$ref": "#/$defs/x"}`:                                   `"#/$defs/x" refers to nothing`,
		`{"$ref": "https://example.com/x"}`:                       "copy what it refers to into $defs",
		`{"$ref": "#"}`:                                           "refers to itself for the same value",
		`{"allOf": [{"anyOf": [{"$ref": "#"}]}]}`:                 "refers to itself for the same value",
		`{"$schema": "http://json-schema.org/draft-07/schema#"}`:  "/$schema: ",
		`{"items": [{}]}`:                                         "write prefixItems",
		`{"multipleOf": 0}`:                                       "must be above 0",
		`{"properties": {"a": null}}`:                             "",
		`[]`:                                                      "",
		`{"description": "` + strings.Repeat("x", 130<<10) + `"}`: "there can be 131072",
	} {
		_, err := schema.Compile([]byte(text))
		if !errors.Is(err, schema.ErrSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

// TestHostileDocumentsEnd: the work is bounded, whatever the schema and the document.
func TestHostileDocumentsEnd(t *testing.T) {
	t.Parallel()
	branches := `{"anyOf": [` + strings.Repeat(
		`{"properties": {"a": {"$ref": "#"}}, "type": "object"},`, 8,
	) + `{"type": "string"}]}`
	twice := `{"$defs": {"0": {"type": "object"}`
	for i := range 40 {
		to := string(rune('0' + i))
		twice += `, "` + string(rune('0'+i+1)) + `": {"allOf": [{"$ref": "#/$defs/` + to +
			`"}, {"$ref": "#/$defs/` + to + `"}]}`
	}
	twice = strings.NewReplacer(
		"/$defs/~", "/$defs/~0", "/$defs//", "/$defs/~1",
	).Replace(twice) + `}, "$ref": "#/$defs/X"}`
	deep := func(n int) string {
		return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)
	}
	for name, tt := range map[string]struct {
		schema, document string
		want             schema.Status
	}{
		"alternatives at each level": {branches, deep(60), schema.Unchecked},
		"the same twice, 40 times":   {twice, `{}`, schema.Unchecked},
		"too many levels":            {`{"additionalProperties": {"$ref": "#"}}`, deep(5000), schema.Unchecked},
		"many levels":                {`{"additionalProperties": {"$ref": "#"}}`, deep(150), schema.Passed},
		"too many bytes":             {`{}`, `"` + strings.Repeat("x", 1<<20) + `"`, schema.Unchecked},
		"a pattern of many steps": {
			`{"pattern": "(a|b|ab){300}c"}`, `"` + strings.Repeat("ab", 500_000) + `"`, schema.Unchecked,
		},
		"a huge exponent": {`{"minimum": 1}`, `1e999999999`, schema.Passed},
		"many elements": {
			`{"uniqueItems": true}`, `[1` + strings.Repeat(",1e5,1e6", 60_000) + `]`, schema.Failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := compile(t, tt.schema).Check([]byte(tt.document)); got.Status != tt.want {
				t.Errorf("%+v, want %s", got, tt.want)
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(order), []byte(`{"id":"ord_1","lines":[{"sku":"x"}]}`))
	f.Add([]byte(`{"items":{"$ref":"#"},"unevaluatedItems":false}`), []byte(`[[],[[]]]`))
	f.Fuzz(func(t *testing.T, text, document []byte) {
		s, err := schema.Compile(text)
		if err != nil {
			if !errors.Is(err, schema.ErrSchema) {
				t.Error(err)
			}
			return
		}
		if got := s.Check(document); got.Status != s.Check(document).Status {
			t.Errorf("another result the second time than %+v", got)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	s, err := schema.Compile([]byte(order))
	if err != nil {
		b.Fatal(err)
	}
	document := []byte(`{"id":"ord_1","lines":[{"sku":"x","qty":2},{"sku":"y","qty":1}],"total":49.9}`)
	b.ReportAllocs()
	for b.Loop() {
		if s.Check(document).Status != schema.Passed {
			b.Fatal("failed")
		}
	}
}
