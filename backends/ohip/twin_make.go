package ohip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Scenario is a kind of reservation that a front desk has to judge.
type Scenario string

// The scenarios.
const (
	DueToday   Scenario = "due-today"   // arrives today, no room yet
	Assigned   Scenario = "assigned"    // arrives today, holds a room that is ready
	Tomorrow   Scenario = "tomorrow"    // arrives tomorrow
	Yesterday  Scenario = "yesterday"   // should have come yesterday: a no-show that nobody has marked
	MarkedGone Scenario = "no-show"     // a no-show that the hotel has marked
	CancelledR Scenario = "cancelled"   // cancelled
	StaysOn    Scenario = "in-house"    // lives in a room since yesterday, leaves tomorrow
	LeavesNow  Scenario = "leaves"      // lives in a room since yesterday, leaves today
	OwesMoney  Scenario = "owes"        // the same, with a balance to be paid
	HasLeft    Scenario = "checked-out" // left today
)

// Want asks the twin to do something that is done at the hotel and not by a caller.
type Want struct {
	Do string `json:"do"` // "" or "reserve", "reprice", "build", "housekeep", "occupy", "vacate", "by-hand"

	// reserve: reservations of one kind
	Scenario Scenario    `json:"scenario"`  // "": DueToday
	Count    int         `json:"count"`     // reservations, or rooms of build, 1 to 10,000; 0: 1
	Guests   []WantGuest `json:"guests"`    // of each, 1 to 8; what is empty in them is made up. None: one guest
	Nights   int         `json:"nights"`    // 1 to 60; 0: 1, or 2 for those in house
	RoomType string      `json:"room_type"` // "": the first room's
	Price    int64       `json:"price"`     // of reprice: fen for a night, as in TwinType

	// the others: one room (occupy: "" is any that is free; housekeep, vacate: "*" is all), one reservation
	Room         string       `json:"room"`
	Housekeeping Housekeeping `json:"housekeeping"`
	Reservation  string       `json:"reservation"`
	Status       Status       `json:"status"` // of by-hand: Reserved, InHouse, CheckedOut, Cancelled, NoShow
}

// WantGuest is a person of a reservation. What is empty is made up from the seed.
type WantGuest struct {
	Surname     string       `json:"surname"`
	GivenName   string       `json:"given_name"`
	Alternate   string       `json:"alternate,omitempty"`  // the full name in another script
	BirthDate   string       `json:"birth_date,omitempty"` // "2006-01-02"
	Nationality string       `json:"nationality,omitempty"`
	Document    WantDocument `json:"document,omitzero"`
}

// WantDocument is a guest's document. Type is "ID" (a resident identity card) or "PASSPORT".
type WantDocument struct {
	Type    string `json:"type"`
	Number  string `json:"number"`
	Country string `json:"country,omitempty"`
	Expires string `json:"expires,omitempty"`
}

// Made is a reservation that was made, with all that a guest could show or say.
type Made struct {
	ID           string      `json:"id"`
	Confirmation string      `json:"confirmation"`
	Arrival      string      `json:"arrival"`
	Departure    string      `json:"departure"`
	RoomType     string      `json:"room_type"`
	RoomID       string      `json:"room,omitempty"`
	Guests       []WantGuest `json:"guests"`
}

// Make does what want (a Want as JSON, unknown members refused) says. It returns a []Made, empty when nothing was reserved.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"do\", \"scenario\", \"count\", \"guests\", …}: %w", err)
	}
	switch w.Do {
	case "", "reserve":
		return t.Reserve(w)
	case "reprice":
		return []Made{}, t.Reprice(w.RoomType, w.Price)
	case "build":
		return []Made{}, t.Build(max(w.Count, 1), w.RoomType)
	case "housekeep":
		return []Made{}, t.Housekeep(w.Room, w.Housekeeping)
	case "occupy":
		made, err := t.Occupy(w.Room)
		return []Made{made}, err
	case "vacate":
		return []Made{}, t.Vacate(w.Room)
	case "by-hand":
		return []Made{}, t.ByHand(w.Reservation, w.Status, w.Room)
	}
	return nil, fmt.Errorf("do: want reserve, reprice, build, housekeep, occupy, vacate or by-hand, got %q", w.Do)
}

// Fresh makes a reservation of one guest who arrives today for a night.
func (t *Twin) Fresh() Made {
	made, err := t.Reserve(Want{})
	if err != nil {
		panic("BUG: today's guest cannot be refused: " + err.Error())
	}
	return made[0]
}

