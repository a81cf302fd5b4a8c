package runtimeapi

import "syscall"

// endsWithParent lets the kernel kill the process when the thread that started it ends, so that no
// function outlives a killed test.
func endsWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
