package serve

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestMemoryIsBoundedByTheVenues unless the operator has said what the process may take.
func TestMemoryIsBoundedByTheVenues(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	g := &Gateway{}
	g.current.Store(&Generation{venues: map[string]*venue{}})
	g.BoundMemory()
	if got := debug.SetMemoryLimit(-1); got != memoryOfAll {
		t.Errorf("no venue: %d MiB", got>>20)
	}
	debug.SetMemoryLimit(1 << 40)
	g.BoundMemory()
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("the operator's bound has become %d MiB", got>>20)
	}
	if got := memoryFor(10_000) >> 20; got < 250 || got > 350 {
		t.Errorf("ten thousand venues: %d MiB", got)
	}
}
