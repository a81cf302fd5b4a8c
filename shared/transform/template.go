package transform

import (
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// node is a part of a template for JSON. write appends its value to the output and tells whether
// there is one: null and the empty text are none.
type node interface {
	write(r *run) (present bool, err error)
}

// literal is JSON that is written as it is.
type literal []byte

func (l literal) write(r *run) (bool, error) {
	r.out = append(r.out, l...)
	return true, r.check()
}

// valueNode is an expression of any kind.
type valueNode struct{ expr expression }

func (n valueNode) write(r *run) (bool, error) {
	v, err := n.expr.eval(r)
	if err != nil {
		return false, err
	}
	r.out = v.appendJSON(r.out)
	return !v.empty(), r.check()
}

// member is a member of an object. One that is optional is left out if it has no value.
type member struct {
	name     string
	node     node
	optional bool
}

type objectNode []member

func (n objectNode) write(r *run) (bool, error) {
	begin := len(r.out)
	r.out = append(r.out, '{')
	for _, m := range n {
		before := len(r.out)
		if before > begin+1 {
			r.out = append(r.out, ',')
		}
		r.out = append(document.AppendQuoted(r.out, m.name), ':')
		present, err := m.node.write(r)
		if err != nil {
			return false, err
		}
		if !present && m.optional {
			r.out = r.out[:before]
		}
	}
	empty := len(r.out) == begin+1
	r.out = append(r.out, '}')
	return !empty, r.check()
}

// listNode is a list. If sparse is set, elements without a value are left out.
type listNode struct {
	elements []node
	sparse   bool
}

func (n listNode) write(r *run) (bool, error) {
	begin := len(r.out)
	r.out = append(r.out, '[')
	for _, element := range n.elements {
		before := len(r.out)
		if before > begin+1 {
			r.out = append(r.out, ',')
		}
		present, err := element.write(r)
		if err != nil {
			return false, err
		}
		if !present && n.sparse {
			r.out = r.out[:before]
		}
	}
	empty := len(r.out) == begin+1
	r.out = append(r.out, ']')
	return !empty, r.check()
}

// textNode is a text with expressions.
type textNode struct {
	pieces []piece
	// escape appends a character of a value so that the receiver shows it as it is; nil: it is
	// appended unchanged. Literals are never escaped: they are the operator's own markup.
	escape func(b []byte, r rune) []byte
	limit  int // in units of size; 0: none
	size   func(unit []byte) int
	empty  string // stands for an empty text
}

func (n *textNode) write(r *run) (bool, error) {
	if n.limit == 0 && n.escape == nil && n.empty == "" {
		return n.writePlain(r)
	}
	text, err := n.text(r)
	if err != nil {
		return false, err
	}
	r.out = document.AppendQuoted(r.out, text)
	return text != "", r.check()
}

func (n *textNode) writePlain(r *run) (bool, error) {
	r.out = append(r.out, '"')
	begin := len(r.out)
	for _, p := range n.pieces {
		if p.expr == nil {
			r.out = document.AppendEscaped(r.out, p.literal)
			continue
		}
		v, err := p.expr.eval(r)
		if err != nil {
			return false, err
		}
		if r.out = v.appendEscaped(r.out); len(r.out) > MaxOutput {
			return false, errTooLarge
		}
	}
	present := len(r.out) > begin
	r.out = append(r.out, '"')
	return present, nil
}

// text returns the text, escaped and shortened to its limit.
func (n *textNode) text(r *run) (string, error) {
	w := limited{node: n}
	for _, p := range n.pieces {
		escape, s := n.escape, p.literal
		if p.expr != nil {
			v, err := p.expr.eval(r)
			if err != nil {
				return "", err
			}
			s = v.string()
		} else {
			escape = nil
		}
		if !w.add(s, escape) {
			break
		}
		if len(w.b) > MaxOutput {
			return "", errTooLarge
		}
	}
	if len(w.b) == 0 {
		return n.empty, nil
	}
	return string(w.b), nil
}

// limited collects a text until it reaches its limit. It never cuts within an escaped character.
type limited struct {
	node *textNode
	b    []byte
	used int // size so far
	fits int // length of the text that leaves room for an ellipsis
}

// add appends a text. It returns false if that did not fit.
func (w *limited) add(s string, escape func([]byte, rune) []byte) bool {
	if w.node.limit == 0 && escape == nil {
		w.b = append(w.b, s...)
		return true
	}
	for _, r := range s {
		before := len(w.b)
		if escape != nil {
			w.b = escape(w.b, r)
		} else {
			w.b = utf8.AppendRune(w.b, r)
		}
		if w.node.limit == 0 {
			continue
		}
		if w.used <= w.node.limit-w.node.size([]byte(ellipsis)) {
			w.fits = before
		}
		if w.used += w.node.size(w.b[before:]); w.used > w.node.limit {
			w.b = append(w.b[:w.fits], ellipsis...)
			return false
		}
	}
	return true
}

// inUTF16 counts as JavaScript and most receivers count: in units of UTF-16.
func inUTF16(unit []byte) int {
	n := 0
	for _, r := range string(unit) {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

// inJSON counts the bytes that a text takes in JSON.
func inJSON(unit []byte) int {
	n := 0
	for _, c := range unit {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n += 2
		case c < ' ':
			n += 6
		default:
			n++
		}
	}
	return n
}
