package ohip

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// DefaultExternalSystem is the name under which a hotel keeps our references where Config.Sales names none.
const DefaultExternalSystem = "WARMGATE"

// Sales is how a hotel has our reservations written down: codes of its own, all at most 20 bytes, each left out where it
// is empty. OPERA wants some of them unless its rate plans have them already.
type Sales struct {
	ExternalSystem string // the external system whose references ours are; "": DefaultExternalSystem
	Guarantee      string // the type of reservation
	Market         string // the market
	Source         string // the source of business
	Payment        string // how it is going to be paid
	CancelReason   string // why ours are cancelled: OPERA wants a code
}

func (s *Sales) codes() []string {
	return []string{s.ExternalSystem, s.Guarantee, s.Market, s.Source, s.Payment, s.CancelReason}
}

// The bounds of a booking.
const (
	maxReference = 80
	maxPerson    = 40 // of each part of a guest's name
)

// BookOrder asks for a reservation of one room.
type BookOrder struct {
	Reference string        // ours, the same however often the same is asked for: 1 to 80 visible ASCII characters
	RoomType  string        // as Offer has it
	RatePlan  string        // likewise
	From      string        // the day of arrival, "2006-01-02"
	To        string        // the day of departure, 1 to 90 nights later
	Adults    int           // 1 to 20
	ChildAges []int         // in years, 0 to 17, at most 10
	Price     gateway.Money // of the whole stay, as the guest was told it; no currency: nothing is said of it
	TaxIn     bool          // the price has the taxes in it
	Surname   string        // the guest's, 1 to 40 bytes; a name that has no parts stands here as a whole
	GivenName string        // "": none
	Alternate string        // the whole name in another script; "": none
}

// Book makes a reservation. Where nothing of the type can be had under the plan any more it is refused with RefusedGone, and
// where the hotel holds our price against its own with RefusedPrice; for both a hotel's codes have to be known (see the
// package comment). A hotel that doesn't hold them against each other says its own in Reservation.Total: compare.
//
// Not idempotent: two requests make two reservations. After an unknown outcome ask ByReference.
func (c *Client) Book(ctx context.Context, o BookOrder) (*Reservation, error) {
	const op = "Book"
	if bad := o.flaw(); bad != "" {
		return nil, c.badInput(op, bad)
	}
	var out wireBooked
	x := &exchange{op: op, method: "POST", path: c.hotelPath("rsv", "/reservations"), body: c.bookBody(&o), out: &out}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	if r := out.reservation(o.Reference); r != nil {
		return r, nil
	}
	// The answer may be no more than links: what was made is read back.
	all, err := c.ByReference(ctx, o.Reference)
	switch {
	case err != nil:
		return nil, &wire.Error{Connector: connector, Op: op, Fate: wire.Unknown, Reason: wire.ReasonGarbage, Status: 201, Cause: err}
	case len(all) == 0:
		return nil, garbage(op)
	}
	return &all[0], nil
}

// flaw returns what makes the order one that is not sent, "" when nothing does.
func (o *BookOrder) flaw() string {
	stay := StayQuery{From: o.From, To: o.To, Adults: o.Adults, ChildAges: o.ChildAges}
	switch {
	case !wire.IsVisible(o.Reference, maxReference):
		return "reference: want 1 to 80 visible ASCII characters"
	case !isText(o.RoomType, maxRoomID) || !isText(o.RatePlan, maxRoomID):
		return "room type or rate plan"
	case !isText(o.Surname, maxPerson) || o.GivenName != "" && !isText(o.GivenName, maxPerson) || o.Alternate != "" && !isText(o.Alternate, maxPerson):
		return "name of the guest: want at most 40 bytes for each part"
	case o.Price.Currency != "" && (o.Price.Minor < 0 || wire.Amount(o.Price) == ""):
		return "price"
	}
	return stay.flaw()
}

// ByReference returns the reservations that the hotel has under a reference of ours, cancelled ones too: none, one, or more
// where the same was asked for twice, the oldest first as far as the hotel orders them so. A read: this is how a booking of unknown
// outcome is settled.
func (c *Client) ByReference(ctx context.Context, reference string) ([]Reservation, error) {
	const op = "ByReference"
	if !wire.IsVisible(reference, maxReference) {
		return nil, c.badInput(op, "reference")
	}
	all, err := c.search(ctx, op, c.reservations().with("externalReferenceIds", reference).with("externalSystemCodes", c.sales.ExternalSystem).
		with("resvExternalReferencesToFetch", c.sales.ExternalSystem))
	if err != nil {
		return nil, err
	}
	// A hotel that does not know the parameter would answer with everything that it has.
	return slices.DeleteFunc(all, func(r Reservation) bool { return !slices.Contains(r.References, reference) }), nil
}

