//go:build race

package octo_test

// raced: under the race detector pools forget at random, and allocations say nothing.
const raced = true
