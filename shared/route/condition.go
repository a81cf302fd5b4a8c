package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scalar is a string, a number, a boolean or null, of a filter or of an event. A string is written with a quote in front, a number as decimal
// writes it, and the others as JSON does: equal values are equal scalars, and those of an event share its memory where they can.
type scalar string

func textScalar(s string) scalar { return scalar(`"` + s) }

// newScalar reads a token of valid JSON.
func newScalar(token string) scalar {
	switch {
	case token[0] == '"' && strings.IndexByte(token, '\\') < 0:
		return scalar(token[:len(token)-1])
	case token[0] == '"':
		return textScalar(unquote(token))
	case scalar(token).isNumber():
		return scalar(parseDecimal(token).String())
	}
	return scalar(token)
}

func (s scalar) isText() bool   { return s[0] == '"' }
func (s scalar) isNumber() bool { return s[0] == '-' || s[0] >= '0' && s[0] <= '9' }

// unquote returns the string that a token of valid JSON stands for.
func unquote(token string) string {
	s := token[1 : len(token)-1]
	if strings.IndexByte(s, '\\') >= 0 {
		_ = json.Unmarshal([]byte(token), &s)
	}
	return s
}

// condition tells whether a scalar is as wanted.
type condition func(scalar) bool

// list is what stands in a filter's list: alternatives, of which one must hold.
type list struct {
	exact  []scalar // sorted
	others []condition
	absent bool // {"exists": false} is among them
}

func (l *list) holds(s scalar) bool {
	_, listed := slices.BinarySearch(l.exact, s)
	return listed || slices.ContainsFunc(l.others, func(c condition) bool { return c(s) })
}

// isExact tells whether l lists exact values alone, so that rules can be found by them.
func (l *list) isExact() bool { return len(l.others) == 0 && !l.absent }

func (l *list) addExact(s scalar) {
	if at, listed := slices.BinarySearch(l.exact, s); !listed {
		l.exact = slices.Insert(l.exact, at, s)
	}
}

const (
	existsOperator      = "exists"
	anythingButOperator = "anything-but"
)

// operators are those that look at one value, each with what makes a condition of its operand.
var operators = map[string]func(operand any) (condition, error){
	"prefix":             affix(strings.HasPrefix, hasPrefixFold),
	"suffix":             affix(strings.HasSuffix, hasSuffixFold),
	"equals-ignore-case": compared(strings.EqualFold),
	"wildcard":           wildcard,
	"cidr":               cidr,
	"numeric":            numeric,
}

// negatable are those of the operators that may follow anything-but.
var negatable = []string{"prefix", "suffix", "equals-ignore-case", "wildcard"}

func isOperator(name string) bool {
	return operators[name] != nil || name == existsOperator || name == anythingButOperator
}

// add reads an element of a list in a filter.
func (l *list) add(element any) error {
	operator, isObject := element.(map[string]any)
	if !isObject {
		s, err := scalarOf(element)
		if err == nil {
			l.addExact(s)
		}
		return err
	}
	name, operand, err := single(operator)
	if err != nil {
		return err
	}
	c := condition(func(scalar) bool { return true })
	switch name {
	case existsOperator:
		switch operand {
		case true:
		case false:
			l.absent = true
			return nil
		default:
			return errors.New("exists takes true or false")
		}
	case anythingButOperator:
		c, err = anythingBut(operand)
	default:
		read := operators[name]
		if read == nil {
			return unknown("operator", name, slices.AppendSeq([]string{existsOperator, anythingButOperator}, maps.Keys(operators)))
		}
		c, err = read(operand)
	}
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	l.others = append(l.others, c)
	return nil
}

// single returns what an operator's object says.
func single(object map[string]any) (name string, operand any, err error) {
	if len(object) != 1 {
		return "", nil, fmt.Errorf("an operator is an object with one name, this one has %d; each takes an object of its own", len(object))
	}
	for name, operand = range object { //nolint:revive // the one there is
	}
	return name, operand, nil
}

func unknown(what, name string, known []string) error {
	return fmt.Errorf("%s %q is unknown; there are %s", what, name, strings.Join(slices.Sorted(slices.Values(known)), ", "))
}

func scalarOf(v any) (scalar, error) {
	switch v := v.(type) {
	case string:
		return textScalar(v), nil
	case json.Number:
		return newScalar(v.String()), nil
	case bool:
		return scalar(strconv.FormatBool(v)), nil
	case nil:
		return "null", nil
	}
	return "", errors.New("a list holds strings, numbers, true, false, null and operators")
}

// onText makes a condition of one for strings, which nothing else fulfils.
func onText(c func(string) bool) condition {
	return func(s scalar) bool { return s.isText() && c(string(s[1:])) }
}

func stringOf(operand any) (string, error) {
	s, ok := operand.(string)
	if !ok {
		return "", errors.New("takes a string")
	}
	return s, nil
}

