package runtimeapi

import "syscall"

// endsWithParent has the kernel kill the process when the thread that started it ends: no function outlives a test that was killed.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
