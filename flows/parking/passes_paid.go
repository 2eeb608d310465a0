package parking

import (
	"bytes"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// What a citizen pays inside a lot, at a pay station, the station reports as a barrier reports a car: an event that is a fact.
//
//   - It is booked at once: the lot's till has the money, and owes it (books.Advance) until a bill takes it.
//   - It is for the visit that the plate was on when the amount was asked for. The exit puts it on the bill in its own commit,
//     and prices the visit with the grace that the tariff gives after a payment.
//   - One that comes to be known after the exit is put on the bill then, which is priced anew. What was paid too much is a
//     person's. A payment may also name a bill that is owed: a citizen who comes back to pay it.
//   - A city that the lot reports to is told of it once it is on a bill, where the station says what it was made with.
//   - One for which no visit has come by when an exit's entry is given up, too, is a person's.

// The states of a prepayment.
const (
	prepaidWaiting  = "waiting"
	prepaidBilled   = "billed"
	prepaidAsked    = "asked"    // a person looks whose it is
	prepaidReturned = "returned" // it was given back
)

// prepayment is a row of parking_prepayments.
type prepayment struct {
	venue, event         string
	digest, plate        []byte
	dataKey, sealed      []byte
	currency             string
	minor                int64
	reference            string
	asked, paid          time.Time
	received             time.Time
	run, by, bill, state string
	means                string // "": the station does not say
	untold               int64  // 1: the city is to be told
}

const prepaymentColumns = `venue, event, digest, plate, data_key, sealed, currency, minor, reference, asked_at, paid_at, received_at, run, made_by, bill, state, means, untold`

func scanPrepayment(row ledger.Row) (*prepayment, error) {
	m := &prepayment{}
	var asked, paid, received int64
	err := row.Scan(&m.venue, &m.event, &m.digest, &m.plate, &m.dataKey, &m.sealed, &m.currency, &m.minor, &m.reference, &asked, &paid, &received,
		&m.run, &m.by, &m.bill, &m.state, &m.means, &m.untold)
	m.asked, m.paid, m.received = time.UnixMilli(asked), time.UnixMilli(paid), time.UnixMilli(received)
	return m, err
}

func prepaymentBy(q ledger.Querier, where string, args ...any) (*prepayment, error) {
	all, err := listOf(q, scanPrepayment, `SELECT `+prepaymentColumns+` FROM parking_prepayments WHERE `+where, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// prepaymentsOf reads what was paid for a plate's visits of a time.
func prepaymentsOf(q ledger.Querier, venue string, plate []byte, from, to time.Time) ([]*prepayment, error) {
	return listOf(q, scanPrepayment, `SELECT `+prepaymentColumns+` FROM parking_prepayments WHERE venue = $1 AND plate = $2
		AND asked_at >= $3 AND asked_at <= $4 AND state IN ('waiting', 'billed') ORDER BY asked_at, event`, venue, plate, from.UnixMilli(), to.UnixMilli())
}

func (m *prepayment) movement(kind books.Kind, id, bill, by string, from, to books.Account) books.Movement {
	return books.Movement{ID: id, Venue: m.venue, Bill: bill, Kind: kind, Currency: m.currency, By: by, Postings: books.Transfer(from, to, m.minor)}
}

// bookOn books a payment on a bill, which counts it itself.
func (m *prepayment) bookOn(tx *ledger.Tx, b *bill, by string) error {
	mv := m.movement(books.Pay, "pay/"+b.id+"/inside/"+m.event, b.id, by, books.Owed, books.Advance)
	mv.Tenant = b.tenant
	if err := post(tx, mv); err != nil {
		return err
	}
	m.bill, m.state = b.id, prepaidBilled
	return m.move(tx)
}

// move keeps where a payment stands.
func (m *prepayment) move(tx *ledger.Tx) error {
	_, err := tx.Exec(`UPDATE parking_prepayments SET bill = $1, state = $2 WHERE venue = $3 AND event = $4`, m.bill, m.state, m.venue, m.event)
	return err
}

// payInside puts payments on a bill that is there; its caller keeps the bill.
func payInside(tx *ledger.Tx, b *bill, all []*prepayment, by string) error {
	for _, m := range all {
		if err := m.bookOn(tx, b, by); err != nil {
			return err
		}
		b.paid += m.minor
	}
	if len(all) > 0 {
		b.state = b.afterPayment(-1)
	}
	return nil
}

// Prepayment is what a pay station reports.
type Prepayment struct {
	Journey string
	Event   string
	Bill    string // that it is for; "": the visit of the plate
	Amount  gateway.Money

	reference       string
	means           string
	untold          int64 // 1: the lot reports to a city, which wants to know
	asked, paid     time.Time
	received        time.Time
	plate, digest   []byte // keyed hashes
	dataKey, sealed []byte
	by              string
	venue           *gateway.Venue
	rt              *flow.Runtime
}

// Prepaid is what has become of it.
type Prepaid struct {
	State string
	Bill  *Billed
	Again bool // it was reported before
}

// takePrepaid keeps a payment and puts it where it belongs. The same one again is answered as it stands.
var takePrepaid = &ledger.Decision[Prepayment, Prepaid]{Name: "parking.take-prepaid", Run: func(tx *ledger.Tx, p Prepayment) (Prepaid, error) {
	earlier, err := prepaymentBy(tx, `venue = $1 AND event = $2`, p.venue.ID, p.Event)
	switch {
	case err != nil:
		return Prepaid{}, err
	case earlier != nil && !bytes.Equal(earlier.digest, p.digest):
		return Prepaid{}, ledger.Keep(ProblemEventReused.Error(gateway.Text{}).WithField("event_id"))
	case earlier != nil:
		return earlier.say(tx, true)
	}
	if earlier, err = prepaymentBy(tx, `venue = $1 AND reference = $2`, p.venue.ID, p.reference); err != nil {
		return Prepaid{}, err
	}
	if earlier != nil {
		return Prepaid{}, ledger.Keep(ProblemReferenceReused.Error(gateway.Text{}).WithField("reference"))
	}
	m := &prepayment{venue: p.venue.ID, event: p.Event, digest: p.digest, plate: p.plate, dataKey: p.dataKey, sealed: p.sealed, currency: p.Amount.Currency,
		minor: p.Amount.Minor, reference: p.reference, asked: p.asked, paid: p.paid, received: p.received, run: p.Journey, by: p.by, state: prepaidWaiting,
		means: p.means, untold: p.untold}
	if err := m.keep(tx, p.venue.Tenant); err != nil {
		return Prepaid{}, err
	}
	if err := p.settle(tx, m); err != nil {
		return Prepaid{}, err
	}
	if m, err = prepaymentBy(tx, `venue = $1 AND event = $2`, p.venue.ID, p.Event); err != nil {
		return Prepaid{}, err
	}
	return m.say(tx, false)
}}

// keep keeps a payment that is new, and books that the lot has the money.
func (m *prepayment) keep(tx *ledger.Tx, tenant string) error {
	n, err := tx.Exec(`INSERT INTO parking_prepayments (tenant, `+prepaymentColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`, tenant, m.venue, m.event, m.digest, m.plate,
		m.dataKey, m.sealed, m.currency, m.minor, m.reference, m.asked.UnixMilli(), m.paid.UnixMilli(), m.received.UnixMilli(), m.run, m.by, m.bill, m.state,
		m.means, m.untold)
	if err != nil {
		return err
	}
	if n == 0 { // another writer was faster
		return ProblemEventReused.Error(gateway.Text{}).WithField("event_id")
	}
	mv := m.movement(books.Prepay, "prepay/"+m.venue+"/"+m.event, "", m.by, books.Advance, books.Till)
	mv.Tenant, mv.Reference = tenant, "till/"+m.venue+"/"+m.reference
	return post(tx, mv)
}

// settle puts a payment on the bill that it names, or on that of the visit that it was made on, where the car has left already.
func (p Prepayment) settle(tx *ledger.Tx, m *prepayment) error {
	if p.Bill != "" {
		b, err := findBill(tx, p.Bill)
		if err != nil {
			return err
		}
		return m.putOn(tx, b, p.by)
	}
	last, err := listOf(tx, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE plate = $1 AND venue = $2 AND entered_at <= $3 AND state <> 'void'
		ORDER BY entered_at DESC LIMIT 1`, m.plate, m.venue, m.asked.UnixMilli())
	if err != nil || len(last) == 0 || last[0].state != stayExited || m.asked.After(last[0].left.Add(settingsOf(p.venue).Leeway)) {
		return err
	}
	b, err := billBy(tx, `stay = $1`, last[0].id)
	if err != nil || b == nil {
		return err
	}
	c := correction{rt: p.rt, venue: p.venue, run: b.run, seed: p.Journey, by: p.by, why: "late-payment"}
	return c.place(tx, m.plate, m.asked, nil)
}

// putOn puts a payment on a bill, whatever that has become: the money is there. What is too much is a person's.
func (m *prepayment) putOn(tx *ledger.Tx, b *bill, by string) error {
	if err := payInside(tx, b, []*prepayment{m}, by); err != nil {
		return err
	}
	if err := updateBill(tx, b); err != nil || b.due() >= 0 {
		return err
	}
	return openFor(tx, b, handOverpaid, "")
}

func (m *prepayment) say(q ledger.Querier, again bool) (Prepaid, error) {
	out := Prepaid{State: m.state, Again: again}
	if m.bill == "" {
		return out, nil
	}
	b, err := findBill(q, m.bill)
	if err == nil && b != nil {
		out.Bill = &Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}
	}
	return out, err
}

// handPrepaid is for a payment inside a lot for which no visit has come.
var handPrepaid = journey.Handover{Kind: "parking-prepayment-unmatched", Next: gateway.Text{
	Zh: "场内付款没有对应的停车记录，请核对车牌后计入账单或退款", En: "Somebody has paid inside the lot for a car that never came in: put it on the right bill, or give it back"}}
