package rooms_test

import (
	"fmt"
	"strings"
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

// wrong holds what a hotel has, and what the ledger has of it, against what was said. What was unclear is the guest's where
// the hotel turns out to have it, and else is held until a person has settled it.
func (c bookTown) wrong(hotel, got string) string {
	count := func(what string) int64 {
		return c.Number(`SELECT count(*) FROM room_bookings WHERE venue = $1 AND state = $2`, hotel, what)
	}
	stands, kept, held := int64(c.standing(hotel)), count("booked"), count("held")
	open := c.Number(`SELECT count(*) FROM assists WHERE venue = $1 AND state <> 'resolved'`, hotel)
	right := stands == 0 && kept == 0 && held == 0 && open == 0
	switch {
	case got == "booked":
		right = stands == 1 && kept == 1 && held == 0 && open == 0
	case strings.HasPrefix(got, "a person"):
		right = stands == kept && held == 1-kept && open == held
	}
	if !right {
		return fmt.Sprintf("%d stand at the hotel; of the ledger's %d are booked, %d held; %d assists are open", stands, kept, held, open)
	}
	return ""
}
