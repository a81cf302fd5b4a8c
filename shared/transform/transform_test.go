package transform_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/transform"
)

// sample is the event of the tests.
func sample(data string) transform.Event {
	return transform.Event{
		ID: "evt_1", Type: "invoice.paid", Source: "stripe", Trust: "verified",
		Time:   time.Date(2026, 11, 30, 12, 34, 56, 789e6, time.UTC),
		Header: map[string]string{"x-kind": "a b", "content-type": "application/json"},
		Body:   []byte(data), Data: []byte(data),
	}
}

const invoice = `{
	"customer_name": "Ann <b>", "amount_paid": 1999, "currency": "eur", "big": 12345678901234567890.10,
	"none": null, "empty": "", "yes": true, "when": 1764506096, "text": "a \"quoted\"\nline \u00e9",
	"items": [{"name": "x", "tags": ["a", "b"]}, {"tags": ["c"]}, {"name": "z"}, 5],
	"a name": {"@id": 7}, "list": [1, 2, 3], "price": "19.90", "cents": 5
}`

// apply applies a specification to a document.
func apply(t *testing.T, spec, data string) (transform.Result, error) {
	t.Helper()
	parsed, err := transform.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Apply(t.Context(), sample(data), nil)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// a leaf that is one expression keeps its type
		"{data.amount_paid}":      `1999`,
		"{data.big}":              `12345678901234567890.10`,
		"{data.yes}":              `true`,
		"{data.none}":             `null`,
		"{data.missing.x}":        `null`,
		"{data.list}":             `[1, 2, 3]`,
		"{type}":                  `"invoice.paid"`,
		"{time}":                  `"2026-11-30T12:34:56.789Z"`,
		"{headers.X-Kind}":        `"a b"`,
		"{headers.x-none}":        `null`,
		`{data["a name"]["@id"]}`: `7`,
		`{data['a name'].@id}`:    `7`,
		"{data.list[1]}":          `2`,
		"{data.list[7]}":          `null`,
		"{data.items[].name}":     `["x","z"]`,
		"{data.items[].tags[]}":   `["a","b","c"]`,
		"{data.missing[]}":        `[]`,
		"{'text'}":                `"text"`,
		"{-1.50}":                 `-1.50`,

		// in a text
		"":                          `""`,
		"no expression":             `"no expression"`,
		"{data.amount_paid} paid":   `"1999 paid"`,
		"<{data.none}{data.empty}>": `"<>"`,
		"{{x}} {type}":              `"{x} invoice.paid"`,
		"{data.text}!":              `"a \"quoted\"\nline \u00e9!"`,
		"{data.list}!":              `"[1, 2, 3]!"`,
		"{data.yes}{data.big}":      `"true12345678901234567890.10"`,

		// calculations
		"{data.amount_paid / 100}":            `19.99`,
		"{data.amount_paid / 100 | fixed(1)}": `20.0`,
		"{(1 + 2) * 3 - 4 / 2}":               `7`,
		"{0.1 + 0.2}":                         `0.3`,
		"{data.price * 2}":                    `39.8`,
		"{9223372036854775807 + 0}":           `9223372036854775807`,
		"{9223372036854775807 + 1}":           `9223372036854780000`,
		"{1 / 3}":                             `0.333333333333333`,
		"{1 / 30000000}":                      `3.33333333333333e-08`,
		"{data.missing * 2}":                  `null`,
		"{data.cents / 100 | fixed(2)}":       `0.05`,
		"{1.005 | fixed(2)}":                  `1.01`,

		// functions
		"{data.none | default('nobody')}":                   `"nobody"`,
		"{data.empty | default(data.cents)}":                `5`,
		"{data.cents | default('nobody')}":                  `5`,
		"{data.currency | upper}":                           `"EUR"`,
		"{'AbC' | lower}":                                   `"abc"`,
		"{'  x ' | trim}":                                   `"x"`,
		"{data.customer_name | truncate(4)}":                `"Ann…"`,
		"{'abcd' | truncate(4)}":                            `"abcd"`,
		"{'ééééé' | truncate(4)}":                           `"ééé…"`,
		"{'a.b.c' | replace('.', '--')}":                    `"a--b--c"`,
		"{data.currency | match('usd', '$', 'eur', '€')}":   `"€"`,
		"{data.currency | match('usd', '$')}":               `null`,
		"{data.currency | match('usd', '$', '?')}":          `"?"`,
		"{data.yes | match(true, 1, 0)}":                    `1`,
		"{data.missing | match('', 1, 0)}":                  `0`,
		"{data.missing | match(null, 1, 0)}":                `1`,
		"{data.items[].name | join(', ')}":                  `"x, z"`,
		"{data.list | first}":                               `1`,
		"{data.list | last}":                                `3`,
		"{data.missing | first}":                            `null`,
		"{data.list | length}":                              `3`,
		"{data.items[0] | length}":                          `2`,
		"{'é' | length}":                                    `1`,
		"{data.missing | length}":                           `0`,
		"{data.when | date}":                                `"2025-11-30T12:34:56Z"`,
		"{data.when * 1000 | date('%d.%m.%Y %H:%M:%S %%')}": `"30.11.2025 12:34:56 %"`,
		"{'2026-01-02T03:04:05+02:00' | date('%F %T %s')}":  `"2026-01-02 01:04:05 1767315845"`,
		"{time | date('%L')}":                               `"789"`,
		"{'2026-01-02' | date('%a %b %e %j %y %p')}":        `"Fri Jan  2 002 26 AM"`,
		"{data.cents | string}":                             `"5"`,
		"{data.price | number}":                             `19.90`,
		"{data.items[0] | json}":                            `"{\"name\": \"x\", \"tags\": [\"a\", \"b\"]}"`,
		"{data.missing | upper | trim | date | fixed(2)}":   `null`,
	} {
		got, err := apply(t, `{"body":`+quoted(text)+`}`, invoice)
		if err != nil || string(got.Body) != want {
			t.Errorf("%s is %s, %v; want %s", text, got.Body, err, want)
		}
	}
}

