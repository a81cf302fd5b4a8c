package sqlite

import (
	"os"
	"syscall"
)

// dataSync makes a file's content durable. Unlike Sync it leaves out what is not needed to read it,
// such as its times.
func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
