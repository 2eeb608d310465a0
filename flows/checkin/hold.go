package checkin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Held is what the ledger has decided about a claim: a stay with rooms that nobody else gets.
type Held struct {
	Journey string    `json:"journey"`
	Hotel   string    `json:"hotel"`
	Kiosk   string    `json:"kiosk"`
	Stay    string    `json:"stay"`
	At      time.Time `json:"at"`
	Booking Booking   `json:"booking"`
	Guests  []Guest   `json:"guests"`
	Offers  []Room    `json:"offers,omitempty"`
	Room    Room      `json:"room,omitzero"` // the one that the hotel's system has given
	Again   bool      `json:"again,omitzero"`
	Keys    int       `json:"keys,omitzero"` // of an earlier check-in
	KeysEnd time.Time `json:"keys_end"`
	Encoder string    `json:"encoder,omitempty"`
}

const (
	maxOffers      = 3 // rooms that the hotel's system is asked for, one after the other
	maxGuestsLimit = 6
)

// vacantFor is how long after a check-in the hotel's system is believed that the guest's room is free again: staff have
// moved them.
const vacantFor = 15 * time.Minute

// look finds which of a few rooms are free tonight.
type look func(tx *ledger.Tx, c Claim, rooms []Room) ([]Room, error)

// holdAfter gives the booking its stay and holds rooms for it, all nights or none, of those that free finds. It decides by
// reading first, so that a refusal holds nothing.
func holdAfter(free look) *ledger.Decision[Claim, Held] {
	return &ledger.Decision[Claim, Held]{Name: "checkin.hold", Run: func(tx *ledger.Tx, c Claim) (Held, error) { return hold(tx, c, free) }}
}

func hold(tx *ledger.Tx, c Claim, free look) (Held, error) {
	h := Held{Journey: c.Journey, Hotel: c.Hotel, Kiosk: c.Kiosk, Stay: c.Journey, At: c.At, Booking: c.Booking, Guests: c.Guests,
		KeysEnd: c.KeysEnd, Encoder: c.Encoder}
	before, found, err := stayOf(tx, c.Hotel, c.Booking.ID)
	if err != nil {
		return h, err
	}
	if found {
		return h, again(tx, c, before, &h)
	}
	if c.Booking.State == stateInHouse {
		return h, ledger.Keep(ProblemAlreadyIn.Error(gateway.Text{}).WithField("booking"))
	}
	if h.Booking.Room, err = heldBefore(tx, c); err != nil {
		return h, err
	}
	rooms := vacancies{tx: tx, c: c, free: free, left: c.Offers}
	first, err := rooms.several(2*maxOffers - 1)
	if err != nil {
		return h, err
	}
	if len(first) == 0 {
		return h, ledger.Keep(about(c.Kiosk, c.Guests, handNoRoom))
	}
	n, err := tx.Exec(`INSERT INTO stays (`+stayColumns+`) VALUES ($1, $2, $3, $4, $5, '', '', $6, $7, $8, 0, 0, '') ON CONFLICT DO NOTHING`,
		h.Stay, c.Hotel, c.Booking.ID, c.Journey, stayHeld, c.Day, c.Booking.Leaves, c.At.UnixMilli())
	if err != nil {
		return h, err
	}
	if n == 0 { // another writer was faster
		return h, journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	}
	if err := keepGuests(tx, h); err != nil {
		return h, err
	}
	return h, holdRooms(&rooms, first, &h)
}

// heldBefore returns the room that the hotel has given the booking: not one that an earlier journey was given and had taken
// back, which may still have been there when the booking was read.
func heldBefore(tx *ledger.Tx, c Claim) (string, error) {
	if c.Booking.Room == "" {
		return "", nil
	}
	_, ours, err := ledger.FindOperation(tx, Assignment{Hotel: c.Hotel, Booking: c.Booking.ID, Room: c.Booking.Room}.key())
	if err != nil || ours {
		return "", err
	}
	return c.Booking.Room, nil
}

