// Package schema checks documents against JSON Schema, draft 2020-12.
//
//	s, err := schema.Compile([]byte(`{"type": "object", "required": ["id"]}`))
//	result := s.Check(document) // {Status: Failed, At: "/id", Problem: "is missing"}
//
// google/jsonschema-go reads the schemas. The evaluation is this package's own, for three reasons:
// a result names the place in the document, it never contains a value of the document, and its work
// is bounded. A document comes from outside, and with some schemas the work of an evaluator grows
// exponentially with the depth of the document.
//
// # Bounds
//
// A schema has at most [MaxBytes]. A document of more than [MaxDocument] bytes, of more than 200
// levels, or that takes more than a million steps, is Unchecked. That takes a second at most.
//
// # What differs from the draft
//
// format and the content keywords assert nothing, as the draft allows. Patterns are those of Go's
// package regexp, which knows no look-around and no back-references. References are within the
// schema: "#/$defs/name" or "#anchor". $dynamicRef, nested $id, other drafts, and unknown keywords
// are refused when the schema is compiled; keywords that begin with x- are allowed.
package schema
