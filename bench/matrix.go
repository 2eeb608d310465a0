package main

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking/parkingtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// matrix is a journey's.
type matrix struct {
	journey string
	plans   []string // that it takes somebody through, by their names in the configuration
	rows    func(t testing.TB, short bool) []flowtest.Row
}

// matrices are those of every plan that somebody waits for and that asks a system, and of a barrier, which asks none.
func matrices() []matrix {
	return []matrix{
		{"check-in", []string{"hotel-check-in"}, checkintest.Matrix}, {"check-out", []string{"hotel-check-out"}, checkintest.LeaveMatrix},
		{"entry", []string{"scenic-entry"}, entrytest.Matrix}, {"parking", []string{"parking-entry", "parking-exit"}, parkingtest.Matrix},
		{"rooms", []string{"rooms-search"}, roomstest.Matrix}, {"booking", []string{"booking"}, booktest.Matrix},
		{"calling off", []string{"booking-cancel"}, booktest.CancelMatrix},
	}
}

// provesMatrix takes somebody through each fault of each system of every journey and of the ledger, as the journeys' own tests do,
// and prints what came of each.
func provesMatrix(r *run) error {
	testing.Init()
	if err := flag.CommandLine.Parse(nil); err != nil {
		return err
	}
	held, all := 0, 0
	picture := table{title: "The budget matrix",
		note: "Each system under each fault: how much of the machine budget the answer took. Fields of several cases are parted; the outcomes are below."}
	for _, of := range matrices() {
		var rows []flowtest.Row
		testing.Benchmark(func(b *testing.B) { // a testing.TB outside of a test
			if rows == nil {
				rows = of.rows(b, r.n == 1)
			}
		})
		if len(rows) == 0 {
			return fmt.Errorf("the matrix of %s did not come to its end", of.journey)
		}
		fmt.Fprintf(r.progress, "matrix: %d fields of %s\n", len(rows), of.journey)
		for i := range rows {
			row := &rows[i]
			row.System = of.journey + ", " + row.System
			all++
			if row.Held() {
				held++
			}
			picture.fields = append(picture.fields, fieldOf(row))
			r.report.figures = append(r.report.figures, figureOf(row))
		}
	}
	r.report.tables = append(r.report.tables, picture)
	r.report.exactly("fields that held", held, all)
	return nil
}

// fieldOf is a row in the picture.
func fieldOf(row *flowtest.Row) field {
	return field{row: row.System, column: row.Fault, held: row.Held(), share: float64(row.Took) / float64(row.Machine),
		words: fmt.Sprintf("%s: %s, %.0f ms of %s", row.Name(), row.Got, millis(row.Took), row.Machine)}
}

// figureOf is a row as a line of the report.
func figureOf(row *flowtest.Row) figure {
	f := figure{
		name: row.Name(), value: fmt.Sprintf("%s, %3.0f ms", row.Got, millis(row.Took)),
		target: fmt.Sprintf("≤ %s, %s for the client", row.Machine, row.Slack), missed: !row.Held(), broken: !row.Held(),
	}
	if f.missed {
		f.target += ", " + strings.Join(row.Want, " or ")
		if row.Wrong != "" {
			f.value += "; " + row.Wrong
		}
	}
	return f
}
