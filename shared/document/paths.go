package document

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// The errors of Find.
var (
	// ErrSyntax: the text is not exactly one JSON value (RFC 8259).
	ErrSyntax = errors.New("document: not JSON")
	// ErrAmbiguous: a wanted name occurs twice, or also in another case.
	ErrAmbiguous = errors.New("document: ambiguous JSON")
)

// Paths are places in JSON documents, prepared for Find. A path is a list of member names. The
// first element of a list is its member "0". The zero Paths has no paths. It is safe for concurrent
// use.
type Paths struct {
	root   node
	count  int
	strict bool
}

// node is a step that several paths can share. It has at most 64 children; an entry of the table of
// providers needs a handful.
type node struct {
	names    []string
	children []*node
	ends     []int // indexes of the paths that end here
}

// NewPaths returns the Paths of a lenient reader. If an object has a name several times, the last
// counts, as in filters and in nearly all JSON readers.
func NewPaths(paths ...[]string) *Paths {
	p := &Paths{count: len(paths)}
	for i, path := range paths {
		n := &p.root
		for _, name := range path {
			n = n.child(name)
		}
		n.ends = append(n.ends, i)
	}
	return p
}

// NewStrictPaths returns the Paths of a reader for values on which a proof depends. It refuses any
// text that another reader could read differently: with ErrAmbiguous if a name on the way to a
// place occurs twice in its object, or also in another case; and with ErrSyntax if the text is not
// UTF-8.
func NewStrictPaths(paths ...[]string) *Paths {
	p := NewPaths(paths...)
	p.strict = true
	return p
}

func (n *node) child(name string) *node {
	if i := slices.Index(n.names, name); i >= 0 {
		return n.children[i]
	}
	if len(n.names) == 64 {
		panic("document: more than 64 names in one object")
	}
	n.names, n.children = append(n.names, name), append(n.children, new(node))
	return n.children[len(n.children)-1]
}

// Len returns the number of paths.
func (p *Paths) Len() int { return p.count }

// Find appends to room the values at the paths in a text, unchanged, and an empty value if there is
// none. It reads the whole text, at any depth. It allocates only one bit for each level of nesting
// beyond 1,024. It skips a UTF-8 byte order mark.
func (p *Paths) Find(text []byte, room [][]byte) ([][]byte, error) {
	for range p.count {
		room = append(room, nil)
	}
	f := finder{
		scanner: scanner{text: trimBOM(text)}, found: room[len(room)-p.count:], strict: p.strict,
	}
	if p.strict && !utf8.Valid(text) {
		return room, ErrSyntax
	}
	ok := f.value(&p.root, 0) && f.next() == 0 && f.at == len(f.text)
	switch {
	case f.ambiguous != "":
		clear(f.found)
		return room,
			fmt.Errorf(
				"%w: the name %q occurs twice, or again in another case", ErrAmbiguous, f.ambiguous,
			)
	case !ok:
		clear(f.found)
		return room, ErrSyntax
	}
	return room, nil
}

// Value returns the string, number or boolean at one path of the text. It returns "" for other
// values, if the value is absent, or if the text is no JSON.
func Value(text []byte, path ...string) string {
	var room [1][]byte
	found, _ := NewPaths(path).Find(text, room[:0])
	return Scalar(found[0])
}

// finder finds paths. Its methods return false if the text is no JSON or is ambiguous.
type finder struct {
	scanner
	found     [][]byte
	strict    bool
	ambiguous string
}

// value reads the next value and finds the wanted places in it.
func (f *finder) value(n *node, depth int) bool {
	c := f.next()
	begin := f.at
	var ok bool
	switch {
	case c == '{' && len(n.names) > 0:
		ok = f.object(n, depth+1)
	case c == '[' && slices.Contains(n.names, "0"):
		ok = f.list(n, depth+1)
	default:
		ok = f.skip(depth)
	}
	for _, i := range n.ends {
		f.found[i] = f.text[begin:f.at]
	}
	return ok
}

// list reads a list. Only its first element can be wanted.
func (f *finder) list(n *node, depth int) bool {
	f.at++
	f.deepest = max(f.deepest, depth)
	if f.next() == ']' {
		f.at++
		return true
	}
	if !f.value(n.child("0"), depth) {
		return false
	}
	for f.next() == ',' {
		f.at++
		if !f.skip(depth) {
			return false
		}
	}
	return f.take(']')
}

