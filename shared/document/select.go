package document

import (
	"slices"
	"unicode/utf8"
)

// Step is one step of a place in a JSON document: the member Name of an object, the element Index
// of a list, or, with Each, every element of a list.
type Step struct {
	Name  string
	Index int // from 0; used if List is set
	List  bool
	Each  bool
}

// Places are places in JSON documents, prepared for Collect. Unlike Paths they may lead through any
// element of a list, and through every element of one. A Places is safe for concurrent use.
type Places struct {
	root  place
	count int
}

// place is a step that several places can share. It never changes once NewPlaces has returned.
type place struct {
	names   []string
	members []*place
	indexes []int
	items   []*place
	each    *place
	ends    []int // indexes of the places that end here
	below   []int // indexes of the places that end here or further in
}

// NewPlaces prepares places.
func NewPlaces(places ...[]Step) *Places {
	p := &Places{count: len(places)}
	for i, steps := range places {
		at := &p.root
		at.below = append(at.below, i)
		for _, step := range steps {
			at = at.step(step)
			at.below = append(at.below, i)
		}
		at.ends = append(at.ends, i)
	}
	return p
}

func (p *place) step(s Step) *place {
	switch {
	case s.Each:
		if p.each == nil {
			p.each = new(place)
		}
		return p.each
	case s.List:
		if i := slices.Index(p.indexes, s.Index); i >= 0 {
			return p.items[i]
		}
		p.indexes, p.items = append(p.indexes, s.Index), append(p.items, new(place))
		return p.items[len(p.items)-1]
	}
	if i := slices.Index(p.names, s.Name); i >= 0 {
		return p.members[i]
	}
	p.names, p.members = append(p.names, s.Name), append(p.members, new(place))
	return p.members[len(p.members)-1]
}

// Extent is where a value lies in a text.
type Extent struct{ From, To int }

// Collect returns for each place the values that a text has there, in their order, unchanged. A
// place without Each has at most one. It reads the text once and skips what no place leads to. If
// an object has a name several times, the last counts. The values share the text's memory. Error:
// ErrSyntax.
func (p *Places) Collect(text []byte) ([][]Extent, error) {
	c := collector{scanner: scanner{text: text}, found: make([][]Extent, p.count)}
	if !c.value(&p.root) || c.next() != 0 || c.at != len(c.text) {
		return nil, ErrSyntax
	}
	return c.found, nil
}

// collector reads a text for Collect. Its methods return false if the text is no JSON. They recurse
// only as deep as the places lead.
type collector struct {
	scanner
	found [][]Extent
}

func (c *collector) value(p *place) bool {
	first := c.next()
	from := c.at
	var ok bool
	switch {
	case first == '{' && len(p.names) > 0:
		ok = c.object(p)
	case first == '[' && (len(p.items) > 0 || p.each != nil):
		ok = c.list(p)
	default:
		ok = c.skip(0)
	}
	for _, i := range p.ends {
		c.found[i] = append(c.found[i], Extent{From: from, To: c.at})
	}
	return ok
}

func (c *collector) object(p *place) bool {
	from := c.at
	c.at++
	if c.next() == '}' {
		c.at++
		return true
	}
	for {
		c.next()
		begin := c.at
		if !c.name() {
			return false
		}
		i := p.named(c.text[begin:c.at])
		if i < 0 {
			if !c.skip(0) {
				return false
			}
		} else {
			c.forget(p.members[i], from)
			if !c.value(p.members[i]) {
				return false
			}
		}
		if end, ok := c.after('}'); end || !ok {
			return ok
		}
	}
}

// forget drops what an earlier member of the same name had. from is where its object begins.
func (c *collector) forget(p *place, from int) {
	for _, i := range p.below {
		found := c.found[i]
		for len(found) > 0 && found[len(found)-1].From > from {
			found = found[:len(found)-1]
		}
		c.found[i] = found
	}
}

func (c *collector) list(p *place) bool {
	c.at++
	if c.next() == ']' {
		c.at++
		return true
	}
	for n := 0; ; n++ {
		if !c.item(p, n) {
			return false
		}
		if end, ok := c.after(']'); end || !ok {
			return ok
		}
	}
}

// item reads the element n of a list. If two places lead through it, it is read for each.
func (c *collector) item(p *place, n int) bool {
	begin := c.at
	i := slices.Index(p.indexes, n)
	switch {
	case p.each != nil && i >= 0:
		if !c.value(p.each) {
			return false
		}
		c.at = begin
		return c.value(p.items[i])
	case p.each != nil:
		return c.value(p.each)
	case i >= 0:
		return c.value(p.items[i])
	}
	return c.skip(0)
}

// after reads the comma after a value, or the end of its object or list.
func (c *collector) after(last byte) (end, ok bool) {
	switch c.next() {
	case ',':
		c.at++
		return false, true
	case last:
		c.at++
		return true, true
	}
	return false, false
}

// named returns the index of the member with a written name, -1 if there is none. The written name
// ends with the colon.
func (p *place) named(written []byte) int {
	end := len(written) - 1
	for written[end] != '"' {
		end--
	}
	inner := written[1:end]
	if isPlain(inner) {
		return slices.IndexFunc(p.names, func(name string) bool { return string(inner) == name })
	}
	if len(inner) > 6*longestName {
		return -1
	}
	var room [longestName]byte
	decoded := appendUnquoted(room[:0], inner)
	return slices.IndexFunc(p.names, func(name string) bool { return string(decoded) == name })
}

// AppendQuoted appends a text as a JSON string with its quotes. It escapes only what JSON demands.
// Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	b = AppendEscaped(b, text)
	return append(b, '"')
}

// AppendEscaped is AppendQuoted without the quotes.
func AppendEscaped(b []byte, text string) []byte {
	from := 0
	for i := 0; i < len(text); {
		if c := text[i]; c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if size > 1 {
			i += size
			continue
		}
		b = append(b, text[from:i]...)
		b = appendEscape(b, r)
		i++
		from = i
	}
	return append(b, text[from:]...)
}

// appendEscape appends a character that stands in no string as it is; of a byte that is not UTF-8
// that is U+FFFD.
func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case utf8.RuneError:
		return utf8.AppendRune(b, r)
	}
	return append(b, '\\', 'u', '0', '0', digits[r>>4&15], digits[r&15])
}
