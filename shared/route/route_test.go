package route_test

import (
	"errors"
	"fmt"
	"slices"
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
			if diff := cmp.Diff(want, table.Match(eventType)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMatchIsTheCallers(t *testing.T) {
	t.Parallel()
	table := route.New([]route.Rule{{}, {Types: []string{"a"}}})
	clear(table.Match("a"))
	if diff := cmp.Diff([]int{0, 1}, table.Match("a")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNoRuleNoMatch(t *testing.T) {
	t.Parallel()
	if got := route.New(nil).Match("push"); got != nil {
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

// naive is the definition of a match, spelt out.
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
		one, two, eventType = one[:min(len(one), most)], two[:min(len(two), most)], eventType[:min(len(eventType), most)]
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
		if diff := cmp.Diff(want, route.New(rules).Match(eventType)); diff != "" {
			t.Errorf("patterns %q, type %q (-want +got):\n%s", patterns, eventType, diff)
		}
	})
}

// BenchmarkMatch takes events in turn, which match one rule each, among 10 rules and among 10,000, and reports the cost of the
// latter as a multiple of the former. The budget is 2.
func BenchmarkMatch(b *testing.B) {
	for name, form := range map[string]string{"exact": "happened-%d", "prefix": "thing-%d.*"} {
		b.Run(name, func(b *testing.B) {
			few, many := newSubject(form, 10), newSubject(form, 10_000)
			b.ReportAllocs()
			for b.Loop() {
				few.matchSome()
				many.matchSome()
			}
			b.ReportMetric(float64(few.took.Nanoseconds())/float64(few.matches), "ns/10-rules")
			b.ReportMetric(float64(many.took.Nanoseconds())/float64(many.matches), "ns/10000-rules")
			b.ReportMetric(float64(many.took)/float64(few.took), "ratio")
		})
	}
}

type subject struct {
	table   *route.Table
	types   []string
	matches int
	took    time.Duration
}

func newSubject(form string, rules int) *subject {
	s := &subject{types: make([]string, rules)}
	list := make([]route.Rule, rules)
	for i := range list {
		pattern := fmt.Sprintf(form, i)
		list[i] = route.Rule{Types: []string{pattern}}
		s.types[i] = strings.ReplaceAll(pattern, "*", "created")
	}
	s.table = route.New(list)
	return s
}

// matchSome matches enough events for the clock's own cost not to count.
func (s *subject) matchSome() {
	began := time.Now()
	for range 1000 {
		s.table.Match(s.types[s.matches%len(s.types)])
		s.matches++
	}
	s.took += time.Since(began)
}
