package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/document"
)

func TestValid(t *testing.T) {
	t.Parallel()
	for _, text := range syntax {
		if _, ok := document.Valid([]byte(text)); ok != json.Valid([]byte(text)) {
			t.Errorf("Valid(%q) = %t", text, ok)
		}
	}
}

// syntax holds valid and invalid texts.
var syntax = []string{
	``, ` `, `{}`, `[]`, `{"a":{}}`, `[[],{}]`, `{"a":1,"b":[true,false,null]}`, `1`, `-1`, `0`,
	`-0.5e+10`, `1E5`, `"a"`, `"\u00e9\n"`,
	`01`, `1.`, `.5`, `-`, `1e`, `+1`, `1x`, `tru`, `truex`, `nul`, `{`, `[`, `{]`, `[}`, `{"a"}`,
	`{"a":}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`,
	`{"a":1 "b":2}`, `{1:2}`, `[1 2]`, `[1]]`, `{}{}`, `"a`, `"\x"`, `"\u12"`, `"\u12zz"`, "\"\n\"",
	"\"01234567\x1f01234567\"", `"01234567\`,
	`{"a":"\ud83d\ude00\ud800x\ud800\u0041\udc00\ud800\ud800"}`, `/* a */ {}`, `{"a":1} // b`,
	`{"a":/**/1}`, `{'a':1}`, `[1]` + "\x00", "\x00", `{"a":"b"` + "\u00a0}", `"` + "\x7f" + `"`,
	`"` + strings.Repeat("a", 100) + `"`, `"` + strings.Repeat(`\\`, 20) + `"`, `"` +
		strings.Repeat(`\\`, 20) + `\"`,
	strings.Repeat("[", 3000) + strings.Repeat("]", 3000), strings.Repeat(`{"a":[`, 1100) +
		strings.Repeat("]}", 1100),
	strings.Repeat("[", 2000) + strings.Repeat("]", 1999) + "}",
}

func TestFind(t *testing.T) {
	t.Parallel()
	paths := [][]string{{"a"}, {"a", "b"}, {"l", "0", "x"}}
	tests := map[string]struct {
		text   string
		want   []string
		strict error // what the strict reader says; nil: the same
	}{
		"nothing there": {`{"z":1}`, []string{"", "", ""}, nil},
		"values as they are written": {
			`{"a" : { "b" : 1.50 } }`, []string{`{ "b" : 1.50 }`, "1.50", ""}, nil,
		},
		"no object": {`[1]`, []string{"", "", ""}, nil},
		"the first element": {
			`{"l":[{"x":"1"},{"x":"2"}]}`, []string{"", "", `"1"`}, nil,
		},
		"an empty list":        {`{"l":[]}`, []string{"", "", ""}, nil},
		"an object is no list": {`{"l":{"0":{"x":1}}}`, []string{"", "", "1"}, nil},
		"an escaped name":      {`{"\u0061":1}`, []string{"1", "", ""}, nil},
		"the last of two counts": {
			`{"a":{"b":1},"a":2}`, []string{"2", "", ""}, document.ErrAmbiguous,
		},
		"escaped doubles": {
			`{"a":1,"\u0061":2}`, []string{"2", "", ""}, document.ErrAmbiguous,
		},
		"doubles within": {
			`{"a":{"b":1,"b":2}}`, []string{`{"b":1,"b":2}`, "2", ""}, document.ErrAmbiguous,
		},
		"doubles elsewhere": {`{"z":1,"z":2,"a":3}`, []string{"3", "", ""}, nil},
		"another case": {
			`{"a":1,"A":2}`, []string{"1", "", ""}, document.ErrAmbiguous,
		},
		"another case, beyond ASCII": {`{"\u212A":1,"a":1}`, []string{"1", "", ""}, nil},
		"a broken text":              {`{"a":1,"l":}`, nil, document.ErrSyntax},
		"a text that goes on":        {`{"a":1}x`, nil, document.ErrSyntax},
		"a comment":                  {`{"a":1/*,"a":2*/}`, nil, document.ErrSyntax},
		"bytes that are not UTF-8": {
			"{\"a\":1,\"z\":\"\xff\"}", []string{"1", "", ""}, document.ErrSyntax,
		},
		"a member of the same value": {
			`{"a":{"b":{"a":{"b":5}}}}`, []string{`{"b":{"a":{"b":5}}}`, `{"a":{"b":5}}`, ""}, nil,
		},
		"a byte order mark before it": {"\uFEFF" + `{"a":1}`, []string{"1", "", ""}, nil},
		"white space around":          {"\n\t {\"a\":1}\r\n", []string{"1", "", ""}, nil},
		"deeper than all bounds below": {
			`{"z":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"a":1}`,
			[]string{"1", "", ""}, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := document.NewPaths(paths...).Find([]byte(test.text), nil)
			if want := errors.Is(test.strict, document.ErrSyntax) &&
				test.want == nil; errors.Is(err, document.ErrSyntax) != want {
				t.Fatalf("the error is %v", err)
			}
			if diff := cmp.Diff(orEmpty(test.want, 3), texts(got)); diff != "" {
				t.Error(diff)
			}
			got, err = document.NewStrictPaths(paths...).Find([]byte(test.text), nil)
			if !errors.Is(err, test.strict) || (err != nil) != (test.strict != nil) {
				t.Errorf("strictly, the error is %v, want %v", err, test.strict)
			}
			if want := test.want; err == nil && !slices.Equal(texts(got), want) || err != nil &&
				!slices.Equal(texts(got), []string{"", "", ""}) {
				t.Errorf("strictly, found %q", got)
			}
		})
	}
}

