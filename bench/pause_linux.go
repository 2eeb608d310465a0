package main

import (
	"syscall"
	"time"
)

// pause stops the thread for d.
func pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // cut short by a signal: the next one catches up
}
