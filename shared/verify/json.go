package verify

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// lookup returns the values at paths in a JSON document, appended to room, as they are written there; an empty one for what is
// not there. It reads no further than it must and builds nothing: encoding/json would take many times as long as the HMAC.
func lookup(document []byte, paths [][]string, room [][]byte) [][]byte {
	var few [4]span
	s := scanner{rest: document, paths: paths, found: append(few[:0], make([]span, len(paths))...), missing: len(paths)}
	s.inside(0, 1<<len(paths)-1)
	for _, f := range s.found {
		room = append(room, document[len(document)-f.from:len(document)-f.to])
	}
	return room
}

// Value returns what a JSON document says at a path, as Locator.JSON has it: a string
// unquoted, a number or boolean as it is written; "" where the value is of another kind, is not there, or the document is no JSON.
func Value(document []byte, path string) string {
	return valueAt(document, splitPath(path)...)
}

// valueAt returns what one value says, "" where it is not there.
func valueAt(document []byte, path ...string) string {
	var room [1][]byte
	return scalar(lookup(document, [][]string{path}, room[:0])[0])
}

// span is a part of the document: how many bytes are left at its begin and at its end. (No slices: they would force what
// found lies in onto the heap.)
type span struct{ from, to int }

// scanner walks a document. Its methods return false to end the walk: everything is found, or this is not JSON.
type scanner struct {
	rest    []byte // what is still to be read
	paths   [][]string
	found   []span
	missing int // paths not found yet
}

// open is a set of paths, by index: those whose members up to some depth lead here. (A table entry has a handful.)
type open uint64

// inside reads what the walk stands before, an object or an array, for paths that go on in it. What is neither ends the walk.
func (s *scanner) inside(depth int, o open) bool {
	switch s.next() {
	case '{':
		return s.object(depth, o)
	case '[':
		return s.array(depth, o)
	}
	return false
}

// array reads the first element of the array that the walk stands before, which is its member "0", and passes over the others.
func (s *scanner) array(depth int, o open) bool {
	s.rest = s.rest[1:]
	if s.next() == ']' {
		s.rest = s.rest[1:]
		return true
	}
	here, deeper := s.match([]byte(`"0"`), depth, o)
	if !s.member(depth, here, deeper) || s.missing == 0 {
		return false
	}
	for s.next() == ',' {
		s.rest = s.rest[1:]
		if !s.skip() {
			return false
		}
	}
	if s.next() != ']' {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// object reads the members of the object that the walk stands before. The first member of a name counts.
func (s *scanner) object(depth int, o open) bool {
	s.rest = s.rest[1:]
	if s.next() == '}' {
		s.rest = s.rest[1:]
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		name, ok := s.text()
		if !ok || s.next() != ':' {
			return false
		}
		s.rest = s.rest[1:]
		here, deeper := s.match(name, depth, o)
		o &^= here | deeper
		if !s.member(depth, here, deeper) || s.missing == 0 {
			return false
		}
		end := s.next()
		if end != ',' && end != '}' {
			return false
		}
		s.rest = s.rest[1:]
		if end == '}' {
			return true
		}
	}
}

// match returns which of the paths end at a member of this name, and which go on inside it.
func (s *scanner) match(name []byte, depth int, o open) (here, deeper open) {
	for i, path := range s.paths {
		switch {
		case o&(1<<i) == 0 || !isNamed(name, path[depth]):
		case depth == len(path)-1:
			here |= 1 << i
		default:
			deeper |= 1 << i
		}
	}
	return here, deeper
}

// member reads a member's value.
func (s *scanner) member(depth int, here, deeper open) bool {
	if c := s.next(); deeper != 0 && (c == '{' || c == '[') {
		return s.inside(depth+1, deeper) // what ends here as well is no scalar
	}
	value := span{from: len(s.rest)}
	if !s.skip() {
		return false
	}
	value.to = len(s.rest)
	if end := s.next(); end != ',' && end != '}' && end != ']' {
		return false // a value that breaks off
	}
	for i := range s.paths {
		if here&(1<<i) != 0 {
			s.found[i] = value
			s.missing--
		}
	}
	return true
}

// next passes over white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	if len(s.rest) > 0 && s.rest[0] > ' ' {
		return s.rest[0]
	}
	for i, c := range s.rest {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			s.rest = s.rest[i:]
			return c
		}
	}
	s.rest = nil
	return 0
}

// skip passes over a value.
func (s *scanner) skip() bool {
	switch s.next() {
	case '"':
		_, ok := s.text()
		return ok
	case '{', '[':
		return s.skipNested()
	}
	end := bytes.IndexAny(s.rest, ",]} \n\r\t")
	if end <= 0 {
		return false
	}
	s.rest = s.rest[end:]
	return true
}

// skipNested passes over an object or array of any depth without recursion, so that a hostile one costs no stack.
func (s *scanner) skipNested() bool {
	depth, rest := 0, s.rest
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			length := textLength(rest[i:])
			if length == 0 {
				return false
			}
			i += length - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.rest = s.rest[i+1:]
				return true
			}
		}
	}
	return false
}

// text passes over the string that the walk stands before and returns it as it is written, with its quotes.
func (s *scanner) text() ([]byte, bool) {
	length := textLength(s.rest)
	text := s.rest[:length]
	s.rest = s.rest[length:]
	return text, length > 0
}

// textLength returns the length of the string that b begins with, its quotes included; 0 where it does not end. Eight bytes are
// looked at in one step (byte by byte, this took longer than the HMAC): of x, the lowest byte that is 0 is also the lowest whose
// high bit is set in (x-ones)&^x.
func textLength(b []byte) int {
	const ones = 0x0101010101010101
	i := 1
	for i+8 <= len(b) {
		word := binary.LittleEndian.Uint64(b[i:])
		quote, escape := word^ones*'"', word^ones*'\\'
		ends := ((quote-ones)&^quote | (escape-ones)&^escape) & (ones << 7)
		i += bits.TrailingZeros64(ends) / 8 // 8 where there is none
		switch {
		case ends == 0:
		case b[i] == '"':
			return i + 1
		default:
			i += 2
		}
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

// appendScalar appends what scalar returns.
func appendScalar(b, value []byte) []byte {
	if n := len(value) - 1; n > 0 && value[0] == '"' && isPlain(value[1:n]) {
		return append(b, value[1:n]...)
	}
	return append(b, scalar(value)...)
}

// scalar returns what a value says: strings unquoted, numbers and booleans as written, all else "".
func scalar(value []byte) string {
	switch {
	case len(value) == 0 || value[0] == '{' || value[0] == '[' || string(value) == "null":
		return ""
	case value[0] == '"':
		return unquote(value)
	case !json.Valid(value):
		return ""
	}
	return string(value)
}

func isNamed(quoted []byte, name string) bool {
	if inner := quoted[1 : len(quoted)-1]; isPlain(inner) {
		return string(inner) == name
	}
	return unquote(quoted) == name
}

// unquote returns what a string says, "" where it is no JSON string.
func unquote(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; isPlain(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(bytes.Clone(quoted), &s) // a copy, so that the document's bytes need not be on the heap
	return s
}

// isPlain tells whether a string stands for itself: ASCII without escapes or control characters.
func isPlain(inner []byte) bool {
	for _, c := range inner {
		if c < ' ' || c == '\\' || c > '~' {
			return false
		}
	}
	return true
}
