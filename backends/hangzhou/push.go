package hangzhou

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The topics of pushes. After them stand our access id, and the lot's number.
const (
	topicDeparture = "/hzcity/v2/departurePayInfo"
	topicResult    = "/hzcity/v2/payResult"
	topicFee       = "/hzcity/v2/fee"
)

// Push is one message of the city's. Exactly one of Departure, Result and Fee is set.
type Push struct {
	RequestID string // the city's; it is not signed, see the package's comment
	Departure *DeparturePay
	Result    *PayResult
	Fee       *FeeQuery
}

// DeparturePay says whether a car that is inside may leave first and pay later. The latest one holds.
type DeparturePay struct {
	Plate      string // personal: never log it
	NoSense    bool   // its owner has agreed to be charged without being asked
	LeaveFirst bool   // the city lets it leave first
	Limit      int64  // fen: up to this; 0: nothing
}

// Allows reports whether a bill of so much (fen) may be paid after leaving.
func (d *DeparturePay) Allows(fen int64) bool {
	return d.NoSense && d.LeaveFirst && fen >= 0 && d.Limit > 0 && fen <= d.Limit
}

// PayResult says how the collection of a bill went.
type PayResult struct {
	BillID string // ours
	Status Status // Paid, or Failed; Pending says that the city still tries
	Paid   int64  // fen
	Order  string // the city's number of the collection; unique; "" where nothing was paid
}

// FeeQuery asks what a car that is inside would pay now. How it is answered (uploadFee) is known by name alone, so it is not.
type FeeQuery struct {
	Plate string // personal: never log it
}

// Why a push is not taken. They show nothing of it.
var (
	errTopic    = errors.New("its topic is none of the interface's")
	errMessage  = errors.New("it is no message of the interface")
	errRequest  = errors.New("its requestId cannot be one")
	errContent  = errors.New("what it says does not fit the interface")
	errForeign  = errors.New("it is another lot's")
	errTooLarge = errors.New("it is over the bound")
)

// loose is a word that the city writes in quotes or as a number: public clients convert it.
type loose string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *loose) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	if k := t.Kind(); k != '0' && k != '"' {
		return errMessage
	}
	*l = loose(t.String())
	return nil
}

// flag is yes or no: 1 or 0, in quotes or not, or true and false.
type flag bool

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (f *flag) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch k, s := t.Kind(), t.String(); {
	case k == 't', (k == '0' || k == '"') && s == "1":
		*f = true
	case k == 'f', (k == '0' || k == '"') && s == "0":
		*f = false
	default:
		return errContent
	}
	return nil
}

// delivery is a push that was believed, and what its acknowledgement needs.
type delivery struct {
	Push
	params  []byte // the data, as it came
	confirm string // the path of the acknowledgement; "": it wants none
}

// readPush opens and judges one message. The error is one of the above, or of open, and shows nothing of the message.
func (c *Client) readPush(topic string, message []byte) (*delivery, string, error) {
	kind, lot, err := c.readTopic(topic)
	if err != nil {
		return nil, "", err
	}
	var outer struct {
		RequestID loose  `json:"requestId"`
		Cipher    string `json:"cipher"`
		Sign      string `json:"sign"`
	}
	if json.Unmarshal(message, &outer) != nil {
		return nil, "", errMessage
	}
	if !isID(string(outer.RequestID), MaxID) {
		return nil, "", errRequest
	}
	plain, err := envelope{outer.Cipher, outer.Sign}.open(c.city)
	if err != nil {
		return nil, "", err
	}
	if jsontext.Value(plain).Kind() != '{' {
		return nil, "", errContent
	}
	d := &delivery{Push: Push{RequestID: string(outer.RequestID)}, params: plain}
	switch kind {
	case topicDeparture:
		d.confirm = pathConfirmDeparture
		d.Departure, err = c.readDeparture(plain, lot)
	case topicResult:
		d.confirm = pathConfirmResult
		d.Result, err = c.readResult(plain, lot)
	default:
		d.Fee, err = c.readFee(plain, lot)
	}
	if err != nil {
		return nil, "", err
	}
	return d, outer.Cipher, nil
}

// readTopic takes a topic apart; lot is "" where it names none.
func (c *Client) readTopic(topic string) (kind, lot string, err error) {
	for _, kind := range [...]string{topicDeparture, topicResult, topicFee} {
		rest, ok := strings.CutPrefix(topic, kind+"/"+c.accessID)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if lot = strings.TrimPrefix(rest, "/"); strings.Contains(lot, "/") {
			return "", "", errTopic
		}
		if lot != "" && lot != c.parking {
			return "", "", errForeign
		}
		return kind, lot, nil
	}
	return "", "", errTopic
}

// isOurs judges the lot that a push names in its data, or else in its topic.
func (c *Client) isOurs(named *string, lot string) bool {
	if named != nil {
		return *named == c.parking
	}
	return lot == c.parking
}

func (c *Client) readDeparture(plain []byte, lot string) (*DeparturePay, error) {
	var d struct {
		Plate      *string `json:"plateNo"`
		Parking    *string `json:"parkingCode"`
		NoSense    *flag   `json:"noSense"`
		LeaveFirst *flag   `json:"departurePay"`
		Limit      *number `json:"moneyLimit"`
	}
	switch {
	case json.Unmarshal(plain, &d) != nil, d.Plate == nil, d.NoSense == nil, d.LeaveFirst == nil, d.Limit == nil,
		!isText(*d.Plate), !isFen(int64(*d.Limit)):
		return nil, errContent
	case !c.isOurs(d.Parking, lot):
		return nil, errForeign
	}
	return &DeparturePay{Plate: *d.Plate, NoSense: bool(*d.NoSense), LeaveFirst: bool(*d.LeaveFirst), Limit: int64(*d.Limit)}, nil
}

// readResult: a result that names no lot at all is taken, since public clients read none: the bill's number is ours.
func (c *Client) readResult(plain []byte, _ string) (*PayResult, error) {
	var d struct {
		Parking *string `json:"parkingCode"`
		BillID  *string `json:"billID"`
		Status  *number `json:"payStatus"`
		Paid    *number `json:"actualPay"`
		Order   *loose  `json:"orderCode"`
	}
	if json.Unmarshal(plain, &d) != nil || d.BillID == nil || d.Status == nil || !isID(*d.BillID, MaxID) || *d.Status < 0 {
		return nil, errContent
	}
	if d.Parking != nil && *d.Parking != c.parking {
		return nil, errForeign
	}
	out := &PayResult{BillID: *d.BillID, Status: statusOf(*d.Status)}
	if d.Order != nil && *d.Order != "" {
		out.Order = string(*d.Order)
		if !isID(out.Order, MaxID) {
			return nil, errContent
		}
	}
	if d.Paid != nil {
		out.Paid = int64(*d.Paid)
	}
	if !isFen(out.Paid) || out.Status == Paid && (d.Paid == nil || out.Order == "") {
		return nil, errContent
	}
	return out, nil
}

func (c *Client) readFee(plain []byte, lot string) (*FeeQuery, error) {
	var d struct {
		Plate   *string `json:"plateNo"`
		Parking *string `json:"parkingCode"`
	}
	switch {
	case json.Unmarshal(plain, &d) != nil, d.Plate == nil, !isText(*d.Plate):
		return nil, errContent
	case !c.isOurs(d.Parking, lot):
		return nil, errForeign
	}
	return &FeeQuery{Plate: *d.Plate}, nil
}
