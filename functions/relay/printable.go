package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// printable returns foreign text, such as an endpoint's answer, as one line that is safe to print
// on a terminal. It escapes everything that is not printable, line breaks included, as JSON does.
func printable(s string) string { return string(appendPrintable(nil, []byte(s), "")) }

// name returns a foreign name, such as the last part of a request's path, in a form that cannot be
// confused with the text around it. It is quoted if it is empty or contains spaces, quotes, or
// characters that are not printable.
func name(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || !strconv.IsPrint(r) || r == utf8.RuneError
	}) {
		return `"` + strings.ReplaceAll(printable(s), `"`, `\"`) + `"`
	}
	return s
}

// printLine prints one line. Line breaks and control characters in its arguments are escaped.
func printLine(out io.Writer, format string, args ...any) (int, error) {
	return io.WriteString(out, printable(fmt.Sprintf(format, args...))+"\n")
}

// lastOfPlane0 is the last character that a single JSON escape can express.
const lastOfPlane0 = 0xffff

// appendPrintable appends text to b. It escapes every character that is neither printable nor in
// keep.
func appendPrintable(b, text []byte, keep string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case strconv.IsPrint(r) || strings.ContainsRune(keep, r):
			b = append(b, text[:size]...)
		case r > lastOfPlane0:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b
}

// printableWriter writes to a terminal, or to a file that is later shown on one. It escapes all
// control characters but tabs and line breaks. It is safe for concurrent use.
type printableWriter struct {
	to io.Writer

	mu   sync.Mutex
	part []byte // the first bytes of a character that is still incomplete
}

func (w *printableWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := slices.Concat(w.part, p)
	w.part = nil
	if start := lastRune(text); !utf8.FullRune(text[start:]) {
		w.part = bytes.Clone(text[start:])
		text = text[:start]
	}
	if _, err := w.to.Write(appendPrintable(make([]byte, 0, len(text)), text, "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// lastRune returns the index at which the last character of a text begins, complete or not.
func lastRune(text []byte) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return len(text)
}
