package rooms

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// scopeBook is what a token has to hold.
const scopeBook = "rooms:book"

// routes are the calls that book and call off.
func (o *booking) routes(rt *flow.Runtime) []edge.Route {
	at := func(method, plan, path string) edge.Route {
		return edge.Route{Method: method, Name: plan, Path: "/v1/hotels/{hotel}/bookings" + path, Scope: scopeBook, Venue: "hotel", VenueKind: Kind,
			VenueSection: Section, Journey: plan, Priority: limit.Normal}
	}
	book, off := at(http.MethodPost, planBooking, ""), at(http.MethodDelete, planCallOff, "/{confirmation}")
	book.Idempotent, book.Looks, book.Budget, book.Shortest = true, true, o.bookings.Budget, o.bookings.Shortest
	book.Serve = flow.Serve(rt, o.bookings, func(x *edge.Exchange) (Wish, error) { return o.readWish(x, rt) }, sayBooked)
	off.Budget, off.Shortest = o.callOffs.Budget, o.callOffs.Shortest
	off.Serve = flow.Serve(rt, o.callOffs, func(x *edge.Exchange) (CallOff, error) { return readCallOff(x, rt) }, sayCalledOff)
	return []edge.Route{book, off}
}

// wishBody is the body of POST …/bookings.
type wishBody struct {
	CheckIn string         `json:"check_in"`
	Nights  int            `json:"nights"`
	Guests  int            `json:"guests"`
	Kind    string         `json:"kind"`
	Plan    string         `json:"plan"`
	Price   *gateway.Money `json:"price"`
	Guest   struct {
		Name      string `json:"name"`
		LatinName string `json:"latin_name"`
	} `json:"guest"`
	Room int `json:"room"`
}

// The bounds of what is booked.
const (
	maxRooms        = 9 // alike, for the same guest
	maxCode         = 20
	maxName         = 40 // bytes of each part of a name: what hotels' systems take
	maxConfirmation = 64
)

func (o *booking) readWish(x *edge.Exchange, rt *flow.Runtime) (Wish, error) {
	var body wishBody
	if err := x.Decode(&body); err != nil {
		return Wish{}, err
	}
	v := x.Venue()
	at := x.Arrived().In(v.Location)
	w := Wish{Journey: x.JourneyID(), Hotel: v.ID, At: at, Kind: body.Kind, Plan: body.Plan, venue: v,
		Owner: ledger.Subject(rt.Ledger.Keys(), x.Principal()), Guest: Guest{Name: body.Guest.Name, Latin: body.Guest.LatinName}}
	var err error
	if w.Stay, err = readStay(body.CheckIn, body.Nights, body.Guests, at); err != nil {
		return w, err
	}
	if err := readOffer(&body, &w); err != nil {
		return w, err
	}
	room := max(body.Room, 1)
	if body.Room < 0 || body.Room > maxRooms {
		return w, outOfRange("room", 1, maxRooms)
	}
	if b := rt.Bindings(v.ID); b != nil && !o.book.Bound(b) {
		return w, ProblemNotBookable.Error(gateway.Text{
			Zh: "请在酒店或致电酒店预订；附近可预订的客房见 alternatives。查询结果中 bookable 为 false 的酒店不能在此预订。",
			En: "Book at the hotel itself, or take one of the alternatives. The search says of each hotel whether it is bookable."}).
			With("alternatives", append([]Alternative{}, o.near(v, w.Stay, maxAlternatives, x.Arrived())...))
	}
	w.FreeUntil = settingsOf(v).Cancel.until(w.Stay.Arrival, v.Location)
	alike := rt.Ledger.Keys().Hash("booking-alike", []byte(v.ID), w.Owner, []byte(w.Stay.Arrival.String()), []byte(strconv.Itoa(int(w.Stay.Nights))),
		[]byte(w.Kind), []byte(w.Plan), []byte(w.Guest.Name), []byte(strconv.Itoa(room)))
	w.Alike, w.Reference = alike[:], reference(w.Journey)
	return w, flow.View(rt, x, func(q ledger.Querier) error { return bookedBefore(q, &w) })
}

// reference is what the hotel's system knows the booking of a journey by: opaque, and the same however often it is sent.
func reference(journey string) string {
	sum := sha256.Sum256([]byte("booking\x00" + journey))
	return "WG-" + strings.ToUpper(hex.EncodeToString(sum[:10]))
}

func readStay(checkIn string, nights, guests int, at time.Time) (s offer.Stay, err error) {
	today := offer.DateOf(at)
	last := today + maxAhead
	if checkIn == "" {
		return s, edge.FieldMissing("check_in")
	}
	s.Arrival, err = offer.ParseDate(checkIn)
	switch {
	case err != nil || s.Arrival < today || s.Arrival > last:
		return s, edge.FieldInvalid("check_in", fmt.Sprintf("须为 %s 至 %s 的日期（YYYY-MM-DD）", today, last), fmt.Sprintf("It must be a day (YYYY-MM-DD) of %s to %s.", today, last))
	case nights < 1 || nights > maxNights:
		return s, outOfRange("nights", 1, maxNights)
	case guests < 1 || guests > maxGuests:
		return s, outOfRange("guests", 1, maxGuests)
	}
	s.Nights, s.Guests = uint16(nights), uint8(guests) // bounded above
	return s, nil
}

