package checkintest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// Budget is the journey's machine budget in the tests' configuration. A check-in may take Slack more: the sockets and the
// client's own scheduling on a busy machine.
const (
	Budget = 3 * time.Second
	Slack  = 200 * time.Millisecond
)

func budget() flowtest.Budget { return flowtest.Budget{Machine: Budget, Slack: Slack} }

// field is a row before it has happened, at a hotel of its own, so that no breaker is another's.
type field struct {
	flowtest.Row
	hotel string
	dials map[string]twin.Dial // by system
	part  string               // of the pms: how the path of the booking's call ends
	keeps bool                 // the booking's stay has begun in the end
}

// The outcomes.
const (
	good        = "checked-in"
	later       = "checked-in, register pending"
	noHotel     = "a person: hotel-unreachable"
	noIdentity  = "a person: identity-unreachable"
	unclear     = "a person: check-in-unclear"
	noKey       = "a person: key"
	notRecorded = "503 ledger-unavailable"
)

// Matrix takes one guest through every field: each fault of each system, at each of its parts, before and after its effect;
// each pair of systems hanging; each fault of the ledger. The short form takes every fifth.
func Matrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	fields := systemFields()
	if short {
		fields = flowtest.EveryNth(fields, 5)
	}
	var broken []flowtest.Row
	var beside sync.WaitGroup
	beside.Go(func() { broken = ledgerRows(t, short) })
	rows := systemRows(t, append(fields, pairFields()...))
	beside.Wait()
	return append(rows, broken...)
}

func systemFields() (all []field) {
	add := func(system, part string, f twin.Fault, after, keeps bool, want ...string) {
		x := field{part: part, keeps: keeps, dials: map[string]twin.Dial{system: {Fault: f, AfterEffect: after}}}
		x.System, x.Fault, x.Want, x.Budget = strings.TrimSpace(system+" "+part), string(f), want, budget()
		if after {
			x.Fault += " after the effect"
		}
		x.hotel = fmt.Sprintf("hotel-%d", len(all))
		all = append(all, x)
	}
	for _, f := range twin.Faults() {
		add("pms", "", f, false, false, noHotel)
		add("identity", "", f, false, false, noIdentity)
		add("police", "", f, false, true, later)
		if f == twin.Slow { // its answer is short: it may come within the slice
			add("pms", "roomAssignments", f, false, false, good, noHotel)
		} else {
			add("pms", "roomAssignments", f, false, false, noHotel)
		}
		add("pms", "checkIns", f, false, true, unclear)
		add("pms", "roomKeys", f, false, true, noKey)
		if f == twin.Slow || f == twin.Refuse {
			continue // the effect of a slow answer takes place in any case; a refused connection has none
		}
		add("police", "", f, true, true, later)
		add("pms", "roomAssignments", f, true, false, noHotel)
		add("pms", "checkIns", f, true, true, unclear)
		add("pms", "roomKeys", f, true, true, noKey)
	}
	return all
}

// pairFields lets each pair of systems hang.
func pairFields() (all []field) {
	add := func(a, b string, keeps bool, want ...string) {
		x := field{keeps: keeps, hotel: "pair-" + a + "-" + b, dials: map[string]twin.Dial{a: {Fault: twin.Hang}, b: {Fault: twin.Hang}}}
		x.System, x.Fault, x.Want, x.Budget = a+" and "+b, string(twin.Hang), want, budget()
		all = append(all, x)
	}
	add("pms", "identity", false, noHotel, noIdentity)
	add("pms", "police", false, noHotel)
	add("identity", "police", false, noIdentity)
	return all
}

func systemRows(t testing.TB, fields []field) []flowtest.Row {
	var hotels []Hotel
	for _, f := range fields {
		hotels = append(hotels, Hotel{ID: f.hotel})
	}
	c := Start(t, nil, hotels...)
	return flowtest.Rows(fields, func(f field) []flowtest.Row {
		return flowtest.Again(func() []flowtest.Row { return []flowtest.Row{f.happen(c)} })
	})
}

