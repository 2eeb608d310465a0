package checkin

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// facts is what an assist of a check-in holds, whether the journey itself opened it or recovery did.
type facts struct {
	Input   Arrival        `json:"input"`
	Booking []Booking      `json:"booking"`
	Hold    jsontext.Value `json:"hold"`
	Room    jsontext.Value `json:"room"`
	Leave   jsontext.Value `json:"leave"`

	Register jsontext.Value `json:"register"`
	Key      jsontext.Value `json:"key"`
}

func factsOf(a flow.Opened) (f facts, err error) {
	if len(a.Facts) == 0 {
		return f, nil // it has been erased
	}
	return f, json.Unmarshal(a.Facts, &f)
}

// readFact reads the value of a step: recovery keeps a list of all that a step has brought.
func readFact[T any](v jsontext.Value) (out T, ok bool, err error) {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || string(v) == "null" {
		return out, false, nil
	}
	if v[0] != '[' {
		return out, true, json.Unmarshal(v, &out)
	}
	var all []T
	if err = json.Unmarshal(v, &all); err == nil && len(all) > 0 {
		out = all[len(all)-1]
	}
	return out, err == nil && len(all) > 0, err
}

// heldOf returns what the ledger had decided for the journey, with the room where one was given.
func heldOf(f facts) (Held, bool, error) {
	h, ok, err := readFact[Held](f.Room)
	if err == nil && !ok {
		h, ok, err = readFact[Held](f.Hold)
	}
	return h, ok, err
}

// vouch keeps what a member of staff has settled about the guests, so that they go on at the kiosk.
func vouch(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	bookings := []string{""}
	for _, b := range f.Booking {
		if slices.Contains([]string{handName.Kind, handExtraGuest.Kind}, a.Kind) && len(f.Booking) == 1 {
			bookings[0] = b.ID
		}
	}
	for _, g := range f.Input.Guests {
		_, err := tx.Exec(`INSERT INTO vouches (venue, guest, kind, booking, until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (venue, guest, kind) DO UPDATE SET booking = excluded.booking, until = excluded.until`,
			a.Assist.Venue, g.Hash, a.Kind, bookings[0], tx.Now().Add(vouchFor).UnixMilli())
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// byHand is what staff say of a check-in that they have done at the hotel's system.
type byHand struct {
	Room    string `json:"room"`
	Booking string `json:"booking"` // the hotel system's own id, where no booking was found
}

// stayBody tells which stay a resolution has led to.
type stayBody struct {
	Stay string `json:"stay"`
	Room string `json:"room"`
}

// checkedInByHand keeps a stay that staff have begun at the hotel's system, and sends its registrations. From then on it
// is like any other: the booking is not checked in again, and its guests check out at the kiosk.
func checkedInByHand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	var said byHand
	if err := json.Unmarshal(orEmpty(details), &said, json.RejectUnknownMembers(true)); err != nil || edge.CheckText("details.room", said.Room, 16) != nil {
		return nil, edge.FieldInvalid("details", "需要 room（房号），必要时加 booking（预订号）", "It needs room, and booking (the hotel system's id) where none was found.")
	}
	h, err := heldByHand(f, a, said, tx.Now())
	if err != nil {
		return nil, err
	}
	before, found, err := stayOf(tx, h.Hotel, h.Booking.ID)
	switch {
	case err != nil:
		return nil, err
	case found && before.state == stayOut:
		return nil, ProblemStayOver.Error(gateway.Text{})
	case found:
		return nil, journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	}
	n, err := tx.Exec(`INSERT INTO stays (`+stayColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $9, 0, '') ON CONFLICT DO NOTHING`,
		h.Stay, h.Hotel, h.Booking.ID, h.Journey, stayIn, said.Room, dayOf(a.Venue, h.At), h.Booking.Leaves, h.At.UnixMilli())
	if err != nil {
		return nil, err
	}
	if n == 0 { // another writer was faster
		return nil, journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	}
	if err := keepGuests(tx, h); err != nil {
		return nil, err
	}
	if err := rt.Engine.DoneByHand(tx, a.Run, stepCheckIn, Entrance{Hotel: h.Hotel, Booking: h.Booking.ID, Room: said.Room}); err != nil {
		return nil, err
	}
	if err := keyByHand(tx, rt, a, h); err != nil {
		return nil, err
	}
	return stayBody{Stay: h.Stay, Room: said.Room}, beginRegistrations(tx, rt, a, h)
}

// keyByHand keeps that the party of a stay has its keys from staff.
func keyByHand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, h Held) error {
	order, err := keyOrderOf(h, Entered{})
	if err == nil {
		err = rt.Engine.DoneByHand(tx, a.Run, stepKey, order)
	}
	return err
}

// heldByHand is the stay as staff have begun it. Which nights the room is theirs only the hotel's system knows.
func heldByHand(f facts, a flow.Opened, said byHand, now time.Time) (Held, error) {
	h := Held{Journey: a.Run, Hotel: a.Assist.Venue, Kiosk: f.Input.Kiosk, Stay: a.ID, At: now.In(a.Venue.Location), Guests: f.Input.Guests,
		Room: Room{ID: said.Room, Number: said.Room}}
	for i := range h.Guests {
		h.Guests[i].Vouched = true // it is the person who vouches for them
	}
	bookings := slices.DeleteFunc(slices.Clone(f.Booking), func(b Booking) bool { return said.Booking != "" && b.ID != said.Booking })
	switch {
	case len(bookings) == 1:
		h.Booking = bookings[0]
	case said.Booking != "" && edge.CheckText("details.booking", said.Booking, maxText) == nil:
		h.Booking = Booking{ID: said.Booking}
	default:
		return h, edge.FieldInvalid("details.booking", "请填写酒店系统的预订号", "It is needed: the hotel system's id of the booking.")
	}
	if today := dayOf(a.Venue, h.At); h.Booking.Leaves <= today {
		day, err := time.Parse(time.DateOnly, today)
		if err != nil {
			return h, err
		}
		h.Booking.Leaves = day.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return h, nil
}

func orEmpty(details []byte) []byte {
	if len(details) == 0 {
		return []byte("{}")
	}
	return details
}

// beginRegistrations leaves the registrations of a stay to the outbox, each once.
func beginRegistrations(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, h Held) error {
	all, err := registrationsOf(h, Entered{})
	for _, r := range all {
		if err == nil {
			err = rt.Engine.Begin(tx, a.Run, stepRegister, r, registrationDue(a.Venue))
		}
	}
	return err
}

// addGuests adds whoever joins a party that is in house, and sends their registrations.
func addGuests(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	for _, b := range f.Booking {
		s, found, err := stayOf(tx, a.Assist.Venue, b.ID)
		if err != nil {
			return nil, err
		}
		inside := false
		if found {
			if inside, err = isInHouse(tx, s); err != nil {
				return nil, err
			}
		}
		if !inside {
			continue
		}
		hashes, _, err := guestsOf(tx, s.id)
		if err != nil {
			return nil, err
		}
		h := Held{Journey: a.Run, Hotel: s.venue, Stay: s.id, At: tx.Now().In(a.Venue.Location), Booking: b, Room: Room{ID: s.room, Number: s.door}}
		h.Booking.Leaves = s.leaves
		for _, g := range f.Input.Guests {
			if slices.Contains(hashes, string(g.Hash)) {
				continue
			}
			g.Vouched = true
			h.Guests = append(h.Guests, g)
			if _, err := tx.Exec(`INSERT INTO stay_guests (stay, n, venue, guest, registration) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				s.id, len(hashes)+len(h.Guests)-1, s.venue, g.Hash, registrationKey(h, g)); err != nil {
				return nil, err
			}
		}
		return stayBody{Stay: s.id, Room: s.door}, beginRegistrations(tx, rt, a, h)
	}
	return nil, ProblemStayUnknown.Error(gateway.Text{})
}

