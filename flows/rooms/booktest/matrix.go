package booktest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// The outcomes.
const (
	booked      = "booked"
	unclear     = "a person: room-booking-unclear"
	down        = "503 backend-unavailable"
	notRecorded = "503 ledger-unavailable"
	off         = "cancelled"
	offLater    = "cancelled, cancel pending"
)

func budget() flowtest.Budget {
	return flowtest.Budget{Machine: checkintest.Budget, Slack: checkintest.Slack}
}

// field is one fault of a part of a hotel's system: of a hotel of its own, so that no breaker is another's.
type field struct {
	flowtest.Row
	hotel string
	dial  twin.Dial
}

func fieldAt(n int, part, path string, f twin.Fault, after bool, want ...string) field {
	x := field{hotel: fmt.Sprintf("hotel-%d", n), dial: twin.Dial{Fault: f, AfterEffect: after, Path: path}}
	x.System, x.Fault, x.Want, x.Budget = "pms "+part, string(f), want, budget()
	if after {
		x.Fault += " after the effect"
	}
	return x
}

// takesEffect reports whether a fault may come after a call's effect: that of a slow answer takes place in any case, and a refused
// connection has none.
func takesEffect(f twin.Fault) bool { return f != twin.Slow && f != twin.Refuse }

// Matrix takes one wish through every fault of the hotel's system and of the ledger: in time, with a declared outcome, and in the end
// the hotel has what the citizen was told and nothing else. The short form takes every third.
func Matrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	var fields []field
	for _, f := range twin.Faults() {
		look, book := []string{down}, []string{unclear}
		if f == twin.Slow { // a short answer may come within the slice
			look, book = append(look, booked), append(book, booked)
		}
		fields = append(fields, fieldAt(len(fields), "offers", "/par", f, false, look...), fieldAt(len(fields)+1, "reservations", "/rsv", f, false, book...))
		if takesEffect(f) {
			fields = append(fields, fieldAt(len(fields), "reservations", "/rsv", f, true, unclear))
		}
	}
	rows := through(t, fields, short, func(c Town, f field) flowtest.Row {
		wish := c.Find(f.hotel, "STD").Wish("王小明")
		c.Dial(f.hotel, "pms", f.dial)
		a := c.Book(f.hotel, "li", "", wish)
		c.Dial(f.hotel, "pms", twin.Dial{})
		f.Got, f.Took = checkintest.Outcome(c.T, a), a.Took
		return f.Row
	}, Town.Wrong)
	return append(rows, ledgerRows(t, short, []string{notRecorded, booked}, func(c Town, f flowtest.LedgerFault, row *flowtest.Row) {
		wish := c.Find(ledgers, "STD").Wish("second")
		a := f.During(c.City, func() flowtest.Answer { return c.Book(ledgers, "li", "", wish) })
		row.Got, row.Took = checkintest.Outcome(c.T, a), a.Took
		c.Quiet()
		if n := c.Standing(ledgers) - 1; n != 0 && row.Got != booked || n != 1 && row.Got == booked {
			row.Wrong = fmt.Sprintf("%d more stand at the hotel", n)
		}
	})...)
}

