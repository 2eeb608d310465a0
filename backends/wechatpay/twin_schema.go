package wechatpay

import (
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// member is one string of a request and what it must be.
type member struct {
	field    string // as a JSON Pointer
	value    string
	fits     func(string) bool
	want     string
	optional bool
}

// checkAll refuses the first member that is missing or does not fit.
func checkAll(members ...member) *twinRefusal {
	for i := range members {
		m := &members[i]
		switch {
		case m.value == "" && m.optional:
		case m.value == "":
			return paramError(m.field, "a member is missing: want %s", m.want)
		case !m.fits(m.value):
			return paramError(m.field, "a member does not fit: want %s", m.want)
		}
	}
	return nil
}

func visible(limit int) func(string) bool {
	return func(s string) bool { return wire.IsVisible(s, limit) }
}

func characters(limit int) func(string) bool {
	return func(s string) bool { return isText(s, limit) }
}

func ownNumber(limit int) func(string) bool { return func(s string) bool { return isKey(s, limit) } }

func isColor(s string) bool { return PlateColor(s).known() }

// isTime reports whether s is a time as the provider wants it: RFC 3339 to the second, with an offset.
func isTime(s string) bool {
	t, err := time.Parse("2006-01-02T15:04:05-07:00", s) // no letter for an offset
	return err == nil && t.Nanosecond() == 0
}

// entryBody is what creates an entry.
type entryBody struct {
	SubMchID     string `json:"sub_mchid"`
	OutParkingNo string `json:"out_parking_no"`
	Plate        string `json:"plate_number"`
	Color        string `json:"plate_color"`
	NotifyURL    string `json:"notify_url"`
	StartTime    string `json:"start_time"`
	ParkingName  string `json:"parking_name"`
	FreeDuration *int64 `json:"free_duration"`
}

func (b *entryBody) check() *twinRefusal {
	no := checkAll(
		member{"/sub_mchid", b.SubMchID, func(s string) bool { return isDigits(s, maxID) }, "1 to 32 digits", true},
		member{"/out_parking_no", b.OutParkingNo, ownNumber(MaxOutParkingNo), "1 to 32 letters, digits, dashes and underscores", false},
		member{"/plate_number", b.Plate, isPlate, "a plate without separators", false},
		member{"/plate_color", b.Color, isColor, "a colour of the interface", false},
		member{"/notify_url", b.NotifyURL, isNotifyURL, "https without a query, at most 256 bytes", false},
		member{"/start_time", b.StartTime, isTime, "a time as RFC 3339 has it, to the second", false},
		member{"/parking_name", b.ParkingName, characters(MaxParkingName), "1 to 32 characters", false},
	)
	if no == nil && (b.FreeDuration == nil || *b.FreeDuration < 0 || *b.FreeDuration > maxDuration) {
		return paramError("/free_duration", "a member is missing or does not fit: want 0 or more seconds")
	}
	return no
}

// sceneBody is the stay that a charge is of.
type sceneBody struct {
	ParkingID   string `json:"parking_id"`
	Plate       string `json:"plate_number"`
	Color       string `json:"plate_color"`
	StartTime   string `json:"start_time"`
	EndTime     string `json:"end_time"`
	ParkingName string `json:"parking_name"`
	Charged     *int64 `json:"charging_duration"`
	DeviceID    string `json:"device_id"`
}

// chargeBody is what creates a charge.
type chargeBody struct {
	AppID         string      `json:"appid"`
	SubAppID      string      `json:"sub_appid"`
	SubMchID      string      `json:"sub_mchid"`
	Description   string      `json:"description"`
	Attach        string      `json:"attach"`
	OutTradeNo    string      `json:"out_trade_no"`
	TradeScene    string      `json:"trade_scene"`
	GoodsTag      string      `json:"goods_tag"`
	NotifyURL     string      `json:"notify_url"`
	ProfitSharing string      `json:"profit_sharing"`
	Amount        *amountBody `json:"amount"`
	Parking       *sceneBody  `json:"parking_info"`
}

type amountBody struct {
	Total    *int64 `json:"total"`
	Currency string `json:"currency"`
}

func (b *chargeBody) check(now time.Time) *twinRefusal {
	no := checkAll(
		member{"/appid", b.AppID, visible(maxID), "1 to 32 visible ASCII characters", false},
		member{"/sub_appid", b.SubAppID, visible(maxID), "1 to 32 visible ASCII characters", true},
		member{"/sub_mchid", b.SubMchID, func(s string) bool { return isDigits(s, maxID) }, "1 to 32 digits", true},
		member{"/description", b.Description, characters(MaxDescription), "1 to 128 characters", false},
		member{"/attach", b.Attach, characters(MaxAttach), "1 to 128 characters", true},
		member{"/out_trade_no", b.OutTradeNo, ownNumber(MaxOutTradeNo), "1 to 32 letters, digits, dashes and underscores", false},
		member{"/trade_scene", b.TradeScene, func(s string) bool { return s == sceneParking }, "PARKING", false},
		member{"/goods_tag", b.GoodsTag, visible(maxID), "1 to 32 visible ASCII characters", true},
		member{"/notify_url", b.NotifyURL, isNotifyURL, "https without a query, at most 256 bytes", false},
		member{"/profit_sharing", b.ProfitSharing, func(s string) bool { return s == "Y" || s == "N" }, "Y or N", true},
	)
	switch {
	case no != nil:
		return no
	case b.Amount == nil || b.Amount.Total == nil || !isTotal(*b.Amount.Total):
		return paramError("/amount/total", "a member is missing or does not fit: want 1 fen or more")
	case b.Amount.Currency != "" && b.Amount.Currency != currency:
		return paramError("/amount/currency", "a member does not fit: want CNY")
	case b.Parking == nil:
		return paramError("/parking_info", "a member is missing")
	}
	return b.Parking.check(now)
}

func (b *sceneBody) check(now time.Time) *twinRefusal {
	no := checkAll(
		member{"/parking_info/parking_id", b.ParkingID, visible(maxID), "1 to 32 visible ASCII characters", false},
		member{"/parking_info/plate_number", b.Plate, isPlate, "a plate without separators", false},
		member{"/parking_info/plate_color", b.Color, isColor, "a colour of the interface", false},
		member{"/parking_info/start_time", b.StartTime, isTime, "a time as RFC 3339 has it, to the second", false},
		member{"/parking_info/end_time", b.EndTime, isTime, "a time as RFC 3339 has it, to the second", false},
		member{"/parking_info/parking_name", b.ParkingName, characters(MaxParkingName), "1 to 32 characters", false},
		member{"/parking_info/device_id", b.DeviceID, visible(maxDevice), "1 to 32 visible ASCII characters", false},
	)
	if no != nil {
		return no
	}
	from, _ := time.Parse(time.RFC3339, b.StartTime)
	to, _ := time.Parse(time.RFC3339, b.EndTime)
	switch {
	case !to.After(from):
		return paramError("/parking_info/end_time", "a stay ends after it has begun")
	case to.After(now.Add(time.Minute)):
		return paramError("/parking_info/end_time", "a stay that is charged has ended")
	case b.Charged == nil || *b.Charged < 0 || *b.Charged > maxDuration:
		return paramError("/parking_info/charging_duration", "a member is missing or does not fit: want 0 or more seconds")
	}
	return nil
}

// refundBody is what creates a refund. Either number of the charge will do.
type refundBody struct {
	SubMchID      string            `json:"sub_mchid"`
	TransactionID string            `json:"transaction_id"`
	OutTradeNo    string            `json:"out_trade_no"`
	OutRefundNo   string            `json:"out_refund_no"`
	Reason        string            `json:"reason"`
	NotifyURL     string            `json:"notify_url"`
	Amount        *refundAmountBody `json:"amount"`
}

type refundAmountBody struct {
	Refund   *int64 `json:"refund"`
	Total    *int64 `json:"total"`
	Currency string `json:"currency"`
}

func (b *refundBody) check() *twinRefusal {
	no := checkAll(
		member{"/sub_mchid", b.SubMchID, func(s string) bool { return isDigits(s, maxID) }, "1 to 32 digits", true},
		member{"/transaction_id", b.TransactionID, visible(maxID), "1 to 32 visible ASCII characters", true},
		member{"/out_trade_no", b.OutTradeNo, ownNumber(MaxOutTradeNo), "1 to 32 letters, digits, dashes and underscores", true},
		member{"/out_refund_no", b.OutRefundNo, ownNumber(MaxOutRefundNo), "1 to 64 letters, digits, dashes and underscores", false},
		member{"/reason", b.Reason, characters(maxReason), "1 to 80 characters", true},
		member{"/notify_url", b.NotifyURL, isNotifyURL, "https without a query, at most 256 bytes", true},
	)
	switch {
	case no != nil:
		return no
	case (b.TransactionID == "") == (b.OutTradeNo == ""):
		return paramError("/out_trade_no", "one of transaction_id and out_trade_no is wanted")
	case b.Amount == nil || b.Amount.Refund == nil || !isTotal(*b.Amount.Refund):
		return paramError("/amount/refund", "a member is missing or does not fit: want 1 fen or more")
	case b.Amount.Total == nil || !isTotal(*b.Amount.Total):
		return paramError("/amount/total", "a member is missing or does not fit: want 1 fen or more")
	case b.Amount.Currency != currency:
		return paramError("/amount/currency", "a member does not fit: want CNY")
	}
	return nil
}
