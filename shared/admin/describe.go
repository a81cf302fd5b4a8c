package admin

import (
	"cmp"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// describe adds to an operation what its types say: parameters, bodies, headers and answers. It
// returns how its requests are read and answered. schemas gets the types' schemas.
func describe(op *huma.Operation, in, out reflect.Type, schemas huma.Registry) *endpoint {
	e := &endpoint{schemas: schemas, input: reflect.New(in).Elem()}
	describeParams(op, e)
	describeBody(op, e)
	describeAnswer(op, out, e)
	if len(op.Errors) > 0 {
		if len(e.params) > 0 || e.bodied {
			op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
		}
		op.Errors = append(op.Errors, http.StatusInternalServerError)
	}
	problem := map[string]*huma.MediaType{problemType: {
		Schema: schemas.Schema(reflect.TypeFor[Problem](), true, ""),
	}}
	for _, code := range op.Errors {
		op.Responses[strconv.Itoa(code)] = &huma.Response{
			Description: http.StatusText(code), Content: problem,
		}
	}
	if len(op.Errors) == 0 {
		op.Responses["default"] = &huma.Response{Description: "Error", Content: problem}
	}
	return e
}

// describeParams is for the fields of the input with the tag path, query or header.
func describeParams(op *huma.Operation, e *endpoint) {
	for _, f := range reflect.VisibleFields(e.input.Type()) {
		for _, place := range []string{"path", "query", "header"} {
			name := f.Tag.Get(place)
			if name == "" {
				continue
			}
			p := param{field: f.Index, Param: huma.Param{
				Name: name, In: place, Schema: huma.SchemaFromField(e.schemas, f, ""),
				Required: place == "path" || f.Tag.Get("required") == "true",
			}}
			p.Description = p.Schema.Description // some tools show only this one
			if place == "query" {
				p.Explode = new(bool) // lists are separated by commas
			}
			setDefault(e.input.FieldByIndex(f.Index), f)
			e.params = append(e.params, p)
			if f.Tag.Get("hidden") != "true" {
				op.Parameters = append(op.Parameters, &p.Param)
			}
		}
	}
}

// setDefault sets a field to what its tag says, if it has one.
func setDefault(field reflect.Value, f reflect.StructField) {
	if text := f.Tag.Get("default"); text != "" {
		if _, err := parseInto(field, text); err != nil {
			panic("admin: the default of " + f.Name + ": " + err.Error())
		}
	}
}

// describeBody is for the field Body of the input, which is JSON, or RawBody, which the handler
// reads.
func describeBody(op *huma.Operation, e *endpoint) {
	in := e.input.Type()
	f, checked := in.FieldByName("Body")
	_, raw := in.FieldByName("RawBody")
	if e.bodied = checked || raw; !e.bodied {
		return
	}
	if op.RequestBody == nil {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{}}
	}
	op.RequestBody.Required = true
	if raw {
		op.RequestBody.Content["application/octet-stream"] = binary
		return
	}
	e.body = huma.SchemaFromField(e.schemas, f, bodyName(in, op.OperationID+"Request"))
	op.RequestBody.Content[jsonType] = &huma.MediaType{Schema: e.body}
	for _, field := range reflect.VisibleFields(f.Type) {
		setDefault(e.input.FieldByIndex(f.Index).FieldByIndex(field.Index), field)
	}
}

// describeAnswer is for the fields of the output: Body, and those with the tag header.
func describeAnswer(op *huma.Operation, out reflect.Type, e *endpoint) {
	e.status = http.StatusNoContent
	body, has := out.FieldByName("Body")
	if has {
		e.status = http.StatusOK
	}
	e.status = cmp.Or(op.DefaultStatus, e.status)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	code := strconv.Itoa(e.status)
	if op.Responses[code] == nil {
		op.Responses[code] = &huma.Response{Description: http.StatusText(e.status)}
	}
	answer := op.Responses[code]
	if has && answer.Content == nil {
		answer.Content = map[string]*huma.MediaType{jsonType: {
			Schema: huma.SchemaFromField(e.schemas, body, bodyName(out, op.OperationID+"Response")),
		}}
	}
	for _, f := range reflect.VisibleFields(out) {
		if name := f.Tag.Get("header"); name != "" {
			if answer.Headers == nil {
				answer.Headers = map[string]*huma.Param{}
			}
			answer.Headers[name] = &huma.Header{Schema: huma.SchemaFromField(e.schemas, f, "")}
		}
	}
}

// bodyName returns the name in the document of the body of a type, if its own type has none.
func bodyName(t reflect.Type, otherwise string) string {
	if t.Name() == "" {
		return otherwise
	}
	return t.Name() + "Body"
}
