package transform_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"webhook-relay/shared/document"
	"webhook-relay/shared/transform"
)

// FuzzApply: whatever the specification and the document, a result is valid JSON in UTF-8 within
// the limit, and a request that can be sent.
func FuzzApply(f *testing.F) {
	f.Add(
		`{"body":{"a":["{data.x} {data.x[].y | upper}","{data}"],"b":"{data['x'][0] / 2}"}}`,
		invoice,
	)
	f.Add(`{"body":"{data.text | truncate(5) | json | replace('a', '\"')}"}`, invoice)
	f.Add(
		`{"path":"/a/{data.currency}","query":{"a":"{data.text}"},"headers":{"x":"{data.text}"}}`,
		invoice,
	)
	f.Add(
		`{"body":"{data.when | date('%Y %s %L %z')} {data.items[].name | join(', ') | length}"}`,
		invoice,
	)
	f.Add(
		`{"body":["{data.a[0].b}","{data.a[].b}","{data.a}"]}`,
		`{"a":[{"b":1,"b":2}],"a":[{"b":[3]}]}`,
	)
	for preset, options := range full {
		for _, payload := range []string{"mentions", "escapes", "control", "an object"} {
			f.Add(specOf(preset, options), payloads[payload])
		}
	}
	f.Fuzz(func(t *testing.T, spec, data string) {
		parsed, err := transform.Parse([]byte(spec))
		if err != nil || parsed.UsesJQ() {
			return
		}
		doc := document.Read("application/json", []byte(data), document.Holder{})
		e := sample(data)
		e.Data, e.Opaque = doc.Text, doc.Opaque
		got, err := parsed.Apply(t.Context(), e, nil)
		if err != nil {
			return
		}
		if string(got.Body) != data {
			if _, ok := document.Valid(got.Body); !ok || !utf8.Valid(got.Body) {
				t.Errorf("%q is no JSON", got.Body)
			}
			if len(got.Body) > transform.MaxOutput {
				t.Errorf("%d bytes", len(got.Body))
			}
		}
		if strings.ContainsAny(got.Path, " ?#\n\\") || strings.Contains(got.Path+"/", "/../") {
			t.Errorf("the path %q", got.Path)
		}
		for name, value := range got.Header {
			if strings.ContainsAny(name+value, "\r\n\x00") {
				t.Errorf("the header %q: %q", name, value)
			}
		}
	})
}

// BenchmarkApply shows that the time of a template grows with the document, and no faster.
func BenchmarkApply(b *testing.B) {
	specs := map[string]string{
		"template": `{"body":{"id":"{data.id}","names":"{data.items[].name}",
			"text":"{data.items[].name | join(', ') | upper}","first":"{data.items[0].name | default('x')}"}}`,
		"slack": `{"preset":"slack","text":"{data.items[0].name} of {data.id}","title":"{type}"}`,
	}
	for name, spec := range specs {
		parsed, err := transform.Parse([]byte(spec))
		if err != nil {
			b.Fatal(err)
		}
		for _, items := range []int{10, 100, 1000, 10_000} {
			data := []byte(`{"items":[` + strings.TrimSuffix(
				strings.Repeat(`{"name":"some text","other":[1,2,{"a":"b"}]},`, items), ",",
			) + `],"id":12345}`)
			e := sample(string(data))
			b.Run(fmt.Sprintf("%s/bytes=%d", name, len(data)), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := parsed.Apply(b.Context(), e, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("reference=document.Valid/bytes=%d", len(data)), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					document.Valid(data)
				}
			})
		}
	}
}