// CancelBooking cancels a reservation whose guest has not come. One that is cancelled is refused with RefusedCancelled, one of a guest
// in house with RefusedAlreadyIn, where the hotel's codes are known. After an unknown outcome ask Reservation for its State.
func (c *Client) CancelBooking(ctx context.Context, reservationID string) error {
	const op = "CancelBooking"
	if !isText(reservationID, maxID) {
		return c.badInput(op, "reservation id")
	}
	type reason struct {
		Code        string `json:"code,omitzero"`
		Description string `json:"description"`
	}
	type cancelled struct {
		HotelID        string   `json:"hotelId"`
		ReservationIDs []wireID `json:"reservationIdList"`
	}
	body := struct {
		Reason       reason      `json:"reason"`
		Reservations []cancelled `json:"reservations"`
		VerifyOnly   bool        `json:"verificationOnly"`
	}{reason{c.sales.CancelReason, "Cancelled by the guest"}, []cancelled{{c.hotel, reservationIDs(reservationID)}}, false}
	return c.effect(ctx, op, "POST", c.reservationPath("rsv", reservationID, "/cancellations"), body)
}

// The request for a reservation, in the schema's names.

type bookBody struct {
	Reservations struct {
		Reservation []bookedBody `json:"reservation"`
	} `json:"reservations"`
	Fetch []string `json:"fetchInstructions"`
}

type bookedBody struct {
	References []wireReference `json:"externalReferences"`
	Stay       bookedStay      `json:"roomStay"`
	Guests     []bookedGuest   `json:"reservationGuests"`
	Payments   []bookedPayment `json:"reservationPaymentMethods,omitzero"`
	HotelID    string          `json:"hotelId"`
	IsStay     bool            `json:"roomStayReservation"`
	Status     Status          `json:"reservationStatus"`
}

type wireReference struct {
	ID      string `json:"id"`
	Context string `json:"idContext"`
}

type bookedStay struct {
	Rates     []bookedRate     `json:"roomRates"`
	Counts    bookedCounts     `json:"guestCounts"`
	Arrival   string           `json:"arrivalDate"`
	Departure string           `json:"departureDate"`
	Guarantee *bookedGuarantee `json:"guarantee,omitzero"`
}

type bookedRate struct {
	Total    *bookedTotal `json:"total,omitzero"`
	Counts   bookedCounts `json:"guestCounts"`
	RoomType string       `json:"roomType"`
	Charged  string       `json:"roomTypeCharged"`
	RatePlan string       `json:"ratePlanCode"`
	Start    string       `json:"start"`
	End      string       `json:"end"`
	Market   string       `json:"marketCode,omitzero"`
	Source   string       `json:"sourceCode,omitzero"`
	Units    int          `json:"numberOfUnits"`
	Pseudo   bool         `json:"pseudoRoom"`
}

type bookedTotal struct {
	Before   jsontext.Value `json:"amountBeforeTax,omitzero"`
	After    jsontext.Value `json:"amountAfterTax,omitzero"`
	Currency string         `json:"currencyCode"`
}

type bookedCounts struct {
	Adults   int         `json:"adults"`
	Children int         `json:"children"`
	Ages     []bookedAge `json:"childAges,omitzero"`
}

type bookedAge struct {
	Years int `json:"age"`
}

type bookedGuarantee struct {
	Code   string `json:"guaranteeCode"`
	OnHold bool   `json:"onHold"`
}

type bookedPayment struct {
	Method string `json:"paymentMethod"`
	Folio  int    `json:"folioView"`
}

type bookedGuest struct {
	Info struct {
		Profile struct {
			Customer struct {
				Names []wireName `json:"personName"`
			} `json:"customer"`
		} `json:"profile"`
	} `json:"profileInfo"`
	Primary bool `json:"primary"`
}

