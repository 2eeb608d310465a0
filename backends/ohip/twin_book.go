package ohip

import (
	"slices"
	"time"
)

// twinRoom is what the twin knows of a room; its JSON is what Save keeps.
type twinRoom struct {
	ID           string       `json:"id"`
	Type         string       `json:"type"`
	Floor        string       `json:"floor"`
	Pair         string       `json:"pair,omitempty"`
	Housekeeping Housekeeping `json:"housekeeping"`
}

// twinStay is what the twin knows of a reservation.
type twinStay struct {
	ID           string      `json:"id"`
	Confirmation string      `json:"confirmation"`
	Status       Status      `json:"status"` // Reserved, InHouse, CheckedOut, Cancelled, NoShow
	Arrival      string      `json:"arrival"`
	Departure    string      `json:"departure"`
	RoomType     string      `json:"room_type"`
	RoomID       string      `json:"room,omitempty"`
	Guests       []WantGuest `json:"guests"`
	Balance      int64       `json:"balance,omitzero"` // minor units still to be paid

	// Of a reservation that a caller has made.
	RatePlan   string          `json:"rate_plan,omitempty"`
	Total      int64           `json:"total,omitzero"`    // fen, of the whole stay
	Adults     int             `json:"adults,omitzero"`   // 0: those among the guests
	Children   int             `json:"children,omitzero"` // beside them
	References []wireReference `json:"references,omitempty"`

	History []TwinChange `json:"history"`
	Keys    []TwinKey    `json:"keys,omitempty"`
	Created time.Time    `json:"created"`
}

// computed returns the status as it is on a day.
func (s *twinStay) computed(today string) Status {
	switch {
	case s.Status == StatusReserved && s.Arrival == today:
		return StatusDueIn
	case s.Status == StatusReserved && s.Arrival < today:
		return StatusNoShow
	case s.Status == StatusInHouse && s.Departure <= today:
		return StatusDueOut
	}
	return s.Status
}

// holds reports whether the reservation keeps its room from others, for nights that overlap from and to.
func (s *twinStay) holds(today, from, to string) bool {
	switch s.computed(today).State() {
	case InHouse: // lives there until it leaves, late departures too
		return from <= today || s.Arrival < to && from < s.Departure
	case Expected:
		return s.Arrival < to && from < s.Departure
	default:
		return false
	}
}

// change writes down that the reservation is different.
func (s *twinStay) change(at time.Time, op, by string) {
	s.History = append(s.History, TwinChange{At: at, Op: op, Status: s.Status, RoomID: s.RoomID, By: by})
}

// holder returns who keeps a room from others for these nights, nil when nobody does; but is not counted.
func (t *Twin) holder(room string, but *twinStay, from, to string) *twinStay {
	today := t.today()
	for _, s := range t.holders[room] {
		if s != but && s.holds(today, from, to) {
			return s
		}
	}
	return nil
}

// occupant returns who lives in a room now, nil when nobody does.
func (t *Twin) occupant(room string) *twinStay {
	for _, s := range t.holders[room] {
		if s.Status == StatusInHouse {
			return s
		}
	}
	return nil
}

// TwinChange is one entry in a reservation's history: how it was afterwards.
type TwinChange struct {
	At     time.Time `json:"at"`
	Op     string    `json:"op"` // "made", "by-hand", or an effect's name
	Status Status    `json:"status"`
	RoomID string    `json:"room,omitempty"`
	By     string    `json:"by"` // the request that did it: traceparent, or a running number; "desk" by hand
}

