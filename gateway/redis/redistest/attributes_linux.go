package redistest

import "syscall"

// attributes let the kernel kill a server whose test has died.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
