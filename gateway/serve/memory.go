package serve

import (
	"math"
	"runtime/debug"
)

// What the process is to stay below: an amount for everything that has a bound of its own, and what a venue takes, twice.
const (
	memoryOfAll   = 160 << 20
	memoryOfVenue = 15 << 10
)

// BoundMemory has garbage collected sooner as the process comes near to what the caches and as many venues as there are now
// may need: without it, full caches would take as much again in garbage. Where the operator says what it may need, by
// GOMEMLIMIT, nothing changes. It concerns the whole process: to be called by who has it for one gateway alone.
func (g *Gateway) BoundMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryFor(len(g.current.Load().venues)))
	}
}

// memoryFor is the bound for so many venues, in bytes.
func memoryFor(venues int) int64 { return memoryOfAll + int64(venues)*memoryOfVenue }
