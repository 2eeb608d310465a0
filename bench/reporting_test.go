package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// standIn is a program in the place of this one: for each proof it keeps a section with a gate, and a plot. before is shell that
// runs first, and knows the proof as $1 and the folder as $last.
func standIn(t *testing.T, before string) string {
	t.Helper()
	self := filepath.Join(t.TempDir(), "self")
	script := "#!/bin/sh\nfor last; do :; done\nmkdir -p \"$last/plots\"\n" + before + "\nis=${is:-1.50}\n" +
		"printf '## %s: one\\n\\n| figure | is | promised | |\\n| --- | ---: | --- | --- |\\n| **ready** | %s× | ≤ 9.00×, aim 3.00× | held |\\n' \"$1\" $is >\"$last/$1.md\"\n" +
		"echo '<svg/>' >\"$last/plots/$1.svg\"\nexit ${ends:-0}\n"
	if err := os.WriteFile(self, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return self
}

// reportInto takes a report into a folder, and returns it with what was printed.
func reportInto(t *testing.T, into, self string) (text, printed string, err error) {
	t.Helper()
	var out strings.Builder
	err = takeReport(t.Context(), self, reportArgs{into: into, scale: 1, seed: 7, binary: "none", dir: t.TempDir(), within: time.Minute, progress: io.Discard}, &out)
	written, none := os.ReadFile(filepath.Join(into, resultsFile))
	if none != nil {
		t.Fatal(none)
	}
	return string(written), out.String(), err
}

// TestReportIsWrittenWithoutWhatFails: a proof that fails, and one that misses something, end the command, and the rest is there.
func TestReportIsWrittenWithoutWhatFails(t *testing.T) {
	into := t.TempDir()
	text, printed, err := reportInto(t, into, standIn(t, `if [ "$1" = peers ]; then echo 'bench: there is | no such thing' >&2; exit 1; fi`))
	if !errors.Is(err, errMissed) {
		t.Errorf("%v", err)
	}
	if head, _, _ := strings.Cut(text, "\n## "); !strings.Contains(head, "| start | ready | 1.50× | ≤ 9.00× | 3.00× | held |") {
		t.Errorf("the gate is not at the head of\n%s", text)
	}
	for _, want := range []string{"## peers: it has failed", `there is \| no such thing`, "## start: one", "## KrakenD", "missed:\n\n- peers: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if plots, err := filepath.Glob(filepath.Join(into, "plots", "*.svg")); err != nil || len(plots) != len(inReport())-1 {
		t.Error(plots, err)
	}
	if !strings.HasPrefix(printed, "There is no committed report") {
		t.Errorf("printed %q", printed)
	}
	if _, _, err := reportInto(t, into, standIn(t, `if [ "$1" = caches ]; then ends=1; fi`)); err == nil {
		t.Error("a proof that misses something does not end the command")
	}
	if _, _, err := reportInto(t, into, standIn(t, "")); err != nil {
		t.Error(err)
	}
}

// TestWhatHasMovedIsPrinted: the report is held against the one that the last commit of its own folder has, not the one that lies
// there; and a plot that nothing draws any more is gone.
func TestWhatHasMovedIsPrinted(t *testing.T) {
	into := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", into, "-c", "user.name=a", "-c", "user.email=a@city.example", "-c", "commit.gpgsign=false"}, args...)...)
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	git("init", "-q")
	if _, _, err := reportInto(t, into, standIn(t, "")); err != nil {
		t.Fatal(err)
	}
	git("add", ".")
	git("commit", "-q", "-m", "a report")
	old := filepath.Join(into, plotsIn, "old.svg")
	if err := os.WriteFile(old, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		is   string
		want []string
	}{
		{"1.64", []string{"No ratio differs"}},
		{"1.66", []string{"Ratios that differ", "  start: ready: 1.66, was 1.50 (+11 %)\n"}},
		{"1.35", []string{"Ratios that differ", "  start: ready: 1.35, was 1.50 (-10 %)\n"}},
		{"1.37", []string{"No ratio differs"}},
	} {
		text, printed, err := reportInto(t, into, standIn(t, `if [ "$1" = start ]; then is=`+x.is+`; fi`))
		if err != nil || !strings.Contains(text, "| start | ready | "+x.is) {
			t.Errorf("%s: %v\n%s", x.is, err, text)
		}
		for _, want := range x.want {
			if !strings.Contains(printed, want) || strings.Count(printed, "\n") != len(x.want) {
				t.Errorf("%s: %q is not alone in %q", x.is, want, printed)
			}
		}
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old plot: %v", err)
	}
}

// TestProofsAreAskedForAtTheReportsScale, with its seed and its program.
func TestProofsAreAskedForAtTheReportsScale(t *testing.T) {
	for scale, want := range map[float64]string{1: "peers -n 15 ", 0.5: "peers -n 7 ", 0.001: "peers -n 1 "} {
		asked := filepath.Join(t.TempDir(), "asked")
		self := standIn(t, `echo "$@" >>`+asked)
		a := reportArgs{into: t.TempDir(), scale: scale, seed: 7, binary: "the-program", dir: t.TempDir(), within: time.Minute, progress: io.Discard}
		if err := takeReport(t.Context(), self, a, io.Discard); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(asked)
		if err != nil || !strings.HasPrefix(string(text), want+"-seed 7 -warmgate the-program -into "+a.dir) || strings.Count(string(text), "\n") != len(inReport()) {
			t.Errorf("%v: asked for %s, %v", scale, text, err)
		}
	}
}

// TestAProofThatDoesNotEndIsGivenUp, and the others are taken; whoever stops the command gets no report.
func TestAProofThatDoesNotEndIsGivenUp(t *testing.T) {
	self := standIn(t, `if [ "$1" = engine ]; then exec sleep 60; fi`)
	a := reportArgs{into: t.TempDir(), scale: 1, dir: t.TempDir(), within: time.Second, progress: io.Discard}
	if err := takeReport(t.Context(), self, a, io.Discard); !errors.Is(err, errMissed) {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(a.into, resultsFile))
	if err != nil || !strings.Contains(string(text), "engine is not measured: not at its end within 1s") || !strings.Contains(string(text), "## start: one") {
		t.Errorf("%v\n%s", err, text)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	a.into = t.TempDir()
	if err := takeReport(stopped, self, a, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := os.ReadDir(a.into); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
