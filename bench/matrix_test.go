package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
)

// TestEveryJourneyIsInTheBudgetMatrix: each plan of the configuration that asks a system is taken through its faults, but for one
// that nobody waits for; and the barriers', which ask none, are.
func TestEveryJourneyIsInTheBudgetMatrix(t *testing.T) {
	w, err := newWorld(t.TempDir(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	read, err := w.configuration()
	if err != nil {
		t.Fatal(err)
	}
	behind := []string{"rooms-refresh"}
	want := []string{"parking-entry", "parking-exit"}
	for i := range read.Proofs {
		if p := &read.Proofs[i]; len(p.Timing.Steps) > 0 && !slices.Contains(behind, p.Plan) {
			want = append(want, p.Plan)
		}
	}
	var got []string
	for _, m := range matrices() {
		got = append(got, m.plans...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("taken through faults: %q, want %q", got, want)
	}
}

// TestThePictureHasEveryRow: each row is in the field of its system and its fault, in orange where it is not held, with its words.
func TestThePictureHasEveryRow(t *testing.T) {
	budget := flowtest.Budget{Machine: 1000, Slack: 100}
	rows := []flowtest.Row{
		{System: "booking, pms", Fault: "hang", Case: "one", Want: []string{"a"}, Got: "a", Took: 1000, Budget: budget},
		{System: "booking, pms", Fault: "hang", Case: "two", Want: []string{"a"}, Got: "a", Budget: budget},
		{System: "entry, pms", Fault: "slow", Want: []string{"a"}, Got: "b", Budget: budget},
		{System: "entry, pms", Fault: "500", Want: []string{"a"}, Got: "a", Took: 1101, Budget: budget},
		{System: "entry, pms", Fault: "429", Want: []string{"a"}, Got: "a", Wrong: "lost", Budget: budget},
	}
	var fields []field
	for i := range rows {
		fields = append(fields, fieldOf(&rows[i]))
		if f := figureOf(&rows[i]); f.missed == rows[i].Held() || f.broken == rows[i].Held() || f.missed && !strings.Contains(f.target, "a") || !strings.Contains(f.value, rows[i].Wrong) {
			t.Errorf("%+v", f)
		}
	}
	picture := fieldsSVG("", fields)
	for part, n := range map[string]int{"<rect": len(rows) + 2 + len(shades()), "<title>": len(rows), ">booking, pms<": 1, ">entry, pms<": 1, ">hang<": 1, ">429<": 1, ">500<": 1, `fill="` + notHeld + `"`: 4,
		"booking, pms: hang (one): a, ": 1, `fill="` + (&field{share: 1, held: true}).colour() + `"`: 2} {
		if got := strings.Count(picture, part); got != n {
			t.Errorf("%s is there %d times, want %d\n%s", part, got, n, picture)
		}
	}
}
