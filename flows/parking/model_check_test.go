package parking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// expected is what has to come of the facts.
func (h *history) expected() (all []string) {
	for _, p := range h.plates {
		var of []*fact
		for _, f := range h.facts {
			if f.plate == p && f.heard && !f.gone && !f.turned {
				of = append(of, f)
			}
		}
		slices.SortFunc(of, func(a, b *fact) int {
			return errorsOr(a.at.Compare(b.at), strings.Compare(a.kind, b.kind), strings.Compare(a.id, b.id))
		})
		var heads []*fact
		for i, f := range of {
			if i == 0 || f.kind != of[i-1].kind || f.at.Sub(of[i-1].at) > time.Minute {
				heads = append(heads, f)
			}
		}
		for i, f := range heads {
			var next *fact
			if i+1 < len(heads) {
				next = heads[i+1]
			}
			switch {
			case f.kind == kindExit && (i == 0 || heads[i-1].kind == kindExit):
				all = append(all, h.line("parked", f.at, time.Time{}, 0))
			case f.kind == kindExit:
			case next == nil:
				all = append(all, h.line(stayOpen, f.at, time.Time{}, 0))
			case next.kind == kindExit:
				all = append(all, h.line(stayExited, f.at, next.at, modelPrice(f.at, next.at)))
			default:
				all = append(all, h.line(stayUnseen, f.at, time.Time{}, 0))
			}
		}
	}
	slices.Sort(all)
	return all
}

func errorsOr(all ...int) int {
	for _, n := range all {
		if n != 0 {
			return n
		}
	}
	return 0
}

func (h *history) line(state string, entered, left time.Time, price int64) string {
	s := entered.UTC().Format(time.DateTime) + " " + state
	if state == stayExited {
		s += fmt.Sprintf(" %s: %d", left.UTC().Format(time.DateTime), price)
	}
	return s
}

// got is what has come of them.
func (h *history) got(q ledger.Querier) (all []string, err error) {
	stays, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE venue = $1 AND state <> 'void'`, h.v.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range stays {
		var price int64
		if s.state == stayExited {
			bills, err := listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE stay = $1`, s.id)
			if err != nil {
				return nil, err
			}
			if len(bills) != 1 {
				h.say("a visit has %d bills", len(bills))
				continue
			}
			price = bills[0].price
			if !bills[0].entered.Equal(s.entered) || !bills[0].left.Equal(s.left) {
				h.say("the bill of a visit is for another time")
			}
		}
		all = append(all, h.line(s.state, s.entered, s.left, price))
	}
	parked, err := listOf(q, scanReading, `SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND state IN ('parked', 'asked')`, h.v.ID)
	if err != nil {
		return nil, err
	}
	inOrder(parked)
	slices.SortStableFunc(parked, func(a, b *reading) int { return bytes.Compare(a.plate, b.plate) })
	for i, r := range parked { // read again and again in passing: it is one
		if i == 0 || string(parked[i-1].plate) != string(r.plate) || r.at.Sub(parked[i-1].at) > time.Minute {
			all = append(all, h.line("parked", r.at, time.Time{}, 0))
		}
	}
	slices.Sort(all)
	return all, nil
}

