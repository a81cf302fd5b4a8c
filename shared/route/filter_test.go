package route_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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

// matches tells whether a filter matches, in a table of its own and in one where it is found among others.
func matches(t testing.TB, filter string, e route.Event) bool {
	t.Helper()
	one := route.New([]route.Rule{{Filter: parse(t, filter)}}).Match(e) != nil
	other := parse(t, `{"data": {"no such field": ["x"]}}`)
	many := route.New([]route.Rule{{Filter: other}, {Types: []string{"other"}, Filter: parse(t, filter)}, {Filter: parse(t, filter)}}).Match(e)
	if slices.Contains(many, 2) != one || slices.Contains(many, 0) || slices.Contains(many, 1) {
		t.Errorf("%s: alone %v, among others %v", filter, one, many)
	}
	return one
}

// instance is the event that EventBridge's documentation explains patterns with, as a body.
const instance = `{
	"version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "account": "111122223333",
	"time": "2017-10-02T18:43:48Z", "region": "us-west-1", "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
	"detail": {
		"instance-id": "i-1234567890abcdef0", "state": "terminated", "c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33",
		"responseElements": null, "eventVersion": "", "FileName": "dir/image.PNG", "FilePath": "/usr/lib/x.so", "service": "EventBridge", "c": {"c1": 100}
	},
	"employees": [[{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}], [{"firstName": "Peter", "lastName": "Jones"}]]
}`

