package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// The states that must not be: the first four not even for a moment, the others not once everything has settled.
const (
	parkLost = iota
	parkDoubled
	parkTwice
	parkUnordered
	parkUnbooked
	parkInvented
	parkUntold
	parkRefused
	parkEndless
	parkChanged
	parkBooks
	parkLate
	parkKinds
)

// parkFaults are their names.
func parkFaults() [parkKinds]string {
	return [parkKinds]string{
		parkLost:      "bills lost: an exit that was acknowledged has none, or another",
		parkDoubled:   "bills doubled: more than one for an exit, or for a car than it has left",
		parkTwice:     "bills charged twice, at one system or at both",
		parkUnordered: "charges that no order in the ledger stands behind",
		parkUnbooked:  "charged, and not in the books",
		parkInvented:  "in the books, and never charged",
		parkUntold:    "visits that the city does not know of, and with nobody",
		parkRefused:   "events that were refused",
		parkEndless:   "events without a final answer 45 s after the restart",
		parkChanged:   "answers that changed when the exit was told again",
		parkBooks:     "ledgers whose books do not hold (books verify)",
		parkLate:      "cities not settled within 100 s of the last restart",
	}
}

// taking is money that a system says it has taken.
type taking struct {
	by, number, reference, plate string // by is payment or city; plate is what this system's books call it
	minor                        int64
}

// takings reads the systems' books.
func (lot *garage) takings() (all []taking) {
	for _, c := range lot.provider.ReadBooks().Charges {
		if c.State == wechatpay.Success {
			all = append(all, taking{"payment", c.OutTradeNo, "payment/" + c.ID, c.Plate, c.Total})
		}
	}
	books := lot.brain.ReadBooks()
	plates := map[string]string{}
	for _, s := range books.Stays {
		plates[s.UID] = s.Plate
	}
	for _, b := range books.Bills {
		if b.Status == hangzhou.Paid {
			all = append(all, taking{"city", b.BillID, "city/" + b.Order, plates[b.UID], b.Due})
		}
	}
	return all
}

// parkSight is what the ledger has at one moment, read from outside.
type parkSight struct {
	bills  map[string][]billSeen // by exit
	orders map[string]string     // bills by the number of a collection
	booked map[string]booking    // payments, by their reference
}

// billSeen is a bill as the ledger has it.
type billSeen struct{ id, exit, state, run string }

// booking is a payment in the books.
type booking struct {
	reference, bill string
	minor           int64 // that lies with the collector
}

func (k *parkKiller) look(ctx context.Context) (s parkSight, err error) {
	s = parkSight{bills: map[string][]billSeen{}, orders: map[string]string{}, booked: map[string]booking{}}
	bills, err := peekRows(ctx, k.peek, func(r *sql.Rows, b *billSeen) error { return r.Scan(&b.id, &b.exit, &b.state, &b.run) },
		`SELECT id, exit, state, run FROM parking_bills`)
	for _, b := range bills {
		s.bills[b.exit] = append(s.bills[b.exit], b)
	}
	type order struct{ number, bill string }
	orders, other := peekRows(ctx, k.peek, func(r *sql.Rows, o *order) error { return r.Scan(&o.number, &o.bill) },
		`SELECT number, bill FROM parking_collections`)
	err = errors.Join(err, other)
	for _, o := range orders {
		s.orders[o.number] = o.bill
	}
	booked, other := peekRows(ctx, k.peek, func(r *sql.Rows, b *booking) error { return r.Scan(&b.reference, &b.bill, &b.minor) },
		`SELECT COALESCE(m.reference, m.id), m.bill, SUM(p.minor) FROM parking_movements m JOIN parking_postings p ON p.movement = m.id
		WHERE m.kind = 'pay' AND p.account IN ('provider', 'city') GROUP BY m.id`)
	for _, b := range booked {
		s.booked[b.reference] = b
	}
	return s, errors.Join(err, other)
}

