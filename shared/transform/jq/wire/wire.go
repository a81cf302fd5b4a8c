// Package wire is how a relay and its jq process talk: one request, one reply, over two pipes. All
// numbers are 32 bits long, in big-endian order.
//
//	request  length of the program, length of the document, the program, the document
//	reply    a status byte, the number of texts, then each with its length
//
// A request without a document asks whether the program may be used. Its reply has no text, or a
// CheckError as JSON.
//
// Before the first request the process sends one Ready byte.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Ready is sent once by the process, when it can take requests.
const Ready byte = 'r'

// Status says what the texts of a reply are.
type Status byte

// The statuses of a reply.
const (
	Results Status = 'o' // the program's results, each as JSON
	Failed  Status = 'e' // one text: why the program failed
)

// Limits of what is sent.
const (
	MaxProgram  = 8 << 10 // bytes
	MaxDocument = 2 << 20 // bytes: a document, and the event around it
	MaxTexts    = 2       // more results than one are refused, so that two are enough to tell
	MaxText     = 1 << 20 // bytes
)

// CheckError says what is wrong with a program.
type CheckError struct {
	// Line and Column are where, from 1 on; 0: nowhere in particular. Columns are counted in
	// characters.
	Line, Column int
	Problem      string
}

func (e *CheckError) Error() string {
	if e.Line == 0 {
		return "jq: " + e.Problem
	}
	return fmt.Sprintf("jq: line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// ErrFormat means that the other side sent something else than a request or a reply.
var ErrFormat = errors.New("wire: not a message")

// WriteRequest writes a request and flushes it.
func WriteRequest(w *bufio.Writer, program string, document []byte) error {
	var head [8]byte
	binary.BigEndian.PutUint32(head[:4], uint32(len(program)))  //nolint:gosec // at most MaxProgram
	binary.BigEndian.PutUint32(head[4:], uint32(len(document))) //nolint:gosec // at most MaxDocument
	_, _ = w.Write(head[:])                                     // Flush returns the error
	_, _ = w.WriteString(program)
	_, _ = w.Write(document)
	return w.Flush()
}

// ReadRequest reads a request. Error: io.EOF if there are no more.
func ReadRequest(r *bufio.Reader) (program string, document []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", nil, err
	}
	text, err := read(r, binary.BigEndian.Uint32(head[:4]), MaxProgram)
	if err != nil {
		return "", nil, err
	}
	document, err = read(r, binary.BigEndian.Uint32(head[4:]), MaxDocument)
	return string(text), document, err
}

// WriteReply writes a reply and flushes it.
func WriteReply(w *bufio.Writer, status Status, texts ...[]byte) error {
	head := [5]byte{byte(status)}
	binary.BigEndian.PutUint32(head[1:], uint32(len(texts))) //nolint:gosec // at most MaxTexts
	_, _ = w.Write(head[:])                                  // Flush returns the error
	for _, text := range texts {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(text))) //nolint:gosec // at most MaxText
		_, _ = w.Write(length[:])
		_, _ = w.Write(text)
	}
	return w.Flush()
}

// ReadReply reads a reply.
func ReadReply(r *bufio.Reader) (Status, [][]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	status, n := Status(head[0]), binary.BigEndian.Uint32(head[1:])
	if status != Results && status != Failed || n > MaxTexts {
		return 0, nil, ErrFormat
	}
	texts := make([][]byte, n)
	for i := range texts {
		var length [4]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return 0, nil, err
		}
		var err error
		if texts[i], err = read(r, binary.BigEndian.Uint32(length[:]), MaxText); err != nil {
			return 0, nil, err
		}
	}
	return status, texts, nil
}

func read(r *bufio.Reader, length, limit uint32) ([]byte, error) {
	if length > limit {
		return nil, ErrFormat
	}
	b := make([]byte, length)
	_, err := io.ReadFull(r, b)
	return b, err
}
