package main

import (
	"slices"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
)

// sight is what is seen of a town's hotels from outside at one moment: the books of their systems, and the assists that wait
// for a person.
type sight struct {
	hotels  map[string]ohip.TwinBooks
	bureaus map[string]police.Books
	assists []assistSeen      // that nobody has settled
	facts   map[string]string // what an assist has told staff, by its id

	stays   map[string]*ohip.TwinReservation // by hotel and reservation
	living  map[string]int                   // guests in house, by hotel and room
	persons map[string][]police.Booked       // registrations, by hotel and person
}

// lookAround reads the books at the city's address, and the assists at the API.
func lookAround(t *town, serve *child) (s sight, err error) {
	s.facts = map[string]string{}
	for _, state := range []string{"open", "claimed"} {
		some, err := listAssists(t.world, serve, state)
		if err != nil {
			return s, err
		}
		s.assists = append(s.assists, some...)
	}
	if s.bureaus, err = booksOf[police.Books](t.world, "police"); err != nil {
		return s, err
	}
	s.hotels, err = booksOf[ohip.TwinBooks](t.world, "ohip") // after the bureau's: nobody is registered before they are in house
	s.index()
	return s, err
}

func (s *sight) index() {
	s.stays, s.living, s.persons = map[string]*ohip.TwinReservation{}, map[string]int{}, map[string][]police.Booked{}
	for hotel, b := range s.hotels {
		for i := range b.Reservations {
			r := &b.Reservations[i]
			s.stays[hotel+" "+r.ID] = r
			if r.Status == ohip.StatusInHouse && r.RoomID != "" {
				s.living[hotel+" "+r.RoomID]++
			}
		}
	}
	for hotel, b := range s.bureaus {
		for _, r := range b.Registrations {
			s.persons[hotel+" "+r.Person] = append(s.persons[hotel+" "+r.Person], r)
		}
	}
}

// record is what the systems have of a booking.
type record struct {
	in, left    bool
	room        string   // that it holds
	rooms       []string // that it has lived in
	shared      bool     // somebody else lives in its room
	checkIns    int      // those taken back not counted
	cameBack    bool     // checked in after it had left
	keys        int      // that open a door now
	keySets     int      // times that keys were made
	registered  []int    // times that each of the guests was registered
	notDeparted int      // guests whom the police believe to be there still
	keysAlone   bool     // it has live keys and was never in house
}

// of puts together what the books say of a booking.
func (s *sight) of(g guests) (x record) {
	r := s.stays[g.Hotel+" "+g.ID]
	if r == nil {
		return x
	}
	x.in, x.left, x.room = r.Status == ohip.StatusInHouse, r.Status == ohip.StatusCheckedOut, r.RoomID
	x.shared = x.in && s.living[g.Hotel+" "+r.RoomID] > 1
	gone := false
	for _, h := range r.History {
		if h.Status == ohip.StatusInHouse && !slices.Contains(x.rooms, h.RoomID) {
			x.rooms = append(x.rooms, h.RoomID)
		}
		switch h.Op {
		case "check-in":
			x.checkIns++
			x.cameBack = x.cameBack || gone
		case "undo-check-in":
			x.checkIns--
		case "check-out":
			gone = true
		case "issue-keys":
			x.keySets++
		}
	}
	for _, k := range r.Keys {
		if k.Off.IsZero() {
			x.keys++
		}
	}
	x.keysAlone = x.keys > 0 && len(x.rooms) == 0
	for _, person := range g.persons {
		all := s.persons[g.Hotel+" "+person]
		x.registered = append(x.registered, len(all))
		if slices.ContainsFunc(all, func(b police.Booked) bool { return b.State == police.Registered }) {
			x.notDeparted++
		}
	}
	return x
}
