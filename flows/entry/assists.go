package entry

import (
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The ways in which staff settle an assist of this journey.
var (
	sayAdmit    = gateway.Text{Zh: "放行", En: "Let the visitor in"}
	sayTurnAway = gateway.Text{Zh: "不放行", En: "Turn the visitor away"}
	sayDone     = gateway.Text{Zh: "已处理", En: "Settled"}
)

func assists() []flow.Assist {
	return []flow.Assist{
		{Kind: handUnverified.Kind, Resolutions: []flow.Resolution{
			{Word: "admit", Name: sayAdmit, Run: admitByHand}, {Word: "turn-away", Name: sayTurnAway},
		}},
		{Kind: handRedeemLate.Kind, Resolutions: []flow.Resolution{
			{Word: "admit", Name: sayAdmit, Run: admitHeld}, {Word: "turn-away", Name: sayTurnAway, Run: turnHeldAway},
		}},
		{Kind: handRedeemUndelivered.Kind, Resolutions: []flow.Resolution{{Word: "settled", Name: sayDone}}},
	}
}

// facts is what an assist of an entry holds.
type facts struct {
	Input Scan     `json:"input"`
	Admit Admitted `json:"admit"`
}

// byHand is what a person's admission leads to.
type byHand struct {
	Admissions []string `json:"admissions"`
	Inside     int64    `json:"inside"`
}

// admitByHand lets a visitor in whose ticket nothing could vouch for. It is an admission like any other: counted, and
// once for what was shown. Its redemption is tried from the outbox where a code was shown.
func admitByHand(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	var f facts
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	settings, at := settingsOf(a.Venue), tx.Now().In(a.Venue.Location)
	c := Claim{
		Journey: a.ID, Spot: a.Venue.ID, Gate: f.Input.Gate, Scan: f.Input.ID, Shown: f.Input.Shown.Hash, People: max(f.Input.People, 1),
		At: at, Day: at.Format(time.DateOnly), How: byStaff, Capacity: settings.Capacity, SameScan: settings.SameScan,
	}
	for i := range c.People {
		c.Tickets = append(c.Tickets, Ticket{Supplier: byStaff, Unit: a.ID + "-" + string(rune('a'+i)), Status: StatusValid})
	}
	if last, found, err := shownBefore(tx, c); err != nil || found {
		if err == nil {
			err = sayUsed(last.at, last.gate)
		}
		return nil, err
	}
	admitted, err := admit.Run(tx, c)
	if err != nil {
		return nil, err
	}
	return sayByHand(admitted), nil
}

func sayByHand(a Admitted) byHand {
	b := byHand{Inside: a.Inside}
	for _, p := range a.People {
		b.Admissions = append(b.Admissions, p.Admission)
	}
	return b
}

// admitHeld lets a visitor in whose claim stands; the outbox redeems what is not redeemed yet.
func admitHeld(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	var f facts
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	ops, err := ledger.OperationsOf(tx, a.Run)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.Kind != ledger.OpWrite {
			continue
		}
		if err := rt.Engine.Deliver(tx, op.Key, redeemWithin); err != nil {
			return nil, err
		}
	}
	return sayByHand(f.Admit), nil
}

// turnHeldAway releases the claim and has a redemption that took place after all undone.
func turnHeldAway(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	var f facts
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	if _, err := release.Run(tx, f.Admit); err != nil {
		return nil, err
	}
	return nil, rt.Engine.TakeBack(tx, a.Run)
}
