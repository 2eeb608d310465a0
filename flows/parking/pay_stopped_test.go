package parking

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestACollectorIsAskedOnceMore whether it has a charge whose answer was lost. Where the bill has been disputed since and it has
// none, that is kept for good: nothing is sent any more, and nobody goes on asking.
func TestACollectorIsAskedOnceMore(t *testing.T) {
	no := errors.New("it did not answer")
	paid := &Verdict{State: collectionPaid, Minor: 1000, Reference: "theirs"}
	for what, c := range map[string]struct {
		disputed bool
		has      *Verdict
		err      error
		happened bool
		stands   string // state and reason of the collection
		bill     string
	}{
		"it has none, and is to be asked for it": {false, nil, nil, false, "ordered ", billPayPending},
		"it has none, and is not to have it":     {true, nil, nil, true, "failed stopped", billDisputed},
		"it has it":                              {false, paid, nil, true, "paid ", billPaid},
		"it has it, and was not to have it":      {true, paid, nil, true, "paid ", billDisputed},
		"it does not answer":                     {false, nil, no, false, "ordered ", billPayPending},
		"it does not answer about a stopped one": {true, nil, no, false, "ordered ", billDisputed},
	} {
		t.Run(what, func(t *testing.T) {
			m, done := newMill(t, "", 1)
			defer done()
			ctx, charge := context.Background(), m.pendingCharge()
			o, err := ledger.Do(ctx, m.ledger, orderOf, charge)
			must(t, err)
			if c.disputed {
				must(t, m.commit(ctx, func(tx *ledger.Tx) error {
					_, err := tx.Exec(`UPDATE parking_bills SET state = 'disputed'`)
					return err
				}))
			}
			asked := 0
			look := func(_ context.Context, of *collection, _ string, _ time.Time) (*Verdict, error) {
				if asked++; of.number != o.Number {
					t.Errorf("asked for %s, ordered %s", of.number, o.Number)
				}
				if c.has == nil {
					return nil, c.err
				}
				v := *c.has
				v.Number = of.number
				return &v, nil
			}
			happened, err := collected(ctx, m.ledger, charge, look, func(err error) error { return err })
			if happened != c.happened || !errors.Is(err, c.err) || asked != 1 {
				t.Errorf("happened %v, %v; asked %d times", happened, err, asked)
			}
			var stands, bill string
			must(t, m.ledger.View(ctx, func(q ledger.Querier) error {
				return q.QueryRow(`SELECT c.state || ' ' || c.reason, b.state FROM parking_collections c JOIN parking_bills b ON b.id = c.bill`).Scan(&stands, &bill)
			}))
			if stands != c.stands || bill != c.bill {
				t.Errorf("the charge is %q and the bill %s, want %q and %s", stands, bill, c.stands, c.bill)
			}
			if again, err := collected(ctx, m.ledger, charge, look, func(err error) error { return err }); c.happened && (!again || err != nil || asked != 1) {
				t.Errorf("once that is known: %v, %v; asked %d times", again, err, asked)
			}
		})
	}
}

// TestAProvidersTransactionIsBookedOnce: where two bills are said to be paid by one, the second is a person's, and is not paid.
func TestAProvidersTransactionIsBookedOnce(t *testing.T) {
	m, done := newMill(t, "", 1)
	defer done()
	ctx := context.Background()
	for _, id := range []string{"1", "2"} {
		o, err := ledger.Do(ctx, m.ledger, orderOf, m.pendingChargeOf(id))
		must(t, err)
		_, err = ledger.Do(ctx, m.ledger, settle, Verdict{Number: o.Number, State: collectionPaid, Minor: 1000, Reference: "4200001"})
		must(t, err)
	}
	var stands string
	must(t, m.ledger.View(ctx, func(q ledger.Querier) error {
		return q.QueryRow(`SELECT (SELECT GROUP_CONCAT(state || ' ' || paid, ', ') FROM (SELECT * FROM parking_bills ORDER BY id)) || '; ' ||
			(SELECT COUNT(*) FROM parking_movements WHERE kind = 'pay') || ' payment, ' || (SELECT GROUP_CONCAT(kind) FROM assists)`).Scan(&stands)
	}))
	if want := "paid 1000, pay-pending 0; 1 payment, " + handDiffers.Kind; stands != want {
		t.Errorf("it has come to %q, want %q", stands, want)
	}
}

func (m *mill) pendingCharge() Charge { return m.pendingChargeOf("1") }

// pendingChargeOf makes a bill of 10.00 that is about to be collected; of is a digit.
func (m *mill) pendingChargeOf(of string) Charge {
	m.t.Helper()
	b := &bill{id: strings.Repeat(of, 32), tenant: "hangzhou", venue: "lot", plate: []byte{1}, stay: "s" + of, exit: "x" + of, run: "r" + of, state: billPayPending,
		currency: "CNY", price: 1000, collect: collectPayment, tries: 1, entered: m.now().Add(-time.Hour), left: m.now()}
	must(m.t, m.commit(context.Background(), func(tx *ledger.Tx) error { return issue(tx, b) }))
	return Charge{By: b.collect, Bill: b.id, Stay: b.stay, Try: b.tries, Plate: "浙A12345", Minor: b.price, Currency: b.currency, Entered: b.entered, Left: b.left}
}
