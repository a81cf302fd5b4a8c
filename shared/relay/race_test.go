//go:build race

package relay_test

import "os"

// How many seeds are run, and which calls fail. The race detector makes each some ten times as slow. With RELAY_TEST_LONG it
// is all that is worth its time: make test-long.
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
