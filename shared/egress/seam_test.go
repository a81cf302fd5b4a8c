package egress_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"webhook-relay/shared/egress"
)

func TestOneAddressIsLetThrough(t *testing.T) {
	t.Parallel()
	refuse := func(string, string, syscall.RawConn) error { return egress.ErrGuard }
	for name, tt := range map[string]struct {
		exempt, address string
		want            error
	}{
		"none":                         {"", "127.0.0.1:80", egress.ErrGuard},
		"what is no address":           {"127.0.0.0/8", "127.0.0.1:80", egress.ErrGuard},
		"that one":                     {"127.0.0.1", "127.0.0.1:80", nil},
		"on any port":                  {"127.0.0.1", "127.0.0.1:9001", nil},
		"its neighbour is not":         {"127.0.0.1", "127.0.0.2:80", egress.ErrGuard},
		"its IPv4-mapped form neither": {"127.0.0.1", "[::ffff:127.0.0.1]:80", egress.ErrGuard},
		"nor a name":                   {"127.0.0.1", "localhost:80", egress.ErrGuard},
		"one of IPv6":                  {"::1", "[::1]:80", nil},
	} {
		if err := egress.Except(tt.exempt, refuse)(
			"tcp", tt.address, nil,
		); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// A deployed program has no exception to the guard: no build in the Makefile sets the variable, and
// only the linker could set it.
func TestDeployedBuildLetsNothingThrough(t *testing.T) {
	t.Parallel()
	if egress.LetThrough != "" {
		t.Errorf("an ordinary build lets %s through", egress.LetThrough)
	}
	for _, file := range []string{"Makefile", "cdk.json"} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"egress.", "-X "} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %q: it may set a variable at link time", file, word)
			}
		}
	}
	makefile, _ := os.ReadFile("../../Makefile") // read above
	if !strings.Contains(string(makefile), "build-lambda:") {
		t.Error(
			"the Makefile has no target build-lambda: what is deployed is built elsewhere, and not looked at here",
		)
	}
}
