package rooms

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/place"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/event"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Settings is the section rooms of a hotel's file.
type Settings struct {
	At       Point             `yaml:"at"`
	Currency string            `yaml:"currency"` // ISO 4217; prices in another one are shown, and not compared
	Kinds    map[string]OfKind `yaml:"kinds"`    // by the hotel's codes
	Push     Push              `yaml:"push"`
	Cancel   CancelRule        `yaml:"cancel"` // until when a booking can be called off
	Keep     BookingKeep       `yaml:"keep"`   // how long the ledger keeps bookings

	bookable *atomic.Bool // its connector can book, as that has said
}

// Point is where a hotel stands, in degrees of WGS 84.
type Point struct {
	Lat *float64 `yaml:"lat"` // north, -90 to 90
	Lon *float64 `yaml:"lon"` // east, -180 to 180
}

// OfKind is what a citizen needs to know of a kind of room and the hotel's system doesn't say.
type OfKind struct {
	Name       gateway.Text `yaml:"name"`       // in both languages; neither: what the system calls it
	Guests     int          `yaml:"guests"`     // that one room takes; 0: what the system says
	Accessible bool         `yaml:"accessible"` // for a wheelchair
}

// Push is what the events are worth that the hotel's system tells on its own.
type Push struct {
	// Fresh is for how long a night that was told of is good without asking: the hotel tells of every change, and of every
	// night again within this time. At most a day; 0: what is told answers no stay alone.
	Fresh time.Duration `yaml:"fresh"`
}

// Validate reports every mistake as a *gateway.FieldError, joined.
func (s *Settings) Validate() error {
	var wrong flow.Mistakes
	there := s.At.Lat != nil && s.At.Lon != nil
	wrong.Refuse(!there, "at", "must say where the hotel stands: lat and lon, in degrees")
	wrong.Refuse(there && !place.OnEarth(*s.At.Lat, *s.At.Lon), "at", "must be a lat of -90 to 90 and a lon of -180 to 180")
	wrong.Refuse(!isCurrency(s.Currency), "currency", "must be three capitals of ISO 4217, is %q", s.Currency)
	wrong.Refuse(s.Push.Fresh < 0 || s.Push.Fresh > event.MaxAge, "push.fresh", "must be 0s to %s, is %s", event.MaxAge, s.Push.Fresh)
	for _, code := range slices.Sorted(maps.Keys(s.Kinds)) {
		k := s.Kinds[code]
		wrong.Refuse((k.Name.Zh == "") != (k.Name.En == ""), "kinds."+code+".name", "must be there in zh and en, or not at all")
		wrong.Refuse(k.Guests < 0 || k.Guests > maxGuests, "kinds."+code+".guests", "must be 1 to %d, is %d", maxGuests, k.Guests)
	}
	s.Cancel.check(&wrong)
	s.Keep.check(&wrong)
	return wrong.Err()
}

func isCurrency(s string) bool {
	return len(s) == 3 && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < 'A' || c > 'Z' })
}

// settingsOf returns the settings of a hotel that has a section rooms.
func settingsOf(v *gateway.Venue) *Settings { return v.Section(Section).(*Settings) }

// canBook reports whether the hotel's connector can book.
func (s *Settings) canBook() bool { return s.bookable != nil && s.bookable.Load() }

// readSettings reads and checks the section. What is not said has the values of defaults.
func readSettings(decode func(into any) error) (any, error) {
	return flow.ReadSettings(&Settings{Currency: "CNY", Push: Push{Fresh: time.Hour}, Cancel: usualCancelRule(), Keep: usualBookingKeep(), bookable: &atomic.Bool{}}, decode)
}

// complete adds to an offer what the hotel's file knows of its kind.
func (s *Settings) complete(o *offer.Offer) {
	if k, ok := s.Kinds[o.Kind]; ok {
		o.Accessible = o.Accessible || k.Accessible
		if k.Guests > 0 {
			o.Guests = k.Guests
		}
	}
}

// names are what the hotel's kinds of rooms are called here.
func (s *Settings) names() map[string]gateway.Text {
	var all map[string]gateway.Text
	for code, k := range s.Kinds {
		if k.Name.Zh == "" {
			continue
		}
		if all == nil {
			all = make(map[string]gateway.Text, len(s.Kinds))
		}
		all[code] = k.Name
	}
	return all
}
