package parking

import (
	"fmt"
	"net/http"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// amountBody is an amount as a person sends it. Its minor is nil where it is not said.
type amountBody struct {
	Minor    *int64 `json:"minor"`
	Currency string `json:"currency"`
}

// read refuses what is no amount.
func (a *amountBody) read(path string) (gateway.Money, error) {
	switch {
	case a == nil:
		return gateway.Money{}, edge.FieldMissing(path)
	case a.Minor == nil:
		return gateway.Money{}, edge.FieldMissing(path + ".minor")
	case a.Currency == "":
		return gateway.Money{}, edge.FieldMissing(path + ".currency")
	case *a.Minor < 1 || *a.Minor > books.MaxMinor:
		return gateway.Money{}, edge.FieldInvalid(path+".minor", "须为大于零且不超过 2⁵³ 的整数", "It must be a whole number above zero, and at most 2⁵³.")
	}
	return gateway.Money{Minor: *a.Minor, Currency: a.Currency}, nil
}

// Paying is a citizen who wants a bill collected now.
type Paying struct {
	Bill   string
	Amount gateway.Money // what they take it to be

	owner     []byte
	tenant    string
	collector string
	rt        *flow.Runtime
}

// payBill has a bill collected once more. While it is being collected, disputed, or nothing is owed, it is not.
var payBill = &ledger.Decision[Paying, Billed]{Name: "parking.pay", Run: func(tx *ledger.Tx, p Paying) (out Billed, err error) {
	b, err := findOwnBill(tx, p.owner, p.tenant, p.Bill)
	if err != nil {
		return out, err
	}
	switch {
	case p.Amount.Currency != b.currency:
		return out, ledger.Keep(ProblemCurrencyWrong.Error(gateway.Text{}).WithField("amount.currency").With("currency", b.currency))
	case b.state == billDisputed:
		return out, ledger.Keep(ProblemBillDisputed.Error(gateway.Text{}))
	case b.state == billPayPending:
		return out, ledger.Keep(ProblemBillPending.Error(gateway.Text{}))
	case b.due() <= 0:
		return out, ledger.Keep(ProblemBillSettled.Error(gateway.Text{}))
	case p.Amount.Minor != b.due():
		return out, ledger.Keep(ProblemAmountWrong.Error(gateway.Text{}).WithField("amount.minor").With("due", b.due()))
	}
	if err := collectAgain(tx, p.rt, b, p.collector); err != nil {
		return out, err
	}
	return Billed{ID: b.id, State: b.state, Due: b.money(b.due())}, nil
}}

type billedSaid struct {
	Journey string `json:"journey"`
	Bill    Billed `json:"bill"`
}

// pay has a bill of the caller's collected. Whether it is paid the collector says, and the bill's state with it.
func (c *citizens) pay(x *edge.Exchange, rt *flow.Runtime) error {
	var body struct {
		Amount *amountBody `json:"amount"`
	}
	if err := x.Decode(&body); err != nil {
		return err
	}
	amount, err := body.Amount.read("amount")
	if err != nil {
		return err
	}
	b, at, err := ownBill(x, rt)
	if err != nil {
		return err
	}
	collector := collectPayment
	if c.tills.of(at.ID, collector) == nil {
		collector = collectCity
	}
	if c.tills.of(at.ID, collector) == nil {
		return ProblemPayAtLot.Error(gateway.Text{})
	}
	in := Paying{Bill: b.id, Amount: amount, owner: ledger.Subject(rt.Ledger.Keys(), x.Principal()), tenant: x.Principal().Tenant, collector: collector, rt: rt}
	return flow.Run(rt, x, at, c.payments, in, func(o journey.Outcome[Billed], _ string) flow.Said {
		return flow.Said{Status: http.StatusAccepted, Body: billedSaid{Journey: o.ID, Bill: o.Value}}
	})
}

// Waiving is a member of staff who lets a part of a bill go.
type Waiving struct {
	Journey string
	Bill    string
	Minor   int64 // 0: all that is owed, or with Refund all that the bill comes to
	Refund  bool  // what was paid is given back as far as it is let go

	by     *gateway.Principal
	reason []byte
	seal   func(tx *ledger.Tx, run string, plain []byte) ([]byte, error)
}

// waiveBill lets it go, with the reason on the audit trail. What was paid already is let go for a refund alone.
var waiveBill = &ledger.Decision[Waiving, Billed]{Name: "parking.waive", Run: func(tx *ledger.Tx, w Waiving) (out Billed, err error) {
	b, err := findBill(tx, w.Bill)
	if err != nil {
		return out, err
	}
	most := int64(0)
	switch {
	case b == nil:
	case w.Refund:
		most = b.price - b.waived
	default:
		most = b.due()
	}
	switch {
	case !staffMaySee(w.by, b):
		return out, ledger.Keep(ProblemBillUnknown.Error(gateway.Text{}))
	case b.state == billDisputed: // the dispute decides
		return out, ledger.Keep(ProblemBillDisputed.Error(gateway.Text{}))
	case b.state == billPayPending:
		return out, ledger.Keep(ProblemBillPending.Error(gateway.Text{}))
	case most <= 0:
		return out, ledger.Keep(ProblemBillSettled.Error(gateway.Text{}))
	case w.Minor > most:
		return out, ledger.Keep(ProblemAmountWrong.Error(gateway.Text{}).WithField("amount.minor").With("due", most))
	}
	minor := w.Minor
	if minor == 0 {
		minor = most
	}
	if err := waive(tx, b, minor, ledger.Actor(w.by)); err != nil {
		return out, err
	}
	switch due := b.due(); {
	case due < 0:
		b.state = billPaid
	case due == 0:
		b.state = billWaived
	}
	if _, err := refundOf(tx, b); err != nil {
		return out, err
	}
	if err := noArrears(tx, b, wordWaive); err != nil {
		return out, err
	}
	sealed, err := w.seal(tx, w.Journey, w.reason)
	if err != nil {
		return out, err
	}
	out = Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}
	return out, tx.Audit(ledger.AuditEntry{Run: w.Journey, Actor: ledger.Actor(w.by), Action: "waive",
		Purpose: fmt.Sprintf("bill %s by %d", b.id, minor), Payload: sealed})
}}

