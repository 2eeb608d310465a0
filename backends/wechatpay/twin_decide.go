package wechatpay

import (
	"cmp"
	"container/heap"
	"time"
)

// event is something that happens by itself: one of its parts is not nil.
type event struct {
	at     time.Time
	serial uint64 // what was planned first comes first
	charge *twinCharge
	refund *twinRefund
	notice *twinNotice
}

// eventQueue holds what is still to happen, the next first.
type eventQueue []*event

// Len implements heap.Interface.
func (q eventQueue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q eventQueue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].serial < q[j].serial
}

// Swap implements heap.Interface.
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(*event)) }

// Pop implements heap.Interface.
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// later lets something happen at a time. The caller holds mu.
func (t *Twin) later(at time.Time, e *event) {
	t.planned++
	e.at, e.serial = at, t.planned
	heap.Push(&t.events, e)
}

// arm sets the timer for the next event. The caller holds mu.
func (t *Twin) arm() {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if t.closed || len(t.events) == 0 {
		return
	}
	t.timer = time.AfterFunc(max(t.events[0].at.Sub(t.cfg.Clock()), 0), t.tick)
}

// tick lets happen what is due, and sends what is to be sent.
func (t *Twin) tick() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.settle(t.now())
	t.arm()
	t.mu.Unlock()
}

// settle decides what is due, and begins to send notices that are. The caller holds mu.
func (t *Twin) settle(now time.Time) {
	var due []*twinNotice
	for len(t.events) > 0 && !t.events[0].at.After(now) {
		e := heap.Pop(&t.events).(*event)
		t.changes++
		switch {
		case e.charge != nil:
			t.schedule(t.decide(e.charge, now), now)
		case e.refund != nil:
			t.schedule(t.refundDone(e.refund, now), now)
		case e.notice != nil:
			due = append(due, e.notice)
		}
	}
	if len(due) > 0 && !t.closed {
		t.tasks.Go(func() { t.sendAll(due) })
	}
}

// decide ends the waiting of a charge, and returns what is to be told of it. The caller holds mu.
func (t *Twin) decide(c *twinCharge, now time.Time) []*twinNotice {
	if c.State != Accepted {
		return nil
	}
	c.State = PayFail
	name := EventNotPaid
	if c.Outcome == Success {
		c.State, c.SucceededAt, name = Success, t.state.Behaviour.booked(now), EventPaid
	}
	return t.notices(name, c.NotifyURL, c.OutTradeNo, t.transaction(c), now)
}

// refundDone ends the waiting of a refund. The caller holds mu.
func (t *Twin) refundDone(r *twinRefund, now time.Time) []*twinNotice {
	if r.State != RefundProcessing {
		return nil
	}
	name := EventRefunded
	switch r.State = cmp.Or(t.state.Behaviour.Refunds, RefundSuccess); r.State {
	case RefundSuccess:
		r.SucceededAt = t.state.Behaviour.booked(now)
		t.charges[r.OutTradeNo].State = Refunded
	case RefundClosed:
		name = EventRefundClosed
	case RefundAbnormal, RefundProcessing:
		name = EventRefundOdd
	}
	if r.NotifyURL == "" {
		return nil
	}
	return t.notices(name, r.NotifyURL, r.OutRefundNo, t.refundNotice(r), now)
}

// refundNotice is a refund as notifications have it.
func (t *Twin) refundNotice(r *twinRefund) any {
	c := t.charges[r.OutTradeNo]
	total := *c.Amount.Total
	return struct {
		MchID       string      `json:"mchid"`
		OutTradeNo  string      `json:"out_trade_no"`
		Transaction string      `json:"transaction_id"`
		OutRefundNo string      `json:"out_refund_no"`
		ID          string      `json:"refund_id"`
		State       RefundState `json:"refund_status"`
		SuccessTime string      `json:"success_time,omitzero"`
		Account     string      `json:"user_received_account"`
		Amount      any         `json:"amount"`
	}{t.cfg.MchID, r.OutTradeNo, c.ID, r.OutRefundNo, r.ID, r.State, stamp(r.SucceededAt), "支付用户零钱", struct {
		Total       int64 `json:"total"`
		Refund      int64 `json:"refund"`
		PayerTotal  int64 `json:"payer_total"`
		PayerRefund int64 `json:"payer_refund"`
	}{total, r.Refund, total, r.Refund}}
}
