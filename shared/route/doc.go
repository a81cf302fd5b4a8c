// Package route finds the subscriptions that match an event, by the event's type and by a filter
// over the whole event.
//
//	filter, err := route.ParseFilter([]byte(`{"data": {"repository": {"private": [false]}}}`))
//	table := route.New([]route.Rule{{Types: []string{"push", "pull_request.*"}, Filter: filter}, {}})
//	table.Match(route.Event{Type: "push", Data: document}).Rules // [0 1], or [1]
//
// # Types
//
// A pattern in Types is an event type in which each "*" stands for any sequence of characters. The
// sequence may be empty and may contain dots. There is no other special character and no escape.
// Case matters. A rule without patterns matches every event, also an event without a type. So does
// the pattern "*".
//
// # Filters
//
// A filter is written like an event pattern of EventBridge (see ParseFilter for the operators). It
// is matched against this document:
//
//	type     the event's type; absent where the provider has none
//	source   the name of the source
//	trust    verified, authenticated or unverified
//	headers  those kept with the event, by lower-case name, each one string
//	data     the event's own document, as Event.Data has it
//
// Every field in the filter must match. A field matches if one of the values in its list matches.
// An object in the filter is matched against an object in the event. If the event has an array,
// nested or not, one of its elements must match, and it must be the same element for all fields of
// the filter's object. So {"items": {"sku": ["a"], "count": [2]}} requires one item with both.
//
// A field is a scalar. An object, an empty array or a missing value does not exist, and every
// condition except {"exists": false} fails on it. {"exists": false} checks the same elements that
// the other fields matched in. If it is the only condition, it checks all elements. "anything-but"
// matches every scalar, of any kind, that its operand does not match.
//
// "$or" lists objects, one of which must match. It is expanded into alternatives, as in
// EventBridge. MaxAlternatives limits their number.
//
// An Opaque event has a document that could not be read. Then no condition on data holds, inside or
// outside of "$or": neither {"exists": false} nor "anything-but". If only such a condition keeps a
// rule from matching, the rule is in Result.Undecided.
//
// # What differs from EventBridge
//
// Values:
//   - Numbers are compared by value, exactly and without limits: 300, 300.0 and 3e2 are the same
//     number, and 9007199254740993 differs from its neighbours. Exponents beyond 2^30 count as
//     2^30.
//   - A string that is an address is compared as text: ["2001:DB8::1"] does not match
//     "2001:db8::1". {"cidr": "2001:db8::1/128"} does.
//   - An IPv4 address mapped into IPv6 counts as IPv4. An address with a zone is in no block.
//   - "equals-ignore-case" uses Unicode's simple folding, one character for one: "ß" equals "ẞ" but
//     not "SS"; "ı" and "İ" are not "i"; the Kelvin sign equals "k".
//   - A dot in a field's name is a dot. If an object of the event has a name twice, the last
//     counts.
//
// Meaning:
//   - {"exists": false} in an array of objects requires that the field is absent from the same
//     elements in which the other fields matched, like every other condition. EventBridge's matcher
//     does not bind it to these elements.
//   - A field that is both beside "$or" and inside it must match both lists. In EventBridge one of
//     them is enough.
//
// Accepted here but refused by EventBridge: "anything-but" with null, true and false, and with
// strings and numbers in one list; any number of stars in a wildcard, because its cost is limited
// (see Cost); numbers beyond five billion.
//
// Refused here, because it could never match or would mean something else in EventBridge:
//   - a field in "$or" whose name is an operator or is reserved by EventBridge
//   - "anything-but", "equals-ignore-case" and a comparison of "numeric" without a list around them
//   - a "cidr" of IPv4 mapped into IPv6
//   - "prefix" and "suffix" of "" inside "anything-but"
//   - a range that contains no number
//   - a name that an object has twice
//   - a value that is no string for type, source, trust or a header
//   - a value that trust, a type or a header never has
//   - several lists of exact values for one field, with no value in common
//
// Other contradictions between conditions are not detected. Outside of "$or" a field may have the
// name of an operator: {"data": {"prefix": ["x"]}}.
//
// # Cost
//
// Rules are found by an index, not tried one after the other. The key of a rule is either its types
// or one field of its filter that lists exact values, whichever fewer rules share. Only rules whose
// key the event has are tried. Rules with the same types and filter are tried once. A rule with
// neither types nor a field of exact values is tried for each event. So is each type pattern whose
// "*" is not its only one and at its end. A trial costs about 0.1 µs: for 10,000 rules that is 1 ms
// for each event.
//
// A document is read once for each Match, in time and memory linear in its length, and only if
// Table.NeedsBody says so. Each value in it is parsed once, however many conditions use it.
// Numbers, blocks and exact values of a list are found by binary search.
//
// The remaining work is counted in steps. An event gets BaseSteps, and StepsPerByte for each byte
// of its document, whatever the filters. The tried rules share the steps equally. Steps that some
// rules do not use go to the rules that need more. A rule that still needs more is in
// Result.Undecided: it neither matches nor fails, and the caller must report it. So an expensive
// filter does not harm other filters. A document of 4 MiB gets 8 Mi steps, which take about a tenth
// of a second.
//
// The matcher is the project's own. Quamina, the well-maintained Go library for these patterns,
// lacks numeric ranges, cidr, suffix, $or and anything-but with a prefix. EventBridge's own
// matcher, Ruler, is written in Java.
package route
