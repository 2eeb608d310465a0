package parkingtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// The outcomes.
const (
	open        = "open"
	openUnkept  = "open, not recorded"
	notRecorded = "503 ledger-unavailable"
)

// budget is the journeys'.
func budget() flowtest.Budget {
	return flowtest.Budget{Machine: flowtest.OneCommit, Slack: 2 * flowtest.OneCommit / 3}
}

// field is one fault of one or both systems of a lot.
type field struct {
	name    string
	systems []string
	fault   twin.Fault
	after   bool // the effect of a charge takes place, and its answer is lost
}

// side is one lot, and the faults that it meets one after the other.
type side struct {
	lot    Lot
	fields []field
}

// Matrix takes cars through every fault of the city, of the payment provider and of both, before and after the effect of a
// charge, and through every fault of the ledger. The short form takes every fourth.
func Matrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	var sides []side
	for name, s := range map[string]struct {
		collect string
		systems []string
	}{
		"city": {"city", []string{City}}, "payment": {"payment", []string{Payment}}, "city and payment": {"payment", []string{City, Payment}},
	} {
		all := fields(name, s.systems)
		if short {
			all = flowtest.EveryNth(all, 4)
		}
		for i := range lotsPerSystem {
			x := side{lot: Lot{ID: fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), i), Collect: s.collect}}
			for k := i; k < len(all); k += lotsPerSystem {
				x.fields = append(x.fields, all[k])
			}
			sides = append(sides, x)
		}
	}
	slices.SortFunc(sides, func(a, b side) int { return strings.Compare(a.lot.ID, b.lot.ID) })
	var broken []flowtest.Row
	var beside sync.WaitGroup
	beside.Go(func() { broken = ledgerRows(t, short) })
	rows := systemRows(t, sides)
	beside.Wait()
	return append(rows, broken...)
}

// lotsPerSystem is how many lots share the faults of a system.
const lotsPerSystem = 2

func fields(name string, systems []string) (all []field) {
	for _, f := range twin.Faults() {
		all = append(all, field{name, systems, f, false})
		if f != twin.Slow && f != twin.Refuse { // the effect of a slow answer takes place in any case; a refused connection has none
			all = append(all, field{name, systems, f, true})
		}
	}
	return all
}

// chargePaths is where each system is asked to collect.
func chargePaths() map[string]string {
	return map[string]string{City: "/api/v2/cp/applyPayment", Payment: "/v3/vehicle/transactions/parking"}
}

func systemRows(t testing.TB, sides []side) []flowtest.Row {
	var lots []Lot
	for _, s := range sides {
		lots = append(lots, s.lot)
	}
	c := Start(t, lots...)
	return flowtest.Rows(sides, func(s side) (rows []flowtest.Row) {
		for _, f := range s.fields {
			if !f.after {
				rows = append(rows, flowtest.Again(func() []flowtest.Row { return f.unknownCar(c, s.lot) })...)
			}
			rows = append(rows, flowtest.Again(func() []flowtest.Row { return []flowtest.Row{f.knownCar(c, s.lot)} })...)
		}
		return rows
	})
}

func (f field) row(of string) flowtest.Row {
	r := flowtest.Row{System: f.name, Fault: string(f.fault), Case: of, Want: []string{open}, Budget: budget()}
	if f.after {
		r.Fault += " after the effect"
	}
	return r
}

// unknownCar comes and leaves while nobody hears of it. It is reported in the end; its citizen pays, or whoever collects once
// they have heard of it and permit it late.
func (f field) unknownCar(c *Town, lot Lot) []flowtest.Row {
	in, out := f.row("an entry"), f.row("an exit, nobody has heard of the car")
	plate, stays := c.Plate(), len(c.Cities[lot.ID].ReadBooks().Stays)
	c.Dial(lot.ID, f.systems, twin.Dial{Fault: f.fault})
	a := c.Pass(lot.ID, "entries", c.Event(plate, c.Entered()))
	in.Got, in.Took = Outcome(c.T, a), a.Took
	event := c.Event(plate, time.Now())
	a = c.Pass(lot.ID, "exits", event)
	out.Got, out.Took = Outcome(c.T, a), a.Took
	c.Dial(lot.ID, f.systems, twin.Dial{})
	c.Delivered(lot.ID)
	if told := c.Cities[lot.ID].ReadBooks(); len(told.Stays) != stays+1 || told.Stays[stays].Left == "" {
		in.Wrong = fmt.Sprintf("the city has heard of %d cars more, and refused %+v", len(told.Stays)-stays, told.Refused)
	}
	if state := c.BillState(lot.ID, event["event_id"].(string)); state != "billed" && state != "pay-pending" && state != "paid" {
		out.Wrong = "its bill is " + state
	}
	return []flowtest.Row{in, out}
}

