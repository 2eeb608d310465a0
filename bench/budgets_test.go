package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// heldTo are the plans that each proof with an open loop of a journey holds to the budget of the configuration.
func heldTo() map[string][]string {
	return map[string][]string{
		"added": {"scenic-entry"}, "check-ins": {"hotel-check-in"}, "exits": {"parking-exit"}, "rooms": {"rooms-search"}, "rooms-cold": {"rooms-search"},
		"morning": {"hotel-check-in", "parking-entry", "parking-exit", "rooms-search", "scenic-entry"},
	}
}

// took is a histogram of equal times.
func took(t *testing.T, d time.Duration) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, 10_000_000, 3)
	if err := h.RecordValues(d.Microseconds(), 100); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestAJourneyIsHeldToTheBudgetOfTheConfiguration: what is well within the shipped budget is a failed run where the file has a
// tiny one, and what is drawn beside it is that one.
func TestAJourneyIsHeldToTheBudgetOfTheConfiguration(t *testing.T) {
	tiny := edit{"gateway.yaml", `(?s)(parking-exit:\n    journey_budget: 20s\n    machine_budget): 300ms\n    flush: 40ms\n    overhead: 60ms`, "$1: 7ms\n    flush: 2ms\n    overhead: 1ms"}
	for _, x := range []struct {
		edits  []edit
		missed bool
		drawn  string
	}{{nil, false, "machine budget: 300 ms"}, {[]edit{tiny}, true, "machine budget: 7 ms"}} {
		w, err := newWorld(t.TempDir(), 1, nil, x.edits...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.close)
		r := &report{}
		if err := w.hold(r, "parking-exit", "An exit", "some", loop{name: "in time", times: took(t, 8*time.Millisecond)}, loop{name: "added", times: took(t, time.Hour/3600*9), part: true}); err != nil {
			t.Fatal(err)
		}
		if r.missed() != x.missed || len(r.figures) != 1 {
			t.Errorf("%+v", r.figures)
		}
		if picture := linesSVG("", r.tables[0].lines); !strings.Contains(picture, x.drawn) {
			t.Errorf("%q is not in %s", x.drawn, picture)
		}
		if !slices.Equal(r.held, []string{"parking-exit"}) {
			t.Errorf("%q", r.held)
		}
	}
}

// TestEveryJourneysBudgetIsThere where a proof looks for it, and one that is not is an error.
func TestEveryJourneysBudgetIsThere(t *testing.T) {
	w, err := newWorld(t.TempDir(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	for proof, plans := range heldTo() {
		for _, plan := range plans {
			if budget, err := w.budget(plan); err != nil || budget <= 0 {
				t.Errorf("%s: %s: %s, %v", proof, plan, budget, err)
			}
		}
	}
	if err := w.hold(&report{}, "no-such-plan", "", "", loop{}); err == nil {
		t.Error("a plan without a budget is held to something")
	}
}
