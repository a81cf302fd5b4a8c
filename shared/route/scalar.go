package route

import (
	"cmp"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

type kind uint8

const (
	null kind = iota
	falsehood
	truth
	number
	text
)

// scalar is a string, a number, a boolean or null, of a filter or of an event. Equal values are
// equal scalars. A number is exactly sign × 0.text × 10^magnitude, and its text neither begins nor
// ends with 0. If possible, a text shares memory with its source.
type scalar struct {
	kind      kind
	sign      int8
	magnitude int32
	text      string
}

func textScalar(s string) scalar { return scalar{kind: text, text: s} }

// newScalar reads a token of valid JSON.
func newScalar(token string) scalar {
	switch token[0] {
	case '"':
		return textScalar(unquote(token))
	case 'n':
		return scalar{kind: null}
	case 'f':
		return scalar{kind: falsehood}
	case 't':
		return scalar{kind: truth}
	}
	return parseNumber(token)
}

// compare orders scalars; numbers by their value.
func (s scalar) compare(o scalar) int {
	if s.kind != o.kind || s.kind != number {
		return cmp.Or(cmp.Compare(s.kind, o.kind), strings.Compare(s.text, o.text))
	}
	if s.sign != o.sign {
		return cmp.Compare(s.sign, o.sign)
	}
	if s.magnitude != o.magnitude {
		return int(s.sign) * cmp.Compare(s.magnitude, o.magnitude)
	}
	return int(s.sign) * strings.Compare(s.text, o.text)
}

// maxExponent is the largest exponent of a number; a larger one counts as this. So a magnitude, the
// sum of the exponent and the number of digits, fits into 32 bits.
const maxExponent = 1 << 30

// parseNumber reads a valid JSON number.
func parseNumber(token string) scalar {
	n := scalar{kind: number, sign: 1}
	exponent := 0
	if i := strings.IndexAny(token, "eE"); i >= 0 {
		token, exponent = token[:i], parseExponent(token[i+1:])
	}
	if token[0] == '-' {
		n.sign, token = -1, token[1:]
	}
	whole, fraction, _ := strings.Cut(token, ".")
	digits := strings.TrimLeft(whole, "0")
	switch {
	case digits == "":
		digits = strings.TrimLeft(fraction, "0")
	case fraction != "":
		digits += fraction
	}
	n.magnitude = int32(exponent + len(digits) - len(fraction)) //nolint:gosec // see maxExponent
	if n.text = strings.TrimRight(digits, "0"); n.text == "" {
		return scalar{kind: number}
	}
	return n
}

func parseExponent(s string) int {
	e := 0
	for _, c := range []byte(strings.TrimLeft(s, "+-")) {
		e = min(10*e+int(c-'0'), maxExponent)
	}
	if s[0] == '-' {
		return -e
	}
	return e
}

// datum is a scalar of an event, in the linked list of scalars in its place.
type datum struct {
	scalar
	read *reading // made when it is first needed
	next *datum
}

// reading is a string as some operators need it. It is made once for each string of an event.
type reading struct {
	address netip.Addr // unmapped; the zero Addr if the string is no address
	folded  string     // see fold
}

// noReading is shared by the many strings that are no address and do not change when folded.
var noReading reading

func (d *datum) reading() *reading {
	if d.read == nil {
		address, folded := parseAddress(d.text), fold(d.text)
		if address.IsValid() || folded != d.text {
			d.read = &reading{address: address, folded: folded}
		} else {
			d.read = &noReading
		}
	}
	return d.read
}

func (d *datum) address() netip.Addr { return d.reading().address }

func (d *datum) folded() string {
	if r := d.reading(); r != &noReading {
		return r.folded
	}
	return d.text
}

// parseAddress returns the address in s, as IPv4 if it is mapped into IPv6, and the zero Addr if s
// is no address. netip allocates an error for such texts, so most of them are sorted out before.
func parseAddress(s string) netip.Addr {
	const longest = 64 // with a zone
	if len(s) > longest || strings.Count(s, ".") != 3 && strings.Count(s, ":") < 2 {
		return netip.Addr{}
	}
	if strings.IndexByte("0123456789abcdefABCDEF:", s[0]) < 0 {
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(s)
	return address.Unmap()
}

// fold replaces each character by the first of the characters that Unicode's simple folding treats
// as equal. Two folded strings are equal exactly if strings.EqualFold says so.
func fold(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf || 'a' <= r && r <= 'z'
	}) < 0 {
		return s
	}
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case r < utf8.RuneSelf:
		return r
	}
	for {
		next := unicode.SimpleFold(r)
		if next <= r { // the last one leads back to the first
			return next
		}
		r = next
	}
}

// unquote returns the string in a token of valid JSON. Like encoding/json, it replaces invalid
// surrogates by U+FFFD.
func unquote(token string) string {
	s := token[1 : len(token)-1]
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for at >= 0 {
		b.WriteString(s[:at])
		s = unescape(&b, s[at+1:])
		at = strings.IndexByte(s, '\\')
	}
	b.WriteString(s)
	return b.String()
}

// unescape writes the character of the escape at the beginning of s, after the backslash, and
// returns the rest.
func unescape(b *strings.Builder, s string) string {
	if s[0] != 'u' {
		if i := strings.IndexByte("bfnrt", s[0]); i >= 0 {
			b.WriteByte("\b\f\n\r\t"[i])
		} else {
			b.WriteByte(s[0])
		}
		return s[1:]
	}
	r := unhex(s[1:5])
	s = s[5:]
	if utf16.IsSurrogate(r) {
		if pair := pairOf(r, s); pair != utf8.RuneError {
			b.WriteRune(pair)
			return s[6:]
		}
		r = utf8.RuneError
	}
	b.WriteRune(r)
	return s
}

// pairOf returns the character made of a surrogate and the escaped surrogate at the beginning of s.
func pairOf(r rune, s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return utf8.RuneError
	}
	return utf16.DecodeRune(r, unhex(s[2:6]))
}

func unhex(digits string) rune {
	var r rune
	for _, c := range []byte(digits) {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
