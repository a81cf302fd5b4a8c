package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

const (
	existsOperator      = "exists"
	anythingButOperator = "anything-but"
	ignoreCaseOperator  = "equals-ignore-case"
)

// operators are the operators that look at one value. Each function adds an operand to a list.
var operators = map[string]func(l *list, operand any) error{
	"prefix":           textual(affix(strings.HasPrefix)),
	"suffix":           textual(affix(strings.HasSuffix)),
	ignoreCaseOperator: textual(equalsIgnoreCase),
	"wildcard":         textual(wildcard),
	"cidr":             addBlock,
	"numeric":          addNumbers,
}

// negatable are the operators that anything-but can contain.
var negatable = []string{"prefix", "suffix", ignoreCaseOperator, "wildcard"}

func isOperator(name string) bool {
	return operators[name] != nil || name == existsOperator || name == anythingButOperator
}

// add reads an element of a list in a filter.
func (l *list) add(element any) error {
	operator, isObject := element.(map[string]any)
	if !isObject {
		return l.addValue(element)
	}
	name, operand, err := single(operator)
	if err != nil {
		return err
	}
	switch name {
	case existsOperator:
		err = l.addExists(operand)
	case anythingButOperator:
		err = l.addAnythingBut(operand)
	default:
		add := operators[name]
		if add == nil {
			also := []string{existsOperator, anythingButOperator}
			return unknown("operator", name, slices.AppendSeq(also, maps.Keys(operators)))
		}
		err = add(l, operand)
	}
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}

// single returns the name and the operand in an operator's object.
func single(object map[string]any) (name string, operand any, err error) {
	if len(object) != 1 {
		return "", nil, fmt.Errorf("an operator is an object with one name, and this one has %d;"+
			" write one object for each operator", len(object))
	}
	for name, operand = range object { //nolint:revive // the one there is
	}
	return name, operand, nil
}

func unknown(what, name string, known []string) error {
	there := strings.Join(slices.Sorted(slices.Values(known)), ", ")
	return fmt.Errorf("%s %q is unknown; known are %s", what, name, there)
}

func scalarOf(v any) (scalar, error) {
	switch v := v.(type) {
	case string:
		return textScalar(v), nil
	case json.Number:
		return parseNumber(v.String()), nil
	case bool:
		if v {
			return scalar{kind: truth}, nil
		}
		return scalar{kind: falsehood}, nil
	case nil:
		return scalar{kind: null}, nil
	}
	return scalar{}, errors.New("a list holds strings, numbers, true, false, null and operators")
}

func (l *list) addExists(operand any) error {
	switch operand {
	case true:
		l.others = append(l.others, condition{steps: 1, holds: func(*meter, *datum) bool {
			return true
		}})
	case false:
		l.absent = true
	default:
		return errors.New("takes true or false")
	}
	return nil
}

// textual returns an operator that makes a condition on strings from its operand. Other values
// never match it.
func textual(read func(operand any) (condition, error)) func(*list, any) error {
	return func(l *list, operand any) error {
		c, err := read(operand)
		holds := c.holds
		c.holds = func(m *meter, d *datum) bool { return d.kind == text && holds(m, d) }
		l.others = append(l.others, c)
		return err
	}
}

func stringOf(operand any) (string, error) {
	s, ok := operand.(string)
	if !ok {
		return "", errors.New("takes a string")
	}
	return s, nil
}

func equalsIgnoreCase(operand any) (condition, error) {
	wanted, err := stringOf(operand)
	wanted = fold(wanted)
	return condition{steps: compareSteps(len(wanted)), holds: func(_ *meter, d *datum) bool {
		return d.folded() == wanted
	}}, err
}

// affix reads the operand of prefix or suffix: a string, or {"equals-ignore-case": string}.
func affix(has func(s, affix string) bool) func(any) (condition, error) {
	return func(operand any) (condition, error) {
		object, isObject := operand.(map[string]any)
		if !isObject {
			wanted, err := stringOf(operand)
			return condition{steps: compareSteps(len(wanted)),
				holds: func(_ *meter, d *datum) bool {
					return has(d.text, wanted)
				}}, err
		}
		operand, ok := object[ignoreCaseOperator]
		if !ok || len(object) != 1 {
			return condition{}, errors.New(`takes a string, or {"equals-ignore-case": string}`)
		}
		wanted, err := stringOf(operand)
		wanted = fold(wanted)
		return condition{steps: compareSteps(len(wanted)), holds: func(_ *meter, d *datum) bool {
			return has(d.folded(), wanted)
		}}, err
	}
}

