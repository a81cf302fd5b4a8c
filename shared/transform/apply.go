package transform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/document"
)

// MaxOutput is the size in bytes that a result may have, and every text on the way to it.
const MaxOutput = 1 << 20

// Event is an event as transforms see it. Empty strings count as absent.
type Event struct {
	ID     string
	Type   string
	Source string
	Trust  string
	Time   time.Time         // of its acceptance
	Header map[string]string // lower-case names
	Body   []byte            // as received
	// Data is the event's document, valid JSON in UTF-8, as document.Read returns it. Empty: the
	// event has none.
	Data []byte
	// Opaque means that there is a document, but it could not be read. Then every transform fails
	// that needs it.
	Opaque bool
}

// Result is what to send.
type Result struct {
	Method string // POST, PUT, PATCH or DELETE
	// Path is to be added to the path of the endpoint's URL. It is percent-encoded, and begins with
	// a slash. "": nothing is added.
	Path   string
	Query  string            // to be added to the URL's query, encoded; "": nothing
	Header map[string]string // lower-case names; added to the endpoint's own
	Body   []byte
	// ContentType is the body's; "" if the body is the event's own and had none.
	ContentType string
	// Skip means that there is nothing to send: a jq program had no result, or false. The other
	// fields are empty then.
	Skip bool
}

// Error says why a transform failed for an event. It will fail again until the transform or the
// event changes. Any other error of Apply is a failure of the Runner, after which the same event
// may succeed.
type Error struct{ Problem string }

func (e *Error) Error() string { return "transform: " + e.Problem }

func failf(format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf(format, args...)}
}

var errTooLarge error = &Error{
	Problem: fmt.Sprintf("the result is larger than %d bytes", MaxOutput),
}

// Runner runs jq programs. It is safe for concurrent use.
type Runner interface {
	// Run returns the results of a program for a document, each as JSON. Its error is an *Error if
	// the program fails or exceeds a limit.
	Run(ctx context.Context, program string, document []byte) ([][]byte, error)
}

// Transform makes requests from events. It does not change, so it is safe for concurrent use.
type Transform struct {
	places  *document.Places // in the event's document; nil: none is needed
	shape   shape
	method  *textNode // nil: POST
	path    []segment
	query   []parameter
	headers []parameter
}

// shape is what a Transform does with the body.
type shape struct {
	body        node   // nil: the body stays as it came
	contentType string // of body
	program     string // jq; "": none
}

// run is one call of Apply.
type run struct {
	event *Event
	found [][]document.Extent
	out   []byte
}

// Apply returns what to send for an event. runner runs jq; it may be nil if UsesJQ is false. Error:
// an *Error if the transform fails for this event.
func (t *Transform) Apply(ctx context.Context, e Event, runner Runner) (Result, error) {
	r := &run{event: &e}
	if err := r.find(t.places); err != nil {
		return Result{}, err
	}
	result := Result{Header: map[string]string{}}
	switch skip, err := t.fill(ctx, r, runner, &result); {
	case err != nil:
		return Result{}, err
	case skip:
		return Result{Skip: true}, nil
	}
	if err := t.request(r, &result); err != nil {
		return Result{}, err
	}
	return result, nil
}

// find looks up the places in the event's document; nil: there are none.
func (r *run) find(places *document.Places) (err error) {
	e := r.event
	switch {
	case places == nil:
		return nil
	case e.Opaque:
		return failf("the event's document exceeds a limit, so it was not read")
	case len(e.Data) == 0:
		return nil
	}
	if r.found, err = places.Collect(e.Data); err != nil {
		return failf("the event's document is not JSON")
	}
	return nil
}

// fill sets the body.
func (t *Transform) fill(
	ctx context.Context, r *run, runner Runner, result *Result,
) (skip bool, err error) {
	result.ContentType = t.shape.contentType
	switch {
	case t.shape.program != "":
		result.Body, err = runJQ(ctx, r.event, t.shape.program, runner)
		return result.Body == nil, err
	case t.shape.body == nil:
		result.Body, result.ContentType = r.event.Body, r.event.Header["content-type"]
		return false, nil
	}
	if _, err := t.shape.body.write(r); err != nil {
		return false, err
	}
	result.Body = r.out
	return false, r.check()
}

var errNoRunner = errors.New("transform: nothing is configured that can run jq")

// runJQ returns the one result of a program, nil if there is nothing to send.
func runJQ(ctx context.Context, e *Event, program string, runner Runner) ([]byte, error) {
	if runner == nil {
		return nil, errNoRunner
	}
	if e.Opaque {
		return nil, failf("the event's document exceeds a limit, so it was not read")
	}
	results, err := runner.Run(ctx, program, e.JSON())
	switch {
	case err != nil:
		return nil, err
	case len(results) == 0:
		return nil, nil
	case len(results) > 1:
		return nil, failf(
			"the jq program has %d results; put brackets around it for a list of them",
			len(results),
		)
	case string(results[0]) == "false":
		return nil, nil
	}
	return results[0], nil
}

// JSON returns the event as jq programs see it.
func (e *Event) JSON() []byte {
	b := make([]byte, 0, len(e.Data)+512)
	b = append(b, '{')
	for _, name := range [...]string{"id", "type", "source", "trust", "time", "headers"} {
		b = append(document.AppendQuoted(b, name), ':')
		b = append(attributes[name](e).appendJSON(b), ',')
	}
	b = append(b, `"data":`...)
	if len(e.Data) == 0 {
		b = append(b, "null"...)
	}
	return append(append(b, e.Data...), '}')
}

// UsesJQ tells whether the transform runs a jq program.
func (t *Transform) UsesJQ() bool { return t.shape.program != "" }

// Program returns the transform's jq program, "" if it has none.
func (t *Transform) Program() string { return t.shape.program }

// NeedsData tells whether the transform reads Event.Data.
func (t *Transform) NeedsData() bool { return t.places != nil || t.UsesJQ() }

// RequestKeys returns the keys beside the body that the transform has: method, path, query,
// headers. A preset may set headers too.
func (t *Transform) RequestKeys() (keys []string) {
	for _, one := range []struct {
		key   string
		there bool
	}{
		{"method", t.method != nil}, {"path", t.path != nil}, {"query", t.query != nil},
		{"headers", t.headers != nil},
	} {
		if one.there {
			keys = append(keys, one.key)
		}
	}
	return keys
}

// Headers returns the names of the headers that the transform may set, in lower case.
func (t *Transform) Headers() []string {
	names := make([]string, len(t.headers))
	for i, h := range t.headers {
		names[i] = h.name
	}
	return names
}

// document returns the value at a place in the event's document.
func (r *run) document(l lookup) (value, error) {
	if r.found == nil {
		if l.each {
			return value{raw: []byte("[]")}, nil
		}
		return nothing, nil
	}
	found := r.found[l.slot]
	if !l.each {
		if len(found) == 0 {
			return nothing, nil
		}
		return value{raw: r.event.Data[found[0].From:found[0].To]}, nil
	}
	list := []byte{'['}
	for i, at := range found {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, r.event.Data[at.From:at.To]...)
	}
	return value{raw: append(list, ']')}, nil
}

func (r *run) check() error {
	if len(r.out) > MaxOutput {
		return errTooLarge
	}
	return nil
}
