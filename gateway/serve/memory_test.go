package serve

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheOperatorsBoundStays: what GOMEMLIMIT says comes first.
func TestTheOperatorsBoundStays(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 40))
	(&Gateway{}).BoundMemory()
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("it has become %d MiB", got>>20)
	}
}

// TestTheBoundFollows what is needed, up and down, until the gateway is closed.
func TestTheBoundFollows(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancel(t.Context())
		var needed atomic.Int64
		go follow(life, func() { debug.SetMemoryLimit(needed.Load()) })
		for _, n := range []int64{1 << 33, 1 << 35, 1 << 34} {
			needed.Store(n)
			time.Sleep(boundEvery)
			synctest.Wait()
			if got := debug.SetMemoryLimit(-1); got != n {
				t.Errorf("%d MiB are needed, and the bound is %d MiB", n>>20, got>>20)
			}
		}
		end()
		synctest.Wait()
		needed.Store(1 << 36)
		time.Sleep(boundEvery)
		if got := debug.SetMemoryLimit(-1); got != 1<<34 {
			t.Errorf("afterwards it is %d MiB", got>>20)
		}
	})
}

// TestASmallHeapIsLeftAlone: garbage beside a few megabytes is collected late where much is allocated, else, and beside many, as
// the runtime would.
func TestASmallHeapIsLeftAlone(t *testing.T) {
	for used, want := range map[uint64]int{0: 100, 1 << 20: 3200, 8 << 20: 400, 32 << 20: 100, 1 << 30: 100} {
		if got := garbageFor(used, garbageAtLeast); got != want {
			t.Errorf("beside %d MiB: %d %%, want %d", used>>20, got, want)
		}
		if got := garbageFor(used, garbageAtLeast-1); got != garbageUsual {
			t.Errorf("beside %d MiB, when little is allocated: %d %%", used>>20, got)
		}
	}
	runtime.GC()
	used, before := memoryNow()
	if used < 1<<18 || used > 1<<28 {
		t.Errorf("a test has %d bytes in use", used)
	}
	left := make([]byte, 1<<20)
	if _, after := memoryNow(); after-before < 1<<20 || after-before > 1<<24 {
		t.Errorf("%d bytes have been allocated where it was one MiB", after-before)
	}
	runtime.KeepAlive(left)
}

// TestTheOperatorsCollectorStays: what GOGC says comes first.
func TestTheOperatorsCollectorStays(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	(&Gateway{}).BoundMemory() // would need venues
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the bound has become %d MiB", got>>20)
	}
	if got := debug.SetGCPercent(70); got != 70 {
		t.Errorf("GOGC has become %d", got)
	}
}

// TestWhatIsNeeded: small for a town's one hotel, below its promise for ten thousand, and room for each connection.
func TestWhatIsNeeded(t *testing.T) {
	if got := memoryFor(1, 0) >> 20; got < 100 || got > 200 {
		t.Errorf("one venue: %d MiB", got)
	}
	if got := memoryFor(10_000, 0) >> 20; got < 250 || got > 320 {
		t.Errorf("ten thousand venues: %d MiB", got)
	}
	if got := memoryFor(0, 10_000) - memoryFor(0, 0); got < 10_000*(100<<10) {
		t.Errorf("ten thousand connections: %d MiB more", got>>20)
	}
}
