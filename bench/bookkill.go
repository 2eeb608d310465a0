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
	bookersAtOnce  = 8
	betweenWishes  = 60 * time.Millisecond
	bookKillWithin = 900 * time.Millisecond // of the program being ready
	bookKillsMost  = 3                      // in a block, before everything must be settled
	roomsToBook    = 40                     // for each night; each block books its own
)

// provesBookingKill kills the real program at random moments while travellers book rooms and call bookings off, and the hotel's
// system fails at random. What they were told is held against the hotel's books, read from outside. Its ledger is on the disk,
// with every flush.
//
// A block is one to three kills in a row, the faults still on after the last restart; then they end, every traveller goes on until
// the answer is final, but for some who leave without one, and each wish is sent once more under another key: whoever has a
// booking is told its number, and nobody but them has one at the hotel. Each block is about a night of its own.
func provesBookingKill(r *run) error {
	t := &bookTotals{answers: map[string]int{}}
	for number := 0; t.kills < r.n; number++ {
		k := &bookKiller{run: r, totals: t, chance: rand.New(rand.NewPCG(r.seed, uint64(number)))}
		if err := k.town(number, min(killsPerTown, r.n-t.kills)); err != nil {
			return err
		}
	}
	t.say(r.report)
	return nil
}

// bookTotals is what all blocks came to.
type bookTotals struct {
	kills, blocks, wishes, attempts, left   int
	stand, off, late                        int
	answers                                 map[string]int
	lost, unknown, doubled, kept, twice     int
	oversold, takenAway, endless, unsettled int
	slowest                                 time.Duration
}

func (t *bookTotals) say(to *report) {
	to.note("kills / blocks", "%d / %d", t.kills, t.blocks)
	to.note("wishes / attempts at them, and at cancellations", "%d / %d", t.wishes, t.attempts)
	to.note("travellers who left without an answer", "%d", t.left)
	for _, word := range slices.Sorted(maps.Keys(t.answers)) {
		to.note("final answer "+word, "%d", t.answers[word])
	}
	to.note("bookings that stand in the end / that were called off", "%d / %d", t.stand, t.off)
	to.note("bookings that became clear behind their answer", "%d", t.late)
	to.note("longest from the last restart to all settled", "%.1f s", t.slowest.Seconds())
	to.exactly("acknowledged bookings that the hotel does not have", t.lost, 0)
	to.exactly("bookings at the hotel that nobody is told of", t.unknown, 0)
	to.exactly("wishes that are booked twice", t.doubled, 0)
	to.exactly("acknowledged cancellations whose booking stands", t.kept, 0)
	to.exactly("bookings that were cancelled more than once", t.twice, 0)
	to.exactly("acknowledged bookings that nobody has called off and the hotel has cancelled", t.takenAway, 0)
	to.exactly("nights with more bookings than rooms", t.oversold, 0)
	to.exactly("travellers without a final answer 30 s after the restart", t.endless, 0)
	to.exactly("blocks not settled within 30 s of the restart", t.unsettled, 0)
}

// bookKiller works in one town.
type bookKiller struct {
	run     *run
	totals  *bookTotals
	chance  *rand.Rand
	place   *town
	serve   *child
	desk    *bookers
	restart time.Time // the last one
}

func (k *bookKiller) town(number, kills int) (err error) {
	k.place, err = newTown(filepath.Join(k.run.dir, fmt.Sprint(number)), k.chance.Uint64(), 1, roomsToBook, nil, killEdits("booking", "booking-cancel")...)
	if err != nil {
		return err
	}
	defer k.place.close()
	if k.serve, err = k.run.started(k.place.world); err != nil {
		return err
	}
	if k.desk, err = newBookers(k.place, k.serve); err != nil {
		return err
	}
	err = k.run.inBlocks("booking-kill", &k.totals.kills, kills, bookKillsMost, k.chance, k.block)
	return errors.Join(err, k.serve.stop())
}

// block kills n times and then holds everything to the books.
func (k *bookKiller) block(n int) error {
	if err := k.desk.begin(k.totals.blocks, k.chance.Uint64()); err != nil {
		return err
	}
	dials := turning{k.place.city, k.place.hotels[0].id, []string{"ohip"}, 30 * time.Millisecond, 180 * time.Millisecond}
	killing := storm{run: k.run, serve: k.serve, chance: k.chance, within: bookKillWithin, calm: 500 * time.Millisecond, faults: dials.faults,
		back: func() error {
			k.totals.kills++
			k.restart = time.Now()
			return nil
		}}
	if err := killing.blow(n); err != nil {
		return err
	}
	k.totals.blocks++
	k.desk.end(k.restart.Add(settledWithin))
	return k.check()
}
