package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSecretOfAHandshake lets Notion send its token in a window, shows it to the operator, applies
// the configuration again, and forgets the token.
func TestSecretOfAHandshake(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), writeFile(
		t, "relay.yaml",
		"sources:\n  - {name: pages, provider: notion}\n  - {name: open, provider: none}\n",
	)
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
		if out, err := run(t, append([]string{"secret", "--data", dir}, args...)...); err == nil ||
			!strings.Contains(textOf(err), want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
	succeeds := func(want string, args ...string) {
		t.Helper()
		if out, err := run(t, append([]string{"secret", "--data", dir}, args...)...); err != nil ||
			!strings.Contains(out, want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
	fails("no secret yet", "pages")
	fails("sends no secret in a handshake", "open", "--learn", "10m")
	fails("nobody", "nobody", "--learn", "10m")
	for _, window := range []string{"0", "-5m", "24h1s", "2d"} {
		fails("above 0, at most 24h", "pages", "--learn="+window)
	}
	fails("not a duration", "pages", "--learn=soon")
	if status := handOver("secret_of_a_stranger"); status != http.StatusUnauthorized {
		t.Errorf("a handshake without a window: %d, want 401", status)
	}
	fails("no secret yet", "pages")
	succeeds("accepting until "+time.Now().Format("2006-"), "pages", "--learn", "10m")
	fails(
		"no secret yet. It accepts one from its provider's handshake until",
		"pages",
	)
	fails("sends no secret in a handshake", "open")
	fails("nobody", "nobody")
	eventually(t, "the window is in force", func() bool {
		return handOver("secret_first_of_all") == http.StatusOK
	})
	if status := handOver("secret_second_of_all"); status/100 == 2 {
		t.Errorf("a second handshake: %d", status)
	}
	if _, err := run(t, "apply", file, "--data", dir); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "secret", "pages", "--data", dir); err != nil ||
		strings.TrimSpace(out) != "secret_first_of_all" {
		t.Errorf("%q, %v", out, err)
	}
	fails("--forget --learn 10m", "pages", "--learn", "10m")
	fails("--yes", "pages", "--forget")
	succeeds("forgotten", "pages", "--forget", "--yes")
	fails("relay secret pages --learn 10m", "pages")
	if status := handOver("secret_second_of_all"); status/100 == 2 {
		t.Errorf("a handshake after the secret was forgotten: %d", status)
	}
	succeeds("accepting until", "pages", "--forget", "--learn", "1h", "--yes")
}
