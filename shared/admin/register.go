package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// registrar registers the operations of a group.
type registrar struct {
	*server

	mux  *http.ServeMux
	doc  *huma.OpenAPI
	rows []Route // the table
}

func newRegistrar(s *server, mux *http.ServeMux, rows []Route) *registrar {
	return &registrar{server: s, rows: rows, mux: mux, doc: &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "Webhook relay", Version: "1"},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
		},
	}}
}

// encode writes JSON without escapes for HTML: payloads are shown as they are.
func encode(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// handle registers the handler of the route with an id. I is a struct of the route's parameters and
// its body, O one of an answer's headers and body.
func handle[I, O any](
	r *registrar, id string, handler func(context.Context, *I) (*O, error),
	more ...func(*huma.Operation),
) {
	r.register(id, reflect.ValueOf(handler), more)
}

// register is handle, but compiled once.
func (r *registrar) register(id string, handler reflect.Value, more []func(*huma.Operation)) {
	in, out := handler.Type().In(1).Elem(), handler.Type().Out(0).Elem()
	op := operation(r.row(id))
	if _, conditional := in.FieldByName("IfMatch"); conditional {
		op.Errors = append(op.Errors, http.StatusPreconditionFailed)
	}
	if _, needed := in.FieldByName("IfNoneMatch"); needed {
		op.Errors = append(op.Errors, http.StatusPreconditionRequired)
	}
	for _, change := range more {
		change(&op)
	}
	e := describe(&op, in, out, r.doc.Components.Schemas)
	e.handler = handler
	r.doc.AddOperation(&op)
	r.mux.HandleFunc(op.Method+" "+op.Path, e.serve)
}

// binary is a body that is not JSON.
var binary = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}

// produces tells that the answer is of a media type other than JSON.
func produces(mediaType string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{mediaType: binary},
		}}
	}
}

// conflicts tells that a route that changes nothing can be impossible now.
func conflicts(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusConflict) }

// row returns the row of the table with an id. It panics if there is none: the tests register all
// groups.
func (r *registrar) row(id string) Route {
	for _, row := range r.rows {
		if row.ID == id {
			return row
		}
	}
	panic("admin: no route " + id)
}

// The security scheme of the OpenAPI document.
const bearer = "token"

// operation returns what the OpenAPI document says of a route, apart from its own parameters.
func operation(r Route) huma.Operation {
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary,
		Tags: []string{r.group.name}, Errors: errorsOf(r),
	}
	if r.Method == http.MethodPost && r.Changes {
		op.DefaultStatus = http.StatusOK
	}
	if r.Scope == Everybody {
		op.Description = "Needs no token."
		return op
	}
	op.Security = []map[string][]string{{bearer: {}}}
	op.Description = "Needs the role " + string(r.Role) + "."
	switch r.Scope {
	case Tenant:
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "tenant", In: "query",
			Description: "Whose things this is about. Without it the token's own. Only tokens of the operator may name another tenant.",
			Schema:      &huma.Schema{Type: "string"},
		})
	case Operator:
		op.Description += " Tokens of tenants are refused."
	case Relay, Everybody:
	}
	if r.Method == http.MethodPost {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header",
			Description: "A name of your own for this request, of at most 255 characters. A repeat under the same name within 24 h gets the same answer and changes nothing.",
			Schema:      &huma.Schema{Type: "string"},
		})
	}
	return op
}

// errorsOf returns the statuses of the errors that any request to a route can get.
func errorsOf(r Route) []int {
	if r.Scope == Everybody {
		return nil
	}
	codes := []int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusUnprocessableEntity, http.StatusServiceUnavailable,
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
	}
	if r.Changes {
		codes = append(codes, http.StatusConflict)
	}
	return codes
}

// Document returns the OpenAPI document of all routes. It takes a while: use the embedded one.
func Document() ([]byte, error) {
	r := newRegistrar(&server{}, http.NewServeMux(), Routes)
	seen := map[string]bool{}
	for _, route := range Routes {
		if !seen[route.group.name] {
			seen[route.group.name] = true
			route.group.register(r)
		}
	}
	doc := r.doc
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {
		Type: "http", Scheme: "bearer",
		Description: "A token of the relay: rly_<role>_…. The command relay tokens create makes one.",
	}}
	doc.Info.Description = "Operate a webhook relay: its sources, endpoints, subscriptions, events, deliveries and tenants."
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}
