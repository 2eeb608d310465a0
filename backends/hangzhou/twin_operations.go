package hangzhou

import (
	"strings"
)

func (t *Twin) heartbeat(*record) (any, *twinRefusal) {
	t.state.Heartbeats++
	return nil, nil
}

func (t *Twin) berths(r *record) (any, *twinRefusal) {
	if no := fits(r); no != nil {
		return nil, no
	}
	t.state.States++
	return nil, nil
}

// fits judges how full a lot says that it is.
func fits(r *record) *twinRefusal {
	if r.number["freeBerthNum"] > r.number["openBerthNum"] || r.number["openBerthNum"] > r.number["totalBerthNum"] {
		return refuse(CodeBadRequest, "there are more free places than open ones, or more open ones than places")
	}
	return nil
}

func (t *Twin) arrive(r *record) (any, *twinRefusal) {
	if !r.isStay() {
		return nil, refuse(CodeBadRequest, "uid: it is not the lot's number, the entry's and the time of entry")
	}
	if no := fits(r); no != nil {
		return nil, no
	}
	content := t.content(r, arrivalSchema())
	if old := t.stays[r.text["uid"]]; old != nil {
		old.InAsked++
		if old.In != content {
			return nil, refuse(CodeConflict, "this arrival is known with other content")
		}
		return nil, nil
	}
	s := &twinStay{UID: r.text["uid"], Plate: r.text["plateNo"], Color: r.number["plateColor"], Entered: r.text["arriveTime"], In: content, InAsked: 1}
	t.state.Stays, t.stays[s.UID] = append(t.state.Stays, s), s
	t.permit(s, r)
	return nil, nil
}

// known returns the stay that a request is about, if it says of it what the arrival said.
func (t *Twin) known(r *record) (*twinStay, *twinRefusal) {
	s := t.stays[r.text["uid"]]
	switch {
	case s == nil:
		return nil, refuse(CodeUnknown, "there is no stay of this uid")
	case s.Plate != r.text["plateNo"]:
		return nil, refuse(CodeConflict, "another vehicle arrived under this uid")
	}
	if at, ok := r.text["arriveTime"]; ok && (at != s.Entered || r.number["plateColor"] != s.Color) {
		return nil, refuse(CodeConflict, "the arrival under this uid was another")
	}
	if end, ok := r.text["endTime"]; ok && end < s.Entered {
		return nil, refuse(CodeBadRequest, "endTime: nobody leaves before having arrived")
	}
	return s, nil
}

func (t *Twin) depart(r *record) (any, *twinRefusal) {
	if !r.isStay() {
		return nil, refuse(CodeBadRequest, "uid: it is not the lot's number, the entry's and the time of entry")
	}
	if no := fits(r); no != nil {
		return nil, no
	}
	s, no := t.known(r)
	if no != nil {
		return nil, no
	}
	content := t.content(r, departureSchema())
	s.OutAsked++
	if s.Out != "" && s.Out != content {
		return nil, refuse(CodeConflict, "this departure is known with other content")
	}
	s.Out, s.Left = content, r.text["endTime"]
	return nil, nil
}

// apply takes a bill for collection. One that failed is tried again.
func (t *Twin) apply(r *record) (any, *twinRefusal) {
	if !r.isStay() {
		return nil, refuse(CodeBadRequest, "uid: it is not of this lot and this time of entry")
	}
	s, no := t.known(r)
	if no != nil {
		return nil, no
	}
	content := t.content(r, chargeSchema())
	b := t.bills[r.text["billID"]]
	p := t.policy(s.Plate)
	switch {
	case b != nil && b.Content != content:
		b.Asked++
		return nil, refuse(CodeConflict, "this bill is known with other content")
	case b != nil && b.Status != Failed:
		b.Asked++
		return nil, nil
	case !p.permission().Allows(r.number["shouldPay"]):
		return nil, refuse(CodeForbidden, "this vehicle may not pay so much after leaving")
	case b == nil:
		b = &twinBill{BillID: r.text["billID"], UID: s.UID, Due: r.number["shouldPay"], Billed: r.text["billTime"], Content: content}
		t.state.Bills, t.bills[b.BillID] = append(t.state.Bills, b), b
	}
	b.Asked++
	b.Status, b.Held = Pending, p.Collect == Hold
	if !b.Held {
		r.then = append(r.then, func() { t.collectLater(b.BillID, p.delay()) })
	}
	return nil, nil
}

func (t *Twin) pay(r *record) (any, *twinRefusal) {
	if !strings.HasPrefix(r.text["uid"], r.text["parkingCode"]) {
		return nil, refuse(CodeBadRequest, "uid: it is not of this lot")
	}
	s, no := t.known(r)
	if no != nil {
		return nil, no
	}
	content := t.content(r, paymentSchema())
	if old := t.payments[r.text["billID"]]; old != nil {
		old.Asked++
		if old.Content != content {
			return nil, refuse(CodeConflict, "a payment of this bill is known with other content")
		}
		return nil, nil
	}
	if b := t.bills[r.text["billID"]]; b != nil && (b.UID != s.UID || b.Due != r.number["shouldPay"]) {
		return nil, refuse(CodeConflict, "this bill was to be collected with other content")
	}
	p := &twinPayment{BillID: r.text["billID"], UID: s.UID, Price: r.number["chargeFee"], Due: r.number["shouldPay"], Paid: r.number["actualPay"],
		Means: r.number["paidType"], Way: r.number["payType"], Content: content, Asked: 1}
	t.state.Payments, t.payments[p.BillID] = append(t.state.Payments, p), p
	return nil, nil
}

// wireBill is a bill as an answer to DailyBills has it.
type wireBill struct {
	BillID string `json:"billID"`
	UID    string `json:"uid"`
	Due    int64  `json:"shouldPay"`
	Paid   int64  `json:"actualPay"`
	Status Status `json:"payStatus"`
	Order  string `json:"orderCode"`
	Billed string `json:"billTime"`
}

func (t *Twin) daily(r *record) (any, *twinRefusal) {
	out := []wireBill{}
	for _, b := range t.state.Bills {
		if !strings.HasPrefix(b.Billed, r.text["checkBillTime"]) || r.text["plateNo"] != "" && t.stays[b.UID].Plate != r.text["plateNo"] {
			continue
		}
		out = append(out, wireBill{b.BillID, b.UID, b.Due, b.paid(), b.Status, b.Order, b.Billed})
	}
	return out, nil
}

func (b *twinBill) paid() int64 {
	if b.Status == Paid {
		return b.Due
	}
	return 0
}
