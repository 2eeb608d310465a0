package octo

import (
	"time"
)

// The answers of the twin, complete as the OCTO schema requires: every required member is there, null where allowed.

type wireBooking struct {
	ID                string            `json:"id"`
	UUID              string            `json:"uuid"`
	TestMode          bool              `json:"testMode"`
	ResellerReference *string           `json:"resellerReference"`
	SupplierReference *string           `json:"supplierReference"`
	Status            Status            `json:"status"`
	UTCCreatedAt      time.Time         `json:"utcCreatedAt"`
	UTCUpdatedAt      time.Time         `json:"utcUpdatedAt"`
	UTCExpiresAt      *time.Time        `json:"utcExpiresAt"`
	UTCRedeemedAt     *time.Time        `json:"utcRedeemedAt"`
	UTCConfirmedAt    *time.Time        `json:"utcConfirmedAt"`
	ProductID         string            `json:"productId"`
	OptionID          string            `json:"optionId"`
	Cancellable       bool              `json:"cancellable"`
	Cancellation      *wireCancellation `json:"cancellation"`
	Freesale          bool              `json:"freesale"`
	AvailabilityID    *string           `json:"availabilityId"`
	Availability      *wireAvailability `json:"availability"`
	Contact           wireContact       `json:"contact"`
	Notes             *string           `json:"notes"`
	DeliveryMethods   []string          `json:"deliveryMethods"`
	Voucher           *wireTicket       `json:"voucher"`
	UnitItems         []wireUnitItem    `json:"unitItems"`
	RedemptionCode    string            `json:"redemptionCode,omitempty"`
	Redeemable        *bool             `json:"redeemable,omitempty"`
}

type wireCancellation struct {
	Refund         string    `json:"refund"`
	Reason         *string   `json:"reason"`
	UTCCancelledAt time.Time `json:"utcCancelledAt"`
}

type wireUnitItem struct {
	UUID              string      `json:"uuid"`
	ResellerReference *string     `json:"resellerReference"`
	SupplierReference *string     `json:"supplierReference"`
	UnitID            string      `json:"unitId"`
	Status            Status      `json:"status"`
	UTCRedeemedAt     *time.Time  `json:"utcRedeemedAt"`
	Contact           wireContact `json:"contact"`
	Ticket            *wireTicket `json:"ticket"`
}

type wireTicket struct {
	RedemptionMethod string         `json:"redemptionMethod"`
	UTCRedeemedAt    *time.Time     `json:"utcRedeemedAt"`
	DeliveryOptions  []wireDelivery `json:"deliveryOptions"`
}

type wireDelivery struct {
	Format string `json:"deliveryFormat"`
	Value  string `json:"deliveryValue"`
}

type wireContact struct {
	FullName     *string  `json:"fullName"`
	FirstName    *string  `json:"firstName"`
	LastName     *string  `json:"lastName"`
	EmailAddress *string  `json:"emailAddress"`
	PhoneNumber  *string  `json:"phoneNumber"`
	Locales      []string `json:"locales"`
	PostalCode   *string  `json:"postalCode"`
	Country      *string  `json:"country"`
	Notes        *string  `json:"notes"`
}

type wireAvailability struct {
	ID           string      `json:"id"`
	Start        time.Time   `json:"localDateTimeStart"`
	End          time.Time   `json:"localDateTimeEnd"`
	UTCCutoffAt  time.Time   `json:"utcCutoffAt"`
	AllDay       bool        `json:"allDay"`
	Available    bool        `json:"available"`
	Status       string      `json:"status"`
	Vacancies    *int        `json:"vacancies"`
	Capacity     *int        `json:"capacity"`
	MaxUnits     *int        `json:"maxUnits"`
	OpeningHours []wireHours `json:"openingHours"`
}

type wireHours struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type wireProduct struct {
	ID                   string       `json:"id"`
	InternalName         string       `json:"internalName"`
	Reference            *string      `json:"reference"`
	Locale               string       `json:"locale"`
	TimeZone             string       `json:"timeZone"`
	AllowFreesale        bool         `json:"allowFreesale"`
	InstantConfirmation  bool         `json:"instantConfirmation"`
	InstantDelivery      bool         `json:"instantDelivery"`
	AvailabilityRequired bool         `json:"availabilityRequired"`
	AvailabilityType     string       `json:"availabilityType"`
	DeliveryFormats      []string     `json:"deliveryFormats"`
	DeliveryMethods      []string     `json:"deliveryMethods"`
	RedemptionMethod     string       `json:"redemptionMethod"`
	Options              []wireOption `json:"options"`
}

type wireOption struct {
	ID                    string           `json:"id"`
	Default               bool             `json:"default"`
	InternalName          string           `json:"internalName"`
	Reference             *string          `json:"reference"`
	StartTimes            []string         `json:"availabilityLocalStartTimes"`
	CancellationCutoff    string           `json:"cancellationCutoff"`
	CutoffAmount          int              `json:"cancellationCutoffAmount"`
	CutoffUnit            string           `json:"cancellationCutoffUnit"`
	RequiredContactFields []string         `json:"requiredContactFields"`
	Restrictions          wireOptionLimits `json:"restrictions"`
	Units                 []wireUnit       `json:"units"`
}

type wireOptionLimits struct {
	MinUnits *int `json:"minUnits"`
	MaxUnits *int `json:"maxUnits"`
}

type wireUnit struct {
	ID                    string         `json:"id"`
	InternalName          string         `json:"internalName"`
	Reference             *string        `json:"reference"`
	Type                  string         `json:"type"`
	Restrictions          wireUnitLimits `json:"restrictions"`
	RequiredContactFields []string       `json:"requiredContactFields"`
}

