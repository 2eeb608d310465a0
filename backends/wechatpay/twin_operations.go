package wechatpay

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// twinEntry is what the twin knows of a car that came in; its JSON is what Save keeps.
type twinEntry struct {
	ID           string       `json:"id"`
	OutParkingNo string       `json:"out_parking_no"`
	Plate        string       `json:"plate_number"`
	Color        PlateColor   `json:"plate_color"`
	NotifyURL    string       `json:"notify_url"`
	StartTime    string       `json:"start_time"`
	ParkingName  string       `json:"parking_name"`
	FreeDuration int64        `json:"free_duration"`
	State        ParkingState `json:"state"`
	BlockReason  string       `json:"block_reason,omitzero"`
	Content      string       `json:"content"` // a keyed hash of what was sent
	ChargedBy    string       `json:"charged_by,omitzero"`
	At           time.Time    `json:"at"`
	By           string       `json:"by"`
	Asked        int          `json:"asked"`
}

// twinCharge is what the twin knows of a charge.
type twinCharge struct {
	chargeBody
	ID          string     `json:"id"`
	State       TradeState `json:"state"`
	Outcome     TradeState `json:"outcome"` // what it will be
	OpenID      string     `json:"openid"`
	CreatedAt   time.Time  `json:"created_at"`
	DecideAt    time.Time  `json:"decide_at"`
	SucceededAt time.Time  `json:"succeeded_at,omitzero"`
	Content     string     `json:"content"`
	PlateHash   string     `json:"plate"`
	By          string     `json:"by"`
	Asked       Asked      `json:"asked"`
	Told        Told       `json:"told"`
}

// twinRefund is what the twin knows of a refund.
type twinRefund struct {
	OutRefundNo string      `json:"out_refund_no"`
	OutTradeNo  string      `json:"out_trade_no"`
	ID          string      `json:"id"`
	Refund      int64       `json:"refund"`
	State       RefundState `json:"state"`
	NotifyURL   string      `json:"notify_url"`
	CreatedAt   time.Time   `json:"created_at"`
	DecideAt    time.Time   `json:"decide_at"`
	SucceededAt time.Time   `json:"succeeded_at,omitzero"`
	Content     string      `json:"content"`
	By          string      `json:"by"`
	Asked       Asked       `json:"asked"`
	Told        Told        `json:"told"`
}

// twinPlate is what is in store for a plate.
type twinPlate struct {
	State       ParkingState `json:"state,omitzero"` // "": Normal
	BlockReason string       `json:"block_reason,omitzero"`
	Outcome     TradeState   `json:"outcome,omitzero"` // "": Success
	Refuse      string       `json:"refuse,omitzero"`  // the code that charges are refused with; "": none
}

func (t *Twin) plate(hash string) twinPlate {
	p := twinPlate{State: Normal, Outcome: Success}
	if known := t.state.Plates[hash]; known != nil {
		p = *known
	}
	return p
}

func (t *Twin) addEntry(e *twinEntry) {
	t.entries[e.OutParkingNo], t.byID[e.ID] = e, e
	t.latest[t.Plate(e.Plate, e.Color)] = e
}

func (t *Twin) getPlateService(r *twinRequest) (any, *twinRefusal) {
	plate, color, openID := r.query.Get("plate_number"), r.query.Get("plate_color"), r.query.Get("openid")
	no := checkAll(
		member{"/appid", r.query.Get("appid"), visible(maxID), "1 to 32 visible ASCII characters", false},
		member{"/plate_number", plate, isPlate, "a plate without separators", false},
		member{"/plate_color", color, isColor, "a colour of the interface", false},
		member{"/openid", openID, visible(maxOpenID), "1 to 128 visible ASCII characters", false},
	)
	if no != nil {
		return nil, no
	}
	out := struct {
		Plate    string       `json:"plate_number"`
		Color    string       `json:"plate_color"`
		OpenedAt string       `json:"service_open_time,omitzero"`
		OpenID   string       `json:"openid"`
		State    ServiceState `json:"service_state"`
	}{plate, color, "2025-01-01T08:00:00+08:00", openID, ServiceNormal}
	switch p := t.plate(t.Plate(plate, PlateColor(color))); {
	case p.State == Blocked && (p.BlockReason == BlockOut || p.BlockReason == BlockRemoved):
		out.State, out.OpenedAt = ServiceOut, ""
	case p.State == Blocked && p.BlockReason == BlockPaused:
		out.State = ServicePaused
	}
	return out, nil
}

