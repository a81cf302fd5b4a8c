//go:build race

package relay_test

import "os"

// How many seeds run, and which calls fail. The race detector makes each about ten times as slow.
// With RELAY_TEST_LONG (make test-long) it is as much as is useful.
var (
	long            = os.Getenv("RELAY_TEST_LONG") != ""
	faultStep       = choose(29, 7)   // of TestFaultAtEveryCall: every 29th or seventh call
	randomScripts   = choose(40, 400) // of TestRandomScripts
	embeddedScripts = choose(1, 5)    // of TestRandomScriptsOnTheEmbeddedAdapter
)

func choose(short, all int) int {
	if long {
		return all
	}
	return short
}
