package hangzhou

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
)

// The paths of the interface.
const (
	pathHeartbeat        = "/api/v2/tcjg/uploadHeartbeat"
	pathState            = "/api/v2/cp/uploadParkingState"
	pathIn               = "/api/v2/cp/uploadCarInData"
	pathOut              = "/api/v2/cp/uploadCarOutData"
	pathApply            = "/api/v2/cp/applyPayment"
	pathPaid             = "/api/v2/cp/uploadPayRecord"
	pathDaily            = "/api/v2/cp/checkDailyBill"
	pathConfirmDeparture = "/api/v2/cp/confirmDeparturePayInfo"
	pathConfirmResult    = "/api/v2/cp/confirmPayResult"
)

// noWord is what the city wants where there is no booth and nobody on duty.
const noWord = "无"

// timeLayout is of local times.
const timeLayout = time.DateTime

// The bodies on the wire, the data of an envelope.
type (
	stayBody struct {
		UID        string     `json:"uid"`
		Plate      string     `json:"plateNo"`
		Color      PlateColor `json:"plateColor"`
		Parking    string     `json:"parkingCode"`
		ArriveTime string     `json:"arriveTime"`
	}
	moveBody struct {
		Entry    string      `json:"entryNum"`
		Gate     string      `json:"gateNo"`
		Operator string      `json:"operatorCode"`
		Kind     ParkingKind `json:"parkingType"`
	}
	berthsBody struct {
		Total int `json:"totalBerthNum"`
		Open  int `json:"openBerthNum"`
		Free  int `json:"freeBerthNum"`
	}
	arrivalBody struct {
		ID string `json:"arriveID"`
		stayBody
		moveBody
		berthsBody
		UploadTime string `json:"uploadTime"`
	}
	departureBody struct {
		ID string `json:"endID"`
		stayBody
		moveBody
		berthsBody
		Exit       string `json:"outNum"`
		EndTime    string `json:"endTime"`
		UploadTime string `json:"uploadTime"`
	}
	chargeBody struct {
		stayBody
		BillID   string `json:"billID"`
		BillTime string `json:"billTime"`
		EndTime  string `json:"endTime"`
		Due      int64  `json:"shouldPay"`
		Status   int    `json:"payStatus"` // 0: not yet paid
		Stock    int    `json:"carStock"`  // 1: what public clients send
	}
	paymentBody struct {
		BillID     string `json:"billID"`
		UID        string `json:"uid"`
		Plate      string `json:"plateNo"`
		Parking    string `json:"parkingCode"`
		Price      int64  `json:"chargeFee"`
		Due        int64  `json:"shouldPay"`
		Paid       int64  `json:"actualPay"`
		BillTime   string `json:"billTime"`
		DealTime   string `json:"dealTime"`
		Means      Means  `json:"paidType"`
		Way        Way    `json:"payType"`
		BillWay    int    `json:"billWay"` // 1: without the driver's doing
		UploadTime string `json:"uploadTime"`
	}
	heartbeatBody struct {
		Parking    string `json:"parkingCode"`
		UploadTime string `json:"uploadTime"`
	}
	stateBody struct {
		Parking string `json:"parkingCode"`
		berthsBody
		UploadTime string `json:"uploadTime"`
	}
	dailyBody struct {
		Parking string `json:"parkingCode"`
		Plate   string `json:"plateNo"`
		Day     string `json:"checkBillTime"`
	}
	confirmBody struct {
		RequestID string         `json:"requestId"`
		Success   bool           `json:"success"`
		Params    jsontext.Value `json:"params"` // the data of the push, as it came
	}
)

// Arrive tells of an arrival. It is idempotent by the stay's UID: the same again changes nothing, and what contradicts it is
// refused with CodeConflict. After an Unknown fate send the same again. The city may answer later with a push (DeparturePay).
func (c *Client) Arrive(ctx context.Context, a Arrival) error {
	const op = "Arrive"
	if err := a.check(); err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, err)
	}
	return c.do(ctx, op, pathIn, arrivalBody{ID: a.ID, stayBody: c.stay(&a.Stay), moveBody: move(&a.Stay, a.Gate, a.Operator, a.Parking),
		berthsBody: berthsBody(a.Berths), UploadTime: c.now()}, nil)
}

// Depart tells of a departure. It is idempotent like Arrive. A stay whose arrival the city does not know is refused with
// CodeUnknown: send that first.
func (c *Client) Depart(ctx context.Context, d Departure) error {
	const op = "Depart"
	if err := d.check(); err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, err)
	}
	return c.do(ctx, op, pathOut, departureBody{ID: d.ID, stayBody: c.stay(&d.Stay), moveBody: move(&d.Stay, d.Gate, d.Operator, d.Parking),
		berthsBody: berthsBody(d.Berths), Exit: d.Exit, EndTime: c.local(d.Left), UploadTime: c.now()}, nil)
}

// ApplyPayment asks the city to collect a bill. Success says that it was taken, not that it was paid: that comes as a
// push (PayResult), or is asked with DailyBills. It is idempotent by BillID: the same again changes nothing and collects nothing twice,
// another amount under the same number is refused with CodeConflict. After an Unknown fate send the same again.
func (c *Client) ApplyPayment(ctx context.Context, b Charge) error {
	const op = "ApplyPayment"
	if err := b.check(); err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, err)
	}
	return c.do(ctx, op, pathApply, chargeBody{stayBody: c.stay(&b.Stay), BillID: b.BillID, BillTime: c.local(b.BilledAt),
		EndTime: c.local(b.Left), Due: b.Due, Stock: 1}, nil)
}

