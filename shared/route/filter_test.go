package route_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/route"
)

func parse(t testing.TB, filter string) *route.Filter {
	t.Helper()
	f, err := route.ParseFilter([]byte(filter))
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return f
}

// matches tells whether a filter matches, both alone in a table and among others, where it is found
// by its key.
func matches(t testing.TB, filter string, e route.Event) bool {
	t.Helper()
	one := route.New([]route.Rule{{Filter: parse(t, filter)}}).Match(e).Rules != nil
	other := parse(t, `{"data": {"no such field": ["x"]}}`)
	many := route.New([]route.Rule{
		{Filter: other}, {Types: []string{"other"}, Filter: parse(t, filter)},
		{Filter: parse(t, filter)},
	}).Match(e).Rules
	if slices.Contains(many, 2) != one || slices.Contains(many, 0) || slices.Contains(many, 1) {
		t.Errorf("%s: alone %v, among others %v", filter, one, many)
	}
	return one
}

// instance is the example event of EventBridge's documentation, as a body.
const instance = `{
	"version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "account": "111122223333",
	"time": "2017-10-02T18:43:48Z", "region": "us-west-1", "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
	"detail": {
		"instance-id": "i-1234567890abcdef0", "state": "terminated", "c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33",
		"responseElements": null, "eventVersion": "", "FileName": "dir/image.PNG", "FilePath": "/usr/lib/x.so", "service": "EventBridge", "c": {"c1": 100}
	},
	"employees": [[{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}], [{"firstName": "Peter", "lastName": "Jones"}]]
}`

