package route_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/route"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	rules := []route.Rule{
		0: {Types: []string{"push"}},
		1: {},
		2: {Types: []string{"pull_request.*"}},
		3: {Types: []string{"*.deleted", "pull_request.opened", "pull*"}},
		4: {Types: []string{"*"}},
		5: {Types: []string{"push", "push", "pus*", "p*h"}},
		6: {Types: []string{"order.*.item.*.sent"}},
		7: {Types: []string{"**"}},
		8: {Types: []string{"ab*ba"}},
		9: {Types: []string{"*.deleted"}},
	}
	table := route.New(rules)
	tests := map[string][]int{
		"push":                          {0, 1, 4, 5, 7},
		"Push":                          {1, 4, 7},
		"":                              {1, 4, 7},
		"pull_request.opened":           {1, 2, 3, 4, 7},
		"pull_request.":                 {1, 2, 3, 4, 7},
		"pull_request":                  {1, 3, 4, 7},
		"pull_request.review.submitted": {1, 2, 3, 4, 7},
		"repository.deleted":            {1, 3, 4, 7, 9},
		"order.7.item.8.sent":           {1, 4, 6, 7},
		"order..item..sent":             {1, 4, 6, 7},
		"order.7.item.sent":             {1, 4, 7},
		"aba":                           {1, 4, 7},
		"abba":                          {1, 4, 7, 8},
		"*":                             {1, 4, 7},
	}
	for eventType, want := range tests {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, table.Match(route.Event{Type: eventType}).Rules); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMatchIsTheCallers(t *testing.T) {
	t.Parallel()
	table := route.New([]route.Rule{{}, {Types: []string{"a"}}})
	clear(table.Match(route.Event{Type: "a"}).Rules)
	if diff := cmp.Diff([]int{0, 1}, table.Match(route.Event{Type: "a"}).Rules); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNoRuleNoMatch(t *testing.T) {
	t.Parallel()
	if got := route.New(nil).Match(route.Event{Type: "push"}).Rules; got != nil {
		t.Errorf("got %v, want none", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pattern string
		want    error
	}{
		"a type":            {"pull_request.opened", nil},
		"a glob":            {"*.item.*", nil},
		"all":               {"*", nil},
		"spaces and UTF-8":  {"commande reçue", nil},
		"longest":           {strings.Repeat("x", route.MaxPatternBytes), nil},
		"empty":             {"", route.ErrPattern},
		"too long":          {strings.Repeat("x", route.MaxPatternBytes+1), route.ErrPattern},
		"newline":           {"push\n", route.ErrPattern},
		"NUL":               {"pu\x00sh", route.ErrPattern},
		"C1 control":        {"pu\u0085sh", route.ErrPattern},
		"delete, in a glob": {"*\x7f", route.ErrPattern},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := route.Validate(tt.pattern); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// naive is the definition of a match, written directly.
func naive(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] != '*' {
		return s != "" && s[0] == pattern[0] && naive(pattern[1:], s[1:])
	}
	for i := range len(s) + 1 {
		if naive(pattern[1:], s[i:]) {
			return true
		}
	}
	return false
}

func FuzzMatchAgreesWithTheDefinition(f *testing.F) {
	f.Add("push", "pull_request.*", "pull_request.opened")
	f.Add("ab*ba", "*a*b*a", "aba")
	f.Add("", "**", "")
	f.Add("*aab", "a*aab*", "aaab\x00\xff")
	f.Fuzz(func(t *testing.T, one, two, eventType string) {
		const most = 16 // naive takes exponential time
		one, two, eventType = one[:min(len(one), most)], two[:min(len(two), most)],
			eventType[:min(len(eventType), most)]
		patterns := []string{one, two, one + two, one + "*", "*" + two}
		rules := []route.Rule{{Types: patterns}}
		var want []int
		for i, pattern := range patterns {
			rules = append(rules, route.Rule{Types: []string{pattern}})
			if naive(pattern, eventType) {
				want = append(want, i+1)
			}
		}
		if want != nil {
			want = slices.Insert(want, 0, 0)
		}
		if diff := cmp.Diff(
			want, route.New(rules).Match(route.Event{Type: eventType}).Rules,
		); diff != "" {
			t.Errorf("patterns %q, type %q (-want +got):\n%s", patterns, eventType, diff)
		}
	})
}

// BenchmarkMatch matches events in turn, each with one matching rule, among 10 rules and among
// 10,000. It reports the second cost as a multiple of the first. The budget is 2.
func BenchmarkMatch(b *testing.B) {
	const push = `{"action":"opened","number":%d,"repository":{"id":186853002,"name":"n","full_name":"octo/repo-%d","private":false,` +
		`"owner":{"login":"octo","id":21031067}},"labels":[{"name":"bug"},{"name":"repo-%d"}],"sender":{"login":"octo"}}`
	for name, form := range map[string]struct{ pattern, filter string }{
		"type, exact":  {"happened-%d", ""},
		"type, prefix": {"thing-%d.*", ""},
		"type, and one filter for all": {
			"happened-%d", `{"data": {"repository": {"private": [false]}}}`,
		},
		"one type, and an exact value": {
			"happened",
			`{"trust": ["verified"], "data": {"repository": {"full_name": ["octo/repo-%d"]}}}`,
		},
		"an exact value in an array": {"", `{"data": {"labels": {"name": ["repo-%d"]}}}`},
		"an exact number, or a header": {
			"", `{"$or": [{"data": {"number": [%d]}}, {"headers": {"x-repo": ["repo-%[1]d"]}}]}`,
		},
		"a header, and no body": {"", `{"headers": {"x-repo": ["repo-%d"]}}`},
	} {
		b.Run(name, func(b *testing.B) {
			few, many := newSubject(b, form.pattern, form.filter, push, 10),
				newSubject(b, form.pattern, form.filter, push, 10_000)
			b.ReportAllocs()
			for b.Loop() {
				few.matchSome(b)
				many.matchSome(b)
			}
			b.ReportMetric(float64(few.took.Nanoseconds())/float64(few.matches), "ns/10-rules")
			b.ReportMetric(float64(many.took.Nanoseconds())/float64(many.matches), "ns/10000-rules")
			b.ReportMetric(float64(many.took)/float64(few.took), "ratio")
		})
	}
}

type subject struct {
	table   *route.Table
	events  []route.Event
	rules   int
	matches int
	took    time.Duration
}

// newSubject makes rules, numbered in their pattern or filter, and events that match the rules in
// turn.
func newSubject(b *testing.B, pattern, filter, body string, rules int) *subject {
	b.Helper()
	s := &subject{events: make([]route.Event, 10_000), rules: rules}
	list := make([]route.Rule, rules)
	numbered := func(form string, i int) string {
		return strings.NewReplacer("%d", strconv.Itoa(i), "%[1]d", strconv.Itoa(i)).Replace(form)
	}
	for i := range list {
		if pattern != "" {
			list[i].Types = []string{numbered(pattern, i)}
		}
		if filter != "" {
			list[i].Filter = parse(b, numbered(filter, i))
		}
	}
	// as many for few rules as for many, so that both find them in the same state of the caches
	for i := range s.events {
		i, e := i%rules, &s.events[i]
		*e = route.Event{
			Type: strings.ReplaceAll(
				numbered(pattern, i), "*", "created",
			), Trust: "verified", Data: []byte(numbered(body, i)),
			Header: map[string]string{
				"content-type": "application/json", "x-repo": numbered("repo-%d", i),
			},
		}
	}
	s.table = route.New(list)
	return s
}

// matchSome matches so many events that the cost of the clock does not matter.
func (s *subject) matchSome(b *testing.B) {
	began := time.Now()
	for range 1000 {
		i := s.matches % len(s.events)
		if got := s.table.Match(s.events[i]).Rules; len(got) != 1 || got[0] != i%s.rules {
			b.Fatalf("event %d: %v", i, got)
		}
		s.matches++
	}
	s.took += time.Since(began)
}

// BenchmarkTried matches against 10,000 rules without a key, and reports the cost of one.
func BenchmarkTried(b *testing.B) {
	const rules = 10_000
	s := newSubject(
		b, "", `{"data": {"name": [{"suffix": "-%d."}]}}`, `{"name": "number-%d."}`, rules,
	)
	for b.Loop() {
		s.table.Match(s.events[7])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rules, "ns/rule")
}

// BenchmarkNew makes a table of 10,000 rules with filters, including parsing. A function does this
// when it first sees a source.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		rules := make([]route.Rule, 10_000)
		for i := range rules {
			rules[i].Filter = parse(
				b,
				fmt.Sprintf(
					`{"trust": ["verified"], "data": {"repository": {"full_name": ["octo/repo-%d"]}}}`,
					i,
				),
			)
		}
		route.New(rules)
	}
}

// BenchmarkBody matches against a large body. The filter names a small or a large part of it.
func BenchmarkBody(b *testing.B) {
	element := `{"id":186853002,"name":"a name","tags":["x","y"],"text":"` +
		strings.Repeat("lorem ipsum ", 20) + `"},`
	body := []byte(
		`{"items":[` + strings.Repeat(element, (1<<20)/len(element)) + `{"id":7}],"last":true}`,
	)
	for name, filter := range map[string]string{
		"little": `{"data": {"last": [true]}}`,
		"much":   `{"data": {"items": {"id": [7], "name": [{"exists": false}]}}}`,
	} {
		b.Run(name, func(b *testing.B) {
			table := route.New([]route.Rule{{Filter: parse(b, filter)}})
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if table.Match(route.Event{Data: body}).Rules == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}
