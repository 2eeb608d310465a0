//go:build !linux

package main

import "time"

// pause stops the goroutine for d.
func pause(d time.Duration) { time.Sleep(d) }

// giveWay does nothing: there is no priority that this process alone could have.
func giveWay() {}
