package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// provesEngine runs the engine's own benchmark and reads its figures.
func provesEngine(r *run) error {
	all, err := benchmarks(r.ctx, "gateway/journey", "^BenchmarkPlan", r.n)
	if err != nil {
		return err
	}
	for _, b := range all {
		r.report.atMost(b.name+", median time", "µs", median(b.micros), 8, 4)
		r.report.atMost(b.name+", median allocations", "", median(b.allocs), 25, 1)
	}
	return nil
}

// benchRooms runs a benchmark of each room alone.
func benchRooms(r *run) error {
	t := table{title: "Each room alone", note: "By `go test -bench` in its package: one processor, nothing beside it. Medians of three.",
		columns: []string{"", "benchmark", "µs", "allocations"}}
	for _, room := range []struct{ name, path, pattern string }{
		{"edge", "gateway/edge", "^BenchmarkHandle$"},
		{"auth", "gateway/auth", "^BenchmarkVerifyHit$"},
		{"limit", "gateway/limit", "^BenchmarkLimitCheck$"},
		{"plan", "gateway/journey", "^BenchmarkPlanOfSixCalls$"},
		{"call", "gateway/call", "^BenchmarkCall$"},
		{"ledger", "gateway/ledger/sqlite", "^BenchmarkItem$"},
	} {
		all, err := benchmarks(r.ctx, room.path, room.pattern, 3)
		if err != nil {
			return err
		}
		for _, b := range all {
			t.rows = append(t.rows, []string{room.name, b.name, fmt.Sprintf("%.2f", median(b.micros)), fmt.Sprintf("%.0f", median(b.allocs))})
		}
	}
	r.report.tables = append(r.report.tables, t)
	return nil
}

// benchmark is what one has printed, count by count.
type benchmark struct {
	name           string
	micros, allocs []float64
}

// benchmarks runs those of a package whose names fit a pattern.
func benchmarks(ctx context.Context, path, pattern string, count int) (all []*benchmark, err error) {
	test := exec.CommandContext( //nolint:gosec // all of it is written here
		ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-count", strconv.Itoa(count), "github.com/warmgate/warmgate/"+path)
	text, err := test.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("cannot run the benchmarks of %s: %w\n%s", path, err, text)
	}
	by := map[string]*benchmark{}
	line := regexp.MustCompile(`(?m)^(Benchmark\S+)\s+\d+\s+([0-9.]+) ns/op.*?\s([0-9.]+) allocs/op`)
	for _, found := range line.FindAllStringSubmatch(string(text), -1) {
		ns, _ := strconv.ParseFloat(found[2], 64) // the pattern admits numbers alone
		n, _ := strconv.ParseFloat(found[3], 64)
		b := by[found[1]]
		if b == nil {
			b = &benchmark{name: found[1]}
			by[found[1]], all = b, append(all, b)
		}
		b.micros, b.allocs = append(b.micros, ns/1000), append(b.allocs, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the benchmarks of %s have printed no figures:\n%s", path, text)
	}
	return all, nil
}
