package program

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"webhook-relay/shared/transform/jq/wire"
)

// Check says whether a program may be used in a transform. It refuses what a program should not do
// by mistake; the limits of package jq hold for hostile ones. Error: a *wire.CheckError.
func Check(text string) error {
	if len(text) > wire.MaxProgram {
		return &wire.CheckError{Problem: fmt.Sprintf("has more than %d bytes", wire.MaxProgram)}
	}
	if !utf8.ValidString(text) {
		return &wire.CheckError{Problem: "is not UTF-8"}
	}
	query, err := gojq.Parse(text)
	if e, ok := errors.AsType[*gojq.ParseError](err); ok {
		return at(text, e.Offset-len(e.Token), "%s%s", e.Error(), parseHint(e))
	}
	if err != nil {
		return &wire.CheckError{Problem: err.Error()}
	}
	c := &checker{text: text}
	c.visit(reflect.ValueOf(query))
	if c.failed != nil {
		return c.failed
	}
	if _, err := gojq.Compile(query); err != nil {
		return at(text, find(text, named(err.Error())), "%s", err)
	}
	return nil
}

func parseHint(e *gojq.ParseError) string {
	if e.Token == "" {
		return "; something is missing at the end, such as a bracket or end"
	}
	return ""
}

// at returns an error at a byte of a text; below 0: nowhere.
func at(text string, offset int, format string, args ...any) error {
	e := &wire.CheckError{Problem: fmt.Sprintf(format, args...)}
	if offset < 0 {
		return e
	}
	before := text[:min(offset, len(text))]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return e
}

// named returns the name in gojq's error about an unknown function or variable.
func named(message string) string {
	_, name, _ := strings.Cut(message, ": ")
	name, _, _ = strings.Cut(name, "/")
	return name
}

// find returns where a name first stands in a text as a word, -1 if it does not. The syntax tree
// has no positions.
func find(text, name string) int {
	if name == "" {
		return -1
	}
	before := `(?:^|[^A-Za-z0-9_.$])`
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "@") || name == "*" {
		before = `(?:^|.)`
	}
	after := `(?:[^A-Za-z0-9_]|$)`
	if name == "*" {
		after = ""
	}
	form, err := regexp.Compile(`(?s)` + before + `(` + regexp.QuoteMeta(name) + `)` + after)
	if err != nil {
		return -1
	}
	found := form.FindStringSubmatchIndex(text)
	if found == nil {
		return -1
	}
	return found[2]
}

// refused are the functions that a program may not call, with the reasons.
var refused = map[string]string{
	"input": "there is only one input, the event", "inputs": "there is only one input, the event",
	"input_filename": "there is no file", "input_line_number": "there is no file",
	"debug": "nobody would see it", "stderr": "nobody would see it",
	"env":           "a program sees no environment; use headers of the endpoint for secrets",
	"$ENV":          "a program sees no environment; use headers of the endpoint for secrets",
	"$__loc__":      "it has no use here",
	"now":           "the same event must give the same result in each attempt; use .time",
	"localtime":     "the relay has no time zone; use gmtime",
	"strflocaltime": "the relay has no time zone; use strftime",
	"halt":          "use empty to send nothing", "halt_error": "use error to fail",
	"modulemeta": "there are no modules", "get_search_list": "there are no modules",
}

// patterned are the functions whose first argument is a regular expression.
var patterned = map[string]bool{
	"test": true, "match": true, "capture": true, "scan": true, "splits": true, "sub": true,
	"gsub": true, "_match": true,
}

// formats are those of gojq.
var formats = map[string]bool{
	"@text": true, "@json": true, "@html": true, "@uri": true, "@urid": true, "@csv": true,
	"@tsv": true, "@sh": true, "@base64": true, "@base64d": true,
}

// maxRepeat is how often a text may be repeated.
const maxRepeat = 1000

// checker looks for refused parts in a syntax tree.
type checker struct {
	text    string
	defined []string // functions whose bodies are being visited, as name/arity
	failed  error
}

func (c *checker) fail(name, format string, args ...any) {
	if c.failed == nil {
		c.failed = at(c.text, find(c.text, name), format, args...)
	}
}

// visit walks through a tree. The tree of gojq is only pointers, structs and slices.
func (c *checker) visit(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the tree has no others
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if v.CanInterface() {
			if def, ok := v.Interface().(*gojq.FuncDef); ok {
				c.define(def)
				return
			}
			c.look(v.Interface())
		}
		c.visit(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			c.visit(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.visit(v.Field(i))
		}
	}
}

// define visits a function's body, in which the function may not be called.
func (c *checker) define(def *gojq.FuncDef) {
	c.defined = append(c.defined, def.Name+"/"+strconv.Itoa(len(def.Args)))
	c.visit(reflect.ValueOf(def.Body))
	c.defined = c.defined[:len(c.defined)-1]
}

func (c *checker) look(node any) {
	switch n := node.(type) {
	case *gojq.Import:
		c.fail("import", "imports a module; there are none")
	case *gojq.Func:
		c.call(n)
	case *gojq.Term:
		if n.Format != "" && !formats[n.Format] {
			c.fail(n.Format,
				"there is no format %s; there are @text, @json, @html, @uri, @csv, @tsv, "+
					"@sh, @base64 and @base64d", n.Format)
		}
	case *gojq.Query:
		if n.Op == gojq.OpMul {
			c.repeat(n.Left, n.Right)
			c.repeat(n.Right, n.Left)
		}
		if n.Op == gojq.OpUpdateMul {
			c.repeat(n.Right, n.Left)
		}
	}
}

func (c *checker) call(f *gojq.Func) {
	signature := f.Name + "/" + strconv.Itoa(len(f.Args))
	for _, defined := range c.defined {
		if defined == signature {
			c.fail(
				f.Name, "%s calls itself, so it might never end; use map, recurse or reduce",
				f.Name,
			)
		}
	}
	if why, ok := refused[f.Name]; ok {
		c.fail(f.Name, "%s cannot be used: %s", f.Name, why)
	}
	isPattern := patterned[f.Name] || f.Name == "split" && len(f.Args) == 2
	if isPattern && len(f.Args) > 0 && !isLiteral(f.Args[0]) {
		c.fail(f.Name, "%s takes its regular expression only as a text in the program", f.Name)
	}
}

// repeat refuses a text that is multiplied by anything but a small number.
func (c *checker) repeat(text, times *gojq.Query) {
	if text == nil || text.Term == nil || text.Term.Type != gojq.TermTypeString {
		return
	}
	if times != nil && times.Term != nil && times.Term.Type == gojq.TermTypeNumber {
		if n, err := strconv.ParseFloat(times.Term.Number, 64); err == nil && n < maxRepeat {
			return
		}
	}
	c.fail("*", "repeats a text by anything but a number below %d", maxRepeat)
}

// isLiteral tells whether a query is a text without expressions, or a list of such.
func isLiteral(q *gojq.Query) bool {
	if q == nil || q.Term == nil || len(q.Term.SuffixList) > 0 {
		return false
	}
	switch t := q.Term; t.Type { //nolint:exhaustive // no other is a literal
	case gojq.TermTypeString:
		return t.Str != nil && len(t.Str.Queries) == 0
	case gojq.TermTypeArray:
		return t.Array != nil && isListOfLiterals(t.Array.Query)
	}
	return false
}

func isListOfLiterals(q *gojq.Query) bool {
	if q == nil {
		return false
	}
	if q.Op == gojq.OpComma {
		return isListOfLiterals(q.Left) && isListOfLiterals(q.Right)
	}
	return isLiteral(q)
}
