package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the transcripts of testdata/scripts. They have commands of their own:
//
//	relay ARGUMENT… [< FILE]  runs the command in this process, as without a terminal
//	exec relay-process …      runs it in a process of its own
//	exits STATUS relay …      the same, if it is to end with another exit status than 0
//	until PATTERN relay …     the same, until what it prints matches
//	host                      hosts a relay in .relay, and sets URL
//	endpoint NAME [STATUS]…   serves an endpoint that answers with these, then 204, and sets NAME
//	mended                    from now on every endpoint answers 204
//	fill FILE                 puts variables into a file
//	take NAME PATTERN         sets NAME to what the pattern's group matches in the last output
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts", RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("USER", "ann")
			env.Values[theEndpoints] = &endpoints{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"relay": scriptRelay, "host": scriptHost, "endpoint": scriptEndpoint,
			"mended": scriptMended,
			"exits":  scriptExits, "until": scriptUntil, "take": scriptTake,
			"fill": scriptFill,
		},
	})
}

func scriptHost(ts *testscript.TestScript, _ bool, args []string) {
	out := &output{}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- Run(ctx, append([]string{
			"local", "--addr", "127.0.0.1:0", "--data", ts.MkAbs(".relay"),
		}, args...), streams(out))
	}()
	ts.Defer(func() {
		stop()
		if err := <-ended; err != nil {
			ts.Logf("the host: %v", err)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if addr, listens := listensOn(out.String()); listens {
			ts.Setenv("URL", "http://"+addr)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the host does not listen:\n%s", out)
		}
	}
}

// endpoints are the endpoints of a script.
type endpoints struct {
	mu     sync.Mutex
	mended bool
}

type endpointsKey struct{}

var theEndpoints endpointsKey

func scriptEndpoint(ts *testscript.TestScript, _ bool, args []string) {
	all, _ := ts.Value(theEndpoints).(*endpoints)
	var answers []int
	for _, text := range args[1:] {
		status, err := strconv.Atoi(text)
		ts.Check(err)
		answers = append(answers, status)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all.mu.Lock()
		defer all.mu.Unlock()
		status := http.StatusNoContent
		if len(answers) > 0 && !all.mended {
			status, answers = answers[0], answers[1:]
		}
		w.WriteHeader(status)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

func scriptMended(ts *testscript.TestScript, _ bool, _ []string) {
	all, _ := ts.Value(theEndpoints).(*endpoints)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.mended = true
}

// runScript runs the command, and returns its exit status.
func runScript(ts *testscript.TestScript, args []string) int {
	in := ""
	if n := len(args); n > 1 && args[n-2] == "<" {
		in, args = ts.ReadFile(args[n-1]), args[:n-2]
	}
	if args[0] != "relay" {
		ts.Fatalf("%s is not relay", args[0])
	}
	return Main(context.Background(), args[1:], Streams{
		In: strings.NewReader(in), Out: ts.Stdout(), Err: ts.Stderr(), Dir: ts.MkAbs("."),
		Env: func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" },
	})
}

func scriptRelay(ts *testscript.TestScript, neg bool, args []string) {
	if got := runScript(ts, append([]string{"relay"}, args...)); got != 0 || neg {
		ts.Fatalf("exit status %d, want 0", got)
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := runScript(ts, args[1:]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptUntil(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(`(?m)` + args[0])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out := &output{}
		code := Main(context.Background(), args[2:], Streams{
			In: strings.NewReader(""), Out: out, Err: out, Dir: ts.MkAbs("."),
			Env: func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" },
		})
		if code == 0 && pattern.MatchString(out.String()) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("timed out: no %s in:\n%s", args[0], out)
		}
	}
}

func scriptTake(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("no %s in:\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], found[1])
}

func scriptFill(ts *testscript.TestScript, _ bool, args []string) {
	filled := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(filled), 0o600))
}

// leaves returns the commands below a node, by path.
func leaves(n *kong.Node) map[string]*kong.Node {
	all := map[string]*kong.Node{}
	for _, child := range n.Children {
		if child.Leaf() {
			all[pathOf(child)] = child
			continue
		}
		for path, leaf := range leaves(child) {
			all[path] = leaf
		}
	}
	return all
}

// model returns the command's model.
func model(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newParser(&commands{}, newInvocation(streams(&output{})), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// TestScriptsCoverEveryCommand: each is run by a script, and each exit status is seen.
func TestScriptsCoverEveryCommand(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for path := range leaves(model(t).Model.Node) {
		first, _ := strings.CutSuffix(path, " list") // it is the default
		if path == "local" {
			continue // host runs it
		}
		if !regexp.MustCompile(`(?m)relay ` + first + `\b`).MatchString(all.String()) {
			t.Errorf("no script runs relay %s", path)
		}
	}
	for _, e := range exits {
		status := strconv.Itoa(e.code)
		if e.code == 0 || e.code == exitInterrupted {
			continue // TestInterruptedCommandEndsWithStatus130
		}
		if !strings.Contains(all.String(), "exits "+status+" relay") {
			t.Errorf("no script ends with the exit status %s", status)
		}
	}
}

// TestExamplesOfTheHelp: each command has examples, and each can be parsed.
func TestExamplesOfTheHelp(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("relay.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path := range leaves(model(t).Model.Node) {
		if len(examples[path]) == 0 {
			t.Errorf("relay %s has no examples", path)
		}
	}
	for path, lines := range examples {
		for _, line := range lines {
			words := shellWords(line)
			at := slices.Index(words, "relay")
			if at < 0 {
				t.Errorf("%q: %q does not run relay", path, line)
				continue
			}
			if _, err := model(t).Parse(words[at+1:]); err != nil {
				t.Errorf("%q: %q: %v", path, line, err)
			}
		}
	}
}

// shellWords returns the words of a command line, up to a comment or a redirection.
func shellWords(line string) (words []string) {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " > ")
	line = strings.TrimSuffix(strings.ReplaceAll(line, "<(", ""), ")")
	for _, m := range regexp.MustCompile(
		`'([^']*)'|"([^"]*)"|(\S+)`,
	).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}
