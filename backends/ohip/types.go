package ohip

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Status is OPERA's word for the state of a reservation.
type Status string

// The statuses that the interface has. Another one is passed on as it came, and its State is Other.
const (
	StatusReserved        Status = "Reserved"
	StatusRequested       Status = "Requested"
	StatusNoShow          Status = "NoShow"
	StatusCancelled       Status = "Cancelled"
	StatusInHouse         Status = "InHouse"
	StatusCheckedOut      Status = "CheckedOut"
	StatusWaitlisted      Status = "Waitlisted"
	StatusDueIn           Status = "DueIn"
	StatusDueOut          Status = "DueOut"
	StatusWalkin          Status = "Walkin"
	StatusPendingCheckout Status = "PendingCheckout"
)

// State is what a status means at the front desk.
type State string

// The states.
const (
	Expected  State = "expected" // reserved, for today or for another day
	InHouse   State = "in-house" // checked in, also on the day of departure
	Left      State = "left"     // checked out
	Cancelled State = "cancelled"
	NoShow    State = "no-show" // did not come on the day of arrival
	Other     State = "other"   // not to be checked in as it is: on a waiting list, requested, unknown
)

// State returns what the status means.
func (s Status) State() State {
	switch s {
	case StatusReserved, StatusDueIn:
		return Expected
	case StatusInHouse, StatusDueOut, StatusWalkin, StatusPendingCheckout:
		return InHouse
	case StatusCheckedOut:
		return Left
	case StatusCancelled:
		return Cancelled
	case StatusNoShow:
		return NoShow
	default:
		return Other
	}
}

// Reservation is what a front desk needs of a reservation.
type Reservation struct {
	ID           string // OPERA's own identifier: what every effect names
	Confirmation string // the confirmation number; "" when not said
	HotelID      string
	Status       Status // as it was set
	Computed     Status // as it is today (DueIn, DueOut, …); "" when not said
	Arrival      string // the day, "2006-01-02" at the hotel
	Departure    string // the day, "2006-01-02" at the hotel
	Adults       int
	Children     int
	RoomType     string  // "" when not said
	RoomID       string  // the room that it holds; "": none
	KeyCount     int     // keys made for it, as the list of reservations says; not which of them still open
	Guests       []Guest // the primary guest first, then who comes along, as far as the hotel knows

	RatePlan    string        // "" when not said
	References  []string      // of the external systems that were asked for: see ByReference
	Total       gateway.Money // of the whole stay; no currency: not said
	TaxIncluded bool          // Total has the taxes in it; false: not said
}

// State returns what the reservation's status of today means.
func (r *Reservation) State() State {
	if r.Computed != "" {
		return r.Computed.State()
	}
	return r.Status.State()
}

// Guest is a person of a reservation. Documents are known from VerifyCheckIn alone.
type Guest struct {
	ProfileID   string
	Surname     string
	GivenName   string
	FullName    string // as the hotel shows it; "" when not said
	Alternate   string // the full name in another script: 王小明; "" when not said
	BirthDate   string // "2006-01-02"; "" when not said
	Nationality string // the hotel's code of it; "" when not said
	Primary     bool
	Documents   []Document
}

// Document is an identity document in a guest's profile.
type Document struct {
	Type    string // the hotel's code for the kind: "PASSPORT"
	Number  string // "" where the hotel shows it masked only
	Country string // where it was issued, the hotel's code; "" when not said
	Expires string // "2006-01-02"; "" when not said
}

// Verified is the answer of VerifyCheckIn.
type Verified struct {
	Reservation

	Warnings []string // codes of what stands in the way, as the hotel says them; never their texts
}

// Housekeeping is the state of a room's cleaning.
type Housekeeping string

// The housekeeping states that the interface has.
const (
	Clean        Housekeeping = "Clean"
	Dirty        Housekeeping = "Dirty"
	Pickup       Housekeeping = "Pickup"
	Inspected    Housekeeping = "Inspected"
	OutOfOrder   Housekeeping = "OutOfOrder"
	OutOfService Housekeeping = "OutOfService"
)

// FrontOffice is whether somebody lives in a room, as the front office knows it.
type FrontOffice string

// The front office states that the interface has.
const (
	Vacant   FrontOffice = "Vacant"
	Occupied FrontOffice = "Occupied"
)

// Room is a room with both of its statuses.
type Room struct {
	ID           string
	Type         string
	Floor        string   // "" when not said
	Features     []string // codes
	Connecting   []string // ids of the rooms next door that have a door to it
	Housekeeping Housekeeping
	FrontOffice  FrontOffice
	Today        []string // what today's reservations make of it: "Arrival", "StayOver", "NotReserved", …
	Stays        []Stay   // today's reservations of it, where the hotel names them
	Held         bool     // somebody at the hotel holds it back by hand
}

// clone returns a copy that has nothing in common with r.
func (r *Room) clone() *Room {
	c := *r
	c.Features, c.Connecting, c.Today, c.Stays = slices.Clone(r.Features), slices.Clone(r.Connecting), slices.Clone(r.Today), slices.Clone(r.Stays)
	return &c
}

// Stay is a reservation that a room has today.
type Stay struct {
	ReservationID string
	Status        string // "Arrival", "Arrived", "StayOver", "DueOut", …
}

// Free reports whether nobody lives in the room or is expected in it today. It says nothing of its cleaning.
func (r *Room) Free() bool {
	return r.FrontOffice == Vacant && !r.Held && len(r.Stays) == 0 && !slices.ContainsFunc(r.Today, func(s string) bool {
		return s != "NotReserved" && s != "Departed"
	})
}

// RoomQuery says which rooms to read. The zero query is all of them.
type RoomQuery struct {
	Types        []string       // of these types; none: any
	Floor        string         // "": any
	Housekeeping []Housekeeping // in one of these states; none: any
	FrontOffice  FrontOffice    // "": any
	From, To     string         // free for these nights, "2006-01-02", the day of departure last; both or neither
}

// NameQuery finds reservations by name and arrival.
type NameQuery struct {
	Surname   string // needed, 1 to 80 bytes
	GivenName string // "": any
	From, To  string // days of arrival, "2006-01-02", both included and needed
}

// Key is an entry in the hotel's list of keys that open a room.
type Key struct {
	RoomID string
	Count  int       // cards with it; 0 when not said
	From   time.Time // zero when not said, or not readable
	To     time.Time // zero when not said, or not readable
	Track  string    // what the lock system wrote on the card; a secret: never log it
}

// KeyOrder asks for keys.
type KeyOrder struct {
	ReservationID string
	RoomID        string
	Count         int       // cards, 1 to 8
	From, To      time.Time // while they open the door; To after From
	Encoder       string    // the encoder to write them at, at most 80 bytes; "": the hotel's own choice
}

// IssuedKey is what the lock system says of the keys that it made.
type IssuedKey struct {
	Data  string // for an encoder of our own; "" when there is none. A secret: never log it
	Pin   string // that opens the door without a card; "" when there is none. A secret: never log it
	Track string // see Key.Track
}
