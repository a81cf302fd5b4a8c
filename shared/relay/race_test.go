//go:build race

package relay_test

import "os"

// How many seeds run, and which calls fail. The race detector makes each about ten times as slow.
// With RELAY_TEST_LONG (make test-long) it is as much as is useful.
var (
	long            = os.Getenv("RELAY_TEST_LONG") != ""
	faultStep       = choose(29, 15)  // of TestFaultAtEveryCall: every 29th or 15th call
	randomScripts   = choose(40, 150) // of TestRandomScripts
	embeddedScripts = choose(1, 3)    // of TestRandomScriptsOnTheEmbeddedAdapter
)

func choose(short, all int) int {
	if long {
		return all
	}
	return short
}
