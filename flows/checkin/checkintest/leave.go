package checkintest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// The outcomes of a check-out.
const (
	left           = "checked-out"
	leftKeys       = "checked-out, key-off pending"
	leftDepartures = "checked-out, departures pending"
	leaveUnclear   = "a person: check-out-unclear"
)

// leavings is how often a field of a check-out may happen, each time to another guest.
const leavings = 3

// leaveField is a row of a check-out before it has happened.
type leaveField struct {
	flowtest.Row
	hotel  string
	system string
	dial   twin.Dial
	stays  []Booked
}

// LeaveMatrix has a guest leave under each fault of the hotel's system, at each of its parts, and of the police, before and after its
// effect, and under each fault of the ledger. The short form takes every third.
func LeaveMatrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	fields := leaveFields()
	if short {
		fields = flowtest.EveryNth(fields, 3)
	}
	var broken []flowtest.Row
	var beside sync.WaitGroup
	beside.Go(func() { broken = leaveLedgerRows(t, short) })
	var hotels []Hotel
	for _, f := range fields {
		hotels = append(hotels, Hotel{ID: f.hotel})
	}
	c := Start(t, nil, hotels...)
	flowtest.Rows(fields, func(f *leaveField) []flowtest.Row {
		for range leavings {
			f.stays = append(f.stays, c.moveIn(f.hotel))
		}
		return nil
	})
	c.Tomorrow()
	rows := flowtest.Rows(fields, func(f *leaveField) []flowtest.Row {
		return flowtest.Again(func() []flowtest.Row { return []flowtest.Row{f.happen(c)} })
	})
	beside.Wait()
	return append(rows, broken...)
}

func leaveFields() (all []*leaveField) {
	add := func(system, part, path string, f twin.Fault, after bool, want ...string) {
		x := &leaveField{system: system, dial: twin.Dial{Fault: f, AfterEffect: after, Path: path}, hotel: fmt.Sprintf("leave-%d", len(all))}
		x.System, x.Fault, x.Want, x.Budget = strings.TrimSpace(system+" "+part), string(f), want, budget()
		if after {
			x.Fault += " after the effect"
		}
		all = append(all, x)
	}
	for _, f := range twin.Faults() {
		for _, after := range []bool{false, true} {
			if after && (f == twin.Slow || f == twin.Refuse) { // as for a check-in
				continue
			}
			could := func(want ...string) []string {
				if f == twin.Slow {
					return append(want, left)
				}
				return want
			}
			add("pms", "checkOuts", "/csh", f, after, could(leaveUnclear)...)
			add("pms", "roomKeys", "/fof", f, after, could(leftKeys)...)
			add("police", "", "", f, after, could(leftDepartures)...)
		}
	}
	return all
}

// moveIn checks somebody in.
func (c *Town) moveIn(hotel string) Booked {
	c.T.Helper()
	b := c.Book(hotel, "")
	if got := Outcome(c.T, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != good {
		c.T.Fatalf("%s: %s", hotel, got)
	}
	return b
}

// happen lets the next guest leave.
func (f *leaveField) happen(c *Town) flowtest.Row {
	b := f.stays[0]
	f.stays = f.stays[1:]
	c.Dial(f.hotel, f.system, f.dial)
	a := c.CheckOut(f.hotel, b.People[0])
	c.Dial(f.hotel, f.system, twin.Dial{})
	f.Got, f.Took = Outcome(c.T, a), a.Took
	c.Eventually("the outbox of "+f.hotel, func() bool {
		return c.Number(`SELECT count(*) FROM messages WHERE state = 'waiting' AND venue = $1`, f.hotel) == 0
	})
	open := c.Number(`SELECT count(*) FROM assists WHERE venue = $1 AND state = 'open'`, f.hotel)
	if f.Got != leaveUnclear {
		f.Wrong = leftWrong(c.Truth(b))
	} else if open == 0 {
		f.Wrong = "nobody is asked to find out"
	}
	return f.Row
}

// leftWrong holds what the systems have of who has left: no card opens the door, and the police know.
func leftWrong(x Truth) string {
	if !x.Left || x.Keys > 0 || slices.ContainsFunc(x.Police, func(r police.Booked) bool { return r.State != police.Departed }) {
		return fmt.Sprintf("said to have left: %+v", x)
	}
	return ""
}

// leaveLedgerRows has a town for each fault of the ledger.
func leaveLedgerRows(t testing.TB, short bool) []flowtest.Row {
	const hotel = "ledger"
	return flowtest.Rows(flowtest.LedgerFaults(short), func(f flowtest.LedgerFault) []flowtest.Row {
		c := Start(t, nil, Hotel{ID: hotel})
		defer c.Stop()
		b := c.moveIn(hotel)
		c.Tomorrow()
		row := f.Row(budget(), notRecorded, left)
		a := f.During(c.City, func() flowtest.Answer { return c.CheckOut(hotel, b.People[0]) })
		row.Got, row.Took = Outcome(c.T, a), a.Took
		if c.Quiet(); row.Got == left {
			row.Wrong = leftWrong(c.Truth(b))
		} else if a := c.CheckOut(hotel, b.People[0]); a.Status != http.StatusCreated { // whoever was not let go may go now
			row.Wrong = "afterwards: " + Outcome(c.T, a)
		}
		return []flowtest.Row{row}
	})
}
