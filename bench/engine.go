package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// provesEngine runs the engine's own benchmark and reads its figures.
func provesEngine(r *run) error {
	test := exec.CommandContext( //nolint:gosec // a number is all that varies
		r.ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkPlan", "-benchmem", "-count", strconv.Itoa(r.n),
		"github.com/warmgate/warmgate/gateway/journey")
	text, err := test.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run the engine's benchmark: %w\n%s", err, text)
	}
	line := regexp.MustCompile(`(?m)^(Benchmark\S+)\s+\d+\s+([0-9.]+) ns/op.*?\s([0-9.]+) allocs/op`)
	times, allocs := map[string][]float64{}, map[string][]float64{}
	var names []string
	for _, found := range line.FindAllStringSubmatch(string(text), -1) {
		ns, _ := strconv.ParseFloat(found[2], 64) // the pattern admits numbers alone
		n, _ := strconv.ParseFloat(found[3], 64)
		if times[found[1]] == nil {
			names = append(names, found[1])
		}
		times[found[1]], allocs[found[1]] = append(times[found[1]], ns/1000), append(allocs[found[1]], n)
	}
	if len(names) == 0 {
		return fmt.Errorf("the engine's benchmark has printed no figures:\n%s", text)
	}
	for _, name := range names {
		r.report.atMost(name+", median time", "µs", median(times[name]), 8, 4)
		r.report.atMost(name+", median allocations", "", median(allocs[name]), 25, 1)
	}
	return nil
}
