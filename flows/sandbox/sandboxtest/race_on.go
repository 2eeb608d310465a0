//go:build race

package sandboxtest

// Race says that the race detector is on: times say nothing then.
const Race = true
