// Package route finds the subscriptions that an event's type matches.
//
//	table := route.New([]route.Rule{{Types: []string{"push", "pull_request.*"}}, {}})
//	table.Match("pull_request.opened") // [0 1]
//
// A pattern is an event type as it stands, in which each "*" stands for any run of characters, an empty one and one with dots
// too. There is no other special character and no escape; upper and lower case differ. A rule without patterns matches every
// event, also one whose source gives it no type; so does the pattern "*".
//
// A match costs as good as the same whatever the number of rules, as long as their patterns have no "*" or a single one at the
// end: those are looked up. Each other pattern, however many rules share it, is tried in turn.
package route
