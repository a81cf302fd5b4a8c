package jq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"webhook-relay/shared/transform"
	"webhook-relay/shared/transform/jq"
	"webhook-relay/shared/transform/jq/program"
	"webhook-relay/shared/transform/jq/wire"
)

func TestMain(m *testing.M) {
	program.ServeIfAsked() // the tests' own binary is the jq process
	os.Exit(m.Run())
}

func newRunner(t testing.TB) *jq.Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runner := jq.New(program.Marked, self)
	t.Cleanup(runner.Close)
	return runner
}

// TestCheck: the process says of a program what its own check says, and runs others after that.
func TestCheck(t *testing.T) {
	t.Parallel()
	runner := newRunner(t)
	for _, text := range []string{
		".data", ".data |", ".data\n  | foo(", ".é | now", "import \"a\" as a; .", "\xff", "",
		strings.Repeat("(", 8<<10), strings.Repeat(".", wire.MaxProgram+1),
	} {
		want, got := program.Check(text), runner.Check(t.Context(), text)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
		if _, is := errors.AsType[*wire.CheckError](got); got != nil && !is {
			t.Errorf("%.40q: %T", text, got)
		}
		if out, err := runner.Run(t.Context(), "1", []byte("{}")); err != nil || len(out) != 1 {
			t.Fatalf("after %.40q: %q, %v", text, out, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newRunner(t).Check(ctx, "."); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := jq.New("", "/nonexistent").Check(t.Context(), "."); err == nil {
		t.Error("no error without a process")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	runner := newRunner(t)
	for text, want := range map[string]string{
		`.data.a`:                        `12345678901234567890`,
		`.data | {sha: .s, n: [.l[]*2]}`: `{"n":[2,4.5],"sha":"<é>"}`,
		`empty`:                          ``,
		`false`:                          `false`,
		`1,2,3`:                          `1 2`,
		`.data.a,.data.s`:                `12345678901234567890 "<é>"`,
		`env`:                            `{}`,
		`halt`:                           ``,
	} {
		got, err := runner.Run(
			t.Context(), text, []byte(`{"data":{"a":12345678901234567890,"s":"<é>","l":[1,2.25]}}`),
		)
		var texts []string
		for _, g := range got {
			texts = append(texts, string(g))
		}
		if err != nil || strings.Join(texts, " ") != want {
			t.Errorf("%s gives %q, %v; want %q", text, texts, err, want)
		}
	}
	for text, want := range map[string]string{
		`.a.b.c|error`:       "null",
		`error("no")`:        "no",
		`.data | keys`:       "keys",
		`input`:              "input",
		`(`:                  "unexpected EOF",
		`nothing`:            "not defined",
		`"x" * 500000 * 500`: "",
	} {
		_, err := runner.Run(t.Context(), text, []byte(`{"data":1}`))
		if _, ok := errors.AsType[*transform.Error](err); !ok ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// attacks are programs that would end a process, or never end, without limits.
var attacks = map[string]string{
	"a long repetition":      `"x" * 1000000000`,
	"doubling":               `reduce range(60) as $i ("x"; . + .)`,
	"a graph":                `reduce range(60) as $i (1; [., .])`,
	"a graph as text":        `reduce range(40) as $i (1; [., .]) | tojson`,
	"recursion":              `def f: f; f`,
	"deep recursion":         `def f: [f]; f`,
	"no end":                 `last(repeat(1))`,
	"no end, and no result":  `until(false; .)`,
	"a range":                `[range(1e12)]`,
	"a range without result": `last(range(1e15))`,
	"recurse":                `1 | [recurse(. + 1; . < 1e15)] | length`,
	"combinations":           `[range(30)] | [combinations(6)] | length`,
	"a power":                `reduce range(40) as $i (3; . * .) | tojson`,
	"a large index":          `[] | .[500000000] = 1`,
	"setpath":                `reduce range(1e7) as $i (null; setpath([$i, $i]; 1))`,
	"deep nesting":           `reduce range(1e7) as $i (1; [.])`,
	"deep nesting as text":   `reduce range(200000) as $i (1; [.]) | tojson`,
	"deep text":              `("[" * 1000000) | fromjson`,
	"many matches":           `("ab" * 300000) | gsub("(?<x>a)"; "\(.x)\(.x)\(.x)\(.x)" * 100)`,
	"a large pattern":        `"x" | test("(" * 300 + "a" + "){1000}" * 300)`,
	"splitting":              `("," * 3000000) | split(",") | map(split("")) | length`,
	"sorting":                `[range(3000000) | -.] | sort`,
	"exploding":              `("x" * 5000000) | explode | implode | explode`,
	"base64":                 `reduce range(40) as $i ("x" * 1000; @base64)`,
	"quoting":                `reduce range(60) as $i ("\""; tojson)`,
	"interpolation":          `reduce range(40) as $i ("x"; "\(.)\(.)")`,
	"objects":                `reduce range(1e7) as $i ({}; .["k\($i)"] = $i)`,
	"a tree walk":            `reduce range(20) as $i (1; [., .]) | [walk(.)] | length`,
	"leaf paths":             `reduce range(22) as $i (1; [., .]) | [paths] | length`,
	"transposing":            `[range(3000) | [range(3000)]] | transpose | length`,
	"a large result":         `"x" * 2000000`,
	"a large list":           `[range(600000)]`,
	"an error of size":       `error("x" * 10000000)`,
	"ltrimstr":               `[range(1e6) | "abcdefgh" | ltrimstr("a")] | add`,
	"flatten":                `reduce range(24) as $i (1; [., .]) | flatten | length`,
	"a try":                  `[range(1e8) | try error(.) catch .] | length`,
	"a label":                `[range(1e8) | label $out | 1, break $out] | length`,
	"foreach":                `[foreach range(1e8) as $i (0; . + $i)] | length`,
	"closures":               `def f(g): g | g; 1 | f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(f(. + 1))))))))))))))))))))))))`,
	"halt within":            `last(repeat(try halt_error catch 1))`,
}

// TestAttacks: every attack ends with an error about the program, and the next call of the same
// Runner works.
func TestAttacks(t *testing.T) {
	t.Parallel()
	runner := newRunner(t)
	for name, text := range attacks {
		results, err := runner.Run(t.Context(), text, []byte(`{"data":1}`))
		if _, ok := errors.AsType[*transform.Error](err); !ok || len(err.Error()) > 2000 {
			t.Errorf("%s: %d results, %v", name, len(results), err)
		}
		after, err := runner.Run(t.Context(), ".data", []byte(`{"data":1}`))
		if err != nil || len(after) != 1 || string(after[0]) != "1" {
			t.Fatalf("after %s: %q, %v", name, after, err)
		}
	}
}

// TestAttacksDisturbNoOther: honest programs get their results while others attack.
func TestAttacksDisturbNoOther(t *testing.T) {
	t.Parallel()
	runner := newRunner(t)
	var group sync.WaitGroup
	for _, text := range []string{`"x" * 1000000000`, `def f: f; f`, `[range(1e12)]`} {
		group.Go(func() {
			for range 3 {
				if _, err := runner.Run(t.Context(), text, []byte(`1`)); err == nil {
					t.Errorf("%s has a result", text)
				}
			}
		})
	}
	for range 4 {
		group.Go(func() {
			for range 20 {
				got, err := runner.Run(t.Context(), ".a", []byte(`{"a":"b"}`))
				if err != nil || len(got) != 1 || string(got[0]) != `"b"` {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}

func TestRefusedBeforeTheProcess(t *testing.T) {
	t.Parallel()
	runner := jq.New("", filepath.Join(t.TempDir(), "none"))
	for name, try := range map[string]struct {
		program  string
		document int
	}{
		"a long program":   {strings.Repeat(" ", 8193), 1},
		"a large document": {".", jq.MaxDocument + 1},
	} {
		_, err := runner.Run(t.Context(), try.program, make([]byte, try.document))
		if _, ok := errors.AsType[*transform.Error](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOurFailures: that the process cannot run is no fault of the program.
func TestOurFailures(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, runner := range map[string]*jq.Runner{
		"no such file":      jq.New("", filepath.Join(t.TempDir(), "none")),
		"ends at once":      jq.New("", self, "-test.run=^$"),
		"says other things": jq.New("", self, "-test.list=TestOurFailures"),
	} {
		_, err := runner.Run(t.Context(), ".", []byte("1"))
		if _, ok := errors.AsType[*transform.Error](err); err == nil || ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newRunner(t).Run(ctx, ".", []byte("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end a context gives %v", err)
	}
}

// TestTheProcessIsReplaced: the process may end between two calls, or be closed.
func TestTheProcessIsReplaced(t *testing.T) {
	t.Parallel()
	runner := newRunner(t)
	for range 3 {
		if _, err := runner.Run(t.Context(), ".", []byte("1")); err != nil {
			t.Fatal(err)
		}
		jq.Kill(runner)
		if _, err := runner.Run(t.Context(), ".", []byte("1")); err != nil {
			t.Fatal(err)
		}
		runner.Close()
	}
}

func TestTheProcessHasNoEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	got, err := newRunner(t).Run(t.Context(), `[env, $ENV]`, []byte("1"))
	if err != nil || len(got) != 1 || string(got[0]) != `[{},{}]` {
		t.Errorf("%s, %v", got, err)
	}
}
