package transform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// Limits of a specification.
const (
	MaxSpec    = 64 << 10 // bytes
	MaxProgram = 8 << 10  // bytes of a jq program
	maxDepth   = 32       // levels of a template
	maxExprs   = 256      // expressions
)

// ParseError says what is wrong with a specification, and how to mend it.
type ParseError struct {
	At string // the key, such as body.title; "": the specification itself
	// Line and Column are where in the text at that key, from 1 on; 0: the whole value. Columns are
	// counted in characters.
	Line, Column int
	Problem      string
}

func (e *ParseError) Error() string { return "transform: " + e.Where() + e.Problem }

// Where returns the key and the place in its text, with a colon if there is any.
func (e *ParseError) Where() string {
	where := e.At
	if e.Line > 0 {
		where = strings.TrimSpace(
			fmt.Sprintf("%s line %d, column %d", where, e.Line, e.Column),
		)
	}
	if where == "" {
		return ""
	}
	return where + ": "
}

// Parse reads a specification, an object in JSON. It does not check a jq program beyond its size:
// see the package of the program. Error: a *ParseError.
func Parse(spec []byte) (t *Transform, err error) {
	depth, valid := document.Valid(spec)
	switch {
	case len(spec) > MaxSpec:
		return nil, &ParseError{Problem: fmt.Sprintf("it has more than %d bytes", MaxSpec)}
	case !valid || !utf8.Valid(spec):
		return nil, &ParseError{Problem: "it is not JSON"}
	case depth > maxDepth:
		return nil, &ParseError{Problem: fmt.Sprintf("it has more than %d levels", maxDepth)}
	case document.First(spec) != '{':
		return nil, &ParseError{
			Problem: "it is not a map; write for example {preset: slack, text: \"{type}\"}",
		}
	}
	defer recoverParse(&err)
	b := &builder{spec: map[string][]byte{}}
	for name, raw := range document.Members(spec) {
		if b.spec[name] != nil {
			refuse(name, "it is given twice")
		}
		b.spec[name] = raw
		b.keys = append(b.keys, name)
	}
	return b.transform(), nil
}

// recoverParse sets err to the *ParseError of a panic.
func recoverParse(err *error) {
	if r := recover(); r != nil {
		e, ok := r.(*ParseError)
		if !ok {
			panic(r)
		}
		*err = e
	}
}

func refuse(at, format string, args ...any) {
	panic(&ParseError{At: at, Problem: fmt.Sprintf(format, args...)})
}

// builder makes a Transform. Its methods panic with a *ParseError, which Parse recovers.
type builder struct {
	spec   map[string][]byte
	keys   []string // in their order
	places places
	exprs  int
}

// bodies are the keys that say what the body is, with the keys of requests beside them.
var (
	bodyKeys    = []string{"body", "preset", "jq"}
	requestKeys = []string{"method", "path", "query", "headers"}
)