type wireUnitLimits struct {
	MinAge        int      `json:"minAge"`
	MaxAge        int      `json:"maxAge"`
	IDRequired    bool     `json:"idRequired"`
	MinQuantity   *int     `json:"minQuantity"`
	MaxQuantity   *int     `json:"maxQuantity"`
	PaxCount      int      `json:"paxCount"`
	AccompaniedBy []string `json:"accompaniedBy"`
}

// maxPeople bounds one booking of the twin.
const maxPeople = 100

func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func nobody() wireContact { return wireContact{Locales: []string{}} }

// wireRedeemable is a booking as the redemption calls show it.
func (t *Twin) wireRedeemable(b *twinBooking, now time.Time) *wireBooking {
	w := t.wireBooking(b, now)
	w.RedemptionCode = b.Code
	left := b.status(now) == StatusConfirmed // settle makes it REDEEMED with its last unit
	w.Redeemable = &left
	return w
}

func (t *Twin) wireBooking(b *twinBooking, now time.Time) *wireBooking {
	status := b.status(now)
	w := &wireBooking{
		ID: b.UUID, UUID: b.UUID, TestMode: true, Status: status,
		ResellerReference: orNull(b.ResellerReference), SupplierReference: orNull(b.SupplierReference),
		UTCCreatedAt: b.Created, UTCUpdatedAt: b.Updated, UTCExpiresAt: orNull(b.Expires),
		UTCRedeemedAt: orNull(b.Redeemed), UTCConfirmedAt: orNull(b.Confirmed),
		ProductID: b.ProductID, OptionID: b.OptionID,
		Cancellable:    status == StatusConfirmed || status == StatusOnHold || status == StatusPending,
		AvailabilityID: orNull(b.Slot.ID), Contact: nobody(), DeliveryMethods: []string{"TICKET"}, UnitItems: []wireUnitItem{},
	}
	if _, o := t.product(b.ProductID, b.OptionID); o != nil {
		slot := b.Slot
		slot.Start, slot.End = slot.Start.In(t.cfg.Location), slot.End.In(t.cfg.Location)
		a := t.wireAvailability(b.ProductID, o, slot, 1, now)
		w.Availability = &a
	}
	if status == StatusCancelled {
		w.Cancellation = &wireCancellation{Refund: "FULL", Reason: orNull(b.Reason), UTCCancelledAt: b.Cancelled}
	}
	if b.Voucher {
		w.DeliveryMethods = []string{"VOUCHER", "TICKET"}
		w.Voucher = qr(b.Code, b.Redeemed)
	}
	for i := range b.Units {
		u := &b.Units[i]
		item := wireUnitItem{UUID: u.UUID, SupplierReference: orNull(u.SupplierReference), UnitID: u.UnitID, Status: status,
			UTCRedeemedAt: orNull(u.Redeemed), Contact: nobody(), Ticket: qr(u.Code, u.Redeemed)}
		if !u.Redeemed.IsZero() {
			item.Status = StatusRedeemed
		}
		w.UnitItems = append(w.UnitItems, item)
	}
	return w
}

func qr(code string, redeemed time.Time) *wireTicket {
	return &wireTicket{RedemptionMethod: "DIGITAL", UTCRedeemedAt: orNull(redeemed),
		DeliveryOptions: []wireDelivery{{Format: "QRCODE", Value: code}}}
}

func (t *Twin) wireAvailability(product string, o *TwinOption, s Slot, people int, now time.Time) wireAvailability {
	left := max(o.Capacity-t.sold[slotKey(product, o.ID, s.ID)], 0)
	most := min(left, maxPeople)
	w := wireAvailability{ID: s.ID, Start: s.Start, End: s.End, UTCCutoffAt: s.End.UTC(), AllDay: s.AllDay,
		Vacancies: &left, Capacity: &o.Capacity, MaxUnits: &most, Status: "AVAILABLE", Available: true,
		OpeningHours: []wireHours{{From: s.Start.Format("15:04"), To: s.End.Add(-time.Minute).Format("15:04")}}}
	switch {
	case !now.Before(s.End):
		w.Status, w.Available = "CLOSED", false
	case left < people:
		w.Status, w.Available = "SOLD_OUT", false
	case left*2 < o.Capacity:
		w.Status = "LIMITED"
	}
	return w
}

func (t *Twin) wireProduct(p *TwinProduct) wireProduct {
	w := wireProduct{ID: p.ID, InternalName: p.ID, Locale: "en", TimeZone: t.cfg.Location.String(), InstantConfirmation: true,
		InstantDelivery: true, AvailabilityRequired: true, AvailabilityType: "OPENING_HOURS", DeliveryFormats: []string{"QRCODE"},
		DeliveryMethods: []string{"VOUCHER", "TICKET"}, RedemptionMethod: "DIGITAL", Options: []wireOption{}}
	one, most := 1, maxPeople
	for i := range p.Options {
		o := &p.Options[i]
		starts := []string{"00:00"}
		if len(o.Slots) > 0 {
			w.AvailabilityType, starts = "START_TIME", nil
			for _, s := range o.Slots {
				starts = append(starts, s.From)
			}
		}
		w.Options = append(w.Options, wireOption{ID: o.ID, Default: i == 0, InternalName: o.ID, StartTimes: starts,
			CancellationCutoff: "0 hours", CutoffUnit: "hour", RequiredContactFields: []string{},
			Restrictions: wireOptionLimits{MinUnits: &one, MaxUnits: &most},
			Units: []wireUnit{{ID: "adult", InternalName: "adult", Type: "ADULT", RequiredContactFields: []string{},
				Restrictions: wireUnitLimits{MaxAge: 150, PaxCount: 1, AccompaniedBy: []string{}}}}})
	}
	return w
}
