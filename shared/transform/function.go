package transform

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// function is a function of expressions. It is written after its subject and a bar: "data.name |
// truncate(80)".
type function struct {
	min, max int // number of arguments
	// check says what is wrong with arguments that are literals; nil: nothing can be.
	check func(args []value) string
	call  func(subject value, args []value) (value, error)
}

// functions are the functions by their names. Each takes time linear in its subject and arguments,
// and its result is bounded by MaxOutput: see run.bounded.
var functions = map[string]function{
	"default": {min: 1, max: 1, call: func(v value, args []value) (value, error) {
		if v.empty() {
			return args[0], nil
		}
		return v, nil
	}},
	"upper":    onText(strings.ToUpper),
	"lower":    onText(strings.ToLower),
	"trim":     onText(strings.TrimSpace),
	"truncate": {min: 1, max: 1, check: checkCount, call: truncate},
	"replace":  {min: 2, max: 2, check: checkReplace, call: replace},
	"match":    {min: 2, max: 64, call: match},
	"join":     {min: 1, max: 1, call: join},
	"first":    onList(func(all []value) value { return all[0] }),
	"last":     onList(func(all []value) value { return all[len(all)-1] }),
	"length":   {call: length},
	"date":     {max: 1, check: checkLayout, call: date},
	"fixed":    {min: 1, max: 1, check: checkDigits, call: fixed},
	"number":   {call: toNumber},
	"string": {call: func(v value, _ []value) (value, error) {
		return textValue(v.string()), nil
	}},
	"json": {call: func(v value, _ []value) (value, error) {
		return textValue(string(v.appendJSON(nil))), nil
	}},
}

func onText(change func(string) string) function {
	return function{call: func(v value, _ []value) (value, error) {
		if v.missing() {
			return nothing, nil
		}
		return textValue(change(v.string())), nil
	}}
}

func onList(choose func([]value) value) function {
	return function{call: func(v value, _ []value) (value, error) {
		all := v.elements()
		if len(all) == 0 {
			return nothing, nil
		}
		return choose(all), nil
	}}
}

// truncate shortens a text to a number of characters, of which an ellipsis is the last.
func truncate(v value, args []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	n, ok := numberOf(args[0])
	if !ok || !n.isWhole || n.whole < 1 {
		return nothing, failf("truncate takes a whole number above 0, not %s", show(args[0]))
	}
	s := v.string()
	if int64(len(s)) <= n.whole {
		return textValue(s), nil
	}
	count, keep := int64(0), 0
	for i := range s {
		if count == n.whole-1 {
			keep = i
		}
		if count++; count > n.whole {
			return textValue(s[:keep] + ellipsis), nil
		}
	}
	return textValue(s), nil
}

const ellipsis = "…"

func replace(v value, args []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	s, old, with := v.string(), args[0].string(), args[1].string()
	if old == "" {
		return textValue(s), nil
	}
	if n := strings.Count(s, old); len(s)+n*(len(with)-len(old)) > MaxOutput {
		return nothing, errTooLarge
	}
	return textValue(strings.ReplaceAll(s, old, with)), nil
}

// match returns the argument after the one that equals the subject. The arguments are pairs; a
// single one at the end is for all other subjects.
func match(v value, args []value) (value, error) {
	subject := v.string()
	for len(args) >= 2 {
		if args[0].string() == subject && args[0].missing() == v.missing() {
			return args[1], nil
		}
		args = args[2:]
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return nothing, nil
}

func join(v value, args []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	separator := args[0].string()
	var b strings.Builder
	for i, element := range v.elements() {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(element.string())
		if b.Len() > MaxOutput {
			return nothing, errTooLarge
		}
	}
	return textValue(b.String()), nil
}

// length counts the characters of a text, the elements of a list or the members of an object.
func length(v value, _ []value) (value, error) {
	n := 0
	switch {
	case v.missing():
	case document.IsList(v.raw):
		for range document.Elements(v.raw) {
			n++
		}
	case document.IsObject(v.raw):
		for range document.Members(v.raw) {
			n++
		}
	default:
		n = utf8.RuneCountInString(v.string())
	}
	return numberValue(strconv.Itoa(n)), nil
}

// fixed writes a number with a fixed number of decimals.
func fixed(v value, args []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	n, ok := numberOf(v)
	if !ok {
		return nothing, failf("%s is not a number", show(v))
	}
	digits, _ := numberOf(args[0])
	if math.Abs(n.float) >= 1e15 {
		return nothing, failf("%s has too many digits for fixed", show(v))
	}
	// a decimal half is rounded away from zero, as 1.005 to 1.01, though its float64 is below it
	exact, _ := new(big.Rat).SetString(strconv.FormatFloat(n.rounded(), 'f', -1, 64))
	return numberValue(exact.FloatString(int(digits.whole))), nil
}

func toNumber(v value, _ []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	s := strings.TrimSpace(v.string())
	if _, ok := document.Valid([]byte(s)); ok && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') {
		return numberValue(s), nil
	}
	n, ok := numberOf(v)
	if !ok || math.IsInf(n.float, 0) {
		return nothing, failf("%s is not a number", show(v))
	}
	return n.value(), nil
}

