package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/lab/runtimeapi"
)

// bootstrap returns a function of this test binary. Its timeout is far longer than any function
// except "hang" takes.
func bootstrap(name string, log io.Writer) runtimeapi.Function {
	return runtimeapi.Function{
		Name: name, Binary: os.Args[0], Env: map[string]string{
			bootstrapVariable: name,
		}, Timeout: time.Minute, Log: log,
	}
}

func start(t *testing.T, f runtimeapi.Function) *runtimeapi.Instance {
	t.Helper()
	i, err := runtimeapi.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

func TestInvocationsFollowOneAnotherInOneInstance(t *testing.T) {
	t.Parallel()
	i := start(t, bootstrap("echo", nil))
	for _, event := range []string{`{"n":1}`, `"two"`, `[3]`} {
		got, err := i.Invoke(t.Context(), []byte(event))
		if err != nil || string(got) != event {
			t.Errorf("answer to %s: %s, %v", event, got, err)
		}
	}
}

func TestConcurrentInvocationsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	i := start(t, bootstrap("echo", nil))
	var group errgroup.Group
	for n := range 20 {
		group.Go(func() error {
			event := fmt.Sprintf(`{"n":%d}`, n)
			got, err := i.Invoke(t.Context(), []byte(event))
			if err == nil && string(got) != event {
				err = fmt.Errorf("answer to %s: %s", event, got)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPayloadsUpToTheLimit(t *testing.T) {
	t.Parallel()
	i := start(t, bootstrap("echo", nil))
	largest := []byte(`"` + strings.Repeat("x", runtimeapi.MaxPayloadBytes-2) + `"`)
	got, err := i.Invoke(t.Context(), largest)
	if err != nil || !bytes.Equal(got, largest) {
		t.Errorf("%d bytes came back as %d, %v", len(largest), len(got), err)
	}
	if _, err := i.Invoke(t.Context(), append(largest, ' ')); !errors.Is(
		err, runtimeapi.ErrTooLarge,
	) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
	if _, err := i.Invoke(t.Context(), []byte("1")); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bootstrap string
		want      runtimeapi.FunctionError
	}{
		"an error that the handler returns": {
			"fail", runtimeapi.FunctionError{Type: "errorString", Message: "no luck"},
		},
		"a panic": {"panic", runtimeapi.FunctionError{Type: "string", Message: "lost"}},
		"an answer over the limit": {"large", runtimeapi.FunctionError{
			Type: "Function.ResponseSizeTooLarge", Message: "response of more than 6291456 bytes",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := start(t, bootstrap(tt.bootstrap, nil)).Invoke(t.Context(), []byte(`"panic"`))
			failed, ok := errors.AsType[*runtimeapi.FunctionError](err)
			if !ok {
				t.Fatalf("error %v, want a FunctionError", err)
			}
			if diff := cmp.Diff(tt.want, *failed); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestInstanceGoesOnAfterAnErrorAndNotAfterAPanic(t *testing.T) {
	t.Parallel()
	failing := start(t, bootstrap("fail", nil))
	for range 2 {
		if _, err := failing.Invoke(t.Context(), []byte("{}")); err == nil ||
			errors.Is(err, runtimeapi.ErrExited) {
			t.Errorf("error %v, want the function's own", err)
		}
	}
	panicking := start(t, bootstrap("panic", nil))
	if got, err := panicking.Invoke(t.Context(), []byte(`"calm"`)); err != nil ||
		string(got) != `"calm"` {
		t.Fatalf("%s, %v", got, err)
	}
	_, _ = panicking.Invoke(t.Context(), []byte(`"panic"`))
	if _, err := panicking.Invoke(t.Context(), []byte(`"calm"`)); !errors.Is(
		err, runtimeapi.ErrExited,
	) {
		t.Errorf("error %v, want ErrExited", err)
	}
}

func TestEndOfTheProcessIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	i := start(t, bootstrap("exit", nil))
	for range 2 {
		_, err := i.Invoke(t.Context(), []byte("{}"))
		if !errors.Is(err, runtimeapi.ErrExited) ||
			!strings.Contains(err.Error(), "exit status 7") {
			t.Errorf("error %v, want ErrExited with its status", err)
		}
	}
}

func TestTimeoutEndsTheInstance(t *testing.T) {
	t.Parallel()
	f := bootstrap("hang", nil)
	f.Timeout = 50 * time.Millisecond
	i := start(t, f)
	for range 2 {
		if _, err := i.Invoke(t.Context(), []byte("{}")); !errors.Is(err, runtimeapi.ErrTimeout) {
			t.Errorf("error %v, want ErrTimeout", err)
		}
	}
}

func TestContextOfAnInvocationEndsTheInstance(t *testing.T) {
	t.Parallel()
	log := &signal{seen: make(chan struct{}), word: "hanging"}
	i := start(t, bootstrap("hang", log))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-log.seen
		cancel()
	}()
	_, err := i.Invoke(ctx, []byte("{}"))
	if !errors.Is(err, runtimeapi.ErrClosed) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want ErrClosed by the context", err)
	}
}

// signal closes seen when a word was written to it.
type signal struct {
	word string
	seen chan struct{}
	text bytes.Buffer
}

func (s *signal) Write(p []byte) (int, error) {
	before := strings.Contains(s.text.String(), s.word)
	_, _ = s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.word) {
		close(s.seen)
	}
	return len(p), nil
}

func TestCloseEndsInvocations(t *testing.T) {
	t.Parallel()
	log := &signal{seen: make(chan struct{}), word: "hanging"}
	i := start(t, bootstrap("hang", log))
	failed := make(chan error, 2)
	for range 2 { // one is under way, one waits for its turn
		go func() {
			_, err := i.Invoke(context.Background(), []byte("{}"))
			failed <- err
		}()
	}
	<-log.seen
	if err := errors.Join(i.Close(), i.Close()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, runtimeapi.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	}
}

func TestStartTellsWhyAFunctionDoesNotStart(t *testing.T) {
	t.Parallel()
	missing := bootstrap("missing", nil)
	missing.Binary = t.TempDir() + "/bootstrap"
	for name, tt := range map[string]struct {
		function runtimeapi.Function
		want     []string
	}{
		"no binary": {missing, []string{"missing", "no such file"}},
		"the process exits": {
			bootstrap("init-exit", nil), []string{"init-exit", "exit status 3"},
		},
		"the function reports itself": {
			bootstrap("init-error", nil), []string{"Function.NoTable: RELAY_TABLE is not set"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := runtimeapi.Start(t.Context(), tt.function)
			if !errors.Is(err, runtimeapi.ErrInit) {
				t.Fatalf("error %v, want ErrInit", err)
			}
			for _, fact := range tt.want {
				if !strings.Contains(err.Error(), fact) {
					t.Errorf("%q does not say %q", err, fact)
				}
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	gaveUp := errors.New("no more patience")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, gaveUp)
	defer cancel()
	_, err := runtimeapi.Start(ctx, bootstrap("init-hang", nil))
	if !errors.Is(err, runtimeapi.ErrInit) || !errors.Is(err, gaveUp) {
		t.Errorf("error %v, want ErrInit with the context's cause", err)
	}
}

func TestEnvironmentIsLambdasAndTheFunctionsAndNothingElse(t *testing.T) {
	t.Setenv("AWS_PROFILE", "mine")
	f := bootstrap("environment", nil)
	f.MemoryMB = 256
	f.Env["AWS_REGION"] = "us-west-2"
	f.Env["AWS_LAMBDA_RUNTIME_API"] = "192.0.2.1:80"
	got := environment(t, f)
	want := map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME": "environment", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_LOG_FORMAT":       "JSON", "AWS_REGION": "us-west-2",
		bootstrapVariable: "environment",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s=%q, want %q", name, got[name], value)
		}
	}
	lambdas := regexp.MustCompile(
		`^(_?AWS_.*|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|PATH|TZ|_HANDLER|` + bootstrapVariable + `)$`,
	)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !lambdas.MatchString(name) || name == "AWS_PROFILE" {
			t.Errorf("%s is in the environment", name)
		}
	}
}

// environment returns the environment of a function that answers with it.
func environment(t *testing.T, f runtimeapi.Function) map[string]string {
	t.Helper()
	answer, err := start(t, f).Invoke(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := json.Unmarshal(answer, &lines); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return env
}

func TestContextTellsOfTheInvocation(t *testing.T) {
	t.Parallel()
	answer, err := start(t, bootstrap("context", nil)).Invoke(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Left           time.Duration
		ID, ARN, Trace string
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	if got.Left <= 0 || got.Left > time.Minute {
		t.Errorf("%v left of a minute", got.Left)
	}
	if got.ARN != "arn:aws:lambda:eu-central-1:000000000000:function:context" {
		t.Errorf("ARN %s", got.ARN)
	}
	for name, form := range map[string]struct{ pattern, value string }{
		"request id": {`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, got.ID},
		"trace": {
			`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$`, got.Trace,
		},
	} {
		if !regexp.MustCompile(form.pattern).MatchString(form.value) {
			t.Errorf("%s %q", name, form.value)
		}
	}
}

func TestLogHasAllOutputAfterClose(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	i := start(t, bootstrap("log", &log))
	if _, err := i.Invoke(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	_ = i.Close()
	if got := log.String(); got != "to standard output\nto standard error\n" {
		t.Errorf("log %q", got)
	}
}

func TestAnswerToAnotherInvocationIsRefused(t *testing.T) {
	t.Parallel()
	got, err := start(t, bootstrap("stranger", nil)).Invoke(t.Context(), []byte("{}"))
	if err != nil || string(got) != "400" {
		t.Errorf("status %s, %v", got, err)
	}
}

// BenchmarkInvoke measures the cost of an invocation beside the function's own work.
func BenchmarkInvoke(b *testing.B) {
	i, err := runtimeapi.Start(b.Context(), bootstrap("echo", nil))
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close()
	for b.Loop() {
		if _, err := i.Invoke(b.Context(), []byte("{}")); err != nil {
			b.Fatal(err)
		}
	}
}
