package octo

import (
	"time"
)

// twinBooking is what the twin knows of a booking; its JSON is what Save keeps.
type twinBooking struct {
	UUID              string     `json:"uuid"`
	SupplierReference string     `json:"ref"`
	ResellerReference string     `json:"reseller,omitempty"`
	Code              string     `json:"code"`
	Status            Status     `json:"status"`
	ProductID         string     `json:"product"`
	OptionID          string     `json:"option"`
	Slot              Slot       `json:"slot"`
	Voucher           bool       `json:"voucher,omitzero"`
	Created           time.Time  `json:"created"`
	Updated           time.Time  `json:"updated"`
	Expires           time.Time  `json:"expires,omitzero"`
	Confirmed         time.Time  `json:"confirmed,omitzero"`
	Redeemed          time.Time  `json:"redeemed,omitzero"`
	Cancelled         time.Time  `json:"cancelled,omitzero"`
	Reason            string     `json:"reason,omitempty"`
	Units             []twinUnit `json:"units"`
	ConfirmedHere     bool       `json:"confirmed_here,omitzero"` // by a caller, not when it was issued
	CancelledHere     bool       `json:"cancelled_here,omitzero"`
}

// twinUnit is one person's ticket and what has been tried with it.
type twinUnit struct {
	UUID              string    `json:"uuid"`
	UnitID            string    `json:"unit"`
	SupplierReference string    `json:"ref"`
	Code              string    `json:"code"`
	Redeemed          time.Time `json:"redeemed,omitzero"`
	Attempts          int       `json:"attempts,omitzero"`
	Effects           int       `json:"effects,omitzero"`
	Undone            int       `json:"undone,omitzero"`
	By                []string  `json:"by,omitempty"`
}

func (b *twinBooking) book(product, option string, s Slot) {
	b.ProductID, b.OptionID, b.Slot = product, option, s
}

func (b *twinBooking) slotKey() string { return slotKey(b.ProductID, b.OptionID, b.Slot.ID) }

func slotKey(product, option, slot string) string { return product + "/" + option + "/" + slot }

// takesPlace reports whether the booking's people count towards the slot's capacity.
func (b *twinBooking) takesPlace() bool {
	return b.Status != StatusCancelled && b.Status != StatusExpired && b.Status != StatusRejected
}

// status returns the booking's state at now: a hold runs out by itself.
func (b *twinBooking) status(now time.Time) Status {
	if b.Status == StatusOnHold && !b.Expires.After(now) {
		return StatusExpired
	}
	return b.Status
}

// settle makes the booking's state follow its units: redeemed once all of them are.
func (b *twinBooking) settle(now time.Time) {
	b.Updated = now
	var last time.Time
	for i := range b.Units {
		u := &b.Units[i]
		if u.Redeemed.IsZero() {
			b.Status, b.Redeemed = StatusConfirmed, time.Time{}
			return
		}
		if u.Redeemed.After(last) {
			last = u.Redeemed
		}
	}
	b.Status, b.Redeemed = StatusRedeemed, last
}

// units returns the units that ref stands for.
func (r twinRef) units() []twinUnit {
	if r.unit >= 0 {
		return r.booking.Units[r.unit : r.unit+1]
	}
	return r.booking.Units
}

// TwinBooks is what the twin believes its callers have done.
type TwinBooks struct {
	Requests    uint64           `json:"requests"` // that were understood and authorized
	Redemptions []TwinRedemption `json:"redemptions"`
	Confirmed   []string         `json:"confirmed"` // uuids of bookings, as callers confirmed them
	Cancelled   []string         `json:"cancelled"`
}

// TwinRedemption is one ticket that callers tried to redeem, or to undo. Exactly once is Effects 1 and Undone 0;
// Attempts above Effects were refused, or found their work done.
type TwinRedemption struct {
	BookingUUID string    `json:"booking_uuid"`
	UnitUUID    string    `json:"unit_uuid"`
	Code        string    `json:"code"`
	At          time.Time `json:"at,omitzero"` // zero: not redeemed now
	Attempts    int       `json:"attempts"`    // requests to redeem or validate it
	Effects     int       `json:"effects"`     // times it became redeemed
	Undone      int       `json:"undone"`      // times that was undone
	By          []string  `json:"by"`          // the requests that had the effects: traceparent, or a running number
}

// Books returns a TwinBooks, in the order in which bookings were issued.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() TwinBooks {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := TwinBooks{Requests: t.requests, Redemptions: []TwinRedemption{}, Confirmed: []string{}, Cancelled: []string{}}
	for _, b := range t.bookings {
		if b.ConfirmedHere {
			out.Confirmed = append(out.Confirmed, b.UUID)
		}
		if b.CancelledHere {
			out.Cancelled = append(out.Cancelled, b.UUID)
		}
		for i := range b.Units {
			u := &b.Units[i]
			if u.Attempts+u.Undone > 0 {
				out.Redemptions = append(out.Redemptions, TwinRedemption{b.UUID, u.UUID, u.Code, u.Redeemed,
					u.Attempts, u.Effects, u.Undone, append([]string{}, u.By...)})
			}
		}
	}
	return out
}
