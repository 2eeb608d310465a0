package parking

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestInTurn: so many are at work at once and no more, each has its turn, and one that panics gives its place back.
func TestInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := inTurn(2)
		var now, peak, done atomic.Int32
		func() {
			defer func() { _ = recover() }()
			turn(func() { panic("a signature") })
		}()
		var all sync.WaitGroup
		for range 9 {
			all.Go(func() {
				turn(func() {
					n := now.Add(1)
					for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
					}
					time.Sleep(time.Second)
					now.Add(-1)
					done.Add(1)
				})
			})
		}
		all.Wait()
		if peak.Load() != 2 || done.Load() != 9 {
			t.Errorf("%d at once and %d done, want 2 and 9", peak.Load(), done.Load())
		}
	})
}
