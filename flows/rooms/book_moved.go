package rooms

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// moves are the nights of hotels that a booking of ours, or its cancellation, has changed. What a hotel said of them before is
// answered no more: it is asked for under another key from then on, here and at the replicas that hear of it. Safe for
// concurrent use.
type moves struct {
	hotels sync.Map   // by id: *movedNights
	fleet  flow.Fleet // nil: there are no other replicas
}

// movedNights are those of one hotel.
type movedNights struct {
	mu     sync.Mutex
	nights map[offer.Date]move
	all    uint64 // of all its nights, also of those that are forgotten
}

// move says how often a night was changed, and when last.
type move struct {
	count uint64 // each change adds something of its own, the same at each replica
	at    time.Time
}

// movedStay is what one replica tells the others.
type movedStay struct {
	Hotel string     `json:"hotel"`
	Stay  offer.Stay `json:"stay"`
	Count uint64     `json:"count"`
}

// movedTopic is where, at the fleet.
const movedTopic = "rooms.moved"

// note keeps that the nights of a stay are not what they were before at.
func (m *moves) note(s movedStay, at time.Time) {
	there, _ := m.hotels.LoadOrStore(s.Hotel, &movedNights{nights: map[offer.Date]move{}})
	h := there.(*movedNights)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all += s.Count
	for night := s.Stay.Arrival; night < s.Stay.Departure(); night++ {
		h.nights[night] = move{h.nights[night].count + s.Count, at}
	}
}

// of returns what has moved of a stay: its count is 0 only while nothing has.
func (m *moves) of(hotel string, stay offer.Stay) (sum move) {
	there, any := m.hotels.Load(hotel)
	if !any {
		return sum
	}
	h := there.(*movedNights)
	h.mu.Lock()
	defer h.mu.Unlock()
	for night := stay.Arrival; night < stay.Departure(); night++ {
		one := h.nights[night]
		if sum.count += one.count; one.at.After(sum.at) {
			sum.at = one.at
		}
	}
	return sum
}

// allOf grows with each change at a hotel.
func (m *moves) allOf(hotel string) uint64 {
	there, any := m.hotels.Load(hotel)
	if !any {
		return 0
	}
	h := there.(*movedNights)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// sweep forgets the nights that are over, and hotels that are gone.
func (m *moves) sweep(today func(hotel string) (day offer.Date, there bool)) {
	m.hotels.Range(func(id, at any) bool {
		day, there := today(id.(string))
		if !there {
			m.hotels.Delete(id)
			return true
		}
		h := at.(*movedNights)
		h.mu.Lock()
		defer h.mu.Unlock()
		for night := range h.nights {
			if night < day {
				delete(h.nights, night)
			}
		}
		return true
	})
}

// moved ends what is known of a hotel's stay, here and at the other replicas: a booking of ours has changed it, or has
// found that it is another.
func (r *rooms) moved(hotel string, stay offer.Stay) {
	s := movedStay{hotel, stay, rand.Uint64() | 1}
	r.move(s, time.Now())
	if r.moves.fleet == nil {
		return
	}
	if message, err := json.Marshal(s); err == nil { // it always is
		r.moves.fleet.Tell(movedTopic, message)
	}
}

// move does that here. Answers that were asked for before at, and come later, are not kept.
func (r *rooms) move(s movedStay, at time.Time) {
	r.moves.note(s, at)
	for _, c := range *r.cities.Load() {
		if ordinal, there := c.ordinal(s.Hotel); there {
			c.Forget(ordinal, s.Stay.Arrival, s.Stay.Departure(), at)
		}
	}
}

// hearMoves hears what bookings at other replicas have changed. What is missed while Redis is away is answered for as long as
// it is fresh, and says how old it is.
func (r *rooms) hearMoves(rt *flow.Runtime) {
	if rt.Fleet == nil {
		return
	}
	rt.Fleet.Hear(movedTopic, func(bool) {}, func(message []byte) {
		var s movedStay
		if err := json.Unmarshal(message, &s); err != nil || s.Stay.Nights > maxNights {
			rt.Logger.Warn("another replica told something that is no stay", "error", errors.New("no JSON of that kind"))
			return
		}
		r.move(s, time.Now())
	})
}

// moving is an argument of a write that changes what a hotel has for a stay.
type moving interface {
	moves() (hotel string, stay offer.Stay)
}

func (a Agreed) moves() (string, offer.Stay)     { return a.Hotel, a.Stay }
func (c CallingOff) moves() (string, offer.Stay) { return c.Hotel, c.Stay }

// heeded has an effect tell what it changes, once it has, or may have: before anybody is answered.
func heeded[A moving, O any](moved func(hotel string, stay offer.Stay), e call.Effect[A, O]) call.Effect[A, O] {
	do, find := e.Do, e.Find
	e.Do = func(ctx context.Context, key string, a A) (O, error) {
		defer func() { moved(a.moves()) }() // also where it is refused: the hotel is not as it was thought to be
		return do(ctx, key, a)
	}
	e.Find = func(ctx context.Context, key string, a A) (O, bool, error) {
		out, happened, err := find(ctx, key, a)
		if happened {
			moved(a.moves())
		}
		return out, happened, err
	}
	return e
}

// seen has a look at a hotel tell where that is not what whoever books has found.
func (o *booking) seen(look func(context.Context, Wish) (offer.Answer, error)) func(context.Context, Wish) (offer.Answer, error) {
	return func(ctx context.Context, w Wish) (offer.Answer, error) {
		answer, err := look(ctx, w)
		if err == nil {
			if a, err := agreed(w, answer); err != nil || a.Offer.Total != w.Price {
				o.moved(w.Hotel, w.Stay)
			}
		}
		return answer, err
	}
}
