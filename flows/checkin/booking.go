package checkin

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/gateway"
)

// Booking is one room for one stay, as the hotel's system has it now.
type Booking struct {
	ID           string   `json:"id"` // the hotel system's own: what every effect names
	Confirmation string   `json:"confirmation,omitempty"`
	Hotel        bool     `json:"hotel"` // it is this hotel's
	State        State    `json:"state"`
	Arrival      string   `json:"arrival"` // the day, at the hotel
	Leaves       string   `json:"leaves"`
	People       int      `json:"people"` // 0: not said
	RoomType     string   `json:"room_type,omitempty"`
	Room         string   `json:"room,omitempty"` // the one that it holds already
	Free         []string `json:"free,omitempty"` // the rooms that it may have for all its nights; none: not said
	Guests       []Booked `json:"guests,omitempty"`
}

// Booked is a person whom a booking names.
type Booked struct {
	Name     string `json:"name"`             // in full, as the hotel shows it
	Other    string `json:"other,omitempty"`  // the same in another script
	Number   string `json:"number,omitempty"` // of a document, where the hotel has it
	Birthday string `json:"birth_date,omitempty"`
}

// State is what a booking's status means at a front desk.
type State string

// The states.
const (
	stateDue       State = "due"
	stateInHouse   State = "in-house"
	stateLeft      State = "left"
	stateCancelled State = "cancelled"
	stateNoShow    State = "no-show"
	stateOther     State = "other"
)

// Room is a room of the hotel, as its system has it.
type Room struct {
	ID     string   `json:"id"`     // what effects name
	Number string   `json:"number"` // on its door
	Type   string   `json:"type"`
	Floor  string   `json:"floor,omitempty"`
	Ready  bool     `json:"ready"` // clean enough for a guest, by the hotel's own rule
	Free   bool     `json:"free"`  // nobody is in it or is expected
	For    []string `json:"for,omitempty"`
	Doors  []string `json:"doors,omitempty"` // ids of rooms with a door to it
}

// Rooms are all rooms that a hotel's system calls ready. An assist holds how many they were: the list is long, and staff have
// a better one.
type Rooms []Room

// MarshalJSON says how many there are.
func (r Rooms) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Ready int `json:"ready"`
	}{len(r)})
}

// fits reports whether the room can be given to the booking now.
func (r *Room) fits(b Booking) bool {
	return r.Ready && (r.Free || slices.Contains(r.For, b.ID)) && (b.RoomType == "" || r.Type == b.RoomType) &&
		(len(b.Free) == 0 || slices.Contains(b.Free, r.ID))
}

// offered lists the rooms that can be given to a booking, the best one first: the one that it holds already; then what was
// wished for; then by number. The error is a handover.
func offered(a Arrival, b Booking, rooms []Room) ([]Room, error) {
	settings := settingsOf(a.venue)
	if b.Room != "" {
		i := slices.IndexFunc(rooms, func(r Room) bool { return r.ID == b.Room })
		switch {
		case i >= 0 && rooms[i].Ready && (rooms[i].Free || slices.Contains(rooms[i].For, b.ID)):
			return rooms[i : i+1], nil
		case settings.Preassigned == keepRoom:
			return nil, handRoomNotReady
		}
	}
	var all []Room
	for i := range rooms {
		if rooms[i].fits(b) && rooms[i].ID != b.Room {
			all = append(all, rooms[i])
		}
	}
	if len(all) == 0 {
		return nil, handRoomNotReady
	}
	near := Room{Number: a.Wishes.Near} // it may be none of those that are ready
	if i := slices.IndexFunc(rooms, func(r Room) bool { return r.Number == near.Number }); i >= 0 {
		near = rooms[i]
	}
	slices.SortStableFunc(all, func(x, y Room) int {
		if near.Number != "" {
			if c := apart(x, near) - apart(y, near); c != 0 {
				return c
			}
		}
		if c := wrongFloor(a, x) - wrongFloor(a, y); c != 0 {
			return c
		}
		return strings.Compare(x.Number, y.Number)
	})
	return all, nil
}

