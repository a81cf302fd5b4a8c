package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is an answer that is an error: problem details of RFC 9457.
type Problem struct { //nolint:errname // the word of RFC 9457
	Type      string       `json:"type" doc:"What is wrong, as a name that does not change" example:"urn:webhook-relay:problem:not-found"`
	Title     string       `json:"title" doc:"What is wrong, for people"`
	Status    int          `json:"status" doc:"The status of the answer"`
	Detail    string       `json:"detail,omitempty" doc:"What is wrong in this case, and how to mend it"`
	Errors    []FieldError `json:"errors,omitempty" doc:"What is wrong with parts of the request"`
	RequestID string       `json:"requestId,omitempty" doc:"Name of the request in the relay's log"`

	header http.Header
	cause  error // for the log
}

// FieldError tells what is wrong with a part of a request.
type FieldError struct {
	Pointer string `json:"pointer" doc:"Where: /body, /query, /path or /header, and on from there as a JSON pointer" example:"/body/url"`
	Detail  string `json:"detail" doc:"What is wrong there"`
	Line    int    `json:"line,omitempty" doc:"The line of a configuration file"`
}

// problemURN is in front of the name of a kind of problem.
const problemURN = "urn:webhook-relay:problem:"

// kind is a kind of problem.
type kind struct {
	name   string
	status int
	title  string
}

// The kinds of problems. Their names are part of the API: do not change them.
var (
	badRequest = kind{
		name: "bad-request", status: http.StatusBadRequest, title: "The request cannot be read",
	}
	unauthorized = kind{
		name: "unauthorized", status: http.StatusUnauthorized, title: "No valid token",
	}
	forbidden = kind{
		name: "forbidden", status: http.StatusForbidden, title: "The token may not do this",
	}
	notFound = kind{
		name: "not-found", status: http.StatusNotFound, title: "There is no such thing",
	}
	noMethod = kind{
		name: "method-not-allowed", status: http.StatusMethodNotAllowed,
		title: "The path does not take this method",
	}
	conflict = kind{
		name: "conflict", status: http.StatusConflict,
		title: "Somebody else changed it at the same moment",
	}
	inUse = kind{
		name: "in-use", status: http.StatusConflict, title: "Something else needs it",
	}
	managed = kind{
		name: "managed-elsewhere", status: http.StatusConflict, title: "Something else manages it",
	}
	stateConflict = kind{
		name: "not-possible-now", status: http.StatusConflict,
		title: "Not possible in its present state",
	}
	gone    = kind{name: "gone", status: http.StatusGone, title: "It is no longer there"}
	changed = kind{
		name: "precondition-failed", status: http.StatusPreconditionFailed,
		title: "It has changed since you read it",
	}
	tooLarge = kind{
		name: "too-large", status: http.StatusRequestEntityTooLarge, title: "The body is too large",
	}
	mediaType = kind{
		name: "unsupported-media-type", status: http.StatusUnsupportedMediaType,
		title: "The body is of another media type",
	}
	invalid = kind{
		name: "invalid", status: http.StatusUnprocessableEntity, title: "The request is not valid",
	}
	badCursor = kind{
		name: "invalid-cursor", status: http.StatusUnprocessableEntity,
		title: "The position in the list is not valid",
	}
	keyReused = kind{
		name: "idempotency-key-reused", status: http.StatusUnprocessableEntity,
		title: "The idempotency key came with another request",
	}
	keyRunning = kind{
		name: "idempotency-key-running", status: http.StatusConflict,
		title: "The request is still running",
	}
	keyLost = kind{
		name: "idempotency-answer-not-kept", status: http.StatusConflict,
		title: "The request was answered before, and the answer is not kept",
	}
	noCondition = kind{
		name: "precondition-required", status: http.StatusPreconditionRequired,
		title: "If-Match or If-None-Match is missing",
	}
	internal = kind{
		name: "internal", status: http.StatusInternalServerError, title: "The relay failed",
	}
	unavailable = kind{
		name: "unavailable", status: http.StatusServiceUnavailable,
		title: "The relay cannot answer now",
	}
)

// problem returns a problem of a kind.
func (k kind) problem(format string, args ...any) *Problem {
	return &Problem{
		Type: problemURN + k.name, Title: k.title, Status: k.status,
		Detail: fmt.Sprintf(format, args...),
	}
}

// at returns the problem that a part of the request is not valid.
func at(pointer, format string, args ...any) *Problem {
	p := invalid.problem("Correct what is named in errors, and send the request again.")
	return p.and(pointer, format, args...)
}

// and adds an error of a part of the request.
func (p *Problem) and(pointer, format string, args ...any) *Problem {
	p.Errors = append(p.Errors, FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	return p
}

// with sets a header of the answer.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Error returns the problem as a line.
func (p *Problem) Error() string {
	text := p.Title + ": " + p.Detail
	for _, e := range p.Errors {
		text += "; " + e.Pointer + ": " + e.Detail
	}
	return text
}

// Unwrap returns the error behind the problem, if any.
func (p *Problem) Unwrap() error { return p.cause }

const problemType = "application/problem+json"

// write writes the problem as an answer.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("content-type", problemType)
	w.WriteHeader(p.Status)
	_ = encode(w, p) // the client may have gone
}

// wrong returns the problem of a kind for what package huma says is wrong with a request.
func (k kind) wrong(errs []error) *Problem {
	p := k.problem("Correct what is named in errors, and send the request again.")
	for _, err := range errs {
		d := &huma.ErrorDetail{Location: "body", Message: err.Error()}
		errors.As(err, &d)
		p = p.and(pointerOf(d.Location), "%s", d.Message)
	}
	return p
}

// pointerOf turns a location of huma ("body.items[3].name") into a JSON pointer.
func pointerOf(location string) string {
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(location)
}
