package route_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/route"
)

func explain(t testing.TB, types []string, filter string, e route.Event) *route.Mismatch {
	t.Helper()
	r := route.Rule{Types: types}
	if filter != "" {
		r.Filter = parse(t, filter)
	}
	return route.Explain(r, e)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	e := route.Event{
		Type: "push", Source: "github", Trust: "verified", Header: map[string]string{"x-a": "<1>"},
		Data: []byte(`{"n": 9007199254740993.10, "a.b": 1, "o": {"p": true}, "empty": [],
			"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}, {"sku": "a", "n": 3}]}`),
	}
	for name, test := range map[string]struct {
		types  []string
		filter string
		event  *route.Event
		want   *route.Mismatch
	}{
		"it matches": {[]string{"pu*"}, `{"data": {"o": {"p": [true]}}}`, nil, nil},
		"no filter":  {nil, "", nil, nil},
		"the type": {[]string{"ping", "pull.*"}, `{"data": {"n": [1]}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "type", At: "types", Wanted: `["ping","pull.*"]`,
			Found: []string{`"push"`},
		}},
		"the type alone": {[]string{"ping"}, `{"source": ["github"]}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "type", At: "types", Wanted: `["ping"]`,
			Found: []string{`"push"`}, Alone: true,
		}},
		"no type": {[]string{"ping"}, "", &route.Event{Source: "a"}, &route.Mismatch{
			Cause: route.Differs, Field: "type", At: "types", Wanted: `["ping"]`, Alone: true,
		}},
		"a number keeps its digits": {
			nil, `{"data": {"n": [{"numeric": ["<", 1e3]}, 5.0]}}`, nil, &route.Mismatch{
				Cause: route.Differs, Field: "data.n", At: "data.n",
				Wanted: `[{"numeric":["<",1e3]},5.0]`, Found: []string{"9007199254740993.10"},
				Alone: true,
			},
		},
		"the first of two": {
			nil, `{"data": {"n": [1], "o": {"p": [false]}}}`, nil, &route.Mismatch{
				Cause: route.Differs, Field: "data.n", At: "data.n", Wanted: `[1]`,
				Found: []string{"9007199254740993.10"},
			},
		},
		"the one that fails of three": {
			nil, `{"data": {"n": [{"exists": true}], "o": {"p": [false]}}, "source": ["github"]}`,
			nil, &route.Mismatch{
				Cause: route.Differs, Field: "data.o.p", At: "data.o.p", Wanted: `[false]`,
				Found: []string{"true"}, Alone: true,
			},
		},
		"nothing there": {nil, `{"data": {"o": {"q": ["x"]}}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "data.o.q", At: "data.o.q", Wanted: `["x"]`, Alone: true,
		}},
		"an object there": {nil, `{"data": {"o": ["x"]}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "data.o", At: "data.o", Wanted: `["x"]`,
			Found: []string{"{…}"}, Alone: true,
		}},
		"an empty array there": {nil, `{"data": {"empty": ["x"]}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "data.empty", At: "data.empty", Wanted: `["x"]`,
			Found: []string{"[]"}, Alone: true,
		}},
		"no one element has both": {
			nil, `{"data": {"items": {"sku": ["a"], "n": [2]}}}`, nil, &route.Mismatch{
				Cause: route.Differs, Field: "data.items.n", At: "data.items.n", Wanted: `[2]`,
				Found: []string{"1", "2", "3"}, Alone: true,
			},
		},
		"a name with a dot": {nil, `{"data": {"a.b": [2]}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: `data["a.b"]`, At: `data["a.b"]`, Wanted: `[2]`,
			Found: []string{"1"}, Alone: true,
		}},
		"a header": {nil, `{"headers": {"x-a": ["<2>"]}}`, nil, &route.Mismatch{
			Cause: route.Differs, Field: "headers.x-a", At: "headers.x-a", Wanted: `["<2>"]`,
			Found: []string{`"<1>"`}, Alone: true,
		}},
		"within $or, what would be enough": {
			nil, `{"source": ["github"], "$or": [
				{"data": {"n": [1], "o": {"p": [false]}}}, {"trust": ["unverified"]}]}`, nil,
			&route.Mismatch{
				Cause: route.Differs, Field: "trust", At: "$or[1].trust", Wanted: `["unverified"]`,
				Found: []string{`"verified"`}, Alone: true,
			},
		},
		"data that cannot be read": {
			nil, `{"data": {"n": [1]}, "source": ["github"]}`,
			&route.Event{Source: "github", Opaque: true}, &route.Mismatch{
				Cause: route.Unreadable, Field: "data.n", At: "data.n", Wanted: `[1]`, Alone: true,
			},
		},
		"data that cannot be read, and another source": {
			nil, `{"data": {"n": [1]}, "source": ["github"]}`,
			&route.Event{Source: "gitlab", Opaque: true}, &route.Mismatch{
				Cause: route.Differs, Field: "source", At: "source", Wanted: `["github"]`,
				Found: []string{`"gitlab"`},
			},
		},
		"no data": {nil, `{"data": {"n": [1]}}`, &route.Event{Source: "a"}, &route.Mismatch{
			Cause: route.Differs, Field: "data.n", At: "data.n", Wanted: `[1]`, Alone: true,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.event == nil {
				test.event = &e
			}
			got := explain(t, test.types, test.filter, *test.event)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplain_WhatItShowsIsBounded(t *testing.T) {
	t.Parallel()
	values := make([]string, 30)
	for i := range values {
		values[i] = strconv.Itoa(i%20) + strings.Repeat("é", 200)
	}
	data, err := json.Marshal(map[string]any{"a": values})
	if err != nil {
		t.Fatal(err)
	}
	m := explain(t, nil, `{"data": {"a": ["x"]}}`, route.Event{Data: data})
	if len(m.Found) != route.MaxFound {
		t.Errorf("%d values", len(m.Found))
	}
	for _, v := range m.Found {
		if len(v) > route.MaxFoundBytes+len("…") || !strings.HasSuffix(v, "é…") {
			t.Errorf("%q", v)
		}
	}
}

// A filter that is too expensive to decide is too expensive to explain.
func TestExplain_IsBounded(t *testing.T) {
	t.Parallel()
	var wilds []string
	for i := range 40 {
		wilds = append(wilds, `{"wildcard": "*a*a*a*`+strconv.Itoa(i)+`x*"}`)
	}
	filter := `{"data": {"a": [` + strings.Join(wilds, ",") + `]}}`
	long := strings.Repeat("a", 100)
	data := []byte(`{"a": [` + strings.Repeat(`"`+long+`b","`+long+`c",`, 20_000) + `1]}`)
	e := route.Event{Data: data}
	m := explain(t, nil, filter, e)
	if m == nil || m.Cause != route.TooCostly {
		t.Errorf("%+v", m)
	}
}

// anything is a list that every value matches, and none as well.
var anything = []any{map[string]any{"exists": true}, map[string]any{"exists": false}}

// loosened returns a filter in which the list at a place is replaced by anything.
func loosened(t testing.TB, filter, at string) string {
	t.Helper()
	var walk func(v any, here string) any
	done := false
	walk = func(v any, here string) any {
		switch v := v.(type) {
		case []any:
			if here == at {
				done = true
				if strings.HasSuffix(here, "source") {
					return anything[:1]
				}
				return anything
			}
			for i := range v {
				v[i] = walk(v[i], here+"["+strconv.Itoa(i)+"]")
			}
		case map[string]any:
			for name := range v {
				v[name] = walk(v[name], strings.TrimPrefix(here+"."+name, "."))
			}
		}
		return v
	}
	out, err := json.Marshal(walk(decoded(t, filter), ""))
	if err != nil || !done {
		t.Fatalf("%s has no list at %s (%v)", filter, at, err)
	}
	return string(out)
}

// lists returns the places of a filter's lists.
func lists(v any, here string) []string {
	var found []string
	switch v := v.(type) {
	case []any:
		if !strings.HasSuffix(here, "$or") {
			return []string{here}
		}
		for i := range v {
			found = append(found, lists(v[i], here+"["+strconv.Itoa(i)+"]")...)
		}
	case map[string]any:
		for name := range v {
			found = append(found, lists(v[name], strings.TrimPrefix(here+"."+name, "."))...)
		}
	}
	return found
}

// checkExplained checks an explanation against the definition of filters: there is one exactly if
// the filter does not match. If it says that a list is alone, the filter without that list matches.
// If it says that none is, then no list is. And whoever removes one explained list after the other
// comes to a filter that matches.
func checkExplained(t testing.TB, filter string, e route.Event) (alone bool, steps int) {
	t.Helper()
	for seen := map[string]bool{}; ; steps++ {
		m := explain(t, nil, filter, e)
		if matches := meant(t, filter, e); matches != (m == nil) {
			t.Fatalf("filter %s, event %+v, body %s: matches: %v, explanation %+v",
				filter, e, e.Data, matches, m)
		}
		if m == nil {
			return alone, steps
		}
		if seen[m.At] || m.Cause != route.Differs || m.Wanted == "" {
			t.Fatalf("filter %s, body %s: explained %v: %+v", filter, e.Data, seen, m)
		}
		seen[m.At] = true
		next := loosened(t, filter, m.At)
		if enough := meant(t, next, e); enough != m.Alone {
			t.Fatalf("filter %s, body %s: %+v, but without it the filter matches: %v",
				filter, e.Data, m, enough)
		}
		if alone = m.Alone; !alone && steps == 0 {
			for _, at := range lists(decoded(t, filter), "") {
				if meant(t, loosened(t, filter, at), e) {
					t.Fatalf("filter %s, body %s: %s is alone, not %+v", filter, e.Data, at, m)
				}
			}
		}
		filter = next
	}
}

func TestExplanationsAgreeWithTheDefinition(t *testing.T) {
	t.Parallel()
	s := scribe{rand.New(rand.NewPCG(3, 4))}
	counts := map[int]int{}
	for range 3000 {
		text := s.filter()
		if _, err := route.ParseFilter([]byte(text)); err != nil {
			continue
		}
		_, steps := checkExplained(t, text, s.event())
		counts[steps]++
	}
	for steps := range 4 {
		if counts[steps] < 50 {
			t.Errorf("explanations by number of lists: %v; too one-sided to tell anything", counts)
		}
	}
}

// An event that cannot be read is explained as the table decides it.
func TestExplanationsOfUnreadableEventsAgreeWithTheTable(t *testing.T) {
	t.Parallel()
	s := scribe{rand.New(rand.NewPCG(5, 6))}
	counts := map[route.Cause]int{}
	for range 3000 {
		text := s.filter()
		filter, err := route.ParseFilter([]byte(text))
		if err != nil {
			continue
		}
		e := s.event()
		e.Data, e.Opaque = nil, true
		r := route.Rule{Types: pick(s, nil, []string{"a*"}), Filter: filter}
		result := route.New([]route.Rule{r}).Match(e)
		m, want := route.Explain(r, e), route.Differs
		switch {
		case slices.Contains(result.Rules, 0):
			if m != nil {
				t.Fatalf("filter %s, event %+v: it matches, and yet %+v", text, e, m)
			}
			counts[""]++
			continue
		case slices.Contains(result.Undecided, 0):
			want = route.Unreadable
		}
		if m == nil || m.Cause != want {
			t.Fatalf("filter %s, event %+v: want %s, got %+v", text, e, want, m)
		}
		counts[want]++
	}
	if counts[""] < 50 || counts[route.Differs] < 50 || counts[route.Unreadable] < 50 {
		t.Errorf("%v: too one-sided to tell anything", counts)
	}
}

// An event that has a wanted value in the place that is alone matches.
func TestExplain_AWantedValueInItsPlaceMatches(t *testing.T) {
	t.Parallel()
	s := scribe{rand.New(rand.NewPCG(7, 8))}
	changed := 0
	for range 3000 {
		scalars := map[string]string{}
		for _, name := range []string{"a", "b", "c"} {
			scalars[name] = s.scalar()
		}
		want := map[string]string{}
		for range 1 + s.IntN(3) {
			want[s.name()] = "[" + s.scalar() + "]"
		}
		filter := `{"data": ` + object(want) + "}"
		m := explain(t, nil, filter, route.Event{Data: []byte(object(scalars))})
		if m == nil || !m.Alone {
			continue
		}
		changed++
		field, _ := strings.CutPrefix(m.Field, "data.")
		scalars[field] = strings.Trim(m.Wanted, "[]")
		if again := explain(
			t, nil, filter, route.Event{Data: []byte(object(scalars))},
		); again != nil {
			t.Fatalf("filter %s, event %s: %+v", filter, object(scalars), again)
		}
	}
	if changed < 500 {
		t.Errorf("only %d changed", changed)
	}
}