// check holds the ledger and the provider's books against the model.
func (h *history) check(ctx context.Context) {
	err := h.m.ledger.View(ctx, func(q ledger.Querier) error {
		got, err := h.got(q)
		if err != nil {
			return err
		}
		if want := h.expected(); !slices.Equal(got, want) {
			h.say("it has come to\n\t%s\nand not to\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		return errors.Join(h.checkEvents(q), h.checkBills(q))
	})
	if err != nil {
		h.say("%v", err)
	}
}

// checkEvents: whatever a barrier was told is kept, is.
func (h *history) checkEvents(q ledger.Querier) error {
	for _, f := range h.facts {
		r, err := findReading(q, h.v.ID, f.id)
		if err != nil {
			return err
		}
		if (r != nil) != f.heard {
			h.say("event %s: kept %v, and the barrier heard %v", f.id, r != nil, f.heard)
		}
	}
	return nil
}

// checkBills: no bill is negative, doubled or charged twice, each stands as its money does, and its money is what the banks
// have taken and given back.
func (h *history) checkBills(q ledger.Querier) error {
	bills, err := listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE venue = $1`, h.v.ID)
	if err != nil {
		return err
	}
	helped, err := h.helped(q)
	if err != nil {
		return err
	}
	highest, err := h.highest(q)
	if err != nil {
		return err
	}
	for _, b := range bills {
		h.checkMoney(b, max(highest[b.id], b.price))
		due := b.due()
		switch {
		case b.price < 0:
			h.say("a bill of %d", b.price)
		case b.state == billPayPending:
			h.say("bill %s, which owes %d, is never paid and nobody knows", b.id, due)
		case b.state == billDisputed:
		case due < 0 && !helped[b.id]:
			h.say("%d was paid too much and nobody gives it back", -due)
		case due > 0 && b.state != billBilled && b.state != billArrears, due <= 0 && (b.state == billBilled || b.state == billArrears):
			h.say("bill %s, which owes %d (price %d, paid %d, waived %d, refunded %d), is %s", b.id, due, b.price, b.paid, b.waived, b.refunded, b.state)
		}
	}
	return nil
}

// helped says about which subjects a person was asked.
func (h *history) helped(q ledger.Querier) (about map[string]bool, err error) {
	about = map[string]bool{}
	_, err = listOf(q, func(r ledger.Row) (none struct{}, err error) {
		var subject string
		err = r.Scan(&subject)
		about[subject] = true
		return none, err
	}, `SELECT subject FROM assists WHERE venue = $1`, h.v.ID)
	return about, err
}

// highest is the most that each corrected bill has come to before.
func (h *history) highest(q ledger.Querier) (most map[string]int64, err error) {
	most = map[string]int64{}
	_, err = listOf(q, func(r ledger.Row) (none struct{}, err error) {
		var bill string
		var price int64
		err = r.Scan(&bill, &price)
		most[bill] = max(most[bill], price)
		return none, err
	}, `SELECT c.bill, c.price_before FROM parking_bills b JOIN parking_corrections c ON c.bill = b.id WHERE b.venue = $1`, h.v.ID)
	return most, err
}

// checkMoney holds a bill against the banks' books.
func (h *history) checkMoney(b *bill, highest int64) {
	var taken, back int64
	for _, bank := range h.banks {
		for _, t := range bank.taken {
			if t.bill != b.id || t.state != collectionPaid {
				continue
			}
			taken += t.minor
			for _, g := range bank.back {
				if g.Collection == t.number && g.state == collectionPaid {
					back += g.Minor
				}
			}
		}
	}
	back += h.byHand[b.id]
	switch {
	case taken != b.paid || back != b.refunded:
		h.say("of bill %s %d was taken and %d given back, and %d and %d are booked", b.id, taken, back, b.paid, b.refunded)
	case taken-back > highest:
		h.say("%d was taken and %d given back of a bill that never came to more than %d", taken, back, highest)
	case b.waived != h.waived[b.id]:
		h.say("%d of a bill were waived, and %d are booked", h.waived[b.id], b.waived)
	}
}

// leftBehind is what holds of a ledger on which every history has come to its end: each line names the lot, and so the seed,
// of something that does not hold.
func leftBehind(q ledger.Querier) (wrong []string, err error) {
	for what, query := range map[string]string{
		"a dispute that is nobody's, or was forgotten": `SELECT venue, id FROM parking_bills b WHERE (state = 'disputed') <> EXISTS (
			SELECT 1 FROM parking_disputes d JOIN assists a ON a.run = d.run WHERE d.bill = b.id AND d.outcome = '' AND a.state <> 'resolved')`,
		"a refund that was ordered during a dispute": `SELECT b.venue, r.number FROM parking_refunds r JOIN parking_disputes d ON d.bill = r.bill
			JOIN parking_bills b ON b.id = r.bill WHERE r.ordered_at >= d.made_at AND (d.settled_at = 0 OR r.ordered_at < d.settled_at)`,
		"a charge that nobody looks after": `SELECT venue, number || ' ' || state FROM parking_collections WHERE state IN ('ordered', 'accepted')`,
		"a refund that nobody looks after": `SELECT b.venue, r.number || ' ' || r.state FROM parking_refunds r JOIN parking_bills b ON b.id = r.bill
			WHERE r.state IN ('ordered', 'accepted')`,
		"a notice that nobody looks after": `SELECT account, notice FROM parking_notices WHERE state = 'parked'`,
		"a message that was not delivered": `SELECT venue, kind || ' ' || msg_key FROM messages m WHERE state = 'waiting' OR state = 'dead'
			AND NOT EXISTS (SELECT 1 FROM assists a WHERE a.run = m.run AND a.kind LIKE '%undelivered%')`,
		"an operation that is open": `SELECT venue, step || ' ' || op_key FROM operations o WHERE kind = 'write' AND state <> 'done'
			AND NOT (state IN ('assist', 'refused') AND EXISTS (SELECT 1 FROM assists a WHERE a.run = o.run AND a.kind LIKE '%undelivered%'))`,
		"a run that was left where a process died": `SELECT venue, plan FROM runs WHERE state IN ('running', 'recovering')`,
	} {
		all, err := listOf(q, func(r ledger.Row) (s [2]string, err error) { return s, r.Scan(&s[0], &s[1]) }, query)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		for _, of := range all {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", of[0], what, of[1]))
		}
	}
	return wrong, nil
}
