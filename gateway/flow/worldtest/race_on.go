//go:build race

package worldtest

// slower is how many times as long as usual everything may take here: the race detector makes all of it slower.
const slower = 3
