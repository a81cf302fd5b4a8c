package document_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/document"
)

// steps reads a path such as a.0.*: * is each element, a number an element.
func steps(path string) []document.Step {
	var out []document.Step
	for _, part := range strings.Fields(strings.ReplaceAll(path, ".", " ")) {
		switch {
		case part == "*":
			out = append(out, document.Step{Each: true})
		case part[0] >= '0' && part[0] <= '9':
			out = append(out, document.Step{List: true, Index: int(part[0] - '0')})
		default:
			out = append(out, document.Step{Name: part})
		}
	}
	return out
}

func collect(t *testing.T, text string, paths ...string) [][]string {
	t.Helper()
	var all [][]document.Step
	for _, path := range paths {
		all = append(all, steps(path))
	}
	found, err := document.NewPlaces(all...).Collect([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := make([][]string, len(found))
	for i, extents := range found {
		for _, e := range extents {
			out[i] = append(out[i], text[e.From:e.To])
		}
	}
	return out
}

func TestCollect(t *testing.T) {
	t.Parallel()
	paths := []string{"", "a", "a.b", "l.*", "l.0", "l.2.x", "l.*.x", "l.*.*"}
	for text, want := range map[string][][]string{
		`7`: {{`7`}, nil, nil, nil, nil, nil, nil, nil},
		`{ "a" : { "b" : 1.50 } }`: {
			{`{ "a" : { "b" : 1.50 } }`}, {`{ "b" : 1.50 }`}, {`1.50`}, nil, nil, nil, nil, nil,
		},
		`{"l":[]}`: {{`{"l":[]}`}, nil, nil, nil, nil, nil, nil, nil},
		`{"l":{"0":{"x":1}}}`: {
			{`{"l":{"0":{"x":1}}}`}, nil, nil, nil, nil, nil, nil, nil,
		},
		`{"l":[1,[2,3],{"x":"\u00e9"},{"x":[4]}]}`: {
			{`{"l":[1,[2,3],{"x":"\u00e9"},{"x":[4]}]}`}, nil, nil,
			{`1`, `[2,3]`, `{"x":"\u00e9"}`, `{"x":[4]}`}, {`1`}, {`"\u00e9"`},
			{`"\u00e9"`, `[4]`}, {`2`, `3`},
		},
		// the last member of a name counts, with all that is in it
		`{"a":{"b":1},"\u0061":2}`: {
			{`{"a":{"b":1},"\u0061":2}`}, {`2`}, nil, nil, nil, nil, nil, nil,
		},
		`{"l":[{"x":1,"x":2},{"x":3}],"l":[{"x":4,"x":5,"x":6}]}`: {
			{`{"l":[{"x":1,"x":2},{"x":3}],"l":[{"x":4,"x":5,"x":6}]}`}, nil, nil,
			{`{"x":4,"x":5,"x":6}`}, {`{"x":4,"x":5,"x":6}`}, nil, {`6`}, nil,
		},
	} {
		if diff := cmp.Diff(want, collect(t, text, paths...)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{``, `{`, `{"a"}`, `[1`, `{"a":1}x`, `{"l":[1,]}`, `{"a":}`} {
		_, err := document.NewPlaces(steps("a"), steps("l.*")).Collect([]byte(text))
		if !errors.Is(err, document.ErrSyntax) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzCollect compares what is found with what encoding/json decodes.
func FuzzCollect(f *testing.F) {
	for _, text := range append(syntax, `{"a":[{"b":1},{"b":[2]},3],"a":[{"b":4}]}`) {
		f.Add([]byte(text))
	}
	places := document.NewPlaces(steps("a"), steps("a.*.b"), steps("a.1.b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := places.Collect(text)
		if depth, ok := document.Valid(text); (err == nil) != ok {
			t.Fatalf("%q: %v", text, err)
		} else if !ok || depth > document.MaxDepth {
			return
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return // numbers out of range
		}
		var want [3][]any
		if object, ok := value.(map[string]any); ok {
			if a, there := object["a"]; there {
				want[0] = append(want[0], a)
				list, _ := a.([]any)
				for i, element := range list {
					if b, there := member(element, "b"); there {
						want[1] = append(want[1], b)
						if i == 1 {
							want[2] = append(want[2], b)
						}
					}
				}
			}
		}
		for i := range want {
			var got []any
			for _, e := range found[i] {
				var v any
				if err := json.Unmarshal(text[e.From:e.To], &v); err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
			}
			if !reflect.DeepEqual(want[i], got) { // cmp.Diff takes minutes for deep values
				t.Errorf("place %d of %q: %v, want %v", i, text, got, want[i])
			}
		}
	})
}

func member(value any, name string) (any, bool) {
	object, _ := value.(map[string]any)
	v, ok := object[name]
	return v, ok
}

// FuzzAppendQuoted: what is quoted is read back.
func FuzzAppendQuoted(f *testing.F) {
	f.Add("a\"\\\n\r\t\x00\x1f\x7f\u2028é😀\xff")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := document.AppendQuoted(nil, text)
		var back, want string
		if err := json.Unmarshal(quoted, &back); err != nil {
			t.Fatalf("%q is %s, %v", text, quoted, err)
		}
		b, _ := json.Marshal(text)
		_ = json.Unmarshal(b, &want)
		if back != want {
			t.Errorf("%q is read back as %q", text, back)
		}
	})
}
