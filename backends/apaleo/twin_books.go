package apaleo

import (
	"time"
)

// twinReservation is what the twin knows of a reservation; its JSON is what Save keeps.
type twinReservation struct {
	ID           string      `json:"id"`
	BookingID    string      `json:"booking"`
	ExternalCode string      `json:"external,omitempty"`
	Property     string      `json:"property"`
	Status       Status      `json:"status"`
	Unit         string      `json:"unit,omitempty"`
	Group        string      `json:"group"`
	Arrival      time.Time   `json:"arrival"`
	Departure    time.Time   `json:"departure"`
	Created      time.Time   `json:"created"`
	Modified     time.Time   `json:"modified"`
	CheckIn      time.Time   `json:"check_in,omitzero"`
	CheckOut     time.Time   `json:"check_out,omitzero"`
	Canceled     time.Time   `json:"canceled,omitzero"`
	NoShow       time.Time   `json:"no_show,omitzero"`
	Adults       int         `json:"adults"`
	ChildrenAges []int       `json:"children,omitempty"`
	Guests       []MadeGuest `json:"guests"`
	Tale         twinTale    `json:"tale,omitzero"`
}

// twinTale is what callers have done to a reservation.
type twinTale struct {
	Attempts   int         `json:"attempts,omitzero"`
	Units      []string    `json:"units,omitempty"`
	Unassigned int         `json:"unassigned,omitzero"`
	CheckIns   int         `json:"check_ins,omitzero"`
	Into       []Condition `json:"into,omitempty"`
	Reverts    int         `json:"reverts,omitzero"`
	CheckOuts  int         `json:"check_outs,omitzero"`
	By         []string    `json:"by,omitempty"`
}

// TwinBooks is what the twin believes its callers have done.
type TwinBooks struct {
	Requests uint64     `json:"requests"` // that were understood and authorized
	Tokens   uint64     `json:"tokens"`   // given since the twin began
	Stays    []TwinStay `json:"stays"`
}

// TwinStay is one reservation that callers tried to do something to. It names nobody. Checked in exactly once is CheckIns 1
// and Reverts 0; two stays InHouse with one Unit are two guests in one room.
type TwinStay struct {
	Reservation string      `json:"reservation"`
	Status      Status      `json:"status"`
	Unit        string      `json:"unit"` // the one it has now; "": none
	UnitName    string      `json:"unit_name"`
	Arrival     time.Time   `json:"arrival"`
	Departure   time.Time   `json:"departure"`
	Attempts    int         `json:"attempts"`   // requests for an action, whatever came of them
	Units       []string    `json:"units"`      // every unit that it was given, in order
	Unassigned  int         `json:"unassigned"` // times that one was taken away
	CheckIns    int         `json:"check_ins"`
	Into        []Condition `json:"into"` // the unit's condition at each check-in
	Reverts     int         `json:"reverts"`
	CheckOuts   int         `json:"check_outs"`
	By          []string    `json:"by"` // the requests that had the effects: traceparent, or a running number
}

// Books returns a TwinBooks, in the order in which reservations were made.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() TwinBooks {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := TwinBooks{Requests: t.requests, Tokens: t.given, Stays: []TwinStay{}}
	for _, r := range t.reservations {
		if r.Tale.Attempts == 0 {
			continue
		}
		s := TwinStay{Reservation: r.ID, Status: r.Status, Unit: r.Unit, Arrival: r.Arrival, Departure: r.Departure,
			Attempts: r.Tale.Attempts, Units: append([]string{}, r.Tale.Units...), Unassigned: r.Tale.Unassigned,
			CheckIns: r.Tale.CheckIns, Into: append([]Condition{}, r.Tale.Into...), Reverts: r.Tale.Reverts,
			CheckOuts: r.Tale.CheckOuts, By: append([]string{}, r.Tale.By...)}
		if u := t.byUnit[r.Unit]; u != nil {
			s.UnitName = u.Name
		}
		out.Stays = append(out.Stays, s)
	}
	return out
}
