package admin_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/trigger"
)

const shopFile = `
sources:
  - {name: github, provider: github, secrets: [env:GITHUB]}
endpoints:
  - {name: shop, url: https://shop.example.com/hooks}
subscriptions:
  - {source: github, endpoint: shop, types: [push]}
`

var yamlHeader = map[string]string{"Content-Type": "application/yaml"}

func (r *rig) apply(token, query string, file any, ifMatch string) answer {
	r.t.Helper()
	q := request{
		method: "POST", path: "/v1/apply" + query, token: token, body: file,
		header: map[string]string{},
	}
	if _, ok := file.(string); ok {
		q.header["Content-Type"] = "application/yaml"
	}
	if ifMatch != "" {
		q.header["If-Match"] = ifMatch
	}
	return r.send(q)
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	file := admin.File{File: shopFile, Variables: map[string]string{"GITHUB": "hush-hush"}}
	var p admin.Planned
	a := r.send(request{
		method: "POST", path: "/v1/plan?keep=2d&adopt=true", token: token, body: file,
		header: map[string]string{"Content-Type": "application/json"},
	}).wants(200, &p)
	want := []admin.PlannedChange{
		{Action: "add", Text: "source github"}, {Action: "add", Text: "endpoint shop"},
		{Action: "add", Text: "subscription github → shop"},
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" || p.Revision != 0 {
		t.Errorf("revision %d\n%s", p.Revision, diff)
	}
	if strings.Contains(string(a.body), "hush-hush") {
		t.Errorf("a secret: %s", a.body)
	}
	var done admin.Applied
	a = r.apply(token, "?keep=2d&adopt=true&remove=false&empty=false", file, a.header.Get("etag")).
		wants(200, &done)
	if done.Revision != 1 || a.header.Get("etag") != `"1"` || len(done.Secrets) != 1 ||
		done.Secrets[0].Endpoint != "shop" {
		t.Errorf("%+v", done)
	}
	// the same once more changes nothing
	r.apply(token, "", file, `"1"`).wants(200, &done)
	if done.Revision != 1 || len(done.Changes) != 0 || len(done.Secrets) != 0 {
		t.Errorf("%+v", done)
	}
	// a secret of its own retires the one that was made
	key := "whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	signed := `
sources:
  - {name: github, provider: github, secrets: [hush-hush]}
endpoints:
  - {name: shop, url: "http://shop.example.com:8443/hooks", secrets: [` + key + `]}
subscriptions:
  - {source: github, endpoint: shop, types: [push]}
`
	r.send(request{
		method: "POST", path: "/v1/plan", token: token, body: signed, header: yamlHeader,
	}).wants(200, &p)
	if len(p.Warnings) != 2 || len(p.PublicKeys) != 1 ||
		p.PublicKeys[0].Key != sign.PublicKey(key) {
		t.Errorf("%+v", p)
	}
	r.apply(token, "", signed, `"1"`).wants(200, &done)
	if done.Revision != 2 || len(done.Retiring) != 1 || done.Retiring[0].Endpoint != "shop" ||
		len(done.PublicKeys) != 1 {
		t.Errorf("%+v", done)
	}
	text := r.send(request{method: "GET", path: "/v1/export", token: token}).wants(200, nil)
	again, err := config.Parse("export", text.body, func(string) (string, bool) {
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true
	})
	if err != nil || len(again.Endpoints) != 1 || len(again.Sources) != 1 ||
		strings.Contains(string(text.body), "hush-hush") ||
		strings.Contains(string(text.body), key) {
		t.Errorf("%v: %s", err, text.body)
	}
}

// Nothing is removed, taken over or overwritten that the request does not say.
func TestWhatApplyRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Admin, "")
	file := strings.ReplaceAll(shopFile, "env:GITHUB", "hush-hush")
	r.apply(token, "", file, "").problem(428, "precondition-required")
	r.apply(token, "", file, `"3"`).problem(412, "precondition-failed")
	r.apply(token, "", file, `7`).problem(422, "invalid")
	r.apply(token, "", file, `"0"`).wants(200, nil)
	r.apply(token, "", file+"\n# changed", `"0"`).problem(412, "precondition-failed")
	r.put("/v1/endpoints/mine", token, map[string]any{"url": "https://a.example.com"})

	less := "sources:\n  - {name: github, provider: github, secrets: [hush-hush]}\n"
	p := r.apply(token, "", less, `"2"`).problem(409, "not-possible-now")
	if len(p.Errors) != 2 || !strings.Contains(p.Errors[0].Detail, "would be removed") {
		t.Errorf("%+v", p)
	}
	for _, empty := range []string{"# nothing", "sources: []"} {
		r.apply(token, "?remove=true", empty, `"2"`).problem(409, "not-possible-now")
	}
	taken := file + "  - {source: github, endpoint: mine}\n"
	taken = strings.Replace(
		taken, "subscriptions:", "  - {name: mine, url: https://b.example.com}\nsubscriptions:", 1,
	)
	if p := r.apply(token, "", taken, `"2"`).problem(409, "managed-elsewhere"); !strings.Contains(
		p.Detail, "mine",
	) {
		t.Errorf("%+v", p)
	}
	var done admin.Applied
	r.apply(token, "?adopt=true", taken, `"2"`).wants(200, &done)
	r.apply(token, "?remove=true&empty=true", "# nothing", `"3"`).wants(200, &done)
	if len(done.Changes) != 5 || done.Changes[0].Action != "remove" {
		t.Errorf("%+v", done.Changes)
	}
	r.send(request{method: "GET", path: "/v1/endpoints/mine", token: token}).
		problem(404, "not-found")
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	operator, tenant := r.token(access.Admin, ""), r.token(access.Admin, "acme")
	plan := func(token, kind string, body any) admin.Problem {
		t.Helper()
		a := r.send(request{
			method: "POST", path: "/v1/plan", token: token, body: body,
			header: map[string]string{"Content-Type": kind},
		})
		if a.status != 422 && a.status != 400 {
			t.Fatalf("%v: status %d: %s", body, a.status, a.body)
		}
		return a.problem(a.status, map[int]string{422: "invalid", 400: "bad-request"}[a.status])
	}
	for body, want := range map[string]string{
		"sources: 5":                          "/body/sources:1",
		"\nendpoints:\n  - {name: a, url: x}": "/body/endpoints/0/url:3",
		"a: b":                                "/body/a:1",
		"sources: [":                          "/body:0",
		shopFile:                              "/body/sources/0/secrets/0:3",
		"subscriptions:\n  - {source: none, endpoint: none}": "/body/subscriptions/0/source:2",
	} {
		p := plan(operator, "application/yaml", body)
		if got := p.Errors[0]; got.Pointer+":"+string(rune('0'+got.Line)) != want {
			t.Errorf("%s: %+v, want %s", body, got, want)
		}
	}
	for _, body := range []string{"", "x", `{"file": 5}`, `{"files": ""}`, `{"file": ""} 1`} {
		plan(operator, "application/json", body)
	}
	for body, pointer := range map[string]string{
		"endpoints:\n  - {name: a, url: https://a.example.com, auth: {bearer: 'aws-secretsmanager:x'}}": "/body/endpoints/a/auth",
		"sources:\n  - {name: a, provider: none, tenant: globex}":                                       "/body/sources/0/tenant",
		"sources:\n  - {name: a, provider: none}\nendpoints:\n  - {name: a, url: https://a.example.com}\n" +
			"subscriptions:\n  - {source: shop, endpoint: a}": "/body",
	} {
		if p := plan(tenant, "application/yaml", body); p.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v, want %s", body, p.Errors, pointer)
		}
	}
	r.send(request{
		method: "POST", path: "/v1/plan?keep=soon", token: operator, body: "a", header: yamlHeader,
	}).problem(422, "invalid")
}

// A tenant's file is its own.
func TestFilesOfTenants(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := strings.ReplaceAll(shopFile, "env:GITHUB", "hush-hush")
	r.apply(r.token(access.Admin, "acme"), "", file, `"0"`).wants(200, nil)
	for tenant, status := range map[string]int{"acme": 200, "other": 404, "": 404} {
		r.send(request{
			method: "GET", path: "/v1/sources/github", token: r.token(access.Read, tenant),
		}).wants(status, nil)
	}
	r.apply(r.token(access.Admin, ""), "?tenant=other", file, `"0"`).wants(200, nil)
	r.send(request{
		method: "GET", path: "/v1/sources/github", token: r.token(access.Read, "other"),
	}).wants(200, nil)
}

// TestOnlyWhatTheStackGrants: an endpoint with another ARN is refused before anything is written.
func TestOnlyWhatTheStackGrants(t *testing.T) {
	t.Parallel()
	const granted, other = "arn:aws:sqs:eu-central-1:123456789012:granted",
		"arn:aws:sqs:eu-central-1:123456789012:other"
	r := newRig(t, func(c *admin.Config) { c.Granted = []string{granted} })
	boss := r.token(access.Admin, "")
	file := func(arn string) string {
		return "endpoints: [{name: ok, url: https://a.example.com}, {name: q, url: '" + arn + "'}]"
	}
	p := r.apply(boss, "", file(other), `"0"`).problem(422, "invalid")
	if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, "setting send") {
		t.Errorf("%+v", p)
	}
	put := request{
		method: "PUT", path: "/v1/endpoints/q", token: boss, header: ifNone,
		body: map[string]any{"url": other},
	}
	p = r.send(put).problem(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/body/url" {
		t.Errorf("%+v", p)
	}
	if c, _, err := r.catalog.LoadCatalog(t.Context()); err != nil || len(c.Endpoints) != 0 {
		t.Errorf("something was written: %+v, %v", c, err)
	}
	put.body = map[string]any{"url": granted, "group": "{data.id}"}
	if made := r.send(put).wants(200, nil); strings.Contains(string(made.body), "whsec_") {
		t.Errorf("a secret that signs nothing is shown: %s", made.body)
	}
	local := newRig(t, func(c *admin.Config) { c.Local = true })
	put.token = local.token(access.Admin, "")
	local.send(put).wants(200, nil)
}

// TestOnlyTriggersOfTheStack: a source that needs a queue and has none is refused before anything
// is written.
func TestOnlyTriggersOfTheStack(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) {
		c.Triggers = map[string]string{"uploads": trigger.S3}
	})
	boss := r.token(access.Admin, "")
	p := r.apply(
		boss, "", "sources: [{name: uploads, provider: s3}, {name: x, provider: s3}]", `"0"`,
	).problem(422, "invalid")
	if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, "setting triggers") ||
		p.Errors[0].Pointer != "/body/sources/x/provider" {
		t.Errorf("%+v", p)
	}
	put := request{
		method: "PUT", path: "/v1/sources/x", token: boss, header: ifNone,
		body: map[string]any{"provider": "s3"},
	}
	p = r.send(put).problem(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/body/provider" {
		t.Errorf("%+v", p)
	}
	put.path = "/v1/sources/uploads"
	r.send(put).wants(200, nil)
	put.path, put.token = "/v1/sources/uploads", r.token(access.Admin, "acme")
	r.send(put).problem(422, "invalid")
}