func compared(holds func(value, wanted string) bool) func(any) (condition, error) {
	return func(operand any) (condition, error) {
		wanted, err := stringOf(operand)
		return onText(func(value string) bool { return holds(value, wanted) }), err
	}
}

// affix is prefix or suffix: of a string, or of {"equals-ignore-case": string}.
func affix(has, hasFold func(value, wanted string) bool) func(any) (condition, error) {
	return func(operand any) (condition, error) {
		object, isObject := operand.(map[string]any)
		if !isObject {
			return compared(has)(operand)
		}
		folded, ok := object["equals-ignore-case"]
		if !ok || len(object) != 1 {
			return nil, errors.New(`takes a string, or {"equals-ignore-case": string}`)
		}
		return compared(hasFold)(folded)
	}
}

// hasPrefixFold compares as many characters as prefix has: folding takes one character for one.
func hasPrefixFold(s, prefix string) bool {
	end := 0
	for range utf8.RuneCountInString(prefix) {
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
	}
	return strings.EqualFold(s[:end], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	begin := len(s)
	for range utf8.RuneCountInString(suffix) {
		_, n := utf8.DecodeLastRuneInString(s[:begin])
		begin -= n
	}
	return strings.EqualFold(s[begin:], suffix)
}

// wildcard reads a string in which "*" stands for any run of characters, `\*` for a star and `\\` for a backslash.
func wildcard(operand any) (condition, error) {
	s, err := stringOf(operand)
	if err != nil {
		return nil, err
	}
	parts := glob{""}
	for i := 0; i < len(s); i++ {
		last := &parts[len(parts)-1]
		switch {
		case s[i] == '*' && i > 0 && s[i-1] == '*' && *last == "":
			return nil, errors.New("takes no two stars in a row")
		case s[i] == '*':
			parts = append(parts, "")
			continue
		case s[i] == '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, errors.New(`takes a backslash before a star or a backslash only`)
			}
		}
		*last += s[i : i+1]
	}
	return onText(parts.match), nil
}

func cidr(operand any) (condition, error) {
	s, err := stringOf(operand)
	if err != nil {
		return nil, err
	}
	block, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("takes a block of addresses such as 10.0.0.0/24 or 2001:db8::/32, not %q", s)
	}
	return onText(func(value string) bool {
		address, err := netip.ParseAddr(value)
		return err == nil && block.Contains(address.Unmap())
	}), nil
}

// bounds tell how a comparison with a number must come out.
var bounds = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

// numeric reads ["=", 5], ["<", 10] or [">", 0, "<=", 5].
func numeric(operand any) (condition, error) {
	terms, _ := operand.([]any)
	if len(terms) != 2 && len(terms) != 4 {
		return nil, errors.New(`takes a comparison or a range, such as ["=", 5] or [">", 0, "<=", 5]`)
	}
	var signs []string
	var limits []decimal
	for i := 0; i < len(terms); i += 2 {
		sign, _ := terms[i].(string)
		limit, isNumber := terms[i+1].(json.Number)
		if bounds[sign] == nil || !isNumber {
			return nil, errors.New("takes one of =, <, <=, > and >= and then a number, once or for a range twice")
		}
		signs, limits = append(signs, sign), append(limits, parseDecimal(limit.String()))
	}
	if len(signs) == 2 && (signs[0][0] != '>' || signs[1][0] != '<' || limits[0].compare(limits[1]) >= 0) {
		return nil, errors.New("takes a range that begins with > or >= and ends with < or <= of a larger number")
	}
	return func(s scalar) bool {
		if !s.isNumber() {
			return false
		}
		value := parseDecimal(string(s))
		for i, sign := range signs {
			if !bounds[sign](value.compare(limits[i])) {
				return false
			}
		}
		return true
	}, nil
}

// anythingBut reads a value, a list of values, or one of the negatable operators with a string or a list of them.
func anythingBut(operand any) (condition, error) {
	var not list
	object, isObject := operand.(map[string]any)
	if !isObject {
		return not.negated(operand, func(v any) error {
			s, err := scalarOf(v)
			not.addExact(s)
			return err
		})
	}
	name, operand, err := single(object)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(negatable, name) {
		return nil, unknown("of the operator", name, negatable)
	}
	return not.negated(operand, func(v any) error {
		c, err := operators[name](v)
		not.others = append(not.others, c)
		if err != nil {
			err = fmt.Errorf("%s %w", name, err)
		}
		return err
	})
}

// negated adds an operand, or each in a list of them, to l, and returns what holds where none of them does.
func (l *list) negated(operand any, add func(any) error) (condition, error) {
	operands, isList := operand.([]any)
	if !isList {
		operands = []any{operand}
	}
	if len(operands) == 0 {
		return nil, errors.New("takes a value or a list of some")
	}
	for _, o := range operands {
		if err := add(o); err != nil {
			return nil, err
		}
	}
	return func(s scalar) bool { return !l.holds(s) }, nil
}
