package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestSecretOfAHandshake has Notion hand over its token, shows it to the operator, applies the configuration again, and forgets the token.
func TestSecretOfAHandshake(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), writeFile(t, "relay.yaml", "sources:\n  - {name: pages, provider: notion}\n  - {name: open, provider: none}\n")
	addr, _ := startLocal(t, "--data", dir, "--config", file)
	handOver := func(token string) int {
		t.Helper()
		resp, err := http.Post("http://"+addr+"/in/pages", "application/json", strings.NewReader(`{"verification_token":"`+token+`"}`)) //nolint:noctx // loopback
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if out, err := run(t, append([]string{"secret", "--data", dir}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
	fails("no secret yet", "pages")
	fails("hands over no secret", "open")
	fails(`no source "nobody"`, "nobody")
	if status := handOver("secret_first_of_all"); status/100 != 2 {
		t.Fatalf("handshake: %d", status)
	}
	if status := handOver("secret_second_of_all"); status/100 == 2 {
		t.Errorf("a second handshake: %d", status)
	}
	if _, err := run(t, "apply", file, "--data", dir); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "secret", "pages", "--data", dir); err != nil || strings.TrimSpace(out) != "secret_first_of_all" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(t, "secret", "pages", "--forget", "--data", dir); err != nil {
		t.Fatal(err)
	}
	fails("no secret yet", "pages")
}