// TestEventBridgesExamples has the examples of EventBridge's user guide and of its matcher's
// documentation.
func TestEventBridgesExamples(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		`{"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["terminated"]}}`: true,
		`{"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0", "another"]}`:                           true,
		`{"resources": ["another"]}`:                                                                                                               false,
		`{"detail": {"state": ["initializing", "running"]}}`:                                                                                       false,
		`{"time": [{"prefix": "2017-10-02"}]}`:                                                                                                     true,
		`{"time": [{"prefix": "2017-10-03"}]}`:                                                                                                     false,
		`{"detail": {"service": [{"prefix": {"equals-ignore-case": "eventb"}}]}}`:                                                                  true,
		`{"detail": {"service": [{"prefix": "eventb"}]}}`:                                                                                          false,
		`{"detail": {"FileName": [{"suffix": ".png"}]}}`:                                                                                           false,
		`{"detail": {"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}}`:                                                                   true,
		`{"detail": {"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}}`:                                                                 true,
		`{"detail": {"state": [{"anything-but": "initializing"}]}}`:                                                                                true,
		`{"detail": {"state": [{"anything-but": "terminated"}]}}`:                                                                                  false,
		`{"detail": {"state": [{"anything-but": ["stopped", "terminated"]}]}}`:                                                                     false,
		`{"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}`:                                                                             true,
		`{"detail": {"x-limit": [{"anything-but": 301.80}]}}`:                                                                                      false,
		`{"region": [{"anything-but": {"prefix": "us-"}}]}`:                                                                                        false,
		`{"region": [{"anything-but": {"prefix": ["eu-", "ap-"]}}]}`:                                                                               true,
		`{"detail": {"FileName": [{"anything-but": {"suffix": ".png"}}]}}`:                                                                         true,
		`{"detail": {"FileName": [{"anything-but": {"suffix": [".txt", ".PNG"]}}]}}`:                                                               false,
		`{"detail": {"state": [{"anything-but": {"equals-ignore-case": "TERMINATED"}}]}}`:                                                          false,
		`{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}}`:                                           true,
		`{"detail": {"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}}`:                                                                    false,
		`{"detail": {"FilePath": [{"anything-but": {"wildcard": ["*/bin/*", "*/etc/*"]}}]}}`:                                                       true,
		`{"detail": {"missing": [{"anything-but": "x"}]}}`:                                                                                         false,
		`{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}], "x-limit": [{"numeric": ["=", 3.018e2]}]}}`: true,
		`{"detail": {"c-count": [{"numeric": [">", 0, "<", 5]}]}}`:                                                                                 false,
		`{"detail": {"c-count": [{"numeric": [">=", 5]}]}}`:                                                                                        true,
		`{"detail": {"instance-id": [{"numeric": [">", 0]}]}}`:                                                                                     false,
		`{"account": [{"numeric": ["=", 111122223333]}]}`:                                                                                          false,
		`{"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}`:                                                                                     true,
		`{"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}`:                                                                                     false,
		`{"detail": {"c-count": [{"exists": true}]}}`:                                                                                              true,
		`{"detail": {"c-count": [{"exists": false}]}}`:                                                                                             false,
		`{"detail": {"missing": [{"exists": false}]}}`:                                                                                             true,
		`{"missing": {"missing": [{"exists": false}]}}`:                                                                                            true,
		// an object is no value
		`{"detail": {"c": [{"exists": false}]}}`:                                                                                     true,
		`{"detail": {"c": [{"exists": true}]}}`:                                                                                      false,
		`{"detail": {"responseElements": [{"exists": true}]}}`:                                                                       true,
		`{"detail": {"responseElements": [null]}}`:                                                                                   true,
		`{"detail": {"eventVersion": [""]}}`:                                                                                         true,
		`{"detail": {"eventVersion": [null]}}`:                                                                                       false,
		`{"detail": {"service": [{"equals-ignore-case": "EVENTbridge"}]}}`:                                                           true,
		`{"detail": {"service": [{"wildcard": "Event*ge"}]}}`:                                                                        true,
		`{"detail": {"FileName": [{"wildcard": "dir/*.png"}]}}`:                                                                      false,
		`{"employees": {"firstName": ["Anna"]}}`:                                                                                     true,
		`{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}`:                                                              false,
		`{"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}`:                                                              true,
		`{"source": ["aws.cloudwatch"], "$or": [{"region": ["us-west-1"]}, {"account": ["1"]}]}`:                                     false,
		`{"source": ["aws.ec2"], "$or": [{"region": ["eu-west-1"]}, {"account": ["111122223333"]}]}`:                                 true,
		`{"$or": [{"region": ["eu-west-1"]}, {"account": ["1"]}], "detail": {"$or": [{"state": ["terminated"]}, {"c-count": [1]}]}}`: false,
		`{"detail": {"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 1]}]}]}}`:                 true,
		`{"$or": [{"a": [1]}, {"source": ["aws.ec2"], "$or": [{"region": ["x"]}, {"version": ["0"]}]}]}`:                             true,
		`{"$or": [{"employees": {"firstName": ["Anna"]}}, {"a": [1]}], "employees": {"lastName": ["Jones"]}}`:                        false,
	}
	for pattern, want := range tests {
		filter := `{"data": ` + pattern + "}"
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			e := route.Event{Data: []byte(instance)}
			if got := matches(t, filter, e); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if got := meant(t, filter, e); got != want {
				t.Errorf("the definition says %v, the documentation %v", got, want)
			}
		})
	}
}

