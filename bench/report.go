package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// report is a proof's figures.
type report struct {
	title, about, machine string
	figures               []figure
	took                  time.Duration
}

// figure is one line of a report.
type figure struct {
	name, value, target string
	missed              bool // not what was promised
	broken              bool // so far from it that noise does not explain it: a test fails
	counted             bool // it is the same on any machine
}

// note adds a figure that nothing is promised of.
func (r *report) note(name, format string, args ...any) {
	r.figures = append(r.figures, figure{name: name, value: fmt.Sprintf(format, args...)})
}

// exactly adds a count that must be want, whatever the machine does.
func (r *report) exactly(name string, got, want int) {
	r.figures = append(r.figures, figure{name: name, value: fmt.Sprint(got), target: fmt.Sprintf("= %d", want),
		missed: got != want, broken: got != want, counted: true})
}

// atMost adds a figure with a ceiling. A test on a noisy machine fails past slack times the ceiling.
func (r *report) atMost(name, unit string, got, ceiling, slack float64) {
	r.figures = append(r.figures, figure{name: name, value: number(got, unit), target: "≤ " + number(ceiling, unit),
		missed: !(got <= ceiling), broken: !(got <= ceiling*slack)})
}

// atLeast adds a figure with a floor. A test on a noisy machine fails below the floor divided by slack.
func (r *report) atLeast(name, unit string, got, floor, slack float64) {
	r.figures = append(r.figures, figure{name: name, value: number(got, unit), target: "≥ " + number(floor, unit),
		missed: !(got >= floor), broken: !(got >= floor/slack)})
}

// control adds an A/A ratio: outside ±5 % the run proves nothing. A test does not fail for it.
func (r *report) control(name string, got float64) {
	r.figures = append(r.figures, figure{name: name, value: number(got, "×"), target: "1 ± 0.05", missed: !(math.Abs(got-1) <= 0.05)})
}

func number(v float64, unit string) string {
	digits := 2
	if v >= 100 {
		digits = 0
	}
	if unit == "" || unit == "×" {
		return fmt.Sprintf("%.*f%s", digits, v, unit)
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.figures, func(f figure) bool { return f.missed })
}

// stalled reports whether all that is broken was measured, not counted: it may be the machine.
func (r *report) stalled() bool {
	broken := func(f figure) bool { return f.broken }
	return slices.ContainsFunc(r.figures, broken) && !slices.ContainsFunc(r.figures, func(f figure) bool { return f.broken && f.counted })
}

// write prints the table.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s\n%s, took %s\n", r.title, r.about, r.machine, r.took.Round(100*time.Millisecond))
	widths := [3]int{}
	for _, f := range r.figures {
		for i, cell := range []string{f.name, f.value, f.target} {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, f := range r.figures {
		verdict := ""
		switch {
		case f.missed:
			verdict = "MISSED"
		case f.target != "":
			verdict = "held"
		}
		fmt.Fprintf(w, "  %-*s  %*s  %-*s  %s\n", widths[0], f.name, widths[1], f.value, widths[2], f.target, verdict)
	}
	fmt.Fprintln(w)
}

// median returns the middle of values, which it sorts; 0 where there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
