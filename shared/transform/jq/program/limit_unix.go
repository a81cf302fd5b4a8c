//go:build unix && !race

package program

import "syscall"

// maxData is the memory that the kernel gives a jq process. The parent kills it at half of that; so
// this is only met by a program that allocates faster than the parent looks.
const maxData = 256 << 20

// limitMemory asks the kernel for a limit. Where it has none, the parent's remains.
func limitMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: maxData, Max: maxData})
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
