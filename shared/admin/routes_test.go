package admin_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

// pathOf returns a route's path with a name for each parameter.
func pathOf(route admin.Route, name string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Path, name)
}

// TestStrangersAreRefused: every route but those for everybody wants a valid token, and says
// nothing about a wrong one.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	r, another := newRig(t), newRig(t)
	good := r.token(access.Admin, "")
	brief, made, err := r.tokens.Make(access.Token{
		Name: "brief", Role: access.Admin, ExpiresAt: r.clock.now().Add(time.Minute),
	})
	must(t, err)
	must(t, r.tokens.Save(t.Context(), brief, made))
	revoked := r.token(access.Admin, "")
	for _, token := range []string{brief, revoked} {
		r.send(request{method: "GET", path: "/v1/tokens", token: token}).wants(200, nil)
	}
	var list struct {
		Items []struct{ ID, LastUsedAt string }
	}
	r.send(request{method: "GET", path: "/v1/tokens", token: revoked}).wants(200, &list)
	for _, token := range list.Items {
		if token.LastUsedAt != "" && token.ID != made.ID {
			r.send(request{
				method: "DELETE", path: "/v1/tokens/" + token.ID, token: good,
			}).wants(204, nil)
		}
	}
	r.clock.add(time.Minute)
	var constant []byte
	for _, route := range admin.Routes {
		if route.Scope == admin.Everybody {
			continue
		}
		for name, header := range map[string]string{
			"no token":             "",
			"another scheme":       "Basic dXNlcjpwYXNz",
			"no scheme":            good,
			"a password":           "Bearer hunter2",
			"truncated":            "Bearer " + good[:len(good)-1],
			"longer":               "Bearer " + good + "x",
			"expired":              "Bearer " + brief,
			"of another relay":     "Bearer " + another.token(access.Admin, ""),
			"revoked a moment ago": "Bearer " + revoked,
			"of a higher role": "Bearer " + strings.Replace(
				r.token(access.Read, ""), "_read_", "_admin_", 1,
			),
		} {
			a := r.send(request{
				method: route.Method, path: pathOf(route, "x"),
				header: map[string]string{"Authorization": header},
			})
			if a.status != 401 || a.header.Get("www-authenticate") != "Bearer" {
				t.Errorf("%s with %s: status %d: %s", route.ID, name, a.status, a.body)
			}
			if constant == nil {
				constant = a.body
			}
			if !bytes.Equal(constant, a.body) {
				t.Errorf("%s with %s: another body: %s", route.ID, name, a.body)
			}
		}
	}
	a := r.send(request{method: "GET", path: "/v1/nothing"})
	if a.status != 401 || !bytes.Equal(constant, a.body) {
		t.Errorf("a path that there is not: %d %s", a.status, a.body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.observed {
		if o.Status == 401 && o.Err == nil || o.Err != nil &&
			strings.Contains(o.Err.Error(), good[12:]) {
			t.Errorf("observed: %+v", o)
		}
	}
}

func TestLowerRolesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, route := range admin.Routes {
		for _, role := range access.Roles {
			for _, tenant := range []string{"", "acme"} {
				if route.Scope == admin.Everybody || role.Includes(route.Role) &&
					(tenant == "" || route.Scope != admin.Operator) {
					continue
				}
				r.send(request{
					method: route.Method, path: pathOf(route, "x"), token: r.token(role, tenant),
				}).problem(403, "forbidden")
			}
		}
	}
}

func TestOtherTenantsAreNotFound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "acme")
	for _, route := range admin.Routes {
		if route.Scope != admin.Tenant {
			continue
		}
		path := pathOf(route, "x")
		var bodies []string
		for _, tenant := range []string{"other", "", "nobody", "a/b"} {
			a := r.send(request{
				method: route.Method, path: path + "?tenant=" + tenant, token: token,
			})
			p := a.problem(404, "not-found")
			bodies = append(bodies, strings.ReplaceAll(p.Detail, tenant, ""))
		}
		if bodies[0] != bodies[2] {
			t.Errorf("%s: one can tell that another tenant exists: %q", route.ID, bodies)
		}
		operator := r.token(access.Admin, "")
		r.send(request{
			method: route.Method, path: path + "?tenant=nobody", token: operator,
		}).problem(404, "not-found")
		r.send(request{
			method: route.Method, path: path + "?tenant=a/b", token: operator,
		}).problem(422, "invalid")
		r.send(request{
			method: route.Method, path: path + "?tenant=acme&tenant=other", token: operator,
		}).problem(422, "invalid")
	}
}

