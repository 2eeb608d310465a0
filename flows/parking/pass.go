package parking

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Passage is what a barrier sends: one car that it has read, or several that it had kept.
type Passage struct {
	Journey  string    `json:"journey"`
	Lot      string    `json:"lot"`
	Kind     string    `json:"kind"` // kindEntry or kindExit
	Batch    bool      `json:"batch,omitzero"`
	Received time.Time `json:"received"`
	Events   []Event   `json:"events"`
	By       string    `json:"by"`

	venue *gateway.Venue
	keys  *seal.Keys
}

// Event is one car at a barrier.
type Event struct {
	ID       string    `json:"id"`
	Gate     string    `json:"gate"`
	Plate    []byte    `json:"plate"` // keyed hash
	DataKey  []byte    `json:"data_key"`
	Sealed   []byte    `json:"sealed"`
	Digest   []byte    `json:"digest"` // keyed hash of what the barrier has said
	Vehicle  string    `json:"vehicle,omitempty"`
	Electric bool      `json:"electric,omitzero"`
	At       time.Time `json:"at"`

	refused *gateway.Error // of one of several: what is wrong with it
}

// The decisions of a barrier.
const (
	decideOpen    = "open"
	decidePayment = "payment-required"
)

// What has become of a reading, for the barrier.
const (
	resultInside = "inside" // the car is inside
	resultPassed = "passed" // it came in, and what is known since says more of it
	resultLeft   = "left"   // it has left, and has a bill
	resultParked = "parked" // it has left, and its entry is not known yet
)

// Result is what a barrier hears of one event. It holds nothing personal.
type Result struct {
	Event    string   `json:"event_id"`
	Decision string   `json:"decision,omitempty"`
	State    string   `json:"state,omitempty"`
	Stay     string   `json:"stay,omitempty"`
	Bill     *Billed  `json:"bill,omitempty"`
	Arrears  *Arrear  `json:"arrears,omitempty"`
	Again    bool     `json:"again,omitzero"` // the same passage was read before
	Problem  *Refusal `json:"problem,omitempty"`

	refused *gateway.Error
}

// Billed is a bill as a barrier may show it.
type Billed struct {
	ID    string        `json:"id"`
	State string        `json:"state"`
	Due   gateway.Money `json:"due"`
}

// Arrear is what has to be paid before a car may come in.
type Arrear struct {
	Due    gateway.Money `json:"due"`
	Bills  int64         `json:"bills"`
	Oldest time.Time     `json:"oldest"`
}

// Refusal says why one of several events was refused.
type Refusal struct {
	Type  string `json:"type"`
	Field string `json:"field,omitempty"`
}

// Decided is what the ledger has made of a passage, with what has to be told outside.
type Decided struct {
	Batch   bool     `json:"batch,omitzero"`
	Results []Result `json:"results"`
	Came    []CarIn  `json:"came,omitempty"`
	Left    []CarOut `json:"left,omitempty"`
	Charges []Charge `json:"charges,omitempty"`
}

const (
	maxEvents = 100           // in one request
	maxOrders = 4 * maxEvents // what they may have told outside: each changes two visits at most
)

// pass decides about every event, each by itself, in one commit. One that comes alone and is refused refuses the request.
var pass = &ledger.Decision[Passage, Decided]{Name: "parking.pass", Run: func(tx *ledger.Tx, in Passage) (Decided, error) {
	d := Decided{Batch: in.Batch, Results: make([]Result, 0, len(in.Events))}
	for i, e := range in.Events {
		r := Result{Event: e.ID, refused: e.refused}
		if e.refused == nil {
			var err error
			if r, err = in.decide(tx, e, &d); err != nil {
				return d, err
			}
		}
		if r.refused != nil {
			if !in.Batch {
				return d, ledger.Keep(r.refused)
			}
			r = Result{Event: e.ID, Problem: &Refusal{Type: r.refused.Problem.Type, Field: fmt.Sprintf("events[%d].%s", i, r.refused.Field)}}
		}
		d.Results = append(d.Results, r)
	}
	if n := max(len(d.Came), len(d.Left), len(d.Charges)); n > maxOrders {
		return d, fmt.Errorf("%d events have %d things to tell outside, more than %d", len(in.Events), n, maxOrders)
	}
	return d, nil
}}

