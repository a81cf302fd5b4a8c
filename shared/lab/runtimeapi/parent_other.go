//go:build !linux

package runtimeapi

import "syscall"

// endsWithParent: other systems have no such order; a process that waits for its next event ends when the Runtime API's connection does.
func endsWithParent() *syscall.SysProcAttr { return nil }
