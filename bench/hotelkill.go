package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

const (
	partiesAtOnce   = 8
	betweenParties  = 60 * time.Millisecond
	hotelKillWithin = 900 * time.Millisecond // of the program being ready
	hotelKillsMost  = 3                      // in a block, before everything must be settled
	killsPerTown    = 24                     // then a new city and a new ledger
	roomsUnderKill  = 900
)

// provesCheckInKill kills the real program at random moments while parties check in and out and every system of the hotel
// fails at random. What they were told is held against what the systems' books have, read from outside, and against the
// assists that wait for a person. Its ledger is on the disk, with every flush.
//
// A block is one to three kills in a row, the faults still on after the last restart; then they end, every party goes on
// until its answer is final, and all must be settled within 30 s of the restart. Some states must not even be for a moment:
// the books are read for these around each kill, too.
func provesCheckInKill(r *run) error {
	t := &stayTotals{answers: map[string]int{}}
	for number := 0; t.kills < r.n; number++ {
		k := &hotelKiller{run: r, totals: t, chance: rand.New(rand.NewPCG(r.seed, uint64(number)))}
		if err := k.town(number, min(killsPerTown, r.n-t.kills)); err != nil {
			return err
		}
	}
	t.say(r.report)
	return nil
}

// stayTotals is what all blocks came to.
type stayTotals struct {
	kills, blocks, parties, visits, attempts int
	in, complete, left, handed               int
	answers                                  map[string]int
	bad                                      [badKinds]int
	late, claimed                            int
	slowest                                  time.Duration
}

func (t *stayTotals) say(to *report) {
	to.note("kills / blocks", "%d / %d", t.kills, t.blocks)
	to.note("parties / requests / attempts at them", "%d / %d / %d", t.parties, t.visits, t.attempts)
	for _, word := range slices.Sorted(maps.Keys(t.answers)) {
		to.note("final answer "+word, "%d", t.answers[word])
	}
	to.note("in house in the end, and of these with a person", "%d, %d", t.in, t.handed)
	to.note("in house with room, keys and registrations / left", "%d / %d", t.complete, t.left)
	to.note("assists that no kiosk was told of, and staff were", "%d", t.claimed)
	to.note("longest from the last restart to all settled", "%.1f s", t.slowest.Seconds())
	for what, name := range stayFaults() {
		to.exactly(name, t.bad[what], 0)
	}
	to.exactly("blocks not settled within 30 s of the restart", t.late, 0)
}

// hotelKiller works in one town.
type hotelKiller struct {
	run     *run
	totals  *stayTotals
	chance  *rand.Rand
	place   *town
	serve   *child
	lobby   *lobby
	restart time.Time         // the last one
	seen    map[string]bool   // what is counted already
	facts   map[string]string // what assists have told staff, by id
}

func (k *hotelKiller) town(number, kills int) (err error) {
	k.seen, k.facts = map[string]bool{}, map[string]string{}
	k.place, err = newTown(filepath.Join(k.run.dir, fmt.Sprint(number)), k.chance.Uint64(), 1, roomsUnderKill, nil, killEdits("hotel-check-in", "hotel-check-out")...)
	if err != nil {
		return err
	}
	defer k.place.close()
	if k.serve, err = k.run.started(k.place.world); err != nil {
		return err
	}
	if k.lobby, err = newLobby(k.place, k.serve); err != nil {
		return err
	}
	err = k.run.inBlocks("check-in-kill", &k.totals.kills, kills, hotelKillsMost, k.chance, k.block)
	return errors.Join(err, k.serve.stop())
}

// block kills n times and then holds everything to the books.
func (k *hotelKiller) block(n int) error {
	k.lobby.begin(k.chance.Uint64())
	dials := turning{k.place.city, k.place.hotels[0].id, []string{"ohip", "identity", "police"}, 30 * time.Millisecond, 180 * time.Millisecond}
	killing := storm{run: k.run, serve: k.serve, chance: k.chance, within: hotelKillWithin, calm: 500 * time.Millisecond, faults: dials.faults,
		back: func() error {
			k.totals.kills++
			k.restart = time.Now()
			return k.glance()
		}}
	if err := killing.blow(n); err != nil {
		return err
	}
	k.totals.blocks++
	if err := k.lobby.end(k.restart.Add(settledWithin)); err != nil {
		return err
	}
	return k.check()
}