// parkingAnswer is an entry as the interface shows it.
type parkingAnswer struct {
	ID           string       `json:"id"`
	OutParkingNo string       `json:"out_parking_no"`
	Plate        string       `json:"plate_number"`
	Color        PlateColor   `json:"plate_color"`
	StartTime    string       `json:"start_time"`
	ParkingName  string       `json:"parking_name"`
	FreeDuration int64        `json:"free_duration"`
	State        ParkingState `json:"state"`
	BlockReason  string       `json:"block_reason,omitzero"`
}

func (e *twinEntry) answer() any {
	return parkingAnswer{e.ID, e.OutParkingNo, e.Plate, e.Color, e.StartTime, e.ParkingName, e.FreeDuration, e.State, e.BlockReason}
}

func (t *Twin) postParking(r *twinRequest) (any, *twinRefusal) {
	var q entryBody
	if no := decodeStrict(r.body, &q); no != nil {
		return nil, no
	}
	r.number = q.OutParkingNo
	if no := q.check(); no != nil {
		return nil, no
	}
	content := t.hash("entry", q.SubMchID, q.Plate, q.Color, q.StartTime, q.ParkingName, strconv.FormatInt(*q.FreeDuration, 10))
	if old := t.entries[q.OutParkingNo]; old != nil {
		old.Asked++
		if old.Content != content {
			return nil, refuse(http.StatusBadRequest, "ALREADY_EXISTS", "this out_parking_no has other parameters")
		}
		return old.answer(), nil
	}
	p := t.plate(t.Plate(q.Plate, PlateColor(q.Color)))
	e := &twinEntry{ID: t.number("5K"), OutParkingNo: q.OutParkingNo, Plate: q.Plate, Color: PlateColor(q.Color), NotifyURL: q.NotifyURL,
		StartTime: q.StartTime, ParkingName: q.ParkingName, FreeDuration: *q.FreeDuration, State: p.State, BlockReason: p.BlockReason,
		Content: content, At: r.now, By: r.by, Asked: 1}
	t.state.Entries = append(t.state.Entries, e)
	t.addEntry(e)
	return e.answer(), nil
}

// transactionAnswer is a charge as the interface shows it.
type transactionAnswer struct {
	AppID       string        `json:"appid"`
	SubAppID    string        `json:"sub_appid,omitzero"`
	MchID       string        `json:"sp_mchid"`
	SubMchID    string        `json:"sub_mchid,omitzero"`
	Description string        `json:"description"`
	CreateTime  string        `json:"create_time"`
	OutTradeNo  string        `json:"out_trade_no"`
	ID          string        `json:"transaction_id,omitzero"`
	State       TradeState    `json:"trade_state"`
	Why         string        `json:"trade_state_description"`
	SuccessTime string        `json:"success_time,omitzero"`
	BankType    string        `json:"bank_type,omitzero"`
	Repaid      string        `json:"user_repaid,omitzero"`
	Attach      string        `json:"attach,omitzero"`
	TradeScene  string        `json:"trade_scene"`
	Parking     *sceneBody    `json:"parking_info"`
	Payer       payerAnswer   `json:"payer"`
	Amount      chargedAnswer `json:"amount"`
}

type payerAnswer struct {
	OpenID string `json:"openid"`
}

type chargedAnswer struct {
	Total      int64  `json:"total"`
	Currency   string `json:"currency"`
	PayerTotal int64  `json:"payer_total,omitzero"`
	Discount   int64  `json:"discount_total,omitzero"`
}

func (t *Twin) transaction(c *twinCharge) transactionAnswer {
	out := transactionAnswer{AppID: c.AppID, SubAppID: c.SubAppID, MchID: t.cfg.MchID, SubMchID: c.SubMchID, Description: c.Description,
		CreateTime: stamp(c.CreatedAt), OutTradeNo: c.OutTradeNo, State: c.State, Why: string(c.State), Attach: c.Attach,
		TradeScene: c.TradeScene, Parking: c.Parking, Payer: payerAnswer{c.OpenID}, Amount: chargedAnswer{Total: *c.Amount.Total, Currency: currency}}
	if c.State == Success || c.State == Refunded {
		out.ID, out.SuccessTime, out.BankType = c.ID, stamp(c.SucceededAt), "OTHERS"
		out.Amount.PayerTotal = *c.Amount.Total
	}
	return out
}

