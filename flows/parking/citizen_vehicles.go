package parking

import (
	"encoding/hex"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// handVehicle is for a plate that somebody says is theirs.
var handVehicle = journey.Handover{Kind: "parking-vehicle-unverified", Next: gateway.Text{
	Zh: "请核对行驶证后确认车牌归属及起止日期", En: "Check the vehicle licence, then say from when until when the plate is theirs"}}

const (
	bindFor     = 365 * 24 * time.Hour // where staff do not say until when
	bindLongest = 3 * bindFor
	aboutAtOnce = 1000 // bills and visits that a binding makes the owner's to ask about
)

// Binding is a caller who says that a plate is theirs.
type Binding struct {
	Journey string
	Lot     string
	Plate   []byte // keyed hash
	Owner   []byte // ledger.Subject
	At      time.Time

	text     string // the plate
	evidence string
	by       string
	venue    *gateway.Venue
	rt       *flow.Runtime
}

// Bound is what has become of that.
type Bound struct {
	Until  time.Time // zero: a person looks first
	Assist string
}

// vehicleFacts is what a person sees of it, and what their decision needs.
type vehicleFacts struct {
	Plate    string `json:"plate"`
	Evidence string `json:"evidence,omitempty"`
	By       string `json:"by"`
	Owner    []byte `json:"owner"`
}

// bind asks a person whether a plate is the caller's, unless that is known.
var bind = &ledger.Decision[Binding, Bound]{Name: "parking.bind", Run: func(tx *ledger.Tx, b Binding) (out Bound, err error) {
	until, err := listOf(tx, func(r ledger.Row) (ms int64, err error) { return ms, r.Scan(&ms) },
		`SELECT until_at FROM parking_vehicles WHERE owner = $1 AND plate = $2 AND from_at <= $3 AND until_at > $3 ORDER BY until_at DESC`,
		b.Owner, b.Plate, b.At.UnixMilli())
	if err != nil {
		return out, err
	}
	if len(until) > 0 {
		out.Until = time.UnixMilli(until[0])
		return out, nil
	}
	facts, err := b.rt.Engine.SealFacts(tx, b.Journey, vehicleFacts{Plate: b.text, Evidence: b.evidence, By: b.by, Owner: b.Owner})
	if err != nil {
		return out, err
	}
	about := b.rt.Ledger.Keys().Hash("parking-vehicle", b.Owner, b.Plate)
	a, err := tx.OpenAssist(ledger.Assist{
		Run: b.Journey, Plan: planVehicle, Kind: handVehicle.Kind, Tenant: b.venue.Tenant, Venue: b.venue.ID, NextAction: handVehicle.Next,
		NotDone: []string{taskBinding}, Facts: facts, Subject: hex.EncodeToString(about[:16]),
	})
	out.Assist = a.ID
	return out, err
}}

type vehicleBody struct {
	Plate    string `json:"plate"`
	Lot      string `json:"lot"`
	Evidence string `json:"evidence"`
}

type vehicleSaid struct {
	Journey string    `json:"journey"`
	State   string    `json:"state"` // verified, or wait
	Until   time.Time `json:"until,omitzero"`
	Assist  string    `json:"assist,omitzero"`
}

// bindVehicle says that a plate is the caller's. Staff of the lot look at it.
func (c *citizens) bindVehicle(x *edge.Exchange, rt *flow.Runtime) error {
	var body vehicleBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	p, err := readPlate("plate", body.Plate)
	if err != nil {
		return err
	}
	if body.Lot == "" {
		return edge.FieldMissing("lot")
	}
	at := rt.Venue(body.Lot)
	if at == nil || at.Kind != Kind || at.Tenant != x.Principal().Tenant {
		return ProblemLotUnknown.Error(gateway.Text{}).WithField("lot")
	}
	evidence := ""
	if body.Evidence != "" {
		if evidence, err = readReason("evidence", body.Evidence); err != nil {
			return err
		}
	}
	keys := rt.Ledger.Keys()
	in := Binding{Journey: x.JourneyID(), Lot: at.ID, Plate: hashPlate(keys, at.Tenant, p), Owner: ledger.Subject(keys, x.Principal()), At: x.Arrived(),
		text: p.String(), evidence: evidence, by: ledger.Actor(x.Principal()), venue: at, rt: rt}
	return flow.Run(rt, x, at, c.vehicles, in, func(o journey.Outcome[Bound], _ string) flow.Said {
		if o.Value.Assist != "" {
			return flow.Said{Status: http.StatusAccepted, Body: vehicleSaid{Journey: o.ID, State: "wait", Assist: o.Value.Assist}}
		}
		return flow.Said{Status: http.StatusCreated, Body: vehicleSaid{Journey: o.ID, State: "verified", Until: flow.At(at, o.Value.Until)}}
	})
}

// verified is what a person's word on a plate has led to.
type verified struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// verify binds a plate to whoever has said that it is theirs, for a time. Whoever had it before has it no longer from then on.
func verify(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	var said struct {
		From  time.Time `json:"from"`
		Until time.Time `json:"until"`
	}
	if len(details) > 0 {
		if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil {
			return nil, edge.FieldInvalid("details", "须包含 from，可包含 until", "It must hold from, and may hold until: times with their offset.")
		}
	}
	if said.Until.IsZero() {
		said.Until = tx.Now().Add(bindFor)
	}
	switch {
	case said.From.IsZero():
		return nil, edge.FieldMissing("details.from")
	case said.From.After(tx.Now()):
		return nil, edge.FieldInvalid("details.from", "不得晚于现在", "It must not be in the future.")
	case !said.Until.After(tx.Now()) || said.Until.After(tx.Now().Add(bindLongest)):
		return nil, edge.FieldInvalid("details.until", "须晚于现在，且不超过三年", "It must be after now, and within three years.")
	}
	var f vehicleFacts
	if len(a.Facts) == 0 { // erased: nobody knows any more whose plate it was
		return nil, ProblemBillUnknown.Error(gateway.Text{Zh: "申请资料已删除", En: "What was asked for has been erased."})
	}
	if err := json.Unmarshal(a.Facts, &f); err != nil {
		return nil, err
	}
	p, err := readPlate("plate", f.Plate)
	if err != nil {
		return nil, err
	}
	keys := rt.Ledger.Keys()
	dataKey, sealed, err := sealPlate(keys, p)
	if err != nil {
		return nil, err
	}
	plate := hashPlate(keys, a.Tenant, p)
	from, until := said.From.Truncate(time.Millisecond), said.Until.Truncate(time.Millisecond)
	if _, err := tx.Exec(`UPDATE parking_vehicles SET until_at = $1 WHERE plate = $2 AND until_at > $1`, from.UnixMilli(), plate); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`INSERT INTO parking_vehicles (id, tenant, owner, plate, data_key, sealed, from_at, until_at, verified_by, run, made_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		a.ID, a.Tenant, f.Owner, plate, dataKey, sealed, from.UnixMilli(), until.UnixMilli(), a.By, a.Run, tx.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return verified{From: flow.At(a.Venue, from), Until: flow.At(a.Venue, until)}, tellOwner(tx, f.Owner, plate, from, until)
}

// tellOwner lets an owner ask what was told of the visits that their car has made in a time.
func tellOwner(tx *ledger.Tx, owner, plate []byte, from, until time.Time) error {
	runs, err := listOf(tx, func(r ledger.Row) (run string, err error) { return run, r.Scan(&run) },
		`SELECT run FROM parking_stays WHERE plate = $1 AND entered_at >= $2 AND entered_at < $3
		UNION SELECT run FROM parking_bills WHERE plate = $1 AND issued_at >= $2 AND issued_at < $3 LIMIT $4`,
		plate, from.UnixMilli(), until.UnixMilli(), aboutAtOnce)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := tx.About(run, owner); err != nil {
			return err
		}
	}
	return nil
}
