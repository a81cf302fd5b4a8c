package admin_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"webhook-relay/shared/admin"
)

// The OpenAPI document, as far as the tests read it.
type (
	document struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]*schema }
	}
	operation struct {
		OperationID string
		Parameters  []parameter
		RequestBody *struct{ Content map[string]content }
		Responses   map[string]struct {
			Content map[string]content
			Headers map[string]any
		}
	}
	parameter struct{ Name, In string }
	content   struct{ Schema *schema }
	schema    struct {
		Ref                  string `json:"$ref"`
		Type                 any
		Properties           map[string]*schema
		AdditionalProperties any
		Items                *schema
		Required             []string
	}
)

// spec is the document, and what the tests have seen of it.
type spec struct {
	document

	mu   sync.Mutex
	seen map[string]bool
}

var theSpec = sync.OnceValue(func() *spec {
	text, err := admin.Document()
	if err != nil {
		panic(err)
	}
	s := &spec{seen: map[string]bool{}}
	if err := json.Unmarshal(text, &s.document); err != nil {
		panic(err)
	}
	return s
})

func (s *spec) see(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[fmt.Sprintf(format, args...)] = true
}

// find returns the operation of a request, and its route.
func (s *spec) find(method, path string) (*operation, admin.Route, bool) {
	mux := http.NewServeMux()
	for _, r := range admin.Routes {
		mux.Handle(r.Method+" "+r.Path, http.NotFoundHandler())
	}
	u, err := url.Parse(path)
	if err != nil {
		return nil, admin.Route{}, false
	}
	_, pattern := mux.Handler(&http.Request{Method: method, URL: u})
	for _, r := range admin.Routes {
		if r.Method+" "+r.Path == pattern {
			op, ok := s.Paths[r.Path][strings.ToLower(r.Method)]
			return &op, r, ok
		}
	}
	return nil, admin.Route{}, false
}

// deref follows a reference.
func (s *spec) deref(x *schema) *schema {
	for x != nil && x.Ref != "" {
		x = s.Components.Schemas[strings.TrimPrefix(x.Ref, "#/components/schemas/")]
	}
	return x
}

// walk calls leaf for each field of a schema, by its path.
func (s *spec) walk(x *schema, path string, depth int, leaf func(path string)) {
	if x = s.deref(x); x == nil || depth > 12 {
		return
	}
	for name, p := range x.Properties {
		leaf(path + "." + name)
		s.walk(p, path+"."+name, depth+1, leaf)
	}
	if x.Items != nil {
		s.walk(x.Items, path+"[]", depth+1, leaf)
	}
}

// match notes the fields of a value, and returns those that the schema does not have.
func (s *spec) match(x *schema, v any, path string, leaf func(path string)) (unknown []string) {
	x = s.deref(x)
	switch v := v.(type) {
	case map[string]any:
		if x == nil || len(x.Properties) == 0 { // any JSON
			return nil
		}
		for _, name := range x.Required {
			if _, ok := v[name]; !ok {
				unknown = append(unknown, path+"."+name+" (missing)")
			}
		}
		for name, field := range v {
			p, ok := x.Properties[name]
			if !ok {
				unknown = append(unknown, path+"."+name)
				continue
			}
			leaf(path + "." + name)
			unknown = append(unknown, s.match(p, field, path+"."+name, leaf)...)
		}
	case []any:
		for _, e := range v {
			if x != nil {
				unknown = append(unknown, s.match(x.Items, e, path+"[]", leaf)...)
			}
		}
	}
	return unknown
}