// TwinKey is a card that was written.
type TwinKey struct {
	Track  string    `json:"track"`
	RoomID string    `json:"room"`
	At     time.Time `json:"at"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Off    time.Time `json:"off,omitzero"` // zero: it opens the door
	By     string    `json:"by"`
}

// TwinEffect is something that a caller changed, in the order in which it happened.
type TwinEffect struct {
	At            time.Time `json:"at"`
	Op            string    `json:"op"` // book, cancel, assign, unassign, check-in, undo-check-in, check-out, issue-keys, remove-keys
	ReservationID string    `json:"reservation"`
	RoomID        string    `json:"room,omitempty"`
	By            string    `json:"by"`
}

// TwinAsk is how often callers asked for an effect, and how often it then happened. The rest was refused or found its work
// done. Of a booking, ReservationID is the caller's reference.
type TwinAsk struct {
	Op            string `json:"op"`
	ReservationID string `json:"reservation"`
	RoomID        string `json:"room,omitempty"`
	Asked         int    `json:"asked"`
	Done          int    `json:"done"`
}

type askKey struct{ op, reservation, room string }

type ask struct{ order, asked, done int }

// TwinBooks is what the twin believes has happened. It holds no names and no documents.
type TwinBooks struct {
	Requests     uint64            `json:"requests"` // that were understood and authorized
	Tokens       uint64            `json:"tokens"`   // access tokens that were issued
	Rooms        []TwinBookRoom    `json:"rooms"`
	Reservations []TwinReservation `json:"reservations"` // in the order in which they were made
	Effects      []TwinEffect      `json:"effects"`
	Asked        []TwinAsk         `json:"asked"` // in the order in which they were first asked for
}

// TwinBookRoom is a room as the books have it.
type TwinBookRoom struct {
	ID           string       `json:"id"`
	Type         string       `json:"type"`
	Floor        string       `json:"floor"`
	Housekeeping Housekeeping `json:"housekeeping"`
	FrontOffice  FrontOffice  `json:"front_office"`
	HeldBy       []string     `json:"held_by"` // reservations that keep it from others tonight, or live in it
}

// TwinReservation is a reservation as the books have it.
type TwinReservation struct {
	ID           string       `json:"id"`
	Confirmation string       `json:"confirmation"`
	Status       Status       `json:"status"` // as it was set: Reserved, InHouse, CheckedOut, Cancelled, NoShow
	Arrival      string       `json:"arrival"`
	Departure    string       `json:"departure"`
	RoomID       string       `json:"room,omitempty"`
	People       int          `json:"people"`
	Reference    string       `json:"reference,omitempty"` // the caller's, of what a caller has booked
	Total        int64        `json:"total,omitzero"`      // fen, likewise
	History      []TwinChange `json:"history"`
	Keys         []TwinKey    `json:"keys"`
}

// Books returns a TwinBooks.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() TwinBooks {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := TwinBooks{Requests: t.requests, Tokens: t.issued, Rooms: []TwinBookRoom{}, Reservations: []TwinReservation{},
		Effects: append([]TwinEffect{}, t.effects...), Asked: t.asked()}
	today := t.today()
	for _, r := range t.rooms {
		b := TwinBookRoom{r.ID, r.Type, r.Floor, r.Housekeeping, Vacant, []string{}}
		if t.occupant(r.ID) != nil {
			b.FrontOffice = Occupied
		}
		for _, s := range t.holders[r.ID] {
			if s.holds(today, today, nextDay(today)) {
				b.HeldBy = append(b.HeldBy, s.ID)
			}
		}
		out.Rooms = append(out.Rooms, b)
	}
	for _, s := range t.stays {
		b := TwinReservation{ID: s.ID, Confirmation: s.Confirmation, Status: s.Status, Arrival: s.Arrival, Departure: s.Departure, RoomID: s.RoomID,
			People: s.adults() + s.children(), Total: s.Total, History: append([]TwinChange{}, s.History...), Keys: append([]TwinKey{}, s.Keys...)}
		if len(s.References) > 0 {
			b.Reference = s.References[0].ID
		}
		out.Reservations = append(out.Reservations, b)
	}
	return out
}

// asked returns the asks in their order. The caller holds mu.
func (t *Twin) asked() []TwinAsk {
	keys := make([]askKey, 0, len(t.asks))
	for k := range t.asks {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b askKey) int { return t.asks[a].order - t.asks[b].order })
	out := make([]TwinAsk, 0, len(keys))
	for _, k := range keys {
		out = append(out, TwinAsk{k.op, k.reservation, k.room, t.asks[k].asked, t.asks[k].done})
	}
	return out
}

// ask counts that an effect was asked for.
func (t *Twin) ask(op, reservation, room string) *ask {
	k := askKey{op, reservation, room}
	a := t.asks[k]
	if a == nil {
		a = &ask{order: len(t.asks)}
		t.asks[k] = a
	}
	a.asked++
	t.changes++
	return a
}

// did writes down that an effect took place.
func (t *Twin) did(r *twinRequest, a *ask, op string, s *twinStay) {
	a.done++
	s.change(r.now, op, r.by)
	t.effects = append(t.effects, TwinEffect{At: r.now, Op: op, ReservationID: s.ID, RoomID: s.RoomID, By: r.by})
}

// nextDay returns the day after, "2006-01-02".
func nextDay(day string) string { return addDays(day, 1) }

func addDays(day string, n int) string {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic("BUG: not a day: " + day)
	}
	return d.AddDate(0, 0, n).Format(time.DateOnly)
}
