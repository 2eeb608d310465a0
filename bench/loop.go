package main

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// openLoop begins n pieces of work at a fixed rate, whatever becomes of those before. Each is told when it was meant to
// begin: its latency counts from there. It returns when all have ended.
func openLoop(ctx context.Context, n int, rate float64, work func(i int, intended time.Time)) error {
	runtime.LockOSThread() // a thread's own sleep wakes up within 0.1 ms, the runtime's timers within 1 ms
	defer runtime.UnlockOSThread()
	var all sync.WaitGroup
	defer all.Wait()
	first := time.Now().Add(time.Millisecond)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		intended := first.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		pause(time.Until(intended))
		all.Go(func() { work(i, intended) })
	}
	return nil
}

// closedLoop keeps so many workers busy for so long; each piece of work is told its number.
func closedLoop(ctx context.Context, workers int, d time.Duration, work func(i int)) {
	var mu sync.Mutex
	next := 0
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for range workers {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				work(i)
			}
		})
	}
	all.Wait()
}
