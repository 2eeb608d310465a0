package rooms

import (
	"errors"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
)

func TestSettings(t *testing.T) {
	at := func(lat, lon float64) Point { return Point{&lat, &lon} }
	for _, c := range []struct {
		what, path string
		s          Settings
	}{
		{"good", "", Settings{At: at(0, 0), Currency: "CNY", Kinds: map[string]OfKind{"STD": {Name: gateway.Text{Zh: "标", En: "S"}, Guests: 2}, "X": {}}}},
		{"nowhere", "at", Settings{Currency: "CNY"}},
		{"half a place", "at", Settings{At: Point{Lat: at(1, 1).Lat}, Currency: "CNY"}},
		{"off the earth", "at", Settings{At: at(120.15, 30.25), Currency: "CNY"}},
		{"no money", "currency", Settings{At: at(0, 0), Currency: "yuan"}},
		{"a name in one language", "kinds.STD.name", Settings{At: at(0, 0), Currency: "CNY", Kinds: map[string]OfKind{"STD": {Name: gateway.Text{Zh: "标"}}}}},
		{"a hall", "kinds.STD.guests", Settings{At: at(0, 0), Currency: "CNY", Kinds: map[string]OfKind{"STD": {Guests: 21}}}},
		{"called off yesterday", "cancel.free_until", Settings{At: at(0, 0), Currency: "CNY", Cancel: CancelRule{FreeUntil: -1}}},
		{"forgotten at once", "keep.bookings", Settings{At: at(0, 0), Currency: "CNY", Keep: BookingKeep{time.Hour}}},
		{"never forgotten", "keep.bookings", Settings{At: at(0, 0), Currency: "CNY", Keep: BookingKeep{maxBookingKeep + 1}}},
	} {
		if c.s.Keep == (BookingKeep{}) {
			c.s.Keep = usualBookingKeep()
		}
		wrong, ok := errors.AsType[*gateway.FieldError](c.s.Validate())
		if ok != (c.path != "") || ok && wrong.Path != c.path {
			t.Errorf("%s: %v", c.what, wrong)
		}
	}
}

// TestAnOfferIsCompletedByTheHotelsFile, which never takes away what the system says.
func TestAnOfferIsCompletedByTheHotelsFile(t *testing.T) {
	s := Settings{Kinds: map[string]OfKind{"STD": {Guests: 3, Accessible: true}, "TWN": {}}}
	for _, c := range []struct{ is, want offer.Offer }{
		{offer.Offer{Kind: "STD", Guests: 2}, offer.Offer{Kind: "STD", Guests: 3, Accessible: true}},
		{offer.Offer{Kind: "TWN", Guests: 2, Accessible: true}, offer.Offer{Kind: "TWN", Guests: 2, Accessible: true}},
		{offer.Offer{Kind: "DLX"}, offer.Offer{Kind: "DLX"}},
	} {
		if s.complete(&c.is); c.is != c.want {
			t.Errorf("%+v, want %+v", c.is, c.want)
		}
	}
}
