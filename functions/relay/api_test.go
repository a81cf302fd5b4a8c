package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
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
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 || made.Secret == "" {
		t.Errorf("%d %s", status, body)
	}
	if out, err := run(t, "endpoints", "--data", dir); err != nil || !strings.HasPrefix(out, "shop ") {
		t.Errorf("%v:\n%s", err, out)
	}
	if status, body, _ := call("GET", "/v1/health", ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := call("GET", "/v1", "", auth...); status != 404 {
		t.Errorf("/v1: %d", status)
	}
}
