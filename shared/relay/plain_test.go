//go:build !race

package relay_test

import "os"

// How many seeds run, and which calls fail. With RELAY_TEST_LONG (make test-long) it is as much as
// is useful.
var (
	long            = os.Getenv("RELAY_TEST_LONG") != ""
	faultStep       = choose(9, 1)      // of TestFaultAtEveryCall: every ninth call, or every call
	randomScripts   = choose(400, 4000) // of TestRandomScripts
	embeddedScripts = choose(3, 24)     // of TestRandomScriptsOnTheEmbeddedAdapter
)

func choose(short, all int) int {
	if long {
		return all
	}
	return short
}
