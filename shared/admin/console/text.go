package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// span is a part of a text: as it is, or the name of a character that is not shown as itself.
type span struct {
	text string
	mark bool
}

// hidden reports whether a character is shown by its name: controls, the marks that turn the
// direction of writing, and what has no width. With them a text could look like another one.
func hidden(c rune) bool {
	switch {
	case c == '\n', c == '\t':
		return false
	case unicode.IsControl(c), unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return true
	case c == utf8.RuneError, c == '\u115f', c == '\u1160', c == '\u3164', c == '\uffa0':
		return true
	}
	return unicode.Is(unicode.Variation_Selector, c) && c != '\ufe0f'
}

// spans divides a text from outside at its hidden characters. A byte that is not UTF-8 is shown by
// its value.
func spans(s string) []span {
	var out []span
	begin := 0
	for i, c := range s {
		if !hidden(c) {
			continue
		}
		if begin < i {
			out = append(out, span{text: s[begin:i]})
		}
		size := utf8.RuneLen(c)
		name := fmt.Sprintf("U+%04X", c)
		if c == utf8.RuneError {
			if _, size = utf8.DecodeRuneInString(s[i:]); size == 1 {
				name = fmt.Sprintf("0x%02X", s[i])
			}
		}
		out = append(out, span{text: name, mark: true})
		begin = i + size
	}
	if begin < len(s) {
		out = append(out, span{text: s[begin:]})
	}
	return out
}

// visible returns a text with its hidden characters by name, where no element can be: in a title.
func visible(s string) string {
	var b strings.Builder
	for _, part := range spans(s) {
		if part.mark {
			b.WriteString("<" + part.text + ">")
			continue
		}
		b.WriteString(part.text)
	}
	return b.String()
}

// shorten returns the first characters of a text, about n bytes.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

const (
	// shownBytes is how much of a payload is shown. The rest can be downloaded.
	shownBytes = 64 << 10
	// hexBytes is how much of a binary payload is shown.
	hexBytes = 4 << 10
	hexLine  = 16
)

// payload is the body of an event, or an answer, as it is shown.
type payload struct {
	raw    string // as it came; "" if it is binary or was cut
	text   string
	binary bool // text is a hex dump
	cut    bool // there is more
	size   int
}

// payloadOf returns what is shown of a body.
func payloadOf(body []byte) payload {
	p := payload{size: len(body)}
	head := body
	if len(head) > shownBytes {
		head, p.cut = head[:shownBytes], true
		for n := 0; n < utf8.UTFMax-1 && !endsWhole(head); n++ { // a character was cut
			head = head[:len(head)-1]
		}
	}
	if !utf8.Valid(head) || strings.ContainsRune(string(head), 0) {
		p.binary = true
		if len(body) > hexBytes {
			body, p.cut = body[:hexBytes], true
		} else {
			p.cut = false
		}
		p.text = hexDump(body)
		return p
	}
	p.text = pretty(string(head))
	if !p.cut {
		p.raw = string(head)
	}
	return p
}

// endsWhole reports whether the last character of b is whole.
func endsWhole(b []byte) bool {
	r, size := utf8.DecodeLastRune(b)
	return r != utf8.RuneError || size > 1
}

// hexDump returns a dump: place, bytes and the printable characters.
func hexDump(b []byte) string {
	var out strings.Builder
	for at := 0; at < len(b); at += hexLine {
		line := b[at:min(at+hexLine, len(b))]
		fmt.Fprintf(&out, "%06x  ", at)
		for i := range hexLine {
			if i < len(line) {
				fmt.Fprintf(&out, "%02x ", line[i])
			} else {
				out.WriteString("   ")
			}
		}
		out.WriteByte(' ')
		for _, c := range line {
			if c < ' ' || c > '~' {
				c = '.'
			}
			out.WriteByte(c)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

const (
	// maxIndent bounds the indentation, so that deep nesting makes no long lines.
	maxIndent = 20
	// maxPretty is how large a text may become by being spread over lines.
	maxPretty = 8 * shownBytes
)

// pretty breaks and indents JSON. It works on the characters: numbers, escapes and the order of
// members stay as they are, and what is no JSON or was cut off is only spread over lines. What does
// not begin like a JSON object or array is returned as it is.
func pretty(s string) string {
	trimmed := strings.TrimLeft(s, " \t\r\n")
	if trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) * 2)
	depth := 0
	line := func() {
		b.WriteByte('\n')
		for range min(depth, maxIndent) {
			b.WriteString("  ")
		}
	}
	for i := 0; i < len(trimmed); i++ {
		switch c := trimmed[i]; c {
		case '"':
			end := endOfString(trimmed, i)
			b.WriteString(trimmed[i:end])
			i = end - 1
		case '{', '[':
			b.WriteByte(c)
			if rest := strings.TrimLeft(trimmed[i+1:], " \t\r\n"); rest != "" &&
				(rest[0] == '}' || rest[0] == ']') {
				b.WriteByte(rest[0])
				i = len(trimmed) - len(rest)
				continue
			}
			depth++
			line()
		case '}', ']':
			depth = max(depth-1, 0)
			line()
			b.WriteByte(c)
		case ',':
			b.WriteByte(c)
			line()
		case ':':
			b.WriteString(": ")
		case ' ', '\t', '\r', '\n':
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > maxPretty {
		return s
	}
	return b.String()
}

// endOfString returns where the JSON string that begins at i ends.
func endOfString(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(s)
}

// stamp is the form of times: absolute, with the zone.
const stamp = "2006-01-02 15:04:05 UTC"

func timeText(t time.Time) string { return t.UTC().Format(stamp) }

// ago says how long ago t was, or in how long it will be.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in " + spanText(-d)
	}
	return spanText(d) + " ago"
}

// spanText returns a duration in its largest unit or two.
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < day:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d/day), int(d.Hours())%24)
}

// count returns a number with separators: 12,345.
func count(n int) string {
	s := fmt.Sprint(n)
	from := 3
	if n < 0 {
		from = 4
	}
	for i := len(s) - 3; i >= from-2 && i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size returns a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// number returns a number and a word, in the right form.
func number(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if strings.HasSuffix(word, "y") {
		return count(n) + " " + strings.TrimSuffix(word, "y") + "ies"
	}
	return count(n) + " " + word + "s"
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
