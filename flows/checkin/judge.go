package checkin

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Claim asks the ledger for a room.
type Claim struct {
	Journey string
	Hotel   string
	At      time.Time
	Day     string
	Booking Booking
	Guests  []Guest
	Kiosk   string
	KeysEnd time.Time
	Encoder string
	Offers  []Room // the best one first; none where the booking is in house already
}

// maxNights bounds a stay that a kiosk begins.
const maxNights = 366

// judge decides what can be said without the ledger: is it they, is it theirs, is it today, and which rooms would do.
func judge(f facing, h atHotel) (Claim, error) {
	c, err := judgeParty(f, h)
	return c, about(f.Kiosk, f.Guests, err)
}

func judgeParty(f facing, h atHotel) (Claim, error) {
	a := f.Arrival
	c := Claim{Journey: a.Journey, Hotel: a.Hotel, At: a.At, Day: a.Day, Kiosk: a.Kiosk, Guests: slices.Clone(a.Guests)}
	for i := range c.Guests {
		c.Guests[i].face, c.Guests[i].portrait = nil, nil
	}
	if err := believeFaces(f); err != nil {
		return c, err
	}
	if h.bookings.Err != nil {
		return c, handHotelDown
	}
	var err error
	if c.Booking, err = pick(a, h.bookings.Value); err != nil {
		if p, ok := errors.AsType[*gateway.Error](err); ok && p.Problem == ProblemWrongHotel && (h.rooms.Err != nil || len(h.rooms.Value) == 0) {
			// A hotel without a room: it may be us who name the wrong one.
			err = handHotelDown
		}
		return c, err
	}
	if c.Booking.State == stateInHouse {
		return c, nil
	}
	nights := nightsOf(c.Booking, a.Day)
	switch {
	case len(nights) == 0 || len(nights) > maxNights:
		return c, handBookingUnclear
	case c.Booking.People > 0 && len(a.Guests) > c.Booking.People && !a.vouched(handExtraGuest.Kind, c.Booking.ID):
		return c, handExtraGuest
	case h.rooms.Err != nil:
		return c, handHotelDown
	}
	c.KeysEnd, c.Encoder = keysEnd(c.Booking.Leaves, a.venue), settingsOf(a.venue).Encoders[a.Kiosk]
	c.Offers, err = offered(a, c.Booking, h.rooms.Value)
	return c, err
}

// vouched reports whether staff have settled that kind for a booking.
func (a *Arrival) vouched(kind, booking string) bool {
	return slices.Contains(a.allowed[kind], booking)
}

// believeFaces decides whether every guest is the person on the document.
func believeFaces(f facing) error {
	if !slices.ContainsFunc(f.Guests, func(g Guest) bool { return !g.Vouched }) {
		return nil
	}
	if f.seen.Err != nil || len(f.seen.Value) != len(f.Guests) {
		return handIdentityDown
	}
	least := settingsOf(f.venue).Face
	for i, g := range f.Guests {
		v := f.seen.Value[i]
		switch {
		case g.Vouched:
		case v.Refused == faceUnreadable || v.Refused == severalFaces:
			return sayFace(v.Refused, i)
		case v.Refused == numberInvalid:
			return ProblemDocumentInvalid.Error(gateway.Text{}).WithField(fmt.Sprintf("guests[%d].document.number", i))
		case v.Refused == "" && v.Expired:
			return handExpired
		case v.Refused != "" || !v.Live || !v.Valid || v.Score < least:
			return handMismatch
		case !v.Adult:
			return handMinor
		}
	}
	return nil
}

// sayFace asks for another picture.
func sayFace(why string, i int) error {
	detail := gateway.Text{Zh: "请正对镜头再拍一次", En: "Please look straight into the camera and try again."}
	if why == severalFaces {
		detail = gateway.Text{Zh: "画面中请只留一人", En: "Only one person may be in the picture."}
	}
	return ProblemFaceUnreadable.Error(detail).WithField(fmt.Sprintf("guests[%d].face", i))
}

// nightsOf lists the nights of a stay that begins now.
func nightsOf(b Booking, day string) (nights []string) {
	from, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil
	}
	if b.Arrival > day {
		if from, err = time.Parse(time.DateOnly, b.Arrival); err != nil {
			return nil
		}
	}
	for at := from; at.Format(time.DateOnly) < b.Leaves && len(nights) <= maxNights; at = at.AddDate(0, 0, 1) {
		nights = append(nights, at.Format(time.DateOnly))
	}
	return nights
}

// keysEnd is when a stay's keys open no door any more: on its last day, at the hotel's hour.
func keysEnd(leaves string, v *gateway.Venue) time.Time {
	day, err := time.ParseInLocation(time.DateOnly, leaves, v.Location)
	if err != nil {
		return time.Time{}
	}
	return day.Add(settingsOf(v).CheckOutAt)
}
