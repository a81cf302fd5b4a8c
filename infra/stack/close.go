package stack

import (
	"bytes"
	"io"
	"os"

	"github.com/aws/jsii-runtime-go"
)

// Close ends the Node process in which the constructs live. Call it last: the CDK cannot be used
// afterwards.
func Close() { closeQuietly(jsii.Close) }

// raceMessages are messages that jsii sometimes prints when it is closed. They are harmless. Two
// goroutines of jsii wait for the Node process to end. The system tells the second one that the
// process no longer exists. All output has been written by then. (jsii-runtime-go,
// internal/kernel/process: ensureStarted and Close both call Wait.)
var raceMessages = [][]byte{
	[]byte("Runtime process exited abnormally: waitid: no child processes"),
	[]byte("Runtime process exited abnormally: wait: no child processes"),
	[]byte("Runtime process exited abnormally: exec: Wait was already called"),
}

// closeQuietly calls f and removes raceMessages from what is written to os.Stderr during the call.
// It restores os.Stderr only after f has returned.
func closeQuietly(f func()) {
	stderr := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		f()
		return
	}
	os.Stderr = w
	said := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(r) // returns when w is closed
		said <- text
	}()
	f()
	os.Stderr = stderr
	_ = w.Close() // a later write to w could only be one of raceMessages
	text := <-said
	for _, message := range raceMessages {
		text = bytes.ReplaceAll(text, message, nil)
	}
	_, _ = stderr.Write(text)
}
