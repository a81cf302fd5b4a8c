package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// Streams are what a run of the command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer // the data that was asked for, and nothing else
	Err io.Writer
	// Dir is where relative names of files begin; "": in the working directory.
	Dir string
	// Env looks up a variable of the environment.
	Env func(name string) (string, bool)
	// Asks tells that questions can be asked: a person sits at the terminal.
	Asks bool
	// Width is that of the terminal on which Out is shown; 0: it is not shown on one.
	Width int
	// Browser opens a page in the browser; nil: there is none.
	Browser func(url string) error
}

// standard returns the streams of the process.
func standard() Streams {
	s := Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv, Browser: openBrowser,
		Asks: isTerminal(os.Stdin) && isTerminal(os.Stderr),
	}
	if isTerminal(os.Stdout) {
		if width, _, err := term.GetSize(fd(os.Stdout)); err == nil {
			s.Width = width
		}
	}
	return s
}

func fd(f *os.File) int { return int(f.Fd()) } //nolint:gosec // a small number

func isTerminal(f *os.File) bool { return term.IsTerminal(fd(f)) }

// invocation is a run of the command.
type invocation struct {
	Streams

	out, err io.Writer // Out and Err, safe for a terminal
	json     bool
}

func newInvocation(s Streams) *invocation {
	return &invocation{
		Streams: s, out: &printableWriter{to: s.Out}, err: &printableWriter{to: s.Err},
	}
}

// env returns a variable of the environment; "": it is not set.
func (i *invocation) env(name string) string {
	if i.Env == nil {
		return ""
	}
	value, is := i.Env(name)
	if !is {
		return ""
	}
	return value
}

// path returns a file's name as this process opens it.
func (i *invocation) path(name string) string {
	if i.Dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(i.Dir, name)
}

// content reads a file; "-" is the standard input.
func (i *invocation) content(file string) ([]byte, error) {
	var content []byte
	var err error
	if file == "-" {
		content, err = io.ReadAll(i.In)
	} else {
		content, err = os.ReadFile(i.path(file))
	}
	if err != nil {
		return nil, usageError{err}
	}
	return content, nil
}

// colours tells whether colours are shown.
func (i *invocation) colours() bool {
	return i.Width > 0 && i.env("NO_COLOR") == "" && i.env("TERM") != "dumb"
}

// line prints a line of data.
func (i *invocation) line(format string, args ...any) {
	_, _ = printLine(i.out, format, args...)
}

// note prints a line that is not data: what a person should know.
func (i *invocation) note(format string, args ...any) {
	_, _ = printLine(i.err, format, args...)
}

// document prints a document as one line of JSON.
func (i *invocation) document(document any) error { return writeDocument(i.out, document) }

// writeDocument prints a document as one line of JSON.
func writeDocument(out io.Writer, document any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// say prints a sentence for people, or a document.
func (i *invocation) say(document any, format string, args ...any) error {
	if i.json {
		return i.document(document)
	}
	_, err := printLine(i.out, format, args...)
	return err
}

// ErrNotConfirmed is returned if a person does not agree with what would be done.
var ErrNotConfirmed = errors.New("nothing was done")

// confirm asks whether to go on, unless yes is given.
func (i *invocation) confirm(yes bool, question string) error {
	switch {
	case yes:
		return nil
	case !i.Asks:
		return usageError{fmt.Errorf(
			"%w: there is no terminal to ask on; --yes goes on without a question",
			ErrNotConfirmed,
		)}
	}
	_, _ = fmt.Fprintf(i.err, "%s [y/N] ", printable(question))
	answer, err := bufio.NewReader(i.In).ReadString('\n')
	if err != nil && answer == "" {
		_, _ = fmt.Fprintln(i.err)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return ErrNotConfirmed
	}
	return nil
}