func readOffer(body *wishBody, w *Wish) error {
	for _, t := range []struct {
		path, text string
		most       int
		may        bool
	}{{"kind", body.Kind, maxCode, false}, {"plan", body.Plan, maxCode, false}, {"guest.name", body.Guest.Name, maxName, false},
		{"guest.latin_name", body.Guest.LatinName, 2 * maxName, true}} {
		if t.text == "" && t.may {
			continue
		}
		if err := edge.CheckText(t.path, t.text, t.most); err != nil {
			return err
		}
	}
	for part := range strings.FieldsSeq(body.Guest.LatinName) {
		if len(part) > maxName {
			return edge.FieldInvalid("guest.latin_name", fmt.Sprintf("每个词最多 %d 个字节", maxName), fmt.Sprintf("Each word may have at most %d bytes.", maxName))
		}
	}
	switch p := body.Price; {
	case p == nil:
		return edge.FieldMissing("price")
	case p.Minor < 0 || p.Minor > 1e12:
		return edge.FieldInvalid("price.minor", "须为 0 至 1000000000000 的整数，以最小货币单位计", "It must be 0 to 1000000000000, in the minor unit.")
	case len(p.Currency) != 3 || strings.Trim(p.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return edge.FieldInvalid("price.currency", "须为 ISO 4217 代码", "It must be an ISO 4217 code, three capitals.")
	default:
		w.Price = *p
	}
	return nil
}

func readCallOff(x *edge.Exchange, rt *flow.Runtime) (CallOff, error) {
	v := x.Venue()
	c := CallOff{Journey: x.JourneyID(), Hotel: v.ID, Owner: ledger.Subject(rt.Ledger.Keys(), x.Principal()), Confirmation: x.Param("confirmation"),
		At: x.Arrived().In(v.Location)}
	if len(c.Confirmation) > maxConfirmation {
		return c, ProblemBookedUnknown.Error(gateway.Text{})
	}
	// What is unknown, another's or over leaves nothing behind.
	return c, flow.View(rt, x, func(q ledger.Querier) error {
		k, found, err := scanBooking(q.QueryRow(`SELECT `+bookingColumns+` FROM room_bookings WHERE venue = $1 AND confirmation = $2`, c.Hotel, c.Confirmation))
		if err == nil && (c.Confirmation == "" || !found || string(k.owner) != string(c.Owner)) {
			err = ProblemBookedUnknown.Error(gateway.Text{})
		}
		return err
	})
}

// bookedBody is the answer to a booking: the room is the guest's.
type bookedBody struct {
	Journey      string           `json:"journey"`
	Decision     string           `json:"decision"` // always "booked"
	Message      string           `json:"message"`
	Hotel        string           `json:"hotel"`
	Confirmation string           `json:"confirmation"`
	Reference    string           `json:"reference"`
	CheckIn      string           `json:"check_in"`
	CheckOut     string           `json:"check_out"`
	Nights       int              `json:"nights"`
	Guests       int              `json:"guests"`
	Kind         string           `json:"kind"`
	Name         string           `json:"name,omitempty"`
	Plan         string           `json:"plan"`
	Breakfast    bool             `json:"breakfast,omitzero"`
	Price        gateway.Money    `json:"price"`
	TaxIncluded  bool             `json:"tax_included,omitzero"`
	Cancel       cancelBody       `json:"cancel"`
	Sources      []gateway.Source `json:"sources"`
}

type cancelBody struct {
	FreeUntil time.Time `json:"free_until"`
	Rule      string    `json:"rule"`
}

var bookedText = gateway.Text{Zh: "预订成功，入住时请出示确认号", En: "Booked: please show the confirmation number at check-in"}

func sayBooked(o journey.Outcome[Booked], lang string) flow.Said {
	b := o.Value
	return flow.Said{Status: http.StatusCreated, Body: bookedBody{Journey: o.ID, Decision: "booked", Message: bookedText.In(lang), Hotel: b.Hotel,
		Confirmation: b.Confirmation, Reference: b.Wish.Reference, CheckIn: b.Stay.Arrival.String(), CheckOut: b.Stay.Departure().String(),
		Nights: int(b.Stay.Nights), Guests: int(b.Stay.Guests), Kind: b.Kind, Name: b.Offer.Name, Plan: b.Plan, Breakfast: b.Offer.Breakfast,
		Price: b.Total, TaxIncluded: b.Offer.TaxIncluded, Cancel: cancelBody{b.FreeUntil, freeUntilWords(b.FreeUntil).In(lang)}, Sources: o.Sources}}
}

// calledOffBody is the answer to a cancellation.
type calledOffBody struct {
	Journey      string    `json:"journey"`
	Decision     string    `json:"decision"` // always "cancelled"
	Message      string    `json:"message"`
	Confirmation string    `json:"confirmation"`
	Again        bool      `json:"again,omitzero"`
	CancelledAt  time.Time `json:"cancelled_at"`
	Pending      []string  `json:"pending,omitempty"`
}

var calledOffText = gateway.Text{Zh: "预订已取消", En: "The booking is cancelled"}

func sayCalledOff(o journey.Outcome[CalledOff], lang string) flow.Said {
	c := o.Value
	return flow.Said{Status: http.StatusOK, Body: calledOffBody{Journey: o.ID, Decision: "cancelled", Message: calledOffText.In(lang),
		Confirmation: c.Confirmation, Again: c.Again, CancelledAt: c.At.Truncate(time.Millisecond), Pending: o.Pending}}
}

func outOfRange(path string, least, most int) error {
	return edge.FieldInvalid(path, fmt.Sprintf("须为 %d 到 %d", least, most), fmt.Sprintf("It must be %d to %d.", least, most))
}