// TestEventBridgesExamples has the examples of EventBridge's user guide and of its matcher's own documentation.
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
		`{"detail": {"c": [{"exists": false}]}}`:                                                                                                   true, // an object is no value
		`{"detail": {"c": [{"exists": true}]}}`:                                                                                                    false,
		`{"detail": {"responseElements": [{"exists": true}]}}`:                                                                                     true,
		`{"detail": {"responseElements": [null]}}`:                                                                                                 true,
		`{"detail": {"eventVersion": [""]}}`:                                                                                                       true,
		`{"detail": {"eventVersion": [null]}}`:                                                                                                     false,
		`{"detail": {"service": [{"equals-ignore-case": "EVENTbridge"}]}}`:                                                                         true,
		`{"detail": {"service": [{"wildcard": "Event*ge"}]}}`:                                                                                      true,
		`{"detail": {"FileName": [{"wildcard": "dir/*.png"}]}}`:                                                                                    false,
		`{"employees": {"firstName": ["Anna"]}}`:                                                                                                   true,
		`{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}`:                                                                            false,
		`{"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}`:                                                                            true,
		`{"source": ["aws.cloudwatch"], "$or": [{"region": ["us-west-1"]}, {"account": ["1"]}]}`:                                                   false,
		`{"source": ["aws.ec2"], "$or": [{"region": ["eu-west-1"]}, {"account": ["111122223333"]}]}`:                                               true,
		`{"$or": [{"region": ["eu-west-1"]}, {"account": ["1"]}], "detail": {"$or": [{"state": ["terminated"]}, {"c-count": [1]}]}}`:               false,
		`{"detail": {"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 1]}]}]}}`:                               true,
		`{"$or": [{"a": [1]}, {"source": ["aws.ec2"], "$or": [{"region": ["x"]}, {"version": ["0"]}]}]}`:                                           true,
		`{"$or": [{"employees": {"firstName": ["Anna"]}}, {"a": [1]}], "employees": {"lastName": ["Jones"]}}`:                                      false,
	}
	for pattern, want := range tests {
		filter := `{"data": ` + pattern + "}"
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			e := route.Event{Body: []byte(instance)}
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
		Type: "push", Source: "github", Trust: "verified", Body: []byte(`{"repository": {"private": false}}`),
		Header: map[string]string{"content-type": "application/json", "x-github-event": "push"},
	}
	form := route.Event{Header: map[string]string{"content-type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"}, Body: []byte("a=1&b=x+y&a=%C3%A9&c")}
	body := func(body string) route.Event { return route.Event{Body: []byte(body)} }
	tests := map[string]struct {
		filter string
		event  route.Event
		want   bool
	}{
		"all of it":                      {`{"type": ["push"], "source": ["github"], "trust": ["verified"], "data": {"repository": {"private": [false]}}}`, event, true},
		"all but one":                    {`{"type": ["push"], "source": ["github"], "trust": ["unverified"], "data": {"repository": {"private": [false]}}}`, event, false},
		"a header":                       {`{"headers": {"x-github-event": [{"prefix": "pu"}]}}`, event, true},
		"a header that is not there":     {`{"headers": {"x-other": [{"exists": false}]}}`, event, true},
		"no type":                        {`{"type": [{"exists": false}]}`, body(""), true},
		"no trust on an old record":      {`{"trust": [{"anything-but": "unverified"}]}`, body(""), false},
		"a form's field":                 {`{"data": {"b": ["x y"]}}`, form, true},
		"a form's field that came twice": {`{"data": {"a": ["é"], "b": [{"exists": true}]}}`, form, true},
		"a form has strings":             {`{"data": {"a": [1]}}`, form, false},
		"a form's field without value":   {`{"data": {"c": [""]}}`, form, true},
		"a form that cannot be read":     {`{"data": {"a": [{"exists": false}]}}`, route.Event{Header: form.Header, Body: []byte("a=1&b=%zz")}, true},
		"JSON that calls itself text":    {`{"data": {"a": [1]}}`, route.Event{Header: map[string]string{"content-type": "text/plain"}, Body: []byte(`{"a":1}`)}, true},
		"JSON that is an array":          {`{"data": {"a": [1]}}`, body(`[{"a":2},{"a":1}]`), true},
		"JSON that is a scalar":          {`{"data": ["x"]}`, body(` "x" `), true},
		"JSON that is a number":          {`{"data": [7]}`, body(`7`), true},
		"no JSON":                        {`{"data": {"a": [{"exists": true}]}}`, body(`{"a":1}}`), false},
		"no JSON, absent":                {`{"data": {"a": [{"exists": false}]}}`, body(`{"a":1}}`), true},
		"no UTF-8":                       {`{"data": {"a": [{"exists": true}]}}`, body("{\"a\":\"\xff\"}"), false},
		"no body":                        {`{"data": [{"exists": false}]}`, body(""), true},
		"a name twice, the last counts":  {`{"data": {"a": [1]}}`, body(`{"a":1,"a":2}`), false},
		"the last is an object":          {`{"data": {"a": [{"exists": false}]}}`, body(`{"a":1,"a":{}}`), true},
		"escapes in names and values":    {`{"data": {"é\"": ["\n"]}}`, body(`{"\u00e9\"":"\u000a"}`), true},
		"a dot in a name":                {`{"data": {"a.b": [1]}}`, body(`{"a":{"b":1}}`), false},
		"numbers by value":               {`{"data": {"a": [300]}}`, body(`{"a":3.0e2}`), true},
		"neighbours beyond a float":      {`{"data": {"a": [9007199254740993]}}`, body(`{"a":9007199254740992}`), false},
		"beyond a float's range":         {`{"data": {"a": [{"numeric": [">", 1e999]}]}}`, body(`{"a":1e1000}`), true},
		"negative numbers":               {`{"data": {"a": [{"numeric": [">", -20, "<", -2.5]}]}}`, body(`{"a":-3}`), true},
		"a number and a string":          {`{"data": {"a": [1]}}`, body(`{"a":"1"}`), false},
		"absent or a value":              {`{"data": {"a": [{"exists": false}, "x"]}}`, body(`{"a":"x"}`), true},
		"anything-but takes other kinds": {`{"data": {"a": [{"anything-but": "x"}]}}`, body(`{"a":5}`), true},
		"anything-but in an array":       {`{"data": {"a": [{"anything-but": "x"}]}}`, body(`{"a":["x","y"]}`), true},
		"an empty array is absent":       {`{"data": {"a": [{"exists": false}]}}`, body(`{"a":[[],[]]}`), true},
		"absent in the same element":     {`{"data": {"a": {"b": [1], "c": [{"exists": false}]}}}`, body(`{"a":[{"b":1},{"c":1}]}`), true},
		"absent in all elements":         {`{"data": {"a": {"c": [{"exists": false}]}}}`, body(`{"a":[{"b":1},{"c":1}]}`), false},
		"one value under two lists":      {`{"data": {"a": [{"prefix": "x"}], "$or": [{"a": [{"suffix": "y"}]}, {"b": [1]}]}}`, body(`{"a":["xz","zy"]}`), false},
		"a mapped IPv4 address":          {`{"data": {"a": [{"cidr": "10.0.0.0/8"}]}}`, body(`{"a":"::ffff:10.1.2.3"}`), true},
		"IPv6":                           {`{"data": {"a": [{"cidr": "2001:db8::/32"}]}}`, body(`{"a":"2001:db8::7"}`), true},
		"a star and a backslash":         {`{"data": {"a": [{"wildcard": "\\**\\\\"}]}}`, body(`{"a":"*x\\"}`), true},
		"an escaped star is no run":      {`{"data": {"a": [{"wildcard": "a\\*b"}]}}`, body(`{"a":"axb"}`), false},
		"a shorter string than prefix":   {`{"data": {"a": [{"prefix": {"equals-ignore-case": "ÉÉÉ"}}]}}`, body(`{"a":"é"}`), false},
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
	nested := strings.Repeat(`{"a":`, route.MaxFilterDepth) + "[1]" + strings.Repeat("}", route.MaxFilterDepth)
	const or = `{"$or": [{"%s": [1]}, {"%[1]s": [2]}, {"%[1]s": [3]}, {"%[1]s": [4]}, {"%[1]s": [5]}]}`
	tests := map[string]struct{ filter, at, problem string }{
		"not JSON":                    {`{`, "", "is not a JSON object"},
		"no object":                   {`["push"]`, "", "is not a JSON object"},
		"two objects":                 {`{"type": ["a"]}{}`, "", "goes on after its end"},
		"null":                        {`null`, "", "is empty"},
		"empty":                       {`{}`, "", "is empty; name the fields that matter"},
		"too long":                    {`{"type": ["` + strings.Repeat("x", route.MaxFilterBytes) + `"]}`, "", "4110 bytes of JSON, allowed are 4096"},
		"too deep":                    {`{"data": ` + nested + `}`, "data" + strings.Repeat(".a", route.MaxFilterDepth-1), "deeper than 32"},
		"too many alternatives":       {fmt.Sprintf(`{"data": {"a": %s, "b": %s, "c": %s}}`, fmt.Sprintf(or, "a"), fmt.Sprintf(or, "b"), fmt.Sprintf(or, "c")), "data", "more than 100 alternatives"},
		"unknown field":               {`{"body": {"a": [1]}}`, "body", "there are type, source, trust, headers and data"},
		"unknown field under $or":     {`{"$or": [{"type": ["a"]}, {"detail": ["a"]}]}`, "$or[1].detail", "is no field of an event"},
		"scalar for a list":           {`{"data": {"a": {"b": "x"}}}`, "data.a.b", "stands in a list, even if it is one"},
		"operator without a list":     {`{"data": {"a": {"prefix": "x"}}}`, "data.a.prefix", `write [{"prefix": …}]`},
		"object where a list must":    {`{"trust": {"a": ["x"]}}`, "trust", "takes a list of values"},
		"object within a header":      {`{"headers": {"a": {"b": ["x"]}}}`, "headers.a", "takes a list of values"},
		"list of headers":             {`{"headers": ["x"]}`, "headers", "takes an object of headers"},
		"trust that there is not":     {`{"trust": ["verified", "trusted"]}`, "trust", `is never "trusted"; there are verified, authenticated, unverified`},
		"header in upper case":        {`{"headers": {"X-A": ["x"]}}`, "headers.X-A", `in lower case, as the names of headers are here: "x-a"`},
		"empty object":                {`{"data": {"a": {}}}`, "data.a", "is empty"},
		"empty list":                  {`{"data": {"a": []}}`, "data.a", "is an empty list"},
		"list in a list":              {`{"data": {"a": ["x", ["y"]]}}`, "data.a[1]", "a list holds strings, numbers"},
		"unknown operator":            {`{"data": {"a": [{"prefx": "x"}]}}`, "data.a[0]", `operator "prefx" is unknown; there are anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard`},
		"two operators in one":        {`{"data": {"a": [{"prefix": "x", "suffix": "y"}]}}`, "data.a[0]", "an operator is an object with one name, this one has 2"},
		"prefix of a number":          {`{"data": {"a": [{"prefix": 1}]}}`, "data.a[0]", "prefix takes a string"},
		"suffix with an operator":     {`{"data": {"a": [{"suffix": {"prefix": "x"}}]}}`, "data.a[0]", `suffix takes a string, or {"equals-ignore-case": string}`},
		"exists of a string":          {`{"data": {"a": [{"exists": "true"}]}}`, "data.a[0]", "exists takes true or false"},
		"two stars":                   {`{"data": {"a": [{"wildcard": "a**"}]}}`, "data.a[0]", "wildcard takes no two stars in a row"},
		"another escape":              {`{"data": {"a": [{"wildcard": "\\n"}]}}`, "data.a[0]", "wildcard takes a backslash before"},
		"a backslash at the end":      {`{"data": {"a": [{"wildcard": "\\"}]}}`, "data.a[0]", "wildcard takes a backslash before"},
		"no block":                    {`{"data": {"a": [{"cidr": "10.0.0.1"}]}}`, "data.a[0]", `cidr takes a block of addresses such as 10.0.0.0/24 or 2001:db8::/32, not "10.0.0.1"`},
		"numeric without list":        {`{"data": {"a": [{"numeric": 5}]}}`, "data.a[0]", "numeric takes a comparison or a range"},
		"numeric, three terms":        {`{"data": {"a": [{"numeric": [">", 5, "<"]}]}}`, "data.a[0]", "numeric takes a comparison or a range"},
		"numeric, unknown sign":       {`{"data": {"a": [{"numeric": ["!=", 5]}]}}`, "data.a[0]", "numeric takes one of =, <, <=, > and >="},
		"numeric of a string":         {`{"data": {"a": [{"numeric": ["=", "5"]}]}}`, "data.a[0]", "and then a number"},
		"numeric from above":          {`{"data": {"a": [{"numeric": ["<", 5, ">", 0]}]}}`, "data.a[0]", "numeric takes a range that begins with > or >="},
		"numeric, nothing between":    {`{"data": {"a": [{"numeric": [">", 5, "<", 5]}]}}`, "data.a[0]", "of a larger number"},
		"anything-but of nothing":     {`{"data": {"a": [{"anything-but": []}]}}`, "data.a[0]", "anything-but takes a value or a list of some"},
		"anything-but numeric":        {`{"data": {"a": [{"anything-but": {"numeric": ["=", 1]}}]}}`, "data.a[0]", `anything-but of the operator "numeric" is unknown; there are equals-ignore-case, prefix, suffix, wildcard`},
		"anything-but prefix of 1":    {`{"data": {"a": [{"anything-but": {"prefix": ["x", 1]}}]}}`, "data.a[0]", "anything-but prefix takes a string"},
		"anything-but of two":         {`{"data": {"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}}`, "data.a[0]", "anything-but an operator is an object with one name"},
		"$or of one":                  {`{"$or": [{"type": ["a"]}]}`, "$or", "takes a list of two or more objects"},
		"$or of no list":              {`{"data": {"$or": {"a": [1]}}}`, "data.$or", "takes a list of two or more objects"},
		"$or of lists":                {`{"data": {"$or": [{"a": [1]}, ["b"]]}}`, "data.$or[1]", "is not an object"},
		"a list and an object at $or": {`{"data": {"a": [1], "$or": [{"a": {"b": [1]}}, {"c": [1]}]}}`, "data.a", "is given a list in one place and an object in another"},
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
	data, trust := parse(t, `{"$or": [{"trust": ["verified"]}, {"data": {"a": [1]}}]}`), parse(t, `{"trust": ["verified"]}`)
	table := route.New([]route.Rule{{Types: []string{"push", "issue.*"}, Filter: data}, {Types: []string{"push"}, Filter: data}, {Filter: trust}, {}})
	for eventType, want := range map[string]bool{"push": true, "issue.opened": true, "issue": false, "": false} {
		if got := table.NeedsBody(eventType); got != want {
			t.Errorf("%q: %v, want %v", eventType, got, want)
		}
	}
}

// TestHostileBodies takes bodies of 1 MiB that a naive reader falls over, with filters that look at all of them. The bound on time is far off: it
// tells linear from quadratic.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	bodies := map[string]string{
		"deep arrays":       strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"deep, and legal":   strings.Repeat("[", 9999) + strings.Repeat("]", 9999),
		"deep objects":      strings.Repeat(`{"a":`, 9999) + "1" + strings.Repeat("}", 9999),
		"one name":          "{" + strings.Repeat(`"a":1,`, size/6) + `"a":2}`,
		"one element":       "[" + strings.Repeat(`{"a":1},`, size/8) + `{"a":{"b":1}}]`,
		"scalars":           `{"a":[` + strings.Repeat("1,", size/2) + "2]}",
		"a number":          `{"a":` + strings.Repeat("1", size) + "}",
		"an exponent":       `{"a":1e` + strings.Repeat("9", size) + "}",
		"a string":          `{"a":"` + strings.Repeat("a", size) + `"}`,
		"escapes":           `{"a":"` + strings.Repeat(`\u0061`, size/6) + `"}`,
		"without an end":    `{"a":"` + strings.Repeat(`\"`, size/2),
		"empty objects":     `{"a":[` + strings.Repeat("{},", size/3) + "{}]}",
		"many members":      "{" + strings.Repeat(`"b":{"a":[]},`, size/13) + `"a":[]}`,
		"nothing but space": strings.Repeat(" ", size),
	}
	var rules []route.Rule
	for _, filter := range []string{
		`{"data": {"a": [{"wildcard": "*a*a*a*a*a*a*a*a*b"}, {"numeric": [">", 3e7, "<", 4e7]}, {"prefix": "x"}]}}`,
		`{"data": {"a": {"a": {"b": ["x"]}}}}`, `{"data": {"a": {"b": [{"exists": false}], "a": [7]}}}`, `{"data": [7]}`, `{"data": {"a": [7]}}`,
	} {
		rules = append(rules, route.Rule{Filter: parse(t, filter)})
	}
	table := route.New(rules)
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			if got := table.Match(route.Event{Body: []byte(body)}); got != nil {
				t.Errorf("matches %v", got)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestMemory matches a body of 4 MiB whose every other byte is a value that leads to 500 rules. What is made of it must fit a function's memory.
// It is not parallel, so that nothing else allocates meanwhile.
func TestMemory(t *testing.T) {
	rules := []route.Rule{{Types: []string{"a"}, Filter: parse(t, `{"trust": ["verified"]}`)}} // makes the type the wider way in
	for i := range 500 {
		rules = append(rules, route.Rule{Types: []string{"a"}, Filter: parse(t, fmt.Sprintf(`{"data": {"a": [1], "b": [{"prefix": "%d"}]}}`, i))})
	}
	table := route.New(rules)
	body := []byte(`{"a":[` + strings.Repeat("1,", 2<<20) + "2]}")
	for eventType, most := range map[string]uint64{"a": 48 * uint64(len(body)), "b": 16 << 10} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		table.Match(route.Event{Type: eventType, Body: body})
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("type %s: %d bytes allocated, want at most %d", eventType, got, most)
		}
	}
}

// TestREADMEsOperators holds the table of operators in the README: every row's filter takes its one example and not the other, and every
// operator has a row.
func TestREADMEsOperators(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\[.*\\])` \\| .* \\| `(.*)` \\| `(.*)` \\|$").FindAllStringSubmatch(string(readme), -1)
	var shown strings.Builder
	for _, row := range rows {
		filter := `{"data": {"field": ` + row[1] + "}}"
		shown.WriteString(row[1])
		for i, want := range []bool{true, false} {
			if body := row[2+i]; matches(t, filter, route.Event{Body: []byte(body)}) != want {
				t.Errorf("%s: %s: want %v", row[1], body, want)
			}
		}
	}
	_, err = route.ParseFilter([]byte(`{"type": [{"?": 1}]}`))
	_, operators, _ := strings.Cut(err.Error(), "there are ")
	for _, operator := range append(strings.Split(operators, ", "), "null", "true") {
		if !strings.Contains(shown.String(), operator) {
			t.Errorf("no row for %s", operator)
		}
	}
}
