package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// reportArgs are what the report is asked for.
type reportArgs struct {
	into   string  // folder of RESULTS.md
	scale  float64 // of each proof's scale in the report
	seed   uint64
	binary string
	dir    string // of everything that is made on the way

	within   time.Duration // that a proof has: one that takes longer is given up
	progress io.Writer     // what the proofs say meanwhile
}

const (
	resultsFile   = "RESULTS.md"
	sectionWithin = 8 * time.Minute
)

// reported is a proof in the report, with the scale that it has there.
type reported struct {
	name string
	n    int
}

// inReport are the report's sections in their order: twenty minutes on two cores.
func inReport() []reported {
	return []reported{
		{"peers", 15}, {"caches", 15}, {"rooms", 5000}, {"rooms-growth", 3000}, {"rooms-cold", 20}, {"breakdown", 8},
		{"ledger", 15}, {"ledger-tail", 9}, {"growth", 9}, {"parkings", 1_000_000}, {"engine", 5},
		{"added", 9000}, {"check-ins", 3000}, {"exits", 5700}, {"morning", 10}, {"matrix", 2}, {"start", 100_000}, {"rooms-memory", 6},
	}
}

// writeReport takes every proof that the report has, each in a process of its own, and writes it. A proof that fails, or does not
// come to its end, has a section that says so, and the rest is written all the same. Both that and a figure that is missed end
// the command with 1. What differs from the committed report is printed.
func writeReport(ctx context.Context, a reportArgs, out io.Writer) error {
	first := &run{ctx: ctx, dir: a.dir, binary: a.binary}
	program, err := first.program()
	if err != nil {
		return err
	}
	a.binary = program
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return takeReport(ctx, self, a, out)
}

// takeReport takes the sections, by the program self.
func takeReport(ctx context.Context, self string, a reportArgs, out io.Writer) error {
	sections, began := filepath.Join(a.dir, "sections"), time.Now()
	var text strings.Builder
	failed := false
	for _, p := range inReport() {
		section, err := takeSection(ctx, self, a, p, sections, out)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = failed || err != nil
		text.WriteString("\n" + section)
	}
	text.WriteString(krakenD)
	head := reportHead(time.Since(began), gatesIn(text.String()), missedIn(text.String()))
	return finishReport(a.into, sections, head+text.String(), failed, out)
}

// takeSection takes one proof and returns its section. An error says that the proof has failed or that something is missed.
func takeSection(ctx context.Context, self string, a reportArgs, p reported, sections string, out io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.within)
	defer cancel()
	n := max(1, int(float64(p.n)*a.scale))
	said := &strings.Builder{}
	proof := exec.CommandContext(ctx, self, p.name, "-n", fmt.Sprint(n), "-seed", fmt.Sprint(a.seed), "-warmgate", a.binary, "-into", sections) //nolint:gosec // this program
	proof.Stdout, proof.Stderr = out, io.MultiWriter(a.progress, said)
	proof.Cancel = func() error { return proof.Process.Signal(syscall.SIGTERM) } // what it has started ends with it
	proof.WaitDelay = time.Minute
	err := proof.Run()
	text, none := os.ReadFile(filepath.Join(sections, p.name+".md"))
	if none == nil {
		return string(text), err
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("not at its end within %s", a.within)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	failure := &report{}
	failure.absent(p.name, errors.Join(err, errors.New(lines[len(lines)-1])))
	var section strings.Builder
	fmt.Fprintf(&section, "## %s: it has failed\n", p.name)
	writeFigures(&section, failure.figures)
	return section.String(), errMissed
}

// reportHead is what a report begins with.
func reportHead(took time.Duration, gates string, missed []string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# Results\n\nWritten by `make bench`; docs/proofs.md says how each figure is taken. %s.\n\n%s; %s, %s; took %s.\n\n",
		"Two shared cores: only ratios within this run count, medians of interleaved rounds, and an A/A control outside 1 ± 0.05 means that its neighbours prove nothing",
		machine(), processor(), kernel(), took.Round(time.Second))
	if gates != "" {
		text.WriteString("What the product is measured by, each a figure of the section that has the proof's name, in bold there:\n\n" + gates + "\n")
	}
	if len(missed) == 0 {
		text.WriteString("Everything that is promised was held.\n")
		return text.String()
	}
	text.WriteString("What is promised and was missed:\n\n")
	for _, m := range missed {
		text.WriteString("- " + m + "\n")
	}
	return text.String()
}

// finishReport writes the report and its plots, and prints what has moved.
func finishReport(into, sections, text string, failed bool, out io.Writer) error {
	earlier := committed(into)
	plots := filepath.Join(into, plotsIn)
	if err := os.RemoveAll(plots); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(sections, plotsIn)); err == nil {
		if err := os.CopyFS(plots, os.DirFS(filepath.Join(sections, plotsIn))); err != nil {
			return fmt.Errorf("cannot write the plots: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(into, resultsFile), []byte(text), 0o644); err != nil { //nolint:gosec // for readers
		return fmt.Errorf("cannot write the report: %w", err)
	}
	switch lines := moved(earlier, text); {
	case earlier == "":
		fmt.Fprintln(out, "There is no committed report to compare with.")
	case len(lines) == 0:
		fmt.Fprintln(out, "No ratio differs from the committed report by more than 10 %.")
	default:
		fmt.Fprintln(out, "Ratios that differ from the committed report by more than 10 %:")
		for _, l := range lines {
			fmt.Fprintln(out, "  "+l)
		}
	}
	if failed {
		return errMissed
	}
	return nil
}

// krakenD says why the peer that readers look for has no row.
const krakenD = "\n## KrakenD\n\nKrakenD's engine cannot be fetched where this is built, so it has no row here. `bench/peers/krakend.json` is a " +
	"configuration for the same work: three backends asked at once and merged. `go run ./bench systems` serves those backends, with the bytes that " +
	"were measured here, at the addresses that the file names.\n"

// processor names the machine's processor, as Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere: nothing
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel names the machine's system.
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(text))
}
