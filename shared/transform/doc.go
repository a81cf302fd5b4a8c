// Package transform makes the request that an endpoint gets from an event: its method, path, query,
// headers and body.
//
//	t, err := transform.Parse([]byte(`{"body": {"id": "{data.issue.number}"}}`))
//	result, err := t.Apply(ctx, transform.Event{Data: document}, nil)
//
// A specification is an object. At most one of these keys says what the body is; without any, the
// body stays as it came:
//
//	body    a template: JSON whose strings may contain expressions in braces
//	preset  the name of a template for a known receiver; its options are further keys
//	jq      a program for the language jq
//
// Beside them, "method", "path", "query" and "headers" are texts with expressions.
//
// # Templates
//
// A string that is a single expression becomes the expression's value, of any kind. In any other
// string an expression becomes text. Names of members are not evaluated. The result is built as
// JSON, so that no value can break out of its place.
//
// An expression is a path such as data.items[0].name, headers.x-id or type; a text in quotes; a
// number; a calculation; and functions after a bar, as in {data.name | default('nobody') | upper}.
// A path with [] collects the values of all elements into a list. Numbers and all other values of
// the event are copied as they are written.
//
// A value that is missing is null where it stands alone, and empty within a text.
//
// # Cost
//
// The event's document is read once, and only if a path leads into it. The time of an expression is
// linear in the document. A result has at most MaxOutput bytes.
//
// # Compatibility
//
// This package is policy and does no I/O. It does not run jq itself: Apply takes a Runner.
package transform
