package octo

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// AvailabilityQuery asks for the slots of an option between two local dates ("2006-01-02", both included), or by id.
type AvailabilityQuery struct {
	ProductID string         `json:"productId"`
	OptionID  string         `json:"optionId"`
	From      string         `json:"localDateStart,omitempty"`
	To        string         `json:"localDateEnd,omitempty"`
	IDs       []string       `json:"availabilityIds,omitempty"`
	Units     []UnitQuantity `json:"units,omitempty"`
}

// UnitQuantity is how many of a kind of person ask for a place.
type UnitQuantity struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

// Availability returns the slots of an option. It is a read.
func (c *Client) Availability(ctx context.Context, q AvailabilityQuery) ([]Availability, error) {
	var out []Availability
	whole := func() bool {
		return !slices.ContainsFunc(out, func(a Availability) bool {
			return a.ID == "" || a.Start.IsZero() || !a.End.After(a.Start)
		})
	}
	err := c.do(ctx, &exchange{op: "Availability", method: fasthttp.MethodPost, path: "/availability/", body: q,
		out: &out, whole: whole})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// BookingsByReference returns the bookings with the supplier's reference (1 to 256 bytes): none, one, or several. It is a
// read.
func (c *Client) BookingsByReference(ctx context.Context, supplierReference string) ([]Booking, error) {
	const op = "BookingsByReference"
	if !isReference(supplierReference) {
		return nil, c.calls.NotSent(op, wire.ReasonInput, nil)
	}
	path := "/bookings/?supplierReference=" + url.QueryEscape(supplierReference)
	return c.bookings(ctx, &exchange{op: op, path: path})
}

// Booking returns one booking. An unknown uuid is refused with CodeInvalidBooking. A read.
func (c *Client) Booking(ctx context.Context, uuid string) (*Booking, error) {
	return c.onBooking(ctx, "Booking", fasthttp.MethodGet, uuid, "", nil)
}

// Confirm turns a held booking into a confirmed one, with resellerReference when it is not empty. It is idempotent by
// the booking's uuid: a confirmed booking is returned as it is.
func (c *Client) Confirm(ctx context.Context, uuid, resellerReference string) (*Booking, error) {
	var body struct {
		ResellerReference string   `json:"resellerReference,omitempty"`
		Contact           struct{} `json:"contact"` // required by the schema; a gate has nothing to say about people
	}
	body.ResellerReference = resellerReference
	return c.onBooking(ctx, "Confirm", fasthttp.MethodPost, uuid, "/confirm", body)
}

// Cancel cancels a booking, with a reason when it is not empty. It is idempotent by the booking's uuid: a cancelled
// booking is returned as it is. A redeemed one is refused with CodeUnprocessable.
func (c *Client) Cancel(ctx context.Context, uuid, reason string) (*Booking, error) {
	var body struct {
		Reason string `json:"reason,omitempty"`
	}
	body.Reason = reason
	return c.onBooking(ctx, "Cancel", fasthttp.MethodPost, uuid, "/cancel", body)
}

// Lookup returns the bookings that a reference stands for (see the package comment): several, when one code is a bundle;
// none, when the supplier does not know it. Booking.Shown tells which units are meant. A read.
func (c *Client) Lookup(ctx context.Context, reference string) ([]Booking, error) {
	return c.lookup(ctx, "Lookup", reference)
}

// Redeem redeems the unit or the booking that the code belongs to and returns the booking afterwards. Not idempotent:
// after an Unknown fate ask Redeemed. A redeemed ticket is refused with CodeUnprocessable and
// RedeemedAt as its cause.
func (c *Client) Redeem(ctx context.Context, code string) (*Booking, error) {
	b, err := c.onCode(ctx, "Redeem", fasthttp.MethodPost, "/redemption/redeem", code)
	if err != nil {
		return nil, err
	}
	for _, u := range b.Shown(code) {
		if u.UTCRedeemedAt.IsZero() { // a success that contradicts itself is no success
			return nil, &wire.Error{Connector: connector, Op: "Redeem", Fate: wire.Unknown, Reason: wire.ReasonGarbage,
				Status: fasthttp.StatusOK}
		}
	}
	return b, nil
}

// Unredeem undoes a redemption and returns the booking afterwards. It is idempotent.
func (c *Client) Unredeem(ctx context.Context, code string) (*Booking, error) {
	return c.onCode(ctx, "Unredeem", fasthttp.MethodDelete, "/redemption/redeem", code)
}

// Validate lets the supplier's own rules decide. It is an effect: it redeems what is not redeemed, and accepts what is.
func (c *Client) Validate(ctx context.Context, code string) (*Booking, error) {
	return c.onCode(ctx, "Validate", fasthttp.MethodPost, "/redemption/validate", code)
}

// Redeemed asks when what the code stands for was redeemed: the unit, or the last unit of a booking. It returns the zero
// time when it is not redeemed, or not wholly, and a Refused error with CodeUnprocessable when the supplier does not know
// the code. This is how a redemption of unknown outcome is settled. A read; it must not be answered from a cache.
func (c *Client) Redeemed(ctx context.Context, code string) (time.Time, error) {
	const op = "Redeemed"
	bookings, err := c.lookup(ctx, op, code)
	if err != nil {
		return time.Time{}, err
	}
	var last time.Time
	found := false
	for i := range bookings {
		for _, u := range bookings[i].Shown(code) {
			found = true
			if u.UTCRedeemedAt.IsZero() {
				return time.Time{}, nil
			}
			if u.UTCRedeemedAt.After(last) {
				last = u.UTCRedeemedAt
			}
		}
	}
	if !found {
		return time.Time{}, &wire.Error{Connector: connector, Op: op, Fate: wire.Refused, Reason: wire.ReasonRefused,
			Status: fasthttp.StatusOK, Code: CodeUnprocessable}
	}
	return last, nil
}

func (c *Client) lookup(ctx context.Context, op, reference string) ([]Booking, error) {
	if !isReference(reference) {
		return nil, c.calls.NotSent(op, wire.ReasonInput, nil)
	}
	path := "/redemption/lookup?reference=" + url.QueryEscape(reference)
	return c.bookings(ctx, &exchange{op: op, redemption: true, path: path})
}

func (c *Client) bookings(ctx context.Context, x *exchange) ([]Booking, error) {
	var out []Booking
	x.method, x.out = fasthttp.MethodGet, &out
	x.whole = func() bool { return !slices.ContainsFunc(out, func(b Booking) bool { return !b.whole() }) }
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) onBooking(ctx context.Context, op, method, uuid, action string, body any) (*Booking, error) {
	if !isUUID(uuid) {
		return nil, c.calls.NotSent(op, wire.ReasonInput, nil)
	}
	return c.booking(ctx, &exchange{op: op, method: method, path: "/bookings/" + uuid + action, body: body})
}

func (c *Client) onCode(ctx context.Context, op, method, path, code string) (*Booking, error) {
	if !isReference(code) {
		return nil, c.calls.NotSent(op, wire.ReasonInput, nil)
	}
	return c.booking(ctx, &exchange{op: op, method: method, path: path, redemption: true, body: redemptionBody{code}})
}

func (c *Client) booking(ctx context.Context, x *exchange) (*Booking, error) {
	out := new(Booking)
	x.out, x.whole = out, out.whole
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	return out, nil
}

type redemptionBody struct {
	RedemptionCode string `json:"redemptionCode"`
}

// isReference reports whether s can be sent: 1 to 256 bytes of UTF-8 without control characters.
func isReference(s string) bool {
	if s == "" || len(s) > maxReference {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return false
		}
	}
	return true
}
