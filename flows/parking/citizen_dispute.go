package parking

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// handDispute is for a bill that its owner does not accept.
var handDispute = journey.Handover{Kind: "parking-bill-disputed", Next: gateway.Text{
	Zh: "车主对账单有异议，请核对进出记录后决定是否减免", En: "A bill is disputed: look at the readings, then let it stand or let it go"}}

// Disputing is a citizen who does not accept a bill.
type Disputing struct {
	Journey string
	Bill    string

	owner  []byte
	tenant string
	reason string
	venue  *gateway.Venue
	rt     *flow.Runtime
}

// Disputed is the bill after that.
type Disputed struct {
	Bill   Billed
	Assist string
}

// evidence is what a person sees of a dispute: all that the bill follows from.
type evidence struct {
	Bill     string            `json:"bill"`
	Reason   string            `json:"reason"`
	Plate    string            `json:"plate"`
	Entered  time.Time         `json:"entered_at"`
	Left     time.Time         `json:"left_at"`
	Price    gateway.Money     `json:"price"`
	Paid     gateway.Money     `json:"paid"`
	Lines    []gateway.Text    `json:"lines"`
	Readings []evidenceReading `json:"readings"`
}

type evidenceReading struct {
	Event    string    `json:"event_id"`
	Kind     string    `json:"kind"`
	Gate     string    `json:"gate"`
	Occurred time.Time `json:"occurred_at"`
	Received time.Time `json:"received_at"`
}

// disputeBill stops the collection of a bill and hands it to a person with the evidence. What a collector has taken by then is
// booked all the same.
var disputeBill = &ledger.Decision[Disputing, Disputed]{Name: "parking.dispute", Run: func(tx *ledger.Tx, d Disputing) (out Disputed, err error) {
	b, err := findOwnBill(tx, d.owner, d.tenant, d.Bill)
	if err != nil {
		return out, err
	}
	switch {
	case b.state == billDisputed:
		return out, ledger.Keep(ProblemBillDisputed.Error(gateway.Text{}))
	case b.price-b.waived <= 0 || b.state == billWaived || b.state == billRefunded || b.state == billCancelled:
		return out, ledger.Keep(ProblemBillSettled.Error(gateway.Text{}))
	}
	shown, err := d.evidence(tx, b)
	if err != nil {
		return out, err
	}
	facts, err := d.rt.Engine.SealFacts(tx, d.Journey, shown)
	if err != nil {
		return out, err
	}
	if _, err := tx.Exec(`INSERT INTO parking_disputes (bill, n, run, before, outcome, made_at, settled_at)
		VALUES ($1, (SELECT COUNT(*) + 1 FROM parking_disputes WHERE bill = $1), $2, $3, '', $4, 0)`,
		b.id, d.Journey, b.state, tx.Now().UnixMilli()); err != nil {
		return out, err
	}
	b.state = billDisputed
	if err := updateBill(tx, b); err != nil {
		return out, err
	}
	a, err := tx.OpenAssist(ledger.Assist{
		Run: d.Journey, Plan: planDispute, Kind: handDispute.Kind, Tenant: b.tenant, Venue: b.venue, NextAction: handDispute.Next,
		Done: []string{taskStopped}, NotDone: []string{taskDecision}, Facts: facts, Subject: b.id,
	})
	return Disputed{Bill: Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}, Assist: a.ID}, err
}}

// evidence gathers what the bill follows from.
func (d Disputing) evidence(q ledger.Querier, b *bill) (e evidence, err error) {
	at := func(t time.Time) time.Time { return flow.At(d.venue, t) }
	e = evidence{Bill: b.id, Reason: d.reason, Entered: at(b.entered), Left: at(b.left), Price: b.money(b.price), Paid: b.money(b.paid),
		Lines: []gateway.Text{}, Readings: []evidenceReading{}}
	if e.Plate, err = plateOf(q, d.rt, b.stay); err != nil {
		return e, err
	}
	for _, l := range b.lines {
		e.Lines = append(e.Lines, l.Text)
	}
	readings, err := listOf(q, scanReading, `SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND plate = $2 AND occurred_at >= $3
		AND occurred_at <= $4 ORDER BY occurred_at LIMIT 20`, b.venue, b.plate, b.entered.UnixMilli(), b.left.UnixMilli())
	for _, r := range readings {
		e.Readings = append(e.Readings, evidenceReading{Event: r.id, Kind: r.kind, Gate: r.gate, Occurred: at(r.at), Received: at(r.received)})
	}
	return e, err
}

