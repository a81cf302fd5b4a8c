package sqlite

import (
	"os"
	"syscall"
)

// dataSync makes a file's content durable. Unlike Sync it omits metadata that is not needed to read
// the file, such as its times.
func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
