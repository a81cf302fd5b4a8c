package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Limits of a document.
const (
	MaxDepth    = 10_000  // levels of objects and lists
	MaxFields   = 10_000  // fields of a form, parts of a multipart body
	MaxInflated = 8 << 20 // bytes of a body after decompression
)

// Holder says where a body holds its document, for providers that wrap it. With the zero Holder the
// body is the document.
type Holder struct {
	Field string `json:"field,omitempty"` // the form's field, or the part, that holds the JSON
	// the body is a JSON Web Token; its claims are the document
	Token bool `json:"token,omitempty"`
	// for a token: the claim that holds the JSON as a string
	Claim string `json:"claim,omitempty"`
	// a member that holds JSON as a string; the string is replaced by that JSON
	Inline string `json:"inline,omitempty"`
}

// Document is the document in a body.
type Document struct {
	Text   []byte // JSON in UTF-8; nil: the body has no document
	Opaque bool   // there is a document, but it exceeds a limit
}

// Read returns the document of a body. Its text may share the body's memory. contentType is the
// header as received.
func Read(contentType string, body []byte, h Holder) Document {
	body, ok := inflated(body)
	if !ok {
		return Document{Opaque: true}
	}
	if h.Token {
		return fromJSON(h.unwrap(body))
	}
	if doc := fromJSON(h.inline(body)); doc.Text != nil || doc.Opaque {
		return doc
	}
	fields, ok := readFields(contentType, body)
	if !ok {
		return Document{Opaque: true}
	}
	if held := fields.single(h.Field); h.Field != "" && held != nil {
		if doc := fromJSON(held); doc.Text != nil || doc.Opaque {
			return doc
		}
	}
	return Document{Text: fields.json()}
}

// Find appends to room the values at the paths in a body's document, like [Paths.Find]. If the body
// is JSON, as nearly all are, this takes one pass instead of two. It finds nothing in a body
// without a document or with a document that is too large.
func Find(p *Paths, contentType string, body []byte, h Holder, room [][]byte) [][]byte {
	if c := First(body); !h.Token && h.Inline == "" && (c == '{' || c == '[') {
		if found, err := p.Find(body, room); err == nil {
			return found
		}
	}
	found, _ := p.Find(Read(contentType, body, h).Text, room)
	return found
}

// First returns the first byte of a text after a byte order mark and white space, 0 if there is
// none.
func First(text []byte) byte {
	s := scanner{text: trimBOM(text)}
	return s.next()
}

// fromJSON returns the document of a text if it is JSON, else the zero Document.
func fromJSON(text []byte) Document {
	text = trimBOM(text)
	depth, ok := Valid(text)
	switch {
	case !ok:
		return Document{}
	case depth > MaxDepth:
		return Document{Opaque: true}
	}
	if !utf8.Valid(text) { // ToValidUTF8 would copy valid text too
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return Document{Text: text}
}

func trimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")) }

// unwrap returns the JSON in a JSON Web Token (RFC 7519), nil if the text is no token.
func (h Holder) unwrap(token []byte) []byte {
	parts := bytes.Split(bytes.TrimSpace(token), []byte("."))
	if len(parts) != 3 {
		return nil
	}
	claims, err := base64.RawURLEncoding.AppendDecode(nil, parts[1])
	if err != nil {
		return nil
	}
	if h.Claim != "" {
		claims = []byte(Value(claims, h.Claim))
	}
	return h.inline(claims)
}

// inline replaces a string member that holds JSON by that JSON.
func (h Holder) inline(text []byte) []byte {
	if h.Inline == "" {
		return text
	}
	var room [1][]byte
	found, err := NewPaths([]string{h.Inline}).Find(text, room[:0])
	if err != nil || len(found[0]) == 0 || found[0][0] != '"' {
		return text
	}
	held := []byte(Scalar(found[0]))
	if _, ok := Valid(held); !ok {
		return text
	}
	text = trimBOM(text)
	from := cap(text) - cap(found[0])
	return bytes.Join([][]byte{text[:from], held, text[from+len(found[0]):]}, nil)
}

// quote writes a text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func quote(b []byte, text string) []byte {
	// marshalling a string cannot fail
	quoted, _ := json.Marshal(strings.ToValidUTF8(text, "\uFFFD"))
	return append(b, quoted...)
}
