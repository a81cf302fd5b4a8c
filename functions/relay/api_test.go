package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/lab/page"
)

// TestTheLocalHostServesTheAPI: with a token that the command made, also while the host runs.
func TestTheLocalHostServesTheAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	out, err := run(t, "token", "create", "--role=admin", "--name=me", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	call := func(method, path, body string, header ...string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(
			t.Context(), method, "http://"+addr+path, strings.NewReader(body),
		)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text), resp.Header
	}
	if status, body, _ := call("GET", "/v1/endpoints", ""); status != 401 {
		t.Errorf("without a token: %d %s", status, body)
	}
	auth := []string{"Authorization", "Bearer " + token}
	status, body, _ := call(
		"PUT", "/v1/endpoints/shop", `{"url":"http://localhost:1/hooks"}`,
		append(auth, "If-None-Match", "*")...,
	)
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 ||
		made.Secret == "" {
		t.Errorf("%d %s", status, body)
	}
	if out, err := run(t, "endpoints", "--data", dir); err != nil ||
		!strings.Contains(out, "\nshop  http://localhost:1/hooks  healthy\n") {
		t.Errorf("%v:\n%s", err, out)
	}
	if status, body, _ := call("GET", "/v1/health", ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := call("GET", "/v1", "", auth...); status != 404 {
		t.Errorf("/v1: %d", status)
	}
}

// TestPageOfTheAPI writes the table of routes into its page.
func TestPageOfTheAPI(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"route", "role", "what it does"}}
	for _, r := range admin.Routes {
		role := string(r.Role)
		switch r.Scope {
		case admin.Everybody:
			role = "none"
		case admin.Operator:
			role += ", of the operator"
		case admin.Tenant, admin.Relay:
		}
		rows = append(rows, []string{"`" + r.Method + " " + r.Path + "`", role, r.Summary})
	}
	page.Hold(t, "../../docs/api.md", "routes", page.Table(rows...))
}

// step is a command of the walk through the API.
var step = regexp.MustCompile("(?s)<!-- step:(\\w+) -->\n\n```sh\n(.*?)```")

// TestTheWalkThroughTheAPI runs the commands of docs/api.md: an endpoint fails and recovers, and
// the API shows it.
func TestTheWalkThroughTheAPI(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the walk of docs/api.md is curl commands, and this machine has no curl: install it")
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	for _, found := range step.FindAllStringSubmatch(string(text), -1) {
		steps[found[1]] = found[2]
	}
	var posts atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	out, err := run(t, "token", "create", "--role=admin", "--name=me", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	walk := func(name string) string {
		t.Helper()
		script := strings.ReplaceAll(steps[name], "http://localhost:3000", endpoint.URL)
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", //nolint:gosec // the page's commands
			`curl() { command curl -sS --fail-with-body "$@"; echo; }`+"\n"+script)
		cmd.Env = append(os.Environ(), "url=http://"+addr, "token="+token)
		answer, err := cmd.CombinedOutput()
		if err != nil || script == "" {
			t.Fatalf("%s: %v\n%s\n%s", name, err, script, answer)
		}
		return string(answer)
	}
	if got := walk("create"); strings.Count(got, "\"secret\":\"whsec_") != 1 {
		t.Errorf("create:\n%s", got)
	}
	if out, err := run(
		t, "send", "stripe", "--to", "http://"+addr+"/in/stripe",
		"--secret", "whsec_c3RyaXBlLXNpZ25pbmctc2VjcmV0",
	); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the story: %s", last)
		}
	}()
	eventually(t, "it is delivered by the second attempt", func() bool {
		script := `curl -sS "$url/v1/events/lookup?source=stripe&delivery=evt_1Demo0ChargeSucceeded01" -H "Authorization: Bearer $token"`
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = append(os.Environ(), "url=http://"+addr, "token="+token)
		answer, _ := cmd.CombinedOutput()
		last = string(answer)
		return strings.Contains(last, `"status":"delivered"`)
	})
	var story admin.EventStory
	if err := json.Unmarshal([]byte(walk("lookup")), &story); err != nil {
		t.Fatalf("%v\n%s", err, last)
	}
	if len(story.Deliveries) != 1 || len(story.Deliveries[0].Attempts) != 2 ||
		story.Deliveries[0].Attempts[0].StatusCode != 503 {
		t.Errorf("deliveries: %+v", story.Deliveries)
	}
	why := map[string]bool{}
	for _, s := range story.Subscriptions {
		why[s.Subscription] = s.Matched
		if s.Subscription == "large" && (s.Mismatch == nil || s.Mismatch.Field != "data.type") {
			t.Errorf("why large did not match: %+v", s.Mismatch)
		}
	}
	if !why["charges"] || why["large"] {
		t.Errorf("matched: %v", why)
	}
	if got := walk("ping"); !strings.Contains(got, `"state":"healthy"`) ||
		!strings.Contains(got, `"event":"evt_`) {
		t.Errorf("ping:\n%s", got)
	}
	if first, again := walk("rotate"), walk("rotate"); first != again ||
		!strings.Contains(first, `"retiring":[{`) {
		t.Errorf("rotate:\n%s%s", first, again)
	}
	if got := walk("tenant"); !strings.Contains(got, `"path":"/in/acme/billing"`) ||
		!strings.Contains(got, `"token":"rly_admin_`) {
		t.Errorf("tenant:\n%s", got)
	}
	if got := walk("publish"); !strings.Contains(got, `"id":"evt_`) ||
		!strings.Contains(got, `"action":"endpoints.rotate"`) {
		t.Errorf("publish:\n%s", got)
	}
}
