package parking

import (
	"context"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestARefundMeetsAHigherPrice: the histories have found a bill whose price rose again while money was on its way back. Once
// that has come, the bill is owed.
func TestARefundMeetsAHigherPrice(t *testing.T) {
	m, done := newMill(t, "", 1)
	defer done()
	b := &bill{id: "0123456789abcdef0123456789abcdef", tenant: "hangzhou", venue: "lot", plate: []byte{1}, stay: "s", exit: "x", run: "r", state: billBilled,
		currency: "CNY", price: 5500, collect: collectPayment, tries: 1, entered: m.now(), left: m.now().Add(time.Hour)}
	var after *bill
	err := m.commit(context.Background(), func(tx *ledger.Tx) error {
		if err := issue(tx, b); err != nil {
			return err
		}
		if err := post(tx, b.movement(books.Pay, 1, ledger.ActorGateway, books.Transfer(books.Owed, books.Provider, 5500))); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO parking_collections (`+collectionColumns+`, reason, reference, changed_at, look_at)
			VALUES ('c', $1, 1, 'lot', $2, 5500, 'paid', 0, 0, '', '', 0, 0)`, b.id, collectPayment)
		if err != nil {
			return err
		}
		b.paid, b.state = 5500, billPaid
		if err := correct(tx, b, tariff.Price{Minor: 1100}, "late-event", ledger.ActorGateway); err != nil {
			return err
		}
		if _, err := orderRefunds(tx, b); err != nil {
			return err
		}
		if err := correct(tx, b, tariff.Price{Minor: 2100}, "late-event", ledger.ActorGateway); err != nil {
			return err
		}
		if err := updateBill(tx, b); err != nil {
			return err
		}
		if _, err := settleRefund(tx, Verdict{Number: "c-r1", State: collectionPaid, Reference: "back"}); err != nil {
			return err
		}
		after, err = findBill(tx, b.id)
		return err
	})
	must(t, err)
	if after.state != billBilled || after.due() != 1000 {
		t.Errorf("it is %s and owes %d", after.state, after.due())
	}
}
