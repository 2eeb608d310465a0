package hangzhou

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// Books is what the twin believes has happened: the outside record for whoever checks that no bill is lost, and none
// collected twice. Plates appear as keyed hashes alone (Twin.Plate).
type Books struct {
	Requests   uint64          `json:"requests"` // that were understood and verified
	Heartbeats uint64          `json:"heartbeats"`
	States     uint64          `json:"states"`
	Stays      []BookedStay    `json:"stays"`    // in the order of their arrivals' coming
	Bills      []BookedBill    `json:"bills"`    // that were to be collected
	Payments   []BookedPayment `json:"payments"` // that the lot told of
	Pushes     []BookedPush    `json:"pushes"`
	Refused    []BookedRefusal `json:"refused"` // in the order of the first time
}

// BookedStay is one stay. Content is a keyed hash: equal for equal content.
type BookedStay struct {
	UID      string `json:"uid"`
	Plate    string `json:"plate"` // keyed hash
	Entered  string `json:"entered"`
	Left     string `json:"left,omitzero"` // "": still inside
	In       string `json:"in"`            // content
	Out      string `json:"out,omitzero"`
	InAsked  int    `json:"in_asked"` // times it was told, with whatever content
	OutAsked int    `json:"out_asked"`
}

// BookedBill is one collection.
type BookedBill struct {
	BillID  string `json:"bill"`
	UID     string `json:"uid"`
	Due     int64  `json:"due"` // fen
	Status  Status `json:"status"`
	Order   string `json:"order,omitzero"`
	Content string `json:"content"`
	Asked   int    `json:"asked"`
}

// BookedPayment is one payment, in fen.
type BookedPayment struct {
	BillID  string `json:"bill"`
	UID     string `json:"uid"`
	Price   int64  `json:"price"`
	Due     int64  `json:"due"`
	Paid    int64  `json:"paid"`
	Means   Means  `json:"means"`
	Way     Way    `json:"way"`
	Content string `json:"content"`
	Asked   int    `json:"asked"`
}

// BookedPush is one message to the lot.
type BookedPush struct {
	RequestID string `json:"request"`
	Topic     string `json:"topic"`
	About     string `json:"about"`     // a uid, or a bill
	Sent      int    `json:"sent"`      // times it was given to the broker
	Confirmed int    `json:"confirmed"` // times the lot has acknowledged it
}

// BookedRefusal is how often an operation was refused with one code.
type BookedRefusal struct {
	Operation string `json:"operation"`
	Code      string `json:"code"`
	Times     int    `json:"times"`
}

// refuse takes a refusal into the books. The caller holds mu.
func (t *Twin) refuse(operation string, no *twinRefusal) {
	at := [2]string{operation, no.code}
	i, ok := t.refusals[at]
	if !ok {
		i = len(t.state.Refused)
		t.state.Refused, t.refusals[at] = append(t.state.Refused, BookedRefusal{Operation: operation, Code: no.code}), i
	}
	t.state.Refused[i].Times++
	t.changes++
}

// Books returns a Books.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() Books {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.state
	out := Books{Requests: s.Requests, Heartbeats: s.Heartbeats, States: s.States, Stays: make([]BookedStay, 0, len(s.Stays)),
		Bills: make([]BookedBill, 0, len(s.Bills)), Payments: make([]BookedPayment, 0, len(s.Payments)),
		Pushes: make([]BookedPush, 0, len(s.Pushes)), Refused: append([]BookedRefusal{}, s.Refused...)}
	for _, x := range s.Stays {
		out.Stays = append(out.Stays, BookedStay{x.UID, t.Plate(x.Plate), x.Entered, x.Left, x.In, x.Out, x.InAsked, x.OutAsked})
	}
	for _, x := range s.Bills {
		out.Bills = append(out.Bills, BookedBill{x.BillID, x.UID, x.Due, x.Status, x.Order, x.Content, x.Asked})
	}
	for _, x := range s.Payments {
		out.Payments = append(out.Payments, BookedPayment{x.BillID, x.UID, x.Price, x.Due, x.Paid, Means(x.Means), Way(x.Way), x.Content, x.Asked})
	}
	for _, x := range s.Pushes {
		out.Pushes = append(out.Pushes, BookedPush{x.RequestID, x.Topic, x.About, x.Sent, x.Confirmed})
	}
	return out
}

// Want asks the twin for one thing: a policy, a settlement, or a question to the lot.
type Want struct {
	Plate  string  `json:"plate,omitzero"`  // whose policy; "": of all that have none of their own
	Policy *Policy `json:"policy,omitzero"` // from now on; the lot is told of those who are inside
	Settle string  `json:"settle,omitzero"` // a bill that is held
	Failed bool    `json:"failed,omitzero"` // it is not paid
	Fee    string  `json:"fee,omitzero"`    // ask the lot what the vehicle of this plate would pay
}

// Make does what want (a Want as JSON, unknown members refused) says and returns it, without plates.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if json.Unmarshal(want, &w, json.RejectUnknownMembers(true)) != nil { // the error's text may show a plate
		return nil, errors.New(`cannot read what to make: want {"plate", "policy": {"no_sense", "leave_first", "limit", "collect", "delay_ms"}}, {"settle", "failed"} or {"fee"}`)
	}
	if err := t.Do(w); err != nil {
		return nil, err
	}
	w.Plate, w.Fee = "", ""
	return w, nil
}

// Do does what w says. The error names the member at fault and shows no plate.
func (t *Twin) Do(w Want) error {
	switch {
	case w.Policy != nil && w.Settle == "" && w.Fee == "" && !w.Failed:
		return t.setPolicy(w.Plate, *w.Policy)
	case w.Settle != "" && w.Policy == nil && w.Fee == "" && w.Plate == "":
		if w.Failed {
			return t.settle(w.Settle, Failed)
		}
		return t.settle(w.Settle, Paid)
	case w.Fee != "" && w.Policy == nil && w.Plate == "" && !w.Failed:
		return t.ask(w.Fee)
	}
	return errors.New("want one of policy (with a plate or none), settle (and failed or not) and fee")
}

func (t *Twin) setPolicy(plate string, p Policy) error {
	if err := p.check(); err != nil {
		return err
	}
	if plate != "" && !isText(plate) {
		return fmt.Errorf("plate: want at most %d bytes", MaxText)
	}
	var r record
	t.mu.Lock()
	at := ""
	if plate != "" {
		at = t.Plate(plate)
	}
	t.state.Policies[at] = p
	t.changes++
	for _, s := range t.state.Stays {
		if s.Left == "" && (s.Plate == plate || plate == "" && t.policy(s.Plate) == p) {
			t.permit(s, &r)
		}
	}
	t.mu.Unlock()
	t.after(&r)
	return nil
}

// ask asks the lot what a vehicle would pay.
func (t *Twin) ask(plate string) error {
	var r record
	t.mu.Lock()
	for _, s := range t.state.Stays {
		if s.Left == "" && s.Plate == plate {
			t.push(&r, topicFee, s.UID, struct {
				Plate   string `json:"plateNo"`
				Parking string `json:"parkingCode"`
			}{plate, t.cfg.Name})
		}
	}
	t.mu.Unlock()
	if len(r.then) == 0 {
		return errors.New("fee: no vehicle of this plate is inside")
	}
	t.after(&r)
	return nil
}
