package wechatpay

import (
	"context"

	"github.com/warmgate/warmgate/backends/wire"
)

// wireRefundOrder is a RefundOrder on the wire.
type wireRefundOrder struct {
	SubMchID    string `json:"sub_mchid,omitzero"`
	OutTradeNo  string `json:"out_trade_no"`
	OutRefundNo string `json:"out_refund_no"`
	Reason      string `json:"reason,omitzero"`
	NotifyURL   string `json:"notify_url"`
	Amount      struct {
		Refund   int64  `json:"refund"`
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// wireRefund is a Refund on the wire, in answers and in notifications.
type wireRefund struct {
	MchID       string      `json:"mchid"`
	SpMchID     string      `json:"sp_mchid"`
	SubMchID    string      `json:"sub_mchid"`
	ID          string      `json:"refund_id"`
	OutRefundNo string      `json:"out_refund_no"`
	Transaction string      `json:"transaction_id"`
	OutTradeNo  string      `json:"out_trade_no"`
	SuccessTime string      `json:"success_time"`
	CreateTime  string      `json:"create_time"`
	State       RefundState `json:"status"`
	Notified    RefundState `json:"refund_status"` // what a notification calls it
	Amount      struct {
		Total    int64  `json:"total"`
		Refund   int64  `json:"refund"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// read checks a refund against what callers rely on and returns it; nil: it is not whole, or another merchant's.
func (w *wireRefund) read(c *Client, notified bool) *Refund {
	created, okCreated := readStamp(w.CreateTime)
	succeeded, okSucceeded := readStamp(w.SuccessTime)
	state := w.State
	if notified {
		state = w.Notified
	}
	a := &w.Amount
	unsaid := notified && a.Total == 0 && a.Refund == 0
	switch {
	case !okCreated || !okSucceeded || !isKey(w.OutRefundNo, MaxOutRefundNo) || !isKey(w.OutTradeNo, MaxOutTradeNo):
		return nil
	case !wire.IsVisible(w.ID, maxID) || !wire.IsVisible(w.Transaction, maxID) || !isWord(string(state)):
		return nil
	case w.MchID != "" && w.MchID != c.cfg.MchID, w.SpMchID != "" && w.SpMchID != c.cfg.MchID,
		w.SubMchID != "" && w.SubMchID != c.cfg.SubMchID:
		return nil
	case !unsaid && (!isTotal(a.Total) || !isTotal(a.Refund) || a.Refund > a.Total):
		return nil
	case a.Currency != "" && a.Currency != currency, state == RefundSuccess && succeeded.IsZero():
		return nil
	}
	return &Refund{OutRefundNo: w.OutRefundNo, ID: w.ID, OutTradeNo: w.OutTradeNo, Transaction: w.Transaction, State: state,
		Refund: a.Refund, Total: a.Total, CreatedAt: created, SucceededAt: succeeded}
}

// CreateRefund orders the provider to give money back. It is idempotent by OutRefundNo and the same parameters; success is
// PROCESSING most often. A refund that failed is tried again under its own number. It is refused with RefusedFunds,
// RefusedPayer, RefusedState, RefusedNotFound, RefusedOtherUse, RefusedBusy, RefusedInput or RefusedCredentials. After an
// Unknown fate send the same again; before giving up ask QueryRefund.
func (c *Client) CreateRefund(ctx context.Context, o RefundOrder) (*Refund, error) {
	const op = "CreateRefund"
	switch {
	case !isKey(o.OutRefundNo, MaxOutRefundNo) || !isKey(o.OutTradeNo, MaxOutTradeNo):
		return nil, c.badInput(op, errKey)
	case o.Reason != "" && !isText(o.Reason, maxReason):
		return nil, c.badInput(op, errText)
	case !isTotal(o.Total):
		return nil, c.badInput(op, errTotal)
	case o.Refund < 1 || o.Refund > o.Total:
		return nil, c.badInput(op, errRefund)
	}
	body := wireRefundOrder{SubMchID: c.cfg.SubMchID, OutTradeNo: o.OutTradeNo, OutRefundNo: o.OutRefundNo, Reason: o.Reason, NotifyURL: c.cfg.NotifyURL}
	body.Amount.Refund, body.Amount.Total, body.Amount.Currency = o.Refund, o.Total, currency
	return c.refund(ctx, &exchange{op: op, method: "POST", path: "/v3/refund/domestic/refunds", body: &body}, func(r *Refund) bool {
		return r.OutRefundNo == o.OutRefundNo && r.OutTradeNo == o.OutTradeNo && r.Refund == o.Refund && r.Total == o.Total
	})
}

// QueryRefund returns the refund of a number, nil when the provider has none. A read; it must not be answered from a cache.
func (c *Client) QueryRefund(ctx context.Context, outRefundNo string) (*Refund, error) {
	const op = "QueryRefund"
	if !isKey(outRefundNo, MaxOutRefundNo) {
		return nil, c.badInput(op, errKey)
	}
	r, err := c.refund(ctx, &exchange{op: op, method: "GET", path: "/v3/refund/domestic/refunds/" + outRefundNo + c.sub()},
		func(r *Refund) bool { return r.OutRefundNo == outRefundNo })
	if RefusalOf(err) == RefusedNotFound {
		return nil, nil
	}
	return r, err
}

// refund makes a call that answers the refund which fits.
func (c *Client) refund(ctx context.Context, x *exchange, fits func(*Refund) bool) (*Refund, error) {
	var out wireRefund
	var r *Refund
	x.out = &out
	x.whole = func() bool {
		r = out.read(c, false)
		return r != nil && fits(r)
	}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	return r, nil
}
