// Package route finds the subscriptions that an event matches, by its type and by a filter over
// all of it.
//
//	filter, err := route.ParseFilter([]byte(`{"data": {"repository": {"private": [false]}}}`))
//	table := route.New([]route.Rule{{Types: []string{"push", "pull_request.*"}, Filter: filter}, {}})
//	table.Match(route.Event{Type: "push", Data: document}).Rules // [0 1], or [1]
//
// # Types
//
// A pattern of Types is an event type as it stands, in which each "*" stands for any run of
// characters, an empty one and one with dots too. There is no other special character and no escape;
// upper and lower case differ. A rule without patterns takes every event, also one whose source
// gives it no type; so does the pattern "*".
//
// # Filters
//
// A filter is written as EventBridge's event patterns are (see ParseFilter for the operators), over
// this document:
//
//	type     the event's type; absent where the provider has none
//	source   the name of the source
//	trust    verified, authenticated or unverified
//	headers  those kept with the event, by lower-case name, each one string
//	data     the event's own document, as Event.Data has it
//
// Every field that the filter names must match, and a field matches if one of the values listed for
// it does. An object in the filter is held against an object in the event. Where the event has an
// array, nested or not, one of its elements must match, the same one for all fields within it. So
// {"items": {"sku": ["a"], "count": [2]}} wants one item that is both. A field is a scalar: what is
// an object, an empty array or absent does not exist, and all but {"exists": false} fail on it.
// {"exists": false} speaks of the elements that the other fields matched in; alone, of all of them.
// "anything-but" matches every scalar that what follows it does not match, whatever its kind. "$or"
// lists objects of which one must match. It is multiplied out as EventBridge does it, which
// MaxAlternatives bounds.
//
// An Opaque event has a document that could not be read. No condition on data holds for it, neither
// {"exists": false} nor "anything-but", within "$or" as little as beside it. The rules that nothing
// but such a condition keeps from matching are in Result.Undecided.
//
// # What differs from EventBridge
//
// Values:
//   - Numbers are compared by value, exactly and without bounds: 300, 300.0 and 3e2 are one number,
//     and 9007199254740993 is not its neighbour. Exponents beyond 2^30 count as 2^30.
//   - A string that is an address is compared as text: ["2001:DB8::1"] does not match "2001:db8::1".
//     {"cidr": "2001:db8::1/128"} does.
//   - An IPv4 address that is mapped into IPv6 counts as IPv4. One with a zone is in no block.
//   - Upper and lower case are alike by Unicode's simple folding, one character for one: "ß" is "ẞ"
//     but not "SS"; "ı" and "İ" are not "i"; the Kelvin sign is "k".
//   - A dot in a field's name is a dot. Of a name that an object of the event has twice the last
//     counts.
//
// Meaning:
//   - {"exists": false} in an array of objects wants the field absent from the same elements that the
//     other fields matched in, as every other condition does. EventBridge's matcher does not hold it
//     to these elements.
//   - A field both beside "$or" and inside it must fulfil both lists. For EventBridge one of them is
//     enough.
//
// Accepted here and refused there: "anything-but" with null, true and false, and with strings and
// numbers in one list; any number of stars in a wildcard, since what it costs is bounded (see Cost);
// numbers beyond five billions.
//
// Refused, as it could never match or would mean something else there: a field in "$or" that is
// named as an operator or as EventBridge reserves it; "anything-but", "equals-ignore-case" and a
// comparison of "numeric" without a list around them; a "cidr" of IPv4 mapped into IPv6; "prefix"
// and "suffix" of "" behind "anything-but"; a range of numbers without any; a name that an object
// has twice; a value that is no string for type, source, trust or a header; a value that trust, a
// type or a header never has; lists of exact values for one field that have none in common. Two
// other conditions that exclude each other are not found out. Elsewhere a field may be named as an
// operator: {"data": {"prefix": ["x"]}}.
//
// # Cost
//
// Rules are looked up, not tried in turn. The key of a rule is its types, or a field of its filter
// that lists exact values, whichever fewer rules share. Only rules whose key the event has are held
// against it, and rules alike in types and filter as one. A rule with neither types nor a field with
// exact values is tried for each event, as is each type pattern with a "*" that is not its one and
// last. A rule that is tried costs some 0.1 µs: 10,000 of them 1 ms for each event.
//
// A document is read once for each Match, in time and memory linear in its length, and only if
// Table.NeedsBody says so. Each value in it is parsed once, whatever looks at it. Numbers, blocks
// and exact values of a list are searched, not tried in turn.
//
// What comes after is counted in steps, and no event has more than BaseSteps and StepsPerByte for
// each byte of its document, whatever the filters. The rules that are held against the event share
// these steps equally; what some of them leave is shared by those that need more. A rule that they
// do not suffice for is in Result.Undecided: it is neither matched nor refused, and the caller must
// tell of it. So a filter that asks for too much harms no other. A document of 4 MiB gets 8 Mi
// steps, which take about a tenth of a second.
//
// The matcher is the project's own. Quamina, the well-kept library for these patterns in Go, has
// neither numeric ranges nor cidr, suffix, $or and anything-but of a prefix, and EventBridge's own,
// Ruler, is for Java.
package route
