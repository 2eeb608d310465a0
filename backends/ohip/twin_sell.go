package ohip

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// sellBody is the request for a reservation as the schema has it, as far as the twin honours it; nil is absent.
type sellBody struct {
	linked `json:",inline"`

	Reservations *struct {
		Reservation []sellOne `json:"reservation"`
	} `json:"reservations"`
	Fetch   []string       `json:"fetchInstructions"`
	Channel jsontext.Value `json:"channelInformation"`
}

type sellOne struct {
	References []sellReference `json:"externalReferences"`
	Source     jsontext.Value  `json:"sourceOfSale"`
	Stay       *sellStay       `json:"roomStay"`
	Guests     []sellGuest     `json:"reservationGuests"`
	Payments   []sellPayment   `json:"reservationPaymentMethods"`
	HotelID    *string         `json:"hotelId"`
	IsStay     *bool           `json:"roomStayReservation"`
	Status     *Status         `json:"reservationStatus"`
}

type sellReference struct {
	ID        *string `json:"id"`
	Extension *int    `json:"idExtension"`
	Context   *string `json:"idContext"`
}

type sellStay struct {
	Rates     []sellRate     `json:"roomRates"`
	Counts    *sellCounts    `json:"guestCounts"`
	Arrival   *string        `json:"arrivalDate"`
	Departure *string        `json:"departureDate"`
	Guarantee *sellGuarantee `json:"guarantee"`
}

type sellRate struct {
	Total    *sellTotal  `json:"total"`
	Counts   *sellCounts `json:"guestCounts"`
	RoomType *string     `json:"roomType"`
	Charged  *string     `json:"roomTypeCharged"`
	RatePlan *string     `json:"ratePlanCode"`
	Start    *string     `json:"start"`
	End      *string     `json:"end"`
	Market   *string     `json:"marketCode"`
	Source   *string     `json:"sourceCode"`
	Units    *int        `json:"numberOfUnits"`
	Pseudo   *bool       `json:"pseudoRoom"`
}

type sellTotal struct {
	Before   jsontext.Value `json:"amountBeforeTax"`
	After    jsontext.Value `json:"amountAfterTax"`
	Currency *string        `json:"currencyCode"`
}

type sellCounts struct {
	Adults   *int `json:"adults"`
	Children *int `json:"children"`
	Ages     []struct {
		Age *int `json:"age"`
	} `json:"childAges"`
}

type sellGuarantee struct {
	Code   *string `json:"guaranteeCode"`
	OnHold *bool   `json:"onHold"`
}

type sellPayment struct {
	Method *string `json:"paymentMethod"`
	Folio  *int    `json:"folioView"`
}

type sellGuest struct {
	Info *struct {
		Profile *struct {
			Customer *struct {
				Names []sellName `json:"personName"`
			} `json:"customer"`
		} `json:"profile"`
	} `json:"profileInfo"`
	Primary *bool `json:"primary"`
}

type sellName struct {
	GivenName *string `json:"givenName"`
	Surname   *string `json:"surname"`
	Type      *string `json:"nameType"`
}

// sale is a request for a reservation that fits.
type sale struct {
	asked   asked
	kind    string
	plan    string
	offered *sellTotal // what the caller believes that it costs; nil: it does not say
	guest   WantGuest
	refs    []wireReference
	shown   bool // the caller wants to see what was made
}

