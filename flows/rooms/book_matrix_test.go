package rooms_test

import (
	"fmt"
	"testing"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// bookFaults are the rows of the budget matrix: the outcomes that each fault may have.
func bookFaults() []struct {
	path  string
	fault twin.Fault
	after bool
	want  []string
} {
	type row = struct {
		path  string
		fault twin.Fault
		after bool
		want  []string
	}
	const unclear, down = "a person: room-booking-unclear", "503 backend-unavailable"
	var all []row
	for _, f := range twin.Faults() {
		look, book := []string{down}, []string{unclear}
		switch f {
		case twin.Slow: // a short answer may come within the slice
			look, book = append(look, "booked"), append(book, "booked")
		}
		all = append(all, row{"/par", f, false, look}, row{"/rsv", f, false, book})
		if f != twin.Slow && f != twin.Refuse {
			all = append(all, row{"/rsv", f, true, []string{unclear}})
		}
	}
	return all
}

// TestBookingBudgetMatrix takes one wish through every fault of the hotel's system and of the ledger: in time, with a declared
// outcome, and in the end the hotel has what the citizen was told and nothing else.
func TestBookingBudgetMatrix(t *testing.T) {
	t.Parallel()
	faults := bookFaults()
	if testing.Short() {
		faults = flowtest.EveryNth(faults, 3)
	}
	var hotels []checkintest.Hotel
	for i := range faults {
		hotels = append(hotels, placed(fmt.Sprintf("hotel-%d", i), 0, ""))
	}
	c := startBooking(t, hotels...)
	budget := flowtest.Budget{Machine: checkintest.Budget, Slack: checkintest.Slack}
	each := make([]int, len(faults))
	for i := range each {
		each[i] = i
	}
	rows := flowtest.Rows(each, func(i int) []flowtest.Row {
		f, hotel := faults[i], hotels[i].ID
		wish := c.find(hotel, "STD").wish("王小明")
		c.Dial(hotel, "pms", twin.Dial{Fault: f.fault, AfterEffect: f.after, Path: f.path})
		a := c.book(hotel, "li", "", wish)
		c.Dial(hotel, "pms", twin.Dial{})
		row := flowtest.Row{System: "pms " + f.path, Fault: string(f.fault), Want: f.want, Budget: budget, Got: checkintest.Outcome(t, a), Took: a.Took}
		if f.after {
			row.Fault += " after the effect"
		}
		return []flowtest.Row{row}
	})
	c.Quiet()
	for i := range rows {
		rows[i].Wrong = c.wrong(hotels[i].ID, rows[i].Got)
	}
	flowtest.Report(t, append(rows, bookLedgerRows(t, budget)...))
}

// bookLedgerRows has a town for each fault of the ledger: one that hangs takes the whole budget, and the others happen meanwhile.
func bookLedgerRows(t *testing.T, budget flowtest.Budget) []flowtest.Row {
	return flowtest.Rows(flowtest.LedgerFaults(testing.Short()), func(f flowtest.LedgerFault) []flowtest.Row {
		c := startBooking(t, placed("ledger", 0, ""))
		defer c.Stop()
		c.want(c.book("ledger", "li", "", c.find("ledger", "STD").wish("first")), 201, "booked") // warms up
		row := f.Row(budget, "503 ledger-unavailable", "booked")
		wish := c.find("ledger", "STD").wish("second")
		before := c.standing("ledger")
		a := f.During(c.City, func() flowtest.Answer { return c.book("ledger", "li", "", wish) })
		row.Got, row.Took = checkintest.Outcome(t, a), a.Took
		c.Quiet()
		if n := c.standing("ledger") - before; n != 0 && row.Got != "booked" || n != 1 && row.Got == "booked" {
			row.Wrong = fmt.Sprintf("%d more stand at the hotel", n)
		}
		return []flowtest.Row{row}
	})
}

// wrong holds what a hotel has, and what the ledger has of it, against what was said.
func (c bookTown) wrong(hotel, got string) string {
	stands, kept := c.standing(hotel), c.Number(`SELECT count(*) FROM room_bookings WHERE venue = $1`, hotel)
	if want := 0; got == "booked" {
		want = 1
		if stands != want || kept != 1 {
			return fmt.Sprintf("%d stand at the hotel, %d in the ledger", stands, kept)
		}
	} else if stands != want || kept != 0 {
		return fmt.Sprintf("not booked, and %d stand at the hotel, %d in the ledger", stands, kept)
	}
	return ""
}
