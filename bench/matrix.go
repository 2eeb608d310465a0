package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking/parkingtest"
)

// provesMatrix takes visitors of an attraction and cars of a lot through each fault of their systems and of the ledger, as
// the journeys' own tests do, and prints what came of each.
func provesMatrix(r *run) error {
	testing.Init()
	if err := flag.CommandLine.Parse(nil); err != nil {
		return err
	}
	var rows []flowtest.Row
	testing.Benchmark(func(b *testing.B) { // a testing.TB outside of a test
		if rows == nil {
			rows = append(entrytest.Matrix(b, r.n == 1), parkingtest.Matrix(b, r.n == 1)...)
		}
	})
	if len(rows) == 0 {
		return errors.New("the matrix did not come to its end")
	}
	held := 0
	picture := table{title: "The budget matrix",
		note: "Each system under each fault: how much of the machine budget the answer took. Fields of several cases are parted; the outcomes are below."}
	for _, row := range rows {
		picture.fields = append(picture.fields, field{row: row.System, column: row.Fault, held: row.Held(), share: float64(row.Took) / float64(row.Machine),
			words: fmt.Sprintf("%s: %s, %.0f ms of %s", row.Name(), row.Got, millis(row.Took), row.Machine)})
		if row.Held() {
			held++
		}
		f := figure{
			name: row.Name(), value: fmt.Sprintf("%s, %3.0f ms", row.Got, millis(row.Took)),
			target: fmt.Sprintf("≤ %s, %s for the client", row.Machine, row.Slack), missed: !row.Held(), broken: !row.Held(),
		}
		if f.missed {
			f.target += ", " + strings.Join(row.Want, " or ")
		}
		r.report.figures = append(r.report.figures, f)
	}
	r.report.tables = append(r.report.tables, picture)
	r.report.exactly("fields that held", held, len(rows))
	return nil
}
