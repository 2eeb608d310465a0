package hangzhou

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
)

// The codes of a refusal, Code of a *wire.Error: the city's resultCode. Only 200 is known from public clients; the others are
// the words of the twin. A city may send others: whatever is no success and no failure of its own is a refusal.
const (
	CodeBadRequest   = "400" // it does not fit the interface: a mistake of the caller's
	CodeUnauthorized = "401" // accessID or signature: an operator's problem
	CodeForbidden    = "403" // a charge without permission, or past its limit
	CodeUnknown      = "404" // there is no such stay, bill or push
	CodeConflict     = "409" // the stay or the bill is known with other content
)

const resultOK = 200

// number is a whole number that the city writes as a number or in quotes: public clients convert every one that they read.
type number int64

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *number) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	if k := t.Kind(); k != '0' && k != '"' {
		return errNumber
	}
	v, err := strconv.ParseInt(t.String(), 10, 54)
	if err != nil {
		return errNumber // its text would hold what came
	}
	*n = number(v)
	return nil
}

type numberError struct{}

func (numberError) Error() string { return "want a whole number" }

var errNumber = numberError{}

// answerBody is every answer; nothing else in it is relied on.
type answerBody struct {
	Code *number        `json:"resultCode"`
	Msg  jsontext.Value `json:"msg"`
	Data jsontext.Value `json:"data"`
}

// dailyBill is one bill of an answer to DailyBills.
type dailyBill struct {
	BillID string `json:"billID"`
	Due    number `json:"shouldPay"`
	Paid   number `json:"actualPay"`
	Status number `json:"payStatus"`
	Order  string `json:"orderCode"`
}

func (b *dailyBill) bill() DailyBill {
	return DailyBill{BillID: b.BillID, Due: int64(b.Due), Paid: int64(b.Paid), Status: statusOf(b.Status), Order: b.Order}
}

// whole reports whether it is a bill that callers can rely on.
func (b *dailyBill) whole() bool {
	return isID(b.BillID, MaxID) && isFen(int64(b.Due)) && isFen(int64(b.Paid)) && (b.Order == "" || isID(b.Order, MaxID)) &&
		b.Status >= 0 && (b.Status != number(Paid) || b.Order != "")
}

func statusOf(n number) Status {
	if n == number(Pending) || n == number(Paid) {
		return Status(n)
	}
	return Failed
}

// read judges an answer: only resultCode 200 is a success.
func read(a wire.Answer, out *[]dailyBill) error {
	if e := a.Unclear(); e != nil {
		return e
	}
	var body answerBody
	if !a.Decode(&body) || body.Code == nil {
		return a.Unknown(wire.ReasonGarbage) // a proxy's own words
	}
	switch code := int64(*body.Code); {
	case code == 429:
		return a.Unknown(wire.ReasonRateLimited)
	case code == 408, code >= 500 && code < 600, code < 0, code == 0: // it says nothing about the effect
		return a.Unknown(wire.ReasonStatus)
	case code != resultOK:
		var words string
		_ = json.Unmarshal(body.Msg, &words) // a refusal without words is one
		return a.Refused(strconv.FormatInt(code, 10), words)
	case a.Status() != 200: // a success that contradicts itself is no success
		return a.Unknown(wire.ReasonStatus)
	}
	if out == nil {
		return nil
	}
	if json.Unmarshal(body.Data, out) != nil || *out == nil || len(*out) > maxDaily {
		return a.Unknown(wire.ReasonGarbage)
	}
	for i := range *out {
		if !(*out)[i].whole() {
			return a.Unknown(wire.ReasonGarbage)
		}
	}
	return nil
}
