//go:build !unix

package program

// limitMemory does nothing here: only the parent limits the process.
func limitMemory() {}
