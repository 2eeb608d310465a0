package wechatpay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxNotification bounds the body of a notification, in bytes.
const MaxNotification = 64 << 10

// Why a notification is not taken. Each is wrapped with what was wrong, and shows nothing of the content.
var (
	ErrForged     = errors.New("the notification is not the provider's")           // 401: signature, serial or size
	ErrStale      = errors.New("the notification is too old, or of the future")    // 401: beyond Config.Leeway, or replayed after it
	ErrUnverified = errors.New("the notification cannot be verified now")          // 503: the provider's keys could not be fetched in time
	ErrUnreadable = errors.New("the notification is the provider's, not readable") // 400: not encrypted with our key, not whole, or another merchant's
)

// The events that Notification reads. The provider sends others too.
const (
	EventPaid          = "TRANSACTION.SUCCESS"
	EventNotPaid       = "TRANSACTION.FAIL"
	EventRepaid        = "TRANSACTION.PAY_BACK"
	EventParking       = "VEHICLE.ENTRANCE_STATE_CHANGE"
	EventRefunded      = "REFUND.SUCCESS"
	EventRefundOdd     = "REFUND.ABNORMAL"
	EventRefundClosed  = "REFUND.CLOSED"
	resourceType       = "encrypt-resource"
	maxEvent, maxEvtID = 64, 36
)

// Notification is what the provider tells on its own. The same may come twice, late, and before the answer to the call that
// it is about: ID tells two from one, and what it says is to be held against the books.
type Notification struct {
	ID        string // the same whenever the same is sent again
	Event     string
	CreatedAt time.Time

	// One of them is not nil where Event is one of the constants above; all are nil for another event.
	Transaction *Transaction
	Parking     *ParkingChange
	Refund      *Refund
}

// ParkingChange says that a car which is inside may now leave and pay later, or may not any more.
type ParkingChange struct {
	ID           string // Parking.ID
	OutParkingNo string
	State        ParkingState
	BlockReason  string // one of the Block words where it is Blocked; "": not said
	At           time.Time
}

// wireNotification is the envelope.
type wireNotification struct {
	ID         string   `json:"id"`
	CreateTime string   `json:"create_time"`
	Event      string   `json:"event_type"`
	Type       string   `json:"resource_type"`
	Resource   resource `json:"resource"`
}

// Notification verifies, decrypts and reads a notification. header returns the value of a header field, "" where there is
// none; body is as it was received. It may wait for the provider's keys until ctx ends. The error is ErrForged, ErrStale,
// ErrUnverified or ErrUnreadable; with each of them nothing is known, and the provider sends what was real again. It is to be
// answered by 200 or 204 only when it is durable, and never by another redirect or success.
func (c *Client) Notification(ctx context.Context, header func(name string) string, body []byte) (*Notification, error) {
	if c.key == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, errUnread)
	}
	if len(body) > MaxNotification {
		return nil, fmt.Errorf("%w: want at most %d bytes, got %d", ErrForged, MaxNotification, len(body))
	}
	if header(headerSign) == "" {
		return nil, fmt.Errorf("%w: %w", ErrForged, errUnsigned)
	}
	if err := c.isNow(header(headerTime)); err != nil {
		return nil, ErrStale
	}
	key, err := c.platform.find(ctx, header(headerSerial), false)
	switch {
	case errors.Is(err, errSerial) && err != errSerial: //nolint:errorlint // bare: the list was fetched and does not have it
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if err := c.proves(key, header, body, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return c.open(body)
}

// open reads a notification that is the provider's.
func (c *Client) open(body []byte) (*Notification, error) {
	var w wireNotification
	if !decode(body, &w) {
		return nil, fmt.Errorf("%w: it is no JSON object with an encrypted resource", ErrUnreadable)
	}
	created, ok := readStamp(w.CreateTime)
	if !ok || w.ID == "" || len(w.ID) > maxEvtID || !isEvent(w.Event) || w.Type != resourceType {
		return nil, fmt.Errorf("%w: its envelope is not whole", ErrUnreadable)
	}
	plain, err := w.Resource.open(c.cfg.APIv3Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	n := &Notification{ID: w.ID, Event: w.Event, CreatedAt: created}
	if !c.fill(n, plain) {
		return nil, fmt.Errorf("%w: what it says is not whole, or another merchant's", ErrUnreadable)
	}
	return n, nil
}

// fill reads the content of a notification.
func (c *Client) fill(n *Notification, plain []byte) bool {
	switch n.Event {
	case EventPaid, EventNotPaid, EventRepaid:
		var w wireTransaction
		if decode(plain, &w) {
			n.Transaction = w.read(c)
		}
		return n.Transaction != nil && (n.Event != EventPaid || n.Transaction.State == Success) &&
			(n.Event != EventNotPaid || n.Transaction.State == PayFail)
	case EventRefunded, EventRefundOdd, EventRefundClosed:
		var w wireRefund
		if decode(plain, &w) {
			n.Refund = w.read(c, true)
		}
		return n.Refund != nil
	case EventParking:
		var w wireParkingChange
		if decode(plain, &w) {
			n.Parking = w.read(c)
		}
		return n.Parking != nil
	}
	return jsontext.Value(plain).Kind() == '{' // another event: whoever asked does not know it
}

// wireParkingChange is a ParkingChange on the wire.
type wireParkingChange struct {
	MchID        string       `json:"sp_mchid"`
	SubMchID     string       `json:"sub_mchid"`
	ID           string       `json:"parking_id"`
	OutParkingNo string       `json:"out_parking_no"`
	State        ParkingState `json:"parking_state"`
	BlockReason  string       `json:"blocked_state_description"`
	UpdateTime   string       `json:"state_update_time"`
}

func (w *wireParkingChange) read(c *Client) *ParkingChange {
	at, ok := readStamp(w.UpdateTime)
	if !ok || at.IsZero() || w.ID == "" || len(w.ID) > maxID || !isKey(w.OutParkingNo, MaxOutParkingNo) || !isWord(string(w.State)) ||
		w.BlockReason != "" && !isWord(w.BlockReason) || w.MchID != "" && w.MchID != c.cfg.MchID || w.SubMchID != "" && w.SubMchID != c.cfg.SubMchID {
		return nil
	}
	return &ParkingChange{ID: w.ID, OutParkingNo: w.OutParkingNo, State: w.State, BlockReason: w.BlockReason, At: at}
}

// decode fills out from one JSON object. Names are case-sensitive, unknown members are allowed, duplicates are not.
func decode(body []byte, out any) bool {
	return jsontext.Value(body).Kind() == '{' && json.Unmarshal(body, out) == nil
}

// isEvent reports whether s can be the name of an event: capitals, digits, dots and underscores.
func isEvent(s string) bool {
	return s != "" && len(s) <= maxEvent && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._") == ""
}
