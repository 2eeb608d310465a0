package serve

import (
	"runtime/debug"
	"testing"
)

// tuning is how the collector is set.
func tuning() (percent int, limit int64) {
	percent = debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent, debug.SetMemoryLimit(-1)
}

// The heap has room while many files are read, as much as it is promised and no more, and afterwards what it had; where the
// operator allows less, nothing changes.
func TestRoomEndsWithTheReading(t *testing.T) {
	percent, limit := tuning()
	end := roomy(10_000)
	if p, l := tuning(); p != -1 || l < inUse() || l > inUse()+roomAtOnce+10_000*roomForEach {
		t.Errorf("while reading: %d %%, %d MiB with %d MiB in use", p, l>>20, inUse()>>20)
	}
	end()
	if p, l := tuning(); p != percent || l != limit {
		t.Errorf("afterwards: %d %%, %d bytes; before: %d %%, %d bytes", p, l, percent, limit)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(64 << 20))
	for _, files := range []int{10, 10_000} {
		end := roomy(files)
		if p, l := tuning(); p != percent || l != 64<<20 {
			t.Errorf("%d files under the operator's limit: %d %%, %d bytes", files, p, l)
		}
		end()
	}
}
