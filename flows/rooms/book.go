package rooms

import (
	"cmp"
	"embed"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Wish is a room that somebody has found and wants to book.
type Wish struct {
	Journey   string        `json:"journey"`
	Hotel     string        `json:"hotel"`
	Reference string        `json:"reference"` // ours, by which the hotel's system knows the booking
	Owner     []byte        `json:"owner"`     // keyed hash of who books
	Alike     []byte        `json:"alike"`     // keyed hash of who books what: two wishes that are alike are one
	At        time.Time     `json:"at"`        // in the hotel's zone
	FreeUntil time.Time     `json:"free_until"`
	Stay      offer.Stay    `json:"stay"`
	Kind      string        `json:"kind"` // the hotel's code of the kind of room
	Plan      string        `json:"plan"` // likewise of the rate plan
	Price     gateway.Money `json:"price"`
	Guest     Guest         `json:"guest"`

	venue *gateway.Venue
}

// Guest is the person in whose name a room is booked.
type Guest struct {
	Name  string `json:"name"`                 // as in the document
	Latin string `json:"latin_name,omitempty"` // the same in Latin letters, the family name first; "": not said
}

// Agreed is a wish that the hotel can fulfil, by what it has said a moment ago.
type Agreed struct {
	Wish
	Offer offer.Offer `json:"offer"`

	others []offer.Offer // what else the hotel has
}

// Reserved is what the hotel's system has made of a wish.
type Reserved struct {
	Reservation  string        `json:"reservation"` // its own identifier
	Confirmation string        `json:"confirmation"`
	Total        gateway.Money `json:"total"` // what it is going to cost there; no currency: not said
}

// Booked is a booking that stands.
type Booked struct {
	Agreed
	Reserved
}

// Alternative is a room that whoever finds theirs gone may have instead.
type Alternative struct {
	Hotel    string        `json:"hotel"`
	Kind     string        `json:"kind"`
	Plan     string        `json:"plan"`
	Name     string        `json:"name,omitempty"`
	Price    gateway.Money `json:"price,omitzero"` // of the whole stay
	Distance int           `json:"distance_m,omitzero"`
	AsOf     time.Time     `json:"as_of"`
}

// Near finds rooms in other hotels for a stay, the nearest first, among what is known now: it waits for nothing. most is
// how many at most.
type Near func(hotel *gateway.Venue, stay offer.Stay, most int, now time.Time) []Alternative

// maxAlternatives are told to whoever finds their room gone.
const maxAlternatives = 5

// The steps of the plans, and the plans.
const (
	planBooking = "booking"
	stepHold    = "hold"
	stepBook    = "book"
	stepKeep    = "keep"

	planCallOff = "booking-cancel"
	stepCallOff = "call-off"
	stepCancel  = "cancel"
	stepEnd     = "end"
)

// Why a hotel's system does not do what it is asked for.
const (
	refusedGone   = "gone"
	refusedPrice  = "price"
	refusedStayed = "in-house"
	refusedOther  = "other"
)

// booking is the half of the journey that books and calls off.
type booking struct {
	look   *call.Read[Wish, offer.Answer]
	book   *call.Write[Agreed, Reserved]
	unbook *call.Write[Agreed, Reserved]
	cancel *call.Write[CallingOff, struct{}]
	near   Near
	moved  func(hotel string, stay offer.Stay) // is told of what is changed, or found to be another; it does not block

	bookings *journey.Live[Wish, Booked]
	callOffs *journey.Live[CallOff, CalledOff]
}

func newBooking(near Near, moved func(hotel string, stay offer.Stay)) (*booking, error) {
	o := &booking{
		// Without a key: what is booked is looked at as it is now, by everybody for themselves.
		look:   call.NewRead("booking.look", call.ReadSpec[Wish, offer.Answer]{}),
		book:   call.NewWrite[Agreed, Reserved]("booking.book", call.WriteSpec[Agreed]{Key: Agreed.key}),
		unbook: call.NewWrite[Agreed, Reserved]("booking.unbook", call.WriteSpec[Agreed]{Key: Agreed.key}),
		cancel: call.NewWrite[CallingOff, struct{}]("booking.cancel", call.WriteSpec[CallingOff]{Key: CallingOff.key}),
		near:   near,
		moved:  moved,
	}
	in, err := o.plan()
	if err != nil {
		return nil, err
	}
	out, err := o.callOffPlan()
	if err != nil {
		return nil, err
	}
	o.bookings, o.callOffs = journey.NewLive(in), journey.NewLive(out)
	return o, nil
}

// join adds what books and calls off to the flow.
func (o *booking) join(f *flow.Flow) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	before := f.Routes
	f.Routes = func(rt *flow.Runtime) []edge.Route { return append(before(rt), o.routes(rt)...) }
	f.Migrations = append(f.Migrations, ledger.Migrations{Name: "rooms", FS: files})
	f.Plans = append(f.Plans, o.bookings, o.callOffs)
	f.Problems = append(f.Problems, bookingProblems()...)
	f.Assists = append(f.Assists, bookingAssists()...)
	f.Steps, f.Purposes = bookingSteps(), bookingPurposes()
	return nil
}

