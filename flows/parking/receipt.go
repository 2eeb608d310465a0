package parking

import (
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// remindersBody says how a bill that was not paid is asked for again: each reminder is a charge anew, of which the collector
// tells the payer.
type remindersBody struct {
	Count int64     `json:"count"` // charges after the first one
	Last  time.Time `json:"last_at,omitzero"`
	Next  time.Time `json:"next_at,omitzero"` // left out: none is to come by itself
}

// remindersOf reads them; nil for a bill that nobody has tried to collect.
func remindersOf(q ledger.Querier, b *bill, at *gateway.Venue) (*remindersBody, error) {
	var charges, last, next int64
	err := q.QueryRow(`SELECT COUNT(*), COALESCE(MAX(CASE WHEN try > 1 THEN ordered_at ELSE 0 END), 0),
		COALESCE(MAX(CASE WHEN state = 'failed' AND try = $2 AND try < $3 THEN look_at ELSE 0 END), 0) FROM parking_collections WHERE bill = $1`,
		b.id, b.tries, maxTries).Scan(&charges, &last, &next)
	if err != nil || charges == 0 {
		return nil, err
	}
	r := &remindersBody{Count: charges - 1}
	if last > 0 {
		r.Last = flow.At(at, time.UnixMilli(last))
	}
	if next > 0 && b.state == billArrears {
		r.Next = flow.At(at, time.UnixMilli(next))
	}
	return r, nil
}

// receiptBody is what was paid for a bill, and given back.
type receiptBody struct {
	Paid     gateway.Money `json:"paid"`
	Refunded gateway.Money `json:"refunded"`
	Payments []paymentBody `json:"payments"`
	Refunds  []paymentBody `json:"refunds"`
}

// paymentBody is one payment or one refund.
type paymentBody struct {
	At        time.Time     `json:"at"` // as the collector has it where it says so
	Amount    gateway.Money `json:"amount"`
	Method    string        `json:"method"`              // payment, city, station, or by-hand
	Number    string        `json:"number,omitempty"`    // ours, as the collector shows it to the payer
	Reference string        `json:"reference,omitempty"` // the collector's own
	State     string        `json:"state"`               // done; of a refund also pending: it is on its way
}

// receiptOf makes the receipt of a bill; nil where nothing was paid.
func receiptOf(q ledger.Querier, b *bill, at *gateway.Venue, booked []books.Booked) (*receiptBody, error) {
	if b.paid == 0 {
		return nil, nil
	}
	r := &receiptBody{Paid: b.money(b.paid), Refunded: b.money(b.refunded), Payments: []paymentBody{}, Refunds: []paymentBody{}}
	numbers, err := numbersOf(q, b)
	if err != nil {
		return nil, err
	}
	for _, m := range booked {
		if m.Kind != books.Pay && m.Kind != books.Refund {
			continue
		}
		p := paymentBody{At: m.At, Reference: trimCollector(m.Reference), State: "done"}
		if known, ok := numbers[m.ID]; ok {
			p.Number = known.number
			if known.reference != "" {
				p.Reference = known.reference
			}
			if !known.at.IsZero() {
				p.At = known.at
			}
		}
		p.At = flow.At(at, p.At)
		for _, of := range m.Postings {
			switch of.Account {
			case books.Owed:
				p.Amount = b.money(max(of.Minor, -of.Minor))
			case books.Provider:
				p.Method = collectPayment
			case books.City:
				p.Method = collectCity
			case books.Advance: // the lot's till has it
				p.Method = "station"
			case books.ByHand:
				p.Method = "by-hand"
			case books.Fees, books.Waived, books.Till:
			}
		}
		if m.Kind == books.Pay {
			r.Payments = append(r.Payments, p)
		} else {
			r.Refunds = append(r.Refunds, p)
		}
	}
	pending, err := listOf(q, scanRefund, `SELECT `+refundColumns+` FROM parking_refunds WHERE bill = $1 AND state IN ('ordered', 'accepted') ORDER BY n`, b.id)
	for _, p := range pending {
		r.Refunds = append(r.Refunds, paymentBody{At: flow.At(at, p.ordered), Amount: b.money(p.minor), Method: collectPayment, Number: p.number, State: "pending"})
	}
	return r, err
}

// numbered is what a movement is known by outside.
type numbered struct {
	movement, number string
	reference        string    // "": that of the movement
	at               time.Time // zero: that is not said
}

// numbersOf reads the collections and refunds of a bill, and what was paid for it inside the lot, by their movements.
func numbersOf(q ledger.Querier, b *bill) (map[string]numbered, error) {
	all, err := listOf(q, func(row ledger.Row) (n numbered, err error) {
		var at int64
		if err = row.Scan(&n.movement, &n.number, &n.reference, &at); at > 0 {
			n.at = time.UnixMilli(at)
		}
		return n, err
	}, `SELECT 'pay/' || bill || '/' || try, number, '', CASE collector WHEN 'city' THEN 0 ELSE billed_at END FROM parking_collections WHERE bill = $1 AND state = 'paid'
		UNION ALL SELECT 'refund/' || bill || '/' || n, number, '', 0 FROM parking_refunds WHERE bill = $1 AND state = 'paid'
		UNION ALL SELECT 'pay/' || bill || '/inside/' || event, '', reference, paid_at FROM parking_prepayments WHERE bill = $1 AND state = 'billed'`, b.id)
	out := make(map[string]numbered, len(all))
	for _, n := range all {
		out[n.movement] = n
	}
	return out, err
}
