package rooms

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/known"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
)

// TestAnAnswerThatWasOvertakenIsNotKept: what was made of what a hotel had told, and is put after the hotel has told more, is
// looked at anew by the next search; so it is when something may have been missed meanwhile. Else it stays.
func TestAnAnswerThatWasOvertakenIsNotKept(t *testing.T) {
	now := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	stay := offer.Stay{Arrival: offer.DateOf(now) + 1, Nights: 2, Guests: 1}
	night := known.Night{Kind: "STD", Night: stay.Arrival, Free: 1, At: now}
	for what, c := range map[string]struct {
		happens func(r *rooms)
		open    int
	}{
		"nothing":                  {func(*rooms) {}, 0},
		"another hotel tells":      {func(r *rooms) { r.known.Take("b", night, stay.Arrival) }, 0},
		"it tells the same again":  {func(r *rooms) { r.known.Take("a", night, stay.Arrival) }, 0},
		"it tells something later": {func(r *rooms) { n := night; n.Free, n.At = 0, now.Add(time.Second); r.known.Take("a", n, stay.Arrival) }, 1},
		"some may be missed":       {func(r *rooms) { r.known.Whole(false) }, 1},
		"it is booked":             {func(r *rooms) { r.moves.note(movedStay{"a", stay, 1}, now) }, 1},
		"nothing is missed again":  {func(r *rooms) { r.known.Whole(true) }, 1},
	} {
		r := &rooms{nowhere: newCity("", nil), known: known.New()}
		r.take([]*gateway.Venue{hotelAt("a", "t", time.UTC)})
		city := r.city("t")
		r.known.Take("a", night, stay.Arrival)
		m := r.mark("a")
		c.happens(r)
		city.Put(stay, 0, sheet.Found{Answer: &offer.Answer{AsOf: now}, Fresh: now.Add(time.Hour)}, now)
		r.unmoved(city, 0, stay, m)
		page := city.Look(&sheet.Query{Lat: 30, Lon: 30, Radius: 1000, Stay: stay, Limit: 1}, now)
		if len(page.Open) != c.open {
			t.Errorf("%s: %d hotels are to be asked, want %d", what, len(page.Open), c.open)
		}
		page.Release()
	}
}
