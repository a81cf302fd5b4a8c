//go:build race

package relay_test

// How many seeds are run, and which calls fail. The race detector makes each some ten times as slow.
const (
	faultStep       = 7   // of TestFaultAtEveryCall: every seventh call
	randomScripts   = 400 // of TestRandomScripts
	embeddedScripts = 5   // of TestRandomScriptsOnTheEmbeddedAdapter
)
