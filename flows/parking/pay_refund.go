package parking

import (
	"fmt"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Repayment is money that a collector is to give back: its number is the same however often it is asked for.
type Repayment struct {
	Number     string
	Collection string // the number of the payment
	Minor      int64
	Total      int64 // of the payment
}

// refund is a row of parking_refunds.
type refund struct {
	number, bill, collection string
	n, minor                 int64
	state                    string
	ordered                  time.Time
	looks                    int64
	reason                   string // why it failed, in the collector's word
}

// handByHand is for money that nobody gives back the way it came.
var handByHand = journey.Handover{Kind: "parking-refund-by-hand", Next: gateway.Text{
	Zh: "款项由城市平台等收取，无法原路退回，请用其他方式退还并登记", En: "This money cannot go back the way it came, since whoever took it, such as the city, gives nothing back: give it back otherwise and say so"}}

const refundColumns = `number, bill, n, collection, minor, state, ordered_at, looks, reason`

func scanRefund(row ledger.Row) (*refund, error) {
	r := &refund{}
	var ordered int64
	err := row.Scan(&r.number, &r.bill, &r.n, &r.collection, &r.minor, &r.state, &ordered, &r.looks, &r.reason)
	r.ordered = time.UnixMilli(ordered)
	return r, err
}

// handRefund is for a refund that the collector does not make.
var handRefund = journey.Handover{Kind: "parking-refund-failed", Next: gateway.Text{
	Zh: "退款未能原路退回，请用其他方式退还并登记", En: "The money could not be given back the way it came: give it back otherwise and say so"}}

// waive lets a part of a bill go. It is never more than the bill comes to.
func waive(tx *ledger.Tx, b *bill, minor int64, by string) error {
	if left := b.price - b.waived; minor < 1 || minor > left {
		return edge.FieldInvalid("details.minor", fmt.Sprintf("须为 1 至 %d", left), fmt.Sprintf("It must be 1 to %d.", left))
	}
	n, err := countMovements(tx, b.id, books.Waive)
	if err != nil {
		return err
	}
	if err := post(tx, b.movement(books.Waive, n+1, by, books.Transfer(books.Owed, books.Waived, minor))); err != nil {
		return err
	}
	b.waived += minor
	return nil
}

func countMovements(q ledger.Querier, bill string, kind books.Kind) (n int64, err error) {
	err = q.QueryRow(`SELECT COUNT(*) FROM parking_movements WHERE bill = $1 AND kind = $2`, bill, string(kind)).Scan(&n)
	return n, err
}

// orderRefunds orders that what was paid too much is given back, the way that it came. What has been ordered before is not
// ordered again. It returns what cannot be given back in that way.
func orderRefunds(tx *ledger.Tx, b *bill) (left int64, err error) {
	earlier, err := listOf(tx, scanRefund, `SELECT `+refundColumns+` FROM parking_refunds WHERE bill = $1 ORDER BY n`, b.id)
	if err != nil {
		return 0, err
	}
	left = -b.due()
	back := map[string]int64{} // by collection
	for _, r := range earlier {
		if r.state == collectionFailed {
			if r.reason == refundAbnormal {
				back[r.collection] += r.minor
			}
			continue
		}
		back[r.collection] += r.minor
		if r.state != collectionPaid {
			left -= r.minor
		}
	}
	paid, err := listOf(tx, scanCollection, `SELECT `+collectionColumns+` FROM parking_collections
		WHERE bill = $1 AND state = 'paid' AND collector = $2 ORDER BY try DESC`, b.id, collectPayment)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for _, r := range earlier {
		n = max(n, r.n)
	}
	for _, c := range paid {
		minor := min(left, c.minor-back[c.number])
		if minor <= 0 {
			continue
		}
		n++
		left -= minor
		_, err := tx.Exec(`INSERT INTO parking_refunds (`+refundColumns+`, changed_at, look_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', $7, $7)`,
			c.number+"-r"+strconv.FormatInt(n, 36), b.id, n, c.number, minor, collectionOrdered, tx.Now().UnixMilli())
		if err != nil {
			return 0, err
		}
	}
	return max(left, 0), nil
}

// settleRefund keeps how a refund stands. It may be told any number of times: it is booked once.
func settleRefund(tx *ledger.Tx, v Verdict) (Settled, error) {
	all, err := listOf(tx, scanRefund, `SELECT `+refundColumns+` FROM parking_refunds WHERE number = $1`, v.Number)
	if err != nil || len(all) == 0 {
		return Settled{Unknown: true}, err
	}
	r := all[0]
	b, err := findBill(tx, r.bill)
	if err != nil {
		return Settled{}, err
	}
	if b == nil {
		return Settled{}, fmt.Errorf("cannot settle a refund of bill %s: it is not there", r.bill)
	}
	if !v.At.IsZero() {
		if err := standsIn(tx, "parking_refunds", r.number, v.At); err != nil {
			return Settled{}, err
		}
	}
	switch {
	case r.state == collectionPaid:
	case v.State == collectionPaid:
		err = r.paid(tx, b, v)
	case v.State == collectionFailed && r.state != collectionFailed:
		if err = r.move(tx, collectionFailed, time.Time{}); err == nil {
			_, err = tx.Exec(`UPDATE parking_refunds SET reason = $1 WHERE number = $2`, v.Reason, r.number)
		}
		if err == nil {
			err = openFor(tx, b, handRefund, v.Reason)
		}
	case v.State == collectionAccepted && r.state == collectionOrdered:
		err = r.move(tx, collectionAccepted, tx.Now().Add(lookFirst))
	}
	return Settled{Bill: b.id, State: b.state}, err
}

func (r *refund) move(tx *ledger.Tx, state string, look time.Time) error {
	_, err := tx.Exec(`UPDATE parking_refunds SET state = $1, changed_at = $2, look_at = $3 WHERE number = $4`,
		state, tx.Now().UnixMilli(), millis(look), r.number)
	r.state = state
	return err
}

// paid books that money was given back.
func (r *refund) paid(tx *ledger.Tx, b *bill, v Verdict) error {
	if err := r.move(tx, collectionPaid, time.Time{}); err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE parking_refunds SET billed_at = $1 WHERE number = $2 AND billed_at = 0`, tx.Now().UnixMilli(), r.number); err != nil {
		return err
	}
	m := b.movement(books.Refund, r.n, ledger.ActorGateway, books.Transfer(books.Provider, books.Owed, r.minor))
	if v.Reference != "" {
		m.Reference = collectPayment + "/" + v.Reference
	}
	if err := post(tx, m); err != nil {
		return err
	}
	if err := b.givenBack(tx, r.minor); err != nil || b.due() <= 0 {
		return err
	}
	return openFor(tx, b, handDiffers, fmt.Sprintf("%d more was given back than was paid too much", b.due()))
}

// givenBack keeps that money was given back.
func (b *bill) givenBack(tx *ledger.Tx, minor int64) error {
	b.refunded += minor
	switch due := b.due(); {
	case b.state == billPaid && due == 0:
		b.state = billRefunded
	case b.state == billPaid && due > 0: // the price has risen since it was ordered
		b.state = billBilled
	}
	return updateBill(tx, b)
}