// says returns what p points to, "" where it is absent.
func says(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// readSale takes the request apart, or says what does not fit in it.
func (t *Twin) readSale(r *twinRequest) (*sale, *twinProblem) {
	var q sellBody
	if p := r.strict(&q); p != nil {
		return nil, p
	}
	if q.Reservations == nil || len(q.Reservations.Reservation) != 1 {
		return nil, unfit("reservations/reservation", "one reservation is needed, and no more")
	}
	fetchable := oneOf("Reservation", "Indicators", "Comments")
	if slices.ContainsFunc(q.Fetch, func(f string) bool { return !fetchable(f) }) {
		return nil, unfit("fetchInstructions", "only what can be fetched may be asked for")
	}
	one := &q.Reservations.Reservation[0]
	switch {
	case one.HotelID == nil || *one.HotelID != t.cfg.HotelID:
		return nil, unfit("hotelId", "the body is about another hotel")
	case one.Status == nil || *one.Status != StatusReserved:
		return nil, unfit("reservationStatus", "what is made here is Reserved")
	case one.Stay == nil || len(one.Stay.Rates) != 1:
		return nil, unfit("roomStay/roomRates", "a roomStay with one rate for the whole of it is needed")
	}
	s := &sale{shown: slices.Contains(q.Fetch, "Reservation")}
	for _, read := range []func(*sale, *sellOne) *twinProblem{readRate, readNights, readGuest, readReferences} {
		if p := read(s, one); p != nil {
			return nil, p
		}
	}
	return s, nil
}

func readRate(s *sale, one *sellOne) *twinProblem {
	rate := &one.Stay.Rates[0]
	s.kind, s.plan, s.offered = says(rate.RoomType), says(rate.RatePlan), rate.Total
	for _, code := range []*string{rate.RoomType, rate.Charged, rate.RatePlan} {
		if !isText(says(code), maxRoomID) {
			return unfit("roomStay/roomRates", "roomType, roomTypeCharged and ratePlanCode are needed, each of at most %d characters", maxRoomID)
		}
	}
	for _, code := range []*string{rate.Market, rate.Source} {
		if code != nil && !isText(*code, maxRoomID) {
			return unfit("roomStay/roomRates", "a code has at most %d characters", maxRoomID)
		}
	}
	if s.offered != nil && (len(says(s.offered.Currency)) != 3 || len(s.offered.Before) == 0 && len(s.offered.After) == 0) {
		return unfit("roomStay/roomRates/total", "an amount and the currency of it are needed")
	}
	for _, amount := range []jsontext.Value{s.amount(true), s.amount(false)} {
		if len(amount) > 0 && amount.Kind() != '0' {
			return unfit("roomStay/roomRates/total", "an amount is a number")
		}
	}
	switch {
	case *rate.Charged != *rate.RoomType:
		return unfit("roomTypeCharged", "this twin charges for the type that is booked")
	case rate.Units == nil || *rate.Units != 1 || rate.Pseudo != nil && *rate.Pseudo:
		return unfit("numberOfUnits", "one room is needed, and a real one")
	}
	if g := one.Stay.Guarantee; g != nil && !isText(says(g.Code), maxRoomID) {
		return unfit("guarantee/guaranteeCode", "a guaranteeCode of at most %d characters is needed", maxRoomID)
	}
	for _, p := range one.Payments {
		if !isText(says(p.Method), maxRoomID) {
			return unfit("reservationPaymentMethods", "a paymentMethod of at most %d characters is needed", maxRoomID)
		}
	}
	return nil
}

// amount returns what the caller believes that the stay costs, with or without taxes.
func (s *sale) amount(taxed bool) jsontext.Value {
	switch {
	case s.offered == nil:
		return nil
	case taxed:
		return s.offered.After
	}
	return s.offered.Before
}

func readNights(s *sale, one *sellOne) *twinProblem {
	stay, rate := one.Stay, &one.Stay.Rates[0]
	s.asked = asked{from: says(stay.Arrival), to: says(stay.Departure)}
	switch {
	case !isDay(s.asked.from) || !isDay(s.asked.to) || s.asked.to <= s.asked.from || s.asked.to > addDays(s.asked.from, maxNights):
		return unfit("roomStay/departureDate", "arrivalDate must come with a later departureDate, at most 90 days on")
	case says(rate.Start) != s.asked.from || says(rate.End) != s.asked.to:
		return unfit("roomStay/roomRates/start", "the rate is not for the whole stay")
	case stay.Counts == nil || rate.Counts == nil || stay.Counts.Adults == nil || rate.Counts.Adults == nil:
		return unfit("roomStay/guestCounts", "guestCounts are needed for the stay and for its rate")
	}
	children := 0
	if stay.Counts.Children != nil {
		children = *stay.Counts.Children
	}
	s.asked.adults = *stay.Counts.Adults
	s.asked.people = s.asked.adults + children
	if s.asked.adults < 1 || children < 0 || s.asked.people > 1000 || *rate.Counts.Adults != s.asked.adults {
		return unfit("roomStay/guestCounts", "there is nobody to stay, or the rate is for others")
	}
	return nil
}

func readGuest(s *sale, one *sellOne) *twinProblem {
	if len(one.Guests) != 1 || one.Guests[0].Primary == nil || !*one.Guests[0].Primary {
		return unfit("reservationGuests", "one guest is needed, and the primary one")
	}
	info := one.Guests[0].Info
	if info == nil || info.Profile == nil || info.Profile.Customer == nil {
		return unfit("reservationGuests/profileInfo", "a profile with a customer is needed")
	}
	for _, name := range info.Profile.Customer.Names {
		for _, part := range []*string{name.Surname, name.GivenName} {
			if part != nil && *part != "" && !isText(*part, maxPerson) {
				return unfit("personName", "each part of a name has at most %d characters", maxPerson)
			}
		}
		switch says(name.Type) {
		case "Primary":
			s.guest.Surname, s.guest.GivenName = says(name.Surname), says(name.GivenName)
		case "Alternate":
			s.guest.Alternate = says(name.Surname) + says(name.GivenName)
		default:
			return unfit("personName/nameType", "a name is Primary or Alternate here")
		}
	}
	if s.guest.Surname == "" {
		return unfit("personName/surname", "the guest's surname is needed")
	}
	return nil
}

func readReferences(s *sale, one *sellOne) *twinProblem {
	for _, ref := range one.References {
		if !isText(says(ref.ID), maxReference) || !isText(says(ref.Context), maxReference) {
			return unfit("externalReferences", "a reference needs an id and an idContext of at most %d characters", maxReference)
		}
		s.refs = append(s.refs, wireReference{*ref.ID, *ref.Context})
	}
	return nil
}
