package parking

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// tellReceived leaves it to the outbox to tell the city of a payment that it has not collected, where the lot reports to one.
var tellReceived = &ledger.Decision[again, bool]{Name: "parking.tell-received", Run: func(tx *ledger.Tx, a again) (bool, error) {
	if _, err := tx.Exec(`UPDATE parking_collections SET look_at = 0 WHERE number = $1`, a.number); err != nil || !a.city {
		return false, err
	}
	c, err := collectionBy(tx, `number = $1 AND state = 'paid'`, a.number)
	if err != nil || c == nil {
		return false, err
	}
	var minor, at int64
	err = tx.QueryRow(`SELECT -p.minor, c.billed_at FROM parking_collections c JOIN parking_postings p ON p.movement = 'pay/' || c.bill || '/' || c.try
		WHERE c.number = $1 AND p.account = 'owed'`, c.number).Scan(&minor, &at)
	if err != nil {
		return false, err
	}
	return beginReceived(tx, a.rt, Received{Number: c.number, Bill: c.bill, Asked: c.minor, Minor: minor, At: time.UnixMilli(at)})
}}

// beginReceived leaves r to the outbox, with what its bill says of the visit; false: it is forgotten whose visit that was.
func beginReceived(tx *ledger.Tx, rt *flow.Runtime, r Received) (bool, error) {
	b, err := findBill(tx, r.Bill)
	if err != nil {
		return false, err
	}
	if b == nil {
		return false, fmt.Errorf("cannot report a payment of bill %s: it is not there", r.Bill)
	}
	if gone, err := erased(tx, b.run); err != nil || gone {
		return false, err
	}
	plate, err := plateOf(tx, rt, b.stay)
	if err != nil || plate == "" {
		return false, err
	}
	r.Stay, r.Plate, r.Price, r.Currency, r.Entered, r.Left = b.stay, plate, b.price, b.currency, b.entered, b.left
	return true, rt.Engine.Begin(tx, b.run, stepReceived, r, reportWithin)
}

// erased reports whether nobody knows any more whose car a run was about: nothing can be told outside in its name.
func erased(q ledger.Querier, run string) (bool, error) {
	row, found, err := ledger.FindRun(q, run)
	return !found || len(row.Key) == 0, err
}
