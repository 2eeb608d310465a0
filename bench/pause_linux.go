package main

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

// politeness is how much nicer a process becomes that gives way: twice, and it is at the end of the scale.
const politeness = 9

// giveWay lets this process, with its load generator and its twins, have a processor only where the gateway leaves one, as far
// as that can be had: it would not be on the gateway's machine. What starts later gives way as well.
func giveWay() {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	threads, other := os.ReadDir("/proc/self/task") // Linux has a priority for each thread; new ones take their maker's
	if err != nil || other != nil {
		return
	}
	nice := 20 - raw // as the system call returns it
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, min(nice+politeness, 19))
		}
	}
}

// pause stops the thread for d.
func pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // cut short by a signal: the next one catches up
}
