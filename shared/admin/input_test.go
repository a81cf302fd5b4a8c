package admin_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

// TestWhatIsWrongWithARequestIsNamed: each part of a request is checked by the type of its handler,
// and all that is wrong is told at once.
func TestWhatIsWrongWithARequestIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	long := strings.Repeat("x", 64)
	for name, test := range map[string]struct {
		method, path, mediaType, body string
		status                        int
		want                          string // the errors, or the detail if there is none
	}{
		"an unknown parameter": {
			path: "/v1/tokens?color=red", status: 422, want: "/query/color unknown query parameter",
		},
		"not a number": {
			path: "/v1/tokens?limit=many", status: 422, want: "/query/limit invalid integer",
		},
		"a number that is too small": {
			path: "/v1/tokens?limit=0", status: 422, want: "/query/limit expected number >= 1",
		},
		"neither true nor false": {
			method: "DELETE", path: "/v1/endpoints/a?adopt=yes", status: 422,
			want: "/query/adopt invalid boolean",
		},
		"a name that is too long": {
			path: "/v1/endpoints/" + long, status: 422, want: "/path/name expected length <= 63",
		},
		"one of a list is unknown": {
			path: "/v1/events?trust=verified,blind", status: 422,
			want: "/query/trust/1 expected value to be one of \"verified, authenticated, unverified\"",
		},
		"two parameters": {
			path: "/v1/jobs/" + long + long + "/files/0", status: 422,
			want: "/path/id expected length <= 100; /path/number expected number >= 1",
		},
		"required parameters are missing": {
			path: "/v1/events/lookup", status: 422,
			want: "/query/source required query parameter is missing; /query/delivery required query parameter is missing",
		},
		"no body": {
			method: "POST", path: "/v1/tokens", status: 400, want: "request body is required",
		},
		"not JSON": {
			method: "POST", path: "/v1/tokens", body: "{", status: 400,
			want: "/body unexpected end of JSON input",
		},
		"a kind of JSON": {
			method: "POST", path: "/v1/tokens", body: "5", mediaType: "application/x+json; a=b",
			status: 422, want: "/body expected object",
		},
		"missing and unknown keys": {
			method: "POST", path: "/v1/tokens", body: `{"role": "read", "colour": 1}`, status: 422,
			want: "/body expected required property name to be present; /body/colour unexpected property",
		},
		"wrong types and values": {
			method: "POST", path: "/v1/tokens", body: `{"name": 5, "role": "king"}`, status: 422,
			want: "/body/name expected string; /body/role expected value to be one of \"read, operate, admin\"",
		},
		"a parameter and the body": {
			method: "POST", path: "/v1/listeners/" + long + long + "/events",
			body: `{"events": []}`, status: 422,
			want: "/path/id expected length <= 100; /body/events expected array length >= 1",
		},
	} {
		q := request{method: http.MethodGet, path: test.path, token: token}
		if test.method != "" {
			q.method = test.method
		}
		if test.body != "" {
			q.body = test.body
		}
		if test.mediaType != "" {
			q.header = map[string]string{"Content-Type": test.mediaType}
		}
		a := r.send(q)
		var p admin.Problem
		must(t, json.Unmarshal(a.body, &p))
		var wrong []string
		for _, e := range p.Errors {
			wrong = append(wrong, e.Pointer+" "+e.Detail)
		}
		if got := cmp.Or(strings.Join(wrong, "; "), p.Detail); got != test.want ||
			a.status != test.status {
			t.Errorf("%s: %d %s\nwant %d %s", name, a.status, got, test.status, test.want)
		}
	}
}

func TestABodyOfAnotherMediaTypeIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.raw(request{
		method: "POST", path: "/v1/tokens", token: r.token(access.Admin, ""), body: "x",
		header: map[string]string{"Content-Type": "application/yaml"},
	}).problem(415, "unsupported-media-type")
	if len(p.Errors) != 1 || p.Errors[0].Detail != "unknown content type: application/yaml" {
		t.Error(p)
	}
}
