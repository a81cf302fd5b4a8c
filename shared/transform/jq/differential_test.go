package jq_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/itchyny/gojq"
)

// maker makes random programs and documents. Its programs end soon: they have no loop that does not
// run over the document.
type maker struct{ *rand.Rand }

func (m maker) pick(some ...string) string { return some[m.IntN(len(some))] }

func (m maker) key() string { return m.pick("a", "b", "c", "name", "id") }

// document returns JSON of a few levels.
func (m maker) document(depth int) string {
	kind := m.IntN(8)
	if depth == 0 {
		kind = m.IntN(6)
	}
	switch kind {
	case 0:
		return m.pick("null", "true", "false")
	case 1:
		return m.pick("0", "-1", "1.50", "1e3", "12345678901234567890", "0.1", "1E400", "-0")
	case 2:
		return strconv.Itoa(m.IntN(100))
	case 3:
		return m.pick(
			`""`, `"a"`, `"é<&>"`, `"2026-01-02T03:04:05Z"`, `"a,b,c"`, `"\u0000\ud83d\ude00"`,
		)
	case 4, 5:
		return `"` + m.key() + `"`
	case 6:
		var parts []string
		for range m.IntN(4) {
			parts = append(parts, m.document(depth-1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	var parts []string
	for range m.IntN(4) {
		parts = append(parts, `"`+m.key()+`": `+m.document(depth-1))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// program returns a program of a few levels.
func (m maker) program(depth int) string {
	if depth == 0 {
		return m.pick(
			".", "."+m.key(), "."+m.key()+"?", ".[]?", ".[0]", ".[1:]", "..",
			strconv.Itoa(m.IntN(20)),
			`"x"`, "null", "[]", "{}", "length", "keys?", "type", "tostring", "tojson", "not",
			"add",
			"to_entries?", "first?", "reverse?", "unique?", "sort?", "ascii_upcase?", "floor?",
			"-(.)?",
			"explode?", "@json", "@html", "@uri", "@base64", "flatten?", "min", "max", "any?",
			"tonumber?",
			"empty", ".[-1]", `"\(.)"`, "paths", "[.[]?]", "todate?", "fromdate?", "error",
			"values",
		)
	}
	a, b := m.program(depth-1), m.program(depth-1)
	switch m.IntN(22) {
	case 0, 1, 2:
		return a + " | " + b
	case 3:
		return a + ", " + b
	case 4:
		return "(" + a + ")" + m.pick(
			" + ", " - ", " * ", " / ", " % ", " == ", " < ", " and ", " // ",
		) +
			"(" + b + ")"
	case 5:
		return "[" + a + "]"
	case 6:
		return fmt.Sprintf("{%s: (%s), %s: (%s)}", m.key(), a, m.key(), b)
	case 7:
		return fmt.Sprintf("if %s then %s else . end", a, b)
	case 8:
		return fmt.Sprintf("map(%s)?", a)
	case 9:
		return fmt.Sprintf("select(%s)", a)
	case 10:
		return fmt.Sprintf("try (%s) catch .", a)
	case 11:
		return fmt.Sprintf("(%s) as $x | [$x, (%s)]", a, b)
	case 12:
		return fmt.Sprintf("reduce (%s) as $x (0; [., $x] | length)", a)
	case 13:
		return fmt.Sprintf("[limit(3; %s)]", a)
	case 14:
		return fmt.Sprintf("first(%s)", a)
	case 15:
		return fmt.Sprintf("(.%s? |= %s)?", m.key(), a)
	case 16:
		return fmt.Sprintf("with_entries(.value |= (%s))?", a)
	case 17:
		return fmt.Sprintf(
			"%s(%s)?", m.pick("sort_by", "group_by", "unique_by", "min_by", "map_values"), a,
		)
	case 18:
		return fmt.Sprintf("(%s)?", m.pick(
			`test("a")`, `split(",")`, `sub("a"; "b")`, `[match("[a-z]"; "g").string]`, `join("-")`,
			`startswith("a")`, `ltrimstr("a")`, `has("a")`, `contains("a")`, `index("a")`,
			`capture("(?<x>.)")`, `del(.a)`, `to_entries`, `strftime("%Y")`, `splits(",")`,
		))
	case 19:
		return fmt.Sprintf("def f(g): g | [.]; f(%s)", a)
	case 20:
		return fmt.Sprintf("[foreach (%s) as $x (0; . + 1; [., $x])]", a)
	}
	return fmt.Sprintf(`"\(%s)-\(%s)"`, a, b)
}

// reference runs a program with gojq in this process.
func reference(text string, document []byte) (results []string, failed string) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err.Error()
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, err.Error()
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var input any
	if err := decoder.Decode(&input); err != nil {
		return nil, err.Error()
	}
	for iter := code.Run(input); len(results) < 2; {
		v, ok := iter.Next()
		if !ok {
			break
		}
		if err, ok := v.(error); ok {
			return nil, err.Error()
		}
		b, err := gojq.Marshal(v)
		if err != nil {
			return nil, err.Error()
		}
		results = append(results, string(b))
	}
	return results, ""
}

// TestDifferential compares the process with gojq in this process, over thousands of programs.
func TestDifferential(t *testing.T) {
	t.Parallel()
	programs := 4000
	if testing.Short() {
		programs = 500
	}
	runner := newRunner(t)
	worked := 0
	for seed := range programs {
		m := maker{rand.New(rand.NewPCG(uint64(seed), 1))} //nolint:gosec // repeatable
		text, document := m.program(1+m.IntN(3)), []byte(m.document(3))
		want, failed := reference(text, document)
		results, err := runner.Run(t.Context(), text, document)
		var got []string
		for _, r := range results {
			got = append(got, string(r))
		}
		var message string
		if err != nil {
			message = strings.TrimPrefix(err.Error(), "transform: jq: ")
		} else {
			worked++
		}
		if limit := []rune(failed); len(limit) > 500 {
			failed = string(limit[:500]) + "…"
		}
		if diff := cmp.Diff(want, got); diff != "" || message != failed {
			t.Fatalf("program %d, %s, for %s:\n%s\nerror %q, want %q", seed, text, document, diff,
				message, failed)
		}
	}
	if worked < programs/2 {
		t.Errorf("only %d of %d programs have results", worked, programs)
	}
}

func BenchmarkCall(b *testing.B) {
	document := []byte(`{"data":{"after":"abc","commits":[` +
		strings.TrimSuffix(
			strings.Repeat(`{"id":"0123456789","modified":["a.go","b.go"]},`, 55), ",",
		) +
		`]}}`)
	const text = `.data | {sha: .after, files: [.commits[].modified[]] | unique}`
	b.Run(fmt.Sprintf("process/bytes=%d", len(document)), func(b *testing.B) {
		runner := newRunner(b)
		if _, err := runner.Run(b.Context(), text, document); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			_, _ = runner.Run(b.Context(), text, document)
		}
	})
	b.Run("process/bytes=1", func(b *testing.B) {
		runner := newRunner(b)
		if _, err := runner.Run(b.Context(), ".", []byte("1")); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			_, _ = runner.Run(b.Context(), ".", []byte("1"))
		}
	})
	b.Run(fmt.Sprintf("reference=in this process/bytes=%d", len(document)), func(b *testing.B) {
		query, err := gojq.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		code, err := gojq.Compile(query)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			decoder := json.NewDecoder(bytes.NewReader(document))
			decoder.UseNumber()
			var input any
			_ = decoder.Decode(&input)
			v, _ := code.Run(input).Next()
			_, _ = gojq.Marshal(v)
		}
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			runner := newRunner(b)
			_, _ = runner.Run(b.Context(), ".", []byte("1"))
			runner.Close()
		}
	})
}
