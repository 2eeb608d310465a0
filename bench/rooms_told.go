package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	roomsearch "github.com/warmgate/warmgate/flows/rooms"
	"github.com/warmgate/warmgate/flows/rooms/offer"
)

const (
	tellRate       = 70 // requests a second by which hotels tell: of seven, six have one event, and one has a batch
	tellEach       = 7
	tellBatch      = 4 // events
	tellsPerSecond = tellRate * (tellEach - 1 + tellBatch) / tellEach
	tellersAtOnce  = 8  // while everything is told
	roomsPlaces    = 64 // that are searched again and again, by a quarter of all searches
	plentyFree     = 60_000
)

// tellers are hotels whose systems tell of their nights. Of the first kind of each, in the first night of the stay, one room
// more is free with each event, and plenty of all others, so that an answer shows which event it knows.
type tellers struct {
	*rooms
	api    *client
	places []string // searches that come again
	near   []int32  // hotels of their answers, by ordinal

	mu    sync.Mutex
	told  map[string][]toldOf // by venue, in the order of their time
	fates map[string]int      // of events
	wrong error
}

// toldOf is what a hotel has told of that night.
type toldOf struct {
	free        int
	sent, heard time.Time // heard: when it was answered; zero: it was not
}

func newTellers(t *rooms) *tellers {
	h := &tellers{rooms: t, api: newClient(t.serve.api.Addr().String(), 64), told: map[string][]toldOf{}, fates: map[string]int{}}
	for range roomsPlaces {
		of := &t.hotels[t.chance.IntN(len(t.hotels))]
		h.places = append(h.places, t.near(of.Lat, of.Lon, roomsCircle, t.stay))
		for _, hit := range t.index.Within(nil, of.Lat, of.Lon, 50_000, 20) {
			h.near = append(h.near, hit.Ordinal)
		}
	}
	return h
}

// tellAll has every hotel tell of all nights of the stay, so that nobody need ask it.
func (h *tellers) tellAll() error {
	var all sync.WaitGroup
	for w := range tellersAtOnce {
		all.Go(func() {
			for i := w; i < len(h.hotels) && h.run.ctx.Err() == nil; i += tellersAtOnce {
				of, now := &h.hotels[i], time.Now()
				var events []string
				for kind := range of.Types {
					for night := h.stay.Arrival; night < h.stay.Departure(); night++ {
						free := plentyFree
						if kind == 0 && night == h.stay.Arrival {
							free = 1
						}
						events = append(events, eventOf(of.ID, of.Types[kind].Code, night, free, now))
					}
				}
				h.send(venueOf(of), events)
			}
		})
	}
	all.Wait()
	h.run.report.note("nights that hotels have told of before", "%d", h.fates["taken"])
	clear(h.fates)
	return errors.Join(h.wrong, h.run.ctx.Err())
}

