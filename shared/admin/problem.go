package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is an answer that is an error: problem details of RFC 9457.
type Problem struct {
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
	badRequest    = kind{"bad-request", http.StatusBadRequest, "The request cannot be read"}
	unauthorized  = kind{"unauthorized", http.StatusUnauthorized, "No valid token"}
	forbidden     = kind{"forbidden", http.StatusForbidden, "The token may not do this"}
	notFound      = kind{"not-found", http.StatusNotFound, "There is no such thing"}
	noMethod      = kind{"method-not-allowed", http.StatusMethodNotAllowed, "The path does not take this method"}
	conflict      = kind{"conflict", http.StatusConflict, "Somebody else changed it at the same moment"}
	inUse         = kind{"in-use", http.StatusConflict, "Something else needs it"}
	managed       = kind{"managed-elsewhere", http.StatusConflict, "Something else manages it"}
	stateConflict = kind{"not-possible-now", http.StatusConflict, "Not possible in its present state"}
	gone          = kind{"gone", http.StatusGone, "It is no longer there"}
	changed       = kind{"precondition-failed", http.StatusPreconditionFailed, "It has changed since you read it"}
	tooLarge      = kind{"too-large", http.StatusRequestEntityTooLarge, "The body is too large"}
	mediaType     = kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body is of another media type"}
	invalid       = kind{"invalid", http.StatusUnprocessableEntity, "The request is not valid"}
	badCursor     = kind{"invalid-cursor", http.StatusUnprocessableEntity, "The position in the list is not valid"}
	keyReused     = kind{"idempotency-key-reused", http.StatusUnprocessableEntity, "The idempotency key came with another request"}
	keyRunning    = kind{"idempotency-key-running", http.StatusConflict, "The request is still running"}
	keyLost       = kind{"idempotency-answer-not-kept", http.StatusConflict, "The request was answered before, and the answer is not kept"}
	noCondition   = kind{"precondition-required", http.StatusPreconditionRequired, "If-Match or If-None-Match is missing"}
	internal      = kind{"internal", http.StatusInternalServerError, "The relay failed"}
	unavailable   = kind{"unavailable", http.StatusServiceUnavailable, "The relay cannot answer now"}
	kinds         = []kind{
		badRequest, unauthorized, forbidden, notFound, noMethod, conflict, inUse, managed,
		stateConflict, gone, changed, tooLarge, mediaType, invalid, badCursor, keyReused,
		keyRunning, keyLost, noCondition, internal, unavailable,
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

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

const problemType = "application/problem+json"

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// write writes the problem as an answer.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("content-type", problemType)
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // the client may have gone
}

// fromHuma returns the problem for what huma itself refuses.
func fromHuma(status int, message string, errs ...error) huma.StatusError {
	k := internal
	for _, other := range []kind{badRequest, tooLarge, mediaType, invalid} {
		if other.status == status {
			k = other
		}
	}
	if k == internal {
		return &Problem{
			Type: problemURN + k.name, Title: k.title, Status: k.status,
			cause: errors.Join(append(errs, errors.New(message))...),
		}
	}
	p := k.problem("Correct what is named in errors, and send the request again.")
	if len(errs) == 0 {
		p.Detail = message
	}
	for _, err := range errs {
		var detailed huma.ErrorDetailer
		if errors.As(err, &detailed) {
			d := detailed.ErrorDetail()
			p.and(pointerOf(d.Location), "%s", d.Message)
			continue
		}
		p.and("/body", "%s", err.Error())
	}
	return p
}

// pointerOf turns a location of huma ("body.items[3].name") into a JSON pointer.
func pointerOf(location string) string {
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(location)
}
