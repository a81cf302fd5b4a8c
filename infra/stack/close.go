package stack

import (
	"bytes"
	"io"
	"os"

	"github.com/aws/jsii-runtime-go"
)

// Close ends the Node process that the constructs live in. It is the last thing that a program does
// with the CDK.
func Close() { closeQuietly(jsii.Close) }

// raceMessages are what jsii prints, now and then, when it is closed: two of its goroutines wait
// for Node to end, and the one that comes second is told by the system that there is no such
// process any more. By then all is written, so that nothing is wrong. (jsii-runtime-go,
// internal/kernel/process: ensureStarted and Close both call Wait.)
var raceMessages = [][]byte{
	[]byte("Runtime process exited abnormally: waitid: no child processes"),
	[]byte("Runtime process exited abnormally: wait: no child processes"),
	[]byte("Runtime process exited abnormally: exec: Wait was already called"),
}

// closeQuietly calls f and leaves raceMessages out of what is written to os.Stderr meanwhile.
// os.Stderr is only changed back when f has returned.
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
		text, _ := io.ReadAll(r) // ends when w is closed
		said <- text
	}()
	f()
	os.Stderr = stderr
	_ = w.Close() // what is written to it after that is the message
	text := <-said
	for _, message := range raceMessages {
		text = bytes.ReplaceAll(text, message, nil)
	}
	_, _ = stderr.Write(text)
}