// waive lets a bill go, wholly or in part, with a reason.
func (c *citizens) waive(x *edge.Exchange, rt *flow.Runtime) error {
	var body struct {
		Amount *amountBody `json:"amount"`
		Refund bool        `json:"refund"`
		Reason string      `json:"reason"`
	}
	if err := x.Decode(&body); err != nil {
		return err
	}
	reason, err := readReason("reason", body.Reason)
	if err != nil {
		return err
	}
	amount := gateway.Money{}
	if body.Amount != nil {
		if amount, err = body.Amount.read("amount"); err != nil {
			return err
		}
	}
	var b *bill
	err = flow.View(rt, x, func(q ledger.Querier) (err error) { b, err = findBill(q, x.Param("id")); return err })
	switch {
	case err != nil:
		return err
	case !staffMaySee(x.Principal(), b):
		return ProblemBillUnknown.Error(gateway.Text{})
	case body.Amount != nil && amount.Currency != b.currency:
		return ProblemCurrencyWrong.Error(gateway.Text{}).WithField("amount.currency").With("currency", b.currency)
	}
	at := rt.Venue(b.venue)
	if at == nil {
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	in := Waiving{Journey: x.JourneyID(), Bill: b.id, Minor: amount.Minor, Refund: body.Refund, by: x.Principal(), reason: []byte(reason), seal: sealWith(rt)}
	return flow.Run(rt, x, at, c.waivers, in, func(o journey.Outcome[Billed], _ string) flow.Said {
		return flow.Said{Status: http.StatusCreated, Body: billedSaid{Journey: o.ID, Bill: o.Value}}
	})
}

// sealedReason is where a sealed reason belongs.
const sealedReason = "reason"

// sealWith seals with the data key of a run: what it sealed goes with the run.
func sealWith(rt *flow.Runtime) func(tx *ledger.Tx, run string, plain []byte) ([]byte, error) {
	return func(tx *ledger.Tx, run string, plain []byte) ([]byte, error) {
		row, found, err := ledger.FindRun(tx, run)
		if err != nil || !found || len(row.Key) == 0 {
			return nil, err
		}
		box, err := rt.Ledger.Keys().OpenBox(row.Key)
		if err != nil {
			return nil, err
		}
		return box.Seal(plain, sealedReason), nil
	}
}
