package checkin

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

// Arrival is a party at a kiosk. It holds nothing that outlives the call but what its JSON has: faces are never kept.
type Arrival struct {
	Journey      string    `json:"journey"`
	Hotel        string    `json:"hotel"`
	Kiosk        string    `json:"kiosk"`
	At           time.Time `json:"at"`
	Day          string    `json:"day"` // of the hotel's business: before its night ends it is still yesterday
	Confirmation string    `json:"confirmation,omitempty"`
	Guests       []Guest   `json:"guests,omitempty"` // who leads the party first
	Wishes       Wishes    `json:"wishes,omitzero"`
	Person       bool      `json:"person,omitzero"` // a member of staff is asked for, whatever the reason

	venue   *gateway.Venue
	allowed map[string][]string // what staff have vouched for, by kind: the bookings
}

// Guest is one person with a document.
type Guest struct {
	Hash     []byte   `json:"hash"` // keyed, of the document's type and number
	Document Document `json:"document"`
	Vouched  bool     `json:"vouched,omitzero"` // a member of staff has compared guest and document

	face, portrait []byte // never kept
}

// Document is what a document says.
type Document struct {
	Type        string `json:"type"`
	Number      string `json:"number"`
	Name        string `json:"name"`
	LatinName   string `json:"latin_name,omitempty"`
	Nationality string `json:"nationality"` // three capitals
	BirthDate   string `json:"birth_date"`
	Sex         string `json:"sex"`
	ExpiresOn   string `json:"expires_on,omitempty"` // "": it does not expire
}

// The types of documents.
const (
	residentID     = "resident-id"
	passport       = "passport"
	hkMacaoPermit  = "hk-macao-permit"
	taiwanPermit   = "taiwan-permit"
	foreignersCard = "foreigners-card"
)

// Wishes are honoured where a room is free that fits them, and never stand in the way.
type Wishes struct {
	Floor string `json:"floor,omitempty"`
	Near  string `json:"near,omitempty"` // another room's number
}

// Recalled is what the ledger knows of the party before anybody is asked.
type Recalled struct {
	Vouches []Vouch `json:"vouches"`
}

// Vouch is what a member of staff has settled about a guest.
type Vouch struct {
	Guest   []byte
	Kind    string // of the assist that was settled by it
	Booking string
}

// seenKinds are the kinds of assist whose settlement means that staff have compared the guest with the document.
func seenKinds() []string {
	return []string{handMismatch.Kind, handIdentityDown.Kind, handExpired.Kind, handMinor.Kind, handForeign.Kind, handName.Kind}
}

// about says of a handover whom it is about and where they wait: a party that touches the kiosk again waits for the same
// person. Other errors stay as they are.
func about(kiosk string, guests []Guest, err error) error {
	h, ok := errors.AsType[journey.Handover](err)
	if !ok {
		return err
	}
	h.Subject, h.Place = "kiosk "+kiosk, kiosk
	if len(guests) > 0 {
		h.Subject = "guest " + hex.EncodeToString(guests[0].Hash)
	}
	return h
}

// screen decides what needs no question: who wants a person, and whose document a front desk would look at itself. What
// staff have vouched for is believed.
func screen(a Arrival, known journey.Result[Recalled]) (Arrival, error) {
	out, err := screenParty(a, known)
	return out, about(a.Kiosk, a.Guests, err)
}

func screenParty(a Arrival, known journey.Result[Recalled]) (Arrival, error) {
	if a.Person {
		return a, handRequested
	}
	a.allowed = map[string][]string{}
	a.Guests = slices.Clone(a.Guests)
	for _, v := range known.Value.Vouches {
		for i := range a.Guests {
			if string(a.Guests[i].Hash) != string(v.Guest) {
				continue
			}
			a.allowed[v.Kind] = append(a.allowed[v.Kind], v.Booking)
			a.Guests[i].Vouched = a.Guests[i].Vouched || slices.Contains(seenKinds(), v.Kind)
		}
	}
	for i := range a.Guests {
		if a.Guests[i].Vouched {
			continue
		}
		if err := screenDocument(a.Guests[i].Document, a); err != nil {
			return a, err
		}
	}
	return a, nil
}

func screenDocument(d Document, a Arrival) error {
	today := a.At.Format(time.DateOnly)
	age, err := person.Age(d.BirthDate, today)
	switch {
	case d.ExpiresOn != "" && d.ExpiresOn < today:
		return handExpired
	case err != nil || age < adultAge:
		return handMinor
	case d.Type == passport && d.Nationality != "CHN" && settingsOf(a.venue).Passports == byPerson:
		return handForeign
	}
	return nil
}

// adultAge is when a guest may stay without a front desk asking about those who care for them.
const adultAge = 18

// Verified is what the identity service measured of one guest.
type Verified struct {
	Score   float64 `json:"score"`
	Live    bool    `json:"live"`
	Valid   bool    `json:"valid"`             // the document, as far as its issuer knows
	Expired bool    `json:"expired,omitzero"`  // the document, as its issuer says
	Adult   bool    `json:"adult"`             // by the issuer's books where it is known
	Refused string  `json:"refused,omitempty"` // why nothing could be measured
}

// Why an identity service can measure nothing, as the adapters give it: what the guest can mend at once.
const (
	faceUnreadable  = "face"
	severalFaces    = "several-faces"
	numberInvalid   = "number"
	documentUnclear = "document"
)

// atHotel is what the hotel's system said.
type atHotel struct {
	bookings journey.Result[[]Booking]
	rooms    journey.Result[Rooms]
}

func atDesk(b journey.Result[[]Booking], r journey.Result[Rooms]) (atHotel, error) {
	return atHotel{bookings: b, rooms: r}, nil
}

// facing is the party with what was measured of its faces.
type facing struct {
	Arrival
	seen journey.Result[[]Verified]
}

func withFaces(a Arrival, v journey.Result[[]Verified]) (facing, error) {
	return facing{Arrival: a, seen: v}, nil
}
