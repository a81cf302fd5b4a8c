package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Bounds of what is read.
const (
	MaxDepth    = 10_000  // levels of objects and lists
	MaxFields   = 10_000  // fields of a form, parts of a multipart body
	MaxInflated = 8 << 20 // bytes that a compressed body has uncompressed
)

// Holder says where in a body its document is, for providers that wrap it. The zero Holder is for
// bodies that are the document.
type Holder struct {
	Field  string `json:"field,omitempty"`  // the form's field, or part, that holds the JSON
	Token  bool   `json:"token,omitempty"`  // the body is a JSON Web Token; its claims are the document
	Claim  string `json:"claim,omitempty"`  // of a token: the claim that holds the JSON as a text
	Inline string `json:"inline,omitempty"` // a member that holds JSON as a text: the JSON takes its place
}

// Document is what a body says.
type Document struct {
	Text   []byte // JSON in UTF-8; nil: the body has no document
	Opaque bool   // there is a document, and it is larger than the bounds
}

// Read returns the document of a body. The text may share the body's bytes. contentType is the
// header as it came.
func Read(contentType string, body []byte, h Holder) Document {
	body, ok := inflated(body)
	if !ok {
		return Document{Opaque: true}
	}
	if h.Token {
		return fromJSON(h.unwrap(body))
	}
	if doc := fromJSON(body); doc.Text != nil || doc.Opaque {
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

// Find returns the values at the paths of the document of a body, appended to room, as
// [Paths.Find] does. It is Read and Find in one pass where the body is JSON, as nearly all are. Of a
// body without a document, and of one that is too large, nothing is found.
func Find(p *Paths, contentType string, body []byte, h Holder, room [][]byte) [][]byte {
	if c := First(body); !h.Token && (c == '{' || c == '[') {
		if found, err := p.Find(body, room); err == nil {
			return found
		}
	}
	found, _ := p.Find(Read(contentType, body, h).Text, room)
	return found
}

// First returns the first byte of a text after a byte order mark and white space, 0 where there is
// none.
func First(text []byte) byte {
	s := scanner{text: trimBOM(text)}
	return s.next()
}

// fromJSON returns the document of a text that is JSON, the zero Document for any other.
func fromJSON(text []byte) Document {
	text = trimBOM(text)
	depth, ok := Valid(text)
	switch {
	case !ok:
		return Document{}
	case depth > MaxDepth:
		return Document{Opaque: true}
	}
	if !utf8.Valid(text) { // ToValidUTF8 copies in any case
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return Document{Text: text}
}

func trimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")) }

// unwrap returns the JSON of a JSON Web Token (RFC 7519): nil where it is none.
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

// inline puts the JSON that a member holds as a text in its place.
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

// quote writes a text as JSON. Bytes that are not UTF-8 become U+FFFD.
func quote(b []byte, text string) []byte {
	quoted, _ := json.Marshal(strings.ToValidUTF8(text, "\uFFFD")) // a string makes no error
	return append(b, quoted...)
}
