//go:build !linux

package main

import "time"

// pause stops the goroutine for d.
func pause(d time.Duration) { time.Sleep(d) }
