package admin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// endpoint reads the requests of a route and writes its answers. The types of both are known by
// reflection: a generic function would be compiled anew for each route, and huma.Register is large.
// What the tags of their fields mean is said in the documentation of package huma.
type endpoint struct {
	schemas huma.Registry
	input   reflect.Value // a struct in which what a request can leave out has its default
	params  []param
	body    *huma.Schema  // of the field Body; nil: there is none, or its handler checks it
	bodied  bool          // a request must have a body
	status  int           // of an answer
	handler reflect.Value // func(context.Context, *I) (*O, error)
}

// param is a parameter of a route.
type param struct {
	huma.Param

	field []int
}

// serve answers a request.
func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	in, err := e.read(r)
	if err == nil {
		out := e.handler.Call([]reflect.Value{reflect.ValueOf(r.Context()), in})
		if err, _ = out[1].Interface().(error); err == nil {
			err = e.write(w, out[0])
		}
	}
	if err != nil {
		callOf(r.Context()).failed(err).write(w)
	}
}

// read returns the input of a request: a pointer to a struct. Error: a problem that has all that is
// wrong with the request.
func (e *endpoint) read(r *http.Request) (in reflect.Value, err error) {
	in = reflect.New(e.input.Type())
	in.Elem().Set(e.input)
	query, wrong, k := r.URL.Query(), &huma.ValidateResult{}, invalid
	e.checkNames(query, wrong)
	if len(wrong.Errors) > 0 { // further errors would hide that a name is misspelt
		return in, k.wrong(wrong.Errors)
	}
	e.readParams(r, query, in.Elem(), wrong)
	if e.bodied {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return in, err
		case len(body) == 0:
			return in, badRequest.problem("request body is required")
		case e.body == nil:
			in.Elem().FieldByName("RawBody").SetBytes(body)
		default:
			k = e.readBody(r, body, in.Elem().FieldByName("Body"), wrong)
		}
	}
	if len(wrong.Errors) > 0 {
		return in, k.wrong(wrong.Errors)
	}
	return in, nil
}

// checkNames refuses parameters of the query that there are not.
func (e *endpoint) checkNames(query url.Values, wrong *huma.ValidateResult) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.ContainsFunc(e.params, func(p param) bool {
			return p.In == "query" && p.Name == name
		}) {
			wrong.Add(pathOf("query", name), "", "unknown query parameter")
		}
	}
}

func (e *endpoint) readParams(
	r *http.Request, query url.Values, in reflect.Value, wrong *huma.ValidateResult,
) {
	given := map[string]func(string) string{
		"path": r.PathValue, "query": query.Get, "header": r.Header.Get,
	}
	for _, p := range e.params {
		text := given[p.In](p.Name)
		path := pathOf(p.In, p.Name)
		if text == "" {
			if p.Required {
				wrong.Add(path, "", "required "+p.In+" parameter is missing")
			}
			continue
		}
		value, err := parseInto(in.FieldByIndex(p.field), text)
		if err != nil {
			wrong.Add(path, text, err.Error())
			continue
		}
		huma.Validate(e.schemas, p.Schema, path, huma.ModeWriteToServer, value, wrong)
	}
}

// pathOf returns a place in a request.
func pathOf(parts ...string) *huma.PathBuffer {
	path := huma.NewPathBuffer(nil, 0)
	for _, part := range parts {
		path.Push(part)
	}
	return path
}

// parseInto sets a field to what a text says, and returns that as JSON has it.
func parseInto(field reflect.Value, text string) (any, error) {
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
		return text, nil
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, strconv.IntSize)
		if err != nil {
			return nil, errors.New("invalid integer")
		}
		field.SetInt(n)
		return n, nil
	case reflect.Bool:
		is, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("invalid boolean")
		}
		field.SetBool(is)
		return is, nil
	case reflect.Slice:
		values := strings.Split(text, ",")
		field.Set(reflect.ValueOf(values))
		return values, nil
	default:
		panic("admin: no parameter can be of the type " + field.Type().String())
	}
}

// readBody reads a body of JSON into a field. It returns the kind of the problem if it is wrong.
func (e *endpoint) readBody(
	r *http.Request, body []byte, field reflect.Value, wrong *huma.ValidateResult,
) kind {
	path := pathOf("body")
	given := cmp.Or(r.Header.Get("Content-Type"), jsonType)
	if name, _, _ := strings.Cut(given, ";"); name != jsonType && !strings.HasSuffix(name, "+json") {
		wrong.Add(path, "", "unknown content type: "+given)
		return mediaType
	}
	var parsed any
	if err := json.Unmarshal(body, &parsed); err != nil {
		wrong.Add(path, "", err.Error())
		return badRequest
	}
	before := len(wrong.Errors)
	huma.Validate(e.schemas, e.body, path, huma.ModeWriteToServer, parsed, wrong)
	if len(wrong.Errors) > before {
		return invalid
	}
	if err := json.Unmarshal(body, field.Addr().Interface()); err != nil {
		wrong.Add(path, "", err.Error())
	}
	return invalid
}

// write writes an answer: a pointer to a struct, or to nothing.
func (e *endpoint) write(w http.ResponseWriter, out reflect.Value) error {
	if out.IsNil() {
		w.WriteHeader(e.status)
		return nil
	}
	for _, f := range reflect.VisibleFields(out.Elem().Type()) {
		if name := f.Tag.Get("header"); name != "" {
			if text := out.Elem().FieldByIndex(f.Index).String(); text != "" {
				w.Header().Set(name, text)
			}
		}
	}
	body := out.Elem().FieldByName("Body")
	text, raw := body.Interface().([]byte)
	if !raw {
		var b bytes.Buffer
		if err := encode(&b, body.Interface()); err != nil {
			return err
		}
		text = b.Bytes()
		w.Header().Set("content-type", jsonType)
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(text) // the client may have gone
	return nil
}
