//go:build !unix || race

package program

// limitMemory does nothing here: only the parent limits the process. The race detector reserves
// more memory than the limit.
func limitMemory() {}
