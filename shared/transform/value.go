package transform

import (
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// value is a JSON value. Values of the event stay as they are written, so that numbers keep all
// their digits.
type value struct {
	raw    []byte // JSON; nil: a string, or nothing
	text   string // the string, if isText
	isText bool
}

var (
	nothing  = value{}
	rawNull  = value{raw: []byte("null")}
	rawTrue  = value{raw: []byte("true")}
	rawFalse = value{raw: []byte("false")}
)

func textValue(s string) value { return value{text: s, isText: true} }

func numberValue(s string) value { return value{raw: []byte(s)} }

// missing tells whether there is no value, or null.
func (v value) missing() bool { return !v.isText && (len(v.raw) == 0 || v.raw[0] == 'n') }

// empty tells whether a value is missing or the empty string.
func (v value) empty() bool {
	return v.missing() || v.isText && v.text == "" || string(v.raw) == `""`
}

// string returns the value as text: a string itself, a number or boolean as it is written, an
// object or a list as JSON, "" for null and nothing.
func (v value) string() string {
	switch {
	case v.isText:
		return v.text
	case v.missing():
		return ""
	case document.IsObject(v.raw) || document.IsList(v.raw):
		return string(v.raw)
	}
	return document.Scalar(v.raw)
}

// appendJSON appends the value as JSON.
func (v value) appendJSON(b []byte) []byte {
	switch {
	case v.isText:
		return document.AppendQuoted(b, v.text)
	case len(v.raw) == 0:
		return append(b, "null"...)
	}
	return append(b, v.raw...)
}

// appendEscaped appends the value as text, as the inside of a JSON string.
func (v value) appendEscaped(b []byte) []byte {
	if n := len(v.raw) - 1; !v.isText && n > 0 && v.raw[0] == '"' {
		return append(b, v.raw[1:n]...) // it is escaped already
	}
	return document.AppendEscaped(b, v.string())
}

// elements returns the elements of a list. Another value is the only element of its own list, and
// there is none if it is missing.
func (v value) elements() []value {
	if v.missing() {
		return nil
	}
	if !document.IsList(v.raw) {
		return []value{v}
	}
	var out []value
	for element := range document.Elements(v.raw) {
		out = append(out, value{raw: element})
	}
	return out
}

// number is a number of an expression: a whole one if it fits, else a fraction.
type number struct {
	whole   int64
	float   float64
	isWhole bool
}

// numberOf returns the number that a value is, or that its text writes.
func numberOf(v value) (number, bool) {
	if document.IsObject(v.raw) || document.IsList(v.raw) {
		return number{}, false
	}
	s := strings.TrimSpace(v.string())
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{whole: i, float: float64(i), isWhole: true}, true
	}
	if strings.ContainsAny(s, "xXpP_iInN") { // Go writes more numbers than JSON does
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{float: f}, err == nil
}

// significant is how many digits of a fraction are kept. A float64 holds 15 decimal digits exactly,
// so 0.1 + 0.2 is 0.3.
const significant = 15

// rounded returns the number as a float64 of so many digits.
func (n number) rounded() float64 {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(n.float, 'g', significant, 64), 64)
	return f
}

func (n number) value() value {
	if n.isWhole {
		return numberValue(strconv.FormatInt(n.whole, 10))
	}
	rounded := n.rounded()
	if abs := max(rounded, -rounded); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return numberValue(strconv.FormatFloat(rounded, 'e', -1, 64))
	}
	return numberValue(strconv.FormatFloat(rounded, 'f', -1, 64))
}

// timeOf returns the time that a value writes: RFC 3339, a date, or seconds, milliseconds,
// microseconds or nanoseconds since 1970, told apart by their size.
func timeOf(v value) (time.Time, bool) {
	if n, ok := numberOf(v); ok {
		return sinceEpoch(n)
	}
	s := strings.TrimSpace(v.string())
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123Z,
		time.RFC1123,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// sinceEpoch reads a number as a time. A time in the next unit begins where the one before would be
// some 3,000 years away.
func sinceEpoch(n number) (time.Time, bool) {
	const year5138 = 1e11
	unit, f := float64(time.Second), max(n.float, -n.float)
	for f >= year5138 && unit > 1 {
		f, unit = f/1000, unit/1000
	}
	if f >= year5138 {
		return time.Time{}, false
	}
	if n.isWhole {
		per := int64(float64(time.Second) / unit)
		seconds, rest := n.whole/per, n.whole%per
		return time.Unix(seconds, rest*int64(unit)).UTC(), true
	}
	seconds := n.float * unit / float64(time.Second)
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)).UTC(), true
}