// eventOf is what a hotel's system says of a night.
func eventOf(hotel, kind string, night offer.Date, free int, at time.Time) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"//pms.example/%s","type":%q,"time":%q,"data":{"kind":%q,"night":%q,"free":%d,"price":{"minor":48800,"currency":"CNY"}}}`,
		uuid.NewString(), hotel, roomsearch.EventNight, at.Format(time.RFC3339Nano), kind, night, free)
}

// send sends events of one hotel, several as a batch, counts what became of them, and returns how many were taken.
func (h *tellers) send(venue string, events []string) (taken int) {
	a := ask{method: http.MethodPost, path: "/v1/backends/" + venue + "/events", token: h.teller,
		media: "application/cloudevents+json", body: []byte(events[0])}
	if len(events) > 1 {
		a.media, a.body = "application/cloudevents-batch+json", []byte("["+strings.Join(events, ",")+"]")
	}
	var said struct {
		Events []struct {
			Outcome string `json:"outcome"`
		} `json:"events"`
	}
	got, err := h.api.do(a, 5*time.Second)
	if err == nil && got.status == http.StatusOK {
		err = json.Unmarshal(got.body, &said)
	} else {
		err = fmt.Errorf("cannot tell of a night: %s", got.word(err))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = errors.Join(h.wrong, err)
	for _, e := range said.Events {
		h.fates[e.Outcome]++
		if e.Outcome == "taken" {
			taken++
		}
	}
	return taken
}

// tell has a hotel tell of the night that is counted, and in a batch of others as well.
func (h *tellers) tell(i int, ordinal int32) {
	of := &h.hotels[ordinal]
	venue := venueOf(of)
	h.mu.Lock()
	at := len(h.told[venue])
	now := time.Now()
	free := at + 2 // 1 was told before
	h.told[venue] = append(h.told[venue], toldOf{free: free, sent: now})
	h.mu.Unlock()
	events := []string{eventOf(of.ID, of.Types[0].Code, h.stay.Arrival, free, now)}
	for n := 1; i%tellEach == 0 && n < tellBatch; n++ {
		events = append(events, eventOf(of.ID, of.Types[n%len(of.Types)].Code, h.stay.Arrival+1, plentyFree+at%2, now))
	}
	h.send(venue, events)
	h.mu.Lock()
	h.told[venue][at].heard = time.Now()
	h.mu.Unlock()
}

// whileTold searches while hotels tell: those near the places that are searched again, and as many others.
func (h *tellers) whileTold() (*searched, error) {
	whose := make([]int32, max(1000, h.run.n)*tellRate/roomsRate)
	for i := range whose {
		if whose[i] = int32(h.chance.IntN(len(h.hotels))); i%2 == 0 {
			whose[i] = h.near[h.chance.IntN(len(h.near))]
		}
	}
	told := make(chan error, 1)
	i := 0
	s, err := h.tail(func() string {
		if i++; i%4 == 0 {
			return h.places[i/4%len(h.places)]
		}
		return h.anywhere()
	}, func() {
		go func() {
			told <- openLoop(h.run.ctx, len(whose), tellRate, func(i int, _ time.Time) { h.tell(i, whose[i]) })
		}()
	})
	if err != nil {
		return nil, err
	}
	return s, errors.Join(<-told, h.wrong)
}

// hold holds answers against what was told: an event that was taken before a search was sent is in its answer, and nothing is
// that was not told before it was heard.
func (h *tellers) hold(s *searched) error {
	changed, old, unheard, answers := 0, 0, 0, 0
	for i := range s.searches {
		one := &s.searches[i]
		if one.body == nil || !one.ok {
			continue
		}
		var f found
		if err := json.Unmarshal(one.body, &f); err != nil {
			return err
		}
		answers++
		saw := false
		for _, hotel := range f.Hotels {
			least, most := 1, 1
			for _, told := range h.told[hotel.Hotel] {
				if told.heard.Before(one.sent) {
					least = max(least, told.free)
				}
				if told.sent.Before(one.heard) {
					most = told.free
				}
			}
			switch free := hotel.free(h.kindOf(hotel.Hotel)); {
			case free < least:
				old++
			case free > most:
				unheard++
			default:
				saw = saw || free > 1
			}
		}
		if saw {
			changed++
		}
	}
	r := h.run.report
	for _, fate := range slices.Sorted(maps.Keys(h.fates)) {
		r.note("events that were "+fate+" meanwhile", "%d", h.fates[fate])
	}
	r.exactly("events refused", h.fates["refused"], 0)
	r.note("answers read", "%d", answers)
	r.atLeast("of them, with a hotel that had told meanwhile", "", float64(changed), float64(answers)/4, 2)
	r.exactly("hotels in them without what they had told before the search", old, 0)
	r.exactly("hotels in them with what they had not told yet", unheard, 0)
	return nil
}

// kindOf is the kind of a hotel that is counted.
func (h *tellers) kindOf(venue string) string {
	of, _ := h.town.Hotel("H" + strings.TrimPrefix(venue, "hotel-"))
	return of.Types[0].Code
}

// free is how many rooms of a kind a hotel of an answer has; 0: none.
func (f *foundHotel) free(kind string) int {
	for i := range f.Offers {
		if f.Offers[i].Kind == kind {
			return f.Offers[i].Free
		}
	}
	return 0
}
