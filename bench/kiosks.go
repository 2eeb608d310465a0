package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	racesAtOnce  = 4
	racesAtHotel = 100
)

// provesKiosks lets a party come to both kiosks of a hotel at once, again and again with another booking, through the real
// program: one room, one set of keys and one registration for each guest, whatever each kiosk is answered first.
func provesKiosks(r *run) error {
	t, err := newTown(r.dir, r.seed, (r.n+racesAtHotel-1)/racesAtHotel, roomsAtHotel, nil)
	if err != nil {
		return err
	}
	defer t.close()
	x := &races{answers: map[string]int{}, chance: rand.New(rand.NewPCG(r.seed, 3))}
	if x.tokens, err = t.tokens(); err != nil {
		return err
	}
	for i := range r.n {
		h := t.hotels[i/racesAtHotel]
		people := 1
		if i%3 == 1 {
			people = 2
		}
		g, err := h.book(1, people)
		if err != nil {
			return err
		}
		x.all = append(x.all, &race{guests: g[0], behind: time.Duration(x.chance.Int64N(int64(30 * time.Millisecond)))})
	}
	return t.underServe(r, func(serve *child) error {
		x.run(r, serve)
		return x.say(r.report, t, serve)
	})
}

// race is one booking at two kiosks.
type race struct {
	guests

	behind time.Duration // the second kiosk, half of the time
	told   [2]told
	final  [2]answer
}

type races struct {
	tokens map[string]string
	chance *rand.Rand
	all    []*race

	mu       sync.Mutex
	answers  map[string]int
	attempts int
}

func (x *races) run(r *run, serve *child) {
	api := newClient(serve.api.Addr().String(), 2*racesAtOnce)
	next := make(chan *race)
	var workers sync.WaitGroup
	for range racesAtOnce {
		workers.Go(func() {
			for one := range next {
				x.race(r, api, one)
			}
		})
	}
	for i, one := range x.all {
		if i%2 == 0 {
			one.behind = 0
		}
		next <- one
	}
	close(next)
	workers.Wait()
}

func (x *races) race(r *run, api *client, one *race) {
	var both sync.WaitGroup
	for i, kiosk := range kiosks() {
		both.Go(func() {
			pause(time.Duration(i) * one.behind)
			one.final[i] = x.insist(r, api, one.checkIn(x.tokens[kiosk], kiosk))
			one.told[i] = toldBy(one.final[i])
		})
	}
	both.Wait()
}

// insist asks until the answer is final, or twenty seconds are over.
func (x *races) insist(r *run, api *client, a ask) answer {
	end := time.Now().Add(20 * time.Second)
	for {
		got, err := api.do(a, 10*time.Second)
		final := err == nil && !got.retry || time.Now().After(end) || r.ctx.Err() != nil
		x.mu.Lock()
		x.attempts++
		if final {
			x.answers[got.word(err)]++
		}
		x.mu.Unlock()
		if final {
			return got
		}
		a.key = uuid.NewString() // "still running" is said under this key for ever
		pause(50 * time.Millisecond)
	}
}

func (x *races) say(to *report, t *town, serve *child) error {
	for _, word := range slices.Sorted(maps.Keys(x.answers)) {
		to.note("answered "+word, "%d", x.answers[word])
	}
	to.note("attempts", "%d", x.attempts)
	seen, err := lookAround(t, serve)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, one := range x.all {
		for _, what := range one.wrong(seen) {
			counts[what]++
		}
	}
	to.note("races", "%d", len(x.all))
	for _, what := range raceFaults() {
		to.exactly(what, counts[what], 0)
	}
	return nil
}

// raceFaults are what a race must never end in.
func raceFaults() []string {
	return []string{
		"kiosks without a room for their guests", "kiosks that name two rooms", "kiosks that both gave out keys", "bookings not in house, or not in one room",
		"bookings checked in other than once", "bookings without exactly one set of keys", "bookings without exactly one registration for each guest",
	}
}

// wrong holds what the kiosks said, and what the systems have of it, against one room, one set of keys, one registration
// for each guest.
func (one *race) wrong(s sight) (what []string) {
	faults := raceFaults()
	add := func(bad bool, i int) {
		if bad {
			what = append(what, faults[i])
		}
	}
	add(one.final[0].status != http.StatusCreated || one.final[1].status != http.StatusCreated, 0)
	add(one.told[0].Room != one.told[1].Room || one.told[0].Stay != one.told[1].Stay, 1)
	add(one.told[0].Again == one.told[1].Again, 2)
	x := s.of(one.guests)
	add(!x.in || x.room == "" || x.shared || fmt.Sprint(x.rooms) != fmt.Sprint([]string{one.told[0].Room.Number}), 3)
	add(x.checkIns != 1, 4)
	add(x.keySets != 1 || x.keys != len(one.People), 5)
	add(!slices.Equal(x.registered, slices.Repeat([]int{1}, len(one.People))), 6)
	return what
}