// TestEveryRouteIsInTheDocument: and nothing else is.
func TestEveryRouteIsInTheDocument(t *testing.T) {
	t.Parallel()
	s := theSpec()
	n := 0
	for _, route := range admin.Routes {
		op, ok := s.Paths[route.Path][strings.ToLower(route.Method)]
		if !ok || op.OperationID != route.ID {
			t.Errorf("%s %s: %q", route.Method, route.Path, op.OperationID)
		}
		for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(route.Path, -1) {
			if !slices.Contains(op.Parameters, parameter{Name: name[1], In: "path"}) {
				t.Errorf("%s: the document does not have the parameter %s", route.ID, name[1])
			}
		}
		if route.Changes && !route.Role.Includes(access.Operate) {
			t.Errorf("%s changes something, and needs the role %s only", route.ID, route.Role)
		}
		if !route.Changes && route.Method != "GET" && route.Method != "POST" {
			t.Errorf("%s is a %s and changes nothing", route.ID, route.Method)
		}
		if route.Changes && route.Method == "GET" {
			t.Errorf("%s is a GET and changes something", route.ID)
		}
	}
	for _, methods := range s.Paths {
		n += len(methods)
	}
	if n != len(admin.Routes) {
		t.Errorf("%d operations in the document, %d routes", n, len(admin.Routes))
	}
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	for _, path := range []string{
		"/v1/nothing", "/v1/tokens/", "/v1//tokens", "/v1/./tokens", "/v1", "/", "/v1/tokens/a/b",
	} {
		r.send(request{method: "GET", path: path, token: token}).problem(404, "not-found")
	}
	a := r.send(request{method: "PATCH", path: "/v1/tokens", token: token})
	a.problem(405, "method-not-allowed")
	if got := a.header.Get("allow"); got != "GET, POST" {
		t.Errorf("allow: %s", got)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var got struct{ Status string }
	r.send(request{method: "GET", path: "/v1/health"}).wants(200, &got)
	if got.Status != "ok" {
		t.Errorf("%+v", got)
	}
}

// TestBadBodies: what is wrong is said with its place.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	for name, tt := range map[string]struct {
		body   any
		status int
		kind   string
		where  string
	}{
		"no JSON":       {"{", 400, "bad-request", "/body"},
		"nothing":       {"", 400, "bad-request", ""},
		"another type":  {"[]", 422, "invalid", "/body"},
		"unknown field": {`{"name":"a","role":"read","rule":"x"}`, 422, "invalid", "/body/rule"},
		"missing field": {`{"role":"read"}`, 422, "invalid", "/body"},
		"another role":  {`{"name":"a","role":"root"}`, 422, "invalid", "/body/role"},
		"two things":    {`{"name":"","role":1}`, 422, "invalid", "/body/name /body/role"},
		"invalid time": {
			`{"name":"a","role":"read","expires":"soon"}`, 422, "invalid", "/body/expires",
		},
		"time in the past": {`{"name":"a","role":"read","expires":"-1h"}`, 422, "invalid", "/body"},
		"too many days": {
			`{"name":"a","role":"read","expires":"99999999d"}`, 422, "invalid", "/body/expires",
		},
		"blank name": {`{"name":" ","role":"read"}`, 422, "invalid", "/body"},
		"too large": {
			`{"name":"` + strings.Repeat("x", admin.MaxBodyBytes) + `"}`, 413, "too-large", "",
		},
	} {
		a := r.send(request{method: "POST", path: "/v1/tokens", token: token, body: tt.body})
		if a.status != tt.status {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
			continue
		}
		p := a.problem(tt.status, tt.kind)
		if pointers(p) != tt.where || p.RequestID == "" || p.Detail == "" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	for _, route := range admin.Routes {
		op := theSpec().Paths[route.Path][strings.ToLower(route.Method)]
		path := pathOf(route, "x")
		if route.Scope == admin.Everybody || route.Method != "GET" {
			continue
		}
		p := r.send(request{
			method: "GET", path: path + "?nonsense=1", token: token,
		}).problem(422, "invalid")
		if pointers(p) != "/query/nonsense" {
			t.Errorf("%s: %+v", route.ID, p)
		}
		for _, parameter := range op.Parameters {
			if parameter.Name != "limit" {
				continue
			}
			for _, limit := range []string{"0", "-1", "251", "1000000", "x", "1.5"} {
				p := r.send(request{
					method: "GET", path: path + "?limit=" + limit, token: token,
				}).problem(422, "invalid")
				if pointers(p) != "/query/limit" {
					t.Errorf("%s: limit %s: %+v", route.ID, limit, p)
				}
			}
		}
	}
}

// TestAProblemHasAllItsFields also shows them to the check of the document.
func TestAProblemHasAllItsFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.send(request{
		method: "POST", path: "/v1/tokens", token: r.token(access.Admin, ""), body: "{}",
	})
	var got map[string]any
	must(t, json.Unmarshal(a.body, &got))
	for _, field := range []string{"type", "title", "status", "detail", "errors", "requestId"} {
		if got[field] == nil {
			t.Errorf("no %s: %s", field, a.body)
		}
	}
	if got["requestId"] != a.header.Get("x-request-id") {
		t.Errorf("request id %s, header %s", got["requestId"], a.header.Get("x-request-id"))
	}
}
