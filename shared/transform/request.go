package transform

import (
	"net/url"
	"slices"
	"strings"
)

// methods are the methods that a request may have.
var methods = []string{"POST", "PUT", "PATCH", "DELETE"}

// segment is a text between the slashes of a path.
type segment struct{ text *textNode }

// parameter is a header or a part of the query.
type parameter struct {
	name string
	text *textNode
}

// request sets all of a result but its body.
func (t *Transform) request(r *run, result *Result) error {
	result.Method = "POST"
	if t.method != nil {
		method, err := t.method.text(r)
		if err != nil {
			return err
		}
		if result.Method = strings.ToUpper(method); !slices.Contains(methods, result.Method) {
			return failf("%q is not a method; there are %s", method, strings.Join(methods, ", "))
		}
	}
	var err error
	if result.Path, err = t.joinPath(r); err != nil {
		return err
	}
	if result.Query, err = t.joinQuery(r); err != nil {
		return err
	}
	for _, h := range t.headers {
		text, err := h.text.text(r)
		if err != nil {
			return err
		}
		switch text = headerValue(text); {
		case text == "": // it is left out
		case h.name == "content-type":
			result.ContentType = text
		default:
			result.Header[h.name] = text
		}
	}
	return nil
}

// escapePath percent-encodes a character of a value, so that the value stays within its segment.
func escapePath(b []byte, r rune) []byte { return append(b, url.PathEscape(string(r))...) }

// joinPath returns the path. A value cannot leave its segment or the endpoint's own path.
func (t *Transform) joinPath(r *run) (string, error) {
	var b strings.Builder
	for _, s := range t.path {
		text, err := s.text.text(r)
		switch {
		case err != nil:
			return "", err
		case text == "" && len(s.text.pieces) > 0:
			return "", failf("path: a value is missing or empty, so the path has a gap")
		case text == "." || text == "..":
			return "",
				failf("path: a value makes the segment %q, which would change the path", text)
		}
		b.WriteByte('/')
		b.WriteString(text)
		if b.Len() > maxURL {
			return "", failf("path: it is longer than %d bytes", maxURL)
		}
	}
	return b.String(), nil
}

func (t *Transform) joinQuery(r *run) (string, error) {
	var b strings.Builder
	for _, q := range t.query {
		text, err := q.text.text(r)
		if err != nil {
			return "", err
		}
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(q.name) + "=" + url.QueryEscape(text))
		if b.Len() > maxURL {
			return "", failf("query: it is longer than %d bytes", maxURL)
		}
	}
	return b.String(), nil
}

// Limits of a request beside its body, in bytes.
const (
	maxURL    = 8 << 10
	maxHeader = 8 << 10
)

// headerValue replaces characters that a header cannot have by spaces, and shortens the text.
func headerValue(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxHeader {
		text = strings.ToValidUTF8(text[:maxHeader], "")
	}
	return strings.TrimSpace(text)
}
