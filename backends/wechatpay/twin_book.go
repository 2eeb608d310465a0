package wechatpay

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Books is what the twin believes has happened: the outside record for whoever checks that no charge is missing, and none
// there twice. Plates appear as keyed hashes alone.
type Books struct {
	Requests uint64          `json:"requests"` // that were understood and authorized
	Keys     []string        `json:"keys"`     // serials of the provider's keys, the last one signs
	Entries  []BookedEntry   `json:"entries"`  // in the order in which they were made
	Charges  []BookedCharge  `json:"charges"`
	Refunds  []BookedRefund  `json:"refunds"`
	Untold   int             `json:"untold"`  // notifications that are not delivered yet
	Refused  []BookedRefusal `json:"refused"` // what was refused, in the order of the first time
}

// BookedEntry is one car that came in.
type BookedEntry struct {
	ID           string       `json:"id"`
	OutParkingNo string       `json:"out_parking_no"`
	Plate        string       `json:"plate"` // see Twin.Plate
	State        ParkingState `json:"state"`
	ChargedBy    string       `json:"charged_by,omitzero"` // the out_trade_no
	By           string       `json:"by"`
	Asked        int          `json:"asked"`
}

// BookedCharge is one charge. Amounts are fen.
type BookedCharge struct {
	OutTradeNo  string     `json:"out_trade_no"`
	ID          string     `json:"id"`
	ParkingID   string     `json:"parking_id"`
	Plate       string     `json:"plate"`
	State       TradeState `json:"state"`
	Total       int64      `json:"total"`
	CreatedAt   time.Time  `json:"created_at"`
	SucceededAt time.Time  `json:"succeeded_at,omitzero"`
	Content     string     `json:"content"` // keyed hash of what was sent: equal for equal content
	By          string     `json:"by"`      // the request that made it: traceparent, or a running number
	Asked       Asked      `json:"asked"`
	Told        Told       `json:"told"`
}

// BookedRefund is one refund. Amounts are fen.
type BookedRefund struct {
	OutRefundNo string      `json:"out_refund_no"`
	ID          string      `json:"id"`
	OutTradeNo  string      `json:"out_trade_no"`
	State       RefundState `json:"state"`
	Refund      int64       `json:"refund"`
	By          string      `json:"by"`
	Asked       Asked       `json:"asked"`
	Told        Told        `json:"told"`
}

// Asked is how often something was asked for, successes and refusals alike.
type Asked struct {
	Create int `json:"create"`
	Query  int `json:"query"`
}

// Told is how often something was told by notification.
type Told struct {
	Sent  int `json:"sent"`
	Taken int `json:"taken"` // answered with 200 or 204
}

// BookedRefusal is how often a number was refused with one code.
type BookedRefusal struct {
	Number string `json:"number"` // the merchant's; "" where there was none
	Code   string `json:"code"`
	Times  int    `json:"times"`
}

// refused takes a refusal into the books.
func (t *Twin) refused(number, code string) {
	if !isKey(number, MaxOutRefundNo) {
		number = ""
	}
	i, ok := t.refusals[number+" "+code]
	if !ok {
		i = len(t.state.Refused)
		t.state.Refused = append(t.state.Refused, BookedRefusal{Number: number, Code: code})
		t.refusals[number+" "+code] = i
	}
	t.state.Refused[i].Times++
}

// Books returns a Books.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() Books {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.state
	out := Books{Requests: s.Requests, Keys: []string{}, Entries: make([]BookedEntry, 0, len(s.Entries)), Charges: make([]BookedCharge, 0, len(s.Charges)),
		Refunds: make([]BookedRefund, 0, len(s.Refunds)), Untold: len(s.Notices), Refused: append([]BookedRefusal{}, s.Refused...)}
	for _, k := range t.keys {
		out.Keys = append(out.Keys, k.serial)
	}
	for _, e := range s.Entries {
		out.Entries = append(out.Entries, BookedEntry{e.ID, e.OutParkingNo, t.Plate(e.Plate, e.Color), e.State, e.ChargedBy, e.By, e.Asked})
	}
	for _, c := range s.Charges {
		out.Charges = append(out.Charges, BookedCharge{c.OutTradeNo, c.ID, c.Parking.ParkingID, c.PlateHash, c.State, *c.Amount.Total, c.CreatedAt,
			c.SucceededAt, c.Content, c.By, c.Asked, c.Told})
	}
	for _, r := range s.Refunds {
		out.Refunds = append(out.Refunds, BookedRefund{r.OutRefundNo, r.ID, r.OutTradeNo, r.State, r.Refund, r.By, r.Asked, r.Told})
	}
	return out
}

// What the twin can be asked to make.
const (
	MakePlate  = "plate"  // decide what a plate will meet
	MakeBehave = "behave" // decide how the provider tells and decides from now on
	MakeRotate = "rotate" // sign with a new key from now on
	MakeResend = "resend" // tell once more how a charge or refund stands
	MakeBill   = "bill"   // let the day's bill differ from the books
)

