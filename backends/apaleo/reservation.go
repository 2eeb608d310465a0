package apaleo

import (
	"slices"
	"strings"
	"time"
)

// Status is the state of a reservation.
type Status string

// The states. Another one is passed on as it came.
const (
	StatusConfirmed  Status = "Confirmed"
	StatusInHouse    Status = "InHouse"
	StatusCheckedOut Status = "CheckedOut"
	StatusCanceled   Status = "Canceled"
	StatusNoShow     Status = "NoShow"
)

// Reservation is what check-in needs of a reservation: one unit for one stay. Times have the hotel's offset and are zero
// where they are not said. Addresses, telephone numbers and payment data are not taken over.
type Reservation struct {
	ID           string // "XPGMSXGF-1"
	BookingID    string // "XPGMSXGF": what several reservations were booked under
	ExternalCode string // the number of the channel that it came from; "": none
	Property     string // the hotel's id
	Status       Status
	Unit         string // the assigned unit's id; "": none
	UnitName     string // the room's number as people say it
	UnitGroup    string // the kind of room that was booked, an id
	Arrival      time.Time
	Departure    time.Time
	CheckedIn    time.Time // when it was; zero: not in house yet
	CheckedOut   time.Time
	Adults       int
	ChildrenAges []int
	Guests       []Guest // the primary guest first
	Denied       []Denied
	allowed      []string // the actions that were said to be allowed
}

// Guest is somebody who stays. Only LastName is always there, and only for credentials that may see personal data.
type Guest struct {
	FirstName      string
	LastName       string
	BirthDate      string // "2006-01-02"
	Nationality    string // ISO 3166-1 alpha-2
	DocumentType   string // IdNumber, PassportNumber, SocialInsuranceNumber, DriverLicenseNumber
	DocumentNumber string
}

// Denied is an action that the reservation does not allow now, with Apaleo's codes for why.
type Denied struct {
	Action string
	Codes  []string
}

// The actions of Apaleo that are asked about.
const (
	ActionCheckIn  = "CheckIn"
	actionCheckOut = "CheckOut"
	actionAssign   = "AssignUnit"
	actionUnassign = "UnassignUnit"
)

// Why returns Apaleo's code for why an action is not allowed now; "" when nothing speaks against it, and for reservations
// of a list, which are not asked about it.
func (r *Reservation) Why(action string) string {
	for i := range r.Denied {
		if r.Denied[i].Action == action {
			return r.Denied[i].Codes[0]
		}
	}
	return ""
}

// allows reports what the reservation says of an action: allowed, or why not; neither, when it says nothing.
func (r *Reservation) allows(action string) (allowed bool, why string) {
	return slices.Contains(r.allowed, action), r.Why(action)
}

// Is reports whether number is one of the reservation's own: its id, its booking's, or the channel's number, which may be
// followed by a bar and the channel's room. Case is not regarded.
func (r *Reservation) Is(number string) bool {
	code, _, _ := strings.Cut(r.ExternalCode, "|")
	return number != "" && (strings.EqualFold(number, r.ID) || strings.EqualFold(number, r.BookingID) ||
		strings.EqualFold(number, r.ExternalCode) || strings.EqualFold(number, code))
}

// wireReservation is a reservation as it comes.
type wireReservation struct {
	ID           string       `json:"id"`
	BookingID    string       `json:"bookingId"`
	ExternalCode string       `json:"externalCode"`
	Property     wireID       `json:"property"`
	Status       Status       `json:"status"`
	Unit         wireID       `json:"unit"`
	UnitGroup    wireID       `json:"unitGroup"`
	Arrival      time.Time    `json:"arrival"`
	Departure    time.Time    `json:"departure"`
	CheckIn      time.Time    `json:"checkInTime"`
	CheckOut     time.Time    `json:"checkOutTime"`
	Adults       int          `json:"adults"`
	ChildrenAges []int        `json:"childrenAges"`
	Primary      *wireGuest   `json:"primaryGuest"`
	Additional   []wireGuest  `json:"additionalGuests"`
	Actions      []wireAction `json:"actions"`
}

