package transform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// expression is what stands between braces.
type expression interface{ eval(*run) (value, error) }

// constant is a literal.
type constant struct{ value value }

func (c constant) eval(*run) (value, error) { return c.value, nil }

// lookup is a place in the event's document, by its index among the transform's places.
type lookup struct {
	slot int
	each bool // it may have several values, and is their list
}

func (l lookup) eval(r *run) (value, error) { return r.document(l) }

// attribute is a value of the event beside its document.
type attribute func(e *Event) value

func (a attribute) eval(r *run) (value, error) { return a(r.event), nil }

type calculation struct {
	op          byte
	left, right expression
}

func (c calculation) eval(r *run) (value, error) {
	left, err := c.left.eval(r)
	if err != nil {
		return nothing, err
	}
	right, err := c.right.eval(r)
	if err != nil {
		return nothing, err
	}
	return calculate(c.op, left, right)
}

type call struct {
	function function
	subject  expression
	args     []expression
}

func (c call) eval(r *run) (value, error) {
	subject, err := c.subject.eval(r)
	if err != nil {
		return nothing, err
	}
	args := make([]value, len(c.args))
	for i, arg := range c.args {
		if args[i], err = arg.eval(r); err != nil {
			return nothing, err
		}
	}
	v, err := c.function.call(subject, args)
	if err == nil && len(v.text)+len(v.raw) > MaxOutput && len(v.text) > 0 {
		return nothing, errTooLarge
	}
	return v, err
}

// attributes are the values of an event beside its document and headers, by name.
var attributes = map[string]attribute{
	"id":     func(e *Event) value { return textOrNothing(e.ID) },
	"type":   func(e *Event) value { return textOrNothing(e.Type) },
	"source": func(e *Event) value { return textOrNothing(e.Source) },
	"trust":  func(e *Event) value { return textOrNothing(e.Trust) },
	"time": func(e *Event) value {
		return textValue(e.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	},
	"date": func(e *Event) value { return textValue(e.Time.UTC().Format(time.DateOnly)) },
	"headers": func(e *Event) value {
		var b []byte
		for _, name := range slices.Sorted(maps.Keys(e.Header)) {
			b = append(b, ',')
			b = append(document.AppendQuoted(b, name), ':')
			b = document.AppendQuoted(b, e.Header[name])
		}
		if len(b) == 0 {
			return value{raw: []byte("{}")}
		}
		b[0] = '{'
		return value{raw: append(b, '}')}
	},
}

func textOrNothing(s string) value {
	if s == "" {
		return nothing
	}
	return textValue(s)
}

// syntaxError is an error of the expression parser at a byte of the text.
type syntaxError struct {
	at      int
	problem string
}

// parser reads expressions. Its methods panic with a syntaxError, which parseText recovers.
type parser struct {
	text   string
	at     int
	depth  int
	places *places
}

// places collects the places in the document that expressions need.
type places struct {
	list [][]document.Step
	seen map[string]int
}

func (p *places) slot(steps []document.Step) int {
	key := fmt.Sprintf("%q", fmt.Sprint(steps))
	if i, ok := p.seen[key]; ok {
		return i
	}
	if p.seen == nil {
		p.seen = map[string]int{}
	}
	p.seen[key] = len(p.list)
	p.list = append(p.list, steps)
	return len(p.list) - 1
}

// piece is a part of a text: a literal, or an expression.
type piece struct {
	literal string
	expr    expression // nil: the literal
}

// parseText reads a text with expressions in braces.
func parseText(text string, known *places) (pieces []piece, failed *syntaxError) {
	p := &parser{text: text, places: known}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			failed = &e
		}
	}()
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	for p.at < len(text) {
		switch rest := text[p.at:]; {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			p.at += 2
		case rest[0] == '}':
			p.fail(p.at, "a } without its {; write }} for a brace")
		case rest[0] == '{':
			flush()
			begin := p.at
			p.at++
			expr := p.pipe()
			if p.peek() != '}' {
				p.unexpected(begin)
			}
			p.at++
			pieces = append(pieces, piece{expr: expr})
		default:
			n := strings.IndexAny(rest, "{}")
			if n < 0 {
				n = len(rest)
			}
			literal.WriteString(rest[:n])
			p.at += n
		}
	}
	flush()
	return pieces, nil
}

