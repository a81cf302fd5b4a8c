package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/itchyny/gojq"

	"webhook-relay/shared/transform/jq/wire"
)

// mark is the environment variable that makes a process a jq process. Its value says that the
// parent knows this protocol.
const mark = "RELAY_JQ_PROCESS"

// Marked is the environment variable with its value, for the parent.
const Marked = mark + "=1"

// ServeIfAsked makes this process a jq process, and does not return, if its parent asked for that.
// Call it first in main.
func ServeIfAsked() {
	if os.Getenv(mark) != "1" {
		return
	}
	Main()
}

// Main is the main function of a jq process. It ends when its parent closes the pipe.
func Main() {
	limitMemory()
	if err := Serve(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// tooLong is when a process ends itself, because its parent should have killed it long before: the
// parent is dead.
const tooLong = 10 * time.Second

// compiled is how many programs stay compiled. A relay has a handful.
const compiled = 64

// Serve answers requests until in ends.
func Serve(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReaderSize(in, 64<<10), bufio.NewWriterSize(out, 64<<10)
	_ = w.WriteByte(wire.Ready) // Flush returns the error
	if err := w.Flush(); err != nil {
		return err
	}
	programs := map[string]*gojq.Code{}
	for {
		text, document, err := wire.ReadRequest(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		alone := time.AfterFunc(tooLong, func() { os.Exit(1) })
		status, texts := reply(programs, text, document)
		alone.Stop()
		if err := wire.WriteReply(w, status, texts...); err != nil {
			return err
		}
	}
}

// reply checks a program, or runs it if there is a document.
func reply(
	programs map[string]*gojq.Code, text string, document []byte,
) (wire.Status, [][]byte) {
	if len(document) == 0 {
		failed, is := errors.AsType[*wire.CheckError](Check(text))
		if !is {
			return wire.Results, nil
		}
		problem, _ := json.Marshal(failed) // of numbers and a string, which cannot fail
		return wire.Failed, [][]byte{problem}
	}
	results, err := answer(programs, text, document)
	if err != nil {
		return wire.Failed, [][]byte{[]byte(err.Error())}
	}
	return wire.Results, results
}

// answer runs a program, compiled once.
func answer(
	programs map[string]*gojq.Code, text string, document []byte,
) (results [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the jq program cannot be run")
		}
	}()
	code := programs[text]
	if code == nil {
		if code, err = compile(text); err != nil {
			return nil, err
		}
		if len(programs) == compiled {
			clear(programs)
		}
		programs[text] = code
	}
	return run(code, document)
}

func compile(text string) (*gojq.Code, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query)
}

// Run runs a program for a document, and returns at most two of its results, each as JSON. It does
// not check the program.
func Run(text string, document []byte) ([][]byte, error) {
	code, err := compile(text)
	if err != nil {
		return nil, err
	}
	return run(code, document)
}

func run(code *gojq.Code, document []byte) ([][]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var input any
	if err := decoder.Decode(&input); err != nil {
		return nil, errors.New("the event is not JSON")
	}
	var results [][]byte
	for iter := code.Run(input); len(results) < wire.MaxTexts; {
		v, ok := iter.Next()
		if !ok {
			break
		}
		if err, ok := v.(error); ok {
			if halt, ok := errors.AsType[*gojq.HaltError](err); ok && halt.Value() == nil {
				break
			}
			return nil, shortened(err)
		}
		result, err := encode(v)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

func encode(v any) ([]byte, error) {
	result, err := gojq.Marshal(v)
	if err != nil {
		return nil, shortened(err)
	}
	if len(result) > wire.MaxText {
		return nil, fmt.Errorf("the result is larger than %d bytes", wire.MaxText)
	}
	return result, nil
}

// shortened keeps an error readable: gojq quotes values in it.
func shortened(err error) error {
	const longest = 500
	text := []rune(err.Error())
	if len(text) > longest {
		return errors.New(string(text[:longest]) + "…")
	}
	return err
}
