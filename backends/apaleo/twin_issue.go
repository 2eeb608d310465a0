package apaleo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json"
)

// Scenario is something that a front desk meets, or does.
type Scenario string

// The scenarios. All but the last two make reservations.
const (
	Today        Scenario = "today"        // confirmed, arrives today, no unit yet
	Family       Scenario = "family"       // the same for two adults and a child
	Tomorrow     Scenario = "tomorrow"     // confirmed, arrives tomorrow
	Late         Scenario = "late"         // confirmed, should have arrived yesterday, stays on
	Past         Scenario = "past"         // confirmed, should have left yesterday
	Canceled     Scenario = "canceled"     // for today, canceled an hour ago
	NoShow       Scenario = "no-show"      // should have arrived yesterday, set to no-show this morning
	Assigned     Scenario = "assigned"     // confirmed, arrives today, has a unit
	InHouse      Scenario = "in-house"     // arrived yesterday, leaves tomorrow
	Departing    Scenario = "departing"    // arrived yesterday, leaves today
	Staying      Scenario = "staying"      // arrived yesterday, leaves in five days
	CheckedOut   Scenario = "checked-out"  // left an hour ago
	OtherHotel   Scenario = "other-hotel"  // confirmed, for today, for another hotel of the account
	ChangeUnit   Scenario = "unit"         // sets the condition and the maintenance of Want.Unit
	Housekeeping Scenario = "housekeeping" // cleans every unit and mends it
)

// Want asks the twin for something.
type Want struct {
	Scenario     Scenario    `json:"scenario"`      // "": Today
	Count        int         `json:"count"`         // reservations, 1 to 10,000; 0: 1
	Nights       int         `json:"nights"`        // 1 to 30; 0: as the scenario says, else 2
	Adults       int         `json:"adults"`        // 1 to 4; 0: 1, or 2 for Family
	Group        string      `json:"group"`         // the kind of room, "DBL"; "": the first that is large enough
	Guests       []MadeGuest `json:"guests"`        // the people, the primary guest first; who is missing is made up
	ExternalCode string      `json:"external_code"` // a channel's number, at most 64 visible bytes; "": none
	Unit         string      `json:"unit"`          // an id or a name; "": the first that is free
	Condition    Condition   `json:"condition"`     // of ChangeUnit; "": as it is
	Maintenance  Maintenance `json:"maintenance"`   // of ChangeUnit; "": none
}

// MadeGuest is somebody who stays. The twin's own people do not exist; the check digits of their documents are right.
type MadeGuest struct {
	FirstName      string `json:"first_name,omitempty"`
	LastName       string `json:"last_name"`
	BirthDate      string `json:"birth_date,omitempty"`
	Nationality    string `json:"nationality,omitempty"`
	DocumentType   string `json:"document_type,omitempty"`
	DocumentNumber string `json:"document_number,omitempty"`
}

// Made is a reservation that was made, with all that a kiosk could ask a guest for.
type Made struct {
	Reservation  string      `json:"reservation"`
	Booking      string      `json:"booking"`
	ExternalCode string      `json:"external_code,omitempty"`
	Property     string      `json:"property"`
	Unit         string      `json:"unit,omitempty"`
	Group        string      `json:"group"`
	Arrival      time.Time   `json:"arrival"`
	Departure    time.Time   `json:"departure"`
	Guests       []MadeGuest `json:"guests"`
}

// Make does what want (a Want as JSON, unknown members refused) says. It returns a []Made, or for the last two scenarios
// the []Unit that were changed.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"scenario\", \"count\", \"nights\", \"adults\", \"group\", "+
			"\"guests\", \"external_code\", \"unit\", \"condition\", \"maintenance\"}: %w", err)
	}
	if w.Scenario == ChangeUnit || w.Scenario == Housekeeping {
		return t.Keep(w)
	}
	return t.Issue(w)
}

// Keep changes units: ChangeUnit or Housekeeping.
func (t *Twin) Keep(w Want) ([]Unit, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	units := t.units
	if w.Scenario == ChangeUnit {
		u := t.find(w.Unit)
		switch {
		case u == nil:
			return nil, fmt.Errorf("unit: there is none with the id or the name %q", w.Unit)
		case w.Condition != "" && !isCondition(w.Condition):
			return nil, fmt.Errorf("condition: want Clean, CleanToBeInspected or Dirty, got %q", w.Condition)
		case w.Maintenance != "" && !isMaintenance(w.Maintenance):
			return nil, fmt.Errorf("maintenance: want OutOfService, OutOfOrder or OutOfInventory, got %q", w.Maintenance)
		}
		units = []*twinUnit{u}
	} else {
		w.Condition, w.Maintenance = Clean, ""
	}
	out := make([]Unit, 0, len(units))
	for _, u := range units {
		if w.Condition != "" {
			u.Condition = w.Condition
		}
		u.Maintenance = w.Maintenance
		out = append(out, Unit{ID: u.ID, Name: u.Name, Group: t.groupID(u.Group), Condition: u.Condition, Maintenance: u.Maintenance,
			Occupied: t.isOccupied(u.ID), MaxPersons: u.MaxPersons})
	}
	t.changes++
	return out, nil
}

// Fresh makes a confirmed reservation for one person who arrives today.
func (t *Twin) Fresh() Made {
	made, err := t.Issue(Want{})
	if err != nil {
		panic("BUG: today's reservation cannot be refused: " + err.Error())
	}
	return made[0]
}

