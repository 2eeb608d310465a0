package parking

import (
	"errors"
	"fmt"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Why a refund has failed, in the collector's word. Any other: it has not taken it.
const (
	refundClosed   = "closed"   // it has given it up for good: it never comes about under its number
	refundAbnormal = "abnormal" // the payer's account does not take it: it may come about yet, once somebody has seen to that
)

// openByHand hands money to a person that cannot be given back the way it came.
func openByHand(tx *ledger.Tx, b *bill, minor int64) error {
	return openAbout(tx, ledger.Assist{Run: b.run, Plan: planExit, Kind: handByHand.Kind, Tenant: b.tenant, Venue: b.venue, NextAction: handByHand.Next,
		NotDone: []string{taskRefund}, Tried: []string{fmt.Sprintf("%d %s of bill %s", minor, b.currency, b.id)}, Subject: b.id})
}

// tooMuch reads what was paid too much for the bill of an assist and no collector is giving back, and its refunds.
func tooMuch(tx *ledger.Tx, a flow.Opened) (b *bill, minor int64, all []*refund, err error) {
	if b, err = findBill(tx, a.Subject); err != nil {
		return nil, 0, nil, err
	}
	switch {
	case b == nil || b.due() >= 0:
		return nil, 0, nil, ProblemBillSettled.Error(gateway.Text{})
	case b.state == billDisputed: // the dispute decides
		return nil, 0, nil, ProblemBillDisputed.Error(gateway.Text{})
	}
	minor = -b.due()
	if all, err = listOf(tx, scanRefund, `SELECT `+refundColumns+` FROM parking_refunds WHERE bill = $1 ORDER BY n`, b.id); err != nil {
		return nil, 0, nil, err
	}
	for _, r := range all {
		if r.state == collectionOrdered || r.state == collectionAccepted {
			minor -= r.minor
		}
	}
	if minor <= 0 {
		return nil, 0, nil, ProblemBillSettled.Error(gateway.Text{})
	}
	return b, minor, all, nil
}

// gaveByHand books that a person has given back otherwise what was paid too much. A refund that has failed stays so: if its
// collector makes it after all, that is booked as well, and is a person's.
func gaveByHand(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	b, minor, _, err := tooMuch(tx, a)
	if err != nil {
		return nil, err
	}
	n, err := countMovements(tx, b.id, books.Refund)
	if err != nil {
		return nil, err
	}
	m := b.movement(books.Refund, n+1, a.By, books.Transfer(books.ByHand, books.Owed, minor))
	m.ID += "/by-hand"
	if err := post(tx, m); err != nil {
		return nil, err
	}
	if err := b.givenBack(tx, minor); err != nil {
		return nil, err
	}
	return settledBill{Bill: Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}, ByHand: minor}, nil
}

// nothingLeft settles what has settled itself: a bill for which nothing was paid too much any more, or all of that is on its way back.
func nothingLeft(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	_, minor, _, err := tooMuch(tx, a)
	e, refused := errors.AsType[*gateway.Error](err)
	switch {
	case refused && e.Problem == ProblemBillSettled:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return nil, ProblemBillOverpaid.Error(gateway.Text{Zh: fmt.Sprintf("尚有 %d（最小货币单位）多付，须退还。", minor),
		En: fmt.Sprintf("%d minor units were paid too much, and have to be given back.", minor)})
}

// tryRefundAgain has a refund that has failed made again: one that its collector has given up under a new number, and any other
// under its own, since it may come about yet.
func tryRefundAgain(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	b, minor, all, err := tooMuch(tx, a)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.state != collectionFailed || r.reason == refundClosed || r.minor > minor {
			continue
		}
		if err := r.move(tx, collectionOrdered, tx.Now()); err != nil {
			return nil, err
		}
		minor -= r.minor
	}
	return refundOf(tx, b)
}
