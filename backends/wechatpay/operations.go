package wechatpay

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// What was wrong with an argument. They are the cause of a wire.Error with ReasonInput and show nothing of the argument.
var (
	errPlate   = errors.New("plate: want 1 to 32 bytes of letters and digits")
	errColor   = errors.New("plate_color: it is none of the interface's")
	errOpenID  = errors.New("openid: want 1 to 128 visible ASCII characters")
	errKey     = errors.New("the merchant's number: want letters, digits, dashes and underscores, within the bound of its kind")
	errTimes   = errors.New("start_time and end_time: want times of which the second is later")
	errLot     = errors.New("parking_name: want 1 to 32 characters")
	errSpan    = errors.New("a duration: want 0 to 1000000000 s")
	errTotal   = errors.New("amount: want 1 or more fen, below 2^53")
	errRefund  = errors.New("refund: want 1 fen or more, and no more than the total")
	errText    = errors.New("description, attach or reason: it is missing, too long or has control characters")
	errParking = errors.New("parking_id: want 1 to 32 visible ASCII characters")
	errDevice  = errors.New("device_id: want 1 to 32 visible ASCII characters")
)

// currency is the only one that the provider charges in.
const currency = "CNY"

// stamp writes a time as the provider wants it: with its offset in digits, so never in UTC, whose offset is a letter.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(china()).Format(time.RFC3339)
}

// readStamp reads a time of the provider's; "" is zero.
func readStamp(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

func (c *Client) badInput(op string, why error) *wire.Error {
	return c.calls.NotSent(op, wire.ReasonInput, why)
}

// wirePlateService is a PlateService on the wire.
type wirePlateService struct {
	Plate    string       `json:"plate_number"`
	Color    PlateColor   `json:"plate_color"`
	OpenedAt string       `json:"service_open_time"`
	State    ServiceState `json:"service_state"`
}

// FindPlateService asks whether a payer has opened the service for a plate. A read.
func (c *Client) FindPlateService(ctx context.Context, q PlateQuery) (*PlateService, error) {
	const op = "FindPlateService"
	switch {
	case !isPlate(q.Plate):
		return nil, c.badInput(op, errPlate)
	case !q.Color.known():
		return nil, c.badInput(op, errColor)
	case !wire.IsVisible(q.OpenID, maxOpenID):
		return nil, c.badInput(op, errOpenID)
	}
	query := url.Values{"appid": {c.cfg.AppID}, "plate_number": {q.Plate}, "plate_color": {string(q.Color)}, "openid": {q.OpenID}}
	if c.cfg.SubMchID != "" {
		query.Set("sub_mchid", c.cfg.SubMchID)
	}
	var out wirePlateService
	var opened time.Time
	err := c.do(ctx, &exchange{op: op, method: "GET", path: "/v3/vehicle/parking/services/find?" + query.Encode(), out: &out,
		whole: func() (ok bool) {
			opened, ok = readStamp(out.OpenedAt)
			return ok && out.Plate == q.Plate && out.Color == q.Color && isWord(string(out.State))
		}})
	if err != nil {
		return nil, err
	}
	return &PlateService{State: out.State, OpenedAt: opened}, nil
}

// wireEntry is an Entry on the wire.
type wireEntry struct {
	SubMchID     string     `json:"sub_mchid,omitzero"`
	OutParkingNo string     `json:"out_parking_no"`
	Plate        string     `json:"plate_number"`
	Color        PlateColor `json:"plate_color"`
	NotifyURL    string     `json:"notify_url"`
	StartTime    string     `json:"start_time"`
	ParkingName  string     `json:"parking_name"`
	FreeDuration int64      `json:"free_duration"`
}

// wireParking is a Parking on the wire.
type wireParking struct {
	ID           string       `json:"id"`
	OutParkingNo string       `json:"out_parking_no"`
	Plate        string       `json:"plate_number"`
	Color        PlateColor   `json:"plate_color"`
	State        ParkingState `json:"state"`
	BlockReason  string       `json:"block_reason"`
}

// CreateParking says that a car came in, and asks whether it may leave and pay later. It is idempotent by OutParkingNo:
// sending the same again answers the entry, with its state as it is now; a later entry of the same plate ends an earlier one.
// A change of the state while the car is inside comes as a notification. After an Unknown fate send the same again.
func (c *Client) CreateParking(ctx context.Context, e Entry) (*Parking, error) {
	const op = "CreateParking"
	if err := e.check(); err != nil {
		return nil, c.badInput(op, err)
	}
	body := wireEntry{SubMchID: c.cfg.SubMchID, OutParkingNo: e.OutParkingNo, Plate: e.Plate, Color: e.Color, NotifyURL: c.cfg.NotifyURL,
		StartTime: stamp(e.EnteredAt), ParkingName: e.ParkingName, FreeDuration: int64(e.Free / time.Second)}
	var out wireParking
	err := c.do(ctx, &exchange{op: op, method: "POST", path: "/v3/vehicle/parking/parkings", body: &body, out: &out, whole: func() bool {
		return wire.IsVisible(out.ID, maxID) && out.OutParkingNo == e.OutParkingNo && out.Plate == e.Plate && out.Color == e.Color &&
			isWord(string(out.State)) && (out.BlockReason == "" || isWord(out.BlockReason))
	}})
	if err != nil {
		return nil, err
	}
	return &Parking{ID: out.ID, OutParkingNo: out.OutParkingNo, State: out.State, BlockReason: out.BlockReason}, nil
}

func (e *Entry) check() error {
	switch {
	case !isKey(e.OutParkingNo, MaxOutParkingNo):
		return errKey
	case !isPlate(e.Plate):
		return errPlate
	case !e.Color.known():
		return errColor
	case e.EnteredAt.IsZero():
		return errTimes
	case !isText(e.ParkingName, MaxParkingName):
		return errLot
	case !isSpan(e.Free):
		return errSpan
	}
	return nil
}

// isSpan reports whether d can be sent in seconds.
func isSpan(d time.Duration) bool { return d >= 0 && d/time.Second <= maxDuration }

// isWord reports whether s is a word of the provider's: 1 to 64 capitals, digits and underscores.
func isWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
