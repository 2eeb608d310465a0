//go:build race

package wire_test

// raced: under the race detector pools forget at random, and allocations say nothing.
const raced = true