func (b *builder) transform() *Transform {
	t := &Transform{}
	var given []string
	for _, key := range bodyKeys {
		if b.spec[key] != nil {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		refuse("", "it has both %s and %s; one of them says what the body is", given[0], given[1])
	}
	if len(b.keys) == 0 {
		refuse("", "it is empty; it has one of %s, and any of %s", strings.Join(bodyKeys, ", "),
			strings.Join(requestKeys, ", "))
	}
	known := slices.Concat(bodyKeys, requestKeys)
	switch {
	case b.spec["preset"] != nil:
		p := b.preset()
		for _, o := range p.options {
			known = append(known, o.name)
		}
		b.checkKeys(known)
		t.shape.body, t.shape.contentType = p.build(b)
		t.headers = p.headers(b)
	case b.spec["jq"] != nil:
		b.checkKeys(known)
		t.shape.program, t.shape.contentType = b.program(), "application/json"
	default:
		b.checkKeys(known)
		if b.spec["body"] != nil {
			t.shape.body, t.shape.contentType = b.node("body", b.spec["body"]), "application/json"
		}
	}
	b.request(t)
	if len(b.places.list) > 0 {
		t.places = document.NewPlaces(b.places.list...)
	}
	return t
}

func (b *builder) checkKeys(known []string) {
	for _, key := range b.keys {
		if !slices.Contains(known, key) {
			refuse(key, "it is not a known key; the keys here are %s", strings.Join(known, ", "))
		}
	}
}

func (b *builder) program() string {
	program := b.string("jq", b.spec["jq"])
	switch {
	case strings.TrimSpace(program) == "":
		refuse("jq", "it is empty")
	case len(program) > MaxProgram:
		refuse("jq", "it has more than %d bytes", MaxProgram)
	}
	return program
}

// request reads what is beside the body.
func (b *builder) request(t *Transform) {
	if raw := b.spec["method"]; raw != nil {
		t.method = b.text("method", raw)
		if p := t.method.pieces; len(p) == 1 && p[0].expr == nil &&
			!slices.Contains(methods, strings.ToUpper(p[0].literal)) {
			refuse("method", "%q is not a method; there are %s", p[0].literal,
				strings.Join(methods, ", "))
		}
	}
	if raw := b.spec["path"]; raw != nil {
		t.path = b.path(raw)
	}
	for name, text := range b.texts("query") {
		t.query = append(t.query, parameter{name: name, text: text})
	}
	for name, text := range b.texts("headers") {
		name = strings.ToLower(name)
		if !isToken(name) {
			refuse("headers."+name, "it is not a valid header name")
		}
		t.headers = slices.DeleteFunc(t.headers, func(p parameter) bool { return p.name == name })
		t.headers = append(t.headers, parameter{name: name, text: text})
	}
}

// isToken tells whether a lower-case name is one of a header (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	return name != "" &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// texts yields the members of a map of texts.
func (b *builder) texts(key string) func(yield func(string, *textNode) bool) {
	return func(yield func(string, *textNode) bool) {
		raw := b.spec[key]
		if raw == nil {
			return
		}
		if !document.IsObject(raw) {
			refuse(key, "it is not a map of names and texts")
		}
		seen := map[string]bool{}
		for name, raw := range document.Members(raw) {
			if lower := strings.ToLower(name); seen[lower] {
				refuse(key+"."+name, "it is given twice")
			} else {
				seen[lower] = true
			}
			if !yield(name, b.text(key+"."+name, raw)) {
				return
			}
		}
	}
}

// path splits a path into its segments.
func (b *builder) path(raw []byte) []segment {
	text := b.text("path", raw)
	if len(text.pieces) == 0 || !strings.HasPrefix(text.pieces[0].literal, "/") {
		refuse(
			"path", "it does not begin with a slash; it is added to the path of the endpoint's URL",
		)
	}
	var segments []segment
	for _, p := range text.pieces {
		if p.expr != nil {
			last := segments[len(segments)-1].text
			last.pieces = append(last.pieces, p)
			continue
		}
		for i, part := range strings.Split(p.literal, "/") {
			if !isPathText(part) {
				refuse("path",
					"%q has characters that a path cannot have; percent-encode them, and "+
						"write a query under query", part)
			}
			if i > 0 {
				segments = append(segments, segment{text: &textNode{escape: escapePath}})
			}
			if len(segments) > 0 && part != "" {
				last := segments[len(segments)-1].text
				last.pieces = append(last.pieces, piece{literal: part})
			}
		}
	}
	for _, s := range segments {
		if p := s.text.pieces; len(p) == 1 && (p[0].literal == "." || p[0].literal == "..") {
			refuse("path", "it has the segment %q; write the path that you mean", p[0].literal)
		}
	}
	return segments
}

// isPathText tells whether a text stands in a path as it is (RFC 3986, section 3.3).
func isPathText(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
		case c != '%' && strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// string returns a value that must be a string.
func (b *builder) string(at string, raw []byte) string {
	if raw[0] != '"' {
		refuse(at, "it is not a text")
	}
	return document.Scalar(raw)
}

// text reads a text with expressions. A number, true and false are texts too.
func (b *builder) text(at string, raw []byte) *textNode {
	if document.IsObject(raw) || document.IsList(raw) || raw[0] == 'n' {
		refuse(at, "it is not a text")
	}
	return &textNode{pieces: b.pieces(at, document.Scalar(raw))}
}

func (b *builder) pieces(at, text string) []piece {
	pieces, failed := parseText(text, &b.places)
	if failed != nil {
		before := text[:failed.at]
		line := strings.Count(before, "\n")
		before = before[strings.LastIndexByte(before, '\n')+1:]
		panic(&ParseError{
			At: at, Line: line + 1, Column: utf8.RuneCountInString(before) + 1,
			Problem: failed.problem,
		})
	}
	for _, p := range pieces {
		if p.expr != nil {
			b.exprs++
		}
	}
	if b.exprs > maxExprs {
		refuse(at, "there are more than %d expressions", maxExprs)
	}
	return pieces
}

// node reads a template for JSON.
func (b *builder) node(at string, raw []byte) node {
	switch {
	case document.IsObject(raw):
		return b.object(at, raw)
	case document.IsList(raw):
		var list listNode
		for element := range document.Elements(raw) {
			list.elements = append(
				list.elements, b.node(fmt.Sprintf("%s[%d]", at, len(list.elements)), element),
			)
		}
		return list
	case raw[0] != '"':
		return literal(raw)
	}
	return leaf(b.text(at, raw))
}

// leaf returns a text, or the value of its only expression.
func leaf(text *textNode) node {
	switch p := text.pieces; {
	case len(p) == 0:
		return literal(`""`)
	case len(p) == 1 && p[0].expr != nil:
		return valueNode{p[0].expr}
	case len(p) == 1:
		return literal(document.AppendQuoted(nil, p[0].literal))
	}
	return text
}

func (b *builder) object(at string, raw []byte) node {
	var object objectNode
	seen := map[string]bool{}
	for name, raw := range document.Members(raw) {
		if seen[name] {
			refuse(at+"."+name, "it is given twice")
		}
		seen[name] = true
		object = append(object, member{name: name, node: b.node(at+"."+name, raw)})
	}
	return object
}

// preset finds the preset that the specification names.
func (b *builder) preset() preset {
	name := b.string("preset", b.spec["preset"])
	p, ok := presets()[name]
	if !ok {
		refuse("preset", "there is no preset %q; there are %s", name,
			strings.Join(slices.Sorted(maps.Keys(presets())), ", "))
	}
	for _, o := range p.options {
		if o.required && b.spec[o.name] == nil {
			refuse("preset", "%s needs %s: %s", name, o.name, o.means)
		}
	}
	return p
}
