//go:build !race

package relay_test

// How many seeds are run.
const (
	randomScripts   = 4000 // of TestRandomScripts
	embeddedScripts = 24   // of TestRandomScriptsOnTheEmbeddedAdapter
)
