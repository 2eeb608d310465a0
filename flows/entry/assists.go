package entry

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The ways in which staff settle an assist of this journey.
var (
	sayAdmit    = gateway.Text{Zh: "放行", En: "Let the visitor in"}
	sayTurnAway = gateway.Text{Zh: "不放行", En: "Turn the visitor away"}
	sayGone     = gateway.Text{Zh: "游客已离开或已入园", En: "The visitor has left, or is inside already"}
	sayDone     = gateway.Text{Zh: "已处理", En: "Settled"}
)

// wordGone settles what nobody has to decide any more. The gateway itself says it of a ticket that has got in meanwhile.
const wordGone = "gone"

// What a person's decision means for the gate.
const (
	decideOpen   = "open"
	decideClosed = "closed"
)

func assists() []flow.Assist {
	return []flow.Assist{
		{Kind: handUnverified.Kind, Resolutions: []flow.Resolution{
			{Word: "admit", Name: sayAdmit, Decision: decideOpen, Elsewhere: decideClosed, Run: admitByHand},
			{Word: "turn-away", Name: sayTurnAway, Decision: decideClosed}, {Word: wordGone, Name: sayGone, Decision: decideClosed},
		}},
		{Kind: handRedeemLate.Kind, Resolutions: []flow.Resolution{
			{Word: "admit", Name: sayAdmit, Decision: decideOpen, Run: admitHeld},
			{Word: "turn-away", Name: sayTurnAway, Decision: decideClosed, Run: turnHeldAway},
		}},
		{Kind: handRedeemUndelivered.Kind, Resolutions: []flow.Resolution{{Word: "settled", Name: sayDone, Run: redeemedByHand}}},
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

// letIn is what staff may say when they let a visitor in.
type letIn struct {
	People int `json:"people"` // how many; left out: as many as the turnstile said, or one
}

// admitByHand lets a visitor in whose ticket nothing could vouch for. It is an admission like any other: counted, once
// for what was shown, and redeemed from the outbox where that can be done: where the ticket is known from a pre-warming,
// however old, or where a code was shown.
func admitByHand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	var f facts
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	f.Input.Shown.hash(rt.Ledger.Keys(), a.Venue.ID)
	c, err := claimByHand(a, f, tx.Now(), details)
	if err != nil {
		return nil, err
	}
	known, err := knownOf(tx, rt.Ledger.Keys(), c.Spot, c.Shown)
	if err != nil {
		return nil, err
	}
	for _, t := range known.Tickets {
		t.Status = StatusValid // it is the person who vouches for it
		c.Tickets = append(c.Tickets, t)
	}
	unknown := len(c.Tickets) < c.People
	if unknown {
		last, found, err := shownBefore(tx, c)
		if err == nil && found {
			err = sayUsed(last.at, last.gate)
		}
		if err != nil {
			return nil, err
		}
		c.Tickets = nil
		for i := range c.People {
			c.Tickets = append(c.Tickets, Ticket{Supplier: byStaff, Unit: fmt.Sprintf("%s-%02d", a.ID, i+1), Status: StatusValid})
		}
	}
	admitted, err := admit.Run(tx, c)
	if isKept, outcome := ledger.IsKept(err); isKept {
		err = outcome // a refusal leaves the assist as it is
	}
	if err != nil {
		return nil, err
	}
	all, err := redemptions(admitted)
	if unknown && f.Input.Shown.Form == FormCode {
		all = []Redemption{{Supplier: byStaff, Unit: a.ID, Code: f.Input.Shown.Value, At: admitted.At, People: len(admitted.People)}}
	}
	for _, r := range all {
		if err == nil {
			err = rt.Engine.Begin(tx, a.Run, stepRedeem, r, redeemWithin)
		}
	}
	return sayByHand(admitted), err
}

func claimByHand(a flow.Opened, f facts, now time.Time, details []byte) (Claim, error) {
	settings, at := settingsOf(a.Venue), now.In(a.Venue.Location)
	said := letIn{People: max(f.Input.People, 1)}
	if len(details) > 0 {
		if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil {
			return Claim{}, edge.FieldInvalid("details", "只能包含 people", "It may hold people, a whole number, and nothing else.")
		}
	}
	if most := settings.MaxPeople; said.People < 1 || said.People > most {
		return Claim{}, edge.FieldInvalid("details.people", fmt.Sprintf("须为 1 至 %d", most), fmt.Sprintf("It must be 1 to %d, or be left out.", most))
	}
	gate, scan := f.Input.Gate, f.Input.ID
	if a.Place != "" && a.Place != gate { // the visitor has gone to another gate since: it is there that they come in
		gate, scan = a.Place, a.ID
	}
	return Claim{
		Journey: a.ID, Spot: a.Venue.ID, Gate: gate, Scan: scan, Shown: f.Input.Shown.Hash, People: said.People,
		Most: settings.MaxPeople, At: at, Day: at.Format(time.DateOnly), How: byStaff, Capacity: settings.Capacity,
		SameScan: settings.SameScan, Entries: settings.entries(),
	}, nil
}

func sayByHand(a Admitted) byHand {
	b := byHand{Inside: a.Inside}
	for _, p := range a.People {
		b.Admissions = append(b.Admissions, p.Admission)
	}
	return b
}

// admitHeld lets a visitor in whose claim stands; the outbox redeems what is not redeemed yet. Whom ticketing has
// refused meanwhile stays outside.
func admitHeld(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	var f facts
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	ops, err := ledger.OperationsOf(tx, a.Run)
	if err != nil {
		return nil, err
	}
	admitted := f.Admit
	admitted.People = nil
	var refusal *gateway.Error
	for _, p := range f.Admit.People {
		i := slices.IndexFunc(ops, func(op ledger.Operation) bool {
			return op.Key == redeemKey(Redemption{Supplier: p.Supplier, Unit: p.Unit})
		})
		if i >= 0 && ops[i].State == ledger.OpRefused && isRefusal(ops[i].Reason) {
			refusal = problemOf(ops[i].Reason).Error(gateway.Text{})
			if _, err := releasePerson(tx, f.Admit, p); err != nil {
				return nil, err
			}
			continue
		}
		if i >= 0 {
			if err := rt.Engine.Deliver(tx, ops[i].Key, redeemWithin); err != nil {
				return nil, err
			}
		}
		admitted.People = append(admitted.People, p)
	}
	if len(admitted.People) == 0 && refusal != nil {
		return nil, refusal
	}
	if admitted.Inside, _, err = occupancyOf(tx, f.Admit.Spot, f.Admit.Day); err != nil {
		return nil, err
	}
	return sayByHand(admitted), nil
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

// redeemedByHand: staff have settled it with the ticket seller.
func redeemedByHand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	return nil, rt.Engine.SettledByHand(tx, a.Run, stepRedeem)
}