// Pay tells that a bill was paid, whatever with. It is idempotent by BillID, like ApplyPayment.
func (c *Client) Pay(ctx context.Context, p Payment) error {
	const op = "Pay"
	if err := p.check(); err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, err)
	}
	body := paymentBody{BillID: p.BillID, UID: c.UID(p.Entry, p.Entered), Plate: p.Plate, Parking: c.parking, Price: p.Price, Due: p.Due,
		Paid: p.Paid, BillTime: c.local(p.BilledAt), DealTime: c.local(p.PaidAt), Means: p.Means, Way: p.Way, UploadTime: c.now()}
	if p.Way == PayLater {
		body.BillWay = 1
	}
	return c.do(ctx, op, pathPaid, body, nil)
}

// Heartbeat says that the lot is in touch. Repeating it does no harm.
func (c *Client) Heartbeat(ctx context.Context) error {
	return c.do(ctx, "Heartbeat", pathHeartbeat, heartbeatBody{Parking: c.parking, UploadTime: c.now()}, nil)
}

// State says how full the lot is. Repeating it does no harm; the latest holds.
func (c *Client) State(ctx context.Context, b Berths) error {
	const op = "State"
	if err := b.check(); err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, err)
	}
	return c.do(ctx, op, pathState, stateBody{Parking: c.parking, berthsBody: berthsBody(b), UploadTime: c.now()}, nil)
}

// DailyBill is a bill as the city has it.
type DailyBill struct {
	BillID string
	Due    int64  // fen
	Paid   int64  // fen; 0 while Status is not Paid
	Status Status //
	Order  string // the city's number of the collection; "" while there is none
}

// Status is how far a collection is.
type Status int

// The statuses. Failed is our reading of whatever else the city sends.
const (
	Pending Status = 0
	Paid    Status = 1
	Failed  Status = 2
)

// maxDaily bounds the bills of one day of one lot.
const maxDaily = 100_000

// DailyBills returns the leave-first bills that the city has of a local day ("2006-01-02"), those of one plate, or of all with
// plate "". This is how a collection of unknown outcome is settled. A read; it must not be answered from a cache.
func (c *Client) DailyBills(ctx context.Context, day, plate string) ([]DailyBill, error) {
	const op = "DailyBills"
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, c.wire.NotSent(op, wire.ReasonInput, errDay)
	}
	if plate != "" && !isText(plate) {
		return nil, c.wire.NotSent(op, wire.ReasonInput, errPlate)
	}
	var out []dailyBill
	if err := c.do(ctx, op, pathDaily, dailyBody{Parking: c.parking, Plate: plate, Day: day}, &out); err != nil {
		return nil, err
	}
	bills := make([]DailyBill, 0, len(out))
	for i := range out {
		bills = append(bills, out[i].bill())
	}
	return bills, nil
}

// ConfirmDeparture acknowledges a push of permission: requestID and params as they came. Repeating it does no harm. Subscribe
// does it by itself.
func (c *Client) ConfirmDeparture(ctx context.Context, requestID string, params []byte) error {
	return c.confirm(ctx, "ConfirmDeparture", pathConfirmDeparture, requestID, params)
}

// ConfirmPayResult acknowledges a push of a collection's result, like ConfirmDeparture.
func (c *Client) ConfirmPayResult(ctx context.Context, requestID string, params []byte) error {
	return c.confirm(ctx, "ConfirmPayResult", pathConfirmResult, requestID, params)
}

func (c *Client) confirm(ctx context.Context, op, path, requestID string, params []byte) error {
	switch {
	case !isID(requestID, MaxID):
		return c.wire.NotSent(op, wire.ReasonInput, errID)
	case jsontext.Value(params).Kind() != '{' || !jsontext.Value(params).IsValid():
		return c.wire.NotSent(op, wire.ReasonInput, errParams)
	}
	return c.do(ctx, op, path, confirmBody{RequestID: requestID, Success: true, Params: params}, nil)
}

func (c *Client) stay(s *Stay) stayBody {
	return stayBody{UID: c.UID(s.Entry, s.Entered), Plate: s.Plate, Color: s.Color, Parking: c.parking, ArriveTime: c.local(s.Entered)}
}

func move(s *Stay, gate, operator string, kind ParkingKind) moveBody {
	b := moveBody{Entry: s.Entry, Gate: noWord, Operator: noWord, Kind: kind}
	if gate != "" {
		b.Gate = gate
	}
	if operator != "" {
		b.Operator = operator
	}
	return b
}

func (c *Client) local(t time.Time) string { return t.In(c.zone).Format(timeLayout) }

func (c *Client) now() string { return c.local(c.clock()) }

var errUnread = errors.New("the keys were not read")

// do seals one body, sends it and judges the answer; out, if not nil, is filled from its data.
func (c *Client) do(ctx context.Context, op, path string, body any, out *[]dailyBill) error {
	if c.key == nil {
		return c.wire.NotSent(op, wire.ReasonInput, errUnread)
	}
	plain, err := json.Marshal(struct {
		Data any `json:"data"`
	}{body})
	if err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, nil) // its text may hold what could not be encoded
	}
	var sealed envelope
	c.signing(func() { sealed, err = seal(c.key, plain) })
	if err != nil {
		return c.wire.NotSent(op, wire.ReasonInput, nil)
	}
	a, err := c.wire.Do(ctx, &wire.Request{Op: op, Method: "POST", Path: path,
		Form: url.Values{"accessID": {c.accessID}, "cipher": {sealed.cipher}, "sign": {sealed.sign}}})
	if err != nil {
		return err
	}
	defer a.Release()
	return read(a, out)
}