func wrongFloor(a Arrival, r Room) int {
	if a.Wishes.Floor == "" || a.Wishes.Floor == r.Floor {
		return 0
	}
	return 1
}

// The distances between rooms. One with a door between them is nearest; on another floor, far.
const (
	nextDoor  = 0
	farApart  = 1_000_000
	noNumbers = farApart - 1
)

func apart(r, from Room) int {
	if slices.Contains(from.Doors, r.ID) || slices.Contains(r.Doors, from.ID) {
		return nextDoor
	}
	if r.Floor != from.Floor && from.Floor != "" {
		return farApart
	}
	x, okX := numberOf(r.Number)
	y, okY := numberOf(from.Number)
	switch {
	case !okX || !okY:
		return noNumbers
	case x > y:
		return min(x-y, noNumbers)
	}
	return min(y-x, noNumbers)
}

// numberOf reads the digits of a room's number.
func numberOf(s string) (n int, ok bool) {
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' && n < 10_000_000 {
			n, ok = n*10+int(c-'0'), true
		}
	}
	return n, ok
}

// pick finds the one booking that the party may be checked in under. Errors are problems and handovers.
func pick(a Arrival, found []Booking) (Booking, error) {
	var none Booking
	if len(found) == 0 {
		return none, nothingFound(a)
	}
	var own, unsure []Booking
	for _, b := range found {
		switch sameParty(a, b) {
		case person.Same:
			own = append(own, b)
		case person.Perhaps:
			unsure = append(unsure, b)
		case person.Different:
		}
	}
	if len(own) == 0 {
		if len(unsure) > 0 && a.Confirmation != "" {
			return none, handName
		}
		return none, nothingFound(a)
	}
	var first error
	var good []Booking
	for _, b := range own {
		if err := fitsToday(a, b); err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		good = append(good, b)
	}
	if len(good) > 1 { // one that is in house already is another room of theirs
		due := slices.DeleteFunc(slices.Clone(good), func(b Booking) bool { return b.State != stateDue })
		if len(due) > 0 {
			good = due
		}
	}
	switch {
	case len(good) == 0:
		return none, first
	case len(good) > 1:
		return none, ProblemBookingAmbiguous.Error(gateway.Text{}).WithField("booking")
	}
	return good[0], nil
}

// nothingFound: a number may have been mistyped; without one there is nothing to type again.
func nothingFound(a Arrival) error {
	if a.Confirmation != "" {
		return ProblemBookingUnknown.Error(gateway.Text{}).WithField("booking.confirmation")
	}
	return handNoBooking
}

// fitsToday decides whether the booking is for this hotel and this day.
func fitsToday(a Arrival, b Booking) error {
	today := a.At.Format(time.DateOnly) // after midnight it may be the day after a.Day
	switch {
	case !b.Hotel:
		return ProblemWrongHotel.Error(gateway.Text{}).WithField("booking")
	case b.State == stateCancelled:
		return ProblemBookingCancelled.Error(gateway.Text{}).WithField("booking")
	case b.State == stateLeft:
		return ProblemStayOver.Error(gateway.Text{}).WithField("booking")
	case b.State == stateInHouse:
		return nil // the ledger knows whether by us
	case b.Arrival > today:
		return ProblemWrongDay.Error(gateway.Text{
			Zh: "入住日期为 " + b.Arrival, En: "It begins on " + b.Arrival + "."}).WithField("booking").With("arrival", b.Arrival)
	case b.Leaves <= a.Day:
		return ProblemBookingPast.Error(gateway.Text{
			Zh: "离店日期为 " + b.Leaves, En: "It ended on " + b.Leaves + "."}).WithField("booking").With("departure", b.Leaves)
	case b.State == stateNoShow || b.Arrival < a.Day:
		return handNoShow
	case b.State != stateDue:
		return handBookingUnclear
	}
	return nil
}