type wireID struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type wireGuest struct {
	FirstName      string `json:"firstName"`
	LastName       string `json:"lastName"`
	BirthDate      string `json:"birthDate"`
	Nationality    string `json:"nationalityCountryCode"`
	DocumentType   string `json:"identificationType"`
	DocumentNumber string `json:"identificationNumber"`
}

type wireAction struct {
	Action  string `json:"action"`
	Allowed bool   `json:"isAllowed"`
	Reasons []struct {
		Code string `json:"code"`
	} `json:"reasons"`
}

// whole reports whether everything that a caller relies on is there.
func (w *wireReservation) whole() bool {
	return isID(w.ID) && w.Status != "" && w.Property.ID != "" && w.UnitGroup.ID != "" && w.Departure.After(w.Arrival) &&
		!w.Arrival.IsZero() && (w.Unit.ID == "" || isID(w.Unit.ID)) && w.Adults >= 0
}

func (w *wireReservation) reservation() Reservation {
	r := Reservation{ID: w.ID, BookingID: w.BookingID, ExternalCode: w.ExternalCode, Property: w.Property.ID, Status: w.Status,
		Unit: w.Unit.ID, UnitName: w.Unit.Name, UnitGroup: w.UnitGroup.ID, Arrival: w.Arrival, Departure: w.Departure,
		CheckedIn: w.CheckIn, CheckedOut: w.CheckOut, Adults: w.Adults, ChildrenAges: w.ChildrenAges}
	if w.Primary != nil {
		r.Guests = append(r.Guests, Guest(*w.Primary))
	}
	for _, g := range w.Additional {
		r.Guests = append(r.Guests, Guest(g))
	}
	for _, a := range w.Actions {
		if a.Allowed {
			r.allowed = append(r.allowed, a.Action)
			continue
		}
		d := Denied{Action: a.Action}
		for _, reason := range a.Reasons {
			d.Codes = append(d.Codes, reason.Code)
		}
		if len(d.Codes) == 0 {
			d.Codes = []string{CodeRejected}
		}
		r.Denied = append(r.Denied, d)
	}
	return r
}

// Condition is how a unit was left by housekeeping.
type Condition string

// The conditions. A guest is given a Clean unit; whether one that waits for inspection will do is the hotel's policy.
const (
	Clean              Condition = "Clean"
	CleanToBeInspected Condition = "CleanToBeInspected"
	Dirty              Condition = "Dirty"
)

// Maintenance is work that keeps a unit from guests.
type Maintenance string

// The kinds of maintenance; "" is none. Apaleo still sells a unit that is OutOfService: a small repair.
const (
	OutOfService   Maintenance = "OutOfService"
	OutOfOrder     Maintenance = "OutOfOrder"
	OutOfInventory Maintenance = "OutOfInventory"
)

// Unit is a room.
type Unit struct {
	ID          string
	Name        string // the number on its door
	Group       string // the kind of room, an id; "": none
	Condition   Condition
	Occupied    bool
	Maintenance Maintenance
	MaxPersons  int
	Attributes  []string // names that the hotel has given: "Floor 3", "Lake view"
}

type wireUnit struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Group  wireID `json:"unitGroup"`
	Status struct {
		Occupied    bool      `json:"isOccupied"`
		Condition   Condition `json:"condition"`
		Maintenance struct {
			Type Maintenance `json:"type"`
		} `json:"maintenance"`
	} `json:"status"`
	MaxPersons int      `json:"maxPersons"`
	Attributes []wireID `json:"attributes"`
}

func (w *wireUnit) whole() bool {
	return isID(w.ID) && w.Name != "" && w.Status.Condition != "" && w.MaxPersons >= 0
}

func (w *wireUnit) unit() Unit {
	u := Unit{ID: w.ID, Name: w.Name, Group: w.Group.ID, Condition: w.Status.Condition, Occupied: w.Status.Occupied,
		Maintenance: w.Status.Maintenance.Type, MaxPersons: w.MaxPersons}
	for _, a := range w.Attributes {
		u.Attributes = append(u.Attributes, a.Name)
	}
	return u
}
