package document_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"webhook-relay/shared/document"
)

const formType = "application/x-www-form-urlencoded"

func compressed(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func token(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." +
		encode([]byte("signature"))
}

func multipartBody(parts ...string) string {
	return "--b0\r\n" + strings.Join(parts, "\r\n--b0\r\n") + "\r\n--b0--\r\n"
}

func part(name, value string) string {
	return `Content-Disposition: form-data; name="` + name + `"` + "\r\n\r\n" + value
}

func TestRead(t *testing.T) {
	t.Parallel()
	payload := document.Holder{Field: "payload"}
	tests := map[string]struct {
		contentType, body string
		holder            document.Holder
		want              string // "": no document
	}{
		"JSON": {
			"application/json", `{"a":1}`, document.Holder{}, `{"a":1}`,
		},
		"JSON after a byte order mark": {
			"application/json", "\uFEFF" + `{"a":1}`, document.Holder{}, `{"a":1}`,
		},
		"JSON without a content type": {"", ` [1] `, document.Holder{}, ` [1] `},
		"JSON that calls itself a form": {
			formType, `{"kind":"order=1&b"}`, document.Holder{}, `{"kind":"order=1&b"}`,
		},
		"a text of JSON": {
			"text/plain", `"a=b"`, document.Holder{}, `"a=b"`,
		},
		"JSON with bytes that are not UTF-8": {
			"", "{\"a\":\"\xE9\"}", document.Holder{}, "{\"a\":\"\uFFFD\"}",
		},
		"broken JSON": {
			"application/json", `{"a":1,}`, document.Holder{}, "",
		},
		"two values": {
			"application/json", `{"a":1}{"b":2}`, document.Holder{}, "",
		},
		"text": {"text/plain", "hello", document.Holder{}, ""},
		"XML": {
			"application/xml", `<a b="c=d"/>`, document.Holder{}, "",
		},
		"nothing": {"application/json", "", document.Holder{}, ""},
		"a form": {
			formType, "b=2&a=1+%C3%BC", document.Holder{}, `{"a":"1 ü","b":"2"}`,
		},
		"a form in capitals": {
			"Application/X-WWW-Form-URLEncoded; Charset=UTF-8", "a b=1", document.Holder{},
			`{"a b":"1"}`,
		},
		"a form whose type was sent twice": {
			formType + "," + formType, "a b=1", document.Holder{}, `{"a b":"1"}`,
		},
		"a form that calls itself text": {
			"text/plain", "a=1&b=2", document.Holder{}, `{"a":"1","b":"2"}`,
		},
		"a repeated field": {
			formType, "a=1&b=3&a=2", document.Holder{}, `{"a":["1","2"],"b":"3"}`,
		},
		"a field without a value": {
			formType, "a&b=", document.Holder{}, `{"a":"","b":""}`,
		},
		"a field without a name": {formType, "=1", document.Holder{}, `{"":"1"}`},
		"empty fields": {
			formType, "&&a=1&", document.Holder{}, `{"a":"1"}`,
		},
		"a semicolon is no separator": {
			formType, "a=1;b=2", document.Holder{}, `{"a":"1;b=2"}`,
		},
		"a percent sign that begins no escape": {
			formType, "a=100%&b=%zz&c=%4", document.Holder{}, `{"a":"100%","b":"%zz","c":"%4"}`,
		},
		"a form of bytes that are not UTF-8": {
			formType, "a=%E9", document.Holder{}, "{\"a\":\"\uFFFD\"}",
		},
		"markup in a form": {
			formType, "a=<b>&c=\u2028", document.Holder{}, `{"a":"\u003cb\u003e","c":"\u2028"}`,
		},
		"JSON in a field": {
			formType, "x=1&payload=%7B%22a%22%3A1%7D", payload, `{"a":1}`,
		},
		"JSON in a field, by another content type": {
			"text/plain", "payload=%7B%22a%22%3A1%7D", payload, `{"a":1}`,
		},
		"JSON where a field is usual": {formType, `{"payload":1}`, payload, `{"payload":1}`},
		"a form without the field":    {formType, "command=%2Fx", payload, `{"command":"/x"}`},
		"a field that comes twice": {
			formType, "payload=1&payload=2", payload, `{"payload":["1","2"]}`,
		},
		"a field that is no JSON": {formType, "payload=x", payload, `{"payload":"x"}`},
		"parts": {"multipart/form-data; boundary=other", multipartBody(
			part("a", "1"), part("b", "ü\r\n2"),
		), document.Holder{},
			`{"a":"1","b":"ü\r\n2"}`},
		"JSON in a part": {
			"multipart/form-data; boundary=b0", multipartBody(part("json", `{"a":1}`)),
			document.Holder{Field: "json"}, `{"a":1}`,
		},
		"a file is left out": {"", multipartBody(part("a", "1"),
			`Content-Disposition: form-data; name="f"; filename="x"`+
				"\r\n\r\nfile"), document.Holder{}, `{"a":"1"}`},
		"parts that break off": {"", "--b0\r\n" + part("a", "1"), document.Holder{}, ""},
		"a token": {
			"application/jwt", token(`{"a":1}`), document.Holder{Token: true}, `{"a":1}`,
		},
		"a token that ends in a line": {
			"", token(`{"a":1}`) + "\n", document.Holder{Token: true}, `{"a":1}`,
		},
		"no token": {"", `{"a":1}`, document.Holder{Token: true}, ""},
		"JSON in a claim": {
			"", token(`{"data":"{\"a\":1}"}`), document.Holder{Token: true, Claim: "data"},
			`{"a":1}`,
		},
		"JSON in a member of a claim": {"", token(
			`{"data":"{\"b\":2,\"data\":\"{\\\"a\\\":1}\",\"c\":3}"}`,
		),
			document.Holder{
				Token: true, Claim: "data", Inline: "data",
			}, `{"b":2,"data":{"a":1},"c":3}`},
		"a member of a claim that is no JSON": {"", token(`{"data":"{\"data\":\"x\"}"}`),
			document.Holder{Token: true, Claim: "data", Inline: "data"}, `{"data":"x"}`},
		"compressed JSON": {
			"application/json", compressed(t, `{"a":1}`), document.Holder{}, `{"a":1}`,
		},
		"a compressed form":       {formType, compressed(t, "a=1"), document.Holder{}, `{"a":"1"}`},
		"broken compression":      {"", "\x1F\x8B\x08{}", document.Holder{}, ""},
		"compression that is cut": {"", compressed(t, `{"a":1}`)[:20], document.Holder{}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document.Read(test.contentType, []byte(test.body), test.holder)
			if string(doc.Text) != test.want || doc.Opaque {
				t.Errorf("the document is %q, opaque %t; want %q", doc.Text, doc.Opaque, test.want)
			}
		})
	}
}