// content is a keyed hash of what a charge is; where it is to be told of may change.
func (t *Twin) content(q *chargeBody) string {
	p := q.Parking
	return t.hash("charge", q.AppID, q.SubAppID, q.SubMchID, q.Description, q.Attach, q.TradeScene, q.GoodsTag, q.ProfitSharing,
		strconv.FormatInt(*q.Amount.Total, 10), p.ParkingID, p.Plate, p.Color, p.StartTime, p.EndTime, p.ParkingName,
		strconv.FormatInt(*p.Charged, 10), p.DeviceID)
}

func (t *Twin) postTransaction(r *twinRequest) (any, *twinRefusal) {
	var q chargeBody
	if no := decodeStrict(r.body, &q); no != nil {
		return nil, no
	}
	r.number = q.OutTradeNo
	if no := q.check(r.now); no != nil {
		return nil, no
	}
	content := t.content(&q)
	if old := t.charges[q.OutTradeNo]; old != nil {
		old.Asked.Create++
		if old.Content != content {
			return nil, refuse(http.StatusForbidden, "OUT_TRADE_NO_USED", "this out_trade_no has other parameters")
		}
		return t.transaction(old), nil
	}
	hash := t.Plate(q.Parking.Plate, PlateColor(q.Parking.Color))
	if no := t.mayCharge(&q, hash); no != nil {
		return nil, no
	}
	p, b := t.plate(hash), t.state.Behaviour
	c := &twinCharge{chargeBody: q, ID: t.number("42"), State: Accepted, Outcome: p.Outcome, OpenID: "o" + hash, CreatedAt: r.now,
		DecideAt: r.now.Add(b.decide()), Content: content, PlateHash: hash, By: r.by, Asked: Asked{Create: 1}}
	t.byID[q.Parking.ParkingID].ChargedBy = q.OutTradeNo
	t.state.Charges = append(t.state.Charges, c)
	t.charges[q.OutTradeNo] = c
	out := t.transaction(c) // as it is at first, however soon it is decided
	if b.Early {
		r.before = append(r.before, t.decide(c, r.now)...)
	} else {
		t.later(c.DecideAt, &event{charge: c})
	}
	return out, nil
}

// mayCharge holds a charge against the entry that it is of.
func (t *Twin) mayCharge(q *chargeBody, hash string) *twinRefusal {
	e := t.byID[q.Parking.ParkingID]
	code := t.plate(hash).Refuse
	switch {
	case e == nil || t.latest[hash] != e:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "there is no such parking_id, or the plate has a later one")
	case e.ChargedBy != "":
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "this parking_id has been charged")
	case e.Plate != q.Parking.Plate || string(e.Color) != q.Parking.Color || e.StartTime != q.Parking.StartTime || e.ParkingName != q.Parking.ParkingName:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "parking_info is not what the entry was")
	case code != "":
		return refuse(statusOf(code), code, "this plate is refused with %s, as it was told", code)
	case e.State == Blocked:
		return refuse(http.StatusForbidden, "RULE_LIMIT", "the service is blocked for this plate")
	}
	return nil
}