// check checks what is true of every answer: it is one that the OpenAPI document describes, it has
// the headers of every answer, and it is in the audit log if it changed something. It notes which
// parameters and fields have been seen.
func (r *rig) check(q request, a answer, audited int) {
	r.t.Helper()
	for name, want := range map[string]string{
		"cache-control": "no-store", "x-content-type-options": "nosniff",
	} {
		if a.header.Get(name) != want {
			r.t.Errorf("%s %s: header %s: %q", q.method, q.path, name, a.header.Get(name))
		}
	}
	if a.header.Get("x-request-id") == "" {
		r.t.Errorf("%s %s: no request id", q.method, q.path)
	}
	s := theSpec()
	op, route, ok := s.find(q.method, q.path)
	if !ok {
		if a.status < 400 {
			r.t.Errorf(
				"%s %s: status %d, and the document does not have it", q.method, q.path, a.status,
			)
		}
		return
	}
	done := a.status < 300 && a.header.Get("idempotency-replayed") == ""
	if want := route.Changes && done; want != (audited == 1) && a.status < 400 {
		r.t.Errorf("%s %s: %d entries in the audit log", q.method, q.path, audited)
	}
	described, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok {
		r.t.Errorf("%s %s: the document does not have the status %d", q.method, q.path, a.status)
	}
	kind := strings.Split(a.header.Get("content-type"), ";")[0]
	media, ok := described.Content[kind]
	if !ok && len(a.body) > 0 {
		r.t.Errorf(
			"%s %s: status %d: the document does not have %s", q.method, q.path, a.status, kind,
		)
	}
	for name := range a.header {
		s.see("%s %d header %s", route.ID, a.status, strings.ToLower(name))
	}
	var v any
	if strings.HasSuffix(kind, "json") && json.Unmarshal(a.body, &v) == nil {
		if unknown := s.match(media.Schema, v, "", func(path string) {
			s.see("%s %d %s", route.ID, a.status, path)
		}); len(unknown) > 0 {
			r.t.Errorf("%s %s: the document does not have the fields %v", q.method, q.path, unknown)
		}
	}
	if done {
		s.seeParameters(route, op, q)
	}
}

// seeParameters notes the parameters of a request that was answered well.
func (s *spec) seeParameters(route admin.Route, op *operation, q request) {
	u, _ := url.Parse(q.path)
	for name := range u.Query() {
		s.see("%s query %s", route.ID, name)
	}
	for name := range q.header {
		s.see("%s header %s", route.ID, strings.ToLower(name))
	}
	if op.RequestBody == nil || q.body == nil {
		return
	}
	text, ok := q.body.(string)
	if !ok {
		b, _ := json.Marshal(q.body)
		text = string(b)
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil && q.header["Content-Type"] != "application/yaml" {
		s.match(op.RequestBody.Content["application/json"].Schema, v, "", func(path string) {
			s.see("%s body %s", route.ID, path)
		})
	}
}

// elsewhere are what no test can see at every route, and why.
var elsewhere = []struct{ form, why string }{
	{
		` (query tenant|header idempotency-key)$`,
		"the same code reads it for all routes; TestOtherTenantsAreNotFound, TestARepeatedRequestIsRunOnce",
	},
	{
		`\.list 200 \.items\[\]\.(retiring|spec\.(secrets|headers|auth|settings|tls\.key|role|external_id))`,
		"a list opens no secrets",
	},
	{
		`\.auth\.hmac\.timestamp_json$`,
		"an endpoint cannot sign a time of the body; the type is shared with sources",
	},
}

func isElsewhere(what string) bool {
	return slices.ContainsFunc(elsewhere, func(e struct{ form, why string }) bool {
		return regexp.MustCompile(e.form).MatchString(what)
	})
}

// unseen returns what the document promises and no test has seen.
func (s *spec) unseen() []string {
	missing := map[string]bool{}
	want := func(format string, args ...any) {
		if what := fmt.Sprintf(format, args...); !s.seen[what] && !isElsewhere(what) {
			missing[what] = true
		}
	}
	for _, route := range admin.Routes {
		op := s.Paths[route.Path][strings.ToLower(route.Method)]
		for _, p := range op.Parameters {
			if p.In != "path" {
				want("%s %s %s", route.ID, p.In, header(p))
			}
		}
		if op.RequestBody != nil {
			s.walk(op.RequestBody.Content["application/json"].Schema, "", 0, func(path string) {
				want("%s body %s", route.ID, path)
			})
		}
		for status, r := range op.Responses {
			if status >= "300" { // the fields of problems are tested once for all
				continue
			}
			for name := range r.Headers {
				want("%s %s header %s", route.ID, status, strings.ToLower(name))
			}
			s.walk(r.Content["application/json"].Schema, "", 0, func(path string) {
				want("%s %s %s", route.ID, status, path)
			})
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

func header(p parameter) string {
	if p.In == "header" {
		return strings.ToLower(p.Name)
	}
	return p.Name
}

// TestMain runs the tests, and then checks that they have seen every parameter and every field of
// an answer that the OpenAPI document promises.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	filter := flag.Lookup("test.run").Value.String() + flag.Lookup("test.skip").Value.String() +
		flag.Lookup("test.fuzz").Value.String() + flag.Lookup("test.list").Value.String()
	if code == 0 && filter == "" && !*update {
		if missing := theSpec().unseen(); len(missing) > 0 {
			fmt.Fprintf(os.Stderr, "the OpenAPI document promises what no test has seen:\n  %s\n",
				strings.Join(missing, "\n  "))
			code = 1
		}
	}
	os.Exit(code)
}