func (p *parser) fail(at int, format string, args ...any) {
	panic(syntaxError{at: at, problem: fmt.Sprintf(format, args...)})
}

// unexpected reports what stands where an expression should end. begin is where it began.
func (p *parser) unexpected(begin int) {
	if p.at >= len(p.text) {
		p.fail(begin, "a { without its }; write {{ for a brace")
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	p.fail(p.at, "%q is not expected here; after a value there is }, |, +, -, * or /", r)
}

// peek skips white space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// pipe reads a value and the functions after it.
func (p *parser) pipe() expression {
	const deepest = 16
	if p.depth++; p.depth > deepest {
		p.fail(p.at, "more than %d parentheses within each other", deepest)
	}
	defer func() { p.depth-- }()
	expr := p.sum()
	for p.peek() == '|' {
		p.at++
		expr = p.call(expr)
	}
	return expr
}

func (p *parser) sum() expression {
	return p.operators("+-", func() expression { return p.operators("*/", p.operand) })
}

func (p *parser) operators(ops string, operand func() expression) expression {
	left := operand()
	for {
		op := p.peek()
		if op == 0 || strings.IndexByte(ops, op) < 0 {
			return left
		}
		p.at++
		left = calculation{op: op, left: left, right: operand()}
	}
}

func (p *parser) operand() expression {
	switch c := p.peek(); {
	case c == '(':
		begin := p.at
		p.at++
		inner := p.pipe()
		if p.peek() != ')' {
			p.fail(begin, "a ( without its )")
		}
		p.at++
		return inner
	case c == '\'' || c == '"':
		return constant{textValue(p.quoted())}
	case c >= '0' && c <= '9' || c == '-':
		return constant{numberValue(p.number())}
	case c == 0 || c == '}':
		p.fail(p.at, "a value is missing here, such as data.name")
	}
	return p.path()
}

// quoted reads a text in single or double quotes. A backslash stands before a quote, a backslash or
// an n for a line break.
func (p *parser) quoted() string {
	begin, quote := p.at, p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return b.String()
		case c != '\\':
			b.WriteByte(c)
		default:
			if p.at++; p.at == len(p.text) || strings.IndexByte(`'"\n`, p.text[p.at]) < 0 {
				p.fail(p.at-1, `a backslash stands only before ', ", \ and n`)
			}
			b.WriteString(strings.ReplaceAll(p.text[p.at:p.at+1], "n", "\n"))
		}
	}
	p.fail(begin, "a quote without its end")
	return ""
}

func (p *parser) number() string {
	begin := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		if c := p.text[p.at]; c != '.' && (c < '0' || c > '9') {
			break
		}
	}
	text := p.text[begin:p.at]
	if _, ok := document.Valid([]byte(text)); !ok {
		p.fail(begin, "%q is not a number; write numbers as 100 or 0.5", text)
	}
	return text
}

// name reads a name; "" if there is none.
func (p *parser) name() string {
	begin := p.at
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-$@", r) {
			break
		}
		p.at += size
	}
	return p.text[begin:p.at]
}

// path reads a place in the event, such as data.items[].name, or true, false or null.
func (p *parser) path() expression {
	begin := p.at
	root := p.name()
	switch root {
	case "":
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		p.fail(begin, "%q cannot begin a value; names with other characters are written as in "+
			`data["a name"]`, r)
	case "true":
		return constant{rawTrue}
	case "false":
		return constant{rawFalse}
	case "null":
		return constant{rawNull}
	case "data":
		steps := p.steps()
		return lookup{
			slot: p.places.slot(steps),
			each: slices.ContainsFunc(steps, func(s document.Step) bool { return s.Each }),
		}
	}
	found, ok := attributes[root]
	if !ok {
		if p.peek() == '(' && functions[root].call != nil {
			p.fail(begin,
				"%s is a function; write it after its value and a bar, as in {data.name | %s}",
				root, root)
		}
		p.fail(begin, "there is no %q in an event; a value begins with %s", root, roots())
	}
	after := p.at
	steps := p.steps()
	switch {
	case len(steps) == 0:
		return found
	case root != "headers" || len(steps) > 1 || steps[0].List || steps[0].Each:
		p.fail(after, "%s has nothing within it", root)
	}
	name := strings.ToLower(steps[0].Name)
	return attribute(func(e *Event) value { return textOrNothing(e.Header[name]) })
}

