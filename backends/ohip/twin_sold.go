package ohip

import (
	"errors"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
)

// postReservation makes a reservation where there is a room for it. It does not look whether it has the reference already:
// who asks twice has two.
func (t *Twin) postReservation(r *twinRequest) (int, any, *twinProblem) {
	s, p := t.readSale(r)
	if p != nil {
		return 0, nil, p
	}
	reference := ""
	if len(s.refs) > 0 {
		reference = s.refs[0].ID
	}
	a := t.ask("book", reference, "")
	free := t.free(nightsOf(s.asked.from, s.asked.to))
	rates := t.house().rates(&s.asked, t.today(), func(kind string) int { return free[kind] })
	at := slices.IndexFunc(rates, func(o rate) bool { return o.kind.Code == s.kind && o.plan.code == s.plan })
	if at < 0 {
		return 0, nil, refuse(http.StatusBadRequest, standInGone, "there is no such room for these nights under this plan")
	}
	total := rates[at].plan.total(rates[at].kind, s.asked.from, s.asked.to, s.asked.adults, s.asked.people)
	if s.costsOther(total) {
		return 0, nil, refuse(http.StatusBadRequest, standInPrice, "the stay costs %s CNY", whole(total))
	}
	stay := t.written(s, total)
	t.serial++
	t.add(stay)
	t.did(r, a, "book", stay)
	out := shownMade{Links: []shownLink{{"/rsv/v1/hotels/" + t.cfg.HotelID + "/reservations/" + stay.ID, "self"}}}
	if s.shown {
		out.Reservations = &shownMadeAll{[]shownMadeOne{t.shownMade(stay)}}
	}
	return http.StatusCreated, out, nil
}

// costsOther reports whether the caller believes in another price than the stay has.
func (s *sale) costsOther(total int64) bool {
	for _, amount := range []jsontext.Value{s.amount(true), s.amount(false)} {
		if len(amount) == 0 {
			continue
		}
		if said, ok := wire.Money(string(amount), says(s.offered.Currency)); !ok || said.Currency != "CNY" || said.Minor != total {
			return true
		}
	}
	return false
}

// written returns the reservation of a sale.
func (t *Twin) written(s *sale, total int64) *twinStay {
	stay := &twinStay{Status: StatusReserved, Arrival: s.asked.from, Departure: s.asked.to, RoomType: s.kind, RatePlan: s.plan,
		Guests: []WantGuest{s.guest}, Adults: s.asked.adults, Children: s.asked.people - s.asked.adults, Total: total, References: s.refs, Created: t.now()}
	t.numbered(stay)
	return stay
}

func (t *Twin) postCancellation(r *twinRequest) (int, any, *twinProblem) {
	var q struct {
		linked `json:",inline"`

		Reason *struct {
			Code        *string `json:"code"`
			Description *string `json:"description"`
		} `json:"reason"`
		Reservations []struct {
			HotelID        *string        `json:"hotelId"`
			ReservationIDs []wireIDStrict `json:"reservationIdList"`
		} `json:"reservations"`
		VerifyOnly *bool          `json:"verificationOnly"`
		Channel    jsontext.Value `json:"channelInformation"`
	}
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	switch {
	case q.Reason == nil || says(q.Reason.Code) == "" && says(q.Reason.Description) == "":
		return 0, nil, unfit("reason", "a reason is needed")
	case len(says(q.Reason.Code)) > maxRoomID || len(says(q.Reason.Description)) > 2000:
		return 0, nil, unfit("reason", "the reason is too long")
	case len(q.Reservations) != 1:
		return 0, nil, refuse(http.StatusBadRequest, codeMissing, "the reservation is missing in the body")
	}
	if p := t.about(r, q.Reservations[0].HotelID, q.Reservations[0].ReservationIDs); p != nil {
		return 0, nil, p
	}
	a := t.ask("cancel", r.id, "")
	s, p := t.find(r.id)
	if p == nil {
		p = s.refuses(t.today())
	}
	if p != nil {
		return 0, nil, p
	}
	if q.VerifyOnly == nil || !*q.VerifyOnly {
		s.Status = StatusCancelled
		t.move(s, "")
		t.did(r, a, "cancel", s)
	}
	return http.StatusCreated, done{}, nil
}

// Reprice has a type of room sold at another price: fen for a night as in TwinType.
func (t *Twin) Reprice(kind string, price int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !slices.ContainsFunc(t.rooms, func(r *twinRoom) bool { return r.Type == kind }):
		return errors.New("room_type: this hotel has no such type")
	case price < 1 || price > 1e9:
		return errors.New("price: want 1 to 1,000,000,000 fen a night")
	}
	t.prices[kind] = price
	t.changes++
	return nil
}

// The answer, in the schema's names.

type shownMade struct {
	Reservations *shownMadeAll `json:"reservations,omitzero"`
	Links        []shownLink   `json:"links"`
}

type shownLink struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

type shownMadeAll struct {
	Reservation []shownMadeOne `json:"reservation"`
}

type shownMadeOne struct {
	IDs        []wireID        `json:"reservationIdList"`
	References []wireReference `json:"externalReferences,omitzero"`
	Stay       shownMadeStay   `json:"roomStay"`
	Guests     []shownGuest    `json:"reservationGuests"`
	HotelID    string          `json:"hotelId"`
	IsStay     bool            `json:"roomStayReservation"`
	Status     Status          `json:"reservationStatus"`
	Computed   Status          `json:"computedReservationStatus"`
	CreatedAt  string          `json:"createDateTime"`
}

type shownMadeStay struct {
	Rates     []shownMadeRate `json:"roomRates"`
	Counts    shownCounts     `json:"guestCounts"`
	Arrival   string          `json:"arrivalDate"`
	Departure string          `json:"departureDate"`
	Total     shownTotal      `json:"total"`
}

type shownMadeRate struct {
	Total    shownTotal  `json:"total"`
	Counts   shownCounts `json:"guestCounts"`
	RoomType string      `json:"roomType"`
	RatePlan string      `json:"ratePlanCode"`
	Start    string      `json:"start"`
	End      string      `json:"end"`
	Units    int         `json:"numberOfUnits"`
}

func (t *Twin) shownMade(s *twinStay) shownMadeOne {
	counts, total := shownCounts{s.adults(), s.children()}, shownTotal{whole(s.Total), "CNY"}
	return shownMadeOne{IDs: t.reservationIDs(s), References: s.References, HotelID: t.cfg.HotelID, IsStay: true, Status: s.Status,
		Computed: s.computed(t.today()), CreatedAt: stamp(s.Created), Guests: t.shownStay(s).Guests,
		Stay: shownMadeStay{Counts: counts, Arrival: s.Arrival, Departure: s.Departure, Total: total,
			Rates: []shownMadeRate{{Total: total, Counts: counts, RoomType: s.RoomType, RatePlan: s.RatePlan, Start: s.Arrival, End: s.Departure, Units: 1}}}}
}