type disputedSaid struct {
	Journey string `json:"journey"`
	Bill    Billed `json:"bill"`
	Assist  string `json:"assist"`
}

// dispute hands a bill of the caller's to a person.
func (c *citizens) dispute(x *edge.Exchange, rt *flow.Runtime) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := x.Decode(&body); err != nil {
		return err
	}
	reason, err := readReason("reason", body.Reason)
	if err != nil {
		return err
	}
	b, at, err := ownBill(x, rt)
	if err != nil {
		return err
	}
	in := Disputing{Journey: x.JourneyID(), Bill: b.id, owner: ledger.Subject(rt.Ledger.Keys(), x.Principal()), tenant: x.Principal().Tenant,
		reason: reason, venue: at, rt: rt}
	return flow.Run(rt, x, at, c.disputes, in, func(o journey.Outcome[Disputed], _ string) flow.Said {
		return flow.Said{Status: http.StatusAccepted, Body: disputedSaid{Journey: o.ID, Bill: o.Value.Bill, Assist: o.Value.Assist}}
	})
}

// The ways in which staff settle what this side hands over.
var (
	sayStands      = gateway.Text{Zh: "账单无误，继续收取", En: "The bill stands, and is collected"}
	sayWaive       = gateway.Text{Zh: "减免，已付的原路退回", En: "Let it go; what was paid is given back"}
	sayRefund      = gateway.Text{Zh: "多付部分原路退回", En: "Give back what was paid too much"}
	sayGaveByHand  = gateway.Text{Zh: "已用其他方式退还，登记入账", En: "Given back otherwise; it is booked"}
	sayNothingLeft = gateway.Text{Zh: "已无可退款项", En: "Nothing is left to give back"}
	sayRefundAgain = gateway.Text{Zh: "再次原路退款", En: "Give it back the way it came, once more"}
	sayCollect     = gateway.Text{Zh: "再次扣款", En: "Have it collected once more"}
	sayLetGoFee    = gateway.Text{Zh: "减免所欠金额", En: "Let go what is owed"}
	sayVerified    = gateway.Text{Zh: "已核对，车牌归申请人", En: "Checked: the plate is theirs"}
	sayNotTheirs   = gateway.Text{Zh: "无法确认车牌归属", En: "It cannot be said whose plate it is"}
)

func citizenAssists() []flow.Assist {
	settled := []flow.Resolution{{Word: "settled", Name: saySettled}}
	byHand := flow.Resolution{Word: "settled", Name: sayGaveByHand, Run: gaveByHand}
	nothing := flow.Resolution{Word: "nothing-left", Name: sayNothingLeft, Run: nothingLeft}
	return []flow.Assist{
		{Kind: handVehicle.Kind, Resolutions: []flow.Resolution{
			{Word: "verified", Name: sayVerified, Run: verify}, {Word: "refused", Name: sayNotTheirs},
		}},
		{Kind: handDispute.Kind, Resolutions: []flow.Resolution{
			{Word: "stands", Name: sayStands, Run: letStand}, {Word: "waive", Name: sayWaive, Run: letDisputedGo},
		}},
		{Kind: handOverpaid.Kind, Resolutions: []flow.Resolution{
			{Word: "refund", Name: sayRefund, Run: giveBack}, byHand, nothing,
		}},
		{Kind: handRefund.Kind, Resolutions: []flow.Resolution{
			byHand, {Word: "try-again", Name: sayRefundAgain, Run: tryRefundAgain}, nothing,
		}},
		{Kind: handByHand.Kind, Resolutions: []flow.Resolution{byHand, nothing}},
		{Kind: handArrears.Kind, Resolutions: []flow.Resolution{
			{Word: "again", Name: sayCollect, Run: collectArrears}, {Word: wordWaive, Name: sayLetGoFee, Run: waiveArrears}, {Word: "settled", Name: saySettled},
		}},
		{Kind: handDiffers.Kind, Resolutions: settled},
		{Kind: handUndecided.Kind, Resolutions: settled},
		{Kind: kindNotice, Resolutions: settled},
		{Kind: kindDifference, Resolutions: settled},
	}
}

