//go:build unix && !linux

package supervise

import "syscall"

// attributes put a child into a process group of its own, so that a terminal's Ctrl-C reaches its supervisor alone, which
// stops the children in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