func orEmpty(list []string, n int) []string {
	if list == nil {
		return make([]string, n)
	}
	return list
}

func texts(values [][]byte) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

func TestFindAllocatesNothing(t *testing.T) {
	paths := document.NewStrictPaths([]string{"data", "id"}, []string{"type"})
	for name, body := range map[string]string{
		"usual": `{"id":"evt_1","data":{"id":"x","list":[1,2,{"a":"b"}]},"type":"a.b"}`,
		"long name": `{"` + strings.Repeat("n", 1<<16) + `":{` +
			strings.Repeat(`"00000":0,`, 1<<12) + `"a":1},"type":"a"}`,
		"deep": strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		var room [2][]byte
		text := []byte(body)
		if n := testing.AllocsPerRun(10, func() { _, _ = paths.Find(text, room[:0]) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestMembersAndElements(t *testing.T) {
	t.Parallel()
	var members []string
	for name, value := range document.Members([]byte(`{ "a" : 1 , "b\n":{"c":[2]} }`)) {
		members = append(members, name+"="+string(value))
	}
	if diff := cmp.Diff([]string{"a=1", "b\n={\"c\":[2]}"}, members); diff != "" {
		t.Error(diff)
	}
	var elements []string
	for value := range document.Elements([]byte(` [ 1 , {"a":[2,3]} ,"x"]`)) {
		elements = append(elements, string(value))
	}
	if diff := cmp.Diff([]string{"1", `{"a":[2,3]}`, `"x"`}, elements); diff != "" {
		t.Error(diff)
	}
	for range document.Members([]byte(`[1]`)) {
		t.Error("a list has members")
	}
	for range document.Elements([]byte(`{}`)) {
		t.Error("an object has elements")
	}
}

// FuzzValid compares the scanner with encoding/json.
func FuzzValid(f *testing.F) {
	for _, text := range syntax {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		depth, ok := document.Valid(text)
		if want := json.Valid(text); depth <= document.MaxDepth && ok != want {
			t.Fatalf("Valid(%q) = %t", text, ok)
		}
	})
}

// FuzzFind compares the values found with those that encoding/json decodes.
func FuzzFind(f *testing.F) {
	for _, text := range append(syntax, `{"a":{"b":1},"a":{"c":[{"b":"\u0041"}]}}`) {
		f.Add([]byte(text))
	}
	paths := document.NewPaths([]string{"a"}, []string{"a", "b"}, []string{"a", "c", "0", "b"})
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := paths.Find(text, nil)
		text = bytes.TrimPrefix(text, []byte("\uFEFF"))
		var value any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if failed := decoder.Decode(&value); !json.Valid(text) || failed != nil {
			if depth, _ := document.Valid(text); err == nil && depth <= document.MaxDepth {
				t.Fatalf("found %q in what is no JSON", found)
			}
			return // or deeper than encoding/json goes
		}
		a := walk(value, "a")
		for i, want := range []any{a, walk(a, "b"), walk(a, "c", "0", "b")} {
			if got := document.Scalar(found[i]); got != scalarOf(want) {
				t.Fatalf("path %d of %q: %q, want %q", i, text, got, scalarOf(want))
			}
		}
	})
}

func walk(value any, path ...string) any {
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if value = nil; name == "0" && len(v) > 0 {
				value = v[0]
			}
		default:
			return nil
		}
	}
	return value
}

func scalarOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// FuzzRead checks that a document is valid JSON, whatever the body.
func FuzzRead(f *testing.F) {
	f.Add(formType, []byte("a=1&payload={}"), "payload", false)
	f.Add("", []byte("--b\r\n"+part("a", "1")+"\r\n--b--"), "", false)
	f.Add("", []byte(token(`{"data":"{\"data\":\"1\"}"}`)), "", true)
	f.Fuzz(func(t *testing.T, contentType string, body []byte, field string, isToken bool) {
		h := document.Holder{Field: field, Token: isToken}
		if isToken {
			h.Claim, h.Inline = "data", "data"
		}
		doc := document.Read(contentType, body, h)
		if _, ok := document.Valid(doc.Text); doc.Text != nil && !ok {
			t.Fatalf("the document %q is no JSON", doc.Text)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	body := []byte(
		`{"id":"evt_1","data":{"object":{"` + strings.Repeat(
			`name":"some text of usual length","`, 28,
		) + `id":1}},"type":"a.b"}`,
	)
	paths := document.NewPaths([]string{"id"}, []string{"type"})
	b.Run("Find", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		var room [2][]byte
		for b.Loop() {
			_, _ = paths.Find(body, room[:0])
		}
	})
	b.Run("reference=json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			json.Valid(body)
		}
	})
}
