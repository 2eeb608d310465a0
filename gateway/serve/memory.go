package serve

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What the process is to stay below: an amount for everything that has a bound of its own, and what a venue and an open
// connection take, twice. A bound below what is in use would have the collector run all the time.
const (
	memoryOfAll        = 144 << 20
	memoryOfVenue      = 15 << 10
	memoryOfConnection = 160 << 10
	boundEvery         = time.Second // is the bound made anew
)

// A small heap would be collected many times a second, for the few megabytes that requests leave, and each time the stacks
// of the goroutines that make calls shrink, to grow again. While requests leave as much within boundEvery, garbageAtLeast may
// lie about before it is collected, in bytes.
const garbageAtLeast = 32 << 20

// garbageUsual is the runtime's own: as much as is in use, in percent.
const garbageUsual = 100

// BoundMemory has garbage collected sooner as the process comes near to what the caches and as many venues and open
// connections as there are may need: without it, full caches would take as much again in garbage. The bound follows them
// until Close. Below it, a small heap is collected less often than the runtime would, while there is much to collect. Where
// the operator says what it may need, by GOMEMLIMIT or GOGC, nothing changes. It concerns the whole process: to be called
// once, by who has it for one gateway alone.
func (g *Gateway) BoundMemory() {
	percent := debug.SetGCPercent(garbageUsual)
	if percent != garbageUsual || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		debug.SetGCPercent(percent)
		return
	}
	need := func() int64 {
		return memoryFor(len(g.current.Load().venues), g.edge.Front().Stats().Open())
	}
	before := uint64(math.MaxUint64)
	bound := func() {
		used, allocated := memoryNow()
		debug.SetMemoryLimit(need())
		debug.SetGCPercent(garbageFor(used, allocated-min(before, allocated)))
		before = allocated
	}
	bound()
	g.behind.Go(func() { follow(g.life, bound) })
}

// follow bounds the memory by what is needed then.
func follow(life context.Context, bound func()) {
	tick := time.NewTicker(boundEvery)
	defer tick.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-tick.C:
			bound()
		}
	}
}

// garbageFor is how much may lie about beside so many bytes in use, while so many are allocated within boundEvery: in percent
// of those in use.
func garbageFor(used, allocated uint64) int {
	if used == 0 || allocated < garbageAtLeast {
		return garbageUsual
	}
	return int(max(garbageUsual, garbageAtLeast*100/used))
}

// memoryNow is what the collector counts garbage against, as it was when it last ran (what lives in the heap, the stacks and the
// globals), and what has been allocated since the process began, in bytes. 0: not known.
func memoryNow() (used, allocated uint64) {
	all := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(all)
	for i := range all {
		if all[i].Value.Kind() != metrics.KindUint64 {
			return 0, 0
		}
	}
	for i := range all[1:] {
		used += all[1+i].Value.Uint64()
	}
	return used, all[0].Value.Uint64()
}

// memoryFor is the bound for so many venues and connections, in bytes.
func memoryFor(venues int, connections int64) int64 {
	return memoryOfAll + int64(venues)*memoryOfVenue + connections*memoryOfConnection
}