// finishCheckIn completes a check-in whose pivot staff have seen to: what is missing is sent, each once. The key is cut by
// hand, since nobody knows whether the guest still stands at the kiosk.
func finishCheckIn(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	h, ok, err := heldOf(f)
	if err != nil || !ok || h.Room.ID == "" {
		return nil, fmt.Errorf("cannot finish a check-in: what was held is not known any more: %w", err)
	}
	if n, err := tx.Exec(`UPDATE stays SET state = $1, in_at = $2 WHERE id = $3 AND run = $4 AND state IN ($5, $6)`, stayIn, h.At.UnixMilli(), h.Stay,
		h.Journey, stayHeld, stayIn); err != nil || n == 0 {
		if err == nil {
			err = ProblemStayOver.Error(gateway.Text{})
		}
		return nil, err
	}
	if err := rt.Engine.Deliver(tx, Entrance{Hotel: h.Hotel, Booking: h.Booking.ID}.key(), checkInWithin); err != nil {
		return nil, err
	}
	if err := keyByHand(tx, rt, a, h); err != nil {
		return nil, err
	}
	return stayBody{Stay: h.Stay, Room: h.Room.Number}, beginRegistrations(tx, rt, a, h)
}

// checkInWithin is when a check-in that staff have had finished has to be at the hotel's system.
const checkInWithin = 15 * time.Minute

// callOff gives the stay up and has undone what was done for it.
func callOff(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	h, ok, err := heldOf(f)
	if err != nil || !ok {
		return nil, fmt.Errorf("cannot call a check-in off: what was held is not known any more: %w", err)
	}
	if _, err := release.Run(tx, h); err != nil {
		return nil, err
	}
	return nil, rt.Engine.TakeBack(tx, a.Run)
}
