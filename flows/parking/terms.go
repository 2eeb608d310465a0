package parking

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
)

// terms are what the price of a plate's visits depends on beside its readings.
type terms struct {
	passes []*passWord
	paid   []*prepayment // inside the lot, in the order in which it was asked for
	due    map[*prepayment]*stay
}

// termsOf reads the terms of all visits that have ended, in one look each.
func (p *placing) termsOf(paired []visit) (over terms, err error) {
	var first, last time.Time
	for _, v := range paired {
		if v.state != stayExited {
			continue
		}
		if first.IsZero() || v.stay.entered.Before(first) {
			first = v.stay.entered
		}
		if v.stay.left.After(last) {
			last = v.stay.left
		}
	}
	if last.IsZero() {
		return over, nil
	}
	if over.passes, err = passesOf(p.tx, p.venue.ID, p.plate, first, last); err != nil {
		return over, err
	}
	over.paid, err = prepaymentsOf(p.tx, p.venue.ID, p.plate, first, last.Add(p.settings.Leeway))
	over.due = map[*prepayment]*stay{}
	for _, m := range over.paid {
		if s := payer(paired, m, p.settings.Leeway); m.bill == "" && s != nil && m.currency == p.settings.Currency {
			over.due[m] = s
		}
	}
	return over, err
}

// payer is the visit that a payment is for: the last one that had begun when it was asked for, unless that was over by then for
// longer than clocks differ. Nil: there is none that has ended.
func payer(paired []visit, m *prepayment, leeway time.Duration) *stay {
	for _, v := range slices.Backward(paired) {
		if v.stay.entered.After(m.asked) {
			continue
		}
		if v.state == stayExited && !m.asked.After(v.stay.left.Add(leeway)) {
			return v.stay
		}
		return nil
	}
	return nil
}

// passesFor is what the passes cover of a visit: as far as they were known when its bill was made out, or are at now where it
// has none.
func (t terms) passesFor(b *bill, now time.Time) (covered []tariff.Span) {
	known := now
	if b != nil {
		known = b.issued
	}
	for _, w := range t.passes {
		if span, some := w.covers(known); some {
			covered = append(covered, span)
		}
	}
	return covered
}

// paidFor are the payments for a visit: those that are on its bill already, and, with fresh alone, those that are to come on it.
func (t terms) paidFor(v *visit, fresh bool) (all []*prepayment) {
	for _, m := range t.paid {
		if t.due[m] == v.stay || !fresh && v.bill != nil && m.bill == v.bill.id {
			all = append(all, m)
		}
	}
	return all
}

// payments are payments as a tariff has them.
func payments(all []*prepayment) (said []tariff.Payment) {
	for _, m := range all {
		said = append(said, tariff.Payment{At: m.asked, Minor: m.minor})
	}
	return said
}
