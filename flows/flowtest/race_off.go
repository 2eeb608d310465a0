//go:build !race

package flowtest

// slower is how many times as long as usual everything may take here.
const slower = 1
