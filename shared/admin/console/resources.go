package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// kind is a kind of resource: its word, and its place in the API and in the console.
type kind struct{ word, plural string }

var (
	sourceKind       = kind{word: "source", plural: "sources"}
	endpointKind     = kind{word: "endpoint", plural: "endpoints"}
	subscriptionKind = kind{word: "subscription", plural: "subscriptions"}

	kinds = []kind{sourceKind, endpointKind, subscriptionKind}
)

// register registers the pages that all kinds have.
func (k kind) register(mux *http.ServeMux) {
	one := "/" + k.plural + "/{name}"
	for pattern, page := range map[string]pageHandler{
		"GET " + one + "/json":    func(v *visit) error { return v.editJSON(k) },
		"POST " + one + "/json":   func(v *visit) error { return v.saveJSON(k) },
		"GET " + one + "/delete":  func(v *visit) error { return v.askDelete(k) },
		"POST " + one + "/delete": func(v *visit) error { return v.delete(k) },
	} {
		mux.Handle(pattern, page)
	}
}

// name is the name of the resource in the path.
func (v *visit) name() string { return v.r.PathValue("name") }

// document is a resource as JSON, with what the pages need of it whatever its kind.
type document struct {
	admin.Managed

	Spec json.RawMessage `json:"spec"`
}

// resource reads a resource.
func (v *visit) resource(k kind, name string) (document, error) {
	return get[document](v, client.Path("v1", k.plural, name), nil)
}

// put writes a resource: a new one, or in the place of the one with an ETag.
func (v *visit) put(k kind, name string, spec any, etag string) (client.Response, error) {
	condition := http.Header{"If-None-Match": {"*"}}
	if etag != "" {
		condition = http.Header{"If-Match": {etag}}
	}
	query := url.Values{}
	if v.r.PostFormValue("adopt") != "" {
		query.Set("adopt", "true")
	}
	return v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPut, Path: client.Path("v1", k.plural, name), Body: spec,
		Header: condition, Query: query,
	})
}

// create writes a new resource, by the name in the form, and shows it.
func (v *visit) create(k kind, spec map[string]any) (client.Response, string, error) {
	name := v.field("name", "")
	if name == "" {
		return client.Response{}, "", invalid("/name", "is empty")
	}
	answer, err := v.put(k, name, spec, "")
	var p *admin.Problem
	if errors.As(err, &p) && p.Status == http.StatusPreconditionFailed {
		err = invalid("/name", "there is a "+k.word+" with this name already")
	}
	return answer, name, err
}

// invalid is the problem of a field of a form.
func invalid(pointer, detail string) *admin.Problem {
	return &admin.Problem{
		Title: "The form is not valid", Status: http.StatusUnprocessableEntity,
		Errors: []admin.FieldError{{Pointer: pointer, Detail: detail}},
	}
}

// members returns a spec as a JSON object, whose numbers stay as they are.
func members(spec json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(spec))
	decoder.UseNumber()
	var all map[string]any
	err := decoder.Decode(&all)
	return all, err
}

// set sets a member, or removes it if the value is empty.
func set(spec map[string]any, name string, value any) {
	switch value {
	case "", nil:
		delete(spec, name)
	default:
		spec[name] = value
	}
}

// words divides a field at commas and line breaks.
func words(s string) []string {
	all := strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' })
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// editData is what the page shows on which a resource is edited as JSON.
type editData struct {
	kind kind
	name string
	doc  document
	text string
	etag string
}

func (v *visit) editJSON(k kind) error {
	doc, err := v.resource(k, v.name())
	if err != nil {
		return err
	}
	return v.ok(
		page{title: v.name(), nav: "/" + k.plural}, editPage(v, editData{
			kind: k, name: v.name(), doc: doc, text: v.field("spec", pretty(string(doc.Spec))),
			etag: v.field("etag", doc.ETag),
		}),
	)
}

func (v *visit) saveJSON(k kind) error {
	_, err := v.put(k, v.name(), []byte(v.field("spec", "")), v.field("etag", ""))
	if err != nil {
		return v.refused(err, func(v *visit) error { return v.editJSON(k) })
	}
	return v.done(v.at(k.plural, v.name()), "saved")
}

// deleteData is what is asked before a resource is deleted.
type deleteData struct {
	kind  kind
	name  string
	doc   document
	users []string // the subscriptions that name it
}

func (v *visit) askDelete(k kind) error {
	doc, err := v.resource(k, v.name())
	if err != nil {
		return err
	}
	d := deleteData{kind: k, name: v.name(), doc: doc}
	if k != subscriptionKind {
		d.users, err = v.usersOf(k, v.name())
	}
	if err != nil {
		return err
	}
	return v.ok(page{title: "Delete " + v.name(), nav: "/" + k.plural}, deletePage(v, d))
}

func (v *visit) delete(k kind) error {
	query := url.Values{}
	if v.r.PostFormValue("adopt") != "" {
		query.Set("adopt", "true")
	}
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", k.plural, v.name()), Query: query,
		Header: http.Header{"If-Match": {v.field("etag", "")}},
	})
	if err != nil {
		return v.refused(err, func(v *visit) error { return v.askDelete(k) })
	}
	return v.done(v.to("/"+k.plural), "deleted")
}

// maxSubscriptions bounds how many subscriptions are read to find those of a source or endpoint.
const maxSubscriptions = 1000

// subscriptions returns the subscriptions, at most maxSubscriptions.
func (v *visit) subscriptionsOf(k kind, name string) ([]admin.SubscriptionView, error) {
	var found []admin.SubscriptionView
	read := 0
	for p, err := range client.Pages[admin.SubscriptionView, admin.Scanned](
		v.r.Context(), v.api, "/v1/subscriptions", url.Values{"limit": {"250"}},
	) {
		if err != nil {
			return nil, err
		}
		for _, s := range p.Items {
			if k == sourceKind && s.Spec.Source == name ||
				k == endpointKind && s.Spec.Endpoint == name {
				found = append(found, s)
			}
		}
		if read += len(p.Items); read >= maxSubscriptions {
			break
		}
	}
	return found, nil
}

func (v *visit) usersOf(k kind, name string) ([]string, error) {
	found, err := v.subscriptionsOf(k, name)
	var names []string
	for _, s := range found {
		names = append(names, s.Spec.Name)
	}
	return names, err
}

// namesOf returns the names of the resources of a kind, at most 250, for a form.
func (v *visit) namesOf(k kind) ([]string, error) {
	found, err := get[admin.Page[struct {
		Spec struct{ Name string } `json:"spec"`
	}, admin.Scanned]](v, "/v1/"+k.plural, url.Values{"limit": {"250"}})
	var names []string
	for _, r := range found.Items {
		names = append(names, r.Spec.Name)
	}
	return names, err
}
