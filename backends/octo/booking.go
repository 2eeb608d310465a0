package octo

import (
	"time"
)

// Status is the state of a booking or of one unit of it.
type Status string

// The states of OCTO. Another one is passed on as it came: a caller admits on StatusConfirmed alone.
const (
	StatusOnHold    Status = "ON_HOLD"
	StatusConfirmed Status = "CONFIRMED"
	StatusExpired   Status = "EXPIRED"
	StatusCancelled Status = "CANCELLED"
	StatusRedeemed  Status = "REDEEMED"
	StatusPending   Status = "PENDING"
	StatusRejected  Status = "REJECTED"
)

// Booking is what a gate needs of an OCTO booking. The contact is not taken over: no name enters the gateway with it.
// Times are UTC and zero where OCTO has null.
type Booking struct {
	ID                string     `json:"id"`
	UUID              string     `json:"uuid"`
	ResellerReference string     `json:"resellerReference"` // "" where null
	SupplierReference string     `json:"supplierReference"` // "" where null
	Status            Status     `json:"status"`
	UTCExpiresAt      time.Time  `json:"utcExpiresAt"`
	UTCRedeemedAt     time.Time  `json:"utcRedeemedAt"` // once every unit is redeemed
	UTCConfirmedAt    time.Time  `json:"utcConfirmedAt"`
	ProductID         string     `json:"productId"`
	OptionID          string     `json:"optionId"`
	AvailabilityID    string     `json:"availabilityId"` // "" where null
	Availability      *Slot      `json:"availability"`   // nil: freesale, not bound to a time
	Voucher           *Ticket    `json:"voucher"`        // nil: each unit has its own ticket
	UnitItems         []UnitItem `json:"unitItems"`
	RedemptionCode    string     `json:"redemptionCode"` // of a lookup: redeems what is left of the booking
	Redeemable        bool       `json:"redeemable"`     // of a lookup: whether anything is left to redeem
}

// Slot is the time that a booking is for. The instants carry the venue's offset.
type Slot struct {
	ID     string    `json:"id"`
	Start  time.Time `json:"localDateTimeStart"`
	End    time.Time `json:"localDateTimeEnd"`
	AllDay bool      `json:"allDay"`
}

// UnitItem is one person's place in a booking: the OCTO half of a canonical ticket.
type UnitItem struct {
	UUID              string    `json:"uuid"`
	UnitID            string    `json:"unitId"`            // what kind of person: "adult"
	ResellerReference string    `json:"resellerReference"` // "" where null
	SupplierReference string    `json:"supplierReference"` // "" where null
	Status            Status    `json:"status"`
	UTCRedeemedAt     time.Time `json:"utcRedeemedAt"` // zero: not redeemed
	Ticket            *Ticket   `json:"ticket"`        // nil: the booking has a voucher for all
}

// Ticket is what a visitor shows.
type Ticket struct {
	RedemptionMethod string           `json:"redemptionMethod"`
	DeliveryOptions  []DeliveryOption `json:"deliveryOptions"`
}

// DeliveryOption is one form in which a ticket is delivered: Format "QRCODE", Value what the code holds.
type DeliveryOption struct {
	Format string `json:"deliveryFormat"`
	Value  string `json:"deliveryValue"`
}

// scannable reports whether the value is something that a gate reads, and not the address of a document.
func (d DeliveryOption) scannable() bool {
	return d.Format == "QRCODE" || d.Format == "CODE128" || d.Format == "AZTECCODE"
}

// Code returns the value that redeems the unit alone: of its ticket's first scannable delivery option.
// It is "" when the unit has none and can be redeemed only with its booking.
func (u *UnitItem) Code() string {
	if u.Ticket == nil {
		return ""
	}
	for _, d := range u.Ticket.DeliveryOptions {
		if d.scannable() {
			return d.Value
		}
	}
	return ""
}

// Shows reports whether reference is one of the unit's own: supplier's or reseller's reference, uuid or delivery value.
func (u *UnitItem) Shows(reference string) bool {
	return reference != "" && (reference == u.UUID || reference == u.SupplierReference || reference == u.ResellerReference ||
		u.Ticket.has(reference))
}

// Shown returns the units of the booking that reference stands for: one unit if it is that unit's own, else all of them.
// It returns nil if reference belongs to neither.
func (b *Booking) Shown(reference string) []UnitItem {
	for i := range b.UnitItems {
		if b.UnitItems[i].Shows(reference) {
			return b.UnitItems[i : i+1]
		}
	}
	if reference != "" && (reference == b.UUID || reference == b.ID || reference == b.SupplierReference ||
		reference == b.ResellerReference || reference == b.RedemptionCode || b.Voucher.has(reference)) {
		return b.UnitItems
	}
	return nil
}

func (t *Ticket) has(value string) bool {
	if t == nil {
		return false
	}
	for _, d := range t.DeliveryOptions {
		if d.Value == value {
			return true
		}
	}
	return false
}

// whole reports whether everything that a caller relies on is there.
func (b *Booking) whole() bool {
	if !isUUID(b.UUID) || b.Status == "" || b.ProductID == "" || b.OptionID == "" {
		return false
	}
	for i := range b.UnitItems {
		if b.UnitItems[i].UUID == "" || b.UnitItems[i].Status == "" {
			return false
		}
	}
	return true
}

// Availability is one slot of an option on sale.
type Availability struct {
	Slot
	Available bool   `json:"available"`
	Status    string `json:"status"`    // AVAILABLE, FREESALE, SOLD_OUT, LIMITED, CLOSED
	Vacancies *int   `json:"vacancies"` // nil: not limited or not said
	Capacity  *int   `json:"capacity"`  // nil: not limited or not said
}

// isUUID reports whether s has the canonical form of RFC 9562, in either case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}