// settledBill is what a person's decision has led to; nothing of it is personal.
type settledBill struct {
	Bill   Billed `json:"bill"`
	Refund int64  `json:"refund,omitzero"`  // minor units that are given back
	ByHand int64  `json:"by_hand,omitzero"` // that have to be given back otherwise
}

// disputedBill finds the bill of a dispute, and the state that it had before.
func disputedBill(tx *ledger.Tx, a flow.Opened) (b *bill, before string, err error) {
	if b, err = findBill(tx, a.Subject); err != nil {
		return nil, "", err
	}
	if b == nil || b.state != billDisputed {
		return nil, "", ProblemBillSettled.Error(gateway.Text{})
	}
	err = tx.QueryRow(`SELECT before FROM parking_disputes WHERE run = $1`, a.Run).Scan(&before)
	return b, before, err
}

func closeDispute(tx *ledger.Tx, a flow.Opened, outcome string) error {
	_, err := tx.Exec(`UPDATE parking_disputes SET outcome = $1, settled_at = $2 WHERE run = $3`, outcome, tx.Now().UnixMilli(), a.Run)
	return err
}

// letStand goes on collecting a bill.
func letStand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	b, before, err := disputedBill(tx, a)
	if err != nil {
		return nil, err
	}
	if err := closeDispute(tx, a, "stands"); err != nil {
		return nil, err
	}
	switch {
	case b.due() <= 0:
		b.state = billPaid
	case before == billPayPending && b.collect != collectNobody:
		if err := collectAgain(tx, rt, b, b.collect); err != nil {
			return nil, err
		}
	case before == billArrears:
		b.state = billArrears
		if err := remindAnew(tx, b); err != nil {
			return nil, err
		}
	default:
		b.state = billBilled
	}
	return settledBill{Bill: Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}}, updateBill(tx, b)
}

// letDisputedGo waives a disputed bill, wholly or by details.minor, and gives back what was paid too much then.
func letDisputedGo(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	minor, err := readMinor(details)
	if err != nil {
		return nil, err
	}
	b, before, err := disputedBill(tx, a)
	if err != nil {
		return nil, err
	}
	if minor == 0 {
		minor = b.price - b.waived
	}
	if err := waive(tx, b, minor, a.By); err != nil {
		return nil, err
	}
	if err := closeDispute(tx, a, "waived"); err != nil {
		return nil, err
	}
	switch due := b.due(); {
	case due < 0 || due == 0 && b.paid > 0:
		b.state = billPaid
	case due == 0:
		b.state = billWaived
	case before == billArrears:
		b.state = billArrears
		if err := remindAnew(tx, b); err != nil {
			return nil, err
		}
	default:
		b.state = billBilled
	}
	return refundOf(tx, b)
}

// readMinor reads how much of a bill a person lets go; 0: all of it.
func readMinor(details []byte) (int64, error) {
	var said struct {
		Minor int64 `json:"minor"`
	}
	if len(details) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil || said.Minor < 0 {
		return 0, edge.FieldInvalid("details", "可包含 minor", "It may hold minor: how much of the bill is let go.")
	}
	return said.Minor, nil
}

// giveBack gives back what was paid too much for a bill.
func giveBack(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	b, err := findBill(tx, a.Subject)
	if err != nil {
		return nil, err
	}
	switch {
	case b == nil || b.due() >= 0:
		return nil, ProblemBillSettled.Error(gateway.Text{})
	case b.state == billDisputed: // the dispute decides
		return nil, ProblemBillDisputed.Error(gateway.Text{})
	}
	return refundOf(tx, b)
}

// refundOf keeps a bill, and orders that what was paid too much is given back.
func refundOf(tx *ledger.Tx, b *bill) (out settledBill, err error) {
	if err := updateBill(tx, b); err != nil {
		return out, err
	}
	out.Bill = Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}
	if b.due() >= 0 {
		return out, nil
	}
	out.ByHand, err = orderRefunds(tx, b)
	out.Refund = -b.due() - out.ByHand
	if err == nil && out.ByHand > 0 {
		err = openByHand(tx, b, out.ByHand)
	}
	return out, err
}