func TestApplyFails(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{data.currency * 2}":     `"eur" is not a number`,
		"{data.cents / 0}":        "divided by 0",
		"{data.currency | date}":  "not a time",
		"{data.list | number}":    "not a number",
		"{1e400}":                 "",
		"{data.items | fixed(2)}": "not a number",
	} {
		parsed, err := transform.Parse([]byte(`{"body":` + quoted(text) + `}`))
		if want == "" {
			if err == nil {
				t.Errorf("%s is accepted", text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = parsed.Apply(t.Context(), sample(invoice), nil)
		if _, ok := errors.AsType[*transform.Error](err); !ok ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec string
		want transform.Result
		fail string
	}{
		"the example of the guide": {
			spec: `{"body":{"id":"{data.cents}","title":"{data.currency}","labels":"{data.items[].name}",
				"fixed":{"a":[1,true,null,"x"]}},"headers":{"X-Kind":"{type}"},
				"path":"/v2/projects/{data.amount_paid}"}`,
			want: transform.Result{
				Method: "POST", Path: "/v2/projects/1999",
				Header: map[string]string{"x-kind": "invoice.paid"},
				Body: []byte(
					`{"id":5,"title":"eur","labels":["x","z"],"fixed":{"a":[1,true,null,"x"]}}`,
				),
				ContentType: "application/json",
			},
		},
		"the body stays": {
			spec: `{"method":"{'put'}","query":{"a b":"{data.customer_name}","none":"{data.none}","c":"1"}}`,
			want: transform.Result{
				Method: "PUT", Query: "a+b=Ann+%3Cb%3E&c=1", Header: map[string]string{},
				Body: []byte(invoice), ContentType: "application/json",
			},
		},
		"a value stays within its segment": {
			spec: `{"path":"/a%20b/{'../x?y#z é'}/{data.cents}-{data.cents}/"}`,
			want: transform.Result{
				Method: "POST", Path: "/a%20b/..%2Fx%3Fy%23z%20%C3%A9/5-5/",
				Header: map[string]string{}, Body: []byte(invoice), ContentType: "application/json",
			},
		},
		"dots":                {spec: `{"path":"/a/{'..'}/b"}`, fail: "segment"},
		"dots in two parts":   {spec: `{"path":"/a/.{'.'}/b"}`, fail: "segment"},
		"a gap":               {spec: `{"path":"/a/{data.none}/b"}`, fail: "missing"},
		"a method that is no": {spec: `{"method":"{type}"}`, fail: "not a method"},
		"headers hold one line": {
			spec: `{"headers":{"A":"{'x\ny'}","B":"{data.none}","Content-Type":"text/plain"}}`,
			want: transform.Result{
				Method: "POST", Header: map[string]string{"a": "x y"}, Body: []byte(invoice),
				ContentType: "text/plain",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := apply(t, strings.ReplaceAll(test.spec, `\n`, `\\n`), invoice)
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) {
					t.Errorf("the error is %v, want %q", err, test.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`[]`:                  "it is not a map",
		`{`:                   "it is not JSON",
		`{}`:                  "it is empty",
		`{"body":1,"jq":"."}`: "both body and jq",
		`{"boddy":1}`:         "boddy: it is not a known key; the keys here are body,",
		`{"preset":"slak"}`:   `preset: there is no preset "slak"; there are cloudevents, discord,`,
		`{"preset":"slack"}`:  "preset: slack needs text",
		`{"preset":"slack","text":"x","colour":"y"}`: "colour: it is not a known key",
		`{"jq":""}`: "jq: it is empty",
		`{"jq":1}`:  "jq: it is not a text",
		`{"jq":"` + strings.Repeat("1", 8193) + `"}`:        "jq: it has more than 8192 bytes",
		`{"method":"FETCH"}`:                                "method: \"FETCH\" is not a method; there are POST,",
		`{"path":"x"}`:                                      "path: it does not begin with a slash",
		`{"path":"/a b"}`:                                   "percent-encode",
		`{"path":"/a?b=1"}`:                                 "write a query under query",
		`{"path":"/a/../b"}`:                                "segment",
		`{"headers":{"a b":"x"}}`:                           "headers.a b: it is not a valid header name",
		`{"headers":{"A":"x","a":"y"}}`:                     "headers.a: it is given twice",
		`{"headers":[]}`:                                    "headers: it is not a map",
		`{"query":{"a":{}}}`:                                "query.a: it is not a text",
		`{"body":{"a":1,"a":2}}`:                            "body.a: it is given twice",
		`{"body":{"a":["{x}"]}}`:                            `body.a[0] line 1, column 2: there is no "x" in an event; a value begins with data, date, headers,`,
		`{"body":"one\ntwo {data.x |"}`:                     `body line 2, column 14: there is no function ""`,
		`{"body":"é {data.x | uper}"}`:                      `body line 1, column 13: there is no function "uper"; is it upper?`,
		`{"body":"{data.x | upper(1)}"}`:                    "upper takes no arguments, this one has 1",
		`{"body":"{data.x | truncate}"}`:                    "truncate takes 1 argument, this one has 0",
		`{"body":"{data.x | truncate('a')}"}`:               "as in truncate(80)",
		`{"body":"{data.x | truncate(data.y)}"}`:            "no paths in its parentheses",
		`{"body":"{data.x | date('%Q')}"}`:                  `date does not know "%Q"`,
		`{"body":"{data.x | date('%')}"}`:                   `date does not know "%"`,
		`{"body":"{upper(data.x)}"}`:                        "write it after its value and a bar, as in {data.name | upper}",
		`{"body":"x {data.x"}`:                              "column 3: a { without its }; write {{ for a brace",
		`{"body":"x } y"}`:                                  "column 3: a } without its {; write }} for a brace",
		`{"body":"{}"}`:                                     "column 2: a value is missing here",
		`{"body":"{data.x data.y}"}`:                        "column 9: 'd' is not expected here",
		`{"body":"{data.}"}`:                                "a name is missing after the dot",
		`{"body":"{data[x]}"}`:                              "in brackets stands nothing, a number",
		`{"body":"{data[1}"}`:                               "a [ without its ]",
		`{"body":"{'x}"}`:                                   "a quote without its end",
		`{"body":"{(1}"}`:                                   "a ( without its )",
		`{"body":"{1.}"}`:                                   "is not a number",
		`{"body":"{type.x}"}`:                               "type has nothing within it",
		`{"body":"{headers[0]}"}`:                           "headers has nothing within it",
		`{"body":"` + strings.Repeat("{1}", 257) + `"}`:     "more than 256 expressions",
		`{"body":"{` + strings.Repeat("(", 17) + `1"}`:      "more than 16 parentheses",
		`{"body":"{data` + strings.Repeat(".a", 33) + `}"}`: "more than 32 names",
		`{"body":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: "more than 32 levels",
		`{"body":"` + strings.Repeat("x", 65536) +
			`"}`: "more than 65536 bytes",
		`{"preset":"pagerduty","summary":"x","action":"open"}`: `action: "open" is not known; there are trigger,`,
		`{"preset":"cloudevents","mode":"both"}`:               `mode: "both" is not known`,
		`{"preset":"cloudevents","mode":"binary","data":1}`:    "data: in binary mode",
		`{"preset":"discord","text":"x","url":"https://x"}`:    "url: it is the link of the title",
		`{"preset":"teams","text":"x","fields":{"":"y"}}`:      "fields.: its name has 0 characters",
	} {
		_, err := transform.Parse([]byte(spec))
		if _, ok := errors.AsType[*transform.ParseError](err); !ok ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", spec, err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	long := `{"a":"` + strings.Repeat(`\\`, 300_000) + `"}`
	for name, spec := range map[string]string{
		"a large value twice":    `{"body":["{data.a}","{data.a}"]}`,
		"a text of large values": `{"body":"x{data.a}{data.a}"}`,
		"escapes of escapes":     `{"body":"{data.a | json | json | json | json}"}`,
		"a growing replacement":  `{"body":"{data.a | replace('\\\\', '0123456789')}"}`,
		"a large separator":      `{"body":"{data | join('x') | replace('\\\\', '0123456789')}"}`,
	} {
		if got, err := apply(t, spec, long); err == nil ||
			!strings.Contains(err.Error(), "larger than") {
			t.Errorf("%s: %d bytes, %v", name, len(got.Body), err)
		}
	}
}

func TestOpaqueAndMissingDocuments(t *testing.T) {
	t.Parallel()
	parsed, err := transform.Parse([]byte(`{"body":["{data.a}","{data.b[]}","{data}","{type}"]}`))
	if err != nil {
		t.Fatal(err)
	}
	e := sample("")
	e.Data = nil
	if got, err := parsed.Apply(t.Context(), e, nil); err != nil ||
		string(got.Body) != `[null,[],null,"invoice.paid"]` {
		t.Errorf("%s, %v", got.Body, err)
	}
	e.Opaque = true
	if _, err := parsed.Apply(t.Context(), e, nil); err == nil {
		t.Error("an opaque event is transformed")
	}
	parsed, err = transform.Parse([]byte(`{"body":"{type}"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parsed.Apply(t.Context(), e, nil); err != nil ||
		string(got.Body) != `"invoice.paid"` {
		t.Errorf("%s, %v", got.Body, err)
	}
}

// program is a Runner of a test.
type program func(program string, document []byte) ([][]byte, error)

func (p program) Run(_ context.Context, text string, document []byte) ([][]byte, error) {
	return p(text, document)
}

func TestJQ(t *testing.T) {
	t.Parallel()
	parsed, err := transform.Parse([]byte(`{"jq":".data","headers":{"A":"{data.a}"}}`))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		results []string
		err     error
		body    string
		skip    bool
		fail    bool
	}{
		"one result":    {results: []string{`{"a":1}`}, body: `{"a":1}`},
		"null is sent":  {results: []string{`null`}, body: `null`},
		"no result":     {skip: true},
		"false":         {results: []string{"false"}, skip: true},
		"two results":   {results: []string{"1", "2"}, fail: true},
		"our failure":   {err: broken, fail: true},
		"their failure": {err: &transform.Error{Problem: "x"}, fail: true},
	} {
		run := program(func(text string, document []byte) ([][]byte, error) {
			if text != ".data" || !json.Valid(document) {
				t.Errorf("%s runs for %s", text, document)
			}
			var results [][]byte
			for _, r := range test.results {
				results = append(results, []byte(r))
			}
			return results, test.err
		})
		got, err := parsed.Apply(t.Context(), sample(`{"a":1}`), run)
		if (err != nil) != test.fail || test.err != nil && !errors.Is(err, test.err) ||
			string(got.Body) != test.body || got.Skip != test.skip {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if sent := err == nil && !got.Skip; sent && got.Header["a"] != "1" {
			t.Errorf("%s: the headers are %v", name, got.Header)
		}
	}
	if _, err := parsed.Apply(t.Context(), sample(`{}`), nil); err == nil {
		t.Error("jq runs without a runner")
	}
	if !parsed.UsesJQ() || !parsed.NeedsData() || parsed.Program() != ".data" {
		t.Error("the transform does not know its program")
	}
}

func TestEventJSON(t *testing.T) {
	t.Parallel()
	e := sample(`{"n":1.50}`)
	want := `{"id":"evt_1","type":"invoice.paid","source":"stripe","trust":"verified",` +
		`"time":"2026-11-30T12:34:56.789Z","headers":{"content-type":"application/json",` +
		`"x-kind":"a b"},"data":{"n":1.50}}`
	if got := string(e.JSON()); got != want {
		t.Errorf("got %s", got)
	}
	e = transform.Event{}
	if got := e.JSON(); !json.Valid(got) {
		t.Errorf("got %s", got)
	}
}