func TestFilterOverTheWholeEvent(t *testing.T) {
	t.Parallel()
	event := route.Event{
		Type: "push", Source: "github", Trust: "verified", Data: []byte(
			`{"repository": {"private": false}}`,
		),
		Header: map[string]string{"content-type": "application/json", "x-github-event": "push"},
	}
	body := func(body string) route.Event { return route.Event{Data: []byte(body)} }
	tests := map[string]struct {
		filter string
		event  route.Event
		want   bool
	}{
		"all of it": {
			`{"type": ["push"], "source": ["github"], "trust": ["verified"], "data": {"repository": {"private": [false]}}}`,
			event, true,
		},
		"all but one": {
			`{"type": ["push"], "source": ["github"], "trust": ["unverified"], "data": {"repository": {"private": [false]}}}`,
			event, false,
		},
		"a header": {
			`{"headers": {"x-github-event": [{"prefix": "pu"}]}}`, event, true,
		},
		"a header that is not there": {
			`{"headers": {"x-other": [{"exists": false}]}}`, event, true,
		},
		"no type": {`{"type": [{"exists": false}]}`, body(""), true},
		"no trust on an old record": {
			`{"trust": [{"anything-but": "unverified"}]}`, body(""), false,
		},
		"a form's field, read as JSON": {
			`{"data": {"a": ["é"], "b": ["x y"]}}`, body(`{"a":["1","é"],"b":"x y"}`), true,
		},
		"all escapes": {
			`{"data": ["\"\\\/\b\f\n\r\t😀"]}`, body(`"\"\\\/\b\f\n\r\t\uD83D\ude00"`), true,
		},
		"half a pair is no character":  {`{"data": ["�x�"]}`, body(`"\ud83dx\ude00"`), true},
		"half a pair before an escape": {`{"data": ["�\n"]}`, body(`"\ud83d\n"`), true},
		"one of many numbers": {
			`{"data": [{"numeric": ["<", 0]}, {"numeric": [">", 9]}, {"numeric": [">=", 3, "<", 5]}, {"numeric": [">", 4, "<=", 6]}, {"numeric": ["=", 8]}]}`,
			body(`6`), true,
		},
		"between many numbers": {
			`{"data": [{"numeric": ["<", 0]}, {"numeric": [">", 9]}, {"numeric": [">=", 3, "<", 5]}, {"numeric": [">", 4, "<=", 6]}, {"numeric": ["=", 8]}]}`,
			body(`[0, 2.9, 6.1, 7, 8.5, 9]`), false,
		},
		"spans that meet": {
			`{"data": [{"numeric": ["<", 5]}, {"numeric": [">=", 5]}]}`, body(`5`), true,
		},
		"spans that do not": {
			`{"data": [{"numeric": ["<", 5]}, {"numeric": [">", 5]}]}`, body(`5`), false,
		},
		"one of many blocks": {
			`{"data": [{"cidr": "10.0.0.0/8"}, {"cidr": "10.1.0.0/16"}, {"cidr": "2001:db8::/32"}, {"cidr": "9.9.9.9/32"}]}`,
			body(`"10.200.0.1"`), true,
		},
		"between many blocks": {
			`{"data": [{"cidr": "10.0.0.0/8"}, {"cidr": "10.1.0.0/16"}, {"cidr": "2001:db8::/32"}, {"cidr": "9.9.9.9/32"}]}`,
			body(
				`["11.0.0.0", "9.9.9.8", "2001:db9::", "::", "1.1.1.1", "1.2.3", "1.2.3.", "x:y", ":::", "", "fe80::1%eth0"]`,
			),
			false,
		},
		"an address is compared as text": {
			`{"data": ["2001:DB8::1"]}`, body(`"2001:db8::1"`), false,
		},
		"ß is not ss": {
			`{"data": [{"equals-ignore-case": "straße"}]}`, body(`["STRASSE", "strasse"]`), false,
		},
		"ß and its capital": {
			`{"data": [{"equals-ignore-case": "straße"}]}`, body(`"STRAẞE"`), true,
		},
		"ı is not I": {
			`{"data": [{"equals-ignore-case": "ı"}]}`, body(`["I", "i", "İ"]`), false,
		},
		"the kelvin sign is k": {
			`{"data": [{"prefix": {"equals-ignore-case": "\u212a"}}]}`, body(`"kg"`), true,
		},
		"anything but null": {
			`{"data": {"a": [{"anything-but": [null, false, ""]}]}}`, body(`{"a": [null, false]}`),
			false,
		},
		"a field named as an operator": {
			`{"data": {"suffix": ["x"], "numeric": [1]}}`, body(`{"suffix": "x", "numeric": 1}`),
			true,
		},
		"JSON that is an array":         {`{"data": {"a": [1]}}`, body(`[{"a":2},{"a":1}]`), true},
		"JSON that is a scalar":         {`{"data": ["x"]}`, body(` "x" `), true},
		"JSON that is a number":         {`{"data": [7]}`, body(`7`), true},
		"no body":                       {`{"data": [{"exists": false}]}`, body(""), true},
		"a name twice, the last counts": {`{"data": {"a": [1]}}`, body(`{"a":1,"a":2}`), false},
		"the last is an object": {
			`{"data": {"a": [{"exists": false}]}}`, body(`{"a":1,"a":{}}`), true,
		},
		"escapes in names and values": {
			`{"data": {"é\"": ["\n"]}}`, body(`{"\u00e9\"":"\u000a"}`), true,
		},
		"a dot in a name":  {`{"data": {"a.b": [1]}}`, body(`{"a":{"b":1}}`), false},
		"numbers by value": {`{"data": {"a": [300]}}`, body(`{"a":3.0e2}`), true},
		"neighbours beyond a float": {
			`{"data": {"a": [9007199254740993]}}`, body(`{"a":9007199254740992}`), false,
		},
		"beyond a float's range": {
			`{"data": {"a": [{"numeric": [">", 1e999]}]}}`, body(`{"a":1e1000}`), true,
		},
		"negative numbers": {
			`{"data": {"a": [{"numeric": [">", -20, "<", -2.5]}]}}`, body(`{"a":-3}`), true,
		},
		"a number and a string": {`{"data": {"a": [1]}}`, body(`{"a":"1"}`), false},
		"absent or a value": {
			`{"data": {"a": [{"exists": false}, "x"]}}`, body(`{"a":"x"}`), true,
		},
		"anything-but takes other kinds": {
			`{"data": {"a": [{"anything-but": "x"}]}}`, body(`{"a":5}`), true,
		},
		"anything-but in an array": {
			`{"data": {"a": [{"anything-but": "x"}]}}`, body(`{"a":["x","y"]}`), true,
		},
		"an empty array is absent": {
			`{"data": {"a": [{"exists": false}]}}`, body(`{"a":[[],[]]}`), true,
		},
		"absent in the same element": {
			`{"data": {"a": {"b": [1], "c": [{"exists": false}]}}}`,
			body(`{"a":[{"b":1},{"c":1}]}`), true,
		},
		"absent in all elements": {
			`{"data": {"a": {"c": [{"exists": false}]}}}`, body(`{"a":[{"b":1},{"c":1}]}`), false,
		},
		"one value under two lists": {
			`{"data": {"a": [{"prefix": "x"}], "$or": [{"a": [{"suffix": "y"}]}, {"b": [1]}]}}`,
			body(`{"a":["xz","zy"]}`), false,
		},
		"a mapped IPv4 address": {
			`{"data": {"a": [{"cidr": "10.0.0.0/8"}]}}`, body(`{"a":"::ffff:10.1.2.3"}`), true,
		},
		"IPv6": {
			`{"data": {"a": [{"cidr": "2001:db8::/32"}]}}`, body(`{"a":"2001:db8::7"}`), true,
		},
		"a star and a backslash": {
			`{"data": {"a": [{"wildcard": "\\**\\\\"}]}}`, body(`{"a":"*x\\"}`), true,
		},
		"an escaped star is no run": {
			`{"data": {"a": [{"wildcard": "a\\*b"}]}}`, body(`{"a":"axb"}`), false,
		},
		"a shorter string than prefix": {
			`{"data": {"a": [{"prefix": {"equals-ignore-case": "ÉÉÉ"}}]}}`, body(`{"a":"é"}`),
			false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := matches(t, tt.filter, tt.event); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseFilterSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat(`{"a":`, route.MaxFilterDepth) + "[1]" + strings.Repeat(
		"}", route.MaxFilterDepth,
	)
	const or = `{"$or": [{"%s": [1]}, {"%[1]s": [2]}, {"%[1]s": [3]}, {"%[1]s": [4]}, {"%[1]s": [5]}]}`
	tests := map[string]struct{ filter, at, problem string }{
		"not JSON":    {`{`, "", "is not a JSON object in UTF-8"},
		"no object":   {`["push"]`, "", "is not a JSON object in UTF-8"},
		"two objects": {`{"type": ["a"]}{}`, "", "after top-level value"},
		"null":        {`null`, "", "is empty"},
		"a name twice": {
			`{"data": {"a": [1], "b": [2], "a": [3]}}`, "data.a", "occurs twice",
		},
		"a name twice in an operator": {
			`{"type": [{"prefix": "a", "prefix": "b"}]}`, "type[0].prefix", "occurs twice",
		},
		"empty": {
			`{}`, "", "is empty; name the fields that matter",
		},
		"too long": {
			`{"type": ["` + strings.Repeat("x", route.MaxFilterBytes) + `"]}`, "",
			"has 4110 bytes of JSON; at most 4096",
		},
		"too deep": {
			`{"data": ` + nested + `}`, "data" + strings.Repeat(".a", route.MaxFilterDepth-1),
			"deeper than 32",
		},
		"too many alternatives": {
			fmt.Sprintf(
				`{"data": {"a": %s, "b": %s, "c": %s}}`, fmt.Sprintf(or, "a"), fmt.Sprintf(or, "b"),
				fmt.Sprintf(or, "c"),
			),
			"data", "has more than 100 combinations of alternatives",
		},
		"unknown field": {
			`{"body": {"a": [1]}}`, "body", "the fields are type, source, trust, schema, headers and data",
		},
		"unknown field under $or": {
			`{"$or": [{"type": ["a"]}, {"detail": ["a"]}]}`, "$or[1].detail",
			"is not a field of an event",
		},
		"scalar for a list": {
			`{"data": {"a": {"b": "x"}}}`, "data.a.b", "write a list of the allowed values",
		},
		"operator without a list": {
			`{"data": {"a": {"prefix": "x"}}}`, "data.a.prefix", `write [{"prefix": …}]`,
		},
		"object where a list must": {
			`{"trust": {"a": ["x"]}}`, "trust", "takes a list of values",
		},
		"object within a header": {
			`{"headers": {"a": {"b": ["x"]}}}`, "headers.a", "takes a list of values",
		},
		"list of headers": {
			`{"headers": ["x"]}`, "headers", "takes an object of headers",
		},
		"trust that there is not": {
			`{"trust": ["verified", "trusted"]}`, "trust[1]",
			`is never "trusted"; the values are verified, authenticated, unverified`,
		},
		"header in upper case": {
			`{"headers": {"X-A": ["x"]}}`, "headers.X-A",
			`must be in lower case: "x-a"`,
		},
		"trust that none has": {
			`{"trust": [{"prefix": "trust"}]}`, "trust",
			"can match none of verified, authenticated, unverified",
		},
		"no header's name": {
			`{"headers": {"x a": ["x"]}}`, "headers.x a", "is not the name of a header",
		},
		"a number for a header": {
			`{"headers": {"x-count": ["a", 5]}}`, "headers.x-count[1]",
			"is not a string, but x-count always is one; write it in quotes",
		},
		"numeric for a header": {
			`{"headers": {"x-count": [{"numeric": [">", 5]}]}}`, "headers.x-count[0]",
			"numeric compares numbers, but x-count is always a string",
		},
		"space around a header": {
			`{"headers": {"x-a": ["a "]}}`, "headers.x-a[0]", "cannot be a header's value",
		},
		"a line end in a header": {
			`{"headers": {"x-a": ["a\nb"]}}`, "headers.x-a[0]", "cannot be a header's value",
		},
		"null for a type": {`{"type": [null]}`, "type[0]", "is not a string"},
		"an empty type": {
			`{"type": [""]}`, "type[0]", `is never empty; write {"exists": false}`,
		},
		"no source": {
			`{"source": [{"exists": false}]}`, "source[0]", "is never true",
		},
		"an operator as a field in $or": {
			`{"data": {"price": {"$or": [{"numeric": [">", 0]}, {"prefix": ["x"]}]}}}`,
			"data.price.$or[0].numeric",
			"is the name of an operator, so it cannot be a field within $or",
		},
		"an operator deep in $or": {
			`{"data": {"$or": [{"a": {"suffix": ["x"]}}, {"b": [1]}]}}`, "data.$or[0].a.suffix",
			"is the name of an operator, so it cannot be a field within $or",
		},
		"a name that is reserved": {
			`{"data": {"$or": [{"a": ["x"]}, {"regex": ["x"]}]}}`, "data.$or[1].regex",
			"is the name of an operator, so it cannot be a field within $or",
		},
		"anything-but without a list around it": {
			`{"data": {"a": {"anything-but": ["x"]}}}`, "data.a.anything-but",
			`write [{"anything-but": …}]`,
		},
		"numeric without a list around it": {
			`{"data": {"a": {"numeric": [">", 0, "<", 5]}}}`, "data.a.numeric",
			`write [{"numeric": …}]`,
		},
		"equals-ignore-case without one": {
			`{"data": {"a": {"equals-ignore-case": ["x"]}}}`, "data.a.equals-ignore-case",
			`write [{"equals-ignore-case": …}]`,
		},
		"lists that exclude each other": {
			`{"data": {"a": ["x"], "$or": [{"a": ["y"]}, {"b": [1]}]}}`, "data.a",
			"without a common value",
		},
		"a list and an operator that do": {
			`{"data": {"a": ["x"], "$or": [{"a": [{"prefix": "y"}]}, {"b": [1]}]}}`, "data.a",
			"without a common value",
		},
		"IPv4 mapped into IPv6": {
			`{"data": {"a": [{"cidr": "::ffff:0:0/96"}]}}`, "data.a[0]",
			"cidr must be written as IPv4, not mapped into IPv6",
		},
		"a mapped network": {
			`{"data": {"a": [{"cidr": "::ffff:10.0.0.0/104"}]}}`, "data.a[0]",
			"cidr must be written as IPv4",
		},
		"anything-but the empty prefix": {
			`{"data": {"a": [{"anything-but": {"prefix": ["x", ""]}}]}}`, "data.a[0]",
			"anything-but prefix is empty",
		},
		"anything-but the empty suffix": {
			`{"data": {"a": [{"anything-but": {"suffix": {"equals-ignore-case": ""}}}]}}`,
			"data.a[0]", "anything-but suffix is empty",
		},
		"empty object": {`{"data": {"a": {}}}`, "data.a", "is empty"},
		"empty list":   {`{"data": {"a": []}}`, "data.a", "is an empty list"},
		"list in a list": {
			`{"data": {"a": ["x", ["y"]]}}`, "data.a[1]", "a list holds strings, numbers",
		},
		"unknown operator": {
			`{"data": {"a": [{"prefx": "x"}]}}`, "data.a[0]",
			`operator "prefx" is unknown; known are anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard`,
		},
		"two operators in one": {
			`{"data": {"a": [{"prefix": "x", "suffix": "y"}]}}`, "data.a[0]",
			"an operator is an object with one name, and this one has 2",
		},
		"prefix of a number": {
			`{"data": {"a": [{"prefix": 1}]}}`, "data.a[0]", "prefix takes a string",
		},
		"suffix with an operator": {
			`{"data": {"a": [{"suffix": {"prefix": "x"}}]}}`, "data.a[0]",
			`suffix takes a string, or {"equals-ignore-case": string}`,
		},
		"exists of a string": {
			`{"data": {"a": [{"exists": "true"}]}}`, "data.a[0]", "exists takes true or false",
		},
		"two stars": {
			`{"data": {"a": [{"wildcard": "a**"}]}}`, "data.a[0]",
			"wildcard must not have two stars in a row",
		},
		"another escape": {
			`{"data": {"a": [{"wildcard": "\\n"}]}}`, "data.a[0]",
			"wildcard may have a backslash only before",
		},
		"a backslash at the end": {
			`{"data": {"a": [{"wildcard": "\\"}]}}`, "data.a[0]",
			"wildcard may have a backslash only before",
		},
		"no block": {
			`{"data": {"a": [{"cidr": "10.0.0.1"}]}}`, "data.a[0]",
			`cidr takes a block of addresses such as 10.0.0.0/24 or 2001:db8::/32, not "10.0.0.1"`,
		},
		"numeric without list": {
			`{"data": {"a": [{"numeric": 5}]}}`, "data.a[0]",
			"numeric takes a comparison or a range",
		},
		"numeric, three terms": {
			`{"data": {"a": [{"numeric": [">", 5, "<"]}]}}`, "data.a[0]",
			"numeric takes a comparison or a range",
		},
		"numeric, unknown sign": {
			`{"data": {"a": [{"numeric": ["!=", 5]}]}}`, "data.a[0]",
			"numeric takes a comparison (=, <, <=, > or >=)",
		},
		"numeric of a string": {
			`{"data": {"a": [{"numeric": ["=", "5"]}]}}`, "data.a[0]", "and a number",
		},
		"numeric from above": {
			`{"data": {"a": [{"numeric": ["<", 5, ">", 0]}]}}`, "data.a[0]",
			"numeric takes a range that begins with > or >=",
		},
		"numeric, nothing between": {
			`{"data": {"a": [{"numeric": [">", 5, "<", 5]}]}}`, "data.a[0]", "and a larger number",
		},
		"anything-but of nothing": {
			`{"data": {"a": [{"anything-but": []}]}}`, "data.a[0]",
			"anything-but takes a value or a list of values",
		},
		"anything-but numeric": {
			`{"data": {"a": [{"anything-but": {"numeric": ["=", 1]}}]}}`, "data.a[0]",
			`anything-but of the operator "numeric" is unknown; known are equals-ignore-case, prefix, suffix, wildcard`,
		},
		"anything-but prefix of 1": {
			`{"data": {"a": [{"anything-but": {"prefix": ["x", 1]}}]}}`, "data.a[0]",
			"anything-but prefix takes a string",
		},
		"anything-but of two": {
			`{"data": {"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}}`, "data.a[0]",
			"anything-but an operator is an object with one name",
		},
		"$or of one": {
			`{"$or": [{"type": ["a"]}]}`, "$or", "takes a list of two or more objects",
		},
		"$or of no list": {
			`{"data": {"$or": {"a": [1]}}}`, "data.$or", "takes a list of two or more objects",
		},
		"$or of lists": {
			`{"data": {"$or": [{"a": [1]}, ["b"]]}}`, "data.$or[1]", "is not an object",
		},
		"a list and an object at $or": {
			`{"data": {"a": [1], "$or": [{"a": {"b": [1]}}, {"c": [1]}]}}`, "data.a",
			"has a list in one place and an object in another",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := route.ParseFilter([]byte(tt.filter))
			e, ok := errors.AsType[*route.FilterError](err)
			if !ok || !errors.Is(err, route.ErrFilter) {
				t.Fatalf("got %v", err)
			}
			if e.At != tt.at || !strings.Contains(e.Problem, tt.problem) {
				t.Errorf("got  %s: %s\nwant %s: %s", e.At, e.Problem, tt.at, tt.problem)
			}
		})
	}
}

func TestBodyIsNeededOnlyWhereAFilterLooksAtIt(t *testing.T) {
	t.Parallel()
	data, trust := parse(t, `{"$or": [{"trust": ["verified"]}, {"data": {"a": [1]}}]}`),
		parse(t, `{"trust": ["verified"]}`)
	table := route.New([]route.Rule{
		{Types: []string{"push", "issue.*"}, Filter: data}, {Types: []string{"push"}, Filter: data},
		{Filter: trust}, {},
	})
	for eventType, want := range map[string]bool{
		"push": true, "issue.opened": true, "issue": false, "": false,
	} {
		if got := table.NeedsBody(eventType); got != want {
			t.Errorf("%q: %v, want %v", eventType, got, want)
		}
	}
}

// TestDocumentIsReadOnlyWhereItIsNeeded uses a document that is no JSON, which would make the
// reader panic.
func TestDocumentIsReadOnlyWhereItIsNeeded(t *testing.T) {
	t.Parallel()
	table := route.New([]route.Rule{
		{Types: []string{"push"}, Filter: parse(t, `{"data": {"a": [1]}}`)}, {
			Filter: parse(t, `{"source": ["app"]}`),
		},
	})
	for _, opaque := range []bool{false, true} {
		got := table.Match(route.Event{
			Type: "issue", Source: "app", Data: []byte("{"), Opaque: opaque,
		})
		if !slices.Equal(got.Rules, []int{1}) || got.Undecided != nil {
			t.Errorf("opaque %v: %+v", opaque, got)
		}
	}
}

// TestPageOperators checks the table of operators in docs/configuration.md. Each row's filter must
// match its first example and not the second, and every operator must have a row.
func TestPageOperators(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	for _, row := range page.Rows(t, "../../docs/configuration.md", "operators") {
		pattern := page.Names(row[0])[0]
		filter := `{"data": {"field": ` + pattern + "}}"
		shown.WriteString(pattern)
		for i, want := range []bool{true, false} {
			if body := page.Names(row[2+i])[0]; matches(
				t, filter, route.Event{Data: []byte(body)},
			) != want {
				t.Errorf("%s: %s: want %v", pattern, body, want)
			}
		}
	}
	_, err := route.ParseFilter([]byte(`{"type": [{"?": 1}]}`))
	_, operators, _ := strings.Cut(err.Error(), "there are ")
	for _, operator := range append(strings.Split(operators, ", "), "null", "true") {
		if !strings.Contains(shown.String(), operator) {
			t.Errorf("no row for %s", operator)
		}
	}
}
