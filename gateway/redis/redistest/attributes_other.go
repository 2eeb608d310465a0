//go:build !linux

package redistest

import "syscall"

// attributes are the usual ones.
func attributes() *syscall.SysProcAttr { return nil }
