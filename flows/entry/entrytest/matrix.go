package entrytest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// budget is the journey's.
func budget() flowtest.Budget {
	return flowtest.Budget{Machine: 800 * time.Millisecond, Slack: 150 * time.Millisecond}
}

// The outcomes of the matrix.
const (
	openLive       = "open by ticketing"
	openPending    = "open by ticketing, redeem pending"
	openSigned     = "open by signature, redeem pending"
	openPrewarmed  = "open by prewarmed, redeem pending"
	redeemedAlways = "; redeemed once" // in the end
	askUnverified  = "a person: ticket-unverified"
	askRedeemLate  = "a person: redeem-late"
	notRecorded    = "503 ledger-unavailable; nobody inside"
)

// field is a row before it has happened, at a spot of its own, so that no breaker is another's.
type field struct {
	flowtest.Row
	spot     string
	dial     twin.Dial
	ask      bool
	evidence string // live, signed, prewarmed, none
	made     octo.Made
}

// parts of ticketing that can fail alone, by how their paths begin.
var parts = map[string]string{"find": "/redemption/lookup", "redeem": "/redemption/redeem", "day": "/availability"}

// Matrix takes one visitor through every field: each fault of ticketing and of the ledger, at each place. The short
// form takes every seventh of ticketing's fields.
func Matrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	fields := ticketingFields()
	if short {
		fields = flowtest.EveryNth(fields, 7)
	}
	var broken []flowtest.Row
	var beside sync.WaitGroup
	beside.Go(func() { broken = ledgerRows(t) })
	rows := ticketingRows(t, fields)
	beside.Wait()
	return append(rows, broken...)
}

func ticketingFields() (all []field) {
	add := func(backend string, f twin.Fault, after, ask bool, evidence, want string) {
		x := field{ask: ask, evidence: evidence, dial: twin.Dial{Fault: f, AfterEffect: after, Path: parts[backend]}}
		x.System, x.Fault, x.Budget = "ticketing "+backend, string(f), budget()
		x.Case = "open, " + evidence
		if ask {
			x.Case = "ask, " + evidence
		}
		if after {
			x.Fault += " after the effect"
		}
		if strings.HasPrefix(want, "open") {
			want += redeemedAlways
		}
		x.Want = []string{want}
		x.spot = fmt.Sprintf("spot-%d", len(all))
		all = append(all, x)
	}
	for _, f := range twin.Faults() {
		for _, ask := range []bool{false, true} {
			late := func(open string) string {
				if ask {
					return askRedeemLate
				}
				return open
			}
			add("all", f, false, ask, "none", askUnverified)
			add("all", f, false, ask, "signed", late(openSigned))
			add("all", f, false, ask, "prewarmed", late(openPrewarmed))
			add("find", f, false, ask, "none", askUnverified)
			add("find", f, false, ask, "prewarmed", "open by prewarmed")
			add("redeem", f, false, ask, "live", late(openPending))
			if f != twin.Slow { // the effect of a slow answer has taken place in any case
				add("redeem", f, true, ask, "live", late(openPending))
			}
			add("day", f, false, ask, "live", openLive)
		}
	}
	return all
}

func ticketingRows(t testing.TB, fields []field) []flowtest.Row {
	signer := NewSigner(t)
	var spots []flowtest.Spot
	for _, f := range fields {
		settings := strings.Replace(flowtest.DefaultSettings, "every: 1s", "every: 1h", 1) + signer.Settings()
		if f.ask {
			settings += "  ticketing_late: ask\n"
		}
		spots = append(spots, flowtest.Spot{ID: f.spot, Settings: settings})
	}
	c := flowtest.Options{Before: func(c *flowtest.City) {
		for i := range fields {
			fields[i].made = c.Tickets[fields[i].spot].Fresh()
		}
	}}.Start(t, Flows(t), spots...)
	for _, f := range fields {
		Warmed(c, f.spot)
	}
	return flowtest.Rows(fields, func(f field) []flowtest.Row { return []flowtest.Row{f.happen(c, signer)} })
}

func (f field) happen(c *flowtest.City, signer Signer) flowtest.Row {
	if f.evidence == "none" || f.evidence == "live" {
		f.made = c.Tickets[f.spot].Fresh() // issued after the pre-warming
	}
	ticket := map[string]any{"code": f.made.Units[0].Code}
	if f.evidence == "signed" {
		ticket = map[string]any{"signed": signer.Sign(c.T, Claims(f.spot, f.made, 0))}
	}
	if err := c.Twins.Dial("octo", f.spot, f.dial); err != nil {
		c.T.Error(err)
	}
	a := Show(c, f.spot, "north-1", newScan(), ticket)
	if err := c.Twins.Dial("octo", f.spot, twin.Dial{}); err != nil {
		c.T.Error(err)
	}
	f.Got, f.Took = outcome(c.T, a), a.Took
	if strings.HasPrefix(f.Got, "open") {
		c.Eventually("the redemption at "+f.spot, func() bool { return Effects(c, f.spot, f.made.Units[0].UUID) == 1 })
		f.Got += redeemedAlways
	}
	return f.Row
}

// ledgerRows breaks the ledger, which all spots have in common, one fault after another.
func ledgerRows(t testing.TB) (rows []flowtest.Row) {
	const spot = "spot-ledger"
	c := flowtest.Start(t, Flows(t), flowtest.Spot{ID: spot, Settings: strings.Replace(flowtest.DefaultSettings, "every: 1s", "every: 1h", 1)})
	Show(c, spot, "north-1", newScan(), map[string]any{"code": c.Tickets[spot].Fresh().Code}) // the first one warms up
	for _, f := range flowtest.LedgerFaults(false) {
		want := notRecorded
		if f.At == ledgertest.AtView {
			want = "open by ticketing" + redeemedAlways
		}
		rows = append(rows, ledgerRow(c, spot, f, want))
	}
	return rows
}

func ledgerRow(c *flowtest.City, spot string, f flowtest.LedgerFault, want string) flowtest.Row {
	row := f.Row(budget(), want)
	row.Case = "open, live"
	ticket := c.Tickets[spot].Fresh()
	a := f.During(c, func() flowtest.Answer {
		return Show(c, spot, "north-1", newScan(), map[string]any{"code": ticket.Code})
	})
	row.Got, row.Took = outcome(c.T, a), a.Took
	unit := ticket.Units[0].UUID
	if strings.HasPrefix(row.Got, "open") { // what is decided is decided in commits
		c.Eventually("the redemption of a ticket that was let in", func() bool { return Effects(c, spot, unit) == 1 })
		row.Got += redeemedAlways
		return row
	}
	// A commit whose fate was unknown may have taken place after the answer: then its run is taken back.
	c.Eventually("nobody is inside with a ticket that was answered 503", func() bool {
		return c.Number(`SELECT count(*) FROM admissions WHERE unit = $1`, unit) == 0 &&
			c.Number(`SELECT count(*) FROM runs WHERE state IN ('running', 'recovering')`) == 0
	})
	if Effects(c, spot, unit) == 0 {
		row.Got += "; nobody inside"
	}
	return row
}
