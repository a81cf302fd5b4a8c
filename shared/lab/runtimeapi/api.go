package runtimeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// api returns the Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
func (i *Instance) api() http.Handler {
	mux := http.NewServeMux()
	const root = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+root+"invocation/next", i.serveNext)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", i.serveResponse)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", i.serveError)
	mux.HandleFunc("POST "+root+"init/error", i.serveInitError)
	return mux
}

// serveNext waits for an event and returns it.
func (i *Instance) serveNext(w http.ResponseWriter, r *http.Request) {
	i.asked.Do(func() { close(i.ready) })
	select {
	case <-r.Context().Done():
	case call := <-i.events:
		i.mu.Lock()
		i.current = call
		i.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", call.id)
		h.Set(
			"Lambda-Runtime-Deadline-Ms",
			strconv.FormatInt(time.Now().Add(i.function.Timeout).UnixMilli(), 10),
		)
		h.Set(
			"Lambda-Runtime-Invoked-Function-Arn",
			"arn:aws:lambda:"+i.region+":000000000000:function:"+i.function.Name,
		)
		h.Set("Lambda-Runtime-Trace-Id", traceID(time.Now()))
		_, _ = w.Write(call.payload) // if the process is gone, run notices it
	}
}

// traceID returns a new, sampled X-Ray trace
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html).
func traceID(now time.Time) string {
	random := strings.ReplaceAll(uuid.NewString(), "-", "")
	return fmt.Sprintf(
		"Root=1-%08x-%s;Parent=%s;Sampled=1", now.Unix(), random[:24],
		strings.ReplaceAll(uuid.NewString(), "-", "")[:16],
	)
}

func (i *Instance) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayloadBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		message := fmt.Sprintf("response of more than %d bytes", MaxPayloadBytes)
		i.answer(
			w, r, http.StatusRequestEntityTooLarge,
			result{err: &FunctionError{Type: "Function.ResponseSizeTooLarge", Message: message}},
		)
		return
	}
	if err != nil {
		return // the process is gone or sent too little: the invocation times out
	}
	i.answer(w, r, http.StatusAccepted, result{payload: body})
}

func (i *Instance) serveError(w http.ResponseWriter, r *http.Request) {
	i.answer(w, r, http.StatusAccepted, result{err: functionError(r)})
}

// answer passes the function's result to the invocation that it names, if that is the current one.
func (i *Instance) answer(w http.ResponseWriter, r *http.Request, status int, res result) {
	i.mu.Lock()
	call := i.current
	known := call != nil && call.id == r.PathValue("id")
	if known {
		i.current = nil
	}
	i.mu.Unlock()
	if !known {
		status = http.StatusBadRequest
		respond(
			w, status,
			map[string]string{
				"errorType": "InvalidRequestID", "errorMessage": "no such invocation is under way",
			},
		)
		return
	}
	call.result <- res
	respond(w, status, map[string]string{"status": "OK"})
}

// serveInitError records why the function cannot start. Its process should then exit.
func (i *Instance) serveInitError(w http.ResponseWriter, r *http.Request) {
	i.note(functionError(r))
	respond(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// functionError reads a runtime's error report. A report in another form becomes the message.
func functionError(r *http.Request) *FunctionError {
	e := &FunctionError{}
	// a part of a report is better than none
	body, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayloadBytes))
	if err := json.Unmarshal(body, e); err != nil {
		e.Message = string(body)
	}
	if e.Type == "" {
		e.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	return e
}

func respond(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // as in serveNext
}
