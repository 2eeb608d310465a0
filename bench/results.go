package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// overFloor heads the column of a table by which reports are compared: a ratio within one run, with its quartiles.
const overFloor = "÷ floor"

// table is a part of a report that has more than a figure a line: Markdown, and at most one plot.
type table struct {
	title, note string
	columns     []string
	rows        [][]string
	bars        []bar // a plot of costs; or
	lines       lines // a plot of curves; or
	fields      []field
}

// keep writes the report's section, NAME.md, and its plots into a folder.
func (r *report) keep(dir string) error {
	plots := filepath.Join(dir, plotsIn)
	if err := os.MkdirAll(plots, 0o755); err != nil { //nolint:gosec // for readers
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "## %s\n\n`go run ./bench %s`, took %s.\n", r.title, r.command, r.took.Round(time.Second))
	for i := range r.tables {
		if err := r.tables[i].write(&text, plots); err != nil {
			return err
		}
	}
	writeFigures(&text, r.figures)
	return os.WriteFile(filepath.Join(dir, r.name+".md"), []byte(text.String()), 0o644) //nolint:gosec // for readers
}

// plotsIn is the folder of plots beside a report.
const plotsIn = "plots"

func writeFigures(w io.Writer, figures []figure) {
	if len(figures) == 0 {
		return
	}
	fmt.Fprint(w, "\n| figure | is | promised | |\n| --- | ---: | --- | --- |\n")
	for _, f := range figures {
		name := cell(f.name)
		if f.gate {
			name = bold + name + bold
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", name, cell(f.value), cell(f.target), f.verdict())
	}
}

// bold stands around the name of a gate.
const bold = "**"

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func (t *table) write(w io.Writer, plots string) error {
	fmt.Fprintf(w, "\n### %s\n\n%s\n", t.title, t.note)
	if len(t.rows) > 0 {
		fmt.Fprintf(w, "\n| %s |\n| --- |%s\n", strings.Join(t.columns, " | "), strings.Repeat(" ---: |", len(t.columns)-1))
	}
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	var picture string
	switch {
	case len(t.bars) > 0:
		picture = barsSVG(t.title, t.columns[1], t.bars)
	case len(t.lines.all) > 0:
		picture = linesSVG(t.title, t.lines)
	case len(t.fields) > 0:
		picture = fieldsSVG(t.title, t.fields)
	default:
		return nil
	}
	name := slug(t.title) + ".svg"
	fmt.Fprintf(w, "\n![%s](%s/%s)\n", t.title, plotsIn, name)
	return os.WriteFile(filepath.Join(plots, name), []byte(picture), 0o644) //nolint:gosec // for readers
}

func slug(title string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(title), "-"), "-")
}

// cellsOf returns the cells of a line of a table; none of another line. gate: it is a gate's.
func cellsOf(line string) (cells []string, gate bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil, false
	}
	for c := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), " | ") {
		cells = append(cells, strings.TrimSpace(c))
	}
	gate = len(cells) == 4 && len(cells[0]) > 2*len(bold) && strings.HasPrefix(cells[0], bold) && strings.HasSuffix(cells[0], bold)
	if gate {
		cells[0] = strings.TrimSuffix(strings.TrimPrefix(cells[0], bold), bold)
	}
	return cells, gate
}

// gatesIn returns the table of a report's gates, from the lines of its sections; "" where there are none.
func gatesIn(text string) string {
	var rows strings.Builder
	section := ""
	for line := range strings.Lines(text) {
		section = sectionOf(section, line)
		if cells, gate := cellsOf(line); gate {
			target, aim, _ := strings.Cut(cells[2], aimed)
			fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s | %s |\n", section, cells[0], cells[1], target, aim, cells[3])
		}
	}
	if rows.Len() == 0 {
		return ""
	}
	return "| proof | figure | is | gate | aim | |\n| --- | --- | ---: | ---: | ---: | --- |\n" + rows.String()
}

// missedIn returns what a report's text has missed, each in a line.
func missedIn(text string) (all []string) {
	section := ""
	for line := range strings.Lines(text) {
		section = sectionOf(section, line)
		if cells, _ := cellsOf(line); len(cells) == 4 && cells[3] == "MISSED" {
			all = append(all, fmt.Sprintf("%s: %s: %s, promised %s", section, cells[0], cells[1], cells[2]))
		}
	}
	return all
}

// sectionOf returns the proof that a line heads; before where it heads none.
func sectionOf(before, line string) string {
	title, is := strings.CutPrefix(line, "## ")
	if !is {
		return before
	}
	name, _, _ := strings.Cut(strings.TrimSpace(title), ":")
	return name
}

// ratiosOf reads the ratios from a report: each row's to the floor, by table and row, and those among the figures, by proof.
func ratiosOf(text string) map[string]float64 {
	found := map[string]float64{}
	section, title, column := "", "", -1
	for line := range strings.Lines(text) {
		section = sectionOf(section, line)
		cells, _ := cellsOf(line)
		switch {
		case strings.HasPrefix(line, "#"):
			title, column = strings.TrimSpace(strings.TrimLeft(line, "#")), -1
		case slices.Contains(cells, overFloor):
			column = slices.Index(cells, overFloor)
		case len(cells) == 4 && cells[0] == "figure":
			title, column = section, 1
		case column >= 0 && column < len(cells) && !strings.HasPrefix(cells[0], "A/A"):
			number, _, _ := strings.Cut(cells[column], " ")
			number, is := strings.CutSuffix(number, "×")
			if v, err := strconv.ParseFloat(number, 64); err == nil && (is || title != section) {
				found[title+": "+cells[0]] = v
			}
		}
	}
	return found
}

// moved says which ratios differ by more than a tenth from an earlier report's.
func moved(earlier, now string) (all []string) {
	was, is := ratiosOf(earlier), ratiosOf(now)
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if old := was[key]; old > 0 && (is[key] > old*1.1 || is[key] < old/1.1) {
			all = append(all, fmt.Sprintf("%s: %.2f, was %.2f (%+.0f %%)", key, is[key], old, (is[key]/old-1)*100))
		}
	}
	return all
}

// committed returns the report as the last commit has it; "" where there is none.
func committed(dir string) string {
	show := exec.Command("git", "show", "HEAD:./"+resultsFile)
	show.Dir = dir
	text, err := show.Output()
	if err != nil {
		return ""
	}
	return string(text)
}