func roots() string {
	return "data, " + strings.Join(slices.Sorted(maps.Keys(attributes)), ", ")
}

// steps reads what follows the first name of a path.
func (p *parser) steps() []document.Step {
	var steps []document.Step
	for p.at < len(p.text) {
		begin := p.at
		switch p.text[p.at] {
		case '.':
			p.at++
			name := p.name()
			if name == "" {
				p.fail(
					begin,
					`a name is missing after the dot; other names are written as in data["a name"]`,
				)
			}
			steps = append(steps, document.Step{Name: name})
		case '[':
			steps = append(steps, p.bracket())
		default:
			return steps
		}
		if last := steps[len(steps)-1]; len(last.Name) > maxName || len(steps) > maxSteps {
			p.fail(begin, "a name has more than %d bytes, or a path more than %d names",
				maxName, maxSteps)
		}
	}
	return steps
}

// Limits of a path.
const (
	maxName  = 256
	maxSteps = 32
)

// bracket reads [], [0] or ["a name"].
func (p *parser) bracket() document.Step {
	begin := p.at
	p.at++
	var step document.Step
	switch p.peek() {
	case ']':
		step.Each = true
	case '\'', '"':
		step.Name = p.quoted()
	default:
		end := p.at
		for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(p.text[p.at:end])
		if err != nil {
			p.fail(begin, `in brackets stands nothing, a number from 0 on, or a name in quotes: `+
				`[], [0], ["a name"]`)
		}
		p.at, step = end, document.Step{List: true, Index: n}
	}
	if p.peek() != ']' {
		p.fail(begin, "a [ without its ]")
	}
	p.at++
	return step
}

// call reads a function's name and arguments.
func (p *parser) call(subject expression) expression {
	p.peek()
	begin := p.at
	name := p.name()
	f, ok := functions[name]
	if !ok {
		p.fail(begin, "there is no function %q%s", name, nearest(name))
	}
	var args []expression
	if p.peek() == '(' {
		args = p.arguments()
	}
	if len(args) < f.min || len(args) > f.max {
		p.fail(begin, "%s takes %s, this one has %d", name, counted(f.min, f.max), len(args))
	}
	if f.check != nil {
		p.check(begin, name, f, args)
	}
	return call{function: f, subject: subject, args: args}
}

// check checks the arguments of a function that takes only literals.
func (p *parser) check(begin int, name string, f function, args []expression) {
	values := make([]value, len(args))
	for i, arg := range args {
		literal, ok := arg.(constant)
		if !ok {
			p.fail(begin, "%s takes no paths in its parentheses, only a text or a number", name)
		}
		values[i] = literal.value
	}
	if problem := f.check(values); problem != "" {
		p.fail(begin, "%s", problem)
	}
}

func counted(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case most == 1 && least == 1:
		return "1 argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func (p *parser) arguments() []expression {
	begin := p.at
	p.at++
	if p.peek() == ')' {
		p.at++
		return nil
	}
	var args []expression
	for {
		args = append(args, p.pipe())
		switch p.peek() {
		case ',':
			p.at++
		case ')':
			p.at++
			return args
		default:
			p.fail(begin, "a ( without its )")
		}
	}
}

// nearest returns a hint at the function that was meant, or the list of all.
func nearest(name string) string {
	names := slices.Sorted(maps.Keys(functions))
	best := slices.MinFunc(names, func(a, b string) int {
		return cmp.Compare(distance(a, name), distance(b, name))
	})
	if distance(best, name) <= 2 && name != "" {
		return fmt.Sprintf("; is it %s?", best)
	}
	return "; there are " + strings.Join(names, ", ")
}

// distance is the number of letters to change, add or drop between two short words.
func distance(a, b string) int {
	if len(b) > 32 {
		return len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
