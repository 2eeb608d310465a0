package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sampleReport() *report {
	return &report{
		name: "peers", title: "peers: beside others", command: "peers -n 9", took: time.Minute,
		tables: []table{
			{title: "Three Asks: cost", note: "Load: much.", columns: []string{"", "CPU, µs", overFloor, "peak"},
				rows: [][]string{{"floor", "80.0 (79.0–81.0)", "1.00 (1.00–1.00)", "10"}, {"Warmgate | all on", "120.0 (119.0–121.0)", "1.50 (1.48–1.52)", "60"}},
				bars: []bar{{"floor", spread{79, 80, 81}}, {"Warmgate & <all>", spread{119, 120, 121}}}},
			{title: "Three Asks: tail", note: "Load: little.", columns: []string{"", overFloor}, rows: [][]string{{"floor", "1.00 (0.99–1.01)"}},
				lines: lines{unit: "ms", x: "percentile", all: []line{{name: "floor", points: []point{{at: "50", value: 0.2}, {at: "99", value: 3.5}}}, {name: "none", points: []point{{at: "50"}, {at: "99", value: 1}}}}}},
			{title: "Matrix", fields: []field{{"a", "hangs", "a & b", 0.5, true}, {"a", "hangs", "c", 2, false}, {"b", "<slow>", "d", 0, true}}},
		},
		figures: []figure{{name: "ratio | of two", value: "1.50×", target: "≤ 1.80×, aim 1.30×", gate: true}, {name: "late", value: "9 ms", target: "≤ 8 ms", missed: true},
			{name: "A/A control", value: "1.04×", target: "1 ± 0.05"}},
	}
}

// kept returns the section that a report leaves in a folder.
func kept(t *testing.T, r *report, dir string) string {
	t.Helper()
	if err := r.keep(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, r.name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSectionsAreKept(t *testing.T) {
	dir := t.TempDir()
	text := kept(t, sampleReport(), dir)
	for _, want := range []string{"## peers: beside others", "`go run ./bench peers -n 9`, took 1m0s",
		`| Warmgate \| all on | 120.0 (119.0–121.0) | 1.50 (1.48–1.52) | 60 |`,
		`| **ratio \| of two** | 1.50× | ≤ 1.80×, aim 1.30× | held |`, "| late | 9 ms | ≤ 8 ms | MISSED |", "![Three Asks: cost](plots/three-asks-cost.svg)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	plots, err := filepath.Glob(filepath.Join(dir, "plots", "*.svg"))
	if err != nil || len(plots) != 3 {
		t.Fatal(plots, err)
	}
	for _, p := range plots {
		picture, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(picture); err == nil; {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", p, err)
		}
		_ = picture.Close()
	}
	if got, want := missedIn(text), []string{"peers: late: 9 ms, promised ≤ 8 ms"}; !slices.Equal(got, want) {
		t.Errorf("missed: %q", got)
	}
}

// TestTheHeadHasTheGates, each as its section has it, and nothing else.
func TestTheHeadHasTheGates(t *testing.T) {
	text := kept(t, sampleReport(), t.TempDir())
	got := gatesIn(text)
	if want := `| peers | ratio \| of two | 1.50× | ≤ 1.80× | 1.30× | held |` + "\n"; !strings.HasSuffix(got, "---: | --- |\n"+want) {
		t.Errorf("%s", got)
	}
	if head := reportHead(time.Second, got, nil); !strings.Contains(head, got) || len(ratiosOf(head)) != 0 || len(missedIn(head)) != 0 {
		t.Errorf("%s", head)
	}
	if got := gatesIn("## a: b\n\n| figure | is | promised | |\n| ** | 1 | | |\n"); got != "" {
		t.Errorf("there is no gate: %s", got)
	}
	r := &report{}
	r.atMost("ratio", "×", 1.5, 1.8, 2)
	r.aim("×", 1.3)
	r.atMost("growth", "×", 1.5, 1.1, 2)
	r.gate()
	r.note("other", "")
	if !r.figures[0].gate || !r.figures[1].gate || r.figures[2].gate {
		t.Errorf("%+v", r.figures)
	}
}

func TestMovedSaysWhatDiffersByMoreThanATenth(t *testing.T) {
	dir, r := t.TempDir(), sampleReport()
	before := kept(t, r, dir)
	if got := moved(before, before); len(got) != 0 || len(ratiosOf(before)) != 4 {
		t.Errorf("%q of %v", got, ratiosOf(before))
	}
	r.tables[0].rows[1][2] = "1.66 (1.60–1.70)"
	r.tables[1].rows[0][1] = "1.09 (1.00–1.20)"
	r.figures[0].value = "1.20×"
	now := kept(t, r, dir)
	if got, want := moved(before, now), []string{`Three Asks: cost: Warmgate \| all on: 1.66, was 1.50 (+11 %)`, `peers: ratio \| of two: 1.20, was 1.50 (-20 %)`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := moved(strings.ReplaceAll(before, bold, ""), now); len(got) != 2 {
		t.Errorf("a figure that has become a gate is another one: %q", got)
	}
	if got := moved("", now); len(got) != 0 {
		t.Errorf("there is nothing to compare with: %q", got)
	}
}

func TestReportTakesProofsThatThereAre(t *testing.T) {
	for _, p := range inReport() {
		if !slices.ContainsFunc(proofs(), func(q proof) bool { return q.name == p.name }) {
			t.Errorf("there is no proof %s", p.name)
		}
	}
}

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{9, 1, 5, 3, 7}); got != (spread{3, 5, 7}) {
		t.Error(got)
	}
	if got := spreadOf(nil); got != (spread{}) {
		t.Error(got)
	}
}

// TestCPUIsOfAllProcesses has a child of a process work, and the process itself only wait.
func TestCPUIsOfAllProcesses(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	parent := exec.CommandContext(t.Context(), "sh", "-c", `sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read -r x' <&3 & wait`)
	keeps, ends, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keeps.Close()
	parent.ExtraFiles = []*os.File{keeps}
	out, err := parent.StdoutPipe()
	if err == nil {
		err = parent.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("done\n"))); err != nil {
		t.Fatal(err)
	}
	s := &subject{root: parent.Process.Pid}
	if own, all := cpuOfProcess(s.root), s.cpu(); len(family(s.root)) != 2 || all < own+5*time.Millisecond {
		t.Errorf("family %v has used %s, its first process %s", family(s.root), all, own)
	}
	if s.peak() <= 0 {
		t.Error("it has no memory")
	}
	_ = ends.Close() // the child reads its end
	if err := parent.Wait(); err != nil {
		t.Error(err)
	}
}