// holdRooms holds the first rooms that are free for every night: never more than half of what there is, so that the next
// guest finds one too.
func holdRooms(rooms *vacancies, free []Room, h *Held) error {
	most := min(maxOffers, (len(free)+1)/2)
	nights := nightsOf(rooms.c.Booking, rooms.c.Day)
	for len(free) > 0 {
		for _, r := range free {
			if len(h.Offers) == most {
				return nil
			}
			ok, err := takeNights(rooms.tx, h.Hotel, h.Stay, r.ID, nights)
			if err != nil {
				return err
			}
			if ok {
				h.Offers = append(h.Offers, r)
			}
		}
		var err error
		if free, err = rooms.several(1); err != nil {
			return err
		}
	}
	if len(h.Offers) == 0 { // free tonight, and given for a later night
		return about(h.Kiosk, h.Guests, handNoRoom) // not kept: the stay must not be
	}
	return nil
}

// vacancies are the rooms on offer that are free tonight, in their order. They are looked up a few at a time: a hotel has
// hundreds, and its years have more nights still.
type vacancies struct {
	tx   *ledger.Tx
	c    Claim
	free look
	left []Room // not looked at
}

const lookAt = 8 // rooms at once

// several returns the next n that are free, or somewhat more; fewer where there are no more.
func (v *vacancies) several(n int) (all []Room, err error) {
	for len(all) < n && len(v.left) > 0 && err == nil {
		var some []Room
		few := v.left[:min(lookAt, len(v.left))]
		v.left = v.left[len(few):]
		some, err = v.free(v.tx, v.c, few)
		all = append(all, some...)
	}
	return all, err
}

// takeNights gives a stay all nights of a room, or none.
func takeNights(tx *ledger.Tx, hotel, stay, room string, nights []string) (bool, error) {
	var taken int64
	for part := range slices.Chunk(nights, 100) {
		var q strings.Builder
		q.WriteString(`INSERT INTO room_nights (venue, room, stay, night) VALUES `)
		args := []any{hotel, room, stay}
		for i, night := range part {
			if i > 0 {
				q.WriteByte(',')
			}
			args = append(args, night)
			q.WriteString(`($1, $2, $3, $` + strconv.Itoa(len(args)) + `)`)
		}
		n, err := tx.Exec(q.String()+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return false, err
		}
		taken += n
	}
	if taken == int64(len(nights)) {
		return true, nil
	}
	_, err := tx.Exec(`DELETE FROM room_nights WHERE stay = $1 AND room = $2`, stay, room)
	return false, err
}

// freeTonight is the look at the ledger. Where the hotel's system says of a room that it is ready and free although the guest
// of an earlier check-in should be in it, staff have moved that guest.
func freeTonight(tx *ledger.Tx, c Claim, rooms []Room) ([]Room, error) {
	args := []any{c.Hotel, nightsOf(c.Booking, c.Day)[0]}
	for i := range lookAt {
		args = append(args, rooms[min(i, len(rooms)-1)].ID)
	}
	found, err := tx.Query(`SELECT n.room, s.id, s.state, s.in_at FROM room_nights n JOIN stays s ON s.id = n.stay
		WHERE n.venue = $1 AND n.night = $2 AND n.room IN ($3, $4, $5, $6, $7, $8, $9, $10)`, args...)
	if err != nil {
		return nil, err
	}
	taken, moved := map[string]bool{}, map[string]string{}
	for found.Next() {
		var room, id, state string
		var in int64
		if err := found.Scan(&room, &id, &state, &in); err != nil {
			return nil, errors.Join(err, found.Close())
		}
		if (state == stayIn || state == stayLeaving) && c.At.Sub(time.UnixMilli(in)) > vacantFor && slices.ContainsFunc(rooms, func(r Room) bool { return r.ID == room && r.Free }) {
			moved[room] = id
			continue
		}
		taken[room] = true
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		return nil, err
	}
	for room, id := range moved {
		if _, err := tx.Exec(`DELETE FROM room_nights WHERE stay = $1 AND room = $2`, id, room); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(rooms), func(r Room) bool { return taken[r.ID] }), nil
}

