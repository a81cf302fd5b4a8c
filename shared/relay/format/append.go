package format

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// The functions below write the JSON of the documents that every webhook needs, without reflection.
// What they write is equal, byte for byte, to what Encode writes. Each appends to b, and begins
// with a comma unless b ends with the brace of an object that has no member yet.

// AppendKey appends the name of a member, which must need no escape.
func AppendKey(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

// AppendText appends a member with a text.
func AppendText[T ~string](b []byte, key string, text T) []byte {
	return AppendString(AppendKey(b, key), string(text))
}

// AppendTextUnlessEmpty is AppendText for a member with omitempty.
func AppendTextUnlessEmpty[T ~string](b []byte, key string, text T) []byte {
	if text == "" {
		return b
	}
	return AppendText(b, key, text)
}

// AppendInt appends a member with a number.
func AppendInt[T int | int64](b []byte, key string, n T) []byte {
	return strconv.AppendInt(AppendKey(b, key), int64(n), 10)
}

// AppendIntUnlessZero is AppendInt for a member with omitempty.
func AppendIntUnlessZero[T int | int64](b []byte, key string, n T) []byte {
	if n == 0 {
		return b
	}
	return AppendInt(b, key, n)
}

// AppendTrueIf appends a member with true, or nothing: a bool with omitempty.
func AppendTrueIf(b []byte, key string, is bool) []byte {
	if !is {
		return b
	}
	return append(AppendKey(b, key), "true"...)
}

// AppendTime appends a member with a time.
func AppendTime(b []byte, key string, t time.Time) []byte {
	b = AppendKey(b, key)
	if y := t.Year(); y < 0 || y > 9999 {
		return append(b, Encode(t)...) // which panics
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// AppendBytesUnlessEmpty appends a member with bytes in base64, or nothing: a []byte with
// omitempty.
func AppendBytesUnlessEmpty(b []byte, key string, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = append(AppendKey(b, key), '"')
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, '"')
}

// AppendString appends a text as a JSON string.
func AppendString(b []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return append(b, Encode(text)...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// AppendAny appends a member with any value, by reflection.
func AppendAny(b []byte, key string, value any) []byte {
	b = AppendKey(b, key)
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // as Encode does
	}
	return append(b, escapeNoncharacters(text)...)
}
