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

// TestLittleRunsBeforeAFunctionStarts: the allocations of a package's initialisation are the same in
// each run, and each cold start pays for them. A package that must prepare much does that when it is
// first needed.
func TestLittleRunsBeforeAFunctionStarts(t *testing.T) {
	t.Parallel()
	const mostOfOurs = 600
	most := map[string]int{
		"receive": 1000, "fanout": 1000, "sweep": 1000, "deliver": 1000, "admin": 3600,
	}
	dir := build(t, "receive", "fanout", "sweep", "deliver", "admin")
	for name, limit := range most {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name, "bootstrap"))
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
		if sum == 0 || sum > limit {
			t.Errorf("%s makes %d allocations before main, want at most %d", name, sum, limit)
		}
	}
}
