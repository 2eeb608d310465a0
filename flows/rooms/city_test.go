package rooms

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
)

func hotelAt(id, tenant string, zone *time.Location) *gateway.Venue {
	place := 30.0
	return &gateway.Venue{ID: id, Kind: Kind, Tenant: tenant, Name: gateway.Text{Zh: id, En: id}, Location: zone,
		Sections: map[string]any{Section: &Settings{At: Point{&place, &place}, Currency: "EUR"}}}
}

// TestAReloadKeepsWhatIsKnownOfHotelsThatAreWhatTheyWere, tenant by tenant; another hotel makes another city.
func TestAReloadKeepsWhatIsKnownOfHotelsThatAreWhatTheyWere(t *testing.T) {
	r := &rooms{nowhere: newCity("", nil)}
	if c := r.city("a"); c != r.nowhere || c.Len() != 0 {
		t.Error("there are hotels before there is a configuration")
	}
	a, b, c := hotelAt("a", "a", time.UTC), hotelAt("b", "b", time.UTC), hotelAt("c", "b", time.UTC)
	r.take([]*gateway.Venue{a, b})
	ofA, ofB := r.city("a"), r.city("b")
	r.take([]*gateway.Venue{a, b, c})
	if r.city("a") != ofA || r.city("b") == ofB || r.city("b").Len() != 2 || r.city("c") != r.nowhere {
		t.Error("a hotel more")
	}
	ofB = r.city("b")
	r.take([]*gateway.Venue{a, hotelAt("b", "b", time.UTC), c})
	if r.city("a") != ofA || r.city("b") == ofB {
		t.Error("a hotel that is another")
	}
	r.take([]*gateway.Venue{b})
	if r.city("a") != r.nowhere {
		t.Error("hotels that are gone")
	}
}

// TestTodayIsTheEarliestDayAtAnyHotel: who is late in the evening there may still look for that night.
func TestTodayIsTheEarliestDayAtAnyHotel(t *testing.T) {
	now := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	east, west := time.FixedZone("", 8*3600), time.FixedZone("", -8*3600)
	for want, hotels := range map[string][]*gateway.Venue{
		"2026-12-01": {hotelAt("a", "t", east), hotelAt("b", "t", time.UTC)}, "2026-11-30": {hotelAt("a", "t", east), hotelAt("b", "t", west)},
	} {
		if got := newCity("t", hotels).today(now); got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := newCity("t", nil).today(now); got.String() != "2026-12-01" {
		t.Errorf("without a hotel: %s", got)
	}
}

type plainHasher struct{}

// Hash is no hash.
func (plainHasher) Hash(_ string, parts ...[]byte) (sum [32]byte) {
	for _, part := range parts {
		for i, c := range part {
			sum[i%16] = sum[i%16]*31 + c
		}
	}
	return sum
}

// FuzzCursor: what we made is read as it was; whatever else is sent, nothing is read that we could not have made.
func FuzzCursor(f *testing.F) {
	f.Add("AAAA", int64(5), int32(7), "lakeside")
	f.Fuzz(func(t *testing.T, text string, price int64, metres int32, hotel string) {
		q := sheet.Query{Lat: 30, Lon: 120, Radius: 3000, Stay: offer.Stay{Arrival: 1, Nights: 1, Guests: 1}}
		if at, ok := readCursor(text, plainHasher{}, "t", &q); ok && string(appendCursor(nil, plainHasher{}, "t", &q, at)) != text {
			t.Errorf("%q is read as %+v", text, at)
		}
		if metres < 0 || len(hotel) > 64 {
			return
		}
		at := sheet.Position{Price: price, Metres: metres, Hotel: hotel}
		made := string(appendCursor(nil, plainHasher{}, "t", &q, at))
		if got, ok := readCursor(made, plainHasher{}, "t", &q); !ok || got != at {
			t.Errorf("%+v is read as %+v, %t", at, got, ok)
		}
		if _, ok := readCursor(made, plainHasher{}, "u", &q); ok {
			t.Error("it is read at another tenant")
		}
	})
}
