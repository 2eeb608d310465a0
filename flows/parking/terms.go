package parking

import (
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
)

// terms are what the price of a plate's visits depends on beside its readings.
type terms struct{ passes []*passWord }

// termsOf reads the terms of all visits that have ended, in one look.
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
	over.passes, err = passesOf(p.tx, p.venue.ID, p.plate, first, last)
	return over, err
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
