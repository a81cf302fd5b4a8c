package runtimeapi_test

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestFunctionEndsWithTheProcessThatStartedIt gives both processes the writing end of a pipe. The
// test reads to its end only when both are gone.
func TestFunctionEndsWithTheProcessThatStartedIt(t *testing.T) {
	t.Parallel()
	host := exec.CommandContext(t.Context(), os.Args[0])
	host.Env = []string{bootstrapVariable + "=host"}
	output, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(output, make([]byte, len("hanging"))); err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if file, ok := output.(*os.File); ok {
		_ = file.SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	if _, err := io.ReadAll(output); err != nil {
		t.Errorf("the function lives on: %v", err)
	}
	_ = host.Wait()
}
