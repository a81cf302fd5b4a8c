package stack_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"webhook-relay/infra/stack"
)

// Not parallel: it has a standard error of its own.
func TestClosingHidesTheRaceOfJSIIAndNothingElse(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	stack.CloseQuietly(func() {
		fmt.Fprintln(os.Stderr, "a warning of the CDK")
		fmt.Fprint(os.Stderr, "Runtime process exited abnormally: waitid: no child processes")
		fmt.Fprintln(os.Stderr, "Runtime process exited abnormally: signal: killed")
	})
	if os.Stderr != w {
		t.Error("standard error is another one afterwards")
	}
	os.Stderr = stderr
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	want := "a warning of the CDK\nRuntime process exited abnormally: signal: killed\n"
	if string(got) != want {
		t.Errorf("says %q, want %q", got, want)
	}
}
