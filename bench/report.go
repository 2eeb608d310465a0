package main

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// report is a proof's figures.
type report struct {
	name, title, about, machine string
	command                     string // its arguments, that take it again
	tables                      []table
	figures                     []figure
	held                        []string // plans whose open loops are held to the configuration's budget
	took                        time.Duration
}

// figure is one line of a report.
type figure struct {
	name, value, target string
	missed              bool // not what was promised
	broken              bool // so far from it that noise does not explain it: a test fails
	counted             bool // it is the same on any machine
	gate                bool // the product is measured by it: it stands at the head of the report
}

// note adds a figure that nothing is promised of.
func (r *report) note(name, format string, args ...any) {
	r.figures = append(r.figures, figure{name: name, value: fmt.Sprintf(format, args...)})
}

// absent says that something could not be measured: what was promised beside it is missed.
func (r *report) absent(what string, err error) {
	r.figures = append(r.figures, figure{name: what + " is not measured", value: oneLine(err.Error()), target: "it is there", missed: true})
}

// version notes what a program says of itself; where it is not there, nothing.
func (r *report) version(of, program string, args ...string) {
	if out, err := exec.Command(program, args...).CombinedOutput(); err == nil { //nolint:gosec // programs that proofs name
		first, _, _ := strings.Cut(string(out), "\n")
		r.note("version of "+of, "%s", strings.TrimSpace(first))
	}
}

// oneLine shortens a text to what a line of a table can hold.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// exactly adds a count that must be want, whatever the machine does.
func (r *report) exactly(name string, got, want int) {
	r.figures = append(r.figures, figure{name: name, value: fmt.Sprint(got), target: fmt.Sprintf("= %d", want),
		missed: got != want, broken: got != want, counted: true})
}

// none adds a count that must be 0, and on a noisy machine may be as many as most before a test fails.
func (r *report) none(name string, got, most int) {
	r.figures = append(r.figures, figure{name: name, value: fmt.Sprint(got), target: "= 0", missed: got != 0, broken: got > most})
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

// gate says that the last figure is one by which the product is measured.
func (r *report) gate() { r.figures[len(r.figures)-1].gate = true }

// aim says beside the last figure's target, a gate, what it should come to.
func (r *report) aim(unit string, at float64) {
	r.gate()
	r.figures[len(r.figures)-1].target += aimed + number(at, unit)
}

// aimed stands between a target and an aim.
const aimed = ", aim "

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

// verdict says in a word whether the figure is as promised.
func (f *figure) verdict() string {
	switch {
	case f.missed:
		return "MISSED"
	case f.target != "":
		return "held"
	}
	return ""
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
		fmt.Fprintf(w, "  %-*s  %*s  %-*s  %s\n", widths[0], f.name, widths[1], f.value, widths[2], f.target, f.verdict())
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