// found counts a finding once, and says what is known of it.
func (k *parkKiller) found(what int, about, format string, args ...any) {
	key := fmt.Sprint(what, " ", about)
	if k.seen[key] {
		return
	}
	k.seen[key] = true
	k.totals.bad[what]++
	fmt.Fprintf(k.run.progress, "parking-kill: block %d: %s: %s: %s\n", k.totals.blocks, parkFaults()[what], about, fmt.Sprintf(format, args...))
}

// glance looks for what must not be even for a moment. What barriers heard is read before the ledger, and so is what the
// systems have taken: whatever is there must be in the ledger by then.
func (k *parkKiller) glance() error {
	cars, visits := k.traffic.all()
	takings := k.traffic.lot.takings()
	s, err := k.look(k.run.ctx)
	if err != nil {
		return err
	}
	k.always(cars, visits, takings, &s)
	return nil
}

func (k *parkKiller) always(cars []*car, visits map[*car][]*carVisit, takings []taking, s *parkSight) {
	paid, took := map[string]int{}, map[string]int{}
	for _, t := range takings {
		bill, ordered := s.orders[t.number]
		if !ordered {
			k.found(parkUnordered, t.number, "%+v", t)
		}
		paid[bill]++
		took[t.plate]++
		if ordered && paid[bill] > 1 {
			k.found(parkTwice, bill, "%+v", t)
		}
	}
	lot := k.traffic.lot
	for _, c := range cars {
		bills := 0
		for _, v := range visits[c] {
			bills += len(s.bills[v.exit.EventID])
			k.billOf(v, s)
		}
		n := took[lot.provider.Plate(c.plate, wechatpay.Blue)] + took[lot.brain.Plate(c.plate)]
		if n > len(visits[c]) {
			k.found(parkTwice, c.plate, "%d charges for %d visits", n, len(visits[c]))
		}
		if bills > len(visits[c]) {
			k.found(parkDoubled, c.plate, "%d bills for %d visits", bills, len(visits[c]))
		}
	}
}

// billOf holds the bill that a barrier was told of against the ledger.
func (k *parkKiller) billOf(v *carVisit, s *parkSight) {
	_, _, in := v.entry.answered()
	bills := s.bills[v.exit.EventID]
	if len(bills) > 1 {
		k.found(parkDoubled, v.exit.EventID, "%+v", bills)
	}
	for _, e := range v.events()[1:] {
		heard, final, done := e.answered()
		switch {
		case !done || final.status != http.StatusCreated:
		case len(bills) == 0 && (heard.State == "left" || in):
			k.found(parkLost, e.EventID, "told %s %s, and has none", heard.State, heard.Bill.ID)
		case len(bills) > 0 && heard.State == "left" && bills[0].id != heard.Bill.ID:
			k.found(parkLost, e.EventID, "told of %s, and has %+v", heard.Bill.ID, bills)
		}
	}
}

