// Package route finds the subscriptions that an event matches, by its type and by a filter over all of it.
//
//	filter, err := route.ParseFilter([]byte(`{"trust": ["verified"], "data": {"repository": {"private": [false]}}}`))
//	table := route.New([]route.Rule{{Types: []string{"push", "pull_request.*"}, Filter: filter}, {}})
//	table.Match(route.Event{Type: "push", Trust: "verified", Body: body}) // [0 1], or [1]
//
// # Types
//
// A pattern of Types is an event type as it stands, in which each "*" stands for any run of characters, an empty one and one with dots
// too. There is no other special character and no escape; upper and lower case differ. A rule without patterns takes every
// event, also one whose source gives it no type; so does the pattern "*".
//
// # Filters
//
// A filter is written as EventBridge's event patterns are (see ParseFilter for the operators), over this document:
//
//	type     the event's type; absent where the provider has none
//	source   the name of the source
//	trust    verified, authenticated or unverified
//	headers  those kept with the event, by lower-case name, each one string
//	data     the body, if it is JSON or a form, whose fields are lists of strings; absent if it is neither
//
// A body counts as a form by its content-type, and else as JSON if it is JSON in UTF-8, whatever it calls itself: senders call it text/plain too.
//
// Every field that the filter names must match, and a field matches if one of the values listed for it does. An object in the filter is
// held against an object in the event; where the event has an array, nested or not, one of its elements must match, the same one for all
// fields within it. So {"items": {"sku": ["a"], "count": [2]}} wants one item that is both. A field is a scalar: what is an object, an empty
// array or absent does not exist, and all but {"exists": false} fail on it. {"exists": false} speaks of the elements that the other fields
// matched in; alone, of all of them. "anything-but" matches every scalar that what follows it does not match, whatever its kind.
// "$or" lists objects of which one must match; it is multiplied out as EventBridge does it, which MaxAlternatives bounds.
//
// What differs from EventBridge: numbers are compared by value, exactly and without bounds (300, 300.0 and 3e2 are one number, and
// 9007199254740993 is not its neighbour); a dot in a field's name is a dot; of a name that an object has twice the last one counts;
// and what EventBridge would take for something else, such as "$or" as the name of a field, is an error.
//
// # Cost
//
// Rules are looked up, not tried in turn. Each has a way in: its types, or a field of its filter that lists exact values, whichever
// fewer rules share; only rules whose way in is open are held against the event, and rules alike in types and filter as one. What has
// neither types nor a field with exact values is tried for each event, as is each type pattern with a "*" that is not its one and last.
//
// A body is read once for each Match, in time and memory linear in its length, and only if Table.NeedsBody says so. What it costs to hold
// a rule against it is bounded by the filter's size times that of what it names in the body.
//
// The matcher is the project's own. Quamina, the well-kept library for these patterns in Go, has neither numeric ranges nor cidr, suffix,
// $or and anything-but of a prefix, and EventBridge's own, Ruler, is for Java.
package route