// Issue adds reservations. They are not in the books, which hold what callers did.
func (t *Twin) Issue(w Want) ([]Made, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Made, 0, w.Count)
	for range w.Count {
		r := t.blank(&w)
		if err := t.shape(r, &w); err != nil {
			return nil, err
		}
		t.serial++
		t.changes++
		t.add(r)
		out = append(out, Made{r.ID, r.BookingID, r.ExternalCode, r.Property, r.Unit, r.Group, r.Arrival, r.Departure, r.Guests})
	}
	return out, nil
}

// complete fills in what was left out and checks the rest.
func (w *Want) complete() error {
	if w.Scenario == "" {
		w.Scenario = Today
	}
	if w.Adults == 0 && w.Scenario == Family {
		w.Adults = 2
	}
	if w.Nights == 0 {
		w.Nights = map[Scenario]int{Departing: 1, Staying: 6}[w.Scenario]
	}
	for _, f := range []struct {
		name       string
		v          *int
		def, limit int
	}{{"count", &w.Count, 1, 10_000}, {"nights", &w.Nights, 2, 30}, {"adults", &w.Adults, 1, 4}} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 1 || *f.v > f.limit {
			return fmt.Errorf("%s: want 1 to %d, got %d", f.name, f.limit, *f.v)
		}
	}
	people := w.Adults
	if w.Scenario == Family {
		people++
	}
	if w.Group == "" {
		for _, g := range twinGroups() {
			if g.persons >= people && w.Group == "" {
				w.Group = g.code
			}
		}
	}
	switch {
	case !isGroup(w.Group):
		return fmt.Errorf("group: want SGL, DBL, TWN or FAM, for at most 4 people, got %q for %d", w.Group, people)
	case len(w.Guests) > people:
		return fmt.Errorf("guests: want at most %d, got %d", people, len(w.Guests))
	case len(w.ExternalCode) > maxID || !isPrintable(w.ExternalCode):
		return fmt.Errorf("external_code: want at most %d visible bytes", maxID)
	}
	for i := range w.Guests {
		if w.Guests[i].LastName == "" {
			return fmt.Errorf("guests: the guest at %d has no last_name", i)
		}
	}
	return nil
}

func isGroup(code string) bool {
	for _, g := range twinGroups() {
		if g.code == code {
			return true
		}
	}
	return false
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// blank returns the next reservation: confirmed, made a week ago, for today.
func (t *Twin) blank(w *Want) *twinReservation {
	r := rand.New(rand.NewPCG(t.seed(), t.serial))
	booking := letters(r, 8)
	for t.byID[booking+"-1"] != nil {
		booking = letters(r, 8)
	}
	now := t.now()
	out := &twinReservation{ID: booking + "-1", BookingID: booking, ExternalCode: w.ExternalCode, Property: t.cfg.Property,
		Status: StatusConfirmed, Group: w.Group, Created: now.AddDate(0, 0, -7), Modified: now.AddDate(0, 0, -7), Adults: w.Adults}
	people := w.Adults
	if w.Scenario == Family {
		people, out.ChildrenAges = people+1, []int{7}
	}
	for i := range people {
		made := person(r, now, i >= w.Adults)
		if i < len(w.Guests) {
			made = w.Guests[i]
		}
		out.Guests = append(out.Guests, made)
	}
	t.stay(out, 0, w.Nights)
	return out
}

// stay sets the dates: arrival so many days from today at 15:00, departure at 11:00.
func (t *Twin) stay(r *twinReservation, from, nights int) {
	y, m, d := t.now().Date()
	r.Arrival = time.Date(y, m, d+from, 15, 0, 0, 0, t.cfg.Location)
	r.Departure = time.Date(y, m, d+from+nights, 11, 0, 0, 0, t.cfg.Location)
}

// shape turns a blank reservation into the scenario's.
func (t *Twin) shape(r *twinReservation, w *Want) error {
	now := t.now()
	switch w.Scenario {
	case Today, Family:
	case Tomorrow:
		t.stay(r, 1, w.Nights)
	case Late:
		t.stay(r, -1, max(w.Nights, 2))
	case Past:
		t.stay(r, -1-w.Nights, w.Nights)
	case Canceled:
		r.Status, r.Canceled = StatusCanceled, now.Add(-time.Hour)
	case NoShow:
		t.stay(r, -1, w.Nights)
		r.Status, r.NoShow = StatusNoShow, now.Add(-time.Hour)
	case Assigned:
		return t.settle(r, w.Unit)
	case InHouse, Departing, Staying:
		t.stay(r, -1, w.Nights)
		r.Status, r.CheckIn = StatusInHouse, r.Arrival
		return t.settle(r, w.Unit)
	case CheckedOut:
		t.stay(r, -w.Nights, w.Nights)
		if err := t.settle(r, w.Unit); err != nil {
			return err
		}
		r.Status, r.CheckIn, r.CheckOut = StatusCheckedOut, r.Arrival, now.Add(-time.Hour)
	case OtherHotel:
		r.Property = other(t.cfg.Property)
	default:
		return fmt.Errorf("scenario: there is no %q", w.Scenario)
	}
	return nil
}

// other returns another hotel's id.
func other(property string) string {
	if property[len(property)-1] == 'X' {
		return property[:len(property)-1] + "Y"
	}
	return property[:len(property)-1] + "X"
}

// settle gives a new reservation a unit: the one that is wanted, or the first that is free.
func (t *Twin) settle(r *twinReservation, want string) error {
	for _, u := range t.units {
		if want != "" && u.ID != want && u.Name != want {
			continue
		}
		if want != "" {
			r.Group = u.Group
		}
		if t.isFree(u, r, t.now()) {
			r.Unit = u.ID
			return nil
		}
	}
	return fmt.Errorf("unit: none is free for the stay (wanted %q)", want)
}
