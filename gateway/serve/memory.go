package serve

import (
	"context"
	"math"
	"runtime/debug"
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

// BoundMemory has garbage collected sooner as the process comes near to what the caches and as many venues and open
// connections as there are may need: without it, full caches would take as much again in garbage. The bound follows them
// until Close. Where the operator says what it may need, by GOMEMLIMIT, nothing changes. It concerns the whole process: to
// be called once, by who has it for one gateway alone.
func (g *Gateway) BoundMemory() {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	need := func() int64 {
		return memoryFor(len(g.current.Load().venues), g.edge.Front().Stats().Open())
	}
	debug.SetMemoryLimit(need())
	g.behind.Go(func() { follow(g.life, need) })
}

// follow keeps the bound at what is needed.
func follow(life context.Context, need func() int64) {
	tick := time.NewTicker(boundEvery)
	defer tick.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-tick.C:
			debug.SetMemoryLimit(need())
		}
	}
}

// memoryFor is the bound for so many venues and connections, in bytes.
func memoryFor(venues int, connections int64) int64 {
	return memoryOfAll + int64(venues)*memoryOfVenue + connections*memoryOfConnection
}