func (f *finder) object(n *node, depth int) bool {
	f.at++
	f.deepest = max(f.deepest, depth)
	if f.next() == '}' {
		f.at++
		return true
	}
	for seen := uint64(0); ; {
		f.next()
		begin := f.at
		if !f.name() {
			return false
		}
		i, ok := f.match(n, f.text[begin:f.at])
		if !ok || !f.member(n, i, &seen, depth) {
			return false
		}
		switch f.next() {
		case ',':
			f.at++
		case '}':
			f.at++
			return true
		default:
			return false
		}
	}
}

// member reads a member's value. i is the index of the child with the member's name, -1 if there is
// none.
func (f *finder) member(n *node, i int, seen *uint64, depth int) bool {
	if i < 0 {
		return f.skip(depth)
	}
	if again := *seen & (1 << i); again != 0 {
		if f.strict {
			f.ambiguous = n.names[i]
			return false
		}
		f.forget(n.children[i])
	}
	*seen |= 1 << i
	return f.value(n.children[i], depth)
}

// forget drops the values found in a member that occurs again.
func (f *finder) forget(n *node) {
	for _, i := range n.ends {
		f.found[i] = nil
	}
	for _, child := range n.children {
		f.forget(child)
	}
}

// match returns the index of the child with the written name, -1 if there is none. It returns false
// if another reader could read the name as that of a child.
func (f *finder) match(n *node, written []byte) (int, bool) {
	for end := len(written) - 1; ; end-- {
		if written[end] == '"' {
			written = written[:end+1] // without the colon
			break
		}
	}
	inner := written[1 : len(written)-1]
	if !isPlain(inner) {
		return f.matchEscaped(n, inner)
	}
	for i, name := range n.names {
		if string(inner) == name {
			return i, true
		}
	}
	if f.strict {
		for i, name := range n.names {
			if len(inner) == len(name) && strings.EqualFold(string(inner), name) {
				f.ambiguous = n.names[i]
				return -1, false
			}
		}
	}
	return -1, true
}

// longestName is the length in bytes of the longest wanted name that is recognised with escapes.
const longestName = 256

// matchEscaped is match for names with escapes or characters beyond ASCII.
func (f *finder) matchEscaped(n *node, inner []byte) (int, bool) {
	if len(inner) > 6*longestName {
		return -1, true
	}
	var room [longestName]byte
	decoded := appendUnquoted(room[:0], inner)
	for i, name := range n.names {
		if string(decoded) == name {
			return i, true
		}
	}
	if !f.strict {
		return -1, true
	}
	folded := fold(string(decoded))
	i := slices.IndexFunc(n.names, func(wanted string) bool { return fold(wanted) == folded })
	if i >= 0 {
		f.ambiguous = n.names[i]
	}
	return -1, i < 0
}

// fold makes two names equal if they differ only in case. It converts in both directions, because
// some letters have a second lower or upper case.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// Members yields the names and values of an object that is valid JSON, and nothing for any other
// value. String values keep their quotes and escapes.
func Members(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := scanner{text: trimBOM(text)}
		if s.next() != '{' {
			return
		}
		for s.at++; s.next() == '"' || s.next() == ','; {
			if s.next() == ',' {
				s.at++
				s.next()
			}
			begin := s.at
			s.string()
			name := unquote(s.text[begin:s.at])
			s.take(':')
			if value := s.element(); !yield(name, value) {
				return
			}
		}
	}
}

// Elements yields the elements of a list that is valid JSON, and nothing for any other value.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{text: trimBOM(text)}
		if s.next() != '[' {
			return
		}
		for s.at++; s.next() != ']' && s.next() != 0; {
			if s.next() == ',' {
				s.at++
			}
			if value := s.element(); !yield(value) {
				return
			}
		}
	}
}

// element skips the next value and returns its text.
func (s *scanner) element() []byte {
	s.next()
	begin := s.at
	s.skip(0)
	return s.text[begin:s.at]
}

// IsObject tells whether a value is an object.
func IsObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// IsList tells whether a value is a list.
func IsList(value []byte) bool { return len(value) > 0 && value[0] == '[' }
