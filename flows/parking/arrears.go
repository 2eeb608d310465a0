package parking

import (
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// handArrears is for a bill that the gateway has tried to collect for the last time.
var handArrears = journey.Handover{Kind: "parking-arrears", Next: gateway.Text{
	Zh: "多次扣款未成，请决定再次扣款、减免或以其他方式追缴", En: "It could not be collected, however often it was tried: have it tried again, let it go, or pursue it otherwise"}}

// How the gateway itself settles arrears: they were paid after all, or let go elsewhere, in the word that staff have for it.
const (
	wordPaid  = "paid"
	wordWaive = "waive"
)

// arrearsFacts is what a person sees of a bill in arrears.
type arrearsFacts struct {
	evidence
	Due   gateway.Money `json:"due"`
	Tries []tryFacts    `json:"tries"`
}

type tryFacts struct {
	Number    string        `json:"number"`
	Collector string        `json:"collector"`
	Amount    gateway.Money `json:"amount"`
	At        time.Time     `json:"at"`
	State     string        `json:"state"`
	Why       string        `json:"why,omitempty"` // in the collector's word
}

// openArrears hands a bill in arrears to a person, with everything that is known.
func openArrears(tx *ledger.Tx, rt *flow.Runtime, b *bill) error {
	at := rt.Venue(b.venue)
	shown, err := Disputing{venue: at, rt: rt}.evidence(tx, b)
	if err != nil {
		return err
	}
	f := arrearsFacts{evidence: shown, Due: b.money(b.due())}
	f.Tries, err = listOf(tx, func(r ledger.Row) (t tryFacts, err error) {
		var minor, ordered int64
		err = r.Scan(&t.Number, &t.Collector, &minor, &ordered, &t.State, &t.Why)
		t.Amount, t.At = b.money(minor), flow.At(at, time.UnixMilli(ordered))
		return t, err
	}, `SELECT number, collector, minor, ordered_at, state, reason FROM parking_collections WHERE bill = $1 ORDER BY try`, b.id)
	if err != nil {
		return err
	}
	facts, err := rt.Engine.SealFacts(tx, b.run, f)
	if err != nil {
		return err
	}
	tried := make([]string, 0, len(f.Tries))
	for _, t := range f.Tries {
		tried = append(tried, t.At.Format(time.RFC3339)+" "+t.Collector+": "+t.Why)
	}
	return openAbout(tx, ledger.Assist{Run: b.run, Plan: planExit, Kind: handArrears.Kind, Tenant: b.tenant, Venue: b.venue, NextAction: handArrears.Next,
		Done: []string{taskBill}, NotDone: []string{taskPayment}, Tried: tried, Facts: facts, Subject: b.id})
}

// noArrears takes a bill back from the person who has its arrears, where nothing is owed any more.
func noArrears(tx *ledger.Tx, b *bill, word string) error {
	if b.tries < maxTries || b.due() > 0 {
		return nil
	}
	return settleAbout(tx, b.venue, handArrears.Kind, b.id, word)
}

// remindAnew has a bill in arrears tried again as after its last failure, where a dispute has stopped that.
func remindAnew(tx *ledger.Tx, b *bill) error {
	_, err := tx.Exec(`UPDATE parking_collections SET look_at = $1 WHERE bill = $2 AND try = $3 AND state = 'failed'`,
		tx.Now().Add(remindAfter).UnixMilli(), b.id, b.tries)
	return err
}

// arrearsOf finds the bill of an assist about arrears.
func arrearsOf(tx *ledger.Tx, a flow.Opened) (*bill, error) {
	b, err := findBill(tx, a.Subject)
	switch {
	case err != nil:
		return nil, err
	case b == nil || b.due() <= 0:
		return nil, ProblemBillSettled.Error(gateway.Text{})
	case b.state == billDisputed: // the dispute decides
		return nil, ProblemBillDisputed.Error(gateway.Text{})
	case b.state == billPayPending:
		return nil, ProblemBillPending.Error(gateway.Text{})
	}
	return b, nil
}

// collectArrears has a bill in arrears tried once more.
func collectArrears(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	b, err := arrearsOf(tx, a)
	if err != nil {
		return nil, err
	}
	if b.collect == collectNobody {
		return nil, ProblemPayAtLot.Error(gateway.Text{})
	}
	if err := collectAgain(tx, rt, b, b.collect); err != nil {
		return nil, err
	}
	return settledBill{Bill: Billed{ID: b.id, State: b.state, Due: b.money(b.due())}}, nil
}

// waiveArrears lets a bill in arrears go, wholly or by details.minor. The rest stays in arrears.
func waiveArrears(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	minor, err := readMinor(details)
	if err != nil {
		return nil, err
	}
	b, err := arrearsOf(tx, a)
	if err != nil {
		return nil, err
	}
	switch due := b.due(); {
	case minor == 0:
		minor = due
	case minor > due:
		return nil, ProblemAmountWrong.Error(gateway.Text{}).WithField("details.minor").With("due", due)
	}
	if err := waive(tx, b, minor, a.By); err != nil {
		return nil, err
	}
	if b.due() == 0 {
		b.state = billWaived
	}
	return settledBill{Bill: Billed{ID: b.id, State: b.state, Due: b.money(b.due())}}, updateBill(tx, b)
}