func (c *Client) bookBody(o *BookOrder) *bookBody {
	counts := bookedCounts{Adults: o.Adults, Children: len(o.ChildAges)}
	for _, years := range o.ChildAges {
		counts.Ages = append(counts.Ages, bookedAge{years})
	}
	rate := bookedRate{Counts: counts, RoomType: o.RoomType, Charged: o.RoomType, RatePlan: o.RatePlan, Start: o.From, End: o.To,
		Market: c.sales.Market, Source: c.sales.Source, Units: 1}
	if o.Price.Currency != "" {
		rate.Total = &bookedTotal{Currency: o.Price.Currency}
		if amount := jsontext.Value(wire.Amount(o.Price)); o.TaxIn {
			rate.Total.After = amount
		} else {
			rate.Total.Before = amount
		}
	}
	one := bookedBody{References: []wireReference{{o.Reference, c.sales.ExternalSystem}}, HotelID: c.hotel, IsStay: true, Status: StatusReserved,
		Stay: bookedStay{Rates: []bookedRate{rate}, Counts: counts, Arrival: o.From, Departure: o.To}}
	if c.sales.Guarantee != "" {
		one.Stay.Guarantee = &bookedGuarantee{Code: c.sales.Guarantee}
	}
	if c.sales.Payment != "" {
		one.Payments = []bookedPayment{{c.sales.Payment, 1}}
	}
	guest := bookedGuest{Primary: true}
	names := []wireName{{GivenName: o.GivenName, Surname: o.Surname, Type: "Primary"}}
	if o.Alternate != "" {
		names = append(names, wireName{Surname: o.Alternate, Type: "Alternate"})
	}
	guest.Info.Profile.Customer.Names = names
	one.Guests = []bookedGuest{guest}
	body := &bookBody{Fetch: []string{"Reservation"}}
	body.Reservations.Reservation = []bookedBody{one}
	return body
}

// wireBooked is the answer: the reservation as it was made, where the hotel shows it.
type wireBooked struct {
	Reservations struct {
		Reservation []struct {
			IDs        []wireID        `json:"reservationIdList"`
			References []wireReference `json:"externalReferences"`
			HotelID    string          `json:"hotelId"`
			Status     Status          `json:"reservationStatus"`
			Stay       struct {
				Arrival   string `json:"arrivalDate"`
				Departure string `json:"departureDate"`
				Rates     []struct {
					RoomType string    `json:"roomType"`
					RatePlan string    `json:"ratePlanCode"`
					Total    wireTotal `json:"total"`
				} `json:"roomRates"`
				Counts struct {
					Adults   int `json:"adults"`
					Children int `json:"children"`
				} `json:"guestCounts"`
				Total wireTotal `json:"total"`
			} `json:"roomStay"`
		} `json:"reservation"`
	} `json:"reservations"`
}

// reservation returns what was made; nil where the answer doesn't say enough of it, or speaks of another one.
func (w *wireBooked) reservation(reference string) *Reservation {
	if len(w.Reservations.Reservation) != 1 {
		return nil
	}
	one := &w.Reservations.Reservation[0]
	r := &Reservation{ID: idOf(one.IDs, "Reservation"), Confirmation: idOf(one.IDs, "Confirmation"), HotelID: one.HotelID, Status: one.Status,
		Arrival: one.Stay.Arrival, Departure: one.Stay.Departure, Adults: one.Stay.Counts.Adults, Children: one.Stay.Counts.Children}
	for _, ref := range one.References {
		r.References = append(r.References, ref.ID)
	}
	if len(one.Stay.Rates) == 1 {
		rate := &one.Stay.Rates[0]
		r.RoomType, r.RatePlan = rate.RoomType, rate.RatePlan
		if rate.Total.whole() {
			r.Total, r.TaxIncluded = rate.Total.price()
		}
	}
	if r.Total.Currency == "" && one.Stay.Total.whole() {
		r.Total, r.TaxIncluded = one.Stay.Total.price()
	}
	if r.ID == "" || r.Confirmation == "" || r.Status.State() != Expected || !slices.Contains(r.References, reference) {
		return nil
	}
	return r
}

// flaw returns what makes the codes ones that no hotel has, "" when nothing does.
func (s *Sales) flaw() string {
	for _, code := range s.codes() {
		if code != "" && !isText(code, maxRoomID) {
			return fmt.Sprintf("sales: want codes of at most %d bytes, got %d", maxRoomID, len(code))
		}
	}
	return ""
}