// date writes a time in UTC.
func date(v value, args []value) (value, error) {
	if v.missing() {
		return nothing, nil
	}
	t, ok := timeOf(v)
	if !ok || t.Year() < 0 || t.Year() > 9999 {
		return nothing, failf("%s is not a time that date can read", show(v))
	}
	if len(args) == 0 {
		return textValue(t.Format(time.RFC3339)), nil
	}
	return textValue(format(t, args[0].string())), nil
}

// directive returns the layout, in the form of package time, for a directive of strftime.
func directive(c byte) (layout string, ok bool) {
	const letters = "YmdeHIMSpbBaAjyFTZz"
	layouts := [...]string{
		"2006", "01", "02", "_2", "15", "03", "04", "05", "PM", "Jan", "January", "Mon", "Monday",
		"002", "06", "2006-01-02", "15:04:05", "MST", "-0700",
	}
	if i := strings.IndexByte(letters, c); i >= 0 {
		return layouts[i], true
	}
	return "", c == 's' || c == 'L' || c == '%'
}

func appendTime(b *strings.Builder, t time.Time, c byte) {
	layout, _ := directive(c)
	switch c {
	case 's':
		b.WriteString(strconv.FormatInt(t.Unix(), 10))
	case 'L':
		fmt.Fprintf(b, "%03d", t.Nanosecond()/int(time.Millisecond))
	case '%':
		b.WriteByte('%')
	default:
		b.WriteString(t.Format(layout))
	}
}

func format(t time.Time, form string) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] == '%' && i+1 < len(form) {
			i++
			appendTime(&b, t, form[i])
		} else {
			b.WriteByte(form[i])
		}
	}
	return b.String()
}

func checkLayout(args []value) string {
	if len(args) == 0 {
		return ""
	}
	form := args[0].string()
	for i := 0; i < len(form); i++ {
		if form[i] != '%' {
			continue
		}
		i++
		if i < len(form) {
			if _, ok := directive(form[i]); ok {
				continue
			}
		}
		return fmt.Sprintf(
			"date does not know %q; it knows %%Y %%m %%d %%H %%M %%S %%F %%T %%s and others of strftime",
			form[i-1:min(i+1, len(form))],
		)
	}
	return ""
}

func checkCount(args []value) string {
	if n, ok := numberOf(args[0]); !ok || !n.isWhole || n.whole < 1 {
		return "truncate takes a whole number above 0, as in truncate(80)"
	}
	return ""
}

func checkDigits(args []value) string {
	if n, ok := numberOf(args[0]); !ok || !n.isWhole || n.whole < 0 || n.whole > 9 {
		return "fixed takes the number of decimals, 0 to 9, as in fixed(2)"
	}
	return ""
}

func checkReplace(args []value) string {
	if args[0].string() == "" {
		return "replace takes the text to replace, which is empty here"
	}
	return ""
}

// calculate applies an operator to two values. If one is missing, so is the result.
func calculate(op byte, a, b value) (value, error) {
	if a.missing() || b.missing() {
		return nothing, nil
	}
	x, ok := numberOf(a)
	if !ok {
		return nothing, failf("%s is not a number, so it cannot be calculated with", show(a))
	}
	y, ok := numberOf(b)
	if !ok {
		return nothing, failf("%s is not a number, so it cannot be calculated with", show(b))
	}
	if op == '/' && y.float == 0 {
		return nothing, failf("%s is divided by 0", show(a))
	}
	n, ok := exactly(op, x, y)
	if !ok {
		n = number{float: map[byte]float64{
			'+': x.float + y.float, '-': x.float - y.float, '*': x.float * y.float,
			'/': x.float / y.float,
		}[op]}
	}
	if math.IsInf(n.float, 0) || math.IsNaN(n.float) {
		return nothing, failf("%s %c %s is too large a number", show(a), op, show(b))
	}
	return n.value(), nil
}

// exactly calculates with whole numbers, if the result is one that fits into 64 bits.
func exactly(op byte, x, y number) (number, bool) {
	if !x.isWhole || !y.isWhole {
		return number{}, false
	}
	a, b := x.whole, y.whole
	var c int64
	ok := true
	switch op {
	case '+':
		c = a + b
		ok = (c > a) == (b > 0)
	case '-':
		c = a - b
		ok = (c < a) == (b > 0)
	case '*':
		c = a * b
		ok = a == 0 || c/a == b && (a != -1 || b != math.MinInt64)
	case '/':
		ok = a%b == 0 && (a != math.MinInt64 || b != -1)
		if ok {
			c = a / b
		}
	}
	return number{whole: c, float: float64(c), isWhole: true}, ok
}

// show quotes a value in an error, shortened.
func show(v value) string {
	const longest = 60
	s := string(v.appendJSON(nil))
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + ellipsis
	}
	return s
}

// Functions returns the names of all functions, sorted.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }
