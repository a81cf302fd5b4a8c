package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/schema"
)

func TestBreaking(t *testing.T) {
	t.Parallel()
	const before = `{"type": "object", "required": ["id", "total"], "properties": {
		"id": {"type": "integer"}, "total": {"type": "number"}, "status": {"enum": ["open", "paid"]},
		"lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}, "kind": {"const": "a"}},
		"$defs": {"line": {"properties": {"sku": {"type": "string"}, "of": {"$ref": "#/$defs/line"}}}}}`
	for name, tt := range map[string]struct {
		from, to string // replaced in before
		want     []string
	}{
		"nothing":             {"", "", nil},
		"a new member":        {`"kind":`, `"more": {"type": "string"}, "kind":`, nil},
		"a narrower type":     {`{"type": "number"}`, `{"type": "integer"}`, nil},
		"a value less":        {`["open", "paid"]`, `["open"]`, nil},
		"a member gone":       {`"id": {"type": "integer"}, `, ``, []string{"/id: is gone"}},
		"a member may lack":   {`["id", "total"]`, `["id"]`, []string{"/total: may be missing; it was always there"}},
		"another type":        {`{"type": "integer"}`, `{"type": ["integer", "string"]}`, []string{"/id: may be string; it was integer"}},
		"any type":            {`{"type": "integer"}`, `{}`, []string{"/id: may have any type; it was integer"}},
		"a new value":         {`["open", "paid"]`, `["open", "paid", "void"]`, []string{`/status: may have the new values "void"`}},
		"any value":           {`{"const": "a"}`, `{}`, []string{`/kind: may have any value; it had "a"`}},
		"within a list":       {`{"sku": {"type": "string"}`, `{"sku": {"type": "null"}`, []string{"/lines/0/sku: may be null; it was string"}},
		"behind an allOf":     {`"total": {"type": "number"}`, `"total": {"allOf": [{"type": "string"}]}`, []string{"/total: may be string; it was number or integer"}},
		"everything":          {before, `{}`, []string{"/: may have any type; it was object", "/id: is gone", "/kind: is gone", "/lines: is gone", "/status: is gone", "/total: is gone"}},
		"it was not required": {`"required": ["id", "total"], `, ``, []string{"/id: may be missing; it was always there", "/total: may be missing; it was always there"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := before
			if tt.from != "" {
				if after = strings.Replace(before, tt.from, tt.to, 1); after == before {
					t.Fatal("nothing is replaced")
				}
			}
			got := schema.Breaking(compile(t, before), compile(t, after))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestInfer: what was seen fits the schema that is proposed.
func TestInfer(t *testing.T) {
	t.Parallel()
	documents := []string{
		`{"id": 1, "total": 1.5, "lines": [{"sku": "a"}, {"sku": "b", "qty": 2}], "note": null}`,
		`{"id": 2, "total": 3, "lines": [], "note": "x"}`,
	}
	var f schema.Inference
	for _, d := range documents {
		if !f.Add([]byte(d)) {
			t.Fatal(d)
		}
	}
	if f.Add([]byte("hello")) {
		t.Error("a text is no document")
	}
	got, err := json.Marshal(f.Schema())
	want := `{"properties":{"id":{"type":"integer"},"lines":{"items":{"properties":{"qty":{"type":"integer"},` +
		`"sku":{"type":"string"}},"required":["sku"],"type":"object"},"type":"array"},` +
		`"note":{"type":["null","string"]},"total":{"type":"number"}},` +
		`"required":["id","lines","note","total"],"type":"object"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	s := compile(t, string(got))
	for _, d := range documents {
		if r := s.Check([]byte(d)); r.Status != schema.Passed {
			t.Errorf("%s: %+v", d, r)
		}
	}
	if (&schema.Inference{}).Schema() != nil {
		t.Error("a schema of nothing")
	}
}

func TestUnseen(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"properties": {"id": {}, "note": {"properties": {"by": {}}}, "a/b": {},
		"lines": {"items": {"$ref": "#/$defs/line"}}}, "$defs": {"line": {"properties": {
		"sku": {}, "qty": {}, "of": {"$ref": "#/$defs/line"}}}}}`)
	var f schema.Inference
	if got := f.Unseen(s); got != nil {
		t.Errorf("of no document: %v", got)
	}
	for _, d := range []string{
		`{"id": 1, "lines": []}`, `{"id": null, "lines": [{"sku": "a"}, {"sku": "b", "of": {"qty": 1}}]}`,
	} {
		f.Add([]byte(d))
	}
	want := []string{"/a~1b", "/lines/0/of/of", "/lines/0/of/sku", "/lines/0/qty", "/note"}
	if diff := cmp.Diff(want, f.Unseen(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
