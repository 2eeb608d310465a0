package parking

import (
	"slices"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// keepBills keeps what the visits cost. A bill goes with its exit, or else with its visit; one for which there is no visit
// any more is corrected to nothing.
func (p *placing) keepBills(paired []visit) error {
	if err := p.unhook(paired); err != nil {
		return err
	}
	over, err := p.termsOf(paired)
	if err != nil {
		return err
	}
	for i := range paired {
		v := &paired[i]
		if v.state != stayExited {
			continue
		}
		price, err := p.price(v, over)
		if err != nil {
			return err
		}
		if v.bill == nil {
			if err := p.issue(v, price, over.paidFor(v, true)); err != nil {
				return err
			}
			continue
		}
		if err := p.amend(v, price, over.paidFor(v, true)); err != nil {
			return err
		}
	}
	return nil
}

// price prices a visit that has ended. One that the tariff cannot price, such as one of many years, costs nothing until a
// person has looked: the car is out all the same.
func (p *placing) price(v *visit, over terms) (tariff.Price, error) {
	s := v.stay
	price, err := p.settings.price(p.venue, s, over.passesFor(v.bill, p.tx.Now()), payments(over.paidFor(v, false)))
	if err == nil {
		return price, nil
	}
	return tariff.Price{Lines: []tariff.Line{}}, openAbout(p.tx, ledger.Assist{
		Run: p.run, Plan: planExit, Kind: handUnpriced.Kind, Tenant: s.tenant, Venue: s.venue, NextAction: handUnpriced.Next,
		NotDone: []string{taskPrice}, Tried: []string{err.Error()}, Subject: s.id,
	})
}

// unhook takes the bills whose visit or exit is another one now off both, so that they can change places, and corrects those
// to nothing that no visit has.
func (p *placing) unhook(paired []visit) error {
	for _, b := range p.bills {
		i := slices.IndexFunc(paired, func(v visit) bool { return v.bill == b })
		switch {
		case i >= 0 && b.stay == paired[i].stay.id && b.exit == paired[i].exit.head().id:
			continue
		case i < 0 && p.beyond[b.stay]:
			continue
		}
		b.stay, b.exit = "none/"+b.id, "none/"+b.id
		if i < 0 {
			if err := correct(p.tx, b, tariff.Price{Lines: []tariff.Line{}}, p.why, p.by); err != nil {
				return err
			}
			if b.state == billBilled || b.state == billPaid && b.paid == 0 {
				b.state = billCancelled
			}
			if err := p.overpaid(b); err != nil {
				return err
			}
		}
		if err := updateBill(p.tx, b); err != nil {
			return err
		}
	}
	return nil
}

// issue makes the bill of a visit that has ended, puts on it what was paid inside, and says who collects the rest.
func (p *placing) issue(v *visit, price tariff.Price, paid []*prepayment) error {
	s := v.stay
	b := &bill{
		id: p.newID(), tenant: s.tenant, venue: s.venue, plate: s.plate, stay: s.id, exit: s.exit, run: p.run, state: billBilled,
		currency: p.settings.Currency, price: price.Minor, lines: price.Lines, collect: collectNobody, entered: s.entered, left: s.left,
	}
	for _, m := range paid {
		b.paid += m.minor
	}
	if err := p.collect(s, b); err != nil {
		return err
	}
	if err := p.tellLeft(s, b); err != nil {
		return err
	}
	v.bill = b
	if err := issue(p.tx, b); err != nil {
		return err
	}
	for _, m := range paid {
		if err := m.bookOn(p.tx, b, p.by); err != nil {
			return err
		}
	}
	return p.overpaid(b)
}

// amend brings a bill in line with its visit, and with what was paid inside and came to be known later.
func (p *placing) amend(v *visit, price tariff.Price, paid []*prepayment) error {
	b, s := v.bill, v.stay
	hooked := b.stay == s.id && b.exit == s.exit
	same := hooked && b.entered.Equal(s.entered) && b.left.Equal(s.left) && b.price == price.Minor
	if same && len(paid) == 0 {
		return nil
	}
	b.stay, b.exit, b.entered, b.left, b.plate = s.id, s.exit, s.entered, s.left, s.plate
	if err := correct(p.tx, b, price, p.why, p.by); err != nil {
		return err
	}
	if err := payInside(p.tx, b, paid, p.by); err != nil {
		return err
	}
	if err := p.overpaid(b); err != nil {
		return err
	}
	if !hooked {
		if err := p.tellLeft(s, b); err != nil {
			return err
		}
	}
	return updateBill(p.tx, b)
}

// overpaid calls a person where a corrected bill was paid with more than it now comes to.
func (p *placing) overpaid(b *bill) error {
	if b.due() >= 0 {
		return nil
	}
	return openAbout(p.tx, ledger.Assist{
		Run: p.run, Plan: planExit, Kind: handOverpaid.Kind, Tenant: b.tenant, Venue: b.venue, NextAction: handOverpaid.Next,
		NotDone: []string{taskRefund}, Subject: b.id,
	})
}

// collect says who collects a bill that is new, and orders it.
func (p *placing) collect(s *stay, b *bill) error {
	due := b.due()
	allowed, err := permitted(p.tx, p.settings, s, due)
	if err != nil || due <= 0 || allowed == nil {
		return err
	}
	plate, err := openPlate(p.keys, s.dataKey, s.sealed)
	if err != nil {
		return err
	}
	b.collect, b.state, b.tries = allowed.source, billPayPending, 1
	p.charges = append(p.charges, Charge{By: b.collect, Bill: b.id, Stay: s.id, Try: b.tries, Plate: plate, Minor: due, Currency: b.currency,
		Entered: s.entered, Left: s.left, Reference: allowed.reference})
	return nil
}

// tellLeft orders that a car which has left is reported.
func (p *placing) tellLeft(s *stay, b *bill) error {
	plate, err := openPlate(p.keys, s.dataKey, s.sealed)
	if err != nil {
		return err
	}
	p.left = append(p.left, CarOut{Stay: s.id, Exit: s.exit, Plate: plate, Vehicle: s.vehicle, Electric: s.electric, Gate: s.exitGate,
		Entered: s.entered, Left: s.left, Bill: b.id, Minor: b.price, Currency: b.currency})
	return nil
}
