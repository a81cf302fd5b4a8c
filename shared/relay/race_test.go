//go:build race

package relay_test

// How many seeds are run. The race detector makes each some ten times as slow.
const (
	randomScripts   = 400 // of TestRandomScripts
	embeddedScripts = 5   // of TestRandomScriptsOnTheEmbeddedAdapter
)
