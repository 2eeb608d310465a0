package parking

import (
	"context"

	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// What a payment at a pay station is made with, in the station's words. A city that the lot reports to wants to know.
const (
	meansCash        = "cash"
	meansAlipay      = "alipay"
	meansWeChat      = "wechat"
	meansUnionPay    = "unionpay"
	meansCardWallet  = "citizen-card-wallet"
	meansCardAccount = "citizen-card-account"
)

func isMeans(s string) bool {
	switch s {
	case meansCash, meansAlipay, meansWeChat, meansUnionPay, meansCardWallet, meansCardAccount:
		return true
	}
	return false
}

// stations has the city told of what pay stations have taken, once it is on a bill. The other tills are told nothing of it.
func (w *round) stations(ctx context.Context) error {
	if w.till.collector != collectCity {
		return nil
	}
	var events []string
	err := w.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
		events, err = listOf(q, func(r ledger.Row) (event string, err error) { return event, r.Scan(&event) },
			`SELECT event FROM parking_prepayments WHERE venue = $1 AND untold = 1 AND state = 'billed' ORDER BY received_at LIMIT $2`,
			w.till.venue.ID, lookAtOnce)
		return err
	})
	for _, event := range events {
		if _, err := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, tellPrepaid, untold{w.rt, w.till.venue.ID, event}); err != nil {
			return err
		}
	}
	return err
}

// untold is a payment that the city has not been told of.
type untold struct {
	rt           *flow.Runtime
	venue, event string
}

// tellPrepaid leaves it to the outbox to tell the city of one payment. Where it has been forgotten whose it was, nothing can be told.
var tellPrepaid = &ledger.Decision[untold, bool]{Name: "parking.tell-prepaid", Run: func(tx *ledger.Tx, u untold) (bool, error) {
	m, err := prepaymentBy(tx, `venue = $1 AND event = $2 AND untold = 1 AND state = 'billed'`, u.venue, u.event)
	if err != nil || m == nil {
		return false, err
	}
	if _, err := tx.Exec(`UPDATE parking_prepayments SET untold = 0 WHERE venue = $1 AND event = $2`, u.venue, u.event); err != nil {
		return false, err
	}
	r := Received{Number: m.run, Bill: m.bill, Asked: m.minor, Minor: m.minor, At: m.paid, Means: m.means, Billed: m.asked}
	return beginReceived(tx, u.rt, r)
}}
