package document

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) from beginning to end. It builds nothing, so a hostile text costs
// no more than one pass over it, and one bit of memory for each level beyond the first 1,024.
type scanner struct {
	text    []byte
	at      int
	deepest int // the greatest depth so far
	shallow [16]uint64
	deep    []uint64 // for levels from 1,024 on
}

// Valid tells whether text is JSON, and how deeply its objects and lists are nested.
func Valid(text []byte) (depth int, ok bool) {
	s := scanner{text: text}
	ok = s.skip(0) && s.next() == 0 && s.at == len(text)
	return s.deepest, ok
}

// next skips white space and returns the next byte, 0 at the end. (Callers distinguish a NUL in the
// text from the end by at.)
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c
		}
	}
	return 0
}

// take skips c, which must be next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// skip skips a value at the given depth. It does not use recursion, because for a text of brackets
// the stack would be many times larger than the text.
func (s *scanner) skip(depth int) bool {
	for level := 0; ; {
		switch c := s.next(); c {
		case '{', '[':
			s.at++
			end := c + 2 // '}' or ']'
			if s.next() == end {
				s.deepest = max(s.deepest, depth+level+1)
				s.at++
				break
			}
			level++
			s.deepest = max(s.deepest, depth+level)
			s.open(level, c == '{')
			if c == '{' && !s.name() {
				return false
			}
			continue
		case '"':
			if !s.string() {
				return false
			}
		case 't':
			if !s.word("true") {
				return false
			}
		case 'f':
			if !s.word("false") {
				return false
			}
		case 'n':
			if !s.word("null") {
				return false
			}
		default:
			if !s.number() {
				return false
			}
		}
		var ok bool
		if level, ok = s.close(level); !ok {
			return false
		}
		if level == 0 {
			return true
		}
	}
}

// close reads the text after a value at a level: the ends of the objects and lists whose last value
// it was, and the comma and the name before the next value. It returns level 0 at the end of the
// outermost value.
func (s *scanner) close(level int) (int, bool) {
	for level > 0 {
		object := s.isObject(level)
		switch c := s.next(); {
		case c == ',':
			s.at++
			return level, !object || s.name()
		case c == '}' && object, c == ']' && !object:
			s.at++
			level--
		default:
			return level, false
		}
	}
	return 0, true
}

// open records whether a level is an object.
func (s *scanner) open(level int, object bool) {
	word, bit := s.bit(level)
	if *word &^= bit; object {
		*word |= bit
	}
}

func (s *scanner) isObject(level int) bool {
	word, bit := s.bit(level)
	return *word&bit != 0
}

func (s *scanner) bit(level int) (word *uint64, bit uint64) {
	i := level / 64
	if i < len(s.shallow) {
		return &s.shallow[i], 1 << (level % 64)
	}
	for i -= len(s.shallow); i >= len(s.deep); {
		s.deep = append(s.deep, 0)
	}
	return &s.deep[i], 1 << (level % 64)
}

// name skips a member's name and the colon.
func (s *scanner) name() bool {
	return s.next() == '"' && s.string() && s.take(':')
}

func (s *scanner) word(w string) bool {
	if len(s.text)-s.at < len(w) || string(s.text[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

// number skips a number (RFC 8259, section 6).
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > from
}

// string skips the string that begins here. It checks eight bytes at a time, because checking each
// byte takes longer than an HMAC. The lowest zero byte of x is also the lowest byte whose high bit
// is set in (x-ones)&^x. A byte below n is found in the same way with x-n*ones.
func (s *scanner) string() bool {
	const ones = 0x0101010101010101
	b, i := s.text, s.at+1
	for {
		for i+8 <= len(b) {
			word := binary.LittleEndian.Uint64(b[i:])
			quote, escape := word^ones*'"', word^ones*'\\'
			ends := ((quote-ones)&^quote | (escape-ones)&^escape |
				(word-ones*' ')&^word) & (ones << 7)
			i += bits.TrailingZeros64(ends) / 8 // 8 if there is none
			if ends != 0 {
				break
			}
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++ // the last few bytes of a text are checked one by one
		}
		if i >= len(b) {
			return false
		}
		switch {
		case b[i] == '"':
			s.at = i + 1
			return true
		case b[i] == '\\':
			length := escapeLength(b[i:])
			if length == 0 {
				return false
			}
			i += length
		case b[i] < ' ':
			return false
		}
	}
}

// escapeLength returns the length of the escape at the beginning of b, 0 if it is invalid.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !isHex(c) {
				return 0
			}
		}
		return 6
	}
	return 0
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// Scalar returns a value as text: a string without quotes and escapes, a number or boolean as it is
// written, "" for anything else.
func Scalar(value []byte) string {
	switch {
	case len(value) == 0 || value[0] == '{' || value[0] == '[' || value[0] == 'n':
		return ""
	case value[0] == '"':
		return unquote(value)
	}
	return string(value)
}

// AppendScalar appends the result of Scalar.
func AppendScalar(b, value []byte) []byte {
	if n := len(value) - 1; n > 0 && value[0] == '"' && isPlain(value[1:n]) {
		return append(b, value[1:n]...)
	}
	return append(b, Scalar(value)...)
}

// unquote decodes a valid string.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if isPlain(inner) {
		return string(inner)
	}
	return string(appendUnquoted(make([]byte, 0, len(inner)), inner))
}

// appendUnquoted decodes a valid string without its quotes, and appends the result. Bytes that are
// not UTF-8 and unpaired surrogates become U+FFFD.
func appendUnquoted(b, inner []byte) []byte {
	for len(inner) > 0 {
		if inner[0] != '\\' {
			r, size := utf8.DecodeRune(inner)
			b, inner = utf8.AppendRune(b, r), inner[size:]
			continue
		}
		if inner[1] != 'u' {
			b, inner = append(b, escaped(inner[1])), inner[2:]
			continue
		}
		r := hexRune(inner)
		inner = inner[6:]
		if utf16.IsSurrogate(r) {
			pair := utf8.RuneError
			if len(inner) >= 6 && inner[0] == '\\' && inner[1] == 'u' {
				pair = utf16.DecodeRune(r, hexRune(inner))
			}
			if r = pair; pair != utf8.RuneError {
				inner = inner[6:]
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// escaped returns the character for a letter after a backslash.
func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hexRune returns the code unit of an escape such as \u00e9.
func hexRune(escape []byte) (r rune) {
	for _, c := range escape[2:6] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

// isPlain tells whether a string is ASCII without escapes, so that it needs no decoding.
func isPlain(inner []byte) bool {
	for _, c := range inner {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