// CancelMatrix has a booking called off under every fault of the hotel's system and of the ledger: the citizen is free at once, the
// hotel hears of it later, and once. The short form takes every third.
func CancelMatrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	var fields []field
	for _, f := range twin.Faults() {
		want := []string{offLater}
		if f == twin.Slow {
			want = append(want, off)
		}
		fields = append(fields, fieldAt(len(fields), "cancellations", "/rsv", f, false, want...))
		if takesEffect(f) { // what has happened may be asked for within the slice
			fields = append(fields, fieldAt(len(fields), "cancellations", "/rsv", f, true, offLater))
		}
	}
	rows := through(t, fields, short, func(c Town, f field) flowtest.Row {
		number := c.booked(f.hotel)
		c.Dial(f.hotel, "pms", f.dial)
		a := c.CallOff(f.hotel, "li", number)
		c.Dial(f.hotel, "pms", twin.Dial{})
		f.Got, f.Took = calledOff(c.T, a), a.Took
		return f.Row
	}, Town.wrongOff)
	return append(rows, ledgerRows(t, short, []string{notRecorded, off}, func(c Town, f flowtest.LedgerFault, row *flowtest.Row) {
		number := c.number(ledgers)
		a := f.During(c.City, func() flowtest.Answer { return c.CallOff(ledgers, "li", number) })
		row.Got, row.Took = calledOff(c.T, a), a.Took
		c.Quiet()
		// A commit that hung may have landed once it was let go, after the answer.
		if n := c.Standing(ledgers); n != 0 && row.Got == off || n != 1 && row.Got != off && f.Fault != ledgertest.Hang {
			row.Wrong = fmt.Sprintf("%d stand at the hotel", n)
		}
	})...)
}

// through lets every field happen in one town, and holds what has come of it in the end.
func through(t testing.TB, fields []field, short bool, happen func(Town, field) flowtest.Row, wrong func(c Town, hotel, got string) string) []flowtest.Row {
	if short {
		fields = flowtest.EveryNth(fields, 3)
	}
	var hotels []checkintest.Hotel
	for _, f := range fields {
		hotels = append(hotels, Placed(f.hotel, 0, ""))
	}
	c := Start(t, hotels...)
	rows := flowtest.Rows(fields, func(f field) []flowtest.Row { return []flowtest.Row{happen(c, f)} })
	c.Quiet()
	for i := range rows {
		rows[i].Wrong = wrong(c, fields[i].hotel, rows[i].Got)
	}
	return rows
}

// ledgers is the hotel that is there while the ledger fails.
const ledgers = "ledger"

// ledgerRows has a town for each fault of the ledger: one that hangs takes the whole budget, and the others happen meanwhile. There
// is a booking already.
func ledgerRows(t testing.TB, short bool, want []string, happen func(Town, flowtest.LedgerFault, *flowtest.Row)) []flowtest.Row {
	return flowtest.Rows(flowtest.LedgerFaults(short), func(f flowtest.LedgerFault) []flowtest.Row {
		c := Start(t, Placed(ledgers, 0, ""))
		defer c.Stop()
		c.booked(ledgers) // warms up
		row := f.Row(budget(), want...)
		happen(c, f, &row)
		return []flowtest.Row{row}
	})
}

// booked books a room and returns its number.
func (c Town) booked(hotel string) string {
	c.T.Helper()
	a := c.Book(hotel, "li", "", c.Find(hotel, "STD").Wish("王小明"))
	if got := checkintest.Outcome(c.T, a); got != booked {
		c.T.Fatalf("%s: %s", hotel, got)
	}
	return c.number(hotel)
}

// number is that of the only reservation that stands at a hotel and was made by us.
func (c Town) number(hotel string) string {
	for _, r := range c.OHIP[hotel].ReadBooks().Reservations {
		if r.Reference != "" && r.Status != ohip.StatusCancelled {
			return r.Confirmation
		}
	}
	return ""
}

// calledOff says in a word what an answer told who has called a booking off.
func calledOff(t testing.TB, a flowtest.Answer) string {
	t.Helper()
	if a.Status != http.StatusOK {
		return checkintest.Outcome(t, a)
	}
	return checkintest.Decision(t, a)
}

// wrongOff holds what a hotel has of a booking that was called off: nothing stands, and it was called off once.
func (c Town) wrongOff(hotel, _ string) string {
	times := 0
	for _, r := range c.OHIP[hotel].ReadBooks().Reservations {
		for _, h := range r.History {
			if r.Reference != "" && h.Status == ohip.StatusCancelled {
				times++
			}
		}
	}
	if n := c.Standing(hotel); n != 0 || times != 1 {
		return fmt.Sprintf("%d stand at the hotel, which has heard of it %d times", n, times)
	}
	return ""
}