func (a Agreed) key() string { return "book/" + a.Hotel + "/" + a.Reference }

// plan declares how a room is booked: looked at, held in the ledger, booked at the hotel's system, and kept with its
// confirmation number, which is the pivot. Where the hotel's answer is not known in time the answer is a 202: the wish stays
// held, a person has it, and the hotel goes on being asked. What it turns out to have booked is kept for the guest, and the
// journey says "booked" (book_late.go); what it has not can be booked again. Only where a person, or a gateway that died
// before it could answer anything, gives the wish up is a booking taken back: never one whose number somebody was told.
func (o *booking) plan() (*journey.Plan[Wish, Booked], error) {
	return journey.Define(planBooking, func(b *journey.Builder, in journey.Ref[Wish]) journey.Ref[Booked] {
		seen := journey.Ask(b, "look", o.look, in, journey.Refuse(gateway.ProblemBackendUnavailable))
		agreed := journey.Join(b, "agree", in, seen, o.agree)
		held := journey.Record(b, stepHold, hold, agreed, journey.UndoRecord(release))
		// A refusal that knows more, the alternatives or the new price, brings its own words.
		made := journey.Commit(b, stepBook, o.book, held, journey.Undo(o.unbook), journey.Without(),
			journey.Refusals(map[string]*gateway.Problem{"": ProblemBookingRefused, refusedGone: ProblemRoomGone, refusedPrice: ProblemPriceChanged}),
			journey.Disclose("book the room", "guest.name"))
		booked := journey.Join(b, "confirm", held, made, confirm)
		return journey.Record(b, stepKeep, keep, booked, journey.Pivot(), journey.Interrupted(handInterrupted))
	})
}

// agree holds the wish against what the hotel has now; what is gone is refused with what can be had instead.
func (o *booking) agree(w Wish, seen offer.Answer) (Agreed, error) {
	a, err := agreed(w, seen)
	if errors.Is(err, errGone) {
		err = o.gone(a)
	}
	return a, err
}

// errGone: what was wished for cannot be had any more.
var errGone = errors.New("the room is gone")

// agreed is what can be booked of a wish: a room that is gone or dearer cannot. One that is cheaper can, for what it costs now.
func agreed(w Wish, seen offer.Answer) (Agreed, error) {
	a := Agreed{Wish: w, others: seen.Offers}
	at := slices.IndexFunc(seen.Offers, func(f offer.Offer) bool { return f.Kind == w.Kind && f.Plan == w.Plan })
	if at < 0 || seen.Offers[at].Free < 1 || seen.Offers[at].Total.Currency == "" {
		return a, errGone
	}
	a.Offer = seen.Offers[at]
	if dearer(a.Offer.Total, w.Price) {
		return a, priceChanged(a.Offer.Total)
	}
	return a, nil
}

// dearer reports whether a price is more than was agreed, or cannot be compared with it.
func dearer(price, agreed gateway.Money) bool {
	return price.Currency != agreed.Currency || price.Minor > agreed.Minor
}

// gone is the refusal of a room that cannot be had any more, with what can: in the same hotel by price, then nearby.
func (o *booking) gone(a Agreed) error {
	all := []Alternative{}
	for _, f := range a.others {
		if f.Free > 0 && f.Total.Currency != "" && (f.Kind != a.Kind || f.Plan != a.Plan) {
			all = append(all, Alternative{Hotel: a.Hotel, Kind: f.Kind, Plan: f.Plan, Name: f.Name, Price: f.Total, AsOf: a.At})
		}
	}
	slices.SortStableFunc(all, func(x, y Alternative) int {
		return cmp.Compare(distance(x.Price, a.Price), distance(y.Price, a.Price))
	})
	all = all[:min(len(all), maxAlternatives)]
	if more := maxAlternatives - len(all); more > 0 {
		all = append(all, o.near(a.venue, a.Stay, more, a.At)...)
	}
	return ProblemRoomGone.Error(gateway.Text{}).With("alternatives", all)
}

// distance is how far two prices are from each other.
func distance(a, b gateway.Money) int64 { return max(a.Minor-b.Minor, b.Minor-a.Minor) }

func priceChanged(now gateway.Money) error {
	return ProblemPriceChanged.Error(gateway.Text{}).WithField("price").With("price", now)
}

// confirm holds what the hotel's system has booked against what was agreed: one that is dearer after all is taken back. What
// is not known to be booked is a person's.
func confirm(a Agreed, made Reserved) (Booked, error) {
	b := Booked{Agreed: a, Reserved: made}
	if made.Confirmation == "" {
		unclear := handUnclear
		unclear.Subject = a.Reference
		return b, unclear
	}
	if b.Total.Currency == "" {
		b.Total = a.Offer.Total
	}
	if dearer(b.Total, a.Price) {
		return b, priceChanged(b.Total)
	}
	return b, nil
}
