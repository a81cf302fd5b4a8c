package invoke_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// initLine is a line of GODEBUG=inittrace=1: a package, and what its initialisation allocated.
var initLine = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, (\d+) allocs$`)

// TestFunctionsAreLight: each cold start loads a function's binary, and runs the initialisation of
// its packages, whose allocations are the same in each run. A package that must prepare much does
// that when it is first needed. A function is a tenth smaller for arm64, for which it is deployed:
// admin has 12.5 MB there at most.
func TestFunctionsAreLight(t *testing.T) {
	t.Parallel()
	const mostOfOurs = 600
	most := map[string]struct {
		allocs int
		bytes  int64
	}{
		"receive": {1000, 9_500_000}, "fanout": {1000, 9_000_000}, "sweep": {1000, 9_100_000},
		"deliver": {1000, 10_800_000}, "admin": {3600, 13_750_000},
	}
	dir := build(t, "receive", "fanout", "sweep", "deliver", "admin")
	for name, limit := range most {
		binary := filepath.Join(dir, name, "bootstrap")
		info, err := os.Stat(binary)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit.bytes {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), limit.bytes)
		}
		cmd := exec.CommandContext(t.Context(), binary)
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput()
		if err == nil { // without its settings it ends at once
			t.Fatalf("%s ran without settings", name)
		}
		sum := 0
		for _, found := range initLine.FindAllStringSubmatch(string(out), -1) {
			allocs, err := strconv.Atoi(found[3])
			if err != nil {
				t.Fatal(err)
			}
			sum += allocs
			if strings.HasPrefix(found[1], "webhook-relay/") && allocs > mostOfOurs {
				t.Errorf("%s: %s makes %d allocations at its start", name, found[1], allocs)
			}
		}
		if sum == 0 || sum > limit.allocs {
			t.Errorf("%s makes %d allocations before main, want at most %d", name, sum, limit.allocs)
		}
	}
}
