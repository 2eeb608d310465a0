//go:build !race

package worldtest

// slower is how many times as long as usual everything may take here.
const slower = 1