// decide decides about one event. The same one again is answered as it was.
func (in Passage) decide(tx *ledger.Tx, e Event, d *Decided) (r Result, err error) {
	r = Result{Event: e.ID, Decision: decideOpen}
	earlier, err := findReading(tx, in.Lot, e.ID)
	switch {
	case err != nil:
		return r, err
	case earlier != nil && !bytes.Equal(earlier.digest, e.Digest):
		r.refused = ProblemEventReused.Error(gateway.Text{}).WithField("event_id")
		return r, nil
	case earlier != nil:
		err = json.Unmarshal([]byte(earlier.answer), &r)
		r.Again = true
		return r, err
	}
	x := &reading{
		id: e.ID, kind: in.Kind, gate: e.Gate, digest: e.Digest, plate: e.Plate, dataKey: e.DataKey, sealed: e.Sealed, vehicle: e.Vehicle,
		electric: e.Electric, at: e.At, received: in.Received, run: in.Journey, state: readCounted,
	}
	if in.Kind == kindEntry && in.waits(e) {
		if r.Arrears, err = in.arrears(tx, e); err != nil {
			return r, err
		}
	}
	if r.Arrears != nil {
		r.Decision, x.state = decidePayment, readTurnedAway
		return r, in.keep(tx, x, &r)
	}
	p := in.placing(tx, e)
	if err := p.place(e.At, x); err != nil {
		return r, err
	}
	if err := r.tell(tx, x); err != nil {
		return r, err
	}
	d.Came, d.Left, d.Charges = append(d.Came, p.came...), append(d.Left, p.left...), append(d.Charges, p.charges...)
	return r, in.keep(tx, x, &r)
}

func (in Passage) placing(tx *ledger.Tx, e Event) *placing {
	return &placing{
		tx: tx, venue: in.venue, settings: settingsOf(in.venue), keys: in.keys, plate: e.Plate, run: in.Journey, seed: e.ID,
		by: ledger.ActorGateway, why: "late-event",
	}
}

// waits reports whether the barrier still waits with the car: an event that it had kept is a fact already.
func (in Passage) waits(e Event) bool { return in.Received.Sub(e.At) <= settingsOf(in.venue).Leeway }

// keep keeps the event with its answer.
func (in Passage) keep(tx *ledger.Tx, x *reading, r *Result) error {
	answer, err := json.Marshal(r)
	if err != nil {
		return err
	}
	x.answer = string(answer)
	kept, err := insertReading(tx, in.Lot, x)
	if err == nil && !kept { // another writer was faster: what has been written must not be kept
		err = ProblemEventReused.Error(gateway.Text{}).WithField("event_id")
	}
	return err
}

// tell says what has become of a reading.
func (r *Result) tell(q ledger.Querier, x *reading) error {
	if x.state == readParked {
		r.State = resultParked
		return nil
	}
	s, err := findStays(q, []string{x.stay})
	if err != nil {
		return err
	}
	of := s[x.stay]
	r.Stay, r.Again = x.stay, of.entry != x.id && of.exit != x.id
	switch {
	case x.kind == kindEntry && of.state == stayOpen:
		r.State = resultInside
	case x.kind == kindEntry:
		r.State = resultPassed
	default:
		r.State = resultLeft
		b, err := billBy(q, `stay = $1`, of.id)
		if err != nil {
			return err
		}
		if b == nil {
			return errors.New("a visit that has ended has no bill")
		}
		r.Bill = &Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}
	}
	return nil
}

// arrears returns what the car's holder has to pay first; nil where it may come in.
func (in Passage) arrears(q ledger.Querier, e Event) (*Arrear, error) {
	settings := settingsOf(in.venue)
	if settings.Arrears.Over < 0 {
		return nil, nil
	}
	var due, bills, oldest int64
	err := q.QueryRow(`SELECT CAST(COALESCE(SUM(price - paid - waived + refunded), 0) AS BIGINT), COUNT(*), COALESCE(MIN(issued_at), 0)
		FROM parking_bills WHERE plate = $1 AND state IN ('billed', 'pay-pending', 'arrears') AND currency = $2 AND issued_at <= $3
		AND price - paid - waived + refunded > 0`, e.Plate, settings.Currency, in.Received.Add(-settings.Arrears.Older).UnixMilli()).Scan(&due, &bills, &oldest)
	if err != nil || due <= settings.Arrears.Over {
		return nil, err
	}
	return &Arrear{Due: gateway.Money{Minor: due, Currency: settings.Currency}, Bills: bills, Oldest: time.UnixMilli(oldest).In(in.venue.Location)}, nil
}

// passPlan declares an entry or an exit: they are decided in the same way.
func (o operations) passPlan(name, step string) (*journey.Plan[Passage, Decided], error) {
	return journey.Define(name, func(b *journey.Builder, in journey.Ref[Passage]) journey.Ref[Decided] {
		decided := journey.Record(b, step, o.pass, in, journey.Pivot())
		o.tellOutside(b, decided)
		return decided
	})
}
