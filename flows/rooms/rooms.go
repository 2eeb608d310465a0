// Package rooms finds citizens a room within ten seconds: every hotel of a circle is asked at once, what is known is used
// for as long as it is good, and whatever the answer lacks it says.
//
// # How a search ends
//
//	found          200  the hotels that have a room, each with when that was known; complete says that no hotel of the
//	                    circle is missing, and missing names those that are, with the reason
//	unchanged      304  the client has the same answer already
//	refused        400  a parameter that is not right, named, with what it may be
//
// It waits for no hotel longer than its slice: who has not answered is missing, and is not said to be full. It changes
// nothing and keeps nothing in the ledger.
//
// # What is known, and for how long
//
// A hotel's answer for a stay is fresh, then stale, then gone: by the cache policy of the step offers. What is fresh or stale
// is answered at once, from fragments that were encoded when they came (package sheet); what is stale is asked for again
// behind the answer, by a plan of its own. What is gone is asked for while the citizen waits.
//
// # What hotels tell on their own
//
// A hotel's system may tell of its nights by events (push.go, package known). What covers a stay answers it without asking;
// an answer of the hotel and what it has told are settled by time, night by night, and where one calls a kind free and the
// other full the hotel says so in its contradictions. Each event renews what is kept, here and at the other replicas.
//
// # What bookings change
//
// A booking that is made, or called off, ends what is known of its nights at its hotel, here and at the other replicas, before
// anybody is told of it (book_moved.go): whoever searches again finds one room less, or one more.
package rooms

import (
	_ "embed"
	"sync/atomic"

	"github.com/warmgate/warmgate/flows/rooms/known"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

//go:embed openapi.yaml
var document []byte

// Kind is the kind of venue that this journey serves, Section the section of a hotel's file that says so.
const (
	Kind    = "hotel"
	Section = "rooms"
)

// Ask is a question to one hotel.
type Ask struct {
	Hotel string
	Stay  offer.Stay
	Moved uint64 // what bookings of ours have changed of it since we began; 0: nothing
}

// operations are what the journey needs of other systems, in its own words.
type operations struct {
	offers  *call.Read[Ask, offer.Answer]
	booking *booking
}

func newOperations() operations {
	return operations{
		offers: call.NewRead("rooms.offers", call.ReadSpec[Ask, offer.Answer]{
			Key: func(k *call.Key, a Ask) {
				k.Int(int64(a.Stay.Arrival))
				k.Int(int64(a.Stay.Nights))
				k.Int(int64(a.Stay.Guests))
				if a.Moved != 0 {
					k.Int(int64(a.Moved))
				}
			},
			Size:  sizeOf,
			Share: call.JSON[offer.Answer](),
		}),
	}
}

// sizeOf is about how many bytes an answer holds.
func sizeOf(a offer.Answer) int {
	n := 64
	for i := range a.Offers {
		o := &a.Offers[i]
		n += 112 + len(o.Kind) + len(o.Name) + len(o.Plan)
	}
	return n
}

// The plans and their step.
const (
	searchPlan  = "rooms-search"
	refreshPlan = "rooms-refresh"
	stepOffers  = "offers"
)

// maxAsked is how many hotels one search asks, the nearest; those behind it are missing, and the next search finds what
// this one has brought.
const maxAsked = 2000

// plan declares the search, or what refreshes behind it: they differ in their time alone.
func (o operations) plan(name string) (*journey.Plan[[]Ask, []journey.Result[offer.Answer]], error) {
	return journey.Define(name, func(b *journey.Builder, in journey.Ref[[]Ask]) journey.Ref[[]journey.Result[offer.Answer]] {
		return journey.Gather(b, stepOffers, o.offers, in, journey.AtMost(maxAsked), journey.At(func(a Ask) string { return a.Hotel }))
	})
}

// live is a plan of this journey under the current configuration.
type live = journey.Live[[]Ask, []journey.Result[offer.Answer]]

// rooms is the journey at work.
type rooms struct {
	ops      operations
	searches *live
	refresh  *live
	cities   atomic.Pointer[map[string]*city] // by tenant
	nowhere  *city                            // of a tenant without a hotel
	behind   chan order
	known    *known.Known // what hotels have told
	moves    moves        // what bookings have changed
}

// New returns the journey for the program.
func New() (*flow.Flow, error) {
	r := &rooms{ops: newOperations(), behind: make(chan order, maxOrders), known: known.New()}
	var err error
	if r.ops.booking, err = newBooking(r.nearby, r.moved); err != nil {
		return nil, err
	}
	for name, to := range map[string]**live{searchPlan: &r.searches, refreshPlan: &r.refresh} {
		plan, err := r.ops.plan(name)
		if err != nil {
			return nil, err
		}
		*to = journey.NewLive(plan)
	}
	r.nowhere = newCity("", nil)
	r.take(nil)
	f := &flow.Flow{
		Name: "rooms", Plans: []flow.Plan{r.searches, r.refresh}, Document: document,
		Venues: &flow.VenueKind{Kind: Kind, Section: Section, Settings: readSettings, Taken: r.take, Roles: map[string]map[string]flow.Connect{
			"pms": {"ohip": r.bound(connectOHIP), "apaleo": r.bound(connectApaleo)},
		}},
		Routes: r.routes, Work: r.work,
		Problems: []*gateway.Problem{ProblemNoRooms, ProblemKindUnknown, ProblemFull},
		Events:   map[string]flow.TakeEvent{EventNight: r.takeNight}, Whole: r.whole,
	}
	return f, r.ops.booking.join(f)
}

// bound makes an adapter the program's.
func (r *rooms) bound(connect func(operations, *gateway.Venue, flow.Connection, *call.Bindings) (func(), error)) flow.Connect {
	return func(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
		return connect(r.ops, v, to, b)
	}
}
