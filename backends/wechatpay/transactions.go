package wechatpay

import (
	"context"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

const sceneParking = "PARKING"

// wireCharge is a Charge on the wire.
type wireCharge struct {
	AppID       string     `json:"appid"`
	SubAppID    string     `json:"sub_appid,omitzero"`
	SubMchID    string     `json:"sub_mchid,omitzero"`
	Description string     `json:"description"`
	Attach      string     `json:"attach,omitzero"`
	OutTradeNo  string     `json:"out_trade_no"`
	TradeScene  string     `json:"trade_scene"`
	NotifyURL   string     `json:"notify_url"`
	Amount      wireAmount `json:"amount"`
	Parking     wireScene  `json:"parking_info"`
}

type wireAmount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

type wireScene struct {
	ParkingID   string     `json:"parking_id"`
	Plate       string     `json:"plate_number"`
	Color       PlateColor `json:"plate_color"`
	StartTime   string     `json:"start_time"`
	EndTime     string     `json:"end_time"`
	ParkingName string     `json:"parking_name"`
	Charged     int64      `json:"charging_duration"`
	DeviceID    string     `json:"device_id"`
}

// wireTransaction is a Transaction on the wire, in answers and in notifications.
type wireTransaction struct {
	MchID       string     `json:"sp_mchid"`
	SubMchID    string     `json:"sub_mchid"`
	CreateTime  string     `json:"create_time"`
	OutTradeNo  string     `json:"out_trade_no"`
	ID          string     `json:"transaction_id"`
	State       TradeState `json:"trade_state"`
	Why         string     `json:"trade_state_description"`
	SuccessTime string     `json:"success_time"`
	BankType    string     `json:"bank_type"`
	Repaid      string     `json:"user_repaid"`
	Attach      string     `json:"attach"`
	Parking     struct {
		ParkingID string `json:"parking_id"`
	} `json:"parking_info"`
	Payer struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
	Amount struct {
		Total      int64  `json:"total"`
		Currency   string `json:"currency"`
		PayerTotal int64  `json:"payer_total"`
		Discount   int64  `json:"discount_total"`
	} `json:"amount"`
}

// stateFail is what a notification calls PayFail.
const stateFail = "FAIL"

// read checks a transaction against what callers rely on and returns it; nil: it is not whole, or another merchant's.
func (w *wireTransaction) read(c *Client) *Transaction {
	created, okCreated := readStamp(w.CreateTime)
	succeeded, okSucceeded := readStamp(w.SuccessTime)
	state := w.State
	if state == stateFail {
		state = PayFail
	}
	paid := state == Success || state == Refunded
	a := &w.Amount
	switch {
	case !okCreated || !okSucceeded || !isKey(w.OutTradeNo, MaxOutTradeNo) || !isWord(string(state)):
		return nil
	case w.MchID != "" && w.MchID != c.cfg.MchID, w.SubMchID != "" && w.SubMchID != c.cfg.SubMchID:
		return nil
	case !isTotal(a.Total) || a.PayerTotal < 0 || a.PayerTotal > a.Total || a.Discount < 0 || a.Discount > a.Total:
		return nil
	case a.Currency != "" && a.Currency != currency:
		return nil
	case paid && (!wire.IsVisible(w.ID, maxID) || succeeded.IsZero()), w.ID != "" && !wire.IsVisible(w.ID, maxID):
		return nil
	}
	return &Transaction{OutTradeNo: w.OutTradeNo, ID: w.ID, State: state, Why: strings.ToValidUTF8(w.Why[:min(len(w.Why), 512)], ""),
		Total: a.Total, PayerTotal: a.PayerTotal, Discount: a.Discount, CreatedAt: created, SucceededAt: succeeded,
		BankType: w.BankType, Repaid: w.Repaid == "Y", Attach: w.Attach, OpenID: w.Payer.OpenID, ParkingID: w.Parking.ParkingID}
}

// CreateTransaction orders the provider to deduct a fee. It is idempotent by OutTradeNo and the same parameters. Success is
// ACCEPTED most often, and not paid: that comes by notification or QueryTransaction. It is refused with RefusedLimit,
// RefusedBusy, RefusedOtherUse, RefusedState, RefusedPayer, RefusedInput or RefusedCredentials. After an Unknown fate send
// the same again; before giving up ask QueryTransaction.
func (c *Client) CreateTransaction(ctx context.Context, o Charge) (*Transaction, error) {
	const op = "CreateTransaction"
	if err := o.check(); err != nil {
		return nil, c.badInput(op, err)
	}
	body := wireCharge{AppID: c.cfg.AppID, SubAppID: c.cfg.SubAppID, SubMchID: c.cfg.SubMchID, Description: o.Description, Attach: o.Attach,
		OutTradeNo: o.OutTradeNo, TradeScene: sceneParking, NotifyURL: c.cfg.NotifyURL, Amount: wireAmount{o.Total, currency},
		Parking: wireScene{ParkingID: o.ParkingID, Plate: o.Plate, Color: o.Color, StartTime: stamp(o.EnteredAt), EndTime: stamp(o.LeftAt),
			ParkingName: o.ParkingName, Charged: int64(o.Charged / time.Second), DeviceID: o.DeviceID}}
	t, err := c.transaction(ctx, &exchange{op: op, method: "POST", path: "/v3/vehicle/transactions/parking", body: &body},
		func(t *Transaction) bool { return t.OutTradeNo == o.OutTradeNo && t.Total == o.Total })
	return t, err
}

func (o *Charge) check() error {
	switch {
	case !isKey(o.OutTradeNo, MaxOutTradeNo):
		return errKey
	case !isText(o.Description, MaxDescription), o.Attach != "" && !isText(o.Attach, MaxAttach):
		return errText
	case !isTotal(o.Total):
		return errTotal
	case !wire.IsVisible(o.ParkingID, maxID):
		return errParking
	case !isPlate(o.Plate):
		return errPlate
	case !o.Color.known():
		return errColor
	case o.EnteredAt.IsZero() || o.LeftAt.Sub(o.EnteredAt) < time.Second:
		return errTimes
	case !isText(o.ParkingName, MaxParkingName):
		return errLot
	case !isSpan(o.Charged):
		return errSpan
	case !wire.IsVisible(o.DeviceID, maxDevice):
		return errDevice
	}
	return nil
}

// QueryTransaction returns the charge of a number, nil when the provider has none. This is how a charge of unknown outcome
// is settled. A read; it must not be answered from a cache.
func (c *Client) QueryTransaction(ctx context.Context, outTradeNo string) (*Transaction, error) {
	const op = "QueryTransaction"
	if !isKey(outTradeNo, MaxOutTradeNo) {
		return nil, c.badInput(op, errKey)
	}
	t, err := c.transaction(ctx, &exchange{op: op, method: "GET", path: "/v3/vehicle/transactions/out-trade-no/" + outTradeNo + c.sub()},
		func(t *Transaction) bool { return t.OutTradeNo == outTradeNo })
	if RefusalOf(err) == RefusedNotFound {
		return nil, nil
	}
	return t, err
}

// sub is the query of a read that is of one sub-merchant.
func (c *Client) sub() string {
	if c.cfg.SubMchID == "" {
		return ""
	}
	return "?sub_mchid=" + c.cfg.SubMchID
}

// transaction makes a call that answers the transaction which fits.
func (c *Client) transaction(ctx context.Context, x *exchange, fits func(*Transaction) bool) (*Transaction, error) {
	var out wireTransaction
	var t *Transaction
	x.out = &out
	x.whole = func() bool {
		t = out.read(c)
		return t != nil && fits(t)
	}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	return t, nil
}
