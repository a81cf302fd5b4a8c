package main

import (
	"strings"
	"testing"
)

// TestRotate gives an endpoint a second and a third secret. In between it applies the file, which
// names no secrets, again.
func TestRotate(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), writeFile(t, "relay.yaml",
		"endpoints:\n  - {name: shipping, url: 'https://shipping.example.com'}\n"+
			"  - {name: own, url: 'https://own.example.com', secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n")
	must := func(args ...string) string {
		t.Helper()
		out, err := run(t, append(args, "--data", dir)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	first := must("apply", file)
	second := must("rotate", "shipping")
	if n := strings.Count(second, "whsec_"); n != 1 ||
		!strings.Contains(second, "an old one also signs until 2") {
		t.Errorf("shows %d secrets:\n%s", n, second)
	}
	if _, made, _ := strings.Cut(second, "whsec_"); strings.Contains(first, made) {
		t.Error("the secret is the old one")
	}
	if out := must("apply", file); !strings.Contains(out, "nothing to change") {
		t.Errorf("applied after a rotation:\n%s", out)
	}
	if out := must(
		"rotate", "shipping", "--keep", "1h",
	); strings.Count(out, "an old one also signs until") != 2 {
		t.Errorf("after the third:\n%s", out)
	}
	if out := must(
		"rotate", "shipping", "--keep", "0s",
	); strings.Contains(out, "an old one also signs until") {
		t.Errorf("kept none:\n%s", out)
	}
	for want, args := range map[string][]string{
		"replace the secret there": {"own"}, "nobody": {"nobody"}, "is not a duration": {
			"shipping", "--keep=-1s",
		},
	} {
		if out, err := run(t, append([]string{"rotate", "--data", dir}, args...)...); err == nil ||
			!strings.Contains(textOf(err), want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
}
