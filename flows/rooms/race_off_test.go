//go:build !race

package rooms_test

// raced: under the race detector pools forget at random, and allocations say nothing.
const raced = false