// Want asks the twin for something of its own.
type Want struct {
	What string `json:"what"` // one of the Make words

	Plate       string       `json:"plate_number,omitzero"` // of MakePlate
	Color       PlateColor   `json:"plate_color,omitzero"`
	State       ParkingState `json:"state,omitzero"` // "": Normal
	BlockReason string       `json:"block_reason,omitzero"`
	Outcome     TradeState   `json:"outcome,omitzero"` // PayFail: its charges will not be paid; "": Success
	Refuse      string       `json:"refuse,omitzero"`  // RULE_LIMIT, FREQUENCY_LIMITED, …: its charges are refused

	Behaviour Behaviour `json:"behaviour,omitzero"` // of MakeBehave

	Drop bool `json:"drop,omitzero"` // of MakeRotate: the former key leaves the list at once

	Number string `json:"number,omitzero"` // of MakeResend and MakeBill: an out_trade_no or out_refund_no
	Hide   bool   `json:"hide,omitzero"`   // of MakeBill: the bill does not have it
	Total  int64  `json:"total,omitzero"`  // of MakeBill: the bill has this amount, fen
	Day    string `json:"day,omitzero"`    // of MakeBill, where the books do not have the number: YYYY-MM-DD
	Refund bool   `json:"refund,omitzero"` // likewise: it is a refund
	Copies int    `json:"copies,omitzero"` // of MakeBill: the bill has it so often, at most 100; 0: once
}

// Make takes what want (a Want as JSON, unknown members refused) says and returns it.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"what\": \"plate\", \"behave\", \"rotate\", \"resend\" or \"bill\", …}: %w", err)
	}
	return w, t.Do(w)
}

// Do does what a Want says.
func (t *Twin) Do(w Want) error {
	switch w.What {
	case MakePlate:
		return t.mark(w)
	case MakeBehave:
		if !w.Behaviour.known() {
			return errors.New("behaviour: want times of 0 to 3600000 ms, copies of 0 to 100 and hold of 0 to 1000")
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.state.Behaviour = w.Behaviour
		t.changes++
		return nil
	case MakeRotate:
		return t.Rotate(w.Drop)
	case MakeResend:
		return t.resend(w.Number)
	case MakeBill:
		return t.alter(w)
	}
	return errors.New("what: want plate, behave, rotate, resend or bill")
}

// mark decides what a plate will meet; a car that is inside meets it at once.
func (t *Twin) mark(w Want) error {
	p := &twinPlate{State: w.State, BlockReason: w.BlockReason, Outcome: w.Outcome, Refuse: w.Refuse}
	if p.State == "" {
		p.State = Normal
	}
	if p.Outcome == "" {
		p.Outcome = Success
	}
	switch {
	case !isPlate(w.Plate) || !w.Color.known():
		return errors.New("plate_number and plate_color: want a plate without separators, and a colour of the interface")
	case p.State != Normal && p.State != Blocked, p.BlockReason != "" && (p.State != Blocked || !isWord(p.BlockReason)):
		return errors.New("state and block_reason: want NORMAL, or BLOCKED with a word")
	case p.Outcome != Success && p.Outcome != PayFail:
		return errors.New("outcome: want SUCCESS or PAY_FAIL")
	case p.Refuse != "" && !isWord(p.Refuse):
		return errors.New("refuse: want a code of the interface")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	hash := t.Plate(w.Plate, w.Color)
	t.state.Plates[hash] = p
	e := t.latest[hash]
	if e == nil || e.ChargedBy != "" || e.State == p.State && e.BlockReason == p.BlockReason {
		return nil
	}
	e.State, e.BlockReason = p.State, p.BlockReason
	now := t.now()
	t.schedule(t.notices(EventParking, e.NotifyURL, e.OutParkingNo, t.parkingNotice(e, now), now), now)
	t.arm()
	return nil
}

// parkingNotice is an entry as notifications have it.
func (t *Twin) parkingNotice(e *twinEntry, now time.Time) any {
	return struct {
		MchID        string       `json:"sp_mchid"`
		ID           string       `json:"parking_id"`
		OutParkingNo string       `json:"out_parking_no"`
		Plate        string       `json:"plate_number"`
		Color        PlateColor   `json:"plate_color"`
		StartTime    string       `json:"start_time"`
		ParkingName  string       `json:"parking_name"`
		FreeDuration int64        `json:"free_duration"`
		State        ParkingState `json:"parking_state"`
		BlockReason  string       `json:"blocked_state_description,omitzero"`
		UpdateTime   string       `json:"state_update_time"`
	}{t.cfg.MchID, e.ID, e.OutParkingNo, e.Plate, e.Color, e.StartTime, e.ParkingName, e.FreeDuration, e.State, e.BlockReason,
		now.Format("2006-01-02T15:04:05.000Z07:00")}
}

// resend tells once more how a charge or a refund stands.
func (t *Twin) resend(number string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	c, r := t.charges[number], t.refunds[number]
	var all []*twinNotice
	switch {
	case c != nil && c.State == PayFail:
		all = t.notices(EventNotPaid, c.NotifyURL, number, t.transaction(c), now)
	case c != nil && c.State == Success:
		all = t.notices(EventPaid, c.NotifyURL, number, t.transaction(c), now)
	case r != nil && r.State == RefundSuccess && r.NotifyURL != "":
		all = t.notices(EventRefunded, r.NotifyURL, number, t.refundNotice(r), now)
	default:
		return errors.New("number: want a charge or refund that is decided")
	}
	t.changes++
	t.schedule(all, now)
	t.arm()
	return nil
}

// alter lets a day's bill differ from the books.
func (t *Twin) alter(w Want) error {
	if _, err := time.Parse(time.DateOnly, w.Day); !isKey(w.Number, MaxOutRefundNo) || w.Total < 0 || w.Total >= MaxTotal || w.Copies < 0 || w.Copies > 100 || w.Day != "" && err != nil {
		return errors.New("number, total, day and copies: want a number of the merchant's, fen, YYYY-MM-DD, and 0 to 100")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	t.state.Altered = slices.DeleteFunc(t.state.Altered, func(a billAlter) bool { return a.Number == w.Number })
	t.state.Altered = append(t.state.Altered, billAlter{w.Number, w.Hide, w.Total, w.Day, w.Refund, w.Copies})
	return nil
}
