package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"webhook-relay/shared/transform/jq/program"
)

// If a test starts the test binary as a process, it runs as the command itself.
const asCommand = "RELAY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	program.ServeIfAsked()
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"relay-process": main})
}

// command runs the command in a process of its own.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// output collects what a running command prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// eventually waits for a condition that another process or goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("timed out: %s", what)
}

// run runs the command in this process and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out output
	err := Run(t.Context(), args, streams(&out))
	return out.String(), err
}

// streams are those of a command without a terminal and without profiles.
func streams(out io.Writer) Streams {
	return Streams{In: strings.NewReader(""), Out: out, Err: out, Env: noProfiles}
}

// noProfiles is an environment without profiles.
func noProfiles(name string) (string, bool) {
	if name == "XDG_CONFIG_HOME" {
		return "/nonexistent", true
	}
	return "", false
}

// fails runs the command and checks its exit status, and that the error says something.
func fails(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	out, err := run(t, args...)
	if got, _ := exitOf(err); got != code || !strings.Contains(textOf(err), want) {
		t.Errorf("%q: exit status %d, want %d, and %q in: %v\n%s", args, got, code, want, err, out)
	}
}

func TestWhatIsInterruptedIsNoSuccess(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	file := writeFile(t, "relay.yaml", "endpoints:\n  - {name: e, url: https://e.example.com}\n")
	for _, args := range [][]string{
		{"apply", file}, {"redrive", "--endpoint", "e"}, {"endpoints"}, {
			"send", "github", "--to", "http://127.0.0.1:1/in/github",
		},
	} {
		if args[0] != "send" {
			args = append(args, "--data", t.TempDir())
		}
		if err := Run(ctx, args, streams(&output{})); !errors.Is(err, ErrInterrupted) {
			t.Errorf("%q: got %v, want %v", args, err, ErrInterrupted)
		}
	}
	if err := Run(
		ctx, []string{"local", "--addr", "127.0.0.1:0", "--data", t.TempDir()},
		streams(&output{}),
	); err != nil {
		t.Errorf("relay local: %v", err)
	}
}

// Ctrl-C ends a command that waits for an answer, with the exit status that shells expect.
func TestInterruptedCommandEndsWithStatus130(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	hangs := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	cmd := command(t.Context(), "send", "github", "--to", hangs.URL)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted ||
		!strings.Contains(out.String(), "relay: interrupted") {
		t.Errorf("exit status %d, want %d:\n%s", code, exitInterrupted, out)
	}
}

// writeFile writes a file of the given name and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startLocal runs "relay local" in this process until the test ends, and returns its address and
// what it prints.
func startLocal(t *testing.T, args ...string) (string, *output) {
	t.Helper()
	out := &output{}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(
			ctx, append([]string{"local", "--addr", "127.0.0.1:0"}, args...), streams(out),
		)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("relay local: %v", err)
		}
	})
	return listeningOn(t, out), out
}

// listeningOn waits until a relay says where it listens.
func listeningOn(t *testing.T, out *output) (addr string) {
	t.Helper()
	eventually(t, "the relay listens", func() bool {
		var listens bool
		addr, listens = listensOn(out.String())
		return listens
	})
	return addr
}

// listensOn finds the address in the output of a relay.
func listensOn(printed string) (addr string, listens bool) {
	_, after, _ := strings.Cut(printed, "is listening on http://")
	addr, _, listens = strings.Cut(after, "/")
	return addr, listens
}

// receiver is an endpoint that counts the webhooks it gets, by webhook-id. The test sets its
// answers.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    map[string]int
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t testing.TB, answer func(http.ResponseWriter, *http.Request)) *receiver {
	t.Helper()
	r := &receiver{got: map[string]int{}, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	r.mu.Lock()
	r.got[req.Header.Get("webhook-id")]++
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, req)
	}
}

// count returns how many different webhooks arrived, and how many requests in all.
func (r *receiver) count() (different, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.got {
		all += n
	}
	return len(r.got), all
}