// wildcard reads a string in which "*" stands for any sequence of characters, `\*` for a star and
// `\\` for a backslash.
func wildcard(operand any) (condition, error) {
	s, err := stringOf(operand)
	if err != nil {
		return condition{}, err
	}
	parts := glob{""}
	for i := 0; i < len(s); i++ {
		last := &parts[len(parts)-1]
		switch {
		case s[i] == '*' && i > 0 && s[i-1] == '*' && *last == "":
			return condition{}, errors.New("must not have two stars in a row")
		case s[i] == '*':
			parts = append(parts, "")
			continue
		case s[i] == '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return condition{},
					errors.New(`may have a backslash only before a star or a backslash`)
			}
		}
		*last += s[i : i+1]
	}
	return condition{steps: compareSteps(len(s)), holds: func(m *meter, d *datum) bool {
		middle, ok := parts.ends(d.text)
		return ok && m.spend(parts.searchSteps(middle)) && parts.within(middle)
	}}, nil
}

// searchSteps is the cost of searching s for the parts between a glob's ends.
func (g glob) searchSteps(s string) int {
	if len(g) <= 2 {
		return 0
	}
	return 2 + len(s)/8 + min(len(g), len(s))
}

func addBlock(l *list, operand any) error {
	s, err := stringOf(operand)
	if err != nil {
		return err
	}
	block, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf(
			"takes a block of addresses such as 10.0.0.0/24 or 2001:db8::/32, not %q", s,
		)
	}
	if block.Addr().Is4In6() {
		return fmt.Errorf("must be written as IPv4, not mapped into IPv6 as in %q: an event's mapped"+
			" addresses count as IPv4", s)
	}
	l.blocks = append(l.blocks, block.Masked())
	return nil
}

// comparisons return the numbers for which a comparison with x holds.
var comparisons = map[string]func(x scalar) span{
	"=":  func(x scalar) span { return span{from: cut{at: x}, to: cut{at: x, after: true}} },
	"<":  func(x scalar) span { return span{from: below, to: cut{at: x}} },
	"<=": func(x scalar) span { return span{from: below, to: cut{at: x, after: true}} },
	">":  func(x scalar) span { return span{from: cut{at: x, after: true}, to: above} },
	">=": func(x scalar) span { return span{from: cut{at: x}, to: above} },
}

// addNumbers reads ["=", 5], ["<", 10] or [">", 0, "<=", 5].
func addNumbers(l *list, operand any) error {
	terms, _ := operand.([]any)
	if len(terms) != 2 && len(terms) != 4 {
		return errors.New(`takes a comparison or a range, such as ["=", 5] or [">", 0, "<=", 5]`)
	}
	var spans []span
	for i := 0; i < len(terms); i += 2 {
		sign, _ := terms[i].(string)
		limit, isNumber := terms[i+1].(json.Number)
		if comparisons[sign] == nil || !isNumber {
			return errors.New(
				"takes a comparison (=, <, <=, > or >=) and a number, or two such pairs for a range",
			)
		}
		spans = append(spans, comparisons[sign](parseNumber(limit.String())))
	}
	if len(spans) == 2 {
		lower, upper := spans[0], spans[1]
		if lower.to != above || upper.from != below || lower.from.at.compare(upper.to.at) >= 0 {
			return errors.New(
				"takes a range that begins with > or >= and ends with < or <= and a larger number",
			)
		}
		spans = []span{{from: lower.from, to: upper.to}}
	}
	l.numbers = append(l.numbers, spans...)
	return nil
}

// addAnythingBut reads a value, a list of values, or one of the negatable operators with a string
// or a list of strings.
func (l *list) addAnythingBut(operand any) error {
	not, err := refused(operand)
	if err != nil {
		return err
	}
	not.seal()
	l.others = append(l.others, condition{steps: 1, holds: func(m *meter, d *datum) bool {
		return !not.holds(m, d)
	}})
	return nil
}

// refused reads the operand of anything-but.
func refused(operand any) (*list, error) {
	not := new(list)
	add := not.addValue
	if object, isObject := operand.(map[string]any); isObject {
		name, inner, err := single(object)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(negatable, name) {
			return nil, unknown("of the operator", name, negatable)
		}
		operand, add = inner, func(v any) error { return not.addRefused(name, v) }
	}
	operands, isList := operand.([]any)
	if !isList {
		operands = []any{operand}
	}
	if len(operands) == 0 {
		return nil, errors.New("takes a value or a list of values")
	}
	for _, o := range operands {
		if err := add(o); err != nil {
			return nil, err
		}
	}
	return not, nil
}

func (l *list) addValue(v any) error {
	s, err := scalarOf(v)
	l.exact = append(l.exact, s)
	return err
}

// addRefused adds an operator inside anything-but.
func (l *list) addRefused(name string, operand any) error {
	affix := operand
	if object, isObject := operand.(map[string]any); isObject {
		affix = object[ignoreCaseOperator]
	}
	if affix == "" && (name == "prefix" || name == "suffix") {
		return fmt.Errorf("%s is empty, and every string begins and ends with an empty one", name)
	}
	if err := operators[name](l, operand); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}
