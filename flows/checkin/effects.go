package checkin

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Assignment gives a booking a room.
type Assignment struct {
	Hotel   string `json:"hotel"`
	Booking string `json:"booking"`
	Room    string `json:"room"`
	Before  string `json:"before,omitempty"` // the room that the booking held: what an undo gives it back
}

func (a Assignment) key() string { return "assign/" + a.Hotel + "/" + a.Booking + "/" + a.Room }

// Assigned is the room that the booking has.
type Assigned struct {
	Room string `json:"room"`
}

// Entrance marks a booking as in house, in the room that it holds.
type Entrance struct {
	Hotel   string `json:"hotel"`
	Booking string `json:"booking"`
	Room    string `json:"room"`
}

func (e Entrance) key() string { return "check-in/" + e.Hotel + "/" + e.Booking }

// Entered is a booking that is in house.
type Entered struct {
	Room string `json:"room"`
}

// Registration tells the police of one guest.
type Registration struct {
	Key       string    `json:"key"` // what they know the stay by
	Room      string    `json:"room"`
	Document  Document  `json:"document"`
	ArrivedAt time.Time `json:"arrived_at"`
	Leaves    string    `json:"leaves"`
	Seen      bool      `json:"seen,omitzero"`  // a member of staff has compared guest and document
	Again     bool      `json:"again,omitzero"` // after the police have asked for that
}

func (r Registration) key() string {
	if r.Again {
		return "register/" + r.Key + "/seen"
	}
	return "register/" + r.Key
}

// KeyOrder asks for the keys of a room.
type KeyOrder struct {
	Hotel   string    `json:"hotel"`
	Booking string    `json:"booking"`
	Room    string    `json:"room"`
	Count   int       `json:"count"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Encoder string    `json:"encoder,omitempty"` // "": the hotel's own choice
}

func (k KeyOrder) key() string { return keyOrderKey(k.Hotel, k.Booking) }

func keyOrderKey(hotel, booking string) string { return "key/" + hotel + "/" + booking }

// Keys are the keys that were made. What opens a door is a secret: it is sealed in the ledger, and told to the kiosk alone.
type Keys struct {
	Count int    `json:"count"`
	Data  string `json:"data,omitempty"` // for an encoder of the kiosk's own
	PIN   string `json:"pin,omitempty"`
}

// keysCut are the keys that an order brings where the encoder at the desk or the kiosk cuts them.
func keysCut(k KeyOrder) Keys { return Keys{Count: k.Count} }

// Why the hotel's system says no, beside journey.Taken.
const (
	refusedNoEncoder = "no-encoder" // this hotel cuts its keys by hand
	refusedState     = "state"      // the booking is not in a state for it
	refusedOther     = "other"
)

// Why the police say no.
const (
	refusedSeeStaff = "see-staff"
	refusedDocument = "document"
)

func entranceOf(h Held) (Entrance, error) {
	return Entrance{Hotel: h.Hotel, Booking: h.Booking.ID, Room: h.Room.ID}, nil
}

// enteredAs waits for the pivot.
func enteredAs(h Held, _ Entered) (Held, error) { return h, nil }

// arrive keeps that the party is in house.
var arrive = &ledger.Decision[Held, Held]{Name: "checkin.arrive", Run: func(tx *ledger.Tx, h Held) (Held, error) {
	_, err := tx.Exec(`UPDATE stays SET state = $1, in_at = $2 WHERE id = $3 AND run = $4 AND state = $5`,
		stayIn, h.At.UnixMilli(), h.Stay, h.Journey, stayHeld)
	return h, err
}}

// registrationsOf is one registration for each guest.
func registrationsOf(h Held, _ Entered) ([]Registration, error) {
	all := make([]Registration, 0, len(h.Guests))
	for _, g := range h.Guests {
		all = append(all, Registration{Key: registrationKey(h, g), Room: h.Room.Number, Document: g.Document, ArrivedAt: h.At.Truncate(time.Second),
			Leaves: h.Booking.Leaves, Seen: g.Vouched})
	}
	return all, nil
}

// registrationDue is when a registration that was left to the outbox has to be with the police.
func registrationDue(v *gateway.Venue) time.Duration { return settingsOf(v).RegistrationDue }

// keyOrderOf is one key a guest, for the whole stay.
func keyOrderOf(h Held, _ Entered) (KeyOrder, error) {
	return KeyOrder{Hotel: h.Hotel, Booking: h.Booking.ID, Room: h.Room.ID, Count: len(h.Guests), From: h.At.Truncate(time.Second),
		To: h.KeysEnd, Encoder: h.Encoder}, nil
}

// CheckedIn is how a check-in ends well.
type CheckedIn struct {
	Held
	Key Keys
}

// inHouse is a party that is in house, with what the police said of each guest.
type inHouse struct {
	Held
	refused bool // the police want a person to look
}

func heardPolice(h Held, all []journey.Result[Done]) (inHouse, error) {
	in := inHouse{Held: h}
	for _, r := range all {
		in.refused = in.refused || r.Err != nil
	}
	return in, nil
}

func welcome(in inHouse, k Keys) (CheckedIn, error) {
	if in.refused {
		return CheckedIn{}, handRegistrationRefused
	}
	return CheckedIn{Held: in.Held, Key: k}, nil
}

func welcomeBack(h Held) (CheckedIn, error) { return CheckedIn{Held: h, Key: Keys{Count: h.Keys}}, nil }

// refusalOf returns the reason of a definite no.
func refusalOf(err error) (string, bool) {
	refused, ok := errors.AsType[*call.Refused](err)
	if !ok {
		return "", false
	}
	return refused.Reason, true
}