// statusOf returns the HTTP status that a code comes with.
func statusOf(code string) int {
	switch code {
	case "FREQUENCY_LIMITED":
		return http.StatusTooManyRequests
	case "SYSTEM_ERROR", "BANK_ERROR":
		return http.StatusInternalServerError
	case "NOT_FOUND":
		return http.StatusNotFound
	case "PARAM_ERROR", "INVALID_REQUEST":
		return http.StatusBadRequest
	case "SIGN_ERROR":
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

func (t *Twin) getTransaction(r *twinRequest) (any, *twinRefusal) {
	r.number = r.id
	c := t.charges[r.id]
	if c == nil {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "there is no such charge")
	}
	c.Asked.Query++
	return t.transaction(c), nil
}

// refundAnswer is a refund as the interface shows it.
type refundAnswer struct {
	ID          string      `json:"refund_id"`
	OutRefundNo string      `json:"out_refund_no"`
	Transaction string      `json:"transaction_id"`
	OutTradeNo  string      `json:"out_trade_no"`
	Channel     string      `json:"channel"`
	Account     string      `json:"user_received_account"`
	SuccessTime string      `json:"success_time,omitzero"`
	CreateTime  string      `json:"create_time"`
	State       RefundState `json:"status"`
	Amount      refunded    `json:"amount"`
}

type refunded struct {
	Total            int64  `json:"total"`
	Refund           int64  `json:"refund"`
	PayerTotal       int64  `json:"payer_total"`
	PayerRefund      int64  `json:"payer_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	SettlementRefund int64  `json:"settlement_refund"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

func (t *Twin) refundOf(r *twinRefund) refundAnswer {
	c := t.charges[r.OutTradeNo]
	total := *c.Amount.Total
	out := refundAnswer{ID: r.ID, OutRefundNo: r.OutRefundNo, Transaction: c.ID, OutTradeNo: r.OutTradeNo, Channel: "ORIGINAL",
		Account: "支付用户零钱", CreateTime: stamp(r.CreatedAt), State: r.State,
		Amount: refunded{Total: total, Refund: r.Refund, PayerTotal: total, PayerRefund: r.Refund, SettlementTotal: total, SettlementRefund: r.Refund, Currency: currency}}
	if r.State == RefundSuccess {
		out.SuccessTime = stamp(r.SucceededAt)
	}
	return out
}

func (t *Twin) postRefund(r *twinRequest) (any, *twinRefusal) {
	var q refundBody
	if no := decodeStrict(r.body, &q); no != nil {
		return nil, no
	}
	r.number = q.OutRefundNo
	if no := q.check(); no != nil {
		return nil, no
	}
	c := t.paid(&q)
	if c == nil {
		return nil, refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "there is no such charge, or it is not paid")
	}
	content := t.hash("refund", c.OutTradeNo, q.Reason, strconv.FormatInt(*q.Amount.Refund, 10), strconv.FormatInt(*q.Amount.Total, 10))
	if old := t.refunds[q.OutRefundNo]; old != nil {
		old.Asked.Create++
		if old.Content != content {
			return nil, refuse(http.StatusBadRequest, "INVALID_REQUEST", "this out_refund_no has other parameters")
		}
		return t.refundOf(old), nil
	}
	if *q.Amount.Total != *c.Amount.Total {
		return nil, refuse(http.StatusBadRequest, "INVALID_REQUEST", "the total is not the charge's")
	}
	if t.refundedOf(c)+*q.Amount.Refund > *c.Amount.Total {
		return nil, refuse(http.StatusForbidden, "NOT_ENOUGH", "no more can be refunded than was paid")
	}
	out := &twinRefund{OutRefundNo: q.OutRefundNo, OutTradeNo: c.OutTradeNo, ID: t.number("50"), Refund: *q.Amount.Refund, State: RefundProcessing,
		NotifyURL: q.NotifyURL, CreatedAt: t.state.Behaviour.booked(r.now), DecideAt: r.now.Add(t.state.Behaviour.decide()), Content: content, By: r.by, Asked: Asked{Create: 1}}
	t.state.Refunds = append(t.state.Refunds, out)
	t.refunds[q.OutRefundNo] = out
	t.later(out.DecideAt, &event{refund: out})
	return t.refundOf(out), nil
}

// paid returns the charge that a refund is of, if it was paid.
func (t *Twin) paid(q *refundBody) *twinCharge {
	c := t.charges[q.OutTradeNo]
	if q.TransactionID != "" {
		i := slices.IndexFunc(t.state.Charges, func(one *twinCharge) bool { return one.ID == q.TransactionID })
		if i >= 0 {
			c = t.state.Charges[i]
		}
	}
	if c == nil || c.State != Success && c.State != Refunded {
		return nil
	}
	return c
}

// refundedOf sums the refunds of a charge that may still succeed or have.
func (t *Twin) refundedOf(c *twinCharge) (sum int64) {
	for _, r := range t.state.Refunds {
		if r.OutTradeNo == c.OutTradeNo && r.State != RefundClosed {
			sum += r.Refund
		}
	}
	return sum
}

func (t *Twin) getRefund(r *twinRequest) (any, *twinRefusal) {
	r.number = r.id
	f := t.refunds[r.id]
	if f == nil {
		return nil, refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "there is no such refund")
	}
	f.Asked.Query++
	return t.refundOf(f), nil
}