// knownCar may pay later, and leaves while whoever collects fails. It is charged once.
func (f field) knownCar(c *Town, lot Lot) flowtest.Row {
	r := f.row("an exit, to be charged")
	plate := c.Plate()
	before := c.permissions(lot)
	c.Pass(lot.ID, "entries", c.Event(plate, c.Entered()))
	c.Delivered(lot.ID)
	if !c.Soon(func() bool { return c.permissions(lot) > before }) {
		r.Wrong = fmt.Sprintf("the car may not pay later; the city has refused %+v", c.Cities[lot.ID].ReadBooks().Refused)
		return r
	}
	for _, system := range f.systems {
		d := twin.Dial{Fault: f.fault}
		if f.after {
			d.AfterEffect, d.Path = true, chargePaths()[system]
		}
		c.Dial(lot.ID, []string{system}, d)
	}
	event := c.Event(plate, time.Now())
	a := c.Pass(lot.ID, "exits", event)
	r.Got, r.Took = Outcome(c.T, a), a.Took
	if f.after && !c.Soon(func() bool { return c.charged(lot, plate) > 0 }) {
		r.Wrong = "it was not charged; "
	}
	c.Dial(lot.ID, f.systems, twin.Dial{})
	c.Delivered(lot.ID)
	if state := c.Collection(lot.ID, event["event_id"].(string)); state != "accepted" && state != "paid" {
		r.Wrong += fmt.Sprintf("the charge is %q; ", state)
	}
	if n := c.charged(lot, plate); n != 1 {
		r.Wrong += fmt.Sprintf("it was charged %d times", n)
	}
	return r
}

// permissions is how often whoever collects for a lot has said of a car that it may pay later.
func (c *Town) permissions(lot Lot) int64 {
	return c.Number(`SELECT COUNT(*) FROM parking_permissions WHERE venue = $1 AND source = $2 AND state = 'granted'`, lot.ID, lot.Collect)
}

// charged is how many of a car's bills whoever collects for a lot has collected, by their own books.
func (c *Town) charged(lot Lot, plate string) (n int) {
	if lot.Collect == "city" {
		city := c.Cities[lot.ID]
		books := city.ReadBooks()
		for _, s := range books.Stays {
			for _, b := range books.Bills {
				if s.Plate == city.Plate(plate) && b.UID == s.UID {
					n++
				}
			}
		}
		return n
	}
	provider := c.Providers[lot.ID]
	for _, x := range provider.ReadBooks().Charges {
		if x.State == wechatpay.Success && x.Plate == provider.Plate(plate, wechatpay.Blue) {
			n++
		}
	}
	return n
}

// ledgerRows breaks the ledger, which all lots have in common, one fault after another, under an entry and under an exit.
func ledgerRows(t testing.TB, short bool) (rows []flowtest.Row) {
	const lot = "ledger"
	c := Start(t, Lot{ID: lot})
	c.Pass(lot, "entries", c.Event(c.Plate(), time.Now())) // the first one warms up
	for _, f := range flowtest.LedgerFaults(short) {
		in, out := notRecorded, openUnkept
		if f.At == ledgertest.AtView { // both are one commit
			in, out = open, open
		}
		rows = append(rows, flowtest.Again(func() []flowtest.Row {
			plate := c.Plate()
			return []flowtest.Row{ledgerRow(c, f, "entries", "an entry", c.Event(plate, time.Now().Add(-time.Minute)), in),
				ledgerRow(c, f, "exits", "an exit", c.Event(plate, time.Now()), out)}
		})...)
	}
	return rows
}

// ledgerRow sends an event while the ledger fails, and again, twice, once it works: it is kept once.
func ledgerRow(c *Town, f flowtest.LedgerFault, direction, of string, event map[string]any, want string) flowtest.Row {
	const lot = "ledger"
	row := f.Row(budget(), want)
	row.Case = of
	a := f.During(c.City, func() flowtest.Answer { return c.Pass(lot, direction, event) })
	row.Got, row.Took = Outcome(c.T, a), a.Took
	first := c.Pass(lot, direction, event)
	again := c.Pass(lot, direction, event)
	readings := c.Number(`SELECT COUNT(*) FROM parking_events WHERE event = $1`, event["event_id"])
	bills := c.Number(`SELECT COUNT(*) FROM parking_bills b JOIN parking_events e ON e.stay = b.stay WHERE e.event = $1`, event["event_id"])
	if Outcome(c.T, first) != open || Outcome(c.T, again) != open || readings != 1 || direction == "exits" && bills != 1 {
		row.Wrong = fmt.Sprintf("sent again it was answered %d and %d; %d readings, %d bills", first.Status, again.Status, readings, bills)
	}
	return row
}
