//go:build !linux

package runtimeapi

import "syscall"

// endsWithParent returns nil, because other systems cannot do this. A process that waits for its
// next event ends when the connection to the Runtime API closes.
func endsWithParent() *syscall.SysProcAttr { return nil }
