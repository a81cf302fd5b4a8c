//go:build !race

package relay_test

// How many seeds are run, and which calls fail.
const (
	faultStep       = 1    // of TestFaultAtEveryCall: every call
	randomScripts   = 4000 // of TestRandomScripts
	embeddedScripts = 24   // of TestRandomScriptsOnTheEmbeddedAdapter
)