// settle waits until nothing is on its way any more, or the time is over, and counts everything that is wrong.
func (k *parkKiller) settle() error {
	deadline := k.restart.Add(parkSettledWithin)
	for {
		open, err := k.underWay()
		if err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
		if time.Now().After(deadline) {
			k.found(parkLate, fmt.Sprint("city ", k.totals.cities), "%s", strings.Join(open, ", "))
			break
		}
		if err := wait(k.run.ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	k.totals.slowest = max(k.totals.slowest, time.Since(k.restart))
	if err := k.glance(); err != nil {
		return err
	}
	if err := k.final(); err != nil {
		return err
	}
	asked, changed, err := k.traffic.again()
	k.totals.asked += asked
	k.totals.bad[parkChanged] += changed
	k.verify()
	return err
}

// underWay lists what is not settled yet, and is not with a person either.
func (k *parkKiller) underWay() (open []string, err error) {
	for _, one := range []struct{ what, query string }{
		{"messages wait", `SELECT COUNT(*) FROM messages WHERE state = 'waiting'`},
		{"runs are under way", `SELECT COUNT(*) FROM runs WHERE state IN ('running', 'recovering')`},
		{"collections are not decided", `SELECT COUNT(*) FROM parking_collections WHERE state IN ('ordered', 'accepted')`},
		{"notices are parked", `SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`},
		{"bills are being paid", `SELECT COUNT(*) FROM parking_bills b WHERE state = 'pay-pending'
			AND NOT EXISTS (SELECT 1 FROM assists a WHERE a.run = b.run AND a.state <> 'resolved')`},
	} {
		n, err := k.peek.number(k.run.ctx, one.query)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			open = append(open, fmt.Sprintf("%d %s", n, one.what))
		}
	}
	return open, nil
}

// final holds money and reports against each other once everything has settled, and adds the city to the totals.
func (k *parkKiller) final() error {
	cars, visits := k.traffic.all()
	takings := k.traffic.lot.takings()
	s, err := k.look(k.run.ctx)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, t := range takings {
		taken[t.reference] = true
		if b := s.booked[t.reference]; b.minor != t.minor || b.bill != s.orders[t.number] {
			k.found(parkUnbooked, t.reference, "%+v, booked %+v", t, b)
		}
		if t.by == "payment" {
			k.totals.charged++
		} else {
			k.totals.collected++
		}
	}
	for reference, b := range s.booked {
		if !taken[reference] {
			k.found(parkInvented, reference, "%+v", b)
		}
	}
	k.totals.orders += len(s.orders)
	if err := k.told(cars, visits, &s); err != nil {
		return err
	}
	k.count(cars, visits, &s)
	return nil
}

// told holds what the city knows of visits against what barriers were told.
func (k *parkKiller) told(cars []*car, visits map[*car][]*carVisit, s *parkSight) error {
	type about struct{ run, kind string }
	all, err := peekRows(k.run.ctx, k.peek, func(r *sql.Rows, a *about) error { return r.Scan(&a.run, &a.kind) },
		`SELECT run, kind FROM assists WHERE state <> 'resolved'`)
	if err != nil {
		return err
	}
	k.totals.assists += len(all)
	helped := map[string]string{}
	for _, a := range all {
		helped[a.run] = a.kind
		k.totals.answers["(assist "+a.kind+")"]++
	}
	left := map[string]int{}
	for _, b := range k.traffic.lot.brain.ReadBooks().Stays {
		if b.Left != "" {
			left[b.Plate]++
		}
	}
	for _, c := range cars {
		missing := len(visits[c]) - left[k.traffic.lot.brain.Plate(c.plate)]
		for _, v := range visits[c] {
			for _, b := range s.bills[v.exit.EventID] {
				if helped[b.run] != "" {
					missing--
				}
			}
		}
		if missing > 0 {
			k.found(parkUntold, c.plate, "%d of %d", missing, len(visits[c]))
		}
	}
	return nil
}

// count adds a city's events and bills to the totals.
func (k *parkKiller) count(cars []*car, visits map[*car][]*carVisit, s *parkSight) {
	t := k.totals
	if t.bills == nil {
		t.bills = map[string]int{}
	}
	t.cars += len(cars)
	for _, all := range s.bills {
		for _, b := range all {
			t.bills[b.state]++
		}
	}
	for _, c := range cars {
		t.visits += len(visits[c])
		for _, v := range visits[c] {
			for _, e := range v.events() {
				heard, final, done := e.answered()
				t.events++
				t.attempts += e.attempts
				t.unkept += e.unkept
				switch {
				case !done:
					k.found(parkEndless, e.EventID, "%d attempts, the last: %s", e.attempts, e.last)
					continue
				case final.status != http.StatusCreated:
					k.found(parkRefused, e.EventID, "%s", e.last)
				}
				last, _, _ := strings.Cut(e.last, " (replayed)")
				t.answers[strings.TrimSpace(last+" "+heard.State)]++
			}
		}
	}
}

// verify has the program itself verify the books.
func (k *parkKiller) verify() {
	out, err := exec.CommandContext(k.run.ctx, k.garages.serve.program, "books", "verify", "--data", k.garages.path("data")).CombinedOutput() //nolint:gosec // the program that this one has built
	if err != nil {
		k.found(parkBooks, fmt.Sprint("city ", k.totals.cities), "%v: %s", err, out)
	}
}