func TestTooLargeToRead(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]struct {
		body   string
		opaque bool
	}{
		"as deep as can be":     {deep(document.MaxDepth), false},
		"too deep":              {deep(document.MaxDepth + 1), true},
		"too deep in an object": {`{"a":{"b":` + deep(document.MaxDepth-1) + `}}`, true},
		"too deep in a field":   {"payload=" + deep(document.MaxDepth+1), true},
		"as many fields":        {strings.Repeat("a=1&", document.MaxFields), false},
		"too many fields":       {strings.Repeat("a=1&", document.MaxFields+1), true},
		"too many parts": {
			multipartBody(slices.Repeat([]string{part("a", "1")}, document.MaxFields+1)...), true,
		},
		"as large uncompressed": {
			compressed(t, `"`+strings.Repeat("a", document.MaxInflated-2)+`"`), false,
		},
		"too large": {compressed(t, `"`+strings.Repeat("a", document.MaxInflated-1)+`"`), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document.Read(formType, []byte(test.body), document.Holder{Field: "payload"})
			if doc.Opaque != test.opaque || (doc.Text == nil) != test.opaque {
				t.Errorf(
					"opaque is %t with a text of %d bytes; want %t", doc.Opaque, len(doc.Text),
					test.opaque,
				)
			}
		})
	}
}

func TestFindInABody(t *testing.T) {
	t.Parallel()
	paths := document.NewPaths([]string{"a", "b"}, []string{"c", "0"})
	for name, body := range map[string]string{
		"JSON":            `{"a":{"b":"x"},"c":[1,2]}`,
		"a marked JSON":   "\uFEFF" + `{"a":{"b":"x"},"c":[1,2]}`,
		"compressed":      compressed(t, `{"a":{"b":"x"},"c":[1,2]}`),
		"a field":         "payload=%7B%22a%22%3A%7B%22b%22%3A%22x%22%7D%2C%22c%22%3A%5B1%2C2%5D%7D",
		"spaces before":   "\r\n " + `{"a":{"b":"x"},"c":[1,2]}`,
		"the last counts": `{"a":{"b":"w"},"c":[],"a":{"b":"v","\u0062":"x"},"c":[1]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := document.Find(paths, "", []byte(body), document.Holder{Field: "payload"}, nil)
			if a, c := document.Scalar(found[0]), document.Scalar(found[1]); a != "x" || c != "1" {
				t.Errorf("found %q and %q", a, c)
			}
		})
	}
}