// Reserve makes reservations, as the hotel's sales do.
func (t *Twin) Reserve(w Want) ([]Made, error) {
	w.Scenario = Scenario(orElse(string(w.Scenario), string(DueToday)))
	if w.Count == 0 {
		w.Count = 1
	}
	if len(w.Guests) == 0 {
		w.Guests = []WantGuest{{}}
	}
	if w.Nights == 0 {
		w.Nights = 1
	}
	if w.RoomType == "" {
		w.RoomType = t.cfg.Rooms[0].Type
	}
	switch {
	case w.Count < 1 || w.Count > 10_000:
		return nil, fmt.Errorf("count: want 1 to 10,000, got %d", w.Count)
	case len(w.Guests) > 8:
		return nil, fmt.Errorf("guests: want at most 8, got %d", len(w.Guests))
	case w.Nights < 1 || w.Nights > 60:
		return nil, fmt.Errorf("nights: want 1 to 60, got %d", w.Nights)
	}
	for i := range w.Guests {
		if err := w.Guests[i].check(); err != nil {
			return nil, fmt.Errorf("guests[%d]: %w", i, err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.ContainsFunc(t.rooms, func(r *twinRoom) bool { return r.Type == w.RoomType }) {
		return nil, fmt.Errorf("room_type: this hotel has no %q", w.RoomType)
	}
	out := make([]Made, 0, w.Count)
	for range w.Count {
		s := t.blank(w)
		if err := t.shape(s, w.Scenario); err != nil {
			return out, err
		}
		t.serial++
		t.changes++
		s.change(t.now(), "made", "desk")
		t.add(s)
		out = append(out, s.made())
	}
	return out, nil
}

func (g *WantGuest) check() error {
	for _, s := range []string{g.Surname, g.GivenName, g.Alternate, g.Nationality, g.Document.Type, g.Document.Number, g.Document.Country} {
		if s != "" && !isText(s, maxName) {
			return fmt.Errorf("want at most %d bytes without control characters", maxName)
		}
	}
	for _, d := range []string{g.BirthDate, g.Document.Expires} {
		if d != "" && !isDay(d) {
			return errors.New("a day must be written YYYY-MM-DD")
		}
	}
	return nil
}

// blank returns the next reservation: for today, without a room.
func (t *Twin) blank(w Want) *twinStay {
	today := t.today()
	s := &twinStay{Status: StatusReserved, Arrival: today, Departure: addDays(today, w.Nights), RoomType: w.RoomType, Created: t.now().AddDate(0, 0, -7)}
	r := t.numbered(s)
	for _, g := range w.Guests {
		s.Guests = append(s.Guests, madeUp(g, r))
	}
	return s
}

// numbered gives the next reservation its id and its confirmation number, and returns the chance that made them.
func (t *Twin) numbered(s *twinStay) *rand.Rand {
	r, prefix := rand.New(rand.NewPCG(t.seed(), t.serial)), 100+t.seed()%900
	s.ID = fmt.Sprintf("%d%06d", prefix, t.serial)
	for s.Confirmation == "" || t.byConfirmation[s.Confirmation] != nil {
		s.Confirmation = fmt.Sprintf("%d%08d", prefix, r.IntN(100_000_000))
	}
	return r
}

// shape turns a blank reservation into the scenario's.
func (t *Twin) shape(s *twinStay, what Scenario) error {
	nights := func(from int) {
		s.Arrival, s.Departure = addDays(s.Arrival, from), addDays(s.Departure, from)
	}
	switch what {
	case DueToday:
	case Tomorrow:
		nights(1)
	case Yesterday:
		nights(-1)
	case MarkedGone:
		nights(-1)
		s.Status = StatusNoShow
	case CancelledR:
		s.Status = StatusCancelled
	case Assigned:
		return t.give(s)
	case StaysOn, LeavesNow, OwesMoney, HasLeft:
		today := s.Arrival
		s.Arrival, s.Departure, s.Status = addDays(today, -1), today, StatusInHouse
		if what == StaysOn {
			s.Departure = addDays(today, 1)
		}
		if what == OwesMoney {
			s.Balance = 12_800
		}
		if err := t.give(s); err != nil {
			return err
		}
		if what == HasLeft {
			s.Status = StatusCheckedOut
		}
	default:
		return fmt.Errorf("scenario: there is no %q", what)
	}
	return nil
}

// give finds a room for a reservation that is not yet in the maps.
func (t *Twin) give(s *twinStay) error {
	for _, r := range t.rooms {
		if r.Type == s.RoomType && ready(r) && t.holder(r.ID, s, s.Arrival, nextDay(max(s.Departure, t.today()))) == nil {
			s.RoomID = r.ID
			return nil
		}
	}
	return errors.New("no room of the type is free and ready")
}

// Build adds rooms of a type ("": the first room's) on floors above the others.
func (t *Twin) Build(count int, roomType string) error {
	if count < 1 || count > 10_000 || roomType != "" && !isText(roomType, maxRoomID) {
		return fmt.Errorf("count: want 1 to 10,000, got %d", count)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	roomType = orElse(roomType, t.cfg.Rooms[0].Type)
	for n := len(t.rooms); count > 0; n++ {
		r := &twinRoom{ID: fmt.Sprintf("B%05d", n), Type: roomType, Floor: fmt.Sprint(100 + n/50), Housekeeping: Clean}
		if t.byRoom[r.ID] == nil {
			t.rooms = append(t.rooms, r)
			t.byRoom[r.ID] = r
			count--
		}
	}
	t.changes++
	return nil
}

// Housekeep sets the cleaning state of a room, or of all ("*").
func (t *Twin) Housekeep(room string, state Housekeeping) error {
	if !slices.Contains([]Housekeeping{Clean, Dirty, Pickup, Inspected, OutOfOrder, OutOfService}, state) {
		return fmt.Errorf("housekeeping: there is no %q", state)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if room != "*" && t.byRoom[room] == nil {
		return fmt.Errorf("room: this hotel has no %q", room)
	}
	for _, r := range t.rooms {
		if room == "*" || r.ID == room {
			r.Housekeeping = state
		}
	}
	t.changes++
	return nil
}

// Occupy marks somebody else in, as the hotel's own desk does: a guest without a reservation gets the room ("": any that
// is free and ready) until tomorrow.
func (t *Twin) Occupy(room string) (Made, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	roomType := t.cfg.Rooms[0].Type
	if r := t.byRoom[room]; r != nil {
		roomType = r.Type
	} else if room != "" {
		return Made{}, fmt.Errorf("room: this hotel has no %q", room)
	}
	s := t.blank(Want{Guests: []WantGuest{{}}, Nights: 1, RoomType: roomType})
	switch {
	case room == "":
		if err := t.give(s); err != nil {
			return Made{}, err
		}
	case t.holder(room, nil, s.Arrival, s.Departure) != nil:
		return Made{}, errors.New("room: it is another's")
	default:
		s.RoomID = room
	}
	s.Status = StatusInHouse
	t.serial++
	t.changes++
	s.change(t.now(), "by-hand", "desk")
	t.add(s)
	return s.made(), nil
}

// Vacate checks whoever lives in a room, or in all ("*"), out, takes their keys away, lets go of rooms that are held for
// those expected, and cleans: what a night does, for tests that need more guests than rooms.
func (t *Twin) Vacate(room string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room != "*" && t.byRoom[room] == nil {
		return fmt.Errorf("room: this hotel has no %q", room)
	}
	now := t.now()
	for _, r := range t.rooms {
		if room != "*" && r.ID != room {
			continue
		}
		for _, s := range slices.Clone(t.holders[r.ID]) {
			switch s.Status {
			case StatusInHouse:
				s.Status = StatusCheckedOut
				s.lock(r.ID, now)
			case StatusReserved:
				t.move(s, "")
			default:
				continue
			}
			s.change(now, "by-hand", "desk")
		}
		r.Housekeeping = Clean
	}
	t.changes++
	return nil
}

// ByHand sets the status of a reservation, and its room if one is said, as the hotel's own desk does: it cancels, revives a
// no-show for today, marks in or out. A room that is another's is refused.
func (t *Twin) ByHand(id string, status Status, room string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	switch {
	case s == nil:
		return errors.New("reservation: this hotel has none with this id")
	case !slices.Contains([]Status{StatusReserved, StatusInHouse, StatusCheckedOut, StatusCancelled, StatusNoShow}, status):
		return fmt.Errorf("status: want Reserved, InHouse, CheckedOut, Cancelled or NoShow, got %q", status)
	case room != "" && t.byRoom[room] == nil:
		return fmt.Errorf("room: this hotel has no %q", room)
	case status == StatusInHouse && room == "" && s.RoomID == "":
		return errors.New("room: somebody in house needs one")
	}
	arrival, departure := s.Arrival, s.Departure
	if today := t.today(); status == StatusReserved && arrival < today { // revived: it begins today
		arrival, departure = today, max(departure, nextDay(today))
	}
	if at := orElse(room, s.RoomID); at != "" && status != StatusCancelled && status != StatusNoShow && status != StatusCheckedOut &&
		t.holder(at, s, arrival, departure) != nil {
		return errors.New("room: it is another's")
	}
	s.Arrival, s.Departure, s.Status = arrival, departure, status
	if room != "" {
		t.move(s, room)
	}
	if status == StatusCheckedOut && s.RoomID != "" {
		t.byRoom[s.RoomID].Housekeeping = Dirty
	}
	t.changes++
	s.change(t.now(), "by-hand", "desk")
	return nil
}

func (s *twinStay) made() Made {
	return Made{s.ID, s.Confirmation, s.Arrival, s.Departure, s.RoomType, s.RoomID, slices.Clone(s.Guests)}
}

// adults counts the guests of 18 and more on the day of arrival.
func (s *twinStay) adults() int {
	if s.Adults > 0 {
		return s.Adults
	}
	n := 0
	for i := range s.Guests {
		if b := s.Guests[i].BirthDate; b == "" || addYears(b, 18) <= s.Arrival {
			n++
		}
	}
	return n
}

// children counts the others.
func (s *twinStay) children() int {
	if s.Adults > 0 {
		return s.Children
	}
	return len(s.Guests) - s.adults()
}

// profile returns the id of a guest's profile.
func (s *twinStay) profile(i int) string { return fmt.Sprintf("%s%d", s.ID, i) }

func (g *WantGuest) fullName() string { return strings.TrimSpace(g.Surname + ", " + g.GivenName) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