func (f field) happen(c *Town) flowtest.Row {
	b := c.Book(f.hotel, "")
	for system, d := range f.dials {
		if f.part != "" {
			d.Path = "/fof/v1/hotels/" + f.hotel + "/reservations/" + b.ID + "/" + f.part
		}
		c.Dial(f.hotel, system, d)
	}
	a := c.CheckIn(f.hotel, b.Arrival("lobby-1"))
	for system := range f.dials {
		c.Dial(f.hotel, system, twin.Dial{})
	}
	f.Got, f.Took = Outcome(c.T, a), a.Took
	c.Eventually("the outbox of "+f.hotel, func() bool {
		return c.Number(`SELECT count(*) FROM messages WHERE state = 'waiting' AND venue = $1`, f.hotel) == 0
	})
	f.Wrong = f.judge(c.Truth(b), c.Number(`SELECT count(*) FROM stays WHERE booking = $1`, b.ID), c.Number(`SELECT count(*) FROM assists WHERE venue = $1 AND state = 'open'`, f.hotel))
	return f.Row
}

// judge holds what has come of it against the forbidden states.
func (f field) judge(x Truth, stays, assists int64) string {
	keeps := f.keeps || strings.HasPrefix(f.Got, good)
	switch {
	case x.Keys > 0 && !x.InHouse:
		return fmt.Sprintf("a live key without a check-in: %+v", x)
	case x.InHouse && x.Room == "":
		return fmt.Sprintf("a check-in without a room: %+v", x)
	case x.InHouse && len(x.Police) != 1 && assists == 0:
		return fmt.Sprintf("a registration is missing: %+v", x)
	case x.CheckIns > 1 || x.KeySets > 1 || len(x.Police) > 1:
		return fmt.Sprintf("done twice: %+v", x)
	case (stays == 1) != keeps:
		return fmt.Sprintf("%d stays in the ledger", stays)
	case !keeps && (x.InHouse || x.Room != ""):
		return fmt.Sprintf("it was not taken back: %+v", x)
	case strings.HasPrefix(f.Got, good) && (!x.InHouse || x.Keys != 1 || len(x.Police) != 1):
		return fmt.Sprintf("said to be complete: %+v", x)
	}
	return ""
}

// ledgerRows breaks the ledger, which all hotels of a town have in common, in a town for each fault: one that hangs takes the whole budget, and the others happen meanwhile.
func ledgerRows(t testing.TB, short bool) []flowtest.Row {
	const hotel = "ledger"
	return flowtest.Rows(flowtest.LedgerFaults(short), func(f flowtest.LedgerFault) []flowtest.Row {
		c := Start(t, nil, Hotel{ID: hotel})
		defer c.Stop()
		first := c.Book(hotel, "")
		c.CheckIn(hotel, first.Arrival("lobby-1")) // the first one warms up
		want := []string{notRecorded}
		if f.At == ledgertest.AtView { // nothing is asked of it that a plan cannot do without
			want = []string{notRecorded, good}
		}
		return []flowtest.Row{ledgerRow(c, hotel, f, want)}
	})
}

func ledgerRow(c *Town, hotel string, f flowtest.LedgerFault, want []string) flowtest.Row {
	row := f.Row(budget(), want...)
	b := c.Book(hotel, "")
	body := b.Arrival("lobby-1")
	a := f.During(c.City, func() flowtest.Answer { return c.CheckIn(hotel, body) })
	row.Got, row.Took = Outcome(c.T, a), a.Took
	if row.Got != notRecorded {
		c.Quiet()
		return row
	}
	// A commit that hung may have landed once it was let go, after the answer: recovery takes back what it held.
	c.Eventually("nothing is left of what was not recorded", func() bool {
		c.Quiet()
		x := c.Truth(b)
		return !x.InHouse && x.Keys == 0 && x.Room == "" && c.Number(`SELECT count(*) FROM stays WHERE booking = $1`, b.ID) == 0
	})
	return row
}
