package serve

import (
	"runtime/debug"
	"runtime/metrics"
)

// What the heap may grow by while files are read, before it is swept: what a file's tree takes is garbage at once, and its
// venue stays.
const (
	manyFiles   = 500 // below, sweeping costs nothing
	roomAtOnce  = 96 << 20
	roomForEach = 16 << 10
)

// roomy lets the heap grow by a bounded amount while so many files are read at the start, and returns what ends that: to sweep
// a small heap that fills with venues for each few megabytes of trees would take as long as the reading. Not to be called
// twice at once.
func roomy(files int) (end func()) {
	used := inUse()
	room := used + roomAtOnce + int64(files)*roomForEach
	limit := debug.SetMemoryLimit(-1) // the operator's, by GOMEMLIMIT
	if files < manyFiles || used == 0 || room >= limit {
		return func() {}
	}
	debug.SetMemoryLimit(room)
	percent := debug.SetGCPercent(-1)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// inUse is the memory that the process has of the system, in bytes, as a memory limit counts it; 0: not known.
func inUse() int64 {
	all := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(all)
	for i := range all {
		if all[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
	}
	return int64(all[0].Value.Uint64() - all[1].Value.Uint64())
}
