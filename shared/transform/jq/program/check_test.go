package program_test

import (
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/transform/jq/program"
	"webhook-relay/shared/transform/jq/wire"
)

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`.data | {sha: .after, files: [.commits[].modified[]] | unique}`,
		`if .type == "push" then .data else empty end`,
		`def f(x): x * 2; f(.data.price) * .data.count`,
		`def f: 1; def g: f; g`,
		`.a | test("x"; "i"), test(["x", "i"]), sub("a"; .b), split(",")`,
		`"x" * 10, 10 * "x"`,
		`"env input debug now"`,
		`.env, .now, {input: .debug}`,
		`[limit(3; .data[])] | map(select(.a)) | sort_by(.b) | group_by(.c)`,
		`reduce .data[] as $x (0; . + $x)`,
		`.time | fromdateiso8601 | strftime("%d.%m.%Y")`,
		`label $out | .data[] | if . then ., break $out else empty end`,
	} {
		if err := program.Check(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		".data |":                       "line 1, column 8: unexpected EOF",
		".data\n  | foo(":               "line 2, column 9: unexpected EOF",
		".data ) .x":                    `line 1, column 7: unexpected token ")"`,
		".é":                            "line 1, column 2: ",
		".a | nope":                     "line 1, column 6: function not defined: nope/0",
		".nope | nope(1)":               "line 1, column 9: function not defined: nope/1",
		".a | $x":                       "line 1, column 6: variable not defined: $x",
		`@foo`:                          "line 1, column 1: there is no format @foo; there are @text,",
		`def f: f; f`:                   "line 1, column 5: f calls itself",
		`def f(x): [f(x)]; f(1)`:        "f calls itself",
		`def f: def g: f; g; f`:         "f calls itself",
		`.a | input`:                    "line 1, column 6: input cannot be used: there is only one input",
		`inputs`:                        "inputs cannot be used",
		`[inputs]`:                      "inputs cannot be used",
		`debug`:                         "debug cannot be used",
		`debug("x")`:                    "debug cannot be used",
		`stderr`:                        "stderr cannot be used",
		`env.X`:                         "env cannot be used: a program sees no environment",
		`.a + $ENV.X`:                   "line 1, column 6: $ENV cannot be used",
		`$__loc__`:                      "$__loc__ cannot be used",
		`now`:                           "now cannot be used: the same event",
		`now | localtime`:               "now cannot be used",
		`halt`:                          "halt cannot be used: use empty",
		`try halt_error catch .`:        "halt_error cannot be used",
		`import "a" as a; .`:            "imports a module",
		`include "a"; .`:                "imports a module",
		`modulemeta`:                    "modulemeta cannot be used",
		`"x" * 1000`:                    "repeats a text by anything but a number below 1000",
		`"x" * .n`:                      "repeats a text",
		`.n * "x"`:                      "repeats a text",
		`1e9 * "x"`:                     "repeats a text",
		`[.a[] | "ab" * length]`:        "repeats a text",
		`test(.x)`:                      "test takes its regular expression only as a text",
		`.a | test("\(.x)")`:            "test takes",
		`gsub(.a; "b")`:                 "gsub takes",
		`split(.a; null)`:               "split takes",
		`{a: [.b | match([.c, "g"])]}`:  "match takes",
		`if .a then env else . end`:     "env cannot be used",
		`.a as [$x, {y: $z}] | now`:     "now cannot be used",
		`.[now:]`:                       "now cannot be used",
		`"\(now)"`:                      "now cannot be used",
		`{(now): 1}`:                    "now cannot be used",
		`reduce .[] as $x (now; .)`:     "now cannot be used",
		`try error catch now`:           "now cannot be used",
		strings.Repeat(" ", 8192) + ".": "has more than 8192 bytes",
		"\"\xff\"":                      "is not UTF-8",
	} {
		err := program.Check(text)
		if _, ok := errors.AsType[*wire.CheckError](err); !ok ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

// FuzzCheck: a check ends without a panic, whatever the program.
func FuzzCheck(f *testing.F) {
	f.Add(`.data | {sha: .after, files: [.commits[].modified[]] | unique}`)
	f.Add(`def f(x): reduce x as [$a] (0; try . catch "\(.)"); f(.a[1:]?)`)
	f.Fuzz(func(t *testing.T, text string) {
		err := program.Check(text)
		if e, ok := errors.AsType[*wire.CheckError](err); err != nil && (!ok || e.Line > 0 &&
			e.Column < 1) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
