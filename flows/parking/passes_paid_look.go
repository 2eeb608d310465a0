package parking

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// prepaidFacts is what a person sees of a payment that belongs to no visit.
type prepaidFacts struct {
	Event     string        `json:"event_id"`
	Plate     string        `json:"plate"`
	Amount    gateway.Money `json:"amount"`
	Paid      time.Time     `json:"paid_at"`
	Reference string        `json:"reference"`
}

// askPrepaid asks a person about payments of a lot for which no visit has come. Where the car is inside, it goes on waiting.
var askPrepaid = &ledger.Decision[overdue, int]{Name: "parking.ask-prepaid", Run: func(tx *ledger.Tx, o overdue) (int, error) {
	due, err := listOf(tx, scanPrepayment, `SELECT `+prepaymentColumns+` FROM parking_prepayments m WHERE venue = $1 AND state = 'waiting' AND received_at <= $2
		AND NOT EXISTS (SELECT 1 FROM parking_stays s WHERE s.venue = m.venue AND s.plate = m.plate AND s.state = 'open' AND s.entered_at <= m.asked_at)
		ORDER BY received_at LIMIT $3`, o.venue.ID, o.before.UnixMilli(), overdueAtOnce)
	if err != nil {
		return 0, err
	}
	for _, m := range due {
		plate, err := openPlate(o.rt.Ledger.Keys(), m.dataKey, m.sealed)
		if err != nil {
			return 0, err
		}
		facts, err := o.rt.Engine.SealFacts(tx, m.run, prepaidFacts{Event: m.event, Plate: plate, Amount: gateway.Money{Minor: m.minor, Currency: m.currency},
			Paid: flow.At(o.venue, m.paid), Reference: m.reference})
		if err != nil {
			return 0, err
		}
		err = openAbout(tx, ledger.Assist{Run: m.run, Plan: planPrepaid, Kind: handPrepaid.Kind, Tenant: o.venue.Tenant, Venue: o.venue.ID,
			NextAction: handPrepaid.Next, NotDone: []string{taskBill}, Facts: facts, Subject: m.event})
		if err != nil {
			return 0, err
		}
		m.state = prepaidAsked
		if err := m.move(tx); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}}

// watchPrepaid hands payments that have waited too long to a person, until ctx ends.
func watchPrepaid(ctx context.Context, rt *flow.Runtime) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		for _, v := range rt.Venues(Kind) {
			for more := true; more; {
				n, err := ledger.Do(ledger.Patient(ctx), rt.Ledger, askPrepaid, overdue{rt, v, rt.Now().Add(-settingsOf(v).ParkedFor)})
				if err != nil && ctx.Err() == nil {
					rt.Logger.Warn("cannot hand payments without a visit to a person; it will be tried again", "venue", v.ID, "error", err)
				}
				more = err == nil && n == overdueAtOnce
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// The ways in which staff settle it.
var (
	sayOnBill   = gateway.Text{Zh: "计入指定账单", En: "Put it on the bill that it was for"}
	sayReturned = gateway.Text{Zh: "已退还付款人", En: "Given back"}
)

func prepaidAssists() []flow.Assist {
	return []flow.Assist{{Kind: handPrepaid.Kind, Resolutions: []flow.Resolution{
		{Word: "bill", Name: sayOnBill, Run: putByHand}, {Word: "returned", Name: sayReturned, Run: returnByHand},
	}}}
}

func askedPrepaid(tx *ledger.Tx, a flow.Opened) (*prepayment, error) {
	m, err := prepaymentBy(tx, `venue = $1 AND event = $2`, a.Venue.ID, a.Subject)
	if err == nil && (m == nil || m.state != prepaidAsked) {
		err = ledger.ProblemAssistResolved.Error(gateway.Text{})
	}
	return m, err
}

// putByHand puts a payment on the bill that a person names.
func putByHand(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	var said struct {
		Bill string `json:"bill"`
	}
	if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil || said.Bill == "" {
		return nil, edge.FieldInvalid("details", "须包含 bill", "It must hold bill: the id of the bill that it was for.")
	}
	m, err := askedPrepaid(tx, a)
	if err != nil {
		return nil, err
	}
	b, err := findBill(tx, said.Bill)
	switch {
	case err != nil:
		return nil, err
	case b == nil || b.venue != m.venue:
		return nil, ProblemBillUnknown.Error(gateway.Text{}).WithField("details.bill")
	case b.currency != m.currency:
		return nil, ProblemCurrencyWrong.Error(gateway.Text{}).WithField("details.bill")
	}
	if err := m.putOn(tx, b, a.By); err != nil {
		return nil, err
	}
	return settledBill{Bill: Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}}, nil
}

// returnByHand books that a payment was given back.
func returnByHand(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	m, err := askedPrepaid(tx, a)
	if err != nil {
		return nil, err
	}
	mv := m.movement(books.Return, "return/"+m.venue+"/"+m.event, "", a.By, books.Till, books.Advance)
	mv.Tenant = a.Tenant
	if err := post(tx, mv); err != nil {
		return nil, err
	}
	m.state = prepaidReturned
	return corrected{State: m.state}, m.move(tx)
}
