package route_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/route"
)

// bound returns how many steps an event may cost.
func bound(e route.Event) int { return route.BaseSteps + route.StepsPerByte*len(e.Data) }

// repeated returns a comma-separated list of the results of one for 0, 1, ….
func repeated(n int, one func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(one(i))
	}
	return b.String()
}

// always returns a function for repeated that always returns the same string.
func always(s string) func(int) string { return func(int) string { return s } }

// either returns a function for repeated that returns two strings in turn, because a match keeps
// only one of equal values in a row.
func either(a, b string) func(int) string {
	return func(i int) string { return []string{a, b}[i%2] }
}

// filled returns a JSON array of about size bytes, with text before and after it.
func filled(before string, size int, one func(i int) string, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(one(i))
	}
	return b.String() + after
}

// hostile is an event with the highest possible cost, and the filters that cause it. None of them
// matches.
type hostile struct {
	filters []string
	body    string
	decided bool // the bound is sufficient
}

// listed returns one filter on data.n for each list of conditions.
func listed(lists ...string) []string {
	var filters []string
	for _, l := range lists {
		filters = append(filters, `{"data": {"n": [`+l+"]}}")
	}
	return filters
}

func each(n int, form string) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(form, i))
	}
	return out
}

func hostiles(size int) map[string]hostile {
	array := func(one func(i int) string) string { return filled(`{"n":[`, size, one, "]}") }
	count := func(form string) func(int) string {
		return func(i int) string { return fmt.Sprintf(form, i) }
	}
	numeric := count(`{"numeric":["=",-%d.5]}`)
	block := func(i int) string { return fmt.Sprintf(`{"cidr":"10.%d.%d.0/24"}`, i%256, i/256) }
	wildcard := count(`{"wildcard":"*a*b*%d*"}`)
	or := func(depth int) string {
		return `"$or":[` + repeated(
			depth, count(`{"a":[{"numeric":[">",0]}],"b":[{"prefix":"%d"}]}`),
		) + "]"
	}
	fold := `{"equals-ignore-case":"` + strings.Repeat("é", 900) + `%d"}`
	return map[string]hostile{
		"equal numbers, one filter": {
			listed(repeated(110, numeric)), array(always("1")), true,
		},
		"numbers, one filter": {
			listed(repeated(110, numeric)), array(count("%d")), true,
		},
		"numbers, many filters": {
			listed(each(500, `{"numeric":["<",-%d]}`)...), array(count("%d")), false,
		},
		"empty strings, one filter": {listed(repeated(150, block)), array(always(`""`)), true},
		"empty strings, many filters": {
			listed(each(250, `{"cidr":"10.0.%d.0/24"}`)...), array(either(`""`, `"a"`)), false,
		},
		"addresses, one filter": {
			listed(repeated(150, block)), array(count(`"11.0.0.%d"`)), true,
		},
		"short addresses, many filters": {
			listed(each(250, `{"cidr":"10.0.%d.0/24"}`)...), array(either(`"::"`, `"::1"`)), false,
		},
		"almost addresses, many filters": {
			listed(each(250, `{"cidr":"10.0.%d.0/24"}`)...), array(either(`"1..."`, `":::"`)),
			false,
		},
		"short strings, wildcards": {
			listed(repeated(150, wildcard)), array(either(`"a"`, `"ab"`)), false,
		},
		"strings, wildcards": {
			listed(repeated(150, wildcard)),
			array(either(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"`, `"aaaaaaaaaaaaaaaaab"`)), false,
		},
		"one string, wildcards": {
			listed(repeated(150, wildcard)), `{"n":"` + strings.Repeat("ab", size/2) + `x"}`, false,
		},
		"one string, many stars": {
			listed(`{"wildcard":"` + strings.Repeat("*a", 1900) + `b*c"}`),
			`{"n":"` + strings.Repeat("a", size) + `c"}`, true,
		},
		"capitals, folded": {
			listed(repeated(2, count(fold))),
			array(either(`"`+strings.Repeat("É", 900)+`x"`, `"`+strings.Repeat("É", 900)+`y"`)),
			true,
		},
		"short capitals, folded": {
			listed(repeated(90, count(`{"equals-ignore-case":"é%d"}`))),
			array(either(`"É"`, `"Éa"`)), false,
		},
		"long prefixes": {
			listed(each(1000, `{"prefix":"`+strings.Repeat("a", 3900)+`%d"}`)...),
			array(either(`"`+strings.Repeat("a", 3900)+`x"`, `"`+strings.Repeat("a", 3900)+`y"`)),
			false,
		},
		"long exact values": {
			listed(
				`"` + strings.Repeat("a", 1300) + `b","` + strings.Repeat("a", 1300) +
					`c",{"exists":false}`,
			),
			array(either(`"`+strings.Repeat("a", 1300)+`d"`, `"`+strings.Repeat("a", 1300)+`e"`)),
			true,
		},
		"escapes": {listed(`{"prefix":"x"}`), array(either(`"\\u0061"`, `"\\u0062"`)), true},
		"exponents": {
			listed(`{"numeric":["<",0]}`), array(either(`1e99999999999`, `2e99999999999`)), true,
		},
		"objects, $or": {
			[]string{`{"data":{"n":{` + or(60) + `}}}`}, array(always(`{"a":1,"b":1}`)), false,
		},
		"nested objects, $or": {[]string{
			`{"data":{"n":{"m":{` + or(40) +
				`},"$or":[{"y":[{"exists":false}]},{"z":[{"exists":false}]}]}}}`,
		},
			array(always(`{"m":[{"a":1,"b":1},{"a":1},{"a":1}]}`)), false},
		"empty objects": {
			[]string{`{"data":{"n":{"a":[{"exists":false}],"b":[1]}}}`}, array(always("{}")), true,
		},
		"one name again and again": {
			[]string{`{"data":{"a":[7],"b":[8]}}`},
			filled("{", size, either(`"a":1`, `"b":1`), "}"), true,
		},
		"an absent field in each": {
			[]string{`{"data":{"n":{"a":[{"exists":false}],"b":[{"exists":false}]}}}`},
			array(always(`{"a":1}`)), true,
		},
		"values that lead to all rules": {
			each(900, `{"data":{"n":["1"],"b":[{"prefix":"%d"}]}}`), array(either(`"1"`, `"2"`)),
			true,
		},
		"two numbers in turn, one filter": {
			listed(repeated(110, numeric)), array(either("1", "2")), true,
		},
	}
}

// TestNoEventCostsMoreThanItsBound checks that, whatever the filters, the steps and the allocations
// stay within a multiple of the event's size, and that undecided rules are reported. It is not
// parallel, so that nothing else allocates meanwhile.
func TestNoEventCostsMoreThanItsBound(t *testing.T) {
	const size = 1 << 20
	for name, h := range hostiles(size) {
		t.Run(name, func(t *testing.T) {
			table, event := h.table(t), route.Event{Data: []byte(h.body)}
			if !json.Valid(event.Data) || !utf8.Valid(event.Data) {
				t.Fatal("no JSON")
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := table.Match(event)
			runtime.ReadMemStats(&after)
			if got.Steps > bound(event) {
				t.Errorf("%d steps, the bound is %d", got.Steps, bound(event))
			}
			if got.Rules != nil || (got.Undecided == nil) != h.decided {
				t.Errorf(
					"matches %v, undecided %d of %d, want decided: %v", got.Rules,
					len(got.Undecided), len(h.filters), h.decided,
				)
			}
			const most = 96
			if ratio := float64(
				after.TotalAlloc-before.TotalAlloc,
			) / float64(len(event.Data)); ratio > most {
				t.Errorf(
					"allocates %.0f bytes for each of the event's, want at most %d", ratio, most,
				)
			}
			if again := table.Match(event); again.Steps != got.Steps ||
				!slices.Equal(again.Undecided, got.Undecided) {
				t.Errorf("then %d steps and now %d", got.Steps, again.Steps)
			}
		})
	}
}

func (h hostile) table(t testing.TB) *route.Table {
	t.Helper()
	var rules []route.Rule
	for _, filter := range h.filters {
		rules = append(rules, route.Rule{Filter: parse(t, filter)})
	}
	return route.New(rules)
}

// TestManyConditionsOfAListCostLittleMoreThanOne checks that a value is compared with all numbers
// and blocks of a list in one search.
func TestManyConditionsOfAListCostLittleMoreThanOne(t *testing.T) {
	t.Parallel()
	steps := func(n int, form, value string) int {
		filter := parse(t, listed(repeated(n, func(i int) string {
			return fmt.Sprintf(form, i)
		}))[0])
		event := route.Event{Data: []byte(filled(`{"n":[`, 10_000, always(value), "]}"))}
		return route.New([]route.Rule{{Filter: filter}}).Match(event).Steps
	}
	for form, value := range map[string]string{
		`{"numeric":["=",%d]}`: "1000", `{"cidr":"10.0.%d.0/24"}`: `"11.0.0.0"`,
		`"value-%d"`: `"value"`,
	} {
		if one, many := steps(1, form, value), steps(110, form, value); many > 4*one {
			t.Errorf("%s: %d steps with one, %d with 110", form, one, many)
		}
	}
}

// TestCostlyFilterLeavesTheOthersTheirs checks that only the rule that needs too many steps is
// undecided.
func TestCostlyFilterLeavesTheOthersTheirs(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	costly := parse(t, listed(repeated(150, func(i int) string {
		return fmt.Sprintf(`{"wildcard":"*a*%d*"}`, i)
	}))[0])
	cheap := parse(t, `{"data": {"n": [{"suffix": "x"}], "m": [1]}}`)
	other := parse(t, `{"data": {"m": [{"numeric": [">", 1]}]}}`)
	beside := parse(
		t,
		`{"$or": [{"source": ["app"]}, {"data": {"n": [{"wildcard": "*a*b*c*"}, {"prefix": "y"}]}}]}`,
	)
	table := route.New([]route.Rule{{Filter: costly}, {Filter: cheap}, {Filter: other}, {}, {
		Types: []string{"t"}, Filter: costly,
	},
		{Filter: beside}, {Types: []string{"u"}, Filter: costly}})
	event := route.Event{
		Type: "t", Source: "app",
		Data: []byte(`{"m":1,"n":"` + strings.Repeat("ab", size/2) + `x"}`),
	}
	got := table.Match(event)
	if diff := cmp.Diff(
		route.Result{Rules: []int{1, 3, 5}, Undecided: []int{0, 4}, Steps: got.Steps}, got,
	); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestOpaqueEvents checks that no condition on data holds, and that the rules that depend on one
// are reported.
func TestOpaqueEvents(t *testing.T) {
	t.Parallel()
	filters := []string{
		0: `{"data": {"a": [1]}}`,
		1: `{"data": {"a": [{"exists": false}]}}`,
		2: `{"data": {"a": [{"anything-but": 1}]}}`,
		3: `{"data": [{"exists": false}]}`,
		4: `{"trust": ["verified"], "data": {"a": [{"exists": true}]}}`,
		5: `{"trust": ["unverified"], "data": {"a": [{"exists": false}]}}`,
		6: `{"$or": [{"source": ["app"]}, {"data": {"a": [1]}}]}`,
		7: `{"$or": [{"source": ["other"]}, {"data": {"a": [{"exists": false}]}}]}`,
		8: `{"$or": [{"source": ["other"]}, {"type": ["u"], "data": {"a": [{"exists": false}]}}]}`,
		9: `{"headers": {"x-a": ["b"]}, "data": {"a": [1]}}`,
	}
	var rules []route.Rule
	for _, filter := range filters {
		rules = append(rules, route.Rule{Filter: parse(t, filter)})
	}
	rules = append(
		rules, route.Rule{}, route.Rule{Types: []string{"t"}, Filter: parse(t, filters[1])},
		route.Rule{Types: []string{"u"}, Filter: parse(t, filters[1])},
	)
	event := route.Event{
		Type: "t", Source: "app", Trust: "verified", Header: map[string]string{"x-a": "a"},
		Opaque: true,
	}
	got := route.New(rules).Match(event)
	want := route.Result{
		Rules: []int{6, 10}, Undecided: []int{0, 1, 2, 3, 4, 7, 11}, Steps: got.Steps,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// FuzzSteps checks the bound for any filter and event, and that undecided rules are within it.
func FuzzSteps(f *testing.F) {
	f.Add(
		[]byte(`{"data": {"a": [{"wildcard": "*a*a*b"}, {"cidr": "10.0.0.0/8"}]}}`),
		[]byte(`{"a": ["aaa", "10.0.0.1"]}`), uint64(1),
	)
	f.Add(
		[]byte(
			`{"$or": [{"data": {"a": {"b": [1]}}}, {"data": {"a": {"b": [{"exists": false}]}}}]}`,
		),
		[]byte(`{"a": [{"b": 1}, {}]}`), uint64(2),
	)
	f.Add(
		[]byte(
			`{"data": [{"equals-ignore-case": "é"}, {"numeric": [">", 1]}, {"anything-but": {"prefix": "É"}}]}`,
		),
		[]byte(`["É", 1e9, "x"]`), uint64(3),
	)
	f.Fuzz(func(t *testing.T, text, body []byte, seed uint64) {
		if !json.Valid(body) || !utf8.Valid(body) {
			return
		}
		s := scribe{rand.New(rand.NewPCG(seed, seed))}
		var rules []route.Rule
		for _, text := range []string{string(text), s.filter(), s.filter()} {
			if filter, err := route.ParseFilter([]byte(text)); err == nil {
				rules = append(rules, route.Rule{Filter: filter})
			}
		}
		// So many copies that the event is expensive, while the fuzzer has little to read.
		one := route.Event{Type: "t", Source: "app", Data: body}
		many := route.Event{
			Type: "t", Source: "app",
			Data: []byte("[" + repeated(20_000/(len(body)+1)+1, always(string(body))) + "]"),
		}
		for _, e := range []route.Event{one, many} {
			got := route.New(rules).Match(e)
			if got.Steps > bound(e) {
				t.Errorf("%d steps, the bound is %d", got.Steps, bound(e))
			}
			for _, rule := range got.Undecided {
				if slices.Contains(got.Rules, rule) {
					t.Errorf("rule %d matches and is undecided", rule)
				}
			}
		}
	})
}

// BenchmarkHostile matches events of 4 MiB and reports the cost of a byte and of a step.
func BenchmarkHostile(b *testing.B) {
	for name, h := range hostiles(4 << 20) {
		b.Run(name, func(b *testing.B) {
			table, event := h.table(b), route.Event{Data: []byte(h.body)}
			b.ReportAllocs()
			steps := 0
			for b.Loop() {
				steps = table.Match(event).Steps
			}
			took := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(took/float64(len(h.body)), "ns/byte")
			b.ReportMetric(float64(steps)/float64(bound(event)), "of-bound")
		})
	}
}
