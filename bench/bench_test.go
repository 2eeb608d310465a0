package main

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProofs takes the short form of every proof. A count must be right; a figure that depends on the machine may miss its
// target by the slack that its proof allows for noise, and says so.
func TestProofs(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of load are not for -short")
	}
	first := &run{ctx: t.Context(), dir: t.TempDir()}
	binary, err := first.program()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proofs() {
		if p.name == "matrix" {
			continue // the flows take it among their own tests
		}
		if p.short == 0 {
			continue // it is `make bench`'s, which installs what it is measured beside
		}
		t.Run(p.name, func(t *testing.T) {
			report := taken(t, p, binary)
			for again := 1; report.stalled() && again < takes; again++ {
				t.Log("taken again: only what the machine shares in is wrong")
				report = taken(t, p, binary)
			}
			if held := slices.Sorted(slices.Values(report.held)); !slices.Equal(held, heldTo()[p.name]) {
				t.Errorf("held to the budgets of %q, want %q", held, heldTo()[p.name])
			}
			for _, f := range report.figures {
				switch {
				case f.broken:
					t.Errorf("%s: %s, want %s", f.name, f.value, f.target)
				case f.missed:
					t.Logf("missed, within what noise may do: %s: %s, want %s", f.name, f.value, f.target)
				}
			}
		})
	}
}

// takes is how often a proof is taken before a figure that depends on the machine fails it: a machine that stands still for
// some seconds spoils one, code that is slow all of them.
const takes = 3

// taken takes a proof in its short form, and logs it.
func taken(t *testing.T, p proof, binary string) *report {
	t.Helper()
	log := &bytes.Buffer{}
	r := &run{ctx: t.Context(), n: p.short, seed: 1, dir: filepath.Join(t.TempDir(), "world"), binary: binary, progress: log}
	report, err := r.take(p)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	text := &bytes.Buffer{}
	report.write(text)
	t.Logf("%s%s", text, log)
	return report
}

func TestReportSaysWhatMissed(t *testing.T) {
	r := &report{title: "a proof", about: "-n 1", machine: "here", took: time.Second}
	r.note("rows", "%d", 7)
	r.exactly("doubled", 0, 0)
	r.atMost("p50", "ms", 0.9, 1, 2)
	if r.missed() {
		t.Error("all is held")
	}
	r.atMost("p99", "ms", 9, 8, 2)
	r.aim("ms", 4)
	r.atLeast("rate", "/s", 1900, 4000, 2)
	r.control("A/A", 1.06)
	var text strings.Builder
	r.write(&text)
	for _, line := range []string{"rows ", "p50  ", "p99  ", "≤ 8.00 ms, aim 4.00 ms"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%q is not in\n%s", line, text.String())
		}
	}
	if n := strings.Count(text.String(), "MISSED"); n != 3 || strings.Count(text.String(), "held") != 2 {
		t.Errorf("%d missed in\n%s", n, text.String())
	}
	got := []bool{r.figures[3].broken, r.figures[4].broken, r.figures[5].broken}
	if want := []bool{false, true, false}; got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("broken: %v, want %v", got, want)
	}
	if !r.stalled() {
		t.Error("what is broken was measured")
	}
	few := &report{}
	few.none("some", 2, 3)
	few.none("many", 4, 3)
	few.atMost("of nothing", "×", math.NaN(), 1, 2)
	few.atLeast("of nothing", "×", math.NaN(), 1, 2)
	few.control("below", 0.94)
	for i, broken := range []bool{false, true, true, true, false} {
		if f := few.figures[i]; !f.missed || f.broken != broken {
			t.Errorf("%+v is missed, and broken: %v", f, broken)
		}
	}
	r.exactly("lost", 1, 0)
	if !r.figures[6].broken || r.stalled() {
		t.Error("a wrong count is broken, whatever the machine")
	}
}

func TestMedian(t *testing.T) {
	for _, x := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}} {
		if got := median(x.values); got != x.want {
			t.Errorf("median of %v: %v", x.values, got)
		}
	}
}

func TestCommandKnowsItsProofs(t *testing.T) {
	var out strings.Builder
	if err := command(t.Context(), nil, &out); err != nil || strings.Count(out.String(), "\n") != len(proofs()) {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := command(t.Context(), []string{"no-such-proof"}, &out); err == nil {
		t.Error("an unknown proof was taken")
	}
}
