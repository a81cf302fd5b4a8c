package document

import (
	"bytes"
	"slices"
	"strings"
)

// Field is a field of a form.
type Field struct{ Name, Value string }

// Fields are the fields of a form, in their order in the form.
type Fields []Field

// ParseForm parses a form by the WHATWG's URL standard
// (https://url.spec.whatwg.org/#urlencoded-parsing): fields are split only at "&", "+" is a space,
// and a "%" that begins no escape is a plain "%". Any text is a valid form. It returns false,
// without parsing, if there are more than limit fields.
func ParseForm(text []byte, limit int) (Fields, bool) {
	n := bytes.Count(text, []byte("&")) + 1
	if n > limit && countFields(text) > limit {
		return nil, false
	}
	fields := make(Fields, 0, min(n, limit))
	for part := range bytes.SplitSeq(text, []byte("&")) {
		if len(part) > 0 {
			name, value, _ := bytes.Cut(part, []byte("="))
			fields = append(fields, Field{Name: unescape(name), Value: unescape(value)})
		}
	}
	return fields, true
}

// countFields counts fields that are not empty.
func countFields(text []byte) (n int) {
	for part := range bytes.SplitSeq(text, []byte("&")) {
		if len(part) > 0 {
			n++
		}
	}
	return n
}

func unescape(text []byte) string {
	if !bytes.ContainsAny(text, "%+") {
		return string(text)
	}
	var out strings.Builder
	out.Grow(len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '+':
			out.WriteByte(' ')
		case c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			out.WriteByte(hexValue(text[i+1])<<4 | hexValue(text[i+2]))
			i += 2
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// Values returns the values of all fields with the given name.
func (f Fields) Values(name string) (values []string) {
	for _, field := range f {
		if field.Name == name {
			values = append(values, field.Value)
		}
	}
	return values
}

// single returns the value of a field that occurs exactly once, else nil.
func (f Fields) single(name string) []byte {
	values := f.Values(name)
	if len(values) != 1 {
		return nil
	}
	return []byte(values[0])
}

// json writes the fields as an object. It returns nil if there are none.
func (f Fields) json() []byte {
	if len(f) == 0 {
		return nil
	}
	sorted := slices.Clone(f)
	slices.SortStableFunc(sorted, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	out := []byte{'{'}
	for i := 0; i < len(sorted); {
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, from := sorted[i].Name, i
		for i < len(sorted) && sorted[i].Name == name {
			i++
		}
		out = append(quote(out, name), ':')
		out = quoteAll(out, sorted[from:i])
	}
	return append(out, '}')
}

// quoteAll writes the values of one field: a string, or a list of strings.
func quoteAll(out []byte, fields Fields) []byte {
	if len(fields) == 1 {
		return quote(out, fields[0].Value)
	}
	separator := byte('[')
	for _, field := range fields {
		out = quote(append(out, separator), field.Value)
		separator = ','
	}
	return append(out, ']')
}

// readFields returns the fields of a body that is a form or multipart/form-data, and none for any
// other body. It returns false if there are too many.
func readFields(contentType string, body []byte) (Fields, bool) {
	if boundary := boundaryOf(body); boundary != nil {
		return readParts(body, boundary)
	}
	if isForm(contentType) || looksLikeForm(body) {
		return ParseForm(body, MaxFields)
	}
	return nil, true
}

// isForm tells whether a content type is that of a form. The values of a header that was sent twice
// are joined by commas.
func isForm(contentType string) bool {
	for part := range strings.SplitSeq(contentType, ",") {
		media, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
			return true
		}
	}
	return false
}

// looksLikeForm tells whether a body looks like a form that a program wrote.
func looksLikeForm(body []byte) bool {
	return bytes.IndexByte(body, '=') > 0 && !bytes.ContainsFunc(body, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"<>{}\^`+"`", r)
	})
}
