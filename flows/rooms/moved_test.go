package rooms

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/known"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
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

// TestWhatIsToldRenewsWhatIsKept: a stay that what was told covers has its new answer at once, of another nothing is left; and a
// hotel that is in no city any more touches no other.
func TestWhatIsToldRenewsWhatIsKept(t *testing.T) {
	now := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	r := &rooms{nowhere: newCity("", nil), known: known.New()}
	a, gone := hotelAt("a", "t", time.UTC), hotelAt("0", "t", time.UTC)
	for _, v := range []*gateway.Venue{a, gone} {
		settingsOf(v).Kinds, settingsOf(v).Push.Fresh = map[string]OfKind{"STD": {Guests: 2}}, time.Hour
	}
	r.take([]*gateway.Venue{a})
	city, first := r.city("t"), offer.DateOf(now)+1
	one, two := offer.Stay{Arrival: first, Nights: 1, Guests: 1}, offer.Stay{Arrival: first, Nights: 2, Guests: 1}
	old := &offer.Answer{AsOf: now.Add(-time.Minute), Offers: []offer.Offer{{Kind: "STD", Free: 1, Total: gateway.Money{Minor: 1, Currency: "EUR"}}}}
	open := func(stay offer.Stay) int {
		page := city.Look(&sheet.Query{Lat: 30, Lon: 30, Radius: 1000, Stay: stay, Limit: 1}, now)
		defer page.Release()
		return len(page.Open)
	}
	for _, stay := range []offer.Stay{one, two} {
		city.Put(stay, 0, sheet.Found{Answer: old, Fresh: now.Add(time.Hour)}, now)
	}
	r.renew(gone, settingsOf(gone), first, now)
	if open(one) != 0 || open(two) != 0 {
		t.Error("what is kept of a hotel went with the night of another")
	}
	r.known.Take("a", known.Night{Kind: "STD", Night: first, Free: 7, Price: gateway.Money{Minor: 9, Currency: "EUR"}, At: now}, first)
	r.renew(a, settingsOf(a), first, now)
	if open(one) != 0 || open(two) != 1 {
		t.Errorf("%d hotels are to be asked for the night that was told, %d for two nights", open(one), open(two))
	}
}

// TestNightsThatAreOverAreForgotten by and by, and hotels that are gone.
func TestNightsThatAreOverAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rooms{nowhere: newCity("", nil), known: known.New()}
		today := offer.DateOf(time.Now())
		for _, hotel := range []string{"there", "gone"} {
			for _, night := range []offer.Date{today, today + 40} {
				r.known.Take(hotel, known.Night{Kind: "STD", Night: night, At: time.Now()}, today)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		there := hotelAt("there", "t", time.UTC)
		go r.sweep(ctx, &flow.Runtime{Now: time.Now, Venue: func(id string) *gateway.Venue {
			if id == there.ID {
				return there
			}
			return nil
		}})
		for _, want := range []struct {
			passes time.Duration
			blocks int64
		}{{sweepEvery - time.Minute, 4}, {2 * time.Minute, 2}, {33 * 24 * time.Hour, 1}} {
			time.Sleep(want.passes)
			synctest.Wait()
			if n := r.known.Blocks(); n != want.blocks {
				t.Errorf("after %s more %d blocks are kept, want %d", want.passes, n, want.blocks)
			}
		}
	})
}
