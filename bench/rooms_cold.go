package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/rooms/offer"
)

const (
	coldHotels  = 2000
	coldTrouble = 0.05 // of the hotels hang, and as many refuse
)

// provesRoomsCold searches for stays of which nothing is known, while some of the hotels hang and some refuse: the answer comes
// within its budget, with every other hotel in it, and names those.
func provesRoomsCold(r *run) error {
	t, err := newRooms(r, coldHotels)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.town.SetTrouble([]ohip.TownTrouble{{Share: coldTrouble, Dial: twin.Dial{Fault: twin.Hang}}, {Share: coldTrouble, Dial: twin.Dial{Fault: twin.Refuse}}}); err != nil {
		return err
	}
	if _, err := t.serve.start(); err != nil {
		return err
	}
	err = t.cold()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, t.serve.lastWords())
	}
	return errors.Join(err, t.serve.stop())
}

// cold searches, each time for another stay.
func (t *rooms) cold() error {
	api := newClient(t.serve.api.Addr().String(), 4)
	limit, err := t.budget("rooms-search")
	if err != nil {
		return err
	}
	var took []float64
	late, lacking, hidden, troubled := 0, 0, 0, 0
	for i := range t.run.n {
		stay := t.stay
		stay.Arrival, stay.Nights = stay.Arrival+offer.Date(i/7), uint16(1+i%7)
		h := &t.hotels[t.chance.IntN(len(t.hotels))]
		path := t.near(h.Lat, h.Lon, roomsCircle, stay)
		f, d, err := t.search(api, path)
		if err != nil {
			return err
		}
		took = append(took, millis(d))
		if d > limit {
			late++
		}
		missing := map[string]bool{}
		for _, m := range f.Missing {
			missing[m.Hotel] = true
		}
		for _, hit := range t.index.Within(nil, h.Lat, h.Lon, 50_000, roomsCircle) {
			other := &t.hotels[hit.Ordinal]
			ill, is := t.town.Trouble("/par/v1/hotels/"+other.ID+"/availability").Fault != "", missing[venueOf(other)]
			switch {
			case ill && is:
				troubled++
			case ill:
				hidden++
			case is:
				lacking++
			}
		}
	}
	r := t.run.report
	r.note("hotels in the circle, of them in trouble", "%d, %.1f", roomsCircle, float64(troubled+hidden)/float64(t.run.n))
	r.note("a cold search, median", "%.0f ms", median(took))
	r.atMost("the slowest, of the machine budget", "ms", slices.Max(took), millis(limit), 1)
	r.held = append(r.held, "rooms-search")
	r.exactly("later than the budget", late, 0)
	r.exactly("living hotels that were missing", lacking, 0)
	r.exactly("hotels in trouble that were not named", hidden, 0)
	return nil
}
