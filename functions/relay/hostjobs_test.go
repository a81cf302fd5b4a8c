package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTheLocalHostRunsJobs: a job is planned and run through the API, in the background.
func TestTheLocalHostRunsJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	out, err := run(t, "tokens", "create", "--role=admin", "--name=me", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	type job struct {
		ID, State string
		Matches   int
	}
	call := func(method, path, body string) (j job) {
		t.Helper()
		req, err := http.NewRequestWithContext(
			t.Context(), method, "http://"+addr+path, strings.NewReader(body),
		)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %v\n%s", method, path, resp.StatusCode, err, text)
		}
		if err := json.Unmarshal(text, &j); err != nil {
			t.Fatal(err)
		}
		return j
	}
	j := call("POST", "/v1/jobs", `{"kind": "export", "filter": {"from": "-1h"}}`)
	if j.State != "planned" {
		t.Fatalf("%+v", j)
	}
	j = call("POST", "/v1/jobs/"+j.ID+"/run", "")
	for deadline := time.Now().Add(time.Minute); j.State != "done"; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", j)
		}
		time.Sleep(20 * time.Millisecond)
		j = call("GET", "/v1/jobs/"+j.ID, "")
	}
	call("GET", "/v1/stats?by=source", "")
	call("GET", "/v1/refused", "")
}