func keepGuests(tx *ledger.Tx, h Held) error {
	for i, g := range h.Guests {
		_, err := tx.Exec(`INSERT INTO stay_guests (stay, n, venue, guest, registration) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			h.Stay, i, h.Hotel, g.Hash, registrationKey(h, g))
		if err != nil {
			return err
		}
	}
	return nil
}

// registrationKey is what the police know a guest's stay by: opaque, and the same however often it is sent.
func registrationKey(h Held, g Guest) string {
	sum := sha256.Sum256([]byte(h.Hotel + "\x00" + h.Booking.ID + "\x00" + string(g.Hash)))
	return "stay-" + hex.EncodeToString(sum[:20])
}

// again answers a party whose booking has a stay already.
func again(tx *ledger.Tx, c Claim, s stay, h *Held) error {
	if err := standing(tx, s); err != nil {
		return err
	}
	hashes, _, err := guestsOf(tx, s.id)
	if err != nil {
		return err
	}
	for _, g := range c.Guests {
		if !slices.Contains(hashes, string(g.Hash)) {
			return ledger.Keep(about(c.Kiosk, c.Guests, handCompanion))
		}
	}
	h.Again, h.Stay, h.Journey, h.At = true, s.id, s.run, s.inAt.In(c.At.Location())
	if s.inAt.UnixMilli() == 0 { // recovery has finished it
		h.At = s.heldAt.In(c.At.Location())
	}
	h.Room = Room{ID: s.room, Number: s.door}
	key, found, err := ledger.FindOperation(tx, keyOrderKey(c.Hotel, c.Booking.ID))
	if found && key.State == ledger.OpDone {
		h.Keys = len(hashes)
	}
	return err
}

func isAgain(h Held) (bool, error) { return h.Again, nil }

// offersOf asks the hotel's system for each held room in turn.
func offersOf(h Held) ([]Assignment, error) {
	var all []Assignment
	for _, r := range h.Offers {
		all = append(all, Assignment{Hotel: h.Hotel, Booking: h.Booking.ID, Room: r.ID, Before: h.Booking.Room})
	}
	return all, nil
}

// giveRoom notes which room the hotel's system has given.
func giveRoom(h Held, a Assigned) (Held, error) {
	i := slices.IndexFunc(h.Offers, func(r Room) bool { return r.ID == a.Room })
	if i < 0 {
		return h, handRoomRefused
	}
	h.Room = h.Offers[i]
	return h, nil
}

// settleRoom keeps the given room and lets the others go.
var settleRoom = &ledger.Decision[Held, Held]{Name: "checkin.room", Run: func(tx *ledger.Tx, h Held) (Held, error) {
	_, err := tx.Exec(`UPDATE stays SET room = $1, door = $2 WHERE id = $3 AND run = $4`, h.Room.ID, h.Room.Number, h.Stay, h.Journey)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM room_nights WHERE stay = $1 AND room <> $2`, h.Stay, h.Room.ID)
	}
	return h, err
}}

// release gives a stay up that never came to be, with its rooms. Nothing changes where it is another journey's, or more
// than held.
var release = &ledger.Decision[Held, int64]{Name: "checkin.release", Run: func(tx *ledger.Tx, h Held) (int64, error) {
	n, err := tx.Exec(`DELETE FROM stays WHERE id = $1 AND run = $2 AND state = $3`, h.Stay, h.Journey, stayHeld)
	if err != nil || n == 0 {
		return 0, err
	}
	for _, table := range []string{"room_nights", "stay_guests"} {
		if _, err := tx.Exec(`DELETE FROM `+table+` WHERE stay = $1`, h.Stay); err != nil {
			return 0, err
		}
	}
	return n, nil
}}
